"""The newest values of one pair, kept from row to row."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F


@kernel
def size_of_room(count: int) -> int:
    """Numbers of the state of so many newest values."""
    return 2 * count + 1


@kernel
def room_for(count: int) -> F:
    """State of the newest ``count`` values, before any: twice as many, so that they are seldom
    moved, and where the next one is put.
    """
    room = np.full(size_of_room(count), np.nan)
    room[-1] = count
    return room


@kernel
def put(room: F, value: float) -> F:
    """The newest values with a further one: (count,), NaN where there were none."""
    count, end = len(room) // 2, int(room[-1])
    if end == 2 * count:
        kept = room[end - count + 1 : end].copy()
        room[: count - 1] = kept
        end = count - 1
    room[end] = value
    room[-1] = end + 1
    return room[end + 1 - count : end + 1]
