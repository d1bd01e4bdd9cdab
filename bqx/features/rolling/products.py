"""Rolling means and products of series, in the two blocks of ``rolling``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.block_lanes import LANES
from bqx.features.rolling.sums import BLOCKS, F, first_block, join
from bqx.features.rolling.weighted import block_rows, block_sums

SERIES = 4
PRODUCTS = SERIES * (SERIES + 1) // 2


@kernel
def shift_sums(x: F, window: int, first_minute: int) -> tuple[F, F]:
    """Sum of ``x - r`` over each window, and ``r``, a value inside the window: two (T,) arrays."""
    rows, even = len(x), np.ones(window + LANES)
    total, older, reference = np.empty(rows), np.empty(rows), np.empty(rows)
    for start in range(first_block(first_minute, window) - window, rows, BLOCKS * window):
        block_sums(x, start, window, (even, even), total, older)
        for block in range(start, start + BLOCKS * window, window):
            begin, _, stop = block_rows(block, window, rows)
            of, r = reference[begin:stop], x[begin:stop]
            for i in range(len(of)):
                of[i] = r[0]
    join(total, older, window)
    return total, reference


@kernel
def mean(x: F, window: int, first_minute: int) -> F:
    """Rolling mean: (T,), NaN in warm-up; exact where the window is flat."""
    rows, even = len(x), np.ones(window + LANES)
    out, older = np.empty(rows), np.empty(rows)
    for start in range(first_block(first_minute, window) - window, rows, BLOCKS * window):
        block_sums(x, start, window, (even, even), out, older)
        for block in range(start, start + BLOCKS * window, window):
            begin, whole, stop = block_rows(block, window, rows)
            out[begin:whole] = np.nan
            into, rest, r = out[whole:stop], older[whole - window + 1 :], x[begin:stop]
            for i in range(len(into)):
                into[i] = r[0] + (into[i] + rest[i]) / window
    return out


@kernel
def _add(total: F, x: F, r: F, row: int) -> None:
    at = SERIES
    for a in range(SERIES):
        d = x[row, a] - r[a]
        total[a] += d
        for b in range(a, SERIES):
            total[at] += d * (x[row, b] - r[b])
            at += 1


@kernel
def products(x: F, window: int, first_minute: int) -> F:
    """Sums of products about the means over each window of four series (T, 4): (T, 10).

    In the order 00, 01, 02, 03, 11, .. 33; divided by ``window - 1`` they are covariances.
    """
    rows = len(x)
    out = np.full((rows, PRODUCTS), np.nan)
    tail = np.zeros((window + 1, SERIES + PRODUCTS))
    total, r = np.empty(SERIES + PRODUCTS), np.empty(SERIES)
    for start in range(first_block(first_minute, window), rows, window):
        r[:] = x[start]
        total[:] = 0.0
        for i in range(min(window, start)):
            _add(total, x, r, start - 1 - i)
            tail[i + 1] = total
        total[:] = 0.0
        for row in range(start, min(start + window, rows)):
            _add(total, x, r, row)
            before = window - (row - start + 1)
            if before > start:
                continue
            at = 0
            for a in range(SERIES):
                mean = (total[a] + tail[before, a]) / window
                for b in range(a, SERIES):
                    whole = total[SERIES + at] + tail[before, SERIES + at]
                    out[row, at] = whole - mean * (total[b] + tail[before, b])
                    at += 1
    return out
