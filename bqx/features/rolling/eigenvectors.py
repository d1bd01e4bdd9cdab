"""Leading eigenvalues and eigenvectors of symmetric matrices, decomposed directly, 64 at a time.

Reflections make each matrix tridiagonal, bisection by Sturm's count parts its largest eigenvalues,
twisted factorisations find their vectors, and the reflections turn these back. Nothing depends on
a start: values and vectors are good to the last digits that the gap to the next eigenvalue leaves.

Matrices are positive semidefinite and scaled to a trace of at most 1, so that eigenvalues lie
between 0 and 1. Lanes as in ``householder``.

Source: G. Golub and C. Van Loan, Matrix Computations, 8.4; I. Dhillon and B. Parlett, Linear
Algebra and its Applications 267 (1997), for twisted factorisations.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.householder import LANES, SIDES, tridiagonal, width
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import COLLINEAR, NO_PIVOT

HALVINGS = 34
"""Most halvings of an eigenvalue's bracket: to 6e-11, where nothing parts what is not parted."""

APART = 1024.0
"""Widths of its bracket between an eigenvalue and the next where the halving ends."""

TWISTS = 3
"""Factorisations after it: each squares the share of the gap by which the eigenvalue is off."""


@kernel
def _count(d: F, s: F, x: F, pivot: F, above: F, lanes: int) -> None:
    """Next pivot of matrices less ``x``, and how many were positive so far: (64,) each."""
    for k in range(lanes):
        now = (d[k] - x[k]) - s[k] / pivot[k]
        pivot[k] = now if abs(now) > NO_PIVOT else -NO_PIVOT
        above[k] += 1.0 if now > NO_PIVOT else 0.0


@kernel
def _part(low: F, high: F, parted: F, lanes: int) -> float:
    """Note in which lanes the brackets (count x 64) have parted; lanes in which they have not."""
    left = 0.0
    for k in range(lanes):
        apart = True
        for m in range(k, len(low) - LANES, LANES):
            gap = low[m] - high[m + LANES]
            if m >= LANES:
                gap = min(gap, low[m - LANES] - high[m])
            apart = apart and APART * (high[m] - low[m]) <= gap
        parted[k] = 1.0 if apart else parted[k]
        left += 1.0 - parted[k]
    return left


@kernel
def _bisect(diagonal: F, square: F, size: int, values: F, lanes: int) -> None:
    """Largest eigenvalues (count x 64), larger first, each the middle of its last bracket.

    As many lie above a number as pivots of the matrix less that number are positive. ``square`` :
    of what stands beside the diagonal, before each row.
    """
    count = len(values)
    low, high = np.zeros(count), np.full(count, 1.0 + COLLINEAR)
    pivot, above, parted = np.empty(count), np.empty(count), np.zeros(LANES)
    for _ in range(HALVINGS):
        for m in range(count):
            values[m] = 0.5 * (low[m] + high[m])
            pivot[m], above[m] = np.inf, 0.0
        for i in range(size):
            d, s = diagonal[i * LANES : (i + 1) * LANES], square[i * LANES : (i + 1) * LANES]
            for m in range(0, count, LANES):
                _count(d, s, values[m:], pivot[m:], above[m:], lanes)
        for m in range(count):
            if parted[m % LANES] == 0.0:
                enough = above[m] > m // LANES
                low[m], high[m] = values[m] if enough else low[m], high[m] if enough else values[m]
        if _part(low, high, parted, lanes) == 0.0:
            break
    for m in range(count):
        values[m] = 0.5 * (low[m] + high[m])


