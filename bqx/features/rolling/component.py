"""Leading component of trailing windows of several series."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.eigenvectors import leading
from bqx.features.rolling.householder import ABREAST, BLOCK, whole, width
from bqx.features.rolling.sums import F, first_block
from bqx.features.rolling.tolerances import UNDECIDED
from bqx.lanes import LANES, load, store


@kernel
def _long(columns: int) -> int:
    """Length of a row of columns with a one, up to a multiple of eight numbers."""
    return (columns // LANES + 1) * LANES


@kernel
def _add(x: F, first: int, step: int, rows: int, total: F, beside: F) -> None:
    """Add the products of rows, one after another, of each value with the eight that it is among
    and all after these, among them a one at the end.

    ``step`` : 1 for rows that follow, -1 for those before. ``beside`` : room for four rows of
    `_long`, with the ones: of four the sums are read and written once.
    """
    columns = x.shape[1]
    size, row, left = _long(columns), first, rows
    second, third, fourth = size, 2 * size, 3 * size
    while left:
        at_once = 4 if left >= 4 else 1
        for n in range(at_once):
            for k in range(columns):
                beside[n * size + k] = x[row + n * step, k]
        place = 0
        for k in range(columns):
            for j in range(k // LANES * LANES, size, LANES):
                sums = load(total, place) + load(beside, j) * beside[k]
                if at_once == 4:
                    sums = sums + load(beside, second + j) * beside[second + k]
                    sums = sums + load(beside, third + j) * beside[third + k]
                    sums = sums + load(beside, fourth + j) * beside[fourth + k]
                store(total, place, sums)
                place += LANES
        row, left = row + at_once * step, left - at_once


@kernel
def _places(columns: int) -> NDArray[np.int64]:
    """Where the products of each value would begin among those of `_add`, and of how many there
    are: (C + 1,).
    """
    size, place = _long(columns), 0
    out = np.empty(columns + 1, dtype=np.int64)
    for k in range(columns):
        out[k] = place - k // LANES * LANES
        place = out[k] + size
    out[columns] = place
    return out


@kernel
def _moments(
    total: F, places: NDArray[np.int64], window: int, centred: bool, matrix: F, lane: int
) -> bool:
    """Second moments over their trace from the sums of ``_add``, about the mean if ``centred``.

    They fill a lane of ``matrix`` as ``leading`` reads it. Whether there are any: else zeros do,
    since NaN would stay in the matrix for those that follow.
    """
    columns = len(places) - 1
    long, place = width(columns) * LANES, lane // LANES * whole(columns) + lane % LANES
    trace = 0.0
    for k in range(columns):
        mean = total[places[k] + columns] / window if centred else 0.0
        for j in range(k, columns):
            total[places[k] + j] -= mean * total[places[j] + columns]
        trace += total[places[k] + k]
    moved = trace > 0.0 and trace < np.inf
    for k in range(columns):
        for j in range(k, columns):
            value = total[places[k] + j] / trace if moved else 0.0
            matrix[place + j * long + k * LANES] = value
            if j // BLOCK == k // BLOCK:
                matrix[place + k * long + j * LANES] = value
    return moved


@kernel
def _loadings(values: F, vector: F, start: F, lane: int, out: F) -> None:
    """Loadings and share of a lane: (C + 1,); NaN where it or its sign cannot be told."""
    columns = len(start)
    side = length = 0.0
    for j in range(columns):
        side += vector[j * ABREAST + lane] * start[j]
        length += start[j] * start[j]
    out[columns] = min(values[0, lane], 1.0)
    if values[0, lane] - values[1, lane] > UNDECIDED and abs(side) > UNDECIDED * np.sqrt(length):
        for j in range(columns):
            out[j] = np.copysign(1.0, side) * vector[j * ABREAST + lane]


@kernel(nogil=True)
def component(x: F, window: int, first_minute: int, start: F, since: int, centred: bool) -> F:
    """Leading component of the windows that end at row ``since`` or later: (T, C) -> (T, C + 1).

    Unit loadings, turned to a positive product with ``start`` (C,), then the component's share of
    the second moments, about the mean if ``centred``. NaN where nothing moved; loadings are NaN
    where the two largest eigenvalues or the sides of ``start`` are too close to be told apart.
    """
    rows, columns = x.shape
    out = np.full((rows, columns + 1), np.nan)
    places, beside = _places(columns), np.zeros(4 * _long(columns))
    beside[columns :: _long(columns)] = 1.0
    total = np.empty(places[columns])
    wanted = rows - since
    tail = np.empty((min(window, wanted), len(total)))
    matrix = np.zeros(-(-min(ABREAST, wanted) // LANES) * whole(columns))
    values, vectors = np.empty((2, ABREAST)), np.empty((1, columns * ABREAST))
    moved = np.zeros(ABREAST, dtype=np.bool_)
    for block in range(first_block(first_minute, window), rows, window):
        begin, stop = max(block, since), min(block + window, rows)
        if stop <= begin:
            continue
        # What the windows that end in the rows from begin on have of the block before.
        tail[stop - begin - 1] = 0.0
        total[:] = 0.0
        later = max(min(block + window - 1 - stop, block), 0)
        _add(x, block - 1, -1, later, total, beside)
        for i in range(later, min(block + window - 1 - begin, block)):
            _add(x, block - 1 - i, -1, 1, total, beside)
            tail[block + window - 2 - i - begin] = total
        total[:] = 0.0
        _add(x, block, 1, begin - block, total, beside)
        lanes = 0
        for row in range(begin, stop):
            _add(x, row, 1, 1, total, beside)
            if row >= window - 1:
                sums = total + tail[row - begin]
                moved[lanes] = _moments(sums, places, window, centred, matrix, lanes)
                lanes += 1
            if lanes == ABREAST or row == stop - 1:
                leading(matrix, columns, values, vectors, lanes)
                for lane in range(lanes):
                    if moved[lane]:
                        _loadings(values, vectors[0], start, lane, out[row + 1 - lanes + lane])
                lanes = 0
    return out


@kernel
def projected(x: F, loadings: F) -> F:
    """Sum of columns (T, C) under each row's loadings, (T, C) or more: (T,)."""
    out = np.zeros(len(x))
    for row in range(len(x)):
        for j in range(x.shape[1]):
            out[row] += loadings[row, j] * x[row, j]
    return out
