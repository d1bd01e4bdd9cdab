"""Rolling primitives of several series at once, exact on their windows as those of ``rolling``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.comoments import correlation_by_roots
from bqx.features.rolling.products import square_and_product_sums
from bqx.features.rolling.sums import F, first_block, square_sums
from bqx.features.rolling.tolerances import AT_REST
from bqx.lanes import LANES, alike, load, root, store, where

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
def _own(at: F, window: int) -> tuple[float, float]:
    """Of column 0 the sum over the window and the root of its centred square, from both sums."""
    return at[0], np.sqrt(at[LANES] - at[0] * at[0] / window)


@kernel
def correlations_abreast(x: F, window: int, first_minute: int) -> F:
    """What `correlations` gives, for many columns: each is a lane, so that none waits for another.

    (T, C) -> (T, C - 1), bit for bit: a column's sums have the same operations in the same order.
    """
    rows, columns = x.shape
    width = -(-columns // LANES) * LANES
    wide, found = np.zeros((rows, width)), np.full((rows, width), np.nan)
    wide[:, :columns] = x
    read, out = wide.reshape(-1), found.reshape(-1)
    older, own, at = np.zeros(3 * LANES * window), np.empty((window, 2)), np.empty(2 * LANES)
    for start in range(first_block(first_minute, window), rows, window):
        for group in range(0, width, LANES):
            q, r = read[start * width], load(read, start * width + group)
            total = square = product = alike(0.0)
            for i in range(1, min(window, start + 1)):
                place = (start - i) * width
                d = load(read, place + group) - r
                total, square = total + d, square + d * d
                product = product + (read[place] - q) * d
                store(older, 3 * LANES * i, total)
                store(older, 3 * LANES * i + LANES, square)
                store(older, 3 * LANES * i + 2 * LANES, product)
            total = square = product = alike(0.0)
            for i in range(min(window, rows - start)):
                place, before = (start + i) * width, window - 1 - i
                d = load(read, place + group) - r
                total, square = total + d, square + d * d
                product = product + (read[place] - q) * d
                if before > start:
                    continue
                rest = 3 * LANES * before
                moved = total + load(older, rest)
                squares = square + load(older, rest + LANES)
                products = product + load(older, rest + 2 * LANES)
                if group == 0:
                    store(at, 0, moved)
                    store(at, LANES, squares)
                    own[i] = _own(at, window)
                first, own_root = own[i, 0], own[i, 1]
                other = root(squares - moved * moved / window)
                value = (products - moved * (first / window)) / (own_root * other)
                value = where(value > 1.0, 1.0, where(value < -1.0, -1.0, value))
                value = where(other > 0.0, value, np.nan)
                store(out, place + group, value if own_root > 0.0 else alike(np.nan))
    return found[:, 1:columns]


@kernel
def snapped(x: float) -> float:
    """0 for a move that is nothing but rounding, so that it has no sign."""
    return 0.0 if abs(x) < AT_REST else x


@kernel
def shifted(x: F, rows: int) -> F:
    """Values of ``rows`` rows ago: (T, ...) -> (T, ...)."""
    out = np.full(x.shape, np.nan)
    out[rows:] = x[: max(len(x) - rows, 0)]
    return out
