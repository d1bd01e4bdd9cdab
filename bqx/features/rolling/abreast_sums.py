"""Sums of several series together that go on for several pairs at once, see ``abreast``.

They are those of ``multivariate`` and ``products``, from the same terms in the same order.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.products import PRODUCTS, SERIES
from bqx.features.rolling.sums import F

_CROSS = 3
_ALL = SERIES + PRODUCTS


@kernel
def size_of_cross(columns: int, window: int) -> int:
    """Numbers of the state of cross sums."""
    return columns * (_CROSS + 1 + window + _CROSS * (window + 1))


@kernel
def cross_of(columns: int, window: int) -> F:
    """State of a pair's cross sums before any row: the block's sums of distances, then of their
    squares, then of their products with those of column 0; its first row; its rows; sums of the
    block before, backwards.
    """
    state = np.full(size_of_cross(columns, window), np.nan)
    state[-_CROSS * columns :] = 0.0  # a window that ends where a block does holds nothing older
    return state


@kernel
def raw_cross_with(row: F, minute: int, window: int, state: F, out: F) -> None:
    """Sums of a window with the row (C, P) of a market minute into ``out`` (3 C, P), as they are in
    the state, which is then that after it.
    """
    columns, place = len(row), minute % window
    size = _CROSS * columns
    sums, origin = state[:size], state[size : size + columns]
    block = state[size + columns : size + columns + window * columns]
    older = state[size + columns + window * columns :]
    if place == 0:
        sums[:] = 0.0
        for i in range(window - 1, -1, -1):
            _add(block[i * columns : (i + 1) * columns], row, sums)
            older[i * size : (i + 1) * size] = sums
        sums[:], origin[:] = 0.0, row
    block[place * columns : (place + 1) * columns] = row
    _add(row, origin, sums)
    rest = older[(place + 1) * size : (place + 2) * size]
    for j in range(size):
        for k in range(row.shape[1]):
            out[j, k] = sums[j, k] + rest[j, k]


@kernel
def origins(columns: int, state: F) -> F:
    """What the distances that are summed are from: (C, P)."""
    return state[_CROSS * columns : (_CROSS + 1) * columns]


@kernel
def cross_with(row: F, minute: int, window: int, state: F, out: F) -> None:
    """The sums of a window with the row (C, P) of a market minute, as `multivariate.cross_sums`,
    into ``out`` (2 C - 1, P); the state is then that after it.
    """
    columns, pairs = row.shape
    raw = np.empty((_CROSS * columns, pairs))
    raw_cross_with(row, minute, window, state, raw)
    for k in range(pairs):
        own = raw[0, k] / window
        for j in range(columns):
            total, square = raw[j, k], raw[columns + j, k]
            out[j, k] = square - total * total / window
            if j:
                out[columns + j - 1, k] = raw[2 * columns + j, k] - total * own


@kernel
def _add(row: F, origin: F, sums: F) -> None:
    """Add distances, squares and products with that of column 0."""
    columns, pairs = row.shape
    own, from_own = row[0], origin[0]
    for j in range(columns):
        of, r, t = row[j], origin[j], sums[j]
        s, p = sums[columns + j], sums[2 * columns + j]
        for k in range(pairs):
            d = of[k] - r[k]
            t[k] += d
            s[k] += d * d
            p[k] += (own[k] - from_own[k]) * d


_POWERS = 4


@kernel
def size_of_powers(window: int) -> int:
    """Numbers of the state of sums of powers."""
    return _POWERS + 1 + window + _POWERS * (window + 1)


@kernel
def powers_of(window: int) -> F:
    """State of a pair's sums of powers before any row: those of the block, and its first value; its
    values; sums of the block before, backwards.
    """
    state = np.full(size_of_powers(window), np.nan)
    state[-_POWERS:] = 0.0
    return state


@kernel
def powers_with(values: F, minute: int, window: int, state: F, out: F) -> None:
    """Sums of a window with the values (P,) of a market minute, as `four_sums.power_sums`, into
    ``out`` (5, P); the state is then that after it.
    """
    place, sums, origin = minute % window, state[:_POWERS], state[_POWERS]
    block = state[_POWERS + 1 : _POWERS + 1 + window]
    older = state[_POWERS + 1 + window :]
    if place == 0:
        sums[:] = 0.0
        for i in range(window - 1, -1, -1):
            _raise(block[i], values, sums)
            older[_POWERS * i : _POWERS * (i + 1)] = sums
        sums[:], origin[:] = 0.0, values
    block[place] = values
    _raise(values, origin, sums)
    out[:_POWERS] = sums + older[_POWERS * (place + 1) : _POWERS * (place + 2)]
    out[_POWERS] = origin


@kernel
def _raise(values: F, origin: F, sums: F) -> None:
    """Add powers of distances."""
    one, two, three, four = sums[0], sums[1], sums[2], sums[3]
    for k in range(len(values)):
        d = values[k] - origin[k]
        one[k] += d
        two[k] += d * d
        three[k] += d * d * d
        four[k] += d * d * d * d


@kernel
def size_of_products(window: int) -> int:
    """Numbers of the state of products of four series."""
    return _ALL + SERIES + window * (SERIES + _ALL)


@kernel
def products_of(window: int) -> F:
    """State of a pair's products before any row: the block's sums and first row; its rows; sums of
    so many rows before it.
    """
    state = np.full(size_of_products(window), np.nan)
    start = _ALL + SERIES + window * SERIES
    state[start : start + _ALL] = 0.0
    return state


@kernel
def products_with(row: F, minute: int, window: int, state: F, out: F) -> None:
    """The products of a window with the row (4, P) of a market minute, as `products.products`, into
    ``out`` (10, P); the state is then that after it.
    """
    place, start = minute % window, _ALL + SERIES + window * SERIES
    sums, origin = state[:_ALL], state[_ALL : _ALL + SERIES]
    block, before = state[_ALL + SERIES : start], state[start:]
    if place == 0:
        sums[:] = 0.0
        for i in range(window - 1):
            last = SERIES * (window - 1 - i)
            _multiply(block[last : last + SERIES], row, sums)
            before[_ALL * (i + 1) : _ALL * (i + 2)] = sums
        sums[:], origin[:] = 0.0, row
    block[SERIES * place : SERIES * (place + 1)] = row
    _multiply(row, origin, sums)
    rest, at = before[_ALL * (window - 1 - place) : _ALL * (window - place)], 0
    for a in range(SERIES):
        for b in range(a, SERIES):
            for k in range(row.shape[1]):
                mean = (sums[a, k] + rest[a, k]) / window
                whole = sums[SERIES + at, k] + rest[SERIES + at, k]
                out[at, k] = whole - mean * (sums[b, k] + rest[b, k])
            at += 1


@kernel
def _multiply(row: F, origin: F, sums: F) -> None:
    """Add distances, and their products."""
    at = SERIES
    for a in range(SERIES):
        for b in range(a, SERIES):
            one, other, q, r = row[a], row[b], origin[a], origin[b]
            total, product = sums[a], sums[at]
            for k in range(len(one)):
                d = one[k] - q[k]
                product[k] += d * (other[k] - r[k])
                if a == b:
                    total[k] += d
            at += 1
