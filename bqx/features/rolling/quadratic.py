"""Quadratic trend over trailing windows.

Over the ``w`` rows that end at the current one, ``y = a2 x^2 + a1 x + b`` is fitted by least
squares with ``x = 0 .. w-1`` from the oldest row; ``mu`` and ``sigma`` (ddof 1) are the window's
mean and standard deviation.
"""

import numpy as np
from numba.extending import register_jitable

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
    # Rows of their own, counted from 0: several of them are then worked on at once.
    a2, a1, start, whole = out[0, first:], out[1, first:], out[2, first:], out[3, first:]
    rest, last, beta = out[4, first:], out[5, first:], out[6, first:]
    total, slope, curve = sums[first:, 0], sums[first:, 1], sums[first:, 2]
    square, r, now, lost = sums[first:, 3], sums[first:, 4], x[first:], 0
    for i in range(len(now)):
        a2[i], a1[i], start[i], whole[i], rest[i], last[i], beta[i] = _solved(
            total[i], slope[i], curve[i], square[i], now[i], r[i], w
        )
    for i in range(len(now)):
        lost += rest[i] < LOST * whole[i]
    for i in range(len(now) if lost else 0):
        if rest[i] < LOST * whole[i]:
            gaps, centre = 0.0, _centre(total[i], a2[i], w)
            for k in range(window):
                gaps += _gap(x[first + i - k] - r[i], centre, beta[i], a2[i], half - k)
            rest[i] = gaps
    for i in range(len(now)):
        whole[i], rest[i] = _deviations(whole[i], rest[i], w)
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


@register_jitable
def size_of_fit(window: int) -> int:
    """Numbers of the state of a fit."""
    return _HEAD + 2 * window + _SUMS * (window + 1)


@kernel
def fit_of(window: int) -> F:
    """State of a pair's fit before any row: the block's four sums of `trend_sums` and first value;
    the values of this block and of the one before, by their minutes; the sums of the one before,
    backwards.
    """
    state = np.full(size_of_fit(window), np.nan)
    state[-_SUMS:] = 0.0  # a window that ends where a block does holds nothing older
    return state


@kernel
def fits_with(now: F, minute: int, window: int, state: F, out: F) -> None:
    """The fits of a window with the values (P,) of a market minute, as `fit`, and the means, into
    ``out`` (8, P), see ``abreast``. The state (S, P) is then that after it.
    """
    pairs, place, w = len(now), minute % window, float(window)
    sums, origin = state[:_SUMS], state[_SUMS]
    values, older = state[_HEAD : _HEAD + 2 * window], state[_HEAD + 2 * window :]
    half = 0.5 * (w - 1.0)
    if place == 0:
        sums[:] = 0.0
        for i in range(window):
            _add(values[(minute - 1 - i) % (2 * window)], now, -1.0 - i, sums)
            at = _SUMS * (window - 1 - i)
            older[at : at + _SUMS] = sums
        sums[:], origin[:] = 0.0, now
    values[minute % (2 * window)] = now
    _add(now, origin, float(place), sums)
    rest, middle = older[_SUMS * (place + 1) : _SUMS * (place + 2)], place - half
    for k in range(pairs):
        t0, t1 = sums[0, k] + rest[0, k], sums[1, k] + rest[1, k]
        t2, tq, r = sums[2, k] + rest[2, k], sums[3, k] + rest[3, k], origin[k]
        slope, curve = t1 - middle * t0, t2 - 2.0 * middle * t1 + middle * middle * t0
        out[0, k], out[1, k], out[2, k], out[3, k], out[4, k], out[5, k], out[6, k] = _solved(
            t0, slope, curve, tq, now[k], r, w
        )
        out[7, k] = r + t0 * (1.0 / window)
    for k in range(pairs):
        if out[4, k] < LOST * out[3, k]:
            total, r = sums[0, k] + rest[0, k], origin[k]
            gaps, centre = 0.0, _centre(total, out[0, k], w)
            for j in range(window):
                value = values[(minute - j) % (2 * window), k]
                gaps += _gap(value - r, centre, out[6, k], out[0, k], half - j)
            out[4, k] = gaps
    for k in range(pairs):
        out[3, k], out[4, k] = _deviations(out[3, k], out[4, k], w)


@kernel
def _add(values: F, origin: F, place: float, sums: F) -> None:
    """Add distances, these by their place and by its square, and their squares."""
    total, rise, bend, square = sums[0], sums[1], sums[2], sums[3]
    for k in range(len(values)):
        d = values[k] - origin[k]
        total[k] += d
        rise[k] += place * d
        bend[k] += place * place * d
        square[k] += d * d
