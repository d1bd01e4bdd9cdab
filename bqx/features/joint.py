"""Rolling primitives of several series at once, exact on their windows as those of ``rolling``."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features.rolling import first_block, power_sums, trend_sums

F = NDArray[np.float64]

# Sums of log returns and BQX below this are rounding: the smallest tick moves them by 1e-6.
_ROUNDING = 1e-12


@njit(cache=True, error_model="numpy")
def sums(x: F, window: int, first_minute: int) -> F:
    """Sum of each column over each window: (T, C) -> (T, C)."""
    rows, columns = x.shape
    out = np.full((rows, columns), np.nan)
    total, tail = np.empty(columns), np.empty((window + 1, columns))
    tail[0] = 0.0
    for start in range(first_block(first_minute, window), rows, window):
        total[:] = 0.0
        for i in range(min(window, start)):
            for j in range(columns):
                total[j] += x[start - 1 - i, j]
                tail[i + 1, j] = total[j]
        total[:] = 0.0
        for row in range(start, min(start + window, rows)):
            for j in range(columns):
                total[j] += x[row, j]
            before = window - (row - start + 1)
            if before <= start:
                for j in range(columns):
                    out[row, j] = tail[before, j] + total[j]
    return out


@njit(cache=True, error_model="numpy")
def cross_sums(x: F, window: int, first_minute: int) -> F:
    """Centred sums over each window of every column's squares and its products with column 0.

    (T, C) -> (T, 2 C - 1): the C sums of squares, then the products of columns 1 to C - 1 with
    column 0. Values count from one inside the window, so that a flat column gives exactly 0.
    """
    rows, columns = x.shape
    out = np.full((rows, 2 * columns - 1), np.nan)
    s, ss, sp, d = (np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns))
    tail = np.empty((window + 1, 3, columns))
    tail[0] = 0.0
    for start in range(first_block(first_minute, window), rows, window):
        s[:] = ss[:] = sp[:] = 0.0
        for i in range(min(window, start)):
            for j in range(columns):
                d[j] = x[start - 1 - i, j] - x[start, j]
            own = d[0]
            kept = tail[i + 1]
            for j in range(columns):
                s[j] += d[j]
                ss[j] += d[j] * d[j]
                sp[j] += d[j] * own
                kept[0, j], kept[1, j], kept[2, j] = s[j], ss[j], sp[j]
        s[:] = ss[:] = sp[:] = 0.0
        for row in range(start, min(start + window, rows)):
            for j in range(columns):
                d[j] = x[row, j] - x[start, j]
            own = d[0]
            for j in range(columns):
                s[j] += d[j]
                ss[j] += d[j] * d[j]
                sp[j] += d[j] * own
            before = window - (row - start + 1)
            if before > start:
                continue
            kept = tail[before]
            first = (s[0] + kept[0, 0]) / window
            for j in range(columns):
                total = s[j] + kept[0, j]
                out[row, j] = (ss[j] + kept[1, j]) - total * total / window
            for j in range(1, columns):
                total = s[j] + kept[0, j]
                out[row, columns + j - 1] = (sp[j] + kept[2, j]) - total * first
    return out


@njit(cache=True, error_model="numpy")
def ratio_of_sums(product: float, one: float, other: float) -> float:
    """Correlation from centred sums; NaN where either series is flat."""
    if not (one > 0.0 and other > 0.0):
        return np.nan
    return min(max(product / (np.sqrt(one) * np.sqrt(other)), -1.0), 1.0)


@njit(cache=True, error_model="numpy")
def correlations(x: F, window: int, first_minute: int) -> F:
    """Correlation of column 0 with each other column over each window: (T, C) -> (T, C - 1)."""
    rows, columns = x.shape
    out = np.full((rows, columns - 1), np.nan)
    parts = cross_sums(x, window, first_minute)
    for row in range(rows):
        own = np.sqrt(parts[row, 0])
        for j in range(1, columns):
            other = np.sqrt(parts[row, j])
            if own > 0.0 and other > 0.0:
                value = parts[row, columns + j - 1] / (own * other)
                out[row, j - 1] = min(max(value, -1.0), 1.0)
    return out


@njit(cache=True)
def snapped(x: float) -> float:
    """0 for a move that is nothing but rounding, so that it has no sign."""
    return 0.0 if abs(x) < _ROUNDING else x


@njit(cache=True, error_model="numpy")
def z_score(x: F, window: int, first_minute: int) -> F:
    """Last value less the window's mean, in its deviations (ddof 1): (T,); NaN where flat."""
    out = np.full(len(x), np.nan)
    parts = power_sums(x, window, first_minute)
    for row in range(len(x)):
        s1 = parts[row, 0]
        variance = (parts[row, 1] - s1 * s1 / window) / (window - 1)
        if variance > 0.0:
            out[row] = ((x[row] - parts[row, 4]) - s1 / window) / np.sqrt(variance)
    return out


@njit(cache=True, error_model="numpy")
def demeaned(x: F, window: int, first_minute: int) -> F:
    """Value less the mean of its window: (T,)."""
    parts = power_sums(x, window, first_minute)
    return (x - parts[:, 4]) - parts[:, 0] / window


@njit(cache=True, error_model="numpy")
def shifted(x: F, rows: int) -> F:
    """Values of ``rows`` rows ago: (T, ...) -> (T, ...)."""
    out = np.full(x.shape, np.nan)
    out[rows:] = x[: max(len(x) - rows, 0)]
    return out


@njit(cache=True, error_model="numpy")
def parabola(x: F, window: int, first_minute: int) -> F:
    """Terms of the quadratic fit of each window: (T, 3) a2, a1 and the deviation (ddof 1).

    ``x = 0 .. window - 1`` from the oldest row. NaN where flat.
    """
    out = np.full((len(x), 3), np.nan)
    parts = trend_sums(x, window, first_minute)
    w = float(window)
    half = 0.5 * (w - 1.0)
    m2 = w * (w * w - 1.0) / 12.0
    m4 = w * (w * w - 1.0) * (3.0 * w * w - 7.0) / 240.0
    for row in range(len(x)):
        s0, s1, s2, sq, _ = parts[row]
        total = sq - s0 * s0 / w
        if total > 0.0:
            a2 = (s2 - m2 * s0 / w) / (m4 - m2 * m2 / w)
            out[row, 0] = a2
            out[row, 1] = s1 / m2 - 2.0 * a2 * half
            out[row, 2] = np.sqrt(total / (w - 1.0))
    return out
