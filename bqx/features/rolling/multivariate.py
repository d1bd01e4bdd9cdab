"""Rolling primitives of several series at once, exact on their windows as those of ``rolling``."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.products import shift_sums
from bqx.features.rolling.sums import product_sums, square_sums, trend_sums

F = NDArray[np.float64]

# Sums of log returns and BQX below this are rounding: the smallest tick moves them by 1e-6.
_ROUNDING = 1e-12


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
def correlations(x: F, window: int, first_minute: int) -> F:
    """Correlation of column 0 with each other column over each window: (T, C) -> (T, C - 1)."""
    return correlations_of(cross_sums(x, window, first_minute))


@kernel
def correlations_of(sums: F) -> F:
    """Correlation of column 0 with each other column from ``cross_sums``: (T, C - 1)."""
    rows, columns = len(sums), (sums.shape[1] + 1) // 2
    out = np.empty((columns - 1, rows))
    for j in range(1, columns):
        for row in range(rows):
            out[j - 1, row] = correlation(sums[row, 0], sums[row, j], sums[row, columns + j - 1])
    return out.T


@kernel
def snapped(x: float) -> float:
    """0 for a move that is nothing but rounding, so that it has no sign."""
    return 0.0 if abs(x) < _ROUNDING else x


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