@kernel
def _twist(diagonal: F, beside: F, size: int, value: F, vector: F, room: F, lanes: int) -> None:
    """Vector (size x 64) of an eigenvalue (64,), of length 1; the value is mended by its vector.

    Pivots from the top and from the bottom meet at the row where the vector is largest.
    """
    top, bottom = room[: size * LANES], room[size * LANES : 2 * size * LANES]
    least, best, length = np.full(LANES, np.inf), np.zeros(LANES), np.ones(LANES)
    for i in range(size):
        j = size - 1 - i
        d, e = diagonal[j * LANES : (j + 1) * LANES], diagonal[i * LANES : (i + 1) * LANES]
        for k in range(lanes):
            down, up = e[k] - value[k], d[k] - value[k]
            if i > 0:
                s, t = beside[(i - 1) * LANES + k], beside[j * LANES + k]
                down -= s * s / top[(i - 1) * LANES + k]
                up -= t * t / bottom[(j + 1) * LANES + k]
            top[i * LANES + k] = down if abs(down) > NO_PIVOT else NO_PIVOT
            bottom[j * LANES + k] = up if abs(up) > NO_PIVOT else NO_PIVOT
    for i in range(size):
        for k in range(lanes):
            at = i * LANES + k
            meeting = top[at] + bottom[at] - (diagonal[at] - value[k])
            vector[at] = meeting
            better = abs(meeting) < abs(least[k])
            least[k], best[k] = meeting if better else least[k], i if better else best[k]
    for i in range(size):
        for k in range(lanes):
            vector[i * LANES + k] = 1.0 if i == best[k] else 0.0
    for i in range(1, size):
        j = size - 1 - i
        for k in range(lanes):
            after, at = (i - 1) * LANES + k, i * LANES + k
            follows = -beside[after] * vector[after] / bottom[at]
            vector[at] = follows if i > best[k] else vector[at]
            before, at = (j + 1) * LANES + k, j * LANES + k
            follows = -beside[at] * vector[before] / top[at]
            vector[at] = follows if j < best[k] else vector[at]
    for k in range(lanes):
        length[k] = 0.0
    for i in range(size):
        for k in range(lanes):
            length[k] += vector[i * LANES + k] * vector[i * LANES + k]
    for k in range(lanes):
        value[k] += least[k] / length[k]
        length[k] = 1.0 / np.sqrt(length[k])
    for i in range(size):
        for k in range(lanes):
            vector[i * LANES + k] *= length[k]


@kernel
def _restore(matrix: F, factor: F, size: int, vector: F, lanes: int) -> None:
    """Turn a vector (size x 64) of the reduced matrix into one of the matrix."""
    long = width(size) * LANES
    along = np.empty(LANES)
    for step in range(size - 2, -1, -1):
        along[:] = 0.0
        for i in range(step + 1, size):
            at = matrix[i * long + step * LANES : i * long + (step + 1) * LANES]
            of = vector[i * LANES : (i + 1) * LANES]
            for k in range(lanes):
                along[k] += at[k] * of[k]
        for k in range(lanes):
            along[k] *= factor[step * LANES + k]
        for i in range(step + 1, size):
            at = matrix[i * long + step * LANES : i * long + (step + 1) * LANES]
            of = vector[i * LANES : (i + 1) * LANES]
            for k in range(lanes):
                of[k] -= along[k] * at[k]


@kernel
def leading(matrix: F, size: int, values: F, vectors: F, lanes: int) -> None:
    """Largest eigenvalues, larger first, and the vectors of all but the last of them.

    Parameters
    ----------
    matrix : (width x width x 64) of which blocks of four by four are read up to the diagonal, with
        zeros beyond ``size``; it is overwritten.
    values : (count, 64) that is filled.
    vectors : (count - 1, size x 64) that is filled, of length 1, with either sign.
    lanes : matrices there are.
    """
    count, rows = len(values), size * LANES
    diagonal, beside, factor = np.empty(rows), np.empty(rows), np.empty(rows)
    square = np.zeros(rows)
    room = np.empty(SIDES * (width(size) + 2))
    tridiagonal(matrix, size, diagonal, beside, factor, room, lanes)
    square[LANES:] = beside[:-LANES] * beside[:-LANES]
    _bisect(diagonal, square, size, values.reshape(-1), lanes)
    for k in range(count - 1):
        for _ in range(TWISTS):
            _twist(diagonal, beside, size, values[k], vectors[k], room, lanes)
        _restore(matrix, factor, size, vectors[k], lanes)
