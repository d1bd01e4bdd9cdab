"""Where a value stands among the last ones: its rank, and whether that lies beyond a share of them.

Numbers of values are whole, so that it does not matter in which order they are counted. Ties count
as one of three: not at all, by half, or whole.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.sums import F

THIRDS = np.array([1.0 / 3.0, 2.0 / 3.0])
"""Shares that part the three states of a regime."""

SMALLER, AVERAGED, HIGHEST = range(3)
"""Twice a rank: of the smaller values alone, in the middle of those that tie, or the last of them.
"""


@kernel(fastmath={"reassoc", "nsz"})
def _counted(values: NDArray[Any], value: float) -> tuple[int, int]:
    """How many values are smaller than a value, and how many are not larger."""
    # In the values' own precision below 2^24, where the order of addition does not matter.
    one, none = values.dtype.type(1.0), values.dtype.type(0.0)
    smaller = upto = none
    for i in range(len(values)):
        smaller += one if values[i] < value else none
        upto += one if values[i] <= value else none
    return int(smaller), int(upto)


@kernel
def _doubled(smaller: int, upto: int, ties: int) -> int:
    if ties == AVERAGED:
        return smaller + upto + 1
    return 2 * (upto if ties == HIGHEST else smaller)


@kernel
def single(x: F) -> NDArray[np.float32]:
    """Values in single precision, so that rounding does not part what is equal."""
    return x.astype(np.float32)


@kernel
def share(x: F, window: int) -> F:
    """Rank of each value among the last ``window``, ties averaged, as a share: (T,), to 1."""
    out = np.full(len(x), np.nan)
    values, clean = single(x), clean_rows(x)
    for row in range(len(x)):
        if clean[row] >= window:
            smaller, upto = _counted(values[row - window + 1 : row + 1], values[row])
            out[row] = 0.5 * _doubled(smaller, upto, AVERAGED) / window
    return out


@kernel
def largest_ranks(cuts: F, of: int) -> NDArray[np.int64]:
    """Largest doubled rank that as a share of ``of`` values does not lie beyond each cut."""
    out = np.empty(len(cuts), dtype=np.int64)
    for k in range(len(cuts)):
        rank = int(2.0 * cuts[k] * of)
        while 0.5 * (rank + 1) / of <= cuts[k]:
            rank += 1
        while 0.5 * rank / of > cuts[k]:
            rank -= 1
        out[k] = rank
    return out


@kernel
def counted_exactly(x: F, values: NDArray[np.float32], ties: int) -> tuple[int, int]:
    """Numbers of smaller and of not larger values than the last: in double precision where ties
    count whole, else in single. ``values`` : ``x`` in single precision, in which nearly none tie.
    """
    smaller, upto = _counted(values, values[-1])
    if ties == HIGHEST and upto - smaller > 1:
        return _counted(x, x[-1])
    return smaller, upto


@kernel
def _beyond(x: F, window: int, cuts: F, of: int, ties: int) -> F:
    """How many of the cuts a value's rank among the last ``window`` lies beyond: (T,).

    A rank counts as a share ``of`` values. Around every cut two earlier values and their numbers of
    smaller ones are kept: what lies outside of them is not counted anew, and what lies between
    replaces one of them.
    """
    rows, count = len(x), len(cuts)
    out, values = np.full(rows, np.nan), single(x)
    if ties != HIGHEST:
        x = values.astype(np.float64)
    clean, most = clean_rows(x), largest_ranks(cuts, of)
    # Of every cut a value that is not beyond it, then one that is.
    edge = np.empty(2 * count)
    smaller, upto = np.empty(2 * count, np.int64), np.empty(2 * count, np.int64)
    for row in range(window - 1, rows):
        if clean[row] < window:
            continue
        now = x[row]
        if clean[row] == window or row == window - 1:
            part(edge, smaller, upto, window)
        else:
            pass_on(edge, smaller, upto, now, x[row - window])
        number = settle(edge, smaller, upto, most, window, ties, now)
        if number < 0.0:
            last = slice(row - window + 1, row + 1)
            below, among = counted_exactly(x[last], values[last], ties)
            number = narrow(edge, smaller, upto, most, ties, now, below, among)
        out[row] = number
    return out


@kernel
def part(edge: F, smaller: Any, upto: Any, window: int) -> None:
    """Values around each cut of which nothing is known yet, and their numbers."""
    edge[0::2], edge[1::2] = -np.inf, np.inf
    smaller[0::2], smaller[1::2] = 0, window
    upto[0::2], upto[1::2] = 0, window


@kernel
def pass_on(edge: F, smaller: Any, upto: Any, now: float, old: float) -> None:
    """Count a value that has come and one that has gone."""
    for k in range(len(edge)):
        smaller[k] += int(now < edge[k]) - int(old < edge[k])
        upto[k] += int(now <= edge[k]) - int(old <= edge[k])


@kernel
def settle(
    edge: F, smaller: Any, upto: Any, most: Any, window: int, ties: int, now: float
) -> float:
    """Move values that now lie on the other side of their cut, and tell how many cuts the newest
    lies beyond, -1 where it lies between the two of any.
    """
    number, between = 0.0, False
    for k in range(len(edge) // 2):
        low, high = 2 * k, 2 * k + 1
        if _doubled(smaller[low], upto[low], ties) > most[k]:
            edge[high], smaller[high], upto[high] = edge[low], smaller[low], upto[low]
            edge[low], smaller[low], upto[low] = -np.inf, 0, 0
        elif _doubled(smaller[high], upto[high], ties) <= most[k]:
            edge[low], smaller[low], upto[low] = edge[high], smaller[high], upto[high]
            edge[high], smaller[high], upto[high] = np.inf, window, window
        between |= edge[low] < now < edge[high]
        number += now >= edge[high]
    return -1.0 if between else number


@kernel
def narrow(
    edge: F, smaller: Any, upto: Any, most: Any, ties: int, now: float, below: int, among: int
) -> float:
    """Put a value and its numbers in the place of one of the two between which it lies, and tell
    how many cuts it lies beyond.
    """
    number = 0.0
    for k in range(len(edge) // 2):
        if edge[2 * k] < now < edge[2 * k + 1]:
            at = 2 * k + int(_doubled(below, among, ties) > most[k])
            edge[at], smaller[at], upto[at] = now, below, among
        number += now >= edge[2 * k + 1]
    return number


@kernel
def tercile(x: F, window: int) -> F:
    """0, 1 or 2: third of the last ``window`` values that each one lies in, ties at the highest:
    (T,).
    """
    return _beyond(x, window, THIRDS, window, HIGHEST)


@kernel
def tercile_of_last(values: F) -> float:
    """0, 1 or 2: what `tercile` is at the last of some values, of which none is NaN."""
    _, upto = _counted(values, values[-1])
    beyond = 0.0
    for most in largest_ranks(THIRDS, len(values)):
        beyond += _doubled(upto, upto, HIGHEST) > most
    return beyond


@kernel
def tercile_of_ties(x: F, window: int) -> F:
    """The same of values that may tie, which stand in the middle of their ties: (T,)."""
    return _beyond(x, window, THIRDS, window, AVERAGED)


@kernel
def above(x: F, window: int, quantile: float) -> F:
    """Whether a value is above a quantile of the last ``window``: (T,), 0 or 1."""
    # With linear interpolation a member exceeds a quantile exactly where more than that share of
    # the other members is smaller.
    return _beyond(x, window, np.array([quantile]), window - 1, SMALLER)
