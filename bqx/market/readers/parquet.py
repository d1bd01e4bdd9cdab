"""Bars in Parquet."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bqx.errors import BarError
from bqx.market.readers.columns import MARKS, WORDS, columns_of
from bqx.market.readers.tables import Table, made, symbols_in
from bqx.market.readers.times import read_times

MOST_ROWS = 30_000_000
"""Most rows of a Parquet file: some eighty years of minutes."""


def table(content: bytes, where: str) -> Table:
    """Read a Parquet file.

    Raises
    ------
    BarError : a damaged file, a column that is missing, or one that holds something else.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        if file.metadata.num_rows > MOST_ROWS:
            raise BarError(
                f"{where}: too large, got {file.metadata.num_rows:,} rows; expected at most "
                f"{MOST_ROWS:,}. Split it."
            )
        headers = file.schema_arrow.names
        said = columns_of(headers, where)
        columns = {header: name for header, name in zip(headers, said.names, strict=True) if name}
        rows = file.read(columns=list(columns)).rename_columns(columns)
    except (pa.ArrowException, OSError) as error:
        raise BarError(
            f"{where}: cannot be read as Parquet, got a damaged file, or the first part of one; "
            "expected a whole file. Write it again."
        ) from error
    numbers = [name for name in columns.values() if name not in WORDS]
    frame = pa.table({name: _float(rows[name], name, where) for name in numbers})
    for mark in MARKS.keys() & set(columns.values()):
        frame = frame.append_column(mark, _text_of(rows[mark], mark, where))
    try:
        stamps, shape = read_times(
            _times(rows), lambda row: f"{where} row {row + 1:,}", said.source
        )
    except pa.ArrowException as error:
        raise _no_column_of(where, "time", rows["time"], "times, or whole numbers") from error
    symbols: dict[str, str] = {}
    if "symbol" in rows.column_names:
        symbols = symbols_in(rows["symbol"], lambda row: f"row {row + 1:,}")
    return made(stamps, shape, frame.to_pandas(), None, columns=said, symbols=symbols)


def _float(values: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Numbers of a column in 64 bits; a decimal as the same digits read from text."""
    try:
        if pa.types.is_decimal(values.type):
            # Arrow's own cast is off by the last bit, so that a close lies above its own high.
            values = values.cast(pa.string())
        return values.cast(pa.float64())
    except pa.ArrowException as error:
        raise _no_column_of(where, name, values, "numbers with a decimal point") from error


def _text_of(values: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    try:
        return values.cast(pa.string())
    except pa.ArrowException as error:
        raise _no_column_of(where, name, values, "words") from error


def _no_column_of(where: str, name: str, values: pa.ChunkedArray, what: str) -> BarError:
    """Error of a Parquet column that is none of what it should hold, at its first such row."""
    row = next((row for row, value in enumerate(values) if not _is_whole(name, value)), 0)
    return BarError(
        f"{where} row {row + 1:,}: the column of {name!r} holds {values.type}, got "
        f"{str(values[row])[:40]!r}; expected {what}. Write the column again."
    )


def _is_whole(name: str, value: pa.Scalar) -> bool:
    """Whether a value can be cast: to a whole number where it is one of time, else to a number."""
    try:
        value.cast(pa.int64() if name == "time" else pa.float64())
    except (pa.ArrowException, ValueError):
        return False
    return True


def _times(rows: pa.Table) -> pa.ChunkedArray:
    """Times of a Parquet file; a date in a column of its own is put before them."""
    times = rows["time"]
    if "date" not in rows.column_names or pa.types.is_timestamp(times.type):
        return times
    dates = rows["date"]
    if pa.types.is_timestamp(dates.type):
        dates = dates.cast(pa.date32(), safe=False)
    return pc.binary_join_element_wise(
        dates.cast(pa.string()), times.cast(pa.string()), pa.scalar(" ")
    )
