"""By how many rows the relatives of a pair lead it."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.abreast import deviation_of, shown, size_of_deviation, squares_with
from bqx.features.rolling.multivariate import shifted
from bqx.features.rolling.sums import F, first_block, square_sums

LEADS = 5
"""Rows by which a pair may lead or follow."""

_LAGS = 2 * LEADS + 1
_HEAD = _LAGS + 2


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
    lags = _LAGS
    own_sum, own_square, _ = square_sums(own, window, first_minute)
    level, weight, reference = square_sums(mean, window, first_minute)
    for row in range(rows):
        level[row], weight[row] = _mean(level[row], weight[row], reference[row], window)
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
def _mean(total: float, square: float, reference: float, window: int) -> tuple[float, float]:
    """Mean of the relatives' window, and one over its deviation."""
    squares = square - total * total / window
    return reference + total / window, 1.0 / np.sqrt(squares if squares > 0.0 else np.nan)


@kernel
def size_of_lead(window: int) -> int:
    """Numbers of the state of a lead."""
    series = LEADS + 1 + window + window + _LAGS - 1
    return _HEAD + series + 2 * size_of_deviation(window) + (2 + window) * _LAGS


def lead_of(window: int) -> F:
    """State of a pair's lead before any row: the block's products, and its first values; by their
    minutes the pair's values that are too new, those that are read, and the relatives' means; what
    is summed of both; the means' last levels and weights; products of so many rows before the
    block.
    """
    before = np.full(window * _LAGS, np.nan)
    before[:_LAGS] = 0.0
    values = np.full(_HEAD + LEADS + 1 + window + window + _LAGS - 1, np.nan)
    sums, last = deviation_of(window), np.full(2 * _LAGS, np.nan)
    return np.concatenate((values, sums, sums, last, before))


@kernel
def lead_with(x: F, minute: int, window: int, state: F, out: F) -> None:
    """The leads with the row (5, P) of a market minute, as `best_lead`, into ``out`` (P,); the
    state is then that after it.
    """
    size, count = size_of_deviation(window), window + _LAGS - 1
    mean_at = _HEAD + LEADS + 1 + window
    own_at = mean_at + count
    last_at = own_at + 2 * size
    products, origin, tail = state[:_LAGS], state[_LAGS:_HEAD], state[last_at + 2 * _LAGS :]
    owns, means = state[_HEAD + LEADS + 1 : mean_at], state[mean_at:own_at]
    levels, weights = state[last_at : last_at + _LAGS], state[last_at + _LAGS : last_at + 2 * _LAGS]
    pairs, place = x.shape[1], minute % window
    own = shown(x[0], minute, state[_HEAD : _HEAD + LEADS + 1])
    mean, of_own, of_mean = np.empty(pairs), np.empty((3, pairs)), np.empty((3, pairs))
    for k in range(pairs):
        mean[k] = (x[1, k] + x[2, k] + x[3, k] + x[4, k]) / 4.0
    squares_with(own, minute, window, state[own_at : own_at + size], of_own)
    squares_with(mean, minute, window, state[own_at + size : last_at], of_mean)
    level, weight = levels[minute % _LAGS], weights[minute % _LAGS]
    for k in range(pairs):
        level[k], weight[k] = _mean(of_mean[0, k], of_mean[1, k], of_mean[2, k], window)
    means[minute % count] = mean
    if place == 0:
        products[:] = 0.0
        for i in range(window - 1):
            _multiply(owns[(minute - 1 - i) % window], own, means, mean, minute - 1 - i, products)
            tail[(i + 1) * _LAGS : (i + 2) * _LAGS] = products
        products[:], origin[0], origin[1] = 0.0, own, mean
    owns[place] = own
    _multiply(own, origin[0], means, origin[1], minute, products)
    rest = tail[(window - 1 - place) * _LAGS : (window - place) * _LAGS]
    correlated = np.empty(_LAGS)
    for k in range(pairs):
        total, square = of_own[0, k], of_own[1, k]
        for j in range(_LAGS):
            at = (minute - j) % _LAGS
            together = products[j, k] + rest[j, k] - total * (levels[at, k] - origin[1, k])
            correlated[j] = together * weights[at, k]
        out[k] = _lead(correlated) if square - total * total / window > 0.0 else np.nan


@kernel
def _multiply(own: F, from_own: F, means: F, from_mean: F, minute: int, products: F) -> None:
    """Add products of the pair's distances and those of the means so many rows before."""
    for j in range(_LAGS):
        mean, product = means[(minute - j) % len(means)], products[j]
        for k in range(len(own)):
            product[k] += (own[k] - from_own[k]) * (mean[k] - from_mean[k])


@kernel
def _lead(correlated: F) -> float:
    """Lead of the largest of eleven correlations, in fifths, the shortest first; NaN with a gap."""
    best = LEADS
    for k in range(1, LEADS + 1):
        for j in (LEADS - k, LEADS + k):
            best = j if correlated[j] > correlated[best] else best
    return np.nan if np.isnan(correlated.sum()) else (best - LEADS) / LEADS
