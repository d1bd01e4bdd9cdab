"""Kernels of a pair among its relatives, from all rows or row by row, see ``relatives``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.cross_pair.best_lead import best_lead, lead_of, lead_with, size_of_lead
from bqx.features.rolling.abreast import (
    deviation_of,
    deviation_with,
    score_with,
    shown,
    size_of_deviation,
)
from bqx.features.rolling.abreast_sums import cross_of, cross_with, size_of_cross
from bqx.features.rolling.multivariate import correlations_of, cross_sums, shifted
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import z_score

MEMORY = 240
"""Rows of correlations among which one is placed."""


@kernel
def with_relatives(x: F, first_minute: int, window: int) -> F:
    """Correlations with four relatives, the deviation over the mean of theirs, and the means of
    the first and the last two correlations: (T, 7).
    """
    return of_sums(cross_sums(x, window, first_minute))


@kernel
def of_sums(sums: F) -> F:
    """The same of cross sums (T, 9)."""
    out = np.empty((7, len(sums)))
    out[:4] = correlations_of(sums).T
    for row in range(len(sums)):
        others = np.sqrt(sums[row, 1]) + np.sqrt(sums[row, 2])
        others += np.sqrt(sums[row, 3]) + np.sqrt(sums[row, 4])
        share = np.sqrt(sums[row, 0]) / (others / 4.0)
        out[4, row] = share if others > 0.0 else np.nan
        out[5, row] = (out[0, row] + out[1, row]) / 2.0
        out[6, row] = (out[2, row] + out[3, row]) / 2.0
    return out.T


@kernel
def relatives(x: F, first_minute: int, window: int) -> F:
    """A pair against two relatives on either side: (T, 5) -> (T, 8), see the outputs below.

    Columns: the pair, two relatives of its base, two of its quote.
    """
    now, out = with_relatives(x, first_minute, window), np.empty((8, len(x)))
    out[:4], out[7] = now[:, :4].T, now[:, 4]
    out[4:6] = (now[:, 5:] - shifted(now[:, 5:], window)).T
    out[6] = best_lead(x, first_minute, window)
    return out.T


def begin(window: int) -> F:
    """State of `goes_on`: that of the sums and of the lead, and the last means."""
    means = np.full(2 * (window + 1), np.nan)
    return np.concatenate((cross_of(5, window), lead_of(window), means))


@kernel
def goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `relatives` gives of a row (5, P), from the states of the rows before: (8, P)."""
    out, sums = np.empty((8, x.shape[1])), np.empty((9, x.shape[1]))
    of_lead = size_of_cross(5, window)
    base = of_lead + size_of_lead(window)
    quote = base + window + 1
    cross_with(x, minute, window, state[:of_lead], sums)
    now = of_sums(sums.T).T
    out[:4], out[7] = now[:4], now[4]
    out[4] = now[5] - shown(now[5], minute, state[base:quote])
    out[5] = now[6] - shown(now[6], minute, state[quote:])
    lead_with(x, minute, window, state[of_lead:base], out[6])
    return out


@kernel
def relatives_over_time(x: F, first_minute: int, window: int) -> F:
    """Where the mean correlations stand among their last 240: (T, 5) -> (T, 3)."""
    readings, out = with_relatives(x, first_minute, window), np.empty((len(x), 3))
    base, quote = readings[:, 5].copy(), readings[:, 6].copy()
    out[:, 0] = z_score(base, MEMORY, first_minute)
    out[:, 1] = z_score(quote, MEMORY, first_minute)
    out[:, 2] = mean_std((base + quote) / 2.0, MEMORY, first_minute, 1)[1]
    return out


def begin_over_time(window: int) -> F:
    """State of `over_time_goes_on`: that of the sums, and those of three deviations."""
    return np.concatenate((cross_of(5, window), *[deviation_of(MEMORY)] * 3))


@kernel
def over_time_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `relatives_over_time` gives of a row (5, P), from the states before it: (3, P)."""
    out, sums = np.empty((3, x.shape[1])), np.empty((9, x.shape[1]))
    start, size = size_of_cross(5, window), size_of_deviation(MEMORY)
    one, two = start + size, start + 2 * size
    cross_with(x, minute, window, state[:start], sums)
    now = of_sums(sums.T).T
    score_with(now[5], minute, MEMORY, state[start:one], out[0])
    score_with(now[6], minute, MEMORY, state[one:two], out[1])
    deviation_with((now[5] + now[6]) / 2.0, minute, MEMORY, state[two:], out[2])
    return out
