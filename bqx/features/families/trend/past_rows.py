"""Kernels of the past rows, the current one left out, from all rows or row by row, see ``bqx``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.abreast import (
    deviation_of,
    extremes_of,
    extremes_with,
    shown,
    size_of_deviation,
    size_of_extremes,
    squares_with,
)
from bqx.features.rolling.ago import ago
from bqx.features.rolling.products import shift_sums
from bqx.features.rolling.sums import F, deviation_of_sums, extremes, mean_std


@kernel
def backward(x: F, first_minute: int, window: int) -> F:
    """BQX over the past ``window`` rows, and the oldest of them against now: (T, 2)."""
    rows = len(x)
    out = np.full((2, rows), np.nan)
    sums, reference = shift_sums(x, window, first_minute)
    past, ends = out[0, 1:], out[1]
    for row in range(len(past)):
        now = x[1 + row]
        past[row] = (sums[row] + window * (reference[row] - now)) / now
    oldest = ago(x, window)
    for row in range(rows):
        ends[row] = (oldest[row] - x[row]) / x[row]
    return out.T


@kernel
def past(x: F, first_minute: int, window: int) -> F:
    """Levels of the past ``window`` rows, the current one left out: (T, 4) max, min, avg, stdev."""
    rows = len(x)
    out = np.empty((4, rows))
    out[:, :1] = np.nan
    most, least, middle, width = out[0, 1:], out[1, 1:], out[2, 1:], out[3, 1:]
    top, bottom = extremes(x, x, window)
    mean, std = mean_std(x, window, first_minute, 1)
    for row in range(len(most)):
        most[row], least[row], middle[row], width[row] = _levels_of(
            top[row], bottom[row], mean[row], std[row]
        )
    return out.T


@kernel
def _levels_of(
    most: float, least: float, middle: float, width: float
) -> tuple[float, float, float, float]:
    """The same of a window, where what is flat has no rounding."""
    flat = most == least
    return most, least, most if flat else middle, 0.0 if flat else width


def begin_past(window: int) -> F:
    """State of `past_goes_on`: the levels before, and those of extremes and deviation."""
    return np.concatenate((np.full(4, np.nan), extremes_of(window), deviation_of(window)))


@kernel
def past_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `past` gives of a row (1, P), from the states of the rows before: (4, P)."""
    out, pairs, start = state[:4].copy(), x.shape[1], 4 + size_of_extremes(window)
    both, sums = np.empty((2, pairs)), np.empty((3, pairs))
    extremes_with(x[0], minute, window, state[4:start], both)
    squares_with(x[0], minute, window, state[start:], sums)
    share, free = 1.0 / window, 1.0 / (window - 1)
    for k in range(pairs):
        mean = sums[2, k] + sums[0, k] * share
        std = deviation_of_sums(sums[0, k], sums[1, k], share, free)
        levels = _levels_of(both[0, k], both[1, k], mean, std)
        state[0, k], state[1, k], state[2, k], state[3, k] = levels
    return out


@kernel
def size_of_backward(window: int) -> int:
    """Numbers of the state of `backward_goes_on`."""
    return 2 + size_of_deviation(window) + window + 1


def begin_backward(window: int) -> F:
    """State of `backward_goes_on`: the sums before, that of the sums, and the last values."""
    return np.concatenate((np.full(2, np.nan), deviation_of(window), np.full(window + 1, np.nan)))


@kernel
def backward_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `backward` gives of a row (1, P), from the states of the rows before: (2, P)."""
    pairs, start = x.shape[1], 2 + size_of_deviation(window)
    out, sums = np.empty((2, pairs)), np.empty((3, pairs))
    oldest = shown(x[0], minute, state[start:])
    for k in range(pairs):
        total, now = state[0, k], x[0, k]
        out[0, k] = (total + window * (state[1, k] - now)) / now
        out[1, k] = (oldest[k] - now) / now if total == total else np.nan
    squares_with(x[0], minute, window, state[2:start], sums)
    state[0], state[1] = sums[0], sums[2]
    return out


@kernel
def spread(x: F, first_minute: int, window: int) -> F:
    """Range and deviation of the past ``window`` rows over the current value: (T, 2)."""
    return _over(past(x, first_minute, window), x)


@kernel
def _over(levels: F, x: F) -> F:
    """The same of the levels."""
    out = np.empty((len(x), 2))
    for row in range(len(x)):
        out[row, 0] = (levels[row, 0] - levels[row, 1]) / x[row]
        out[row, 1] = levels[row, 3] / x[row]
    return out


@kernel
def spread_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `spread` gives of a row (1, P), from the states of the rows before: (2, P)."""
    return _over(past_goes_on(x, minute, window, state).T, x[0]).T
