"""First steps of technical indicators that go on from a state, see `Steps`.

They take a row of all pairs. A state is the last row read, then those of the means.
"""

from collections.abc import Callable

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.abreast_means import averaged_with, mean_of, size_of_mean, wilder_of
from bqx.features.rolling.exponential import moved, range_of, strength_of, wilder_change
from bqx.features.rolling.sums import F
from bqx.features.spec import CLOSE, HIGH, LOW
from bqx.features.steps import Steps


def _begin(columns: int, *means: F) -> F:
    return np.concatenate((np.full(columns, np.nan), *means))


def of_wilder_mean(
    first: Callable[..., F], begin: Callable[[int], F], last: Callable[..., F], reads: int
) -> Steps:
    """Steps of a family whose first one keeps Wilder means; the last one reads so many rows."""
    return Steps(first, last, rows=wilder_change, reads=lambda n: reads, begin=begin, abreast=True)


def begin_strength(n: int) -> F:
    """State of `strength`."""
    return _begin(1, wilder_of(n), wilder_of(n))


@kernel
def strength(x: F, minute: int, n: int, state: F) -> F:
    """Relative strength index, beside the series: (1, P) -> (2, P)."""
    now, pairs, size = x[0], x.shape[1], (len(state) - 1) // 2
    out, moves, means = np.empty((2, pairs)), np.empty((2, pairs)), np.empty((2, pairs))
    for k in range(pairs):
        move = now[k] - state[0, k]
        moves[0, k], moves[1, k] = 0.0 if move < 0.0 else move, 0.0 if move > 0.0 else -move
    averaged_with(moves[0], minute, state[1 : 1 + size], means[0])
    averaged_with(moves[1], minute, state[1 + size :], means[1])
    for k in range(pairs):
        out[0, k] = strength_of(means[0, k], means[1, k])
    out[1] = state[0] = now
    return out


def begin_difference(fast: int, slow: int) -> F:
    """State of `difference`."""
    return _begin(0, mean_of(fast), mean_of(slow))


@kernel
def difference(x: F, minute: int, fast: int, slow: int, state: F) -> F:
    """Difference of two exponential means: (1, P) -> (1, P)."""
    means, size = np.empty((2, x.shape[1])), size_of_mean(fast)
    averaged_with(x[0], minute, state[:size], means[0])
    averaged_with(x[0], minute, state[size:], means[1])
    means[0] -= means[1]
    return means[:1]


def begin_line(fast: int, slow: int, signal: int) -> F:
    """State of `line`: the means of the line's two spans, and of its signal's."""
    return _begin(0, mean_of(fast), mean_of(slow), mean_of(signal))


@kernel
def line(x: F, minute: int, fast: int, slow: int, signal: int, state: F) -> F:
    """Difference of two exponential means, its own mean, and the series: (1, P) -> (3, P)."""
    out, size = np.empty((3, x.shape[1])), size_of_mean(fast) + size_of_mean(slow)
    out[0] = difference(x, minute, fast, slow, state[:size])[0]
    averaged_with(out[0], minute, state[size:], out[1])
    out[2] = x[0]
    return out


@kernel
def _ranges(ohlc: F, before: F) -> F:
    """True ranges of bars (4, P), by the closes before."""
    out = np.empty(len(before))
    for k in range(len(before)):
        out[k] = range_of(ohlc[HIGH, k], ohlc[LOW, k], before[k])
    return out


def begin_range(n: int) -> F:
    """State of `average_range`."""
    return _begin(1, wilder_of(n))


@kernel
def average_range(ohlc: F, minute: int, n: int, state: F) -> F:
    """Average true range, beside the closes: (4, P) -> (2, P)."""
    out = np.empty((2, ohlc.shape[1]))
    averaged_with(_ranges(ohlc, state[0]), minute, state[1:], out[0])
    out[1] = state[0] = ohlc[CLOSE]
    return out


def begin_ratio(short: int, long: int) -> F:
    """State of `ratio`."""
    return _begin(1, wilder_of(short), wilder_of(long))


@kernel
def ratio(ohlc: F, minute: int, short: int, long: int, state: F) -> F:
    """Average true range of a short over that of a long mean: (4, P) -> (1, P)."""
    means, size = np.empty((2, ohlc.shape[1])), size_of_mean(2 * short - 1)
    widest = _ranges(ohlc, state[0])
    averaged_with(widest, minute, state[1 : 1 + size], means[0])
    averaged_with(widest, minute, state[1 + size :], means[1])
    state[0] = ohlc[CLOSE]
    means[0] /= means[1]
    return means[:1]


def begin_movement(n: int) -> F:
    """State of `movement`: with the means of its three, and of their index."""
    return _begin(3, *[wilder_of(n)] * 4)


@kernel
def movement(ohlc: F, minute: int, n: int, state: F) -> F:
    """Directional movement: (4, P) -> (4, P), +DI, -DI, DX, percent, and the mean of DX."""
    pairs, size = ohlc.shape[1], (len(state) - 3) // 4
    out, moves, means = np.empty((4, pairs)), np.empty((3, pairs)), np.empty((3, pairs))
    moves[2] = _ranges(ohlc, state[2])
    for k in range(pairs):
        rise, fall = ohlc[HIGH, k] - state[0, k], state[1, k] - ohlc[LOW, k]
        moves[0, k], moves[1, k] = moved(rise, fall)
    for i in range(3):
        averaged_with(moves[i], minute, state[3 + i * size : 3 + (i + 1) * size], means[i])
    for k in range(pairs):
        plus = 100.0 * (means[0, k] / means[2, k])
        minus = 100.0 * (means[1, k] / means[2, k])
        out[0, k], out[1, k] = plus, minus
        out[2, k] = 100.0 * (abs(plus - minus) / (plus + minus))
    averaged_with(out[2], minute, state[3 + 3 * size :], out[3])
    state[0], state[1], state[2] = ohlc[HIGH], ohlc[LOW], ohlc[CLOSE]
    return out
