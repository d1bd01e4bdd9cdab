"""Which of some series help to forecast another: Granger's F tests on training rows.

The forecast of a row by the series' own last 15 values is compared with that by these and the
last 15 values of one other series.

Source: C. W. J. Granger, Investigating causal relations by econometric models and cross-spectral
methods, Econometrica 37 (1969).
"""

import numpy as np

from bqx.features.rolling.sums import F

DEPTH = 15
"""Values of each series that forecast the next."""

LEVEL = 0.05
"""Probability of as large an F without any lead, above which there is none."""

LEAST_ROWS = 500
"""Fewest complete rows that a test is made on."""

_BLOCK = 16_384


def _products(x: F) -> tuple[F, int]:
    """Sums of products of a constant, both series' lags and the first's value, and their rows.

    (T, 2) -> (2 DEPTH + 2, 2 DEPTH + 2). A row with a hole among them is left out.
    """
    total, count = np.zeros((2 * DEPTH + 2, 2 * DEPTH + 2)), 0
    for start in range(0, len(x) - DEPTH, _BLOCK):
        stretch = x[start : start + _BLOCK + DEPTH]
        windows = np.lib.stride_tricks.sliding_window_view(stretch, DEPTH + 1, axis=0)
        now, before = windows[:, 0, -1:], windows[:, :, :-1].reshape(len(windows), -1)
        rows = np.hstack([np.ones_like(now), before, now])
        rows = rows[~np.isnan(rows).any(axis=1)]
        total += rows.T @ rows
        count += len(rows)
    return total, count


def _unexplained(products: F, regressors: int) -> float:
    # Sum of squares that the first so many columns leave of the last one.
    sums, shares = products[:regressors, :regressors], products[:regressors, -1]
    if np.linalg.matrix_rank(sums) < regressors:
        return np.nan
    return float(products[-1, -1] - shares @ np.linalg.solve(sums, shares))


def statistic(x: F) -> tuple[float, float]:
    """F of a test whether the second of two series (T, 2) leads the first, and its probability.

    NaN where fewer than 500 rows are complete, or a series is flat.
    """
    # Only a fit needs it, and it takes as long to import as pandas.
    from scipy.special import fdtrc

    nothing = np.nan, np.nan
    if np.isfinite(x).sum(axis=0).min() < LEAST_ROWS:
        return nothing
    deviation = np.nanstd(x, axis=0)
    if not (deviation > 0.0).all():
        return nothing
    # In deviations, so that the sums are of one size.
    products, count = _products((x - np.nanmean(x, axis=0)) / deviation)
    if count < LEAST_ROWS:
        return nothing
    alone, both = _unexplained(products, 1 + DEPTH), _unexplained(products, 1 + 2 * DEPTH)
    spare = count - 1 - 2 * DEPTH
    f = (alone - both) / DEPTH / (both / spare)
    return f, float(fdtrc(DEPTH, spare, f))


def leaders(x: F, most: int) -> F:
    """Places of the series that lead the first of (T, 1 + C), from 0, the largest F first: (most,).

    NaN where there are fewer that do.
    """
    tests = [statistic(x[:, [0, 1 + k]]) for k in range(x.shape[1] - 1)]
    leading = [k for k, (_, probability) in enumerate(tests) if probability < LEVEL]
    best = sorted(leading, key=lambda k: -tests[k][0])[:most]
    out = np.full(most, np.nan)
    out[: len(best)] = best
    return out
