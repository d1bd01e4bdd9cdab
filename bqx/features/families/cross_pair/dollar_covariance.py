"""Covariance of the dollar pairs' returns, its eigenvalues and the mean correlation of two."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.multivariate import cross_sums
from bqx.features.rolling.standing import tercile
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import OFF_DIAGONAL
from bqx.features.rolling.trailing import z_score, zone
from bqx.market.sessions import DAY

MEMORY = 240
"""Rows among which the mean correlation is placed."""

_SWEEPS = 12
_BREAKOUT = 2.0


@kernel
def eigenvalues(matrix: F) -> F:
    """Eigenvalues of a symmetric matrix, by Jacobi's rotations in a fixed order; it is overwritten.

    Source: C. Jacobi (1846); Golub and Van Loan, Matrix Computations, 8.5.
    """
    size = len(matrix)
    for _ in range(_SWEEPS):
        off = 0.0
        for p in range(size - 1):
            for q in range(p + 1, size):
                off += matrix[p, q] * matrix[p, q]
        if off <= OFF_DIAGONAL * np.trace(matrix) ** 2:
            break
        for p in range(size - 1):
            for q in range(p + 1, size):
                if matrix[p, q] == 0.0:
                    continue
                tau = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
                t = (1.0 if tau >= 0.0 else -1.0) / (abs(tau) + np.sqrt(1.0 + tau * tau))
                c = 1.0 / np.sqrt(1.0 + t * t)
                s = t * c
                for k in range(size):
                    a, b = matrix[k, p], matrix[k, q]
                    matrix[k, p], matrix[k, q] = c * a - s * b, s * a + c * b
                for k in range(size):
                    a, b = matrix[p, k], matrix[q, k]
                    matrix[p, k], matrix[q, k] = c * a - s * b, s * a + c * b
    return np.diag(matrix).copy()


@kernel(nogil=True)
def products_of(x: F, window: int, first_minute: int) -> F:
    """Centred sums of products over each window of all columns, each with itself and with those
    after it, then the mean correlation of two: (T, C) -> (T, C (C + 1) / 2 + 1).
    """
    rows, size = x.shape
    places = size * (size + 1) // 2
    out, at = np.empty((places + 1, rows)), 0
    for k in range(size):
        sums = cross_sums(x[:, k:].copy(), window, first_minute)
        out[at] = sums[:, 0]
        for j in range(1, size - k):
            out[at + j] = sums[:, size - k + j - 1]
        at += size - k
    for row in range(rows):
        out[places, row] = _correlations(_matrix(out[:places, row], size, window)).mean()
    return out.T


@kernel
def _matrix(products: F, size: int, window: int) -> F:
    """Covariances from sums of products: (C, C)."""
    out, at = np.empty((size, size)), 0
    for k in range(size):
        for j in range(k, size):
            out[k, j] = out[j, k] = products[at] / (window - 1.0)
            at += 1
    return out


@kernel
def _correlations(matrix: F) -> F:
    size, at = len(matrix), 0
    out = np.empty(size * (size - 1) // 2)
    for k in range(size):
        for j in range(k + 1, size):
            out[at] = correlation(matrix[k, k], matrix[j, j], matrix[k, j])
            at += 1
    return out


@kernel(nogil=True)
def together(products: F, size: int, first_minute: int, window: int, since: int) -> F:
    """Covariance of the dollar pairs' returns in basis points: (T, P) -> (T, 8), from row ``since``
    on.

    ``products`` : see `products_of`.

    Determinant, trace, largest eigenvalue and its share of the trace, tercile of the mean
    correlation within a day, whether it has left its range, itself, and its deviation.
    """
    rows = len(products)
    out = np.full((rows, 8), np.nan)
    means = products[:, -1].copy()
    late, near = max(since - DAY + 1, 0), max(since - MEMORY + 1, 0)
    regimes = tercile(means[late:], DAY)
    scores = z_score(means[near:], MEMORY, first_minute + near)
    for row in range(since, rows):
        out[row, 4] = regimes[row - late]
        out[row, 5] = abs(zone(scores[row - near], -_BREAKOUT, _BREAKOUT))
        mean = out[row, 6] = means[row]
        if np.isnan(products[row, :-1].sum()):
            continue
        matrix = _matrix(products[row, :-1], size, window)
        correlations = _correlations(matrix)
        out[row, 7] = np.sqrt(((correlations - mean) ** 2).sum() / (len(correlations) - 1.0))
        trace = out[row, 1] = np.trace(matrix)
        values = eigenvalues(matrix)
        out[row, 0], out[row, 2] = max(np.prod(values), 0.0), np.max(values)
        if trace > 0.0:
            out[row, 3] = min(out[row, 2] / trace, 1.0)
    return out
