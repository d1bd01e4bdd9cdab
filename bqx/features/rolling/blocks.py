"""Blocks of the grid as long as a window, in which sums restart, and eight of them at once.

``newer`` are sums from a block's first row on, ``older`` those from its end backwards.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.block_lanes import LANES

F = NDArray[np.float64]
Rows = tuple[int, int]

STRETCH = 4_096
"""Rows at least that are summed before they are made whole windows of: they stay at hand."""

FEW = 3
"""Blocks from which on sums in lanes, filled or not, are faster than one after the other."""


@kernel
def first_block(first_minute: int, size: int) -> int:
    """Row of the first market minute divisible by ``size``, given the market minute of row 0."""
    return (-first_minute) % size


@kernel
def block_rows(start: int, window: int, rows: int) -> tuple[int, int, int]:
    """First row of a block, the first that ends a whole window, and the row after its last."""
    begin, stop = max(start, 0), min(start + window, rows)
    return begin, max(begin, min(window - 1, stop)), stop


@kernel
def stretch(window: int) -> int:
    """Rows of the blocks that are summed at once."""
    return window * LANES * max(1, STRETCH // (window * LANES))


@kernel
def in_lanes(start: int, window: int, x: F) -> Rows:
    """Of a stretch, the first row that is summed in lanes, and the row after the last."""
    low, high = max(LANES, window - 1), len(x) - LANES
    first = start + max(0, -((start - low) // window)) * window
    blocks = (min(high, start + stretch(window)) - first) // window
    can = blocks >= FEW and x.strides[0] == x.itemsize
    return (first, first + blocks * window) if can else (start, start)


@kernel
def outside(start: int, first: int, stop: int, window: int, rows: int) -> tuple[Rows, Rows]:
    """The rest of a stretch, before and after what is summed in lanes: first rows, and the ends."""
    return (start, first), (stop, min(start + stretch(window), rows))


@kernel
def refer(reference: F, x: F, window: int, start: int) -> None:
    """What a block's distances are from, in each of its rows."""
    begin, _, stop = block_rows(start, window, len(x))
    if begin < stop:
        reference[begin:stop] = x[begin]


@kernel
def join(newer: F, older: F, window: int, low: int, high: int) -> None:
    """Make sums in rows from ``low`` to ``high`` those of whole windows, NaN in warm-up."""
    begin = max(low, 0)
    stop = max(begin, min(high, len(newer)))
    whole = max(begin, min(window - 1, stop))
    newer[begin:whole] = np.nan
    into, rest = newer[whole:stop], older[max(whole - window + 1, 0) :]
    for i in range(len(into)):
        into[i] += rest[i]
