"""Leading component of trailing windows of several series, by the power method."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F, first_block


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
def _moments(total: F, columns: int, window: int, centred: bool, matrix: F) -> float:
    """Second moments from the sums of ``_add``, about the mean if ``centred``; returns the trace.

    ``matrix`` : (4 n, 4 n), filled up with zeros.
    """
    sums = total[len(total) - columns :]
    at, trace = 0, 0.0
    for k in range(columns):
        mean = sums[k] / window if centred else 0.0
        for j in range(k, columns):
            matrix[k, j] = matrix[j, k] = total[at] - mean * sums[j]
            at += 1
        trace += matrix[k, k]
    return trace


@kernel
def _power(matrix: F, start: F, steps: int, v: F, turned: F) -> float:
    """Turn ``start`` towards the leading eigenvector, into ``v`` (unit length); its eigenvalue.

    A fixed number of steps, each scaled by the largest element.
    """
    v[:] = 0.0
    v[: len(start)] = start
    length = 0.0
    for step in range(steps):
        turned[:] = 0.0
        before = length
        for a in range(0, len(v), 4):
            r0, r1, r2, r3 = matrix[a], matrix[a + 1], matrix[a + 2], matrix[a + 3]
            v0, v1, v2, v3 = v[a], v[a + 1], v[a + 2], v[a + 3]
            for b in range(len(v)):
                turned[b] += (r0[b] * v0 + r1[b] * v1) + (r2[b] * v2 + r3[b] * v3)
        if step == steps - 1:
            before = np.sqrt((v * v).sum())
            length = np.sqrt((turned * turned).sum())
            v[:] = turned / length
            return length / before
        v[:] = turned / np.max(np.abs(turned))
    return np.nan


@kernel
def component(
    x: F, window: int, first_minute: int, start: F, steps: int, since: int, centred: bool
) -> F:
    """Leading component of the windows that end at row ``since`` or later: (T, C) -> (T, C + 1).

    Unit loadings, turned to a positive product with ``start`` (C,), then the component's share of
    the second moments, about the mean if ``centred``. NaN where nothing moved.
    """
    rows, columns = x.shape
    out = np.full((rows, columns + 1), np.nan)
    total = np.empty(columns * (columns + 1) // 2 + columns)
    tail = np.zeros((window + 1, len(total)))
    width = -(-columns // 4) * 4
    matrix, v, turned = np.zeros((width, width)), np.empty(width), np.empty(width)
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
        for row in range(block, min(block + window, rows)):
            _add(x[row], total)
            before = window - (row - block + 1)
            if before > block or row < since:
                continue
            trace = _moments(total + tail[before], columns, window, centred, matrix)
            if trace > 0.0:
                share = _power(matrix, start, steps, v, turned) / trace
                side = (v[:columns] * start).sum()
                out[row, :columns] = np.copysign(1.0, side) * v[:columns]
                out[row, columns] = min(share, 1.0)
    return out


@kernel
def projected(x: F, loadings: F) -> F:
    """Sum of columns (T, C) under each row's loadings, (T, C) or more: (T,)."""
    out = np.zeros(len(x))
    for row in range(len(x)):
        for j in range(x.shape[1]):
            out[row] += loadings[row, j] * x[row, j]
    return out
