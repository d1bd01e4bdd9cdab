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
    first = min(window - 1, rows)
    out[:, :first] = np.nan
    for row in range(first, rows):
        fitted = _solved(
            sums[row, 0], sums[row, 1], sums[row, 2], sums[row, 3], x[row], sums[row, 4], w
        )
        for k in range(7):
            out[k, row] = fitted[k]
    for row in range(first, rows):
        if out[4, row] < LOST * out[3, row]:
            a2, beta, r = out[0, row], out[6, row], sums[row, 4]
            rest, centre = 0.0, _centre(sums[row, 0], a2, w)
            for k in range(window):
                rest += _gap(x[row - k] - r, centre, beta, a2, half - k)
            out[4, row] = rest
    for row in range(first, rows):
        out[3, row], out[4, row] = _deviations(out[3, row], out[4, row], w)
    return out.T


@kernel
def _second(w: float) -> float:
    return w * (w * w - 1.0) / 12.0


@kernel
def _solved(
    total: float, slope: float, curve: float, square: float, now: float, r: float, w: float
) -> tuple[float, float, float, float, float, float, float]:
    """What `fit` gives from the sums of a window, with sums of squares for the deviations."""
    half, m2 = 0.5 * (w - 1.0), _second(w)
    m4 = w * (w * w - 1.0) * (3.0 * w * w - 7.0) / 240.0
    curved = m4 - m2 * m2 / w
    share, over, bent = 1.0 / w, 1.0 / m2, 1.0 / curved
    # Squares of distances from a value inside the window: 0 where it is flat, and only there.
    moving = square > 0.0
    mean = total * share if moving else np.nan
    beta = slope * over if moving else np.nan
    a2 = (curve - m2 * mean) * bent
    centre = mean - a2 * m2 * share
    whole = square - total * mean
    start = centre - beta * half + a2 * half * half - mean
    rest = whole - beta * beta * m2 - a2 * a2 * curved
    last = (now - r) - (centre + beta * half + a2 * half * half)
    return a2, beta - 2.0 * a2 * half, start, whole, rest, last, beta


@kernel
def _centre(total: float, a2: float, w: float) -> float:
    share = 1.0 / w
    return total * share - a2 * _second(w) * share


@kernel
def _gap(apart: float, centre: float, beta: float, a2: float, u: float) -> float:
    """Square of the distance of a value from the curve."""
    gap = apart - (centre + beta * u + a2 * u * u)
    return gap * gap


@kernel
def _deviations(whole: float, rest: float, w: float) -> tuple[float, float]:
    free, share = 1.0 / (w - 1.0), 1.0 / w
    return np.sqrt(whole * free) if whole > 0.0 else np.nan, np.sqrt(rest * share)


_SUMS = 4
_HEAD = _SUMS + 1


@kernel
def size_of_fit(window: int) -> int:
    """Numbers of the state of a fit."""
    return _HEAD + 2 * window + _SUMS * (window + 1)


@kernel
def fit_of(window: int) -> F:
    """State of a fit before any row: the block's four sums of `trend_sums` and first value; the
    values of the block before and of this one; the sums of the one before, backwards.
    """
    state = np.full(size_of_fit(window), np.nan)
    state[-_SUMS:] = 0.0  # a window that ends where a block does holds nothing older
    return state


@kernel
def fit_with(value: float, minute: int, window: int, state: F, out: F) -> float:
    """The fit of a window with the value of a market minute, as `fit`, into ``out`` (7,); the mean.

    The state is then that after it.
    """
    place, w = minute % window, float(window)
    values, older = state[_HEAD : _HEAD + 2 * window], state[_HEAD + 2 * window :]
    if place == 0:
        values[:window] = values[window:].copy()
        s0 = s1 = s2 = sq = 0.0
        for i in range(window):
            k, d, at = -1.0 - i, values[window - 1 - i] - value, _SUMS * (window - 1 - i)
            s0 += d
            s1 += k * d
            s2 += k * k * d
            sq += d * d
            older[at], older[at + 1], older[at + 2], older[at + 3] = s0, s1, s2, sq
        state[:_SUMS], state[_SUMS] = 0.0, value
    values[window + place] = value
    k, d, r, at = float(place), value - state[_SUMS], state[_SUMS], _SUMS * (place + 1)
    state[0] += d
    state[1] += k * d
    state[2] += k * k * d
    state[3] += d * d
    t0, t1 = state[0] + older[at], state[1] + older[at + 1]
    t2, tq = state[2] + older[at + 2], state[3] + older[at + 3]
    half = 0.5 * (w - 1.0)
    middle = k - half
    slope, curve = t1 - middle * t0, t2 - 2.0 * middle * t1 + middle * middle * t0
    fitted = _solved(t0, slope, curve, tq, value, r, w)
    for j in range(7):
        out[j] = fitted[j]
    if out[4] < LOST * out[3]:
        rest, centre = 0.0, _centre(t0, out[0], w)
        for j in range(window):
            rest += _gap(values[window + place - j] - r, centre, out[6], out[0], half - j)
        out[4] = rest
    out[3], out[4] = _deviations(out[3], out[4], w)
    return r + t0 * (1.0 / window)
