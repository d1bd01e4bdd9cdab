"""Means, sums and readings that technical indicators share.

Exponential and Wilder means start from the first value of a run-in of ten spans, so that each
value is a function of a declared number of bars (Wilder's span for ``n`` is ``2n - 1``; the part
of the endless recursion left out is below 1e-8).
"""

import numpy as np
from numba.extending import register_jitable

from bqx.compiled import kernel
from bqx.features.rolling.ago import blank_rests, changes
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import z_score, zone
from bqx.features.rolling.weighted import ewm_mean, faded, faded_and_above, run_in_of, weights
from bqx.features.spec import CLOSE, HIGH, LOW

RUN_IN = 10
"""Spans of run-in behind an exponential mean."""

LEVEL_ROWS = 60
"""Rows whose deviation stands in for the level of BQX, which crosses zero."""

SCORE_ROWS = 60
"""Rows behind the score of an indicator."""

DELTA = 5
"""Rows over which the change of an indicator is taken."""


@register_jitable
def ema_run_in(span: int, spans: int = RUN_IN) -> int:
    """Rows behind an exponential mean of a span."""
    return spans * span


@register_jitable
def wilder_run_in(n: int, spans: int = RUN_IN) -> int:
    """Rows behind a Wilder mean of length n, whose span is ``2 n - 1``."""
    return ema_run_in(2 * n - 1, spans)


def wilder_change(n: int) -> int:
    """Rows behind a Wilder mean of changes from one row to the next."""
    return wilder_run_in(n) + 1


@kernel
def ema(x: F, span: int, first_minute: int, spans: int = RUN_IN) -> F:
    """Exponential mean with ``alpha = 2 / (span + 1)``, started ``spans`` spans ago: (T,)."""
    rows = ema_run_in(span, spans)
    return ewm_mean(x, 2.0 / (span + 1.0), rows, rows, first_minute)


@kernel
def ema_and_above(x: F, span: int, first_minute: int) -> tuple[F, F]:
    """Exponential mean, and how far the series is above it: two (T,) arrays."""
    return faded_and_above(x, weights(2.0 / (span + 1.0), ema_run_in(span)), first_minute)


@kernel
def wilder(x: F, n: int, first_minute: int, spans: int = RUN_IN) -> F:
    """Wilder mean with ``alpha = 1 / n``: (T,)."""
    return ema(x, 2 * n - 1, first_minute, spans)


@kernel
def wilder_weights(n: int, spans: int = RUN_IN) -> tuple[F, F, F]:
    """Weights of Wilder means of length n, for several series, see `averaged`."""
    return weights(2.0 / ((2 * n - 1) + 1.0), wilder_run_in(n, spans))


@kernel
def averaged(x: F, by: tuple[F, F, F], first_minute: int) -> F:
    """Exponential or Wilder mean by its weights: (T,)."""
    return faded(x, by, run_in_of(by), first_minute)


@kernel
def strength_of(gain: float, loss: float) -> float:
    """Relative strength index of mean gains and losses, 0 to 100."""
    return 100.0 * (gain / (gain + loss))


@kernel
def strength(x: F, n: int, first_minute: int, spans: int = RUN_IN) -> F:
    """Relative strength index, Wilder means of gains and losses: (T,), 0 to 100.

    NaN where nothing moved in the whole run-in.
    """
    rows = len(x)
    gain, loss = np.empty(rows), np.empty(rows)
    gain[:1] = loss[:1] = np.nan
    for row in range(1, rows):
        move = x[row] - x[row - 1]
        gain[row] = 0.0 if move < 0.0 else move
        loss[row] = 0.0 if move > 0.0 else -move
    by = wilder_weights(n, spans)
    up, down = averaged(gain, by, first_minute), averaged(loss, by, first_minute)
    for row in range(rows):
        up[row] = strength_of(up[row], down[row])
    return up


@kernel
def score(values: F, x: F, window: int, first_minute: int) -> F:
    """Distance from the trailing mean in deviations (ddof 1): (T,).

    NaN where the values are flat over the window, or ``x``, which they are a reading of: a
    recursion over a flat stretch fades or rests, and its changes there are rounding.
    """
    out = z_score(values, window, first_minute)
    blank_rests(out, x, window)
    return out


@kernel
def readings(value: F, x: F, low: float, high: float, first_minute: int) -> F:
    """An indicator of ``x``: (T, 4), itself, its change over five rows, its score and its zone.

    The zone is 1 above the upper threshold, -1 below the lower one, 0 between or on them.
    """
    rows, first = len(value), 0
    while first < rows and value[first] != value[first]:
        first += 1  # a long warm-up is not scored
    out = np.empty((4, rows))
    out[:, :first] = np.nan
    there, under, side = value[first:], x[first:], out[3, first:]
    out[0, first:], out[1, first:] = there, changes(there, DELTA)
    out[2, first:] = score(there, under, SCORE_ROWS, first_minute + first)
    for row in range(len(side)):
        side[row] = zone(there[row], low - ROUNDING, high + ROUNDING)
    return out.T


@kernel
def over_deviation(values: F, x: F, first_minute: int) -> F:
    """Values in percent of the trailing deviation of ``x``: (T,); NaN where ``x`` is flat."""
    std = mean_std(x, LEVEL_ROWS, first_minute, 1)[1]
    for row in range(len(x)):
        share = 100.0 * values[row] / std[row]
        std[row] = share if std[row] > 0.0 else np.nan
    return std


@kernel
def range_of(high: float, low: float, before: float) -> float:
    """Largest of high - low and the distances of both from the close before."""
    extent, up, down = high - low, abs(high - before), abs(low - before)
    widest = up if up > down else down
    widest = widest if widest > extent else extent
    return widest if up == up else np.nan


@kernel
def true_range(ohlc: F) -> F:
    """True range of each bar: (T,), see `range_of`."""
    out = np.empty(len(ohlc))
    out[:1] = np.nan
    into, high, low, before = out[1:], ohlc[1:, HIGH], ohlc[1:, LOW], ohlc[:, CLOSE]
    for row in range(len(into)):
        into[row] = range_of(high[row], low[row], before[row])
    return out


@kernel
def moved(rise: float, fall: float) -> tuple[float, float]:
    """Directional movement up and down of a high that rose and a low that fell by so much."""
    nothing = 0.0 if rise == rise and fall == fall else np.nan
    up = rise if rise > fall and rise > 0.0 else nothing
    down = fall if fall > rise and fall > 0.0 else nothing
    return up, down
