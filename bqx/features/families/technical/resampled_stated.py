"""First steps of indicators on complete clock buckets that go on from a state, see `Steps`.

A state is the rows since the last NaN and the value of the last complete bucket, then what the
buckets before have left, see `going_on`.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.technical.resampled_kernels import ema_run_in, wilder_run_in
from bqx.features.rolling.exponential import range_of, strength_of
from bqx.features.rolling.going_on import averaged_with, mean_of, size_of_mean, wilder_of
from bqx.features.rolling.resampled import RUN_IN
from bqx.features.rolling.sums import F
from bqx.features.spec import CLOSE, HIGH, LOW

_HEAD = 2


def _begin(*means: F, before: int = 0) -> F:
    return np.concatenate((np.array([0.0, np.nan]), np.full(before, np.nan), *means))


@kernel
def _seen(state: F, value: float, minute: int, size: int) -> bool:
    """Count a row, and say whether a bucket ends with it."""
    state[0] = state[0] + 1.0 if value == value else 0.0
    return (minute + 1) % size == 0


@kernel
def _shown(state: F, need: int) -> float:
    """Value of the last complete bucket; NaN where fewer rows than needed are without NaN."""
    return state[1] if state[0] >= need else np.nan


def begin_mean(size: int, span: int) -> F:
    """State of `mean`."""
    return _begin(mean_of(span, RUN_IN))


@kernel
def mean(x: F, first_minute: int, size: int, span: int, state: F) -> F:
    """Exponential mean of buckets: (T, 1)."""
    out, need = np.empty((len(x), 1)), ema_run_in(span) * size
    for row in range(len(x)):
        minute = first_minute + row
        if _seen(state, x[row], minute, size):
            state[1] = averaged_with(x[row], minute // size, state[_HEAD:])
        out[row, 0] = _shown(state, need)
    return out


def begin_difference(size: int, fast: int, slow: int) -> F:
    """State of `difference`."""
    return _begin(mean_of(fast, RUN_IN), mean_of(slow, RUN_IN))


@kernel
def difference(x: F, first_minute: int, size: int, fast: int, slow: int, state: F) -> F:
    """Difference of two exponential means of buckets: (T, 1)."""
    out, need = np.empty((len(x), 1)), ema_run_in(slow) * size
    slower = _HEAD + size_of_mean(fast, RUN_IN)
    for row in range(len(x)):
        minute = first_minute + row
        if _seen(state, x[row], minute, size):
            bucket = minute // size
            quick = averaged_with(x[row], bucket, state[_HEAD:slower])
            state[1] = quick - averaged_with(x[row], bucket, state[slower:])
        out[row, 0] = _shown(state, need)
    return out


def begin_strength(size: int, n: int) -> F:
    """State of `strength`: with the bucket's close before."""
    return _begin(wilder_of(n, RUN_IN), wilder_of(n, RUN_IN), before=1)


@kernel
def strength(x: F, first_minute: int, size: int, n: int, state: F) -> F:
    """Relative strength index of buckets: (T, 1)."""
    out, need = np.empty((len(x), 1)), (wilder_run_in(n) + 1) * size
    start = _HEAD + 1
    middle = start + (len(state) - start) // 2
    for row in range(len(x)):
        minute = first_minute + row
        if _seen(state, x[row], minute, size):
            move, bucket = x[row] - state[_HEAD], minute // size
            gain = averaged_with(0.0 if move < 0.0 else move, bucket, state[start:middle])
            loss = averaged_with(0.0 if move > 0.0 else -move, bucket, state[middle:])
            state[1], state[_HEAD] = strength_of(gain, loss), x[row]
        out[row, 0] = _shown(state, need)
    return out


def begin_range(size: int, n: int) -> F:
    """State of `average_range`: with the bucket's close before, its rows, high and low so far."""
    return _begin(np.array([np.nan, 0.0, -np.inf, np.inf]), wilder_of(n, RUN_IN))


@kernel
def average_range(ohlc: F, first_minute: int, size: int, n: int, state: F) -> F:
    """Average true range of buckets: (T, 1)."""
    out, need = np.empty((len(ohlc), 1)), (wilder_run_in(n) + 1) * size
    bucket = state[_HEAD : _HEAD + 4]
    for row in range(len(ohlc)):
        minute, close = first_minute + row, ohlc[row, CLOSE]
        bucket[1] += close == close
        bucket[2], bucket[3] = max(bucket[2], ohlc[row, HIGH]), min(bucket[3], ohlc[row, LOW])
        if _seen(state, close, minute, size):
            high = bucket[2] if bucket[1] == size else np.nan
            widest = range_of(high, bucket[3], bucket[0])
            state[1] = averaged_with(widest, minute // size, state[_HEAD + 4 :])
            bucket[0], bucket[1], bucket[2], bucket[3] = close, 0.0, -np.inf, np.inf
        out[row, 0] = _shown(state, need)
    return out
