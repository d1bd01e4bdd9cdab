"""Leading component of trailing windows of several series."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.eigenvectors import leading
from bqx.features.rolling.householder import ABREAST, BLOCK, whole, width
from bqx.features.rolling.sums import F, first_block
from bqx.features.rolling.tolerances import UNDECIDED
from bqx.lanes import LANES


@kernel
def _add(values: F, total: F) -> None:
    """Add the products of a row's values, each with itself and those after it, then the values."""
    columns, at = len(values), 0
    for k in range(columns):
        value, later = values[k], values[k:]
        products = total[at:]
        for j in range(len(later)):
            products[j] += value * later[j]
        at += columns - k
    for k in range(columns):
        total[at + k] += values[k]


@kernel
def _moments(total: F, columns: int, window: int, centred: bool, matrix: F, lane: int) -> bool:
    """Second moments over their trace from the sums of ``_add``, about the mean if ``centred``.

    They fill a lane of ``matrix`` as ``leading`` reads it. Whether there are any: else zeros do,
    since NaN would stay in the matrix for those that follow.
    """
    sums, long = total[len(total) - columns :], width(columns) * LANES
    place = lane // LANES * whole(columns) + lane % LANES
    at, trace = 0, 0.0
    for k in range(columns):
        mean = sums[k] / window if centred else 0.0
        for j in range(k, columns):
            total[at] -= mean * sums[j]
            trace += total[at] if j == k else 0.0
            at += 1
    moved = trace > 0.0 and trace < np.inf
    at = 0
    for k in range(columns):
        for j in range(k, columns):
            value = total[at] / trace if moved else 0.0
            matrix[place + j * long + k * LANES] = value
            if j // BLOCK == k // BLOCK:
                matrix[place + k * long + j * LANES] = value
            at += 1
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
    total = np.empty(columns * (columns + 1) // 2 + columns)
    tail = np.zeros((window + 1, len(total)))
    matrix = np.zeros(ABREAST // LANES * whole(columns))
    values, vectors = np.empty((2, ABREAST)), np.empty((1, columns * ABREAST))
    moved = np.zeros(ABREAST, dtype=np.bool_)
    for block in range(first_block(first_minute, window), rows, window):
        if block + window <= since:
            continue
        total[:] = 0.0
        for i in range(min(window, block)):
            _add(x[block - 1 - i], total)
            # Of the window that ends so much later.
            if block + window - 2 - i >= since:
                tail[i + 1] = total
        total[:] = 0.0
        lanes = 0
        for row in range(block, min(block + window, rows)):
            _add(x[row], total)
            before = window - (row - block + 1)
            if before <= block and row >= since:
                sums = total + tail[before]
                moved[lanes] = _moments(sums, columns, window, centred, matrix, lanes)
                lanes += 1
            if lanes == ABREAST or row == min(block + window, rows) - 1:
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
