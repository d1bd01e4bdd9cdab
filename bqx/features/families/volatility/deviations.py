"""Deviations of returns, exponential and GARCH volatility."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.volatility.trend_states import LONG, SHORT
from bqx.features.rolling.abreast import deviation_of, deviation_with, size_of_deviation
from bqx.features.rolling.abreast_means import averaged_with, fading, mean_of, size_of_fading
from bqx.features.rolling.exponential import ema
from bqx.features.rolling.returns import log_returns, returns_from
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import deviation
from bqx.features.rolling.weighted import ewm_mean
from bqx.market.sessions import DAY

GARCH_ALPHA, GARCH_BETA = 0.05, 0.90
"""Fixed weights of the last squared return and of the last variance; no fit, hence no fold."""

_DECAY = 1.0 - GARCH_BETA


@kernel
def _root(square: float) -> float:
    return np.sqrt(max(square, 0.0)) if square == square else np.nan


@kernel
def _forecast(variance: float, recent: float) -> float:
    """GARCH(1,1) volatility, a mean of the long-run variance and of an exponential one of squares.

    So it is where it never began.
    """
    omega = (1.0 - GARCH_ALPHA - GARCH_BETA) * variance
    return _root((omega + GARCH_ALPHA * recent) / _DECAY)


@kernel
def deviations(x: F, first_minute: int) -> F:
    """Deviation of returns over 20 and 60 rows, exponential and GARCH volatility: (T, 4)."""
    rows = len(x)
    out = np.full((rows, 4), np.nan)
    returns = log_returns(x)
    squares = returns * returns
    out[:, 0] = deviation(returns, SHORT, first_minute)
    out[:, 1] = deviation(returns, LONG, first_minute)
    variance = deviation(returns, DAY, first_minute) ** 2
    recent = ewm_mean(squares, _DECAY, DAY, DAY, first_minute)
    smooth = ema(squares, 30, first_minute)
    for row in range(rows):
        out[row, 2], out[row, 3] = _root(smooth[row]), _forecast(variance[row], recent[row])
    return out


def begin() -> F:
    """State of `go_on`: the value before, then those of five deviations and means."""
    sums = deviation_of(SHORT), deviation_of(LONG), deviation_of(DAY)
    return np.concatenate((np.array([np.nan]), *sums, fading(_DECAY, DAY), mean_of(30)))


@kernel
def go_on(x: F, minute: int, state: F) -> F:
    """What `deviations` gives of a row (1, P), from the states of the rows before: (4, P)."""
    out, start = np.empty((4, x.shape[1])), 1
    move = returns_from(state[0], x[0])
    square, faded = move * move, np.empty(x.shape[1])
    state[0] = x[0]
    # The last of the three gives way to the forecast.
    for place, window in ((0, SHORT), (1, LONG), (3, DAY)):
        stop = start + size_of_deviation(window)
        deviation_with(move, minute, window, state[start:stop], out[place])
        start = stop
    stop = start + size_of_fading(DAY)
    averaged_with(square, minute, state[start:stop], faded)
    averaged_with(square, minute, state[stop:], out[2])
    for k in range(x.shape[1]):
        out[2, k], out[3, k] = _root(out[2, k]), _forecast(out[3, k] ** 2, faded[k])
    return out
