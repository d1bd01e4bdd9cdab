"""What goes on from what the rows before have left: the newest values, sums, exponential means.

Sums and deviations are those of ``trailing`` and ``sums``, a mean is that of
``weighted.ewm_mean``, from the same sums in the same order: a row adds one term to those since its
block began, and where a block begins those of the one before are summed, once.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.exponential import RUN_IN, ema_run_in
from bqx.features.rolling.sums import F, deviation_of_sums
from bqx.features.rolling.weighted import weights

_HEAD = 3


@kernel
def size_of_room(count: int) -> int:
    """Numbers of the state of so many newest values."""
    return 2 * count + 1


@kernel
def room_for(count: int) -> F:
    """State of the newest ``count`` values, before any: twice as many, so that they are seldom
    moved, and where the next one is put.
    """
    room = np.full(size_of_room(count), np.nan)
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
def size_of_fading(run_in: int) -> int:
    """Numbers of the state of an exponential mean."""
    return _HEAD + 4 * run_in + 1


@kernel
def size_of_mean(span: int, spans: int = RUN_IN) -> int:
    """The same, by its span."""
    return size_of_fading(ema_run_in(span, spans))


@kernel
def fading(alpha: float, run_in: int) -> F:
    """State of the exponential mean of so many rows, before any.

    Its ``alpha``, the block's sum and first value; powers of ``1 - alpha``; values of this block
    and of the one before, and sums of that from its end backwards.
    """
    state = np.full(size_of_fading(run_in), np.nan)
    state[0] = alpha
    state[_HEAD : _HEAD + run_in + 1] = weights(alpha, run_in)[0][: run_in + 1]
    return state


@kernel
def mean_of(span: int, spans: int = RUN_IN) -> F:
    """State of the exponential mean of a span with so many of run-in, before any row."""
    return fading(2.0 / (span + 1.0), ema_run_in(span, spans))


@kernel
def wilder_of(n: int, spans: int = RUN_IN) -> F:
    """State of the Wilder mean of length n, before any row."""
    return mean_of(2 * n - 1, spans)


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


@kernel
def size_of_total(window: int) -> int:
    """Numbers of the state of a rolling sum."""
    return 2 * window + 2


@kernel
def total_of(window: int) -> F:
    """State of a rolling sum before any row: that since its block began, the block's values, and
    sums of the block before from its end backwards.
    """
    state = np.full(size_of_total(window), np.nan)
    state[-1] = 0.0  # a window that ends where a block does holds nothing older
    return state


@kernel
def total_with(value: float, minute: int, state: F) -> float:
    """The sum of a window with the value of a market minute, as `trailing.total`."""
    size = len(state) // 2 - 1
    place, block, older = minute % size, state[1 : 1 + size], state[1 + size :]
    if place == 0:
        back = 0.0
        for i in range(size - 1, -1, -1):
            back += block[i]
            older[i] = back
        state[0] = 0.0
    block[place] = value
    state[0] += value
    return state[0] + older[place + 1]


@kernel
def size_of_deviation(window: int) -> int:
    """Numbers of the state of a rolling deviation."""
    return _HEAD + 3 * window + 2


@kernel
def deviation_of(window: int) -> F:
    """State of a rolling deviation before any row: the block's sum and sum of squares of distances
    from its first value, and this; its values; both sums of the block before, backwards.
    """
    state = np.full(size_of_deviation(window), np.nan)
    state[-window - 2] = state[-1] = 0.0
    return state


@kernel
def squares_with(value: float, minute: int, state: F) -> tuple[float, float, float]:
    """Sums of a window with the value of a market minute, as `sums.square_sums`."""
    size = (len(state) - _HEAD - 2) // 3
    place, block = minute % size, state[_HEAD : _HEAD + size]
    older, squares = state[_HEAD + size : _HEAD + 2 * size + 1], state[_HEAD + 2 * size + 1 :]
    if place == 0:
        back = square = 0.0
        for i in range(size - 1, -1, -1):
            d = block[i] - value
            back += d
            square += d * d
            older[i], squares[i] = back, square
        state[0], state[1], state[2] = 0.0, 0.0, value
    block[place] = value
    d = value - state[2]
    state[0] += d
    state[1] += d * d
    return state[0] + older[place + 1], state[1] + squares[place + 1], state[2]


@kernel
def deviation_with(value: float, minute: int, state: F) -> float:
    """The deviation (ddof 1) of a window with the value of a market minute, as `sums.mean_std`."""
    size = (len(state) - _HEAD - 2) // 3
    total, square, _ = squares_with(value, minute, state)
    return deviation_of_sums(total, square, 1.0 / size, 1.0 / (size - 1))
