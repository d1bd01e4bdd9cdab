"""Times in bar files: their shapes, and the sources that the shapes give away.

HistData writes ``20180101 170000``, MetaTrader ``2018.01.23,04:32``, Dukascopy
``01.01.2018 00:00:00.000``, FXCM ``01/23/2018 04:32:00.000``, MetaStock ``201801230432``;
everything else is ISO 8601 or a number since 1970.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bqx.errors import BarError
from bqx.market import sessions
from bqx.market.declared import Clock
from bqx.market.readers.clocks import NEW_YORK_UNTIL_2019


@dataclass(frozen=True)
class Source:
    """Where bars come from, and the clocks that its files may be written with, usual one first.

    ``is_sure`` : whether its files are on these clocks alone, and need no weekly close to show it.
    """

    name: str
    clocks: tuple[Clock, ...] = ("UTC",)
    is_sure: bool = False


_NEW_YORK: tuple[Clock, ...] = ("America/New_York", NEW_YORK_UNTIL_2019)
HISTDATA = Source("HistData", _NEW_YORK, is_sure=True)
METATRADER = Source("MetaTrader", ("UTC+2",))
METATRADER_FRAME = Source("MetaTrader's Python interface")
DUKASCOPY = Source("Dukascopy", is_sure=True)
FXCM = Source("FXCM", is_sure=True)
METASTOCK = Source("MetaStock", ("UTC", *_NEW_YORK))
GENERIC = Source("generic")


@dataclass(frozen=True)
class TimeShape:
    """One way to write times.

    ``pattern`` : the whole text of a time.
    ``iso`` : ISO 8601 in the groups of the pattern, or the unit of a number since 1970.
    ``zoned`` : the text says its own offset from UTC.
    """

    pattern: str
    iso: str
    source: Source = GENERIC
    zoned: bool = False

    @property
    def is_number(self) -> bool:
        """Whether such a time is a number since 1970."""
        return self.iso in ("s", "ms", "us", "ns")


_HMS = r"(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
_YMD = r"(\d{4})\.(\d\d)\.(\d\d) " + _HMS
_DMY = r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d:\d\d:\d\d(?:\.\d{3})?)"
_ISO = r"(\d{4}-\d\d-\d\d)[T ]" + _HMS
_SLASHED = r"(\d\d)[/-](\d\d)[/-](\d{4}) " + _HMS
_STUCK = r"((?:19|20)\d\d)(0[1-9]|1[0-2])([0-3]\d)([0-2]\d)([0-5]\d)"

MONTH_FIRST = TimeShape(_SLASHED, r"\3-\1-\2 \4")
DAY_FIRST = TimeShape(_SLASHED, r"\3-\2-\1 \4")

TIME_SHAPES = (
    TimeShape(r"(\d{4})(\d\d)(\d\d) (\d\d)(\d\d)(\d\d)", r"\1-\2-\3 \4:\5:\6", HISTDATA),
    TimeShape(r"(\d{4})(\d\d)(\d\d) " + _HMS, r"\1-\2-\3 \4"),
    TimeShape(_STUCK, r"\1-\2-\3 \4:\5", METASTOCK),
    TimeShape(_STUCK + r"([0-5]\d)", r"\1-\2-\3 \4:\5:\6", METASTOCK),
    TimeShape(_YMD, r"\1-\2-\3 \4", METATRADER),
    TimeShape(_YMD.replace(r"\.", "/"), r"\1-\2-\3 \4"),
    TimeShape(_DMY, r"\3-\2-\1 \4", DUKASCOPY),
    TimeShape(_DMY + r" GMT([+-]\d\d)(\d\d)", r"\3-\2-\1 \4\5:\6", DUKASCOPY, zoned=True),
    TimeShape(_ISO, r"\1 \2"),
    # One shape, since each time says its own offset; without one ("UTC" is left out) it is 0.
    TimeShape(_ISO + r" ?(?:UTC|(Z|[+-]\d\d(?::?\d\d)?))", r"\1 \2\3", zoned=True),
    MONTH_FIRST,
    TimeShape(r"\d{9,10}(?:\.0+)?", "s"),
    TimeShape(r"\d{12,13}", "ms"),
    TimeShape(r"\d{15,16}", "us"),
    TimeShape(r"\d{18,19}", "ns"),
)

_TICK = r"\d{8} \d{9}"

_EARLIEST = pd.Timestamp("1970")


def read_times(
    values: pa.ChunkedArray, where: Callable[[int], str], source: Source | None = None
) -> tuple[pd.DatetimeIndex, TimeShape]:
    """Times of a column, all written in the shape of the first.

    Parameters
    ----------
    values : (T,) texts, numbers since 1970, or timestamps.
    where : from a row to the place to name in an error.
    source : what else is known of the source; FXCM writes the month before the day.

    Returns
    -------
    (T,) times without a zone, UTC where the shape is zoned, and the shape.

    Raises
    ------
    BarError : no known shape, another shape than the first, no such date, or one of the future.
    """
    if pa.types.is_timestamp(values.type):
        shape = TimeShape("", "", zoned=values.type.tz is not None)
        # Arrow keeps instants in UTC; `to_datetime` would look at each of them first.
        utc = pa.timestamp(values.type.unit)
        stamps = pd.Series(values.cast(utc).to_pandas())
    else:
        if pa.types.is_floating(values.type):
            values = values.cast(pa.int64())
        values = values.cast(pa.string())
        first = (values[0].as_py() or "") if len(values) else ""
        if re.match(r"\d{1,2}[/-]\d", first):
            values = pc.replace_substring_regex(values, r"\b(\d)\b", r"0\1")
            first = re.sub(r"\b(\d)\b", r"0\1", first)
        shape = _shape(first, where)
        if shape is MONTH_FIRST and source is not FXCM:
            shape = _day_or_month_first(values, where)
        stamps = _parse(values, shape)
    _check(stamps, values, where)
    # The unit of bars, once for all that reads the times.
    return pd.DatetimeIndex(stamps).as_unit("ns"), shape


def _check(stamps: pd.Series, values: pa.ChunkedArray, where: Callable[[int], str]) -> None:
    latest = pd.Timestamp(sessions.tomorrow()).tz_localize(None)
    bad = ~stamps.between(_EARLIEST, latest).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        if not stamps.isna()[row]:
            raise BarError(
                f"{where(row)}: no time of bars, got {str(values[row])!r}; expected one from "
                f"{_EARLIEST.year} to {latest:%Y-%m-%d}, tomorrow by this machine's clock "
                f"({int(bad.sum()):,} such rows). Delete them, or set the clock."
            )
        raise BarError(
            f"{where(row)}: no time, got {str(values[row])!r}; expected one written like "
            f"{str(values[0])!r} ({int(bad.sum()):,} such rows). Delete them."
        )


def is_time(text: str) -> bool:
    """Whether a text is a time in a known shape."""
    return any(re.fullmatch(shape.pattern, text) for shape in TIME_SHAPES)


def _shape(first: str, where: Callable[[int], str]) -> TimeShape:
    for shape in TIME_SHAPES:
        if re.fullmatch(shape.pattern, first):
            return shape
    if re.fullmatch(_TICK, first):
        raise BarError(
            f"{where(0)}: ticks, got a time with thousandths, {first!r}; expected one-minute bars. "
            "Fetch the bars, or make them of the ticks."
        )
    raise BarError(
        f"{where(0)}: no time, got {first!r}; expected one such as 20180101 170000, "
        "2018.01.01 17:00, 01.01.2018 17:00:00.000 or 2018-01-01T17:00:00Z."
    )


def _day_or_month_first(values: pa.ChunkedArray, where: Callable[[int], str]) -> TimeShape:
    """The order in which more texts are dates; among equals the one with the shorter history."""
    ranked = []
    for shape in (MONTH_FIRST, DAY_FIRST):
        stamps = _parse(values, shape)
        ranked.append((int(stamps.isna().sum()), stamps.max() - stamps.min()))
    if ranked[0] == ranked[1] and values[0].as_py()[:2] != values[0].as_py()[3:5]:
        raise BarError(
            f"{where(0)}: day or month first, got {values[0].as_py()!r} and no day beyond 12; "
            "expected a date that is read in one way. Write it as 2018-01-31."
        )
    return MONTH_FIRST if ranked[0] <= ranked[1] else DAY_FIRST


def _parse(texts: pa.ChunkedArray, shape: TimeShape) -> pd.Series:
    """(T,) times without a zone; NaT where a text is not in the shape."""
    pattern = f"^(?:{shape.pattern})$"
    whole = pc.match_substring_regex(texts, pattern).fill_null(False).to_numpy()
    if shape.is_number:
        numbers = pd.to_numeric(texts.to_pandas().where(whole))
        return pd.Series(pd.to_datetime(numbers, unit=shape.iso))
    # to_datetime reads ISO 8601 ten times as fast as any other format.
    iso = pc.replace_substring_regex(texts, pattern, shape.iso).to_pandas().where(whole)
    times = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=shape.zoned)
    return times.dt.tz_localize(None)
