"""Times in bar files: their shapes, and the sources that the shapes give away.

HistData writes ``20180101 170000``, MetaTrader ``2018.01.23,04:32``, Dukascopy
``01.01.2018 00:00:00.000``; everything else is ISO 8601 or a number since 1970.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bqx.errors import BarError
from bqx.market.readers.clocks import NEW_YORK_UNTIL_2019, Clock


@dataclass(frozen=True)
class Source:
    """Where bars come from, and the clocks that its files may be written with, usual one first."""

    name: str
    clocks: tuple[Clock, ...] = ("UTC",)


HISTDATA = Source("HistData", ("America/New_York", NEW_YORK_UNTIL_2019))
METATRADER = Source("MetaTrader", ("UTC+2",))
DUKASCOPY = Source("Dukascopy")
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


_YMD = r"(\d{4})\.(\d\d)\.(\d\d) (\d\d:\d\d(?::\d\d)?)"
_DMY = r"(\d\d)\.(\d\d)\.(\d{4}) (\d\d:\d\d:\d\d(?:\.\d{3})?)"
_ISO = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"

TIME_SHAPES = (
    TimeShape(r"(\d{4})(\d\d)(\d\d) (\d\d)(\d\d)(\d\d)", r"\1-\2-\3 \4:\5:\6", HISTDATA),
    TimeShape(_YMD, r"\1-\2-\3 \4", METATRADER),
    TimeShape(_DMY, r"\3-\2-\1 \4", DUKASCOPY),
    TimeShape(_DMY + r" GMT([+-]\d\d)(\d\d)", r"\3-\2-\1 \4\5:\6", DUKASCOPY, zoned=True),
    TimeShape(_ISO, r"\1 \2"),
    TimeShape(_ISO + " ?(?:Z|UTC)", r"\1 \2+00:00", zoned=True),
    TimeShape(_ISO + r" ?([+-]\d\d):?(\d\d)", r"\1 \2\3:\4", zoned=True),
    TimeShape(r"\d{9,10}(?:\.0+)?", "s"),
    TimeShape(r"\d{12,13}", "ms"),
)

_YEARS = (pd.Timestamp("1970"), pd.Timestamp("2200"))


def read_times(
    values: pa.ChunkedArray, where: Callable[[int], str]
) -> tuple[pd.DatetimeIndex, TimeShape]:
    """Times of a column, all written in the shape of the first.

    Parameters
    ----------
    values : (T,) texts, numbers since 1970, or timestamps.
    where : from a row to the place to name in an error.

    Returns
    -------
    (T,) times without a zone, UTC where the shape is zoned, and the shape.

    Raises
    ------
    BarError : no known shape, another shape than the first, or no such date.
    """
    if pa.types.is_timestamp(values.type):
        shape = TimeShape("", "", zoned=values.type.tz is not None)
        stamps = pd.to_datetime(values.to_pandas(), utc=shape.zoned).dt.tz_localize(None)
    else:
        values = values.cast(pa.string())
        shape = _shape(values, where)
        stamps = _parse(values, shape)
    bad = ~stamps.between(*_YEARS).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise BarError(
            f"{where(row)}: no time, got {str(values[row])!r}; expected one written like "
            f"{str(values[0])!r} ({int(bad.sum()):,} such rows). Delete them."
        )
    return pd.DatetimeIndex(stamps), shape


def _shape(texts: pa.ChunkedArray, where: Callable[[int], str]) -> TimeShape:
    first = (texts[0].as_py() or "") if len(texts) else ""
    for shape in TIME_SHAPES:
        if re.fullmatch(shape.pattern, first):
            return shape
    raise BarError(
        f"{where(0)}: no time, got {first!r}; expected one such as 20180101 170000, "
        "2018.01.01 17:00, 01.01.2018 17:00:00.000 or 2018-01-01T17:00:00Z."
    )


def _parse(texts: pa.ChunkedArray, shape: TimeShape) -> pd.Series:
    """(T,) times without a zone; NaT where a text is not in the shape."""
    pattern = f"^(?:{shape.pattern})$"
    whole = pc.match_substring_regex(texts, pattern).fill_null(False).to_numpy()
    if shape.iso in ("s", "ms"):
        numbers = pd.to_numeric(texts.to_pandas().where(whole))
        return pd.Series(pd.to_datetime(numbers, unit=shape.iso))
    # to_datetime reads ISO 8601 ten times as fast as any other format.
    iso = pc.replace_substring_regex(texts, pattern, shape.iso).to_pandas().where(whole)
    times = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=shape.zoned)
    return times.dt.tz_localize(None)
