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
    return _curve(fit(x, window, first_minute), mean(x, window, first_minute), x, window)


@kernel
def _curve(fitted: F, centre: F, x: F, window: int) -> F:
    """The same of fits and means."""
    rows = len(x)
    out = np.empty((6, rows))
    for row in range(rows):
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
    out = np.empty((9, len(x)))
    out[:, :1] = np.nan
    out[:, 1:] = _in_places(curve(x, first_minute, window), x, window)[:, : len(x) - 1]
    return out.T


@kernel
def _in_places(curves: F, x: F, window: int) -> F:
    """Nine readings of each curve: (9, T)."""
    end = window - 1.0
    out = np.empty((9, len(x)))
    for row in range(len(x)):
        a2, a1, a0 = curves[row, 0], curves[row, 1], curves[row, 2]
        r2, last = curves[row, 3], curves[row, 5]
        out[0, row], out[1, row], out[2, row] = a2, a1, a0
        out[3, row], out[4, row] = a2 * end * end, a1 * end
        out[5, row] = r2 if r2 == r2 or a0 != a0 else 0.0
        out[6, row], out[7, row], out[8, row] = curves[row, 4], x[row] - last, last
    return out


@kernel
def terms(x: F, first_minute: int, window: int) -> F:
    """Seven readings of the fit to each window: (T, 7), see the outputs below."""
    return _in_terms(curve(x, first_minute, window), x, window)


@kernel
def _in_terms(curves: F, x: F, window: int) -> F:
    """The same of curves."""
    rows, end = len(x), window - 1.0
    out = np.empty((7, rows))
    for row in range(rows):
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
    return _curve(fitted[:7].T, fitted[7], now, window)


@kernel
def terms_go_on(x: F, minute: int, window: int, state: F) -> F:
    """What `terms` gives of a row (1, P), from the states of the rows before: (7, P)."""
    return _in_terms(_curve_goes_on(x[0], minute, window, state), x[0], window).T


def begin_past(window: int) -> F:
    """State of `past_goes_on`: the value and the curve before, and that of the fit."""
    return np.concatenate((np.full(7, np.nan), fit_of(window)))


@kernel
def past_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `parabola` gives of a row (1, P), from the states of the rows before: (9, P)."""
    out = _in_places(state[1:7].T, state[0], window)
    state[0], state[1:7] = x[0], _curve_goes_on(x[0], minute, window, state[7:]).T
    return out
