"""Rolling primitives of several series at once, exact on their windows as those of ``rolling``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.comoments import correlation_by_roots
from bqx.features.rolling.products import shift_sums, square_and_product_sums
from bqx.features.rolling.sums import F, square_sums
from bqx.features.rolling.tolerances import AT_REST

_AT_HAND = 64


@kernel
def by_column(x: F) -> F:
    """Columns one after the other: (T, C) -> (C, T), some rows at a time, which stay at hand."""
    rows, columns = x.shape
    out = np.empty((columns, rows))
    for start in range(0, rows, _AT_HAND):
        for j in range(columns):
            for row in range(start, min(start + _AT_HAND, rows)):
                out[j, row] = x[row, j]
    return out


@kernel
def cross_sums(x: F, window: int, first_minute: int) -> F:
    """Centred sums over each window of every column's squares and its products with column 0.

    (T, C) -> (T, 2 C - 1): the C sums of squares, then the products of columns 1 to C - 1 with
    column 0. Values count from one inside the window, so that a flat column gives exactly 0.
    """
    rows, columns = x.shape
    out = np.empty((2 * columns - 1, rows))
    series = by_column(x)
    own = series[0]
    first, square, _ = square_sums(own, window, first_minute)
    for row in range(rows):
        out[0, row] = square[row] - first[row] * first[row] / window
    for j in range(1, columns):
        total, square, _, product = square_and_product_sums(own, series[j], window, first_minute)
        for row in range(rows):
            out[j, row] = square[row] - total[row] * total[row] / window
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
    out, root = np.empty((columns - 1, rows)), np.sqrt(sums[:, 0])
    for j in range(1, columns):
        for row in range(rows):
            other, product = np.sqrt(sums[row, j]), sums[row, columns + j - 1]
            out[j - 1, row] = correlation_by_roots(root[row], other, product)
    return out.T


@kernel
def snapped(x: float) -> float:
    """0 for a move that is nothing but rounding, so that it has no sign."""
    return 0.0 if abs(x) < AT_REST else x


@kernel(nogil=True)
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
