"""Curves of trailing windows in the terms of ``quadratic_terms``, from all rows or row by row."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.products import mean
from bqx.features.rolling.quadratic import fit, fit_of, fits_with
from bqx.features.rolling.sums import F


@kernel
def explained(sigma: float, rmse: float, window: int) -> float:
    """Share of a window's variance that its fit explains, NaN of a flat one."""
    rest = 1.0 - rmse * rmse * window / (sigma * sigma * (window - 1.0))
    return 0.0 if rest < 0.0 else 1.0 if rest > 1.0 else rest


@kernel
def curve(x: F, first_minute: int, window: int) -> F:
    """Fit of each window: (T, 6) a2, a1, a0, R², root mean square and last of the residuals.

    R² of a flat window is NaN.
    """
    fitted, centre = fit(x, window, first_minute), mean(x, window, first_minute)
    return _curve(fitted, centre, x, window, min(window - 1, len(x)))


@kernel
def _curve(fitted: F, centre: F, x: F, window: int, first: int) -> F:
    """The same of fits and means from a first row on."""
    rows = len(x)
    out = np.empty((6, rows))
    out[:, :first] = np.nan
    for row in range(first, rows):
        sigma, rmse, now, middle = fitted[row, 3], fitted[row, 4], x[row], centre[row]
        # A window with a mean and no deviation is flat.
        flat = middle == middle and sigma != sigma
        out[0, row] = 0.0 if flat else fitted[row, 0]
        out[1, row] = 0.0 if flat else fitted[row, 1]
        out[2, row] = now if flat else middle + fitted[row, 2]
        out[3, row] = explained(sigma, rmse, window)
        out[4, row] = 0.0 if flat else rmse
        out[5, row] = 0.0 if flat else fitted[row, 5]
    return out.T


@kernel
def parabola(x: F, first_minute: int, window: int) -> F:
    """Nine readings of the fit to the past ``window`` rows: (T, 9), see the outputs below."""
    out = np.full((9, len(x)), np.nan)
    _past(curve(x, first_minute, window), x, window, out, window, 1)
    return out.T


@kernel
def _past(curves: F, x: F, window: int, out: F, first: int, back: int) -> None:
    """Readings of the curve so many rows before, from a first row on, into ``out`` (9, T)."""
    end = window - 1.0
    for row in range(first, len(x)):
        before = row - back
        a2, a1, a0 = curves[before, 0], curves[before, 1], curves[before, 2]
        r2, last = curves[before, 3], curves[before, 5]
        out[0, row], out[1, row], out[2, row] = a2, a1, a0
        out[3, row], out[4, row] = a2 * end * end, a1 * end
        out[5, row] = r2 if r2 == r2 or a0 != a0 else 0.0
        out[6, row], out[7, row], out[8, row] = curves[before, 4], x[before] - last, last


@kernel
def terms(x: F, first_minute: int, window: int) -> F:
    """Seven readings of the fit to each window: (T, 7), see the outputs below."""
    curves = curve(x, first_minute, window)
    return _in_terms(curves, x, window, min(window - 1, len(x)))


@kernel
def _in_terms(curves: F, x: F, window: int, first: int) -> F:
    rows, end = len(x), window - 1.0
    out = np.empty((7, rows))
    out[:, :first] = np.nan
    for row in range(first, rows):
        last = curves[row, 5]
        out[0, row], out[1, row] = curves[row, 0] * end * end, curves[row, 1] * end
        out[2, row], out[3, row], out[4, row] = curves[row, 2], last, curves[row, 3]
        out[5, row], out[6, row] = curves[row, 4], x[row] - last
    return out.T


@kernel
def _curve_goes_on(now: F, minute: int, window: int, state: F) -> F:
    """What `curve` gives of values (P,) of a market minute: (P, 6), see `fits_with`."""
    fitted = np.empty((8, len(now)))
    fits_with(now, minute, window, state, fitted)
    return _curve(fitted[:7].T, fitted[7], now, window, 0)


@kernel
def terms_go_on(x: F, minute: int, window: int, state: F) -> F:
    """What `terms` gives of a row (1, P), from the states of the rows before: (7, P)."""
    return _in_terms(_curve_goes_on(x[0], minute, window, state), x[0], window, 0).T


def begin_past(window: int) -> F:
    """State of `past_goes_on`: the value and the curve before, and that of the fit."""
    return np.concatenate((np.full(7, np.nan), fit_of(window)))


@kernel
def past_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `parabola` gives of a row (1, P), from the states of the rows before: (9, P)."""
    out = np.empty((9, x.shape[1]))
    _past(state[1:7].T, state[0], window, out, 0, 0)
    state[0], state[1:7] = x[0], _curve_goes_on(x[0], minute, window, state[7:]).T
    return out
