"""Symmetric matrices made tridiagonal by Householder's reflections, 64 matrices at a time.

One matrix stands in each lane: an array (n, 64) holds the lanes last, flat, so that operations on
them become vector instructions; the number of lanes is an argument, since loops over a known number
are unrolled and then not turned into any. A lane never reads another.

Source: G. Golub and C. Van Loan, Matrix Computations, 8.3.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F

LANES = 64
COLUMNS = 4
"""Columns of a matrix that are worked on at a time: rows are filled up to a multiple of it."""

W, U, P = LANES, 2 * LANES, 3 * LANES
SIDES = 4 * LANES
"""What stands for a row of a matrix during a step: both sides of the last update, the reflection
and its product with the matrix, and where the latter three begin."""


@kernel
def width(size: int) -> int:
    """Length of a stored row of a matrix."""
    return -(-size // COLUMNS) * COLUMNS


@kernel
def _block(a: F, b: F, own: F, c: F, mirrored: float, lanes: int) -> None:
    """Bring two rows (4 x 64) of a block up to date and multiply them, and their mirror, too.

    ``own``, ``c`` : what stands for the two rows and for the four columns.
    """
    for k in range(lanes):
        v, w, u = own[k], own[k + W], own[k + U]
        p, q, r = own[k + SIDES], own[k + SIDES + W], own[k + SIDES + U]
        a0 = a[k] - (v * c[k + W] + w * c[k])
        a1 = a[k + W] - (v * c[k + SIDES + W] + w * c[k + SIDES])
        a2 = a[k + U] - (v * c[k + 2 * SIDES + W] + w * c[k + 2 * SIDES])
        a3 = a[k + P] - (v * c[k + 3 * SIDES + W] + w * c[k + 3 * SIDES])
        b0 = b[k] - (p * c[k + W] + q * c[k])
        b1 = b[k + W] - (p * c[k + SIDES + W] + q * c[k + SIDES])
        b2 = b[k + U] - (p * c[k + 2 * SIDES + W] + q * c[k + 2 * SIDES])
        b3 = b[k + P] - (p * c[k + 3 * SIDES + W] + q * c[k + 3 * SIDES])
        a[k], a[k + W], a[k + U], a[k + P] = a0, a1, a2, a3
        b[k], b[k + W], b[k + U], b[k + P] = b0, b1, b2, b3
        c0, c1, c2, c3 = c[k + U], c[k + SIDES + U], c[k + 2 * SIDES + U], c[k + 3 * SIDES + U]
        own[k + P] += (a0 * c0 + a1 * c1) + (a2 * c2 + a3 * c3)
        own[k + SIDES + P] += (b0 * c0 + b1 * c1) + (b2 * c2 + b3 * c3)
        u, r = mirrored * u, mirrored * r
        c[k + P] += a0 * u + b0 * r
        c[k + SIDES + P] += a1 * u + b1 * r
        c[k + 2 * SIDES + P] += a2 * u + b2 * r
        c[k + 3 * SIDES + P] += a3 * u + b3 * r


@kernel
def _update(matrix: F, sides: F, own: F, size: int, first: int, lanes: int) -> None:
    """Bring the lower half up to date from row ``first`` on, and multiply it by the reflection.

    Two rows by four columns at a time; the block on the diagonal is kept on both of its sides.
    """
    long = width(size) * LANES
    for i in range(first - first % 2, size, 2):
        own[:] = sides[i * SIDES : (i + 2) * SIDES]
        edge = i - i % COLUMNS
        for j in range(first - first % COLUMNS, edge + 1, COLUMNS):
            a = matrix[i * long + j * LANES : i * long + (j + COLUMNS) * LANES]
            b = matrix[(i + 1) * long + j * LANES : (i + 1) * long + (j + COLUMNS) * LANES]
            c = sides[j * SIDES : (j + COLUMNS) * SIDES]
            _block(a, b, own, c, 1.0 if j < edge else 0.0, lanes)
        for k in range(lanes):
            sides[i * SIDES + k + P] = own[k + P]
            sides[(i + 1) * SIDES + k + P] = own[k + SIDES + P]


@kernel
def _reflect(matrix: F, sides: F, step: int, size: int, beside: F, factor: F, lanes: int) -> None:
    """Bring column ``step`` up to date and make the reflection that clears it below ``beside``.

    The reflection is kept in the column; ``factor`` is 2 over its squared length.
    """
    long = width(size) * LANES
    corner = sides[step * SIDES : (step + 1) * SIDES]
    square = np.zeros(LANES)
    for i in range(step, size):
        at = matrix[i * long + step * LANES : i * long + (step + 1) * LANES]
        own = sides[i * SIDES : (i + 1) * SIDES]
        for k in range(lanes):
            value = at[k] - (own[k] * corner[k + W] + own[k + W] * corner[k])
            at[k] = value
            square[k] += value * value if i > step else 0.0
    for k in range(lanes):
        corner[k] = corner[k + W] = corner[k + U] = 0.0
    if step == size - 1:
        return
    first = matrix[(step + 1) * long + step * LANES : (step + 1) * long + (step + 1) * LANES]
    for k in range(lanes):
        value = first[k]
        length = np.sqrt(square[k])
        beside[k] = -np.copysign(length, value)
        first[k] = value - beside[k]
        # The squared length of the reflection, without the sum of squares again.
        twice = square[k] + length * abs(value)
        factor[k] = 1.0 / twice if twice > 0.0 else 0.0
    for i in range(step + 1, size):
        at = matrix[i * long + step * LANES : i * long + (step + 1) * LANES]
        own = sides[i * SIDES : (i + 1) * SIDES]
        for k in range(lanes):
            own[k + U], own[k + P] = at[k], 0.0


@kernel
def tridiagonal(
    matrix: F, size: int, diagonal: F, beside: F, factor: F, room: F, lanes: int
) -> None:
    """Reduce matrices (size x width x 64), of which the lower half is read, to three diagonals.

    ``diagonal``, ``beside`` and ``factor`` (size x 64): the elements on and below the diagonal, and
    2 over the squared length of each reflection, which the matrix then holds in its columns.
    ``room`` (4 x width x 64 and 512 more).
    """
    long = width(size) * LANES
    own, sides = room[: 2 * SIDES], room[2 * SIDES :]
    sides[:] = 0.0
    for step in range(size):
        lane = slice(step * LANES, (step + 1) * LANES)
        _reflect(matrix, sides, step, size, beside[lane], factor[lane], lanes)
        diagonal[lane] = matrix[step * long + step * LANES : step * long + (step + 1) * LANES]
        if step == size - 1:
            return
        _update(matrix, sides, own, size, step + 1, lanes)
        along = np.zeros(LANES)
        for i in range(step + 1, size):
            side = sides[i * SIDES : (i + 1) * SIDES]
            for k in range(lanes):
                along[k] += side[k + U] * side[k + P]
        for k in range(lanes):
            along[k] *= 0.5 * factor[step * LANES + k]
        for i in range(step + 1, size):
            side = sides[i * SIDES : (i + 1) * SIDES]
            for k in range(lanes):
                u = side[k + U]
                side[k], side[k + W] = u, factor[step * LANES + k] * (side[k + P] - along[k] * u)
