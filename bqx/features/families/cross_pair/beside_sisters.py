"""Kernels of a pair's BQX beside those of its first two sisters, from all rows or row by row."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.abreast import shown
from bqx.features.rolling.abreast_sums import cross_of, cross_with, size_of_cross
from bqx.features.rolling.multivariate import correlations, correlations_of, shifted
from bqx.features.rolling.quadratic import fit, fit_of, fits_with, size_of_fit
from bqx.features.rolling.sums import F, mean_std

_OWN, _SISTERS = 1.5, 0.67
_DECOUPLED = -0.3


@kernel
def products(x: F, first_minute: int, window: int) -> F:
    """Quadratic and linear term at the window's end, own times sister's: (T, 3) -> (T, 4)."""
    fits = [fit(x[:, k].copy(), window, first_minute) for k in range(3)]
    return _multiplied(fits[0], fits[1], fits[2], window)


@kernel
def _multiplied(own: F, one: F, other: F, window: int) -> F:
    """The same of fits."""
    out = np.empty((len(own), 4))
    end = window - 1.0
    for k in range(2):
        sister = other if k else one
        for row in range(len(own)):
            out[row, 2 * k] = own[row, 0] * (end * end) * (sister[row, 0] * (end * end))
            out[row, 2 * k + 1] = own[row, 1] * end * (sister[row, 1] * end)
    return out


def begin_products(window: int) -> F:
    """State of `products_go_on`: those of the fits."""
    return np.concatenate([fit_of(window)] * 3)


@kernel
def products_go_on(x: F, minute: int, window: int, state: F) -> F:
    """What `products` gives of a row (3, P), from the states of the rows before: (4, P)."""
    size, fits = size_of_fit(window), np.empty((3, 8, x.shape[1]))
    for k in range(3):
        fits_with(x[k], minute, window, state[k * size : (k + 1) * size], fits[k])
    return _multiplied(fits[0].T, fits[1].T, fits[2].T, window).T


@kernel
def volatility(x: F, first_minute: int, window: int) -> F:
    """Deviation over the sister's, whether it is above 1.5, below 0.67: (T, 3) -> (T, 6)."""
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    own = mean_std(x[:, 0].copy(), window, first_minute, 1)[1]
    for k in range(2):
        sister = mean_std(x[:, 1 + k].copy(), window, first_minute, 1)[1]
        for row in range(rows):
            if sister[row] > 0.0:
                value = own[row] / sister[row]
                out[row, 3 * k] = value
                if not np.isnan(value):
                    out[row, 3 * k + 1] = 1.0 if value > _OWN else 0.0
                    out[row, 3 * k + 2] = 1.0 if value < _SISTERS else 0.0
    return out


@kernel
def drift(x: F, first_minute: int, window: int) -> F:
    """Change of the correlation over a window's length, its size, and whether it is below -0.3:
    (T, 3) -> (T, 6).
    """
    correlated = correlations(x, window, first_minute)
    return _drifted(correlated - shifted(correlated, window))


@kernel
def _drifted(change: F) -> F:
    """The same of the changes: (T, 2) -> (T, 6)."""
    out = np.full((len(change), 6), np.nan)
    for row in range(len(change)):
        for k in range(2):
            value = change[row, k]
            if not np.isnan(value):
                out[row, 3 * k] = value
                out[row, 3 * k + 1] = abs(value)
                out[row, 3 * k + 2] = 1.0 if value < _DECOUPLED else 0.0
    return out


def begin_drift(window: int) -> F:
    """State of `drift_goes_on`: that of the sums, and the last correlations with either."""
    return np.concatenate((cross_of(3, window), np.full(2 * (window + 1), np.nan)))


@kernel
def drift_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `drift` gives of a row (3, P), from the states of the rows before: (6, P)."""
    sums, size = np.empty((5, x.shape[1])), size_of_cross(3, window)
    cross_with(x, minute, window, state[:size], sums)
    change = correlations_of(sums.T)
    for k in range(2):
        room = state[size + k * (window + 1) : size + (k + 1) * (window + 1)]
        change[:, k] -= shown(change[:, k].copy(), minute, room)
    return _drifted(change).T
