"""States of high volatility of the rate and of BQX, how long they hold, and whether they agree."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.abreast import size_of_total, total_of, total_with
from bqx.features.rolling.abreast_ranks import above_with, rank_of
from bqx.features.rolling.ago import changes
from bqx.features.rolling.returns import log_returns, returns_from
from bqx.features.rolling.sums import F
from bqx.features.rolling.volatility import HIGH, high_or_low, high_state, mean_root
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
    """State of `_high`, before any row: the value before; sums of squares; volatilities."""
    before = np.array([np.nan])
    return np.concatenate((before, total_of(window), rank_of(1, DAY)))


@kernel
def _high(values: F, minute: int, window: int, state: F, plain: bool, out: F) -> None:
    """Whether volatility is high with further values (P,), into ``out`` (P,); the state is then
    that after them.
    """
    start = 1 + size_of_total(window)
    move = values - state[0] if plain else returns_from(state[0], values)
    state[0] = values
    total_with(move * move, minute, state[1:start], out)
    volatility = np.sqrt(out / float(window))
    above_with(volatility, minute, DAY, HIGH, state[start:], out)


_CLEAN, _DURATION, _BEFORE, _STANDING, _NUMBERS = range(5)
"""Numbers that are counted from row to row: states without a gap, rows of the present one, the
state before, and how many of the last 1,439 changed it; and how many numbers they are."""


@kernel
def begin(window: int) -> F:
    """State of `rate_goes_on` before any row: that of `_high`, which rows changed it, numbers."""
    return np.concatenate((begin_high(window), np.zeros(DAY - 1 + _NUMBERS)))


@kernel
def _go_on(x: F, minute: int, window: int, state: F, plain: bool) -> F:
    out, end = np.full((3, x.shape[1]), np.nan), len(state) - _NUMBERS
    numbers, flips, high = state[end:], state[end - DAY + 1 : end], state[: end - DAY + 1]
    _high(x[0], minute, window, high, plain, out[0])
    flip, standing = flips[minute % (DAY - 1)], numbers[_STANDING]
    for k in range(x.shape[1]):
        now = out[0, k]
        numbers[_CLEAN, k] = 0.0 if np.isnan(now) else numbers[_CLEAN, k] + 1.0
        held = numbers[_CLEAN, k] > 1.0 and now == numbers[_BEFORE, k]
        numbers[_DURATION, k] = min(numbers[_DURATION, k] + 1.0, float(DAY)) if held else 1.0
        standing[k] -= flip[k]
        flip[k] = 1.0 if numbers[_CLEAN, k] > 1.0 and not held else 0.0
        standing[k] += flip[k]
        numbers[_BEFORE, k] = now
        if numbers[_CLEAN, k] >= DAY:
            out[1, k], out[2, k] = numbers[_DURATION, k], standing[k] / (DAY - 1.0)
    return out


@kernel
def rate_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `states_of_rate` gives of a row (1, P), from the states of the rows before: (3, P)."""
    return _go_on(x, minute, window, state, False)


@kernel
def bqx_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `states_of_bqx` gives of a row (1, P), from the states of the rows before: (3, P)."""
    return _go_on(x, minute, window, state, True)


@kernel
def begin_both(window: int) -> F:
    """State of `both_go_on`, before any row."""
    return np.concatenate((begin_high(window), begin_high(window)))


@kernel
def both_go_on(x: F, minute: int, window: int, state: F) -> F:
    """What `agreeing` gives of a row (2, P), from the states of the rows before: (1, P)."""
    high, half = np.empty((2, x.shape[1])), len(state) // 2
    _high(x[0], minute, window, state[:half], False, high[0])
    _high(x[1], minute, window, state[half:], True, high[1])
    for k in range(x.shape[1]):
        high[0, k] = _alike(high[0, k], high[1, k])
    return high[:1]
