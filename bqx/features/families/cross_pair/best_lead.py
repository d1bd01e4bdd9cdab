"""By how many rows the relatives of a pair lead it."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.multivariate import shifted
from bqx.features.rolling.sums import F, first_block, square_sums

LEADS = 5
"""Rows by which a pair may lead or follow."""


@kernel
def best_lead(x: F, first_minute: int, window: int) -> F:
    """Rows, in fifths from -1 to 1, by which the relatives' mean leads the pair best: (T,).

    The pair's window ends five rows ago; the relatives' windows lie from five rows after it to
    five before. The largest correlation wins, of equal ones the shortest lead.
    """
    rows = len(x)
    out = np.full(rows, np.nan)
    own = shifted(x[:, 0].copy(), LEADS)
    mean = (x[:, 1] + x[:, 2] + x[:, 3] + x[:, 4]) / 4.0
    lags = 2 * LEADS + 1
    own_sum, own_square, _ = square_sums(own, window, first_minute)
    level, weight, reference = square_sums(mean, window, first_minute)
    for row in range(rows):
        squares = weight[row] - level[row] * level[row] / window
        # One over the deviation of the relatives' window.
        weight[row] = 1.0 / np.sqrt(squares if squares > 0.0 else np.nan)
        level[row] = reference[row] + level[row] / window
    products, correlated, tail = np.empty(lags), np.empty(lags), np.zeros((window + 1, lags))
    for start in range(first_block(first_minute, window), rows, window):
        products[:] = 0.0
        for i in range(min(window, start - lags + 1)):
            d = own[start - 1 - i] - own[start]
            for j in range(lags):
                products[j] += d * (mean[start - 1 - i - j] - mean[start])
                tail[i + 1, j] = products[j]
        products[:] = 0.0
        for row in range(max(start, lags - 1), min(start + window, rows)):
            d = own[row] - own[start]
            for j in range(lags):
                products[j] += d * (mean[row - j] - mean[start])
            before = window - (row - start + 1)
            squares = own_square[row] - own_sum[row] * own_sum[row] / window
            if before > start - lags + 1 or not squares > 0.0:
                continue
            for j in range(lags):
                centre = level[row - j] - mean[start]
                together = products[j] + tail[before, j] - own_sum[row] * centre
                correlated[j] = together * weight[row - j]
            out[row] = _lead(correlated)
    return out


@kernel
def _lead(correlated: F) -> float:
    """Lead of the largest of eleven correlations, in fifths, the shortest first; NaN with a gap."""
    best = LEADS
    for k in range(1, LEADS + 1):
        for j in (LEADS - k, LEADS + k):
            best = j if correlated[j] > correlated[best] else best
    return np.nan if np.isnan(correlated.sum()) else (best - LEADS) / LEADS
