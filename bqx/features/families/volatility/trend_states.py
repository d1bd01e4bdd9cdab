"""Trend over short and long windows: its class by the straight line, and what agrees with it."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.four_sums import trend_sums
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import count, deviation

SHORT, LONG = 20, 60
"""Rows of short and long readings."""

WEAK, STRONG = 0.3, 1.0
"""Trend scores that part the five classes of trend."""

SIDEWAYS = 0.25
"""R² of the line below which a market goes sideways."""


@kernel
def line(x: F, returns: F, window: int, first_minute: int) -> tuple[F, F, F]:
    """Class of trend, R² and slope of the straight line: three (T,) arrays.

    Classes run from -2 (strongly down) to 2, 0 in a flat window, which has no R².

    The score is the line's rise over the window, over the deviation of returns times the square
    root of the window: on a random walk its deviation is about 1.1 and the classes hold alike.
    """
    rows = len(x)
    grade, strength, steep = np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan)
    sums = trend_sums(x, window, first_minute)
    sigma = deviation(returns, window, first_minute)
    m2, root = window * (window * window - 1.0) / 12.0, np.sqrt(window)
    for row in range(rows):
        steep[row] = sums[row, 1] / m2
        if sums[row, 3] > 0.0:
            whole = sums[row, 3] - sums[row, 0] * sums[row, 0] / window
            strength[row] = min(steep[row] * sums[row, 1] / whole, 1.0)
        if sigma[row] > 0.0:
            size = abs(steep[row]) * root / (x[row] * sigma[row])
            sign = 1.0 if steep[row] > 0.0 else -1.0
            grade[row] = sign * (2.0 if size > STRONG else 1.0) if size > WEAK else 0.0
        elif sigma[row] == 0.0:
            grade[row] = 0.0
    return grade, strength, steep


@kernel
def trend(x: F, first_minute: int) -> F:
    """Eight readings of trend: (T, 8), see the outputs below."""
    rows = len(x)
    out = np.full((rows, 8), np.nan)
    clean, returns = clean_rows(x), log_returns(x)
    out[:, 0], out[:, 2], steep = line(x, returns, SHORT, first_minute)
    out[:, 1], out[:, 3], _ = line(x, returns, LONG, first_minute)
    up, down = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        if clean[row] > 1:
            up[row], down[row] = x[row] > x[row - 1], x[row] < x[row - 1]
    up, down = count(up, SHORT), count(down, SHORT)
    for row in range(rows):
        if clean[row] > SHORT:
            net = x[row] - x[row - SHORT]
            agreeing = up[row] if net > 0.0 else down[row]
            out[row, 4] = agreeing / SHORT if net != 0.0 else 0.5
        if clean[row] > 2 * SHORT:
            earlier = x[row - SHORT] - x[row - 2 * SHORT]
            net = x[row] - x[row - SHORT]
            out[row, 5] = (net > 0.0 and earlier < 0.0) or (net < 0.0 and earlier > 0.0)
        if row >= SHORT:
            out[row, 6] = steep[row] - steep[row - SHORT]
        if clean[row] >= SHORT:
            out[row, 7] = 0.0 if out[row, 2] >= SIDEWAYS - ROUNDING else 1.0
    return out
