"""The two domains side by side, and running sums over pairs of series."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.bars import Bars
from bqx.features.rolling import first_block
from bqx.features.sources import BQX_WINDOW, momentum
from bqx.features.spec import Source

F = NDArray[np.float64]


def _both(bars: Bars) -> F:
    return np.column_stack([bars.index, momentum(bars)])


BOTH = Source("both", "cross", "1", BQX_WINDOW + 1, _both)
"""Rate index (points) and BQX over 15 minutes (a pure number), two columns."""


@njit(cache=True, error_model="numpy")
def pair_sums(x: F, y: F, window: int, first_minute: int) -> F:
    """Sums over each window of dx, dy, dx^2, dy^2, dx dy, and references: (T, 7).

    ``dx = x - rx`` and ``dy = y - ry``, the references lie inside the window (see ``rolling``).
    """
    rows = len(x)
    out = np.full((rows, 7), np.nan)
    tail = np.empty((window, 5))
    for start in range(first_block(first_minute, window), rows, window):
        rx, ry = x[start], y[start]
        sx = sy = sxx = syy = sxy = 0.0
        for i in range(min(window, start)):
            dx, dy = x[start - 1 - i] - rx, y[start - 1 - i] - ry
            sx += dx
            sy += dy
            sxx += dx * dx
            syy += dy * dy
            sxy += dx * dy
            tail[i, 0], tail[i, 1], tail[i, 2], tail[i, 3], tail[i, 4] = sx, sy, sxx, syy, sxy
        sx = sy = sxx = syy = sxy = 0.0
        for row in range(start, min(start + window, rows)):
            dx, dy = x[row] - rx, y[row] - ry
            sx += dx
            sy += dy
            sxx += dx * dx
            syy += dy * dy
            sxy += dx * dy
            before = window - (row - start + 1)
            if before > start:
                continue
            tx, ty, txx, tyy, txy = sx, sy, sxx, syy, sxy
            if before:
                tx += tail[before - 1, 0]
                ty += tail[before - 1, 1]
                txx += tail[before - 1, 2]
                tyy += tail[before - 1, 3]
                txy += tail[before - 1, 4]
            out[row, 0], out[row, 1], out[row, 2], out[row, 3], out[row, 4] = tx, ty, txx, tyy, txy
            out[row, 5], out[row, 6] = rx, ry
    return out


@njit(cache=True)
def runs(x: F) -> NDArray[np.int64]:
    """Rows in a row with the current value: (T,), 1 where it is new; 0 at NaN.

    A window is flat where this reaches its length.
    """
    out = np.zeros(len(x), dtype=np.int64)
    run = 0
    for row in range(len(x)):
        run = run + 1 if row and x[row] == x[row - 1] else 1
        out[row] = 0 if np.isnan(x[row]) else run
    return out


@njit(cache=True, error_model="numpy")
def comoments(x: F, y: F, window: int, first_minute: int) -> F:
    """Means, and centred sums of squares and products, of two series: (T, 5).

    Columns: mean of x, mean of y, sums of squares of x and of y about their means, and of their
    products. The sums of squares are 0 exactly where a series is flat.
    """
    rows = len(x)
    out = np.full((rows, 5), np.nan)
    sums = pair_sums(x, y, window, first_minute)
    flat_x, flat_y = runs(x), runs(y)
    for row in range(rows):
        sx, sy, sxx, syy, sxy, rx, ry = sums[row]
        if np.isnan(sx) or np.isnan(sy):
            continue
        out[row, 0], out[row, 1] = rx + sx / window, ry + sy / window
        out[row, 2] = max(sxx - sx * sx / window, 0.0) if flat_x[row] < window else 0.0
        out[row, 3] = max(syy - sy * sy / window, 0.0) if flat_y[row] < window else 0.0
        out[row, 4] = sxy - sx * sy / window
    return out


@njit(cache=True)
def correlation(sxx: float, syy: float, sxy: float) -> float:
    """Correlation of centred sums, NaN where a series is flat, never beyond 1."""
    if not (sxx > 0.0 and syy > 0.0):
        return np.nan
    return min(max(sxy / (np.sqrt(sxx) * np.sqrt(syy)), -1.0), 1.0)
