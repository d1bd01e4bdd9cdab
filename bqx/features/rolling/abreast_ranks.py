"""Where values stand among the last ones, for several pairs at once, see ``standing``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.standing import (
    AVERAGED,
    HIGHEST,
    SMALLER,
    THIRDS,
    counted_exactly,
    largest_ranks,
    narrow,
    part,
    pass_on,
    settle,
)
from bqx.features.rolling.sums import F


@kernel
def size_of_rank(cuts: int, window: int) -> int:
    """Numbers of the state of a rank among so many values, and of cuts."""
    return 1 + 6 * cuts + window


@kernel
def rank_of(cuts: int, window: int) -> F:
    """State of a pair's rank before any row: values without a gap; two values around each cut, and
    their numbers of smaller ones and of not larger ones; the last values.
    """
    state = np.full(size_of_rank(cuts, window), np.nan)
    state[0] = 0.0
    return state


@kernel
def _beyond_with(values: F, minute: int, cuts: F, of: int, ties: int, state: F, out: F) -> None:
    """How many of the cuts the values (P,) of a market minute lie beyond, into ``out`` (P,).

    A rank counts as a share ``of`` values.
    """
    first, most = 2 * len(cuts), largest_ranks(cuts, of)
    room = state[1 + 3 * first :]
    window = len(room)
    place = minute % window
    for k in range(len(values)):
        now, old = values[k], room[place, k]
        if ties != HIGHEST:
            now = float(np.float32(now))
        state[0, k] = state[0, k] + 1.0 if now == now else 0.0
        room[place, k], out[k] = now, np.nan
        if state[0, k] < window:
            continue
        edge, smaller = state[1 : 1 + first, k], state[1 + first : 1 + 2 * first, k]
        upto = state[1 + 2 * first : 1 + 3 * first, k]
        if state[0, k] == window:
            part(edge, smaller, upto, window)
        else:
            pass_on(edge, smaller, upto, now, old)
        out[k] = settle(edge, smaller, upto, most, window, ties, now)
        if out[k] < 0.0:
            last = np.concatenate((room[place + 1 :, k], room[: place + 1, k]))
            below, among = counted_exactly(last, last.astype(np.float32), ties)
            out[k] = narrow(edge, smaller, upto, most, ties, now, below, among)


@kernel
def tercile_with(values: F, minute: int, window: int, state: F, out: F) -> None:
    """Thirds of the last values that those of a market minute lie in, as `standing.tercile`."""
    _beyond_with(values, minute, THIRDS, window, HIGHEST, state, out)


@kernel
def tercile_of_ties_with(values: F, minute: int, window: int, state: F, out: F) -> None:
    """The same as `standing.tercile_of_ties`."""
    _beyond_with(values, minute, THIRDS, window, AVERAGED, state, out)


@kernel
def above_with(values: F, minute: int, window: int, quantile: float, state: F, out: F) -> None:
    """Whether the values of a market minute are above a quantile, as `standing.above`."""
    _beyond_with(values, minute, np.array([quantile]), window - 1, SMALLER, state, out)


def thirds_of(window: int) -> F:
    """State of a tercile."""
    return rank_of(len(THIRDS), window)


@kernel
def size_of_thirds(window: int) -> int:
    """Numbers of it."""
    return size_of_rank(len(THIRDS), window)
