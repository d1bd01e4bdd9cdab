"""States of high volatility of the rate and of BQX, how long they hold, and whether they agree."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import changes
from bqx.features.rolling.going_on import put, room_for
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.volatility import high_or_low, high_state, mean_root
from bqx.market.sessions import DAY


@kernel
def _high_rates(x: F, first_minute: int, window: int) -> F:
    """Whether the rate's volatility is high: (T,), 0 or 1."""
    return high_state(mean_root(log_returns(x), window, first_minute))


@kernel
def _high_bqx(x: F, first_minute: int, window: int) -> F:
    """Whether the volatility of BQX's changes is high: (T,), 0 or 1."""
    return high_state(mean_root(changes(x, 1), window, first_minute))


@kernel
def states_of_rate(x: F, first_minute: int, window: int) -> F:
    """State of the rate's volatility, its duration and transitions: (T, 3), see the outputs."""
    return high_or_low(_high_rates(x, first_minute, window))


@kernel
def states_of_bqx(x: F, first_minute: int, window: int) -> F:
    """State of the volatility of BQX's changes, as that of the rate's: (T, 3)."""
    return high_or_low(_high_bqx(x, first_minute, window))


@kernel
def agreeing(x: F, first_minute: int, window: int) -> F:
    """Whether the volatility of rate and BQX (T, 2) is high in both, or in neither: (T, 1)."""
    out = np.empty((len(x), 1))
    rate_high = _high_rates(x[:, 0].copy(), first_minute, window)
    bqx_high = _high_bqx(x[:, 1].copy(), first_minute, window)
    for row in range(len(x)):
        out[row, 0] = _alike(rate_high[row], bqx_high[row])
    return out


@kernel
def _alike(one: float, other: float) -> float:
    return np.nan if np.isnan(one + other) else 1.0 if one == other else 0.0


@kernel
def begin_high(window: int) -> F:
    """State of `_high`, before any row: values, then volatilities."""
    return np.concatenate((room_for(window + 1), room_for(DAY)))


@kernel
def _high(value: float, minute: int, window: int, state: F, plain: bool) -> float:
    """Whether volatility is high with a further value; the state is then that after it."""
    size = len(room_for(window + 1))
    x = put(state[:size], value)
    moves = changes(x, 1) if plain else log_returns(x)
    volatility = mean_root(moves, window, minute - window)[-1]
    return high_state(put(state[size:], volatility))[-1]


_CLEAN, _DURATION, _BEFORE, _STANDING, _NUMBERS = range(5)
"""Numbers that are counted from row to row: states without a gap, rows of the present one, the
state before, and how many of the last 1,439 changed it; and how many numbers they are."""


@kernel
def begin(window: int) -> F:
    """State of `rate_goes_on` before any row: that of `_high`, which rows changed it, numbers."""
    return np.concatenate((begin_high(window), np.zeros(DAY - 1 + _NUMBERS)))


@kernel
def _go_on(x: F, first_minute: int, window: int, state: F, plain: bool) -> F:
    out, end = np.full((len(x), 3), np.nan), len(state) - _NUMBERS
    numbers, flips, high = state[end:], state[end - DAY + 1 : end], state[: end - DAY + 1]
    for row in range(len(x)):
        minute = first_minute + row
        now = out[row, 0] = _high(x[row], minute, window, high, plain)
        numbers[_CLEAN] = 0.0 if np.isnan(now) else numbers[_CLEAN] + 1.0
        held = numbers[_CLEAN] > 1.0 and now == numbers[_BEFORE]
        numbers[_DURATION] = min(numbers[_DURATION] + 1.0, float(DAY)) if held else 1.0
        place = minute % (DAY - 1)
        numbers[_STANDING] -= flips[place]
        flips[place] = 1.0 if numbers[_CLEAN] > 1.0 and not held else 0.0
        numbers[_STANDING] += flips[place]
        numbers[_BEFORE] = now
        if numbers[_CLEAN] >= DAY:
            out[row, 1] = numbers[_DURATION]
            out[row, 2] = numbers[_STANDING] / (DAY - 1.0)
    return out


@kernel
def rate_goes_on(x: F, first_minute: int, window: int, state: F) -> F:
    """What `states_of_rate` gives of further rows: (T, 3); the state is then that after them."""
    return _go_on(x, first_minute, window, state, False)


@kernel
def bqx_goes_on(x: F, first_minute: int, window: int, state: F) -> F:
    """What `states_of_bqx` gives of further rows: (T, 3); the state is then that after them."""
    return _go_on(x, first_minute, window, state, True)


@kernel
def begin_both(window: int) -> F:
    """State of `both_go_on`, before any row."""
    return np.concatenate((begin_high(window), begin_high(window)))


@kernel
def both_go_on(x: F, first_minute: int, window: int, state: F) -> F:
    """What `agreeing` gives of further rows: (T, 1); the state is then that after them."""
    out, half = np.empty((len(x), 1)), len(state) // 2
    for row in range(len(x)):
        rate = _high(x[row, 0], first_minute + row, window, state[:half], False)
        bqx = _high(x[row, 1], first_minute + row, window, state[half:], True)
        out[row, 0] = _alike(rate, bqx)
    return out
