"""Series resampled to clock buckets of 5 to 60 minutes, and readings of trailing buckets.

A bucket starts at each market minute divisible by its size (the market week opens on a whole hour
of UTC, so these are the clock's own). Its last row completes it, and rows between carry what the
last complete bucket said. Where a reading of ``n`` buckets reaches depends on the phase: its
lookback is that of the worst one, and at every phase a value needs that many rows without NaN.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import blank, changes
from bqx.features.rolling.four_sums import trend_sums
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import zone
from bqx.features.spec import CLOSE, HIGH, LOW, OPEN

RUN_IN = 5
"""Spans of run-in behind an exponential mean of buckets."""

STRONG = 2.0
"""Size of a slope's t-statistic from which a trend counts as one."""


@kernel
def count(rows: int, size: int, first_minute: int) -> int:
    """Buckets that end within the rows."""
    return int((first_minute + rows) // size - first_minute // size)


@kernel
def closes(x: F, size: int, first_minute: int) -> F:
    """Last value of each bucket: (B,), the first may be cut off."""
    out = np.empty(count(len(x), size, first_minute))
    end = size - first_minute % size - 1
    for i in range(len(out)):
        out[i] = x[end + i * size]
    return out


@kernel
def bars(ohlc: F, size: int, first_minute: int) -> F:
    """Open, high, low, close of each bucket: (B, 4).

    NaN where a row of it is missing, except for the close, which needs the last one only.
    """
    out = np.full((count(len(ohlc), size, first_minute), 4), np.nan)
    end = size - first_minute % size - 1
    for i in range(len(out)):
        last = end + i * size
        high, low, holes = -np.inf, np.inf, 0
        bucket = ohlc[max(last + 1 - size, 0) : last + 1]
        for row in range(len(bucket)):
            high, low = max(high, bucket[row, HIGH]), min(low, bucket[row, LOW])
            holes += bucket[row, CLOSE] != bucket[row, CLOSE]
        out[i, 3] = ohlc[last, CLOSE]
        if last + 1 >= size and not holes:
            out[i, 0], out[i, 1], out[i, 2] = ohlc[last + 1 - size, OPEN], high, low
    return out


@kernel
def totals(x: F, size: int, first_minute: int) -> F:
    """Sum of each bucket: (B,), NaN where a row of it is missing."""
    out = np.full(count(len(x), size, first_minute), np.nan)
    end = size - first_minute % size - 1
    for i in range(len(out)):
        last = end + i * size
        if last + 1 >= size:
            total = 0.0
            for row in range(last + 1 - size, last + 1):
                total += x[row]
            out[i] = total
    return out


@kernel
def carried(y: F, x: F, need: int, size: int, first_minute: int) -> F:
    """Values of buckets (B,) on the rows (T,): those of the last complete one.

    NaN where fewer than ``need`` rows of ``x`` up to the row are without NaN.
    """
    out = np.empty(len(x))
    end = size - first_minute % size - 1
    out[: max(end, need - 1)] = np.nan
    holes = 0
    for row in range(len(x)):
        holes += x[row] != x[row]
    for bucket in range(count(len(x), size, first_minute)):
        start = end + bucket * size
        out[max(start, need - 1) : start + size] = y[bucket]
    if holes:
        blank(out, x, need - 1)
    return out


@kernel
def moves(y: F, plain: bool) -> F:
    """Log returns from one value to the next, or plain changes: (B,)."""
    return changes(y, 1) if plain else log_returns(y)


@kernel
def volatility(move: F, n: int) -> F:
    """Deviation (ddof 1) of the last ``n`` moves, which lie about zero: (B,).

    Sums run about zero and from the oldest move on, so that windows that differ by where their
    zeros stand are equal in every bit, and ranks among them have no accidental order.
    """
    out = np.full(len(move), np.nan)
    for i in range(n - 1, len(move)):
        s1 = s2 = 0.0
        for k in range(i - n + 1, i + 1):
            s1 += move[k]
            s2 += move[k] * move[k]
        if not np.isnan(s1):
            out[i] = np.sqrt(max(s2 - s1 * s1 / n, 0.0) / (n - 1.0))
    return out


@kernel
def slope(y: F, n: int, first: int) -> tuple[F, F]:
    """Least-squares slope of the last ``n`` values, and their correlation with time: two (B,).

    The correlation of a flat window is 0. ``first`` : number of the first bucket.
    """
    out, lean = np.full(len(y), np.nan), np.full(len(y), np.nan)
    sums = trend_sums(y, n, first)
    m2 = n * (n * n - 1.0) / 12.0
    for i in range(len(y)):
        if not np.isnan(sums[i, 0]):
            square = m2 * (sums[i, 3] - sums[i, 0] * sums[i, 0] / n)
            out[i] = sums[i, 1] / m2
            lean[i] = sums[i, 1] / np.sqrt(square) if square > 0.0 else 0.0
    return out, lean


@kernel
def direction(lean: float) -> float:
    """-1, 0 or 1: the sign of a correlation with time."""
    return zone(lean, -ROUNDING, ROUNDING)


@kernel
def strong(lean: float, n: int) -> float:
    """-1, 0 or 1: the sign of a trend where its t-statistic reaches two."""
    square = lean * lean
    return direction(lean) if square * (n - 2.0 + STRONG**2) > STRONG**2 else 0.0 * lean
