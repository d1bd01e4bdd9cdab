"""What goes on from what the rows before have left, for several pairs at once.

Sums and deviations are those of ``trailing`` and ``sums``, from the same terms in the same order: a
row adds one term to those since its block began, and where a block begins those of the one before
are summed, once. A state (S, P) holds each number of all P pairs side by
side: what a minute reads of it lies together, and pairs are added in one register. Since all are at
the same market minute, this says where each number lies.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F, deviation_of_sums

_HEAD = 3


@kernel
def shown(values: F, minute: int, room: F) -> F:
    """Keep values (P,) of a market minute among the last ones (count, P), and show the oldest."""
    count = len(room)
    place = minute % count
    room[place] = values
    return room[place + 1 if place + 1 < count else 0]


@kernel
def size_of_total(window: int) -> int:
    """Numbers of the state of a rolling sum."""
    return 2 * window + 2


@kernel
def total_of(window: int) -> F:
    """State of a pair's rolling sum before any row: that since its block began, the block's values,
    and sums of the block before from its end backwards.
    """
    state = np.full(size_of_total(window), np.nan)
    state[-1] = 0.0  # a window that ends where a block does holds nothing older
    return state


@kernel
def total_with(values: F, minute: int, state: F, out: F) -> None:
    """The sums of a window with the values (P,) of a market minute, as `trailing.total`, into
    ``out`` (P,).
    """
    size = len(state) // 2 - 1
    place, total, block, older = minute % size, state[0], state[1 : 1 + size], state[1 + size :]
    if place == 0:
        total[:] = 0.0
        for i in range(size - 1, -1, -1):
            total += block[i]
            older[i] = total
        total[:] = 0.0
    block[place] = values
    total += values
    out[:] = total + older[place + 1]


@kernel
def size_of_deviation(window: int) -> int:
    """Numbers of the state of a rolling deviation."""
    return _HEAD + window + 2 * (window + 1)


@kernel
def deviation_of(window: int) -> F:
    """State of a rolling deviation of a pair before any row: the block's sum and sum of squares of
    distances from its first value, and this; its values; both sums of the block before, backwards.
    """
    state = np.full(size_of_deviation(window), np.nan)
    state[-2:] = 0.0  # a window that ends where a block does holds nothing older
    return state


@kernel
def squares_with(values: F, minute: int, window: int, state: F, sums: F) -> None:
    """Sums of a window with the values (P,) of a market minute, as `sums.square_sums`, into
    ``sums`` (3, P).
    """
    place, block, older = minute % window, state[_HEAD : _HEAD + window], state[_HEAD + window :]
    total, square, origin = state[0], state[1], state[2]
    whole, squares = sums[0], sums[1]
    if place == 0:
        whole[:], squares[:] = 0.0, 0.0
        for i in range(window - 1, -1, -1):
            of, t, s = block[i], older[2 * i], older[2 * i + 1]
            for k in range(len(values)):
                d = of[k] - values[k]
                whole[k] += d
                squares[k] += d * d
                t[k], s[k] = whole[k], squares[k]
        total[:], square[:], origin[:] = 0.0, 0.0, values
    now, t, s, reference = block[place], older[2 * place + 2], older[2 * place + 3], sums[2]
    for k in range(len(values)):
        d = values[k] - origin[k]
        now[k] = values[k]
        total[k] += d
        square[k] += d * d
        whole[k], squares[k], reference[k] = total[k] + t[k], square[k] + s[k], origin[k]


@kernel
def deviation_with(values: F, minute: int, window: int, state: F, out: F) -> None:
    """The deviations (ddof 1) of a window with the values (P,) of a market minute, as
    `sums.mean_std`, into ``out`` (P,).
    """
    sums, share, free = np.empty((3, len(values))), 1.0 / window, 1.0 / (window - 1)
    squares_with(values, minute, window, state, sums)
    for k in range(len(values)):
        out[k] = deviation_of_sums(sums[0, k], sums[1, k], share, free)


@kernel
def score_with(values: F, minute: int, window: int, state: F, out: F) -> None:
    """The scores of the values (P,) of a market minute in their window, as `trailing.z_score`, into
    ``out`` (P,).
    """
    sums, share, free = np.empty((3, len(values))), 1.0 / window, 1.0 / (window - 1)
    squares_with(values, minute, window, state, sums)
    for k in range(len(values)):
        mean = sums[0, k] * share
        std = deviation_of_sums(sums[0, k], sums[1, k], share, free)
        value = ((values[k] - sums[2, k]) - mean) / std
        out[k] = value if std > 0.0 else np.nan


@kernel
def size_of_extremes(window: int) -> int:
    """Numbers of the state of rolling extremes."""
    return 2 + window + 2 * (window + 1)


@kernel
def extremes_of(window: int) -> F:
    """State of a pair's rolling extremes before any row: those of the block, its values, and those
    of the block before from its end backwards.
    """
    state = np.full(size_of_extremes(window), np.nan)
    state[-2], state[-1] = -np.inf, np.inf  # a window that ends where a block does
    return state


@kernel
def extremes_with(values: F, minute: int, window: int, state: F, out: F) -> None:
    """Extremes of a window with the values (P,) of a market minute, as `sums.extremes`, into
    ``out`` (2, P).
    """
    place, both, block, older = (
        minute % window,
        state[:2],
        state[2 : 2 + window],
        state[2 + window :],
    )
    if place == 0:
        both[0], both[1] = -np.inf, np.inf
        for i in range(window - 1, -1, -1):
            _widen(block[i], block[i], both, both)
            older[2 * i], older[2 * i + 1] = both[0], both[1]
        both[0], both[1] = -np.inf, np.inf
    block[place] = values
    _widen(values, values, both, both)
    _widen(older[2 * place + 2], older[2 * place + 3], both, out)


@kernel
def _widen(high: F, low: F, both: F, out: F) -> None:
    """Extremes of values and of extremes (2, P), NaN where one is."""
    top, bottom, upper, lower = both[0], both[1], out[0], out[1]
    for k in range(len(high)):
        a, b = high[k], low[k]
        most = a if a > top[k] or a != a else top[k]
        least = b if b < bottom[k] or b != b else bottom[k]
        upper[k], lower[k] = most, least
