"""Series resampled to clock buckets of 5 to 60 minutes, and readings of trailing buckets.

A bucket starts at each market minute divisible by its size (the market week opens on a whole hour
of UTC, so these are the clock's own). Its last row completes it, and rows between carry what the
last complete bucket said. Where a reading of ``n`` buckets reaches depends on the phase: its
lookback is that of the worst one, and at every phase a value needs that many rows without NaN.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel

F = NDArray[np.float64]

RUN_IN = 5
"""Spans of run-in behind an exponential mean of buckets."""

# A correlation with time below this is the rounding of the bars: no trend.
_NOTHING = 1e-9

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
        high, low, whole = -np.inf, np.inf, last + 1 >= size
        for row in range(max(last + 1 - size, 0), last + 1):
            high, low = max(high, ohlc[row, 1]), min(low, ohlc[row, 2])
            whole = whole and not np.isnan(ohlc[row, 3])
        out[i, 3] = ohlc[last, 3]
        if whole:
            out[i, 0], out[i, 1], out[i, 2] = ohlc[last + 1 - size, 0], high, low
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
    out = np.full(len(x), np.nan)
    clean, bucket = 0, -1
    left = size - first_minute % size
    for row in range(len(x)):
        clean = 0 if np.isnan(x[row]) else clean + 1
        left -= 1
        if left == 0:
            left, bucket = size, bucket + 1
        if clean >= need and bucket >= 0:
            out[row] = y[bucket]
    return out


@kernel
def moves(y: F, plain: bool) -> F:
    """Log returns from one value to the next, or plain changes: (B,)."""
    out = np.full(len(y), np.nan)
    for i in range(1, len(y)):
        out[i] = y[i] - y[i - 1] if plain else np.log(y[i] / y[i - 1])
    return out


@kernel
def mean(y: F, n: int) -> F:
    """Mean of the last ``n`` values: (B,)."""
    out = np.full(len(y), np.nan)
    for i in range(n - 1, len(y)):
        total = 0.0
        for k in range(1, n):
            total += y[i - k] - y[i]
        out[i] = y[i] + total / n
    return out


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
def slope(y: F, n: int) -> tuple[F, F]:
    """Least-squares slope of the last ``n`` values, and their correlation with time: two (B,).

    The correlation of a flat window is 0.
    """
    out, lean = np.full(len(y), np.nan), np.full(len(y), np.nan)
    half = 0.5 * (n - 1.0)
    m2 = n * (n * n - 1.0) / 12.0
    for i in range(n - 1, len(y)):
        s0 = s1 = s2 = 0.0
        for k in range(n):
            d = y[i - k] - y[i]
            s0 += d
            s1 += (half - k) * d
            s2 += d * d
        if np.isnan(s0):
            continue
        out[i], lean[i] = s1 / m2, 0.0
        square = m2 * (s2 - s0 * s0 / n)
        if square > 0.0:
            lean[i] = s1 / np.sqrt(square)
    return out, lean


@kernel
def direction(lean: float) -> float:
    """-1, 0 or 1: the sign of a correlation with time."""
    if np.isnan(lean):
        return lean
    return 1.0 if lean > _NOTHING else -1.0 if lean < -_NOTHING else 0.0


@kernel
def strong(lean: float, n: int) -> float:
    """-1, 0 or 1: the sign of a trend where its t-statistic reaches two."""
    square = lean * lean
    return direction(lean) if square * (n - 2.0 + STRONG**2) > STRONG**2 else 0.0 * lean


@kernel
def _no_larger(values: F, value: float) -> int:
    number = 0
    for i in range(len(values)):
        number += 1 if values[i] <= value else 0
    return number


@kernel
def third(values: F, value: float) -> float:
    """Third (0, 1, 2) of the values that one of them belongs to."""
    number = _no_larger(values, value)
    if number <= len(values) // 3:
        return 0.0
    return 2.0 if number > 2 * len(values) // 3 else 1.0


@kernel
def terciles(x: F, memory: int) -> F:
    """Third (0, 1, 2) of each value among the last ``memory`` ones, its own included: (T,)."""
    out = np.full(len(x), np.nan)
    held = 0
    for row in range(len(x)):
        held = 0 if np.isnan(x[row]) else held + 1
        if held >= memory:
            out[row] = third(x[row - memory + 1 : row + 1], x[row])
    return out
