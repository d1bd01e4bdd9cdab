"""What goes on from what the rows before have left: the newest values, and exponential means.

A mean is that of ``weighted.ewm_mean``, from the same sums in the same order: a row adds one term
to those since its block began, and where a block begins those of the one before are summed, once.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.exponential import ema_run_in
from bqx.features.rolling.sums import F
from bqx.features.rolling.weighted import weights

_HEAD = 3


@kernel
def room_for(count: int) -> F:
    """State of the newest ``count`` values, before any: twice as many, so that they are seldom
    moved, and where the next one is put.
    """
    room = np.full(2 * count + 1, np.nan)
    room[-1] = count
    return room


@kernel
def put(room: F, value: float) -> F:
    """The newest values with a further one: (count,), NaN where there were none."""
    count, end = len(room) // 2, int(room[-1])
    if end == 2 * count:
        kept = room[end - count + 1 : end].copy()
        room[: count - 1] = kept
        end = count - 1
    room[end] = value
    room[-1] = end + 1
    return room[end + 1 - count : end + 1]


@kernel
def mean_of(span: int) -> F:
    """State of the exponential mean of a span, before any row.

    Its ``alpha``, the block's sum and first value; powers of ``1 - alpha``; values of this block
    and of the one before, and sums of that from its end backwards.
    """
    run_in, alpha = ema_run_in(span), 2.0 / (span + 1.0)
    state = np.full(_HEAD + 4 * run_in + 1, np.nan)
    state[0] = alpha
    state[_HEAD : _HEAD + run_in + 1] = weights(alpha, run_in)[0][: run_in + 1]
    return state


@kernel
def wilder_of(n: int) -> F:
    """State of the Wilder mean of length n, before any row."""
    return mean_of(2 * n - 1)


@kernel
def averaged_with(value: float, minute: int, state: F) -> float:
    """The mean with the value of a market minute, which follows those before it."""
    size = (len(state) - _HEAD - 1) // 4
    place, alpha = minute % size, state[0]
    powers, values = state[_HEAD : _HEAD + size + 1], state[_HEAD + size + 1 :]
    block, before, older = values[:size], values[size : 2 * size], values[2 * size :]
    if place == 0:
        back = 0.0
        for i in range(size):
            last = size - 1 - i
            back += alpha * powers[i] * (block[last] - value)
            before[last], older[last] = block[last], back
        state[1], state[2] = 0.0, value
    block[place] = value
    state[1] += alpha / powers[place] * (value - state[2])
    first = state[2]
    oldest, rest = (before[place + 1], older[place + 1]) if place + 1 < size else (first, 0.0)
    since = powers[place] * state[1] + powers[size] * (oldest - first)
    return first + (since + powers[place + 1] * rest)
