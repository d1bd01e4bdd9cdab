"""Parquet whose every byte is checked before it is parsed, though only some columns are read.

Parquet's own checksums cover neither its footer nor the heads of its pages, where an altered byte
may turn values into others. So a file's tail holds, before the footer, a CRC-32 of each column, and
whoever names the file keeps the tail's hash. Any reader of Parquet skips what lies before a footer.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_END = 8
"""Bytes after a footer: its length, and the magic."""

_CHECKSUM = np.dtype("<u4")

NEAR = 1 << 16
"""Gap between two columns up to which they are read at once, bytes."""


def with_checksums(content: bytes) -> bytes:
    """A file of one row group with the checksums of its columns before the footer."""
    footer = len(content) - _END - int.from_bytes(content[-_END : -_END + 4], "little")
    metadata = pq.read_metadata(pa.BufferReader(content))
    sums = [
        zlib.crc32(memoryview(content)[start:stop])
        for start, stop in _spans(metadata, range(metadata.num_columns))
    ]
    return content[:footer] + np.array(sums, _CHECKSUM).tobytes() + content[footer:]


def tail(content: bytes) -> dict[str, int | str]:
    """Length and SHA-256 of the tail: checksums and footer."""
    footer = int.from_bytes(content[-_END : -_END + 4], "little")
    columns = pq.read_metadata(pa.BufferReader(content)).num_columns
    length = footer + _END + columns * _CHECKSUM.itemsize
    return {"tail": length, "tail_sha256": hashlib.sha256(content[-length:]).hexdigest()}


def open_checked(source: pa.NativeFile, length: int, sha256: str) -> "CheckedParquet":
    """A file whose tail is what it was when it was written.

    Raises ValueError when it is not.
    """
    size = source.size()
    content = source.read_at(length, max(size - length, 0)) if length <= size else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("another tail")
    return CheckedParquet(source, size, content)


class CheckedParquet:
    """A file whose tail was checked; columns are checked as they are read."""

    def __init__(self, source: pa.NativeFile, size: int, tail: bytes) -> None:
        # Pages of memory that nothing is read into take no room.
        self._content = np.zeros(size, np.uint8)
        self._content[size - len(tail) :] = np.frombuffer(tail, np.uint8)
        self._source = source
        self._file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(self._content)))
        count = self._file.metadata.num_columns
        self._sums = np.frombuffer(tail, _CHECKSUM, count)
        self.schema: pa.Schema = self._file.schema_arrow
        """Names, types and metadata of the columns."""

    def read(self, names: Sequence[str]) -> pa.Table:
        """Columns by name.

        Raises ValueError when one was altered.
        """
        indices = [self.schema.get_field_index(name) for name in names]
        spans = dict(zip(indices, _spans(self._file.metadata, indices), strict=True))
        for start, stop in _joined(sorted(spans.values())):
            read = np.frombuffer(self._source.read_at(stop - start, start), np.uint8)
            if len(read) < stop - start:
                raise ValueError("a column that is cut off")
            self._content[start:stop] = read
        for i in indices:
            start, stop = spans[i]
            if zlib.crc32(self._content[start:stop].data) != self._sums[i]:
                raise ValueError(f"an altered column {self.schema.names[i]}")
        return self._file.read(columns=list(names))


def _spans(metadata: pq.FileMetaData, columns: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First byte of each of some columns and the byte after its last."""
    group = metadata.row_group(0)
    for i in columns:
        column = group.column(i)
        start = column.data_page_offset
        if column.has_dictionary_page:
            start = min(start, column.dictionary_page_offset)
        yield start, start + column.total_compressed_size


def _joined(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ascending spans, those that lie near each other as one."""
    if not spans:
        return
    breaks = [i for i, (a, b) in enumerate(pairwise(spans), 1) if b[0] - a[1] > NEAR]
    for first, last in pairwise([0, *breaks, len(spans)]):
        yield spans[first][0], spans[last - 1][1]
