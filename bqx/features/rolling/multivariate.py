"""Rolling primitives of several series at once, exact on their windows as those of ``rolling``."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.products import shift_sums
from bqx.features.rolling.sums import first_block, product_sums, square_sums, trend_sums

F = NDArray[np.float64]

# Sums of log returns and BQX below this are rounding: the smallest tick moves them by 1e-6.
_ROUNDING = 1e-12


@kernel
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


@kernel
def cross_sums(x: F, window: int, first_minute: int) -> F:
    """Centred sums over each window of every column's squares and its products with column 0.

    (T, C) -> (T, 2 C - 1): the C sums of squares, then the products of columns 1 to C - 1 with
    column 0. Values count from one inside the window, so that a flat column gives exactly 0.
    """
    rows, columns = x.shape
    out = np.empty((2 * columns - 1, rows))
    own = x[:, 0].copy()
    first = square_sums(own, window, first_minute)[0]
    for j in range(columns):
        other = x[:, j].copy()
        total, square, _ = square_sums(other, window, first_minute)
        for row in range(rows):
            out[j, row] = square[row] - total[row] * total[row] / window
        if j > 0:
            product = product_sums(own, other, window, first_minute)
            for row in range(rows):
                out[columns + j - 1, row] = product[row] - total[row] * (first[row] / window)
    return out.T


@kernel
def ratio_of_sums(product: float, one: float, other: float) -> float:
    """Correlation from centred sums; NaN where either series is flat."""
    if not (one > 0.0 and other > 0.0):
        return np.nan
    return min(max(product / (np.sqrt(one) * np.sqrt(other)), -1.0), 1.0)


@kernel
def correlations(x: F, window: int, first_minute: int) -> F:
    """Correlation of column 0 with each other column over each window: (T, C) -> (T, C - 1)."""
    return correlations_of(cross_sums(x, window, first_minute))


@kernel
def correlations_of(parts: F) -> F:
    """Correlation of column 0 with each other column from ``cross_sums``: (T, C - 1)."""
    rows, columns = len(parts), (parts.shape[1] + 1) // 2
    out = np.empty((columns - 1, rows))
    for j in range(1, columns):
        for row in range(rows):
            own, other = parts[row, 0], parts[row, j]
            value = parts[row, columns + j - 1] / (np.sqrt(own) * np.sqrt(other))
            value = 1.0 if value > 1.0 else -1.0 if value < -1.0 else value
            out[j - 1, row] = value if own > 0.0 and other > 0.0 else np.nan
    return out.T


@kernel
def snapped(x: float) -> float:
    """0 for a move that is nothing but rounding, so that it has no sign."""
    return 0.0 if abs(x) < _ROUNDING else x


@kernel
def z_score(x: F, window: int, first_minute: int) -> F:
    """Last value less the window's mean, in its deviations (ddof 1): (T,); NaN where flat."""
    out, square, reference = square_sums(x, window, first_minute)
    for row in range(len(x)):
        total = out[row]
        variance = (square[row] - total * total / window) / (window - 1)
        value = ((x[row] - reference[row]) - total / window) / np.sqrt(variance)
        out[row] = value if variance > 0.0 else np.nan
    return out


@kernel
def demeaned(x: F, window: int, first_minute: int) -> F:
    """Value less the mean of its window: (T,)."""
    total, reference = shift_sums(x, window, first_minute)
    return (x - reference) - total / window


@kernel
def shifted(x: F, rows: int) -> F:
    """Values of ``rows`` rows ago: (T, ...) -> (T, ...)."""
    out = np.full(x.shape, np.nan)
    out[rows:] = x[: max(len(x) - rows, 0)]
    return out


@kernel
def parabola(x: F, window: int, first_minute: int) -> F:
    """Terms of the quadratic fit of each window: (T, 3) a2, a1 and the deviation (ddof 1).

    ``x = 0 .. window - 1`` from the oldest row. NaN where flat.
    """
    out = np.empty((3, len(x)))
    parts = trend_sums(x, window, first_minute)
    w = float(window)
    half = 0.5 * (w - 1.0)
    m2 = w * (w * w - 1.0) / 12.0
    m4 = w * (w * w - 1.0) * (3.0 * w * w - 7.0) / 240.0
    for row in range(len(x)):
        mean = parts[row, 0] / w
        total = parts[row, 3] - parts[row, 0] * mean
        total = total if total > 0.0 else np.nan
        a2 = (parts[row, 2] - m2 * mean) / (m4 - m2 * m2 / w)
        slope = parts[row, 1] / m2 - 2.0 * a2 * half
        out[0, row] = a2 if total > 0.0 else np.nan
        out[1, row] = slope if total > 0.0 else np.nan
        out[2, row] = np.sqrt(total / (w - 1.0))
    return out.T
