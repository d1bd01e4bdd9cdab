"""Readings of cross-sections: one row holds a value of every pair, and stands for itself."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.multivariate import snapped
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING


@kernel
def place(values: F, column: int) -> float:
    """Rank of a value among all, ascending, ties averaged: 1 to C."""
    out = 0.5
    own = values[column]
    for value in values:
        if abs(own - value) <= ROUNDING * max(abs(own), abs(value)):
            out += 0.5
        elif value < own:
            out += 1.0
    return out


@kernel
def ranks_of(x: F, column: int) -> F:
    """Rank of a column in each of M cross-sections, ascending, ties averaged: (M, T, C) -> (T, M).

    1 to C.
    """
    metrics, rows, _ = x.shape
    out = np.full((rows, metrics), np.nan)
    for k in range(metrics):
        for row in range(rows):
            if not np.isnan(x[k, row].sum()):
                out[row, k] = place(x[k, row], column)
    return out


@kernel
def across(x: F) -> F:
    """Each row's deviation (ddof 1), shares above and below 0, size of the mean sign and share
    above the median: (T, C) -> (T, 5).
    """
    rows, columns = x.shape
    out = np.full((rows, 5), np.nan)
    for row in range(rows):
        mean = 0.0
        for j in range(columns):
            mean += (x[row, j] - x[row, 0]) / columns
        if np.isnan(mean):
            continue
        squares = 0.0
        above = below = 0
        for j in range(columns):
            squares += (x[row, j] - x[row, 0] - mean) ** 2
            above += x[row, j] > 0.0
            below += x[row, j] < 0.0
        out[row, 0] = np.sqrt(squares / (columns - 1.0))
        out[row, 1] = above / columns
        out[row, 2] = below / columns
        out[row, 3] = abs(above - below) / columns
        out[row, 4] = (x[row] > np.median(x[row])).sum() / columns
    return out


@kernel
def places(values: F, out: F) -> None:
    """Ranks of all values into ``out``, as ``place``; runs of ties share theirs."""
    order = np.argsort(values)
    first = 0
    for k in range(1, len(values) + 1):
        if k < len(values):
            low, high = values[order[k - 1]], values[order[k]]
            if high - low <= ROUNDING * max(abs(low), abs(high)):
                continue
        for i in range(first, k):
            out[order[i]] = (first + 1 + k) / 2.0
        first = k


@kernel
def rank_correlation(x: F, y: F) -> F:
    """Correlation of the ranks of two cross-sections, ties averaged: (T,)."""
    rows, columns = x.shape
    out = np.full(rows, np.nan)
    middle = (columns + 1.0) / 2.0
    a, b = np.empty(columns), np.empty(columns)
    for row in range(rows):
        if np.isnan(x[row].sum() + y[row].sum()):
            continue
        places(x[row], a)
        places(y[row], b)
        saa = sbb = sab = 0.0
        for i in range(columns):
            saa += (a[i] - middle) ** 2
            sbb += (b[i] - middle) ** 2
            sab += (a[i] - middle) * (b[i] - middle)
        out[row] = correlation(saa, sbb, sab)
    return out


@kernel
def without_rounding(x: F) -> F:
    """Moves (T, C) with those set to 0 that are nothing but rounding."""
    out = x.copy()
    for row in range(len(x)):
        for j in range(x.shape[1]):
            out[row, j] = snapped(x[row, j])
    return out
