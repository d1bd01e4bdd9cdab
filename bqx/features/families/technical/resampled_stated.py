"""First steps of indicators on complete clock buckets that go on from a state, see `Steps`.

They take a row of all pairs. A state is the rows since the last NaN and the value of the last
complete bucket, then what the buckets before have left, see ``abreast``.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.technical.resampled_kernels import ema_run_in, wilder_run_in
from bqx.features.families.technical.stated import strength as of_strength
from bqx.features.rolling.abreast_means import averaged_with, mean_of, size_of_mean, wilder_of
from bqx.features.rolling.exponential import range_of
from bqx.features.rolling.resampled import RUN_IN
from bqx.features.rolling.sums import F
from bqx.features.spec import CLOSE, HIGH, LOW

_HEAD = 2


def _begin(*means: F, before: int = 0) -> F:
    return np.concatenate((np.array([0.0, np.nan]), np.full(before, np.nan), *means))


@kernel
def _seen(state: F, values: F, minute: int, size: int) -> bool:
    """Count a row, and say whether a bucket ends with it."""
    for k in range(len(values)):
        state[0, k] = state[0, k] + 1.0 if values[k] == values[k] else 0.0
    return (minute + 1) % size == 0


@kernel
def _shown(state: F, need: int) -> F:
    """Values of the last complete bucket: (1, P), NaN where too few rows are without NaN."""
    out = np.empty((1, state.shape[1]))
    for k in range(state.shape[1]):
        out[0, k] = state[1, k] if state[0, k] >= need else np.nan
    return out


def begin_mean(size: int, span: int) -> F:
    """State of `mean`."""
    return _begin(mean_of(span, RUN_IN))


@kernel
def mean(x: F, minute: int, size: int, span: int, state: F) -> F:
    """Exponential mean of buckets: (1, P) -> (1, P)."""
    if _seen(state, x[0], minute, size):
        averaged_with(x[0], minute // size, state[_HEAD:], state[1])
    return _shown(state, ema_run_in(span) * size)


def begin_difference(size: int, fast: int, slow: int) -> F:
    """State of `difference`."""
    return _begin(mean_of(fast, RUN_IN), mean_of(slow, RUN_IN))


@kernel
def difference(x: F, minute: int, size: int, fast: int, slow: int, state: F) -> F:
    """Difference of two exponential means of buckets: (1, P) -> (1, P)."""
    if _seen(state, x[0], minute, size):
        slower, wide = _HEAD + size_of_mean(fast, RUN_IN), np.empty(x.shape[1])
        averaged_with(x[0], minute // size, state[_HEAD:slower], state[1])
        averaged_with(x[0], minute // size, state[slower:], wide)
        state[1] -= wide
    return _shown(state, ema_run_in(slow) * size)


def begin_strength(size: int, n: int) -> F:
    """State of `strength`: with the bucket's close before."""
    return _begin(wilder_of(n, RUN_IN), wilder_of(n, RUN_IN), before=1)


@kernel
def strength(x: F, minute: int, size: int, n: int, state: F) -> F:
    """Relative strength index of buckets: (1, P) -> (1, P)."""
    if _seen(state, x[0], minute, size):
        state[1] = of_strength(x, minute // size, n, state[_HEAD:])[0]
    return _shown(state, (wilder_run_in(n) + 1) * size)


def begin_range(size: int, n: int) -> F:
    """State of `average_range`: with the bucket's close before, its rows, high and low so far."""
    return _begin(np.array([np.nan, 0.0, -np.inf, np.inf]), wilder_of(n, RUN_IN))


@kernel
def average_range(ohlc: F, minute: int, size: int, n: int, state: F) -> F:
    """Average true range of buckets: (4, P) -> (1, P)."""
    bucket, pairs = state[_HEAD : _HEAD + 4], ohlc.shape[1]
    for k in range(pairs):
        bucket[1, k] += ohlc[CLOSE, k] == ohlc[CLOSE, k]
        bucket[2, k] = max(bucket[2, k], ohlc[HIGH, k])
        bucket[3, k] = min(bucket[3, k], ohlc[LOW, k])
    if _seen(state, ohlc[CLOSE], minute, size):
        widest = np.empty(pairs)
        for k in range(pairs):
            high = bucket[2, k] if bucket[1, k] == size else np.nan
            widest[k] = range_of(high, bucket[3, k], bucket[0, k])
        averaged_with(widest, minute // size, state[_HEAD + 4 :], state[1])
        bucket[0], bucket[1], bucket[2], bucket[3] = ohlc[CLOSE], 0.0, -np.inf, np.inf
    return _shown(state, (wilder_run_in(n) + 1) * size)
