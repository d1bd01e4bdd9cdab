"""What a bar file holds: text, packed text or Parquet, as one table of columns."""

import gzip
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.market.readers import text
from bqx.market.readers.columns import MARKS, WORDS, Columns, columns_of
from bqx.market.readers.times import (
    GENERIC,
    HISTDATA,
    METATRADER_FRAME,
    Source,
    TimeShape,
    read_times,
)

LARGEST = 512 * 1024**2
"""Most bytes that a packed file may hold, unpacked: some thirty years of bars in text."""
MOST_ROWS = 30_000_000
"""Most rows of a Parquet file: some eighty years of minutes."""

_HEAD = 4096
_DAMAGED = (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Table:
    """Columns of a file as they stand in it.

    ``stamps`` : (T,) times without a zone; UTC where ``zoned``.
    ``frame`` : (T,) rows of numbers, and of text in `columns.MARKS`.
    ``lines`` : (T,) line of each row in the file, or None where there are no lines.
    ``columns`` : what their names say.
    """

    stamps: pd.DatetimeIndex
    frame: pd.DataFrame
    lines: NDArray[np.int64] | None
    source: Source
    zoned: bool
    columns: Columns


def table(path: Path) -> Table:
    """Read a file of any known format, told by its content.

    Raises
    ------
    BarError : no such file, a damaged one, no known format, or a bad line.
    """
    where = path.name
    content = _content(path)
    if not content.strip():
        raise BarError(f"{where}: no bars, got an empty file; expected one bar a line. Remove it.")
    if content.startswith(b"PAR1"):
        return _parquet(content, where)
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return _text(content.decode(encoding), where)
    except UnicodeDecodeError as error:
        raise BarError(
            f"{where}: neither text nor Parquet, got byte {content[error.start]:#04x} at place "
            f"{error.start:,}; expected a file of bars. Fetch it again or remove it."
        ) from error


def is_workbook(path: Path) -> bool:
    """Whether a file is a spreadsheet."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(path) as archive:
                return "[Content_Types].xml" in archive.namelist()
        except _DAMAGED:
            return False
    return start == b"\xd0\xcf\x11\xe0"


def kind_of(path: Path) -> str:
    """What a file's first lines hold: ``bars``, ``ticks``, ``none`` of both, or ``unknown``."""
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD)
        if start.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(path) as archive:
                member = _members(archive)[0]
                with archive.open(member) as packed:
                    start = packed.read(_HEAD)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as unpacked:
                start = unpacked.read(_HEAD)
        if start.startswith(b"PAR1"):
            return "bars"
        utf16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
        top = start.decode("utf-16" if utf16 else "utf-8-sig", errors="ignore")
    except (*_DAMAGED, IndexError, UnicodeDecodeError):
        return "unknown"
    if text.is_ticks(top):
        return "ticks"
    try:
        text.layout_of(top, path.name)
    except BarError:
        return "none" if top.strip() else "unknown"
    return "bars"


def _content(path: Path) -> bytes:
    """The bytes of a file, unpacked."""
    where = path.name
    try:
        if path.exists() and not path.is_file():
            raise BarError(f"{where}: no file, got {path}; expected a file of bars. Remove it.")
        if path.exists() and is_workbook(path):
            raise BarError(
                f"{where}: a spreadsheet, got a workbook of Excel; expected text or Parquet. Save "
                "its sheet as CSV."
            )
        with path.open("rb") as file:
            start = file.read(4)
        if start in (b"PK\x03\x04", b"PK\x05\x06"):
            return _unzip(path)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as packed:
                return _sized(packed.read(LARGEST + 1), where)
        return path.read_bytes()
    except _DAMAGED as error:
        raise BarError(
            f"{where}: cannot be read, got {error}; expected a whole file. Fetch it again."
        ) from error


def _unzip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = _members(archive)
        if len(members) != 1:
            raise BarError(
                f"{path.name}: no single file of bars, got {archive.namelist()}; expected one CSV "
                "file. Unzip it and keep the bars."
            )
        if members[0].file_size > LARGEST:
            raise _too_large(path.name, f"{members[0].file_size:,}")
        with archive.open(members[0]) as file:
            # What a member says of its size need not be true.
            return _sized(file.read(LARGEST + 1), path.name)


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """CSV files of an archive, but what a Mac puts beside each."""
    return [
        member
        for member in archive.infolist()
        if member.filename.lower().endswith(".csv") and not member.filename.startswith("__MACOSX/")
    ]


def _sized(content: bytes, where: str) -> bytes:
    if len(content) > LARGEST:
        raise _too_large(where, f"more than {LARGEST:,}")
    return content


def _too_large(where: str, got: str) -> BarError:
    return BarError(
        f"{where}: too large unpacked, got {got} bytes; expected at most {LARGEST:,}. Unpack it, "
        "and split it into files of some years."
    )


def _text(content: str, where: str) -> Table:
    layout = text.layout_of(content, where)
    rows = text.columns(content, layout, where)
    lines = layout.header + 1 + np.arange(rows.num_rows)
    values = rows["time"]
    if "date" in rows.column_names:
        values = pc.binary_join_element_wise(rows["date"], rows["time"], " ")
    stamps, shape = read_times(
        values, lambda row: f"{where} line {lines[row]:,}", layout.columns.source
    )
    frame = rows.drop_columns(sorted({"date", "time"} & set(rows.column_names))).to_pandas()
    return _table(stamps, shape, frame, lines, columns=layout.columns)


def _table(
    stamps: pd.DatetimeIndex,
    shape: TimeShape,
    frame: pd.DataFrame,
    lines: NDArray[np.int64] | None,
    *,
    columns: Columns,
) -> Table:
    source = columns.source or shape.source
    if source is HISTDATA and "date" in columns.names:
        # Others write such a date and time too, but in two columns and on clocks of their own.
        source = GENERIC
    # A number since 1970 is UTC, but in MetaTrader, which counts from 1970 on the server's clock.
    zoned = shape.zoned or (shape.is_number and source is not METATRADER_FRAME)
    return Table(stamps, frame, lines, source, zoned, columns)


def _parquet(content: bytes, where: str) -> Table:
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
        numbers = [name for name in columns.values() if name not in WORDS]
        frame = pa.table({name: _float(rows[name]) for name in numbers})
        times = _times(rows)
        for mark in MARKS:
            if mark in columns.values():
                frame = frame.append_column(mark, rows[mark].cast(pa.string()))
        stamps, shape = read_times(times, lambda row: f"{where} row {row + 1:,}", said.source)
    except (pa.ArrowException, OSError) as error:
        raise BarError(
            f"{where}: cannot be read as Parquet, got {error}; expected a whole file with times "
            "and numbers. Write it again."
        ) from error
    return _table(stamps, shape, frame.to_pandas(), None, columns=said)


def _float(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers of a column in 64 bits; a decimal as the same digits read from text."""
    if pa.types.is_decimal(values.type):
        # Arrow's own cast is off by the last bit, so that a close lies above its own high.
        values = values.cast(pa.string())
    return values.cast(pa.float64())


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
