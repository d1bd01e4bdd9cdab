"""Readers of one-minute bars: HistData, MetaTrader, Dukascopy, OANDA, generic CSV and Parquet.

The content of a file tells its format, its name the pair. Bars are bid bars: where a file has
bid and ask, its bid rates are read, and the spread at the close.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from bqx.errors import BarError
from bqx.market import bars
from bqx.market.pairs import CURRENCIES, PAIRS, check, pip
from bqx.market.readers import clocks, files
from bqx.market.readers.clocks import Clock
from bqx.market.readers.times import DUKASCOPY, HISTDATA

__all__ = ["Clock", "pair_of", "read", "read_folder"]

_CURRENCY = "|".join(CURRENCIES)
_HISTDATA_NAME = re.compile(r"(HISTDATA|DAT)_", re.IGNORECASE)


def pair_of(path: Path) -> str:
    """Pair named in a file's name.

    >>> pair_of(Path("DAT_ASCII_GBPUSD_M1_2018.csv")), pair_of(Path("EUR_USD-2018.parquet"))
    ('gbpusd', 'eurusd')

    Raises
    ------
    BarError : the name holds none of the 28 pairs, or several.
    """
    joined = re.findall(rf"({_CURRENCY})[^A-Z0-9]?({_CURRENCY})", Path(path).name.upper())
    names = sorted({(base + quote).lower() for base, quote in joined} & set(PAIRS))
    if len(names) != 1:
        raise BarError(
            f"{Path(path).name}: the name does not tell the pair, got {names or 'none'}; expected "
            "one of the 28 pairs, as in 'eurusd.csv' or 'EUR_USD-2018.zip'. Rename the file."
        )
    return names[0]


def read(path: Path, pair: str | None = None, clock: Clock | None = None) -> pd.DataFrame:
    """Read the bars of one pair from a file.

    Parameters
    ----------
    path : HistData ASCII (zip or CSV), MetaTrader 4 or 5 CSV, Dukascopy CSV, OANDA CSV, or a CSV
        or Parquet file with the columns ts_utc, open, high, low, close.
    pair : default the pair in the file's name; needed only where the spread is given in points.
    clock : of the file's times where they do not name their own offset from UTC: an IANA zone, a
        zone plus hours, or ranges ``((first date, clock), ...)``. Default New York's for
        HistData, with the European dates of change from 2019 on where the weekly closes show
        them; 'UTC+2' for MetaTrader; 'UTC' for the others.

    Returns
    -------
    Validated bar frame, see bqx.market.bars. A volume or spread that is 0 everywhere is taken for
    absent (NaN), bars that OANDA marks as incomplete and Dukascopy's flat bars without a trade are
    left out, and so are stray bars of the closed market.

    Raises
    ------
    BarError : a file that cannot be read, a bad line or bar, or weeks that do not end on Friday
        17:00 New York; the message names the clock to pass.
    ParameterError : a clock or pair that is none.
    """
    path = Path(path)
    where = path.name
    table = files.table(path)
    frame = _schema(table.frame, pair, path)
    if table.zoned:
        file_clock, utc = None, table.stamps.tz_localize("UTC")
    else:
        source = HISTDATA if _HISTDATA_NAME.match(where) else table.source
        file_clock = clocks.choose(table.stamps, (clock,) if clock else source.clocks, where)
        utc = clocks.to_utc(table.stamps, file_clock, where)
    is_bar = ~utc.isna() & _is_bar(table, frame)
    stamps = table.stamps[is_bar]
    if stamps.is_monotonic_increasing and len(stamps):
        clocks.check(stamps, file_clock, where)
    lines = None if table.lines is None else table.lines[is_bar]
    return bars.validate(frame.set_index(utc)[is_bar], where, lines)


def read_folder(
    path: Path, pairs: tuple[str, ...] = (), clock: Clock | None = None
) -> dict[str, pd.DataFrame]:
    """Read the bars of every pair in a folder, or of the one pair of a file.

    Several files of a pair are joined in the order of time; bars that two of them share must be
    the same. Hidden files and subfolders are left alone.

    Parameters
    ----------
    path : folder or file.
    pairs : pairs to read; default all that are there.
    clock : as in ``read``, for every file.

    Returns
    -------
    Pair to validated bar frame, in the order asked for, else in alphabetical order.

    Raises
    ------
    BarError : nothing there, a file that is not of bars, a pair that is missing, files of a pair
        that contradict each other, or any error of ``read``.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.is_file() and not f.name.startswith("."))
    if not files or not path.exists():
        raise BarError(
            f"{path}: no bar files, got {'an empty folder' if path.exists() else 'no such path'}; "
            "expected a folder of bar files, or one such file."
        )
    by_pair: dict[str, list[Path]] = {}
    for file in files:
        by_pair.setdefault(pair_of(file), []).append(file)
    for pair in pairs:
        if check(pair) not in by_pair:
            raise BarError(
                f"{path}: no file of {pair}, got {', '.join(sorted(by_pair))}; expected one for "
                "every pair asked for. Add the file, or ask for the pairs that are there."
            )
    frames: dict[str, dict[str, pd.DataFrame]] = {pair: {} for pair in pairs or sorted(by_pair)}
    tasks = [(pair, file) for pair in frames for file in by_pair[pair]]
    for pair, file in tqdm(tasks, desc="reading bars", unit="file", leave=False, disable=None):
        frames[pair][file.name] = read(file, pair, clock)
    return {pair: _join(of_pair) for pair, of_pair in frames.items()}


def _schema(frame: pd.DataFrame, pair: str | None, path: Path) -> pd.DataFrame:
    out = frame.reindex(columns=list(bars.COLUMNS))
    if "points" in frame:
        # A point is the last digit of a quote: a tenth of a pip at every broker of today.
        out["spread"] = frame["points"] * pip(pair or pair_of(path)) / 10
    elif "spread" not in frame and "ask_close" in frame:
        out["spread"] = (frame["ask_close"] - frame["close"]).clip(lower=0)
    absent = [name for name in ("volume", "spread") if (out[name].fillna(0) == 0).all()]
    out[absent] = np.nan
    return out


def _is_bar(table: files.Table, frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each row is a complete bar with a trade in it."""
    is_bar = np.ones(len(frame), dtype=bool)
    if "complete" in table.frame:
        is_bar &= ~table.frame["complete"].str.lower().isin(("false", "0")).to_numpy(dtype=bool)
    if table.source is DUKASCOPY:
        is_flat = (frame["high"] == frame["low"]) & (frame["volume"] == 0)
        is_bar &= ~is_flat.to_numpy()
    return is_bar


def _join(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Bars of several files of a pair, by file name, in the order of time."""
    joined = pd.concat(frames.values()).sort_index()
    if joined.index.has_duplicates:
        distinct = joined.reset_index().drop_duplicates()
        twice = distinct["ts_utc"].duplicated(keep=False)
        if twice.any():
            first = distinct.loc[twice, "ts_utc"].iloc[0]
            names = [name for name, frame in frames.items() if first in frame.index]
            raise BarError(
                f"{' and '.join(names)}: different bars of one minute, got both at {first}; "
                "expected files of a pair to agree where they overlap. Remove one of them."
            )
        return distinct.set_index("ts_utc")
    return joined
