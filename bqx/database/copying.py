"""PostgreSQL's binary COPY format, to and from arrays.

A time is an int64 of microseconds since 2000 under a length; a number a float under a length. NaN
is stored as NULL. The layout is that of the server's documentation of COPY.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Stamps = NDArray[np.int64]

MICROSECONDS_2000 = 946_684_800_000_000
"""Unix time of the server's epoch, microseconds."""

PIECE = 1 << 18
"""Bytes that are handed to the server at a time."""

_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = b"\xff\xff"


def microseconds(ts: pd.DatetimeIndex) -> Stamps:
    """Times as microseconds since 2000."""
    return ts.as_unit("us").asi8 - MICROSECONDS_2000


def times(stamps: Stamps) -> pd.DatetimeIndex:
    """Microseconds since 2000 as times in UTC."""
    index = pd.DatetimeIndex((stamps + MICROSECONDS_2000).view("datetime64[us]"), tz="UTC")
    return index.as_unit("ns")


def _layout(times_a_row: int, columns: int, size: int) -> np.dtype[np.void]:
    number = np.dtype([("length", ">i4"), ("bits", f">i{size}")])
    return np.dtype(
        [
            ("fields", ">i2"),
            ("times", [("length", ">i4"), ("stamp", ">i8")], (times_a_row,)),
            ("numbers", number, (columns,)),
        ]
    )


def encode(stamps: Stamps, values: NDArray[np.floating]) -> Iterator[bytes]:
    """Rows as COPY takes them, in pieces.

    Parameters
    ----------
    stamps : (T, S) microseconds since 2000.
    values : (T, K) float32 or float64.
    """
    size, columns = values.dtype.itemsize, values.shape[1]
    layout = _layout(stamps.shape[1], columns, size)
    step = max(PIECE // layout.itemsize, 1)
    out = np.empty(min(step, len(values)), layout)
    out["fields"] = stamps.shape[1] + columns
    out["times"]["length"] = 8
    out["numbers"]["length"] = size
    # All bytes but those of an absent number.
    is_sent = np.ones((len(out), layout.itemsize), dtype=bool)
    of_numbers = is_sent[:, layout.itemsize - columns * (4 + size) :]
    yield _HEAD
    for start in range(0, len(values), step):
        numbers = values[start : start + step]
        rows = len(numbers)
        out["times"]["stamp"][:rows] = stamps[start : start + rows]
        out["numbers"]["bits"][:rows] = numbers.view(f"i{size}")
        absent = np.isnan(numbers)
        if not absent.any():
            yield out[:rows].tobytes()
            continue
        out["numbers"]["length"][:rows] = np.where(absent, -1, size)
        of_numbers[:rows].reshape(rows, columns, 4 + size)[:, :, 4:] = ~absent[:, :, None]
        yield out[:rows].view(np.uint8).reshape(rows, -1)[is_sent[:rows]].tobytes()
        out["numbers"]["length"] = size
    yield _TAIL


def decode(
    content: bytes | memoryview, times_a_row: int, columns: int, *, size: int
) -> tuple[Stamps, NDArray[np.floating]]:
    """(T, S) microseconds since 2000 and (T, K) numbers of rows that hold no NULL."""
    layout = _layout(times_a_row, columns, size)
    rows = (len(content) - len(_HEAD) - len(_TAIL)) // layout.itemsize
    table = np.frombuffer(content, layout, rows, len(_HEAD))
    stamps = table["times"]["stamp"].astype(np.int64)
    bits = table["numbers"]["bits"].astype(f"=i{size}")
    return stamps, bits.view(f"f{size}")


class Stream:
    """Pieces of bytes as a file to read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        """The next piece, empty at the end."""
        return next(self._pieces, b"")
