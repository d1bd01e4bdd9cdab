"""What several families read from trailing windows: returns, sums, correlation, ranks.

As in ``rolling``, a value depends on the rows of its window alone. Sums of floats use blocks
anchored at market minutes; whole numbers are counted as the window moves, which is exact.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.sums import first_block, join, mean_std, trend_sums

F = NDArray[np.float64]

MEMORY = 1_440
"""Rows among which a regime is placed, and the longest duration that is counted: one open day."""

LOW, HIGH = 1.0 / 3.0, 2.0 / 3.0
"""Shares that part the three states of a regime."""

NOTHING = 1e-9
"""Share below which a difference is the rounding of the bars: a window is flat, a bound touched."""


@kernel
def changes(x: F, rows: int) -> F:
    """Each value minus the one ``rows`` before: (T,), NaN in the first rows."""
    out = np.full(len(x), np.nan)
    for row in range(rows, len(x)):
        out[row] = x[row] - x[row - rows]
    return out


@kernel
def total(x: F, window: int, first_minute: int) -> F:
    """Rolling sum: (T,). For values that do not cancel; else use ``rolling.power_sums``."""
    rows = len(x)
    out, before = np.empty(rows), np.empty(rows)
    for start in range(first_block(first_minute, window) - window, rows, window):
        begin, stop = max(start, 0), min(start + window, rows)
        values, head, tail = x[begin:stop], out[begin:stop], before[begin:stop]
        newer = older = 0.0
        for i in range(len(values)):
            newer += values[i]
            head[i] = newer
            back = np.uint64(len(values) - 1 - i)  # never counted from the end: no check for it
            older += values[back]
            tail[back] = older
        if start >= 0:
            tail[0] = 0.0
    join(out, before, window)
    return out


@kernel
def totals(x: F, window: int, first_minute: int) -> F:
    """Rolling sums of the columns of ``x`` (T, K): (T, K)."""
    rows, columns = x.shape
    out = np.full((rows, columns), np.nan)
    tail = np.empty((window, columns))
    for start in range(first_block(first_minute, window), rows, window):
        for i in range(min(window, start)):
            for k in range(columns):
                tail[i, k] = x[start - 1 - i, k] + (tail[i - 1, k] if i else 0.0)
        forward = np.zeros(columns)
        for row in range(start, min(start + window, rows)):
            before = window - (row - start + 1)
            for k in range(columns):
                forward[k] += x[row, k]
            if before > start:
                continue
            for k in range(columns):
                out[row, k] = forward[k] + tail[before - 1, k] if before else forward[k]
    return out


@kernel
def mean_deviation(x: F, window: int, first_minute: int) -> tuple[F, F]:
    """Rolling mean and standard deviation (ddof 1), two (T,) arrays; 0 for a flat window."""
    return mean_std(x, window, first_minute, 1)


@kernel
def deviation(x: F, window: int, first_minute: int) -> F:
    """Rolling standard deviation (ddof 1): (T,)."""
    return mean_deviation(x, window, first_minute)[1]


@kernel
def score(x: F, window: int, first_minute: int) -> F:
    """Deviations between each value and the mean of its window: (T,), NaN where flat."""
    out, std = mean_deviation(x, window, first_minute)
    for row in range(len(x)):
        value = (x[row] - out[row]) / std[row]
        out[row] = value if std[row] > NOTHING * abs(out[row]) else np.nan
    return out


@kernel
def slope(x: F, window: int, first_minute: int) -> F:
    """Slope of the least-squares line of each window: (T,), per row."""
    sums = trend_sums(x, window, first_minute)
    out = np.empty(len(x))
    scale = 12.0 / (window * (window * window - 1.0))
    for row in range(len(x)):
        out[row] = sums[row, 1] * scale
    return out


@kernel
def correlation(x: F, y: F, window: int, first_minute: int) -> F:
    """Rolling Pearson correlation: (T,), -1 to 1; NaN where either is flat."""
    rows = len(x)
    out = np.full(rows, np.nan)
    tail = np.empty((window, 5))
    for start in range(first_block(first_minute, window), rows, window):
        # The references lie inside each window: a sum of squares of 0 is a flat window.
        p, q = x[start], y[start]
        sx = sy = sxx = syy = sxy = 0.0
        for i in range(min(window, start)):
            a, b = x[start - 1 - i] - p, y[start - 1 - i] - q
            sx, sy, sxx, syy, sxy = sx + a, sy + b, sxx + a * a, syy + b * b, sxy + a * b
            tail[i, 0], tail[i, 1], tail[i, 2], tail[i, 3], tail[i, 4] = sx, sy, sxx, syy, sxy
        sx = sy = sxx = syy = sxy = 0.0
        for row in range(start, min(start + window, rows)):
            a, b = x[row] - p, y[row] - q
            sx, sy, sxx, syy, sxy = sx + a, sy + b, sxx + a * a, syy + b * b, sxy + a * b
            before = window - (row - start + 1)
            if before > start:
                continue
            ta, tb, taa, tbb, tab = sx, sy, sxx, syy, sxy
            if before:
                ta, tb = ta + tail[before - 1, 0], tb + tail[before - 1, 1]
                taa, tbb = taa + tail[before - 1, 2], tbb + tail[before - 1, 3]
                tab += tail[before - 1, 4]
            if taa > 0.0 and tbb > 0.0:
                below = np.sqrt(taa - ta * ta / window) * np.sqrt(tbb - tb * tb / window)
                out[row] = min(max((tab - ta * tb / window) / below, -1.0), 1.0)
    return out


@kernel
def clean_rows(x: F) -> NDArray[np.int64]:
    """Rows since the last NaN, the current one included: (T,)."""
    out = np.zeros(len(x), dtype=np.int64)
    run = 0
    for row in range(len(x)):
        run = 0 if np.isnan(x[row]) else run + 1
        out[row] = run
    return out


@kernel(fastmath={"reassoc", "nsz"})
def _below(values: NDArray[np.float32], value: np.float32) -> np.float32:
    # Whole numbers below 2^24: the order of addition does not matter, and they add side by side.
    one, none = np.float32(1.0), np.float32(0.0)
    found = none
    for i in range(len(values)):
        found += one if values[i] < value else none
    return found


@kernel
def smaller(x: F, window: int) -> F:
    """How many of the last ``window`` values are smaller than the current one: (T,).

    Values are compared in single precision, so that rounding does not part what is equal.
    """
    rows = len(x)
    out = np.full(rows, np.nan)
    clean = clean_rows(x)
    single = x.astype(np.float32)
    for row in range(rows):
        if clean[row] >= window:
            out[row] = _below(single[row - window + 1 : row + 1], single[row])
    return out


@kernel
def share(x: F, window: int) -> F:
    """Rank of each value among the last ``window``, ties averaged, as a share: (T,), to 1."""
    out, larger = smaller(x, window), smaller(-x, window)
    for row in range(len(x)):
        out[row] = 0.5 * (out[row] + (window - larger[row]) + 1.0) / window
    return out


@kernel
def tercile(x: F, window: int) -> F:
    """0, 1 or 2: the third of the last ``window`` values that each value belongs to: (T,)."""
    out = share(x, window)
    for row in range(len(x)):
        if out[row] > 0.0:
            out[row] = 0.0 if out[row] <= LOW else 1.0 if out[row] <= HIGH else 2.0
    return out


@kernel
def count(flags: F, window: int) -> F:
    """How many of the last ``window`` flags (0 or 1) stand: (T,)."""
    rows = len(flags)
    out = np.full(rows, np.nan)
    clean = clean_rows(flags)
    standing = 0
    for row in range(rows):
        standing += int(flags[row] == 1.0)
        if row >= window:
            standing -= int(flags[row - window] == 1.0)
        if clean[row] >= window:
            out[row] = standing
    return out
