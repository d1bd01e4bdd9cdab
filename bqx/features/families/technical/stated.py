"""First steps of technical indicators that go on from a state, see `Steps`.

A state is the last row read, then those of the means, see `going_on`.
"""

from collections.abc import Callable

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.exponential import moved, range_of, strength_of, wilder_change
from bqx.features.rolling.going_on import averaged_with, mean_of, size_of_mean, wilder_of
from bqx.features.rolling.sums import F
from bqx.features.spec import CLOSE, HIGH, LOW
from bqx.features.steps import Steps


def _begin(columns: int, *means: F) -> F:
    return np.concatenate((np.full(columns, np.nan), *means))


def of_wilder_mean(
    first: Callable[..., F], begin: Callable[[int], F], last: Callable[..., F], reads: int
) -> Steps:
    """Steps of a family whose first one keeps Wilder means; the last one reads so many rows."""
    return Steps(first, last, rows=wilder_change, reads=lambda n: reads, begin=begin)


def begin_strength(n: int) -> F:
    """State of `strength`."""
    return _begin(1, wilder_of(n), wilder_of(n))


@kernel
def strength(x: F, first_minute: int, n: int, state: F) -> F:
    """Relative strength index, beside the series: (T, 2)."""
    out = np.empty((len(x), 2))
    size = (len(state) - 1) // 2
    up, down = state[1 : 1 + size], state[1 + size :]
    for row in range(len(x)):
        move, minute = x[row] - state[0], first_minute + row
        gain = averaged_with(0.0 if move < 0.0 else move, minute, up)
        loss = averaged_with(0.0 if move > 0.0 else -move, minute, down)
        out[row, 0], out[row, 1] = strength_of(gain, loss), x[row]
        state[0] = x[row]
    return out


def begin_difference(fast: int, slow: int) -> F:
    """State of `difference`."""
    return _begin(0, mean_of(fast), mean_of(slow))


@kernel
def difference(x: F, first_minute: int, fast: int, slow: int, state: F) -> F:
    """Difference of two exponential means: (T, 1)."""
    out, size = np.empty((len(x), 1)), size_of_mean(fast)
    for row in range(len(x)):
        minute = first_minute + row
        quick = averaged_with(x[row], minute, state[:size])
        out[row, 0] = quick - averaged_with(x[row], minute, state[size:])
    return out


def begin_line(fast: int, slow: int, signal: int) -> F:
    """State of `line`: the means of the line's two spans, and of its signal's."""
    return _begin(0, mean_of(fast), mean_of(slow), mean_of(signal))


@kernel
def line(x: F, first_minute: int, fast: int, slow: int, signal: int, state: F) -> F:
    """Difference of two exponential means, its own mean, and the series: (T, 3)."""
    out = np.empty((len(x), 3))
    one, two = size_of_mean(fast), size_of_mean(slow)
    faster, slower, own = state[:one], state[one : one + two], state[one + two :]
    for row in range(len(x)):
        minute = first_minute + row
        value = averaged_with(x[row], minute, faster) - averaged_with(x[row], minute, slower)
        out[row, 0], out[row, 1], out[row, 2] = value, averaged_with(value, minute, own), x[row]
    return out


def begin_range(n: int) -> F:
    """State of `average_range`."""
    return _begin(1, wilder_of(n))


@kernel
def average_range(ohlc: F, first_minute: int, n: int, state: F) -> F:
    """Average true range, beside the closes: (T, 2)."""
    out = np.empty((len(ohlc), 2))
    for row in range(len(ohlc)):
        close = ohlc[row, CLOSE]
        widest = range_of(ohlc[row, HIGH], ohlc[row, LOW], state[0])
        out[row, 0], out[row, 1] = averaged_with(widest, first_minute + row, state[1:]), close
        state[0] = close
    return out


def begin_ratio(short: int, long: int) -> F:
    """State of `ratio`."""
    return _begin(1, wilder_of(short), wilder_of(long))


@kernel
def ratio(ohlc: F, first_minute: int, short: int, long: int, state: F) -> F:
    """Average true range of a short over that of a long mean: (T, 1)."""
    out, size = np.empty((len(ohlc), 1)), size_of_mean(2 * short - 1)
    for row in range(len(ohlc)):
        minute = first_minute + row
        widest = range_of(ohlc[row, HIGH], ohlc[row, LOW], state[0])
        quick = averaged_with(widest, minute, state[1 : 1 + size])
        out[row, 0] = quick / averaged_with(widest, minute, state[1 + size :])
        state[0] = ohlc[row, CLOSE]
    return out


def begin_movement(n: int) -> F:
    """State of `movement`: with the means of its three, and of their index."""
    return _begin(3, *[wilder_of(n)] * 4)


@kernel
def movement(ohlc: F, first_minute: int, n: int, state: F) -> F:
    """Directional movement: (T, 4), +DI, -DI, DX, percent, and the mean of DX."""
    out = np.empty((len(ohlc), 4))
    size = (len(state) - 3) // 4
    up, down = state[3 : 3 + size], state[3 + size : 3 + 2 * size]
    extent, index = state[3 + 2 * size : 3 + 3 * size], state[3 + 3 * size :]
    for row in range(len(ohlc)):
        high, low, minute = ohlc[row, HIGH], ohlc[row, LOW], first_minute + row
        rise, fall = moved(high - state[0], state[1] - low)
        whole = averaged_with(range_of(high, low, state[2]), minute, extent)
        plus = 100.0 * (averaged_with(rise, minute, up) / whole)
        minus = 100.0 * (averaged_with(fall, minute, down) / whole)
        out[row, 0], out[row, 1] = plus, minus
        out[row, 2] = 100.0 * (abs(plus - minus) / (plus + minus))
        out[row, 3] = averaged_with(out[row, 2], minute, index)
        state[0], state[1], state[2] = high, low, ohlc[row, CLOSE]
    return out
