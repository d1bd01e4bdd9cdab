"""Exponential means that go on for several pairs at once, see ``abreast``.

They are those of ``weighted.ewm_mean``, from the same sums in the same order.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.exponential import RUN_IN, ema_run_in
from bqx.features.rolling.sums import F
from bqx.features.rolling.weighted import weights

_HEAD = 3


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
def averaged_with(values: F, minute: int, state: F, out: F) -> None:
    """The means with the values (P,) of a market minute, which follow those before them, into
    ``out`` (P,).
    """
    size = (len(state) - _HEAD - 1) // 4
    place, alpha = minute % size, state[0, 0]
    powers, rows = state[_HEAD : _HEAD + size + 1], state[_HEAD + size + 1 :]
    block, before, older = rows[:size], rows[size : 2 * size], rows[2 * size :]
    total, origin = state[1], state[2]
    if place == 0:
        out[:] = 0.0
        for i in range(size):
            weight, of, back = alpha * powers[i, 0], block[size - 1 - i], older[size - 1 - i]
            for k in range(len(values)):
                out[k] += weight * (of[k] - values[k])
                back[k] = out[k]
        before[:], total[:], origin[:] = block, 0.0, values
    power, share, last = powers[place, 0], alpha / powers[place, 0], powers[size, 0]
    now, fade, whole = block[place], powers[place + 1, 0], place + 1 == size
    oldest, rest = (before[0], older[0]) if whole else (before[place + 1], older[place + 1])
    for k in range(len(values)):
        first = origin[k]
        now[k] = values[k]
        total[k] += share * (values[k] - first)
        since = power * total[k] + last * ((first if whole else oldest[k]) - first)
        out[k] = first + (since + fade * (0.0 if whole else rest[k]))
