"""Quadratic trend over trailing windows.

Over the ``w`` rows that end at the current one, ``y = a2 x^2 + a1 x + b`` is fitted by least
squares with ``x = 0 .. w-1`` from the oldest row; ``mu`` and ``sigma`` (ddof 1) are the window's
mean and standard deviation.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.four_sums import trend_sums
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import LOST


@kernel
def fit(x: F, window: int, first_minute: int) -> F:
    """Quadratic fit of each window: (T, 7) of a2, a1, b - mu, sigma, rmse, last residual, slope.

    ``slope`` belongs to the straight line. A flat window gives NaN.
    """
    rows = len(x)
    out = np.empty((7, rows))
    sums = trend_sums(x, window, first_minute)
    w = float(window)
    half = 0.5 * (w - 1.0)
    m2 = w * (w * w - 1.0) / 12.0
    m4 = w * (w * w - 1.0) * (3.0 * w * w - 7.0) / 240.0
    curved = m4 - m2 * m2 / w
    share, free, over, bent = 1.0 / w, 1.0 / (w - 1.0), 1.0 / m2, 1.0 / curved
    first = min(window - 1, rows)
    out[:, :first] = np.nan
    for row in range(first, rows):
        # Squares of distances from a value inside the window: 0 where it is flat, and only there.
        moving = sums[row, 3] > 0.0
        mean = sums[row, 0] * share if moving else np.nan
        beta = sums[row, 1] * over if moving else np.nan
        a2 = (sums[row, 2] - m2 * mean) * bent
        centre = mean - a2 * m2 * share
        total = sums[row, 3] - sums[row, 0] * mean
        out[0, row], out[1, row] = a2, beta - 2.0 * a2 * half
        out[2, row] = centre - beta * half + a2 * half * half - mean
        out[3, row] = total
        out[4, row] = total - beta * beta * m2 - a2 * a2 * curved
        out[5, row] = (x[row] - sums[row, 4]) - (centre + beta * half + a2 * half * half)
        out[6, row] = beta
    for row in range(first, rows):
        if out[4, row] < LOST * out[3, row]:
            a2, beta, r = out[0, row], out[6, row], sums[row, 4]
            centre = sums[row, 0] * share - a2 * m2 * share
            rest = 0.0
            for k in range(window):
                u = half - k
                gap = (x[row - k] - r) - (centre + beta * u + a2 * u * u)
                rest += gap * gap
            out[4, row] = rest
    for row in range(first, rows):
        out[3, row] = np.sqrt(out[3, row] * free) if out[3, row] > 0.0 else np.nan
        out[4, row] = np.sqrt(out[4, row] * share)
    return out.T
