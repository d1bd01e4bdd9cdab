"""What a bar file holds: text, zipped text or Parquet, as one table of columns."""

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
from bqx.market.readers.times import Source, read_times


@dataclass(frozen=True)
class Table:
    """Columns of a file as they stand in it.

    ``stamps`` : (T,) times without a zone; UTC where ``zoned``.
    ``frame`` : (T,) rows of numbers, and of text in ``complete``.
    ``lines`` : (T,) line of each row in the file, or None where there are no lines.
    """

    stamps: pd.DatetimeIndex
    frame: pd.DataFrame
    lines: NDArray[np.int64] | None
    source: Source
    zoned: bool


def table(path: Path) -> Table:
    """Read a file of any known format, told by its content.

    Raises
    ------
    BarError : no such file, a damaged one, no known format, or a bad line.
    """
    where = path.name
    try:
        content = path.read_bytes()
        if content.startswith(b"PK\x03\x04"):
            content = _unzip(path)
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise BarError(
            f"{where}: cannot be read, got {error}; expected a whole file. Fetch it again."
        ) from error
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


def _unzip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
        if len(names) != 1:
            raise BarError(
                f"{path.name}: no single file of bars, got {archive.namelist()}; expected one CSV "
                "file. Unzip it and keep the bars."
            )
        return archive.read(names[0])


def _text(content: str, where: str) -> Table:
    layout = text.layout_of(content, where)
    rows = text.columns(content, layout, where)
    lines = layout.header + 1 + np.arange(rows.num_rows)
    values = rows["time"]
    if "date" in rows.column_names:
        values = pc.binary_join_element_wise(rows["date"], rows["time"], " ")
    stamps, shape = read_times(values, lambda row: f"{where} line {lines[row]:,}")
    frame = rows.drop_columns(sorted({"date", "time"} & set(rows.column_names))).to_pandas()
    return Table(stamps, frame, lines, layout.source or shape.source, shape.zoned)


def _parquet(content: bytes, where: str) -> Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        headers = file.schema_arrow.names
        names = text.columns_of(headers, None, where)
        columns = {header: name for header, name in zip(headers, names, strict=True) if name}
        rows = file.read(columns=list(columns)).rename_columns(columns)
        numbers = [name for name in columns.values() if name not in text.WORDS]
        frame = rows.select(numbers).cast(pa.schema([(n, pa.float64()) for n in numbers]))
    except (pa.ArrowException, OSError) as error:
        raise BarError(
            f"{where}: cannot be read as Parquet, got {error}; expected a whole file with times "
            "and numbers. Write it again."
        ) from error
    stamps, shape = read_times(rows["time"], lambda row: f"{where} row {row + 1:,}")
    if "complete" in columns.values():
        frame = frame.append_column("complete", rows["complete"].cast(pa.string()))
    return Table(stamps, frame.to_pandas(), None, shape.source, shape.zoned)
