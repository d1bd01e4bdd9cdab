"""What a bar file holds: text, packed text or Parquet, as one table of columns."""

import gzip
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from bqx.errors import BarError
from bqx.market.readers import parquet, text
from bqx.market.readers.tables import Table, made, symbols_in
from bqx.market.readers.times import read_times

LARGEST = 512 * 1024**2
"""Most bytes that a packed file may hold, unpacked: some thirty years of bars in text."""

_HEAD = 4096
_DAMAGED = (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)
_PACKERS = {
    b"BZh": "bzip2",
    b"\xfd7zX": "xz",
    b"(\xb5/\xfd": "zstd",
    b"7z": "7-Zip",
    b"Rar!": "RAR",
}


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
        return parquet.table(content, where)
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
        for mark, packer in _PACKERS.items():
            if start.startswith(mark):
                raise BarError(
                    f"{where}: no bars, got a file packed by {packer}; expected text or Parquet, "
                    "packed by zip or gzip at most. Unpack it."
                )
        if start in (b"PK\x03\x04", b"PK\x05\x06"):
            return _unzip(path)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(path) as packed:
                return _sized(packed.read(LARGEST + 1), where)
        return path.read_bytes()
    except _DAMAGED as error:
        raise BarError(
            f"{where}: cannot be read, got {_reason(error)}; expected a whole file. Fetch it again."
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RuntimeError):
        return "an archive that has a password, or is packed in a way of its own"
    return getattr(error, "strerror", None) or "a damaged archive, or the first part of one"


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
    rows, symbols = text.columns(content, layout, where), dict(layout.symbols)
    lines = layout.header + 1 + np.arange(rows.num_rows)
    values = rows["time"]
    if "date" in rows.column_names:
        values = pc.binary_join_element_wise(rows["date"], rows["time"], " ")
    stamps, shape = read_times(
        values, lambda row: f"{where} line {lines[row]:,}", layout.columns.source
    )
    if "symbol" in rows.column_names:
        symbols |= symbols_in(rows["symbol"], lambda row: f"line {lines[row]:,}")
    known = {"date", "time", "symbol"} & set(rows.column_names)
    frame = rows.drop_columns(sorted(known)).to_pandas()
    return made(stamps, shape, frame, lines, columns=layout.columns, symbols=symbols)
