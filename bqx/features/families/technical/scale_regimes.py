"""Regimes of volatility of one-minute rows against those of clock buckets."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import resampled
from bqx.features.rolling.going_on import put, room_for, size_of_room
from bqx.features.rolling.returns import return_from
from bqx.features.rolling.standing import tercile, tercile_of_last
from bqx.features.rolling.sums import F
from bqx.market.sessions import DAY

VOL = 20
"""Moves behind a volatility."""


@kernel
def _in_one(x: F, first_minute: int, size: int, plain: bool) -> F:
    rows, day = len(x), DAY // size
    out = np.full((rows, 1), np.nan)
    move = resampled.moves(resampled.closes(x, size, first_minute), plain)
    need = (VOL + day) * size
    coarse = tercile(resampled.volatility(move, VOL), day)
    coarse = resampled.carried(coarse, x, need, size, first_minute)
    late = need - DAY
    fine = tercile(resampled.volatility(resampled.moves(x, plain), VOL)[late:], DAY)
    for row in range(late, rows):
        if not np.isnan(coarse[row] + fine[row - late]):
            out[row, 0] = coarse[row] == fine[row - late]
    return out


@kernel
def regimes(x: F, first_minute: int, size: int) -> F:
    """Whether the rate's rows and buckets are in one regime: (T, 1)."""
    return _in_one(x, first_minute, size, False)


@kernel
def regimes_of_bqx(x: F, first_minute: int, size: int) -> F:
    """Whether BQX's rows and buckets are in one regime: (T, 1)."""
    return _in_one(x, first_minute, size, True)


_CLEAN, _REGIME, _NUMBERS = range(3)
"""Numbers of a state: rows since the last NaN, and the regime of the last complete bucket."""


def _begin_moving(values: int) -> F:
    return np.concatenate((np.array([np.nan]), room_for(VOL), room_for(values)))


def begin(size: int) -> F:
    """State of what goes on: numbers, and `_moved` of rows and of buckets."""
    numbers = np.array([0.0, np.nan])
    return np.concatenate((numbers, _begin_moving(DAY), _begin_moving(DAY // size)))


@kernel
def _moved(value: float, plain: bool, state: F) -> F:
    """The last volatilities with a further value: the state is that, the moves, and these."""
    move = value - state[0] if plain else return_from(state[0], value)
    state[0], size = value, 1 + size_of_room(VOL)
    return put(state[size:], resampled.volatility(put(state[1:size], move), VOL)[-1])


@kernel
def _go_on(x: F, first_minute: int, size: int, state: F, plain: bool) -> F:
    out, need = np.full((len(x), 1), np.nan), (VOL + DAY // size) * size
    buckets = _NUMBERS + 1 + size_of_room(VOL) + size_of_room(DAY)
    for row in range(len(x)):
        state[_CLEAN] = state[_CLEAN] + 1.0 if x[row] == x[row] else 0.0
        fine = _moved(x[row], plain, state[_NUMBERS:buckets])
        if (first_minute + row + 1) % size == 0:
            state[_REGIME] = tercile_of_last(_moved(x[row], plain, state[buckets:]))
        if state[_CLEAN] >= need:
            out[row, 0] = tercile_of_last(fine) == state[_REGIME]
    return out


@kernel
def rate_goes_on(x: F, first_minute: int, size: int, state: F) -> F:
    """What `regimes` gives, from the state of the rows before."""
    return _go_on(x, first_minute, size, state, False)


@kernel
def bqx_goes_on(x: F, first_minute: int, size: int, state: F) -> F:
    """What `regimes_of_bqx` gives, from the state of the rows before."""
    return _go_on(x, first_minute, size, state, True)
