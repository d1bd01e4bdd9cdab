"""The columns of a bar file as they stand in it, whatever its format."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bqx.market.readers.columns import Columns
from bqx.market.readers.times import GENERIC, HISTDATA, METATRADER_FRAME, Source, TimeShape

_MOST_SYMBOLS = 1_000
"""Symbols of a file that are looked at."""


@dataclass(frozen=True)
class Table:
    """Columns of a file as they stand in it.

    ``stamps`` : (T,) times without a zone; UTC where ``zoned``.
    ``frame`` : (T,) rows of numbers, and of text in `columns.MARKS`.
    ``lines`` : (T,) line of each row in the file, or None where there are no lines.
    ``columns`` : what their names say.
    ``symbols`` : what the rows say of the pair, each with the place where it stands first.
    """

    stamps: pd.DatetimeIndex
    frame: pd.DataFrame
    lines: NDArray[np.int64] | None
    source: Source
    zoned: bool
    columns: Columns
    symbols: dict[str, str]


def made(
    stamps: pd.DatetimeIndex,
    shape: TimeShape,
    frame: pd.DataFrame,
    lines: NDArray[np.int64] | None,
    *,
    columns: Columns,
    symbols: dict[str, str],
) -> Table:
    """Table of rows whose times are in this shape."""
    source = columns.source or shape.source
    if source is HISTDATA and "date" in columns.names:
        # Others write such a date and time too, but in two columns and on clocks of their own.
        source = GENERIC
    # A number since 1970 is UTC, but in MetaTrader, which counts from 1970 on the server's clock.
    zoned = shape.zoned or (shape.is_number and source is not METATRADER_FRAME)
    return Table(stamps, frame, lines, source, zoned, columns, symbols)


def symbols_in(values: pa.ChunkedArray, place: Callable[[int], str]) -> dict[str, str]:
    """Each symbol of a column, with the place of its first row."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return {}
    found = pc.unique(values.drop_null())[:_MOST_SYMBOLS]
    return {value.as_py(): place(pc.index(values, value).as_py()) for value in found}
