"""Leading eigenvalues and eigenvectors of symmetric matrices, decomposed directly, 64 at a time.

Reflections make each matrix tridiagonal, bisection by Sturm's count parts its largest eigenvalues,
twisted factorisations find their vectors, and the reflections turn these back. Nothing depends on
a start: values and vectors are good to the last digits that the gap to the next eigenvalue leaves.

Matrices are positive semidefinite and scaled to a trace of at most 1, so that eigenvalues lie
between 0 and 1. Lanes as in ``householder``, eight after eight.

Source: G. Golub and C. Van Loan, Matrix Computations, 8.4; I. Dhillon and B. Parlett, Linear
Algebra and its Applications 267 (1997), for twisted factorisations.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.householder import ABREAST, SIDES, tridiagonal, whole, width
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import COLLINEAR, NO_PIVOT
from bqx.lanes import LANES, absolute, load, root, store, where

HALVINGS = 34
"""Most halvings of an eigenvalue's bracket: to 6e-11, where nothing parts what is not parted."""

APART = 1024.0
"""Widths of its bracket between an eigenvalue and the next where the halving ends."""

TWISTS = 3
"""Factorisations after it: each squares the share of the gap by which the eigenvalue is off."""


@kernel(sized=True)
def _count(d: F, s: F, row: int, x: F, pivot: F, above: F) -> None:
    """Next pivot of matrices less ``x``, and how many were positive so far: (count x lanes) each.

    ``row`` : where theirs begins in ``d`` and ``s``, which are no slices, since these cost more
    than the loop; unsigned, as no place can then be counted from the end.
    """
    for k in range(np.uint64(len(x))):
        now = (d[row + k] - x[k]) - s[row + k] / pivot[k]
        pivot[k] = now if abs(now) > NO_PIVOT else -NO_PIVOT
        above[k] += 1.0 if now > NO_PIVOT else 0.0


@kernel(sized=True)
def _part(low: F, high: F, parted: F) -> float:
    """Note in which lanes the brackets (count x lanes) have parted; how many others there are."""
    lanes, left = len(parted), 0.0
    for k in range(lanes):
        apart = True
        for m in range(k, len(low) - lanes, lanes):
            gap = low[m] - high[m + lanes]
            if m >= lanes:
                gap = min(gap, low[m - lanes] - high[m])
            apart = apart and APART * (high[m] - low[m]) <= gap
        parted[k] = 1.0 if apart else parted[k]
        left += 1.0 - parted[k]
    return left


@kernel(sized=True)
def _alike(rows: F, size: int, count: int, lanes: int) -> F:
    """Rows (size x 64) for several eigenvalues at once: (size x count x lanes)."""
    out = np.empty((size, count, lanes))
    for i in range(size):
        out[i] = rows[i * ABREAST : i * ABREAST + lanes]
    return out.reshape(-1)


@kernel(sized=True)
def _bisect(diagonal: F, square: F, size: int, values: F, lanes: int) -> None:
    """Largest eigenvalues (count, 64), larger first, each the middle of its last bracket.

    As many lie above a number as pivots of the matrix less that number are positive. ``square`` :
    of what stands beside the diagonal, before each row.
    """
    count = len(values)
    d, s = _alike(diagonal, size, count, lanes), _alike(square, size, count, lanes)
    wide = count * lanes
    low, high = np.zeros(wide), np.full(wide, 1.0 + COLLINEAR)
    middle, pivot, above, parted = np.empty(wide), np.empty(wide), np.empty(wide), np.zeros(lanes)
    for _ in range(HALVINGS):
        for m in range(wide):
            middle[m] = 0.5 * (low[m] + high[m])
            pivot[m], above[m] = np.inf, 0.0
        for i in range(size):
            _count(d, s, np.uint64(i * wide), middle, pivot, above)
        for m in range(wide):
            if parted[m % lanes] == 0.0:
                enough = above[m] > m // lanes
                low[m], high[m] = middle[m] if enough else low[m], high[m] if enough else middle[m]
        if _part(low, high, parted) == 0.0:
            break
    for m in range(count):
        for k in range(lanes):
            values[m, k] = 0.5 * (low[m * lanes + k] + high[m * lanes + k])


