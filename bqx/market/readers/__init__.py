"""Readers of one-minute bars: HistData, MetaTrader, Dukascopy, FXCM, OANDA, generic CSV, Parquet.

The content of a file tells its format, its name the pair. Bars are bid bars: where a file has
bid and ask, its bid rates are read, and the spread at the close. What only the user can know of a
file is declared, see `bqx.market.declared.Declared`.
"""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from bqx.market.declared import Declared
from bqx.market.readers import folder, one_file, spreads
from bqx.market.readers.columns import ask_alone
from bqx.market.readers.folder import Reading, bar_files
from bqx.market.readers.names import pair_of

__all__ = ["Reading", "bar_files", "examine", "pair_of", "read", "read_folder"]

_LOG = logging.getLogger(__name__)


def read(path: Path, pair: str | None = None, **declared: Any) -> pd.DataFrame:
    """Read the bars of one pair from a file.

    Parameters
    ----------
    path : HistData ASCII (zip or CSV), MetaTrader 4 or 5 CSV, Dukascopy, FXCM or OANDA CSV, or a
        CSV or Parquet file with the columns ts_utc, open, high, low, close; CSV also as gzip.
    pair : default the pair in the file's name.
    declared : what only the user can know, by the names of `Declared`: ``clock``, ``stamped``,
        ``spread_unit``, ``side``. Without a clock HistData's is New York's, with the European
        dates of change from 2019 on where the weekly closes show them, MetaTrader's UTC+2, that of
        the others UTC.

    Returns
    -------
    Validated bar frame, see bqx.market.bars. A volume or spread that is 0 everywhere is taken for
    absent (NaN). Left out are bars that OANDA marks as incomplete, Dukascopy's flat bars without a
    trade, flat and stray bars of the closed market, stray ticks, and bars of a rate that stands
    still for six open hours; what was left out is logged.

    Raises
    ------
    BarError : a file that cannot be read, a bad line or bar, weeks that do not end on Friday 17:00
        New York or no week's end where nothing else tells the clock, bars of a longer step or
        stamped at their end, a spread that can be none in its unit, rates that are none of the
        pair; the message names what to pass.
    ParameterError : a clock or pair that is none.
    """
    said = Declared(**declared)
    file = one_file.read(Path(path), pair, said)
    frame = file.frame
    if file.side in ("ask", "mid"):
        if said.side != file.side:
            raise ask_alone(file.where, file.side)
        frame, note = spreads.to_bid(frame, file.side, file.where)
        file.notes.append(note)
    _tell(file.notes)
    return frame


def read_folder(
    path: Path, pairs: tuple[str, ...] = (), **declared: Any
) -> dict[str, pd.DataFrame]:
    """Read the bars of every pair in a folder, or of the one pair of a file.

    Several files of a pair are joined in the order of time; bars that two of them share must be
    the same, but for an ask file, which gives the bid file its spread. Hidden files, subfolders and
    files that are none of bars are left alone and logged.

    Parameters
    ----------
    path : folder or file.
    pairs : pairs to read; default all that are there.
    declared : as in `read`, for every file, and ``gap``.

    Returns
    -------
    Pair to validated bar frame, in the order asked for, else in alphabetical order.

    Raises
    ------
    BarError : nothing there, a pair that is missing, files of a pair that contradict each other,
        more than a month without bars between bars, pairs that do not fit each other, or any error
        of `read`.
    """
    reading = examine(path, pairs, **declared)
    _tell(reading.notes)
    return reading.frames


def examine(path: Path, pairs: tuple[str, ...] = (), **declared: Any) -> Reading:
    """Read as `read_folder` does, and say what was found of the bars instead of logging it."""
    return folder.examine(Path(path), pairs, Declared(**declared))


def _tell(notes: list[str]) -> None:
    for note in notes:
        _LOG.warning("note: %s", note)
