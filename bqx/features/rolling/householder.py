"""Symmetric matrices made tridiagonal by Householder's reflections, eight matrices at a time.

One matrix stands in each lane (see ``bqx.lanes``): an array (n, 8) holds the lanes last, flat.
Eight matrices of 30 by 30 stay in the processor's nearest cache. A lane never reads another.

Source: G. Golub and C. Van Loan, Matrix Computations, 8.3.
"""

from typing import Any

from bqx.compiled import kernel
from bqx.features.rolling.sums import F
from bqx.lanes import LANES, absolute, load, root, signed, store, where

ABREAST = 64
"""Matrices that are decomposed together: what is made of them has them last."""

BLOCK = 4
"""Rows and columns that are worked on at a time: rows are filled up to a multiple of it."""

_W, _U, _P = LANES, 2 * LANES, 3 * LANES
SIDES = 4 * LANES
"""What stands for a row of a matrix during a step: both sides of the last update, the reflection
and its product with the matrix, and where the latter three begin."""


@kernel(sized=True)
def width(size: int) -> int:
    """Length of a stored row of a matrix."""
    return -(-size // BLOCK) * BLOCK


@kernel(sized=True)
def whole(size: int) -> int:
    """Length of eight stored matrices."""
    return width(size) * width(size) * LANES


@kernel(sized=True)
def _side(sides: F, at: int) -> tuple[F, F, F]:
    """Both sides of the last update, and the reflection, of a row."""
    return load(sides, at), load(sides, at + _W), load(sides, at + _U)


@kernel(sized=True)
def _element(matrix: F, at: int, row: tuple[F, F, F], column: tuple[F, F, F]) -> F:
    """Bring an element up to date."""
    value = load(matrix, at) - (row[0] * column[1] + row[1] * column[0])
    store(matrix, at, value)
    return value


@kernel(sized=True)
def _column(matrix: F, at: tuple[int, ...], rows: Any, sides: F, c: int, mirrored: bool) -> Any:
    """Bring four elements of a column up to date, multiplied by the reflection's own.

    ``at`` : where they are; ``rows`` : the `_side` of each.
    """
    one, two, three, four = rows
    column = _side(sides, c)
    a = _element(matrix, at[0], one, column)
    b = _element(matrix, at[1], two, column)
    d = _element(matrix, at[2], three, column)
    e = _element(matrix, at[3], four, column)
    if mirrored:
        product = load(sides, c + _P) + (a * one[2] + b * two[2])
        store(sides, c + _P, product + (d * three[2] + e * four[2]))
    u = column[2]
    return a * u, b * u, d * u, e * u


@kernel(sized=True)
def _block(matrix: F, at: Any, rows: Any, sides: F, c: int, products: Any, mirrored: bool) -> Any:
    """Bring a block up to date and multiply it, and its mirror, by the reflection.

    Returns the ``products`` of its rows with what lies left of it, and with it.
    """
    p, q, r, s = at
    a = _column(matrix, at, rows, sides, c, mirrored)
    at, c = (p + LANES, q + LANES, r + LANES, s + LANES), c + SIDES
    b = _column(matrix, at, rows, sides, c, mirrored)
    at, c = (p + 2 * LANES, q + 2 * LANES, r + 2 * LANES, s + 2 * LANES), c + SIDES
    d = _column(matrix, at, rows, sides, c, mirrored)
    at, c = (p + 3 * LANES, q + 3 * LANES, r + 3 * LANES, s + 3 * LANES), c + SIDES
    e = _column(matrix, at, rows, sides, c, mirrored)
    return (
        products[0] + ((a[0] + b[0]) + (d[0] + e[0])),
        products[1] + ((a[1] + b[1]) + (d[1] + e[1])),
        products[2] + ((a[2] + b[2]) + (d[2] + e[2])),
        products[3] + ((a[3] + b[3]) + (d[3] + e[3])),
    )


@kernel(sized=True)
def _update(matrix: F, sides: F, size: int, first: int) -> None:
    """Bring the lower half up to date from row ``first`` on, and multiply it by the reflection.

    The block on the diagonal is kept on both of its sides.
    """
    long, first = width(size) * LANES, first - first % BLOCK
    for i in range(first, size, BLOCK):
        own, two, three, four = i * SIDES, (i + 1) * SIDES, (i + 2) * SIDES, (i + 3) * SIDES
        rows = _side(sides, own), _side(sides, two), _side(sides, three), _side(sides, four)
        products = (
            load(sides, own + _P), load(sides, two + _P), load(sides, three + _P),
            load(sides, four + _P),
        )  # fmt: skip
        for j in range(first, i, BLOCK):
            at = i * long + j * LANES
            places = at, at + long, at + 2 * long, at + 3 * long
            products = _block(matrix, places, rows, sides, j * SIDES, products, True)
        at = i * long + i * LANES
        places = at, at + long, at + 2 * long, at + 3 * long
        products = _block(matrix, places, rows, sides, own, products, False)
        store(sides, own + _P, products[0])
        store(sides, two + _P, products[1])
        store(sides, three + _P, products[2])
        store(sides, four + _P, products[3])


@kernel(sized=True)
def _reflect(matrix: F, sides: F, step: int, size: int, beside: F, factor: F, at: int) -> None:
    """Bring column ``step`` up to date and make the reflection that clears it below ``beside``.

    The reflection is kept in the column; ``factor`` is 2 over its squared length.
    """
    long, here = width(size) * LANES, step * LANES
    corner = _side(sides, step * SIDES)
    square = corner[0] * 0.0
    for i in range(step, size):
        value = _element(matrix, i * long + here, _side(sides, i * SIDES), corner)
        if i > step:
            square = square + value * value
    for part in range(0, _P, LANES):
        store(sides, step * SIDES + part, 0.0)
    if step == size - 1:
        return
    below = (step + 1) * long + here
    value, length = load(matrix, below), root(square)
    element = signed(length, value) * -1.0
    store(beside, at, element)
    store(matrix, below, value - element)
    # The squared length of the reflection, without the sum of squares again.
    twice = square + length * absolute(value)
    store(factor, at, where(twice > 0.0, 1.0 / twice, 0.0))
    for i in range(step + 1, size):
        store(sides, i * SIDES + _U, load(matrix, i * long + here))
        store(sides, i * SIDES + _P, 0.0)


@kernel(sized=True)
def tridiagonal(
    matrix: F, size: int, diagonal: F, beside: F, factor: F, sides: F, lane: int
) -> None:
    """Reduce eight matrices (size x width x 8), of which the lower half is read, to diagonals.

    ``diagonal``, ``beside`` and ``factor`` (size x 64), from ``lane`` on: the elements on and below
    the diagonal, and 2 over the squared length of each reflection, which the matrix then holds in
    its columns. ``sides`` (4 x width x 8) is room.
    """
    long = width(size) * LANES
    sides[:] = 0.0
    for step in range(size):
        at = step * ABREAST + lane
        _reflect(matrix, sides, step, size, beside, factor, at)
        store(diagonal, at, load(matrix, step * long + step * LANES))
        if step == size - 1:
            return
        _update(matrix, sides, size, step + 1)
        along = load(sides, 0) * 0.0
        for i in range(step + 1, size):
            along = along + load(sides, i * SIDES + _U) * load(sides, i * SIDES + _P)
        scale = load(factor, at)
        along = along * (0.5 * scale)
        for i in range(step + 1, size):
            u = load(sides, i * SIDES + _U)
            store(sides, i * SIDES, u)
            store(sides, i * SIDES + _W, scale * (load(sides, i * SIDES + _P) - along * u))