@kernel(sized=True)
def _meeting(diagonal: F, beside: F, size: int, x: F, room: F, lane: int) -> tuple[F, F]:
    """Fill the pivots from the top and from the bottom (size x 8 each) less ``x``.

    Returns what is least where they meet, and the row of that.
    """
    bottoms = size * LANES
    down = up = x
    for i in range(size):
        j = size - 1 - i
        d, e = load(diagonal, j * ABREAST + lane), load(diagonal, i * ABREAST + lane)
        if i == 0:
            down, up = e - x, d - x
        else:
            s, t = load(beside, (i - 1) * ABREAST + lane), load(beside, j * ABREAST + lane)
            down, up = (e - x) - s * s / down, (d - x) - t * t / up
        down = where(absolute(down) > NO_PIVOT, down, NO_PIVOT)
        up = where(absolute(up) > NO_PIVOT, up, NO_PIVOT)
        store(room, i * LANES, down)
        store(room, bottoms + j * LANES, up)
    best = x * 0.0
    least = best + np.inf
    for i in range(size):
        own = load(diagonal, i * ABREAST + lane) - x
        met = load(room, i * LANES) + load(room, bottoms + i * LANES) - own
        better = absolute(met) < absolute(least)
        least, best = where(better, met, least), where(better, float(i), best)
    return least, best


@kernel(sized=True)
def _twist(diagonal: F, beside: F, size: int, value: F, vector: F, room: F, lane: int) -> None:
    """Vectors (size x 64) of eight eigenvalues (64,), of length 1; the values are mended by them.

    Pivots from the top and from the bottom meet at the row where the vector is largest. ``room``
    (2 x size x 8).
    """
    x = load(value, lane)
    least, best = _meeting(diagonal, beside, size, x, room, lane)
    element = where(best > 0.0, x * 0.0, 1.0)
    store(vector, lane, element)
    for i in range(1, size):
        follows = load(beside, (i - 1) * ABREAST + lane) * element / load(room, (size + i) * LANES)
        start = where(best > float(i), x * 0.0, 1.0)
        element = where(best < float(i), follows * -1.0, start)
        store(vector, i * ABREAST + lane, element)
    for i in range(size - 2, -1, -1):
        follows = load(beside, i * ABREAST + lane) * element / load(room, i * LANES)
        element = where(best > float(i), follows * -1.0, load(vector, i * ABREAST + lane))
        store(vector, i * ABREAST + lane, element)
    length = x * 0.0
    for i in range(size):
        element = load(vector, i * ABREAST + lane)
        length = length + element * element
    store(value, lane, x + least / length)
    scale = 1.0 / root(length)
    for i in range(size):
        at = i * ABREAST + lane
        store(vector, at, load(vector, at) * scale)


@kernel(sized=True)
def _restore(matrix: F, factor: F, size: int, vector: F, lane: int) -> None:
    """Turn vectors (size x 64) of eight reduced matrices into those of the matrices."""
    long = width(size) * LANES
    for step in range(size - 2, -1, -1):
        along = load(vector, lane) * 0.0
        for i in range(step + 1, size):
            element = load(vector, i * ABREAST + lane)
            along = along + load(matrix, i * long + step * LANES) * element
        along = along * load(factor, step * ABREAST + lane)
        for i in range(step + 1, size):
            at = i * ABREAST + lane
            store(vector, at, load(vector, at) - along * load(matrix, i * long + step * LANES))


@kernel(sized=True)
def _clear(matrix: F, size: int, lanes: int) -> None:
    """Zeros in the lanes after the last matrix: NaN from there would stay for those that follow."""
    for lane in range(lanes, -(-lanes // LANES) * LANES):
        of = matrix[lane // LANES * whole(size) : (lane // LANES + 1) * whole(size)]
        of[lane % LANES :: LANES] = 0.0


@kernel(sized=True)
def leading(matrix: F, size: int, values: F, vectors: F, lanes: int) -> None:
    """Largest eigenvalues, larger first, and the vectors of all but the last of them.

    Parameters
    ----------
    matrix : (8 x width x width x 8), eight matrices after eight, of which blocks of four by four
        are read up to the diagonal, with zeros beyond ``size``; it is overwritten.
    values : (count, 64) that is filled.
    vectors : (count - 1, size x 64) that is filled, of length 1, with either sign.
    lanes : matrices there are.
    """
    count, rows = len(values), size * ABREAST
    diagonal, beside, factor = np.empty(rows), np.zeros(rows), np.empty(rows)
    square, room = np.zeros(rows), np.empty(SIDES * width(size))
    _clear(matrix, size, lanes)
    for lane in range(0, lanes, LANES):
        of = matrix[lane // LANES * whole(size) : (lane // LANES + 1) * whole(size)]
        tridiagonal(of, size, diagonal, beside, factor, room, lane)
    square[ABREAST:] = beside[:-ABREAST] * beside[:-ABREAST]
    _bisect(diagonal, square, size, values, lanes)
    for lane in range(0, lanes, LANES):
        of = matrix[lane // LANES * whole(size) : (lane // LANES + 1) * whole(size)]
        for k in range(count - 1):
            for _ in range(TWISTS):
                _twist(diagonal, beside, size, values[k], vectors[k], room, lane)
            _restore(of, factor, size, vectors[k], lane)
