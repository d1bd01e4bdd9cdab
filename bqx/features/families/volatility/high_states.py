"""States of high volatility of the rate and of BQX, how long they hold, and whether they agree."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import changes
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.volatility import high_or_low, high_state, mean_root


@kernel
def state_of_rate(x: F, first_minute: int, window: int) -> F:
    """Whether the rate's volatility is high: (T, 1)."""
    return high_state(mean_root(log_returns(x), window, first_minute)).reshape(-1, 1)


@kernel
def state_of_bqx(x: F, first_minute: int, window: int) -> F:
    """Whether BQX's volatility is high: (T, 1)."""
    return high_state(mean_root(changes(x, 1), window, first_minute)).reshape(-1, 1)


@kernel
def held(state: F, first_minute: int, window: int) -> F:
    """Three readings of a state (T, 1): (T, 3)."""
    return high_or_low(state[:, 0].copy())


@kernel
def states_of_rate(x: F, first_minute: int, window: int) -> F:
    """Three readings of the state that the rate's volatility is in: (T, 3), see the outputs."""
    return held(state_of_rate(x, first_minute, window), first_minute, window)


@kernel
def states_of_bqx(x: F, first_minute: int, window: int) -> F:
    """Three readings of the state that BQX's volatility is in: (T, 3), see the outputs."""
    return held(state_of_bqx(x, first_minute, window), first_minute, window)


@kernel
def agreeing(x: F, first_minute: int, window: int) -> F:
    """Whether the states of rate and BQX agree: (T, 1)."""
    rows = len(x)
    out = np.full((rows, 1), np.nan)
    rate_high = high_state(mean_root(log_returns(x[:, 0].copy()), window, first_minute))
    bqx_high = high_state(mean_root(changes(x[:, 1].copy(), 1), window, first_minute))
    for row in range(rows):
        if not np.isnan(rate_high[row] + bqx_high[row]):
            out[row, 0] = rate_high[row] == bqx_high[row]
    return out
