"""Volume (tick counts) by itself.

A carried bar has volume 0. Without volumes in the feed all of it is NaN.
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.abreast import size_of_total, total_of, total_with
from bqx.features.rolling.abreast_ranks import tercile_of_ties_with, thirds_of
from bqx.features.rolling.ago import rise
from bqx.features.rolling.standing import tercile_of_ties
from bqx.features.rolling.sums import F, extremes
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import (
    deviation,
    mean_deviation,
    slope,
    total,
    z_score,
)
from bqx.features.spec import FLAG, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

SPIKE = 2.0
"""Deviations above the mean that make a spike; in the hour's table, the multiple of the mean."""

VOLUME = Source("rate", "rate", "tick", 1, lambda bars: bars.volume)
"""Ticks of each bar."""


LEVEL_COLUMN, VOLUME_COLUMN = range(2)
"""Columns of a series with volume."""


def with_volume(bars: Bars) -> F:
    """(T, 2) rate index and volume."""
    return np.column_stack([bars.index, bars.volume])


RATE_VOLUME = Source("rate", "rate", "pt", 1, with_volume)
"""Rate index and volume."""


@kernel
def now(x: F, first_minute: int) -> F:
    """Volume itself: (T, 1)."""
    return x.copy().reshape(-1, 1)


@kernel
def levels(x: F, first_minute: int, window: int) -> F:
    """Mean, deviation, score and sum: (T, 4); no score in a flat window."""
    out = np.empty((len(x), 4))
    out[:, 0], out[:, 1] = mean_deviation(x, window, first_minute)
    out[:, 2], out[:, 3] = z_score(x, window, first_minute), out[:, 0] * window
    return out


@kernel
def hourly(x: F, first_minute: int, window: int) -> F:
    """Sum, deviation, whether above twice the mean, place in the range (0.5 if flat): (T, 4)."""
    rows = len(x)
    out = np.full((rows, 4), np.nan)
    sums, std = total(x, window, first_minute), deviation(x, window, first_minute)
    top, bottom = extremes(x, x, window)
    for row in range(rows):
        out[row, 0], out[row, 1] = sums[row], std[row]
        if not np.isnan(top[row]):
            extent = top[row] - bottom[row]
            out[row, 2] = x[row] * window > SPIKE * out[row, 0]
            out[row, 3] = (x[row] - bottom[row]) / extent if extent > 0.0 else 0.5
    return out


@kernel
def over_mean(x: F, first_minute: int, window: int) -> F:
    """Volume over its mean: (T, 1); 1 where there was none."""
    out = total(x, window, first_minute)
    for row in range(len(x)):
        out[row] = x[row] * window / out[row] if out[row] != 0.0 else 1.0
    return out.reshape(-1, 1)


@kernel
def trend(x: F, first_minute: int, window: int) -> F:
    """Slope of the straight line: (T, 1)."""
    return slope(x, window, first_minute).reshape(-1, 1)


@kernel
def spike(x: F, first_minute: int, window: int) -> F:
    """Whether the score is above two: (T, 1), 0 or 1; 0 in a flat window."""
    mean, std = mean_deviation(x, window, first_minute)
    for row in range(len(x)):
        if not np.isnan(std[row]):
            mean[row] = x[row] - mean[row] > (SPIKE + ROUNDING) * std[row]
    return mean.reshape(-1, 1)


@kernel
def change(x: F, first_minute: int, rows: int) -> F:
    """Difference to some rows before: (T, 1)."""
    return rise(x, rows).reshape(-1, 1)


@kernel
def regime(x: F, first_minute: int, window: int, memory: int) -> F:
    """Tercile of the mean among its ``memory`` last values: (T, 1)."""
    return tercile_of_ties(total(x, window, first_minute), memory).reshape(-1, 1)


def _begin(window: int, memory: int) -> F:
    """State of `_regime_goes_on`: that of the sum, and that of its rank."""
    return np.concatenate((total_of(window), thirds_of(memory)))


@kernel
def _regime_goes_on(x: F, minute: int, window: int, memory: int, state: F) -> F:
    """What `regime` gives of a row (1, P), from the states of the rows before: (1, P)."""
    out, size = np.empty(x.shape), size_of_total(window)
    total_with(x[0], minute, state[:size], out[0])
    tercile_of_ties_with(out[0].copy(), minute, memory, state[size:], out[0])
    return out


OF_MEANS = Steps(
    _regime_goes_on,
    read,
    rows=lambda window, memory: window + memory - 1,
    reads=lambda window, memory: 1,
    begin=_begin,
    abreast=True,
)
"""Steps of `regime`."""


SAME = {"volume_trend_slope": "rate_volume_trend_w60"}
"""Names in the documents of features that are declared under another one."""

_TREND = Output("{u}/bar", alias="vol_trend_{0}min")
_SPIKE = Output(*FLAG, alias="vol_spike_{0}min")
_LEVELS = {
    "mean": Output("{u}", 0.0, alias="volume_sma_{0}", title="Mean volume", formula="mean(V, {0})"),
    "std": Output(
        "{u}", 0.0, alias="volume_std_{0}", title="Deviation of volume", formula="std(V, {0})"
    ),
    "z": Output(
        "1",
        alias="volume_z_{0}",
        title="Z-score of volume within its window",
        formula="(V[t] - mean(V, {0})) / std(V, {0})",
    ),
    "sum": Output(
        "{u}",
        0.0,
        alias="trade_count_{0}",
        spanned_by=("{s}_volume_mean_w{0}",),
        title="Ticks of the window",
        formula="sum(V, {0})",
    ),
}
_HOURLY = {
    "sum": Output(
        "{u}",
        0.0,
        alias="cumulative_volume_{0}min",
        title="Cumulative volume of the hour",
        formula="sum(V, {0})",
    ),
    "std": Output(
        "{u}",
        0.0,
        alias="volume_volatility_{0}min",
        title="Deviation of volume within the hour",
        formula="std(V, {0})",
    ),
    "double": Output(
        *FLAG,
        alias="volume_spike",
        title="Flag of volume above twice the hour's mean",
        formula="V[t] > 2 mean(V, {0})",
    ),
    "position": Output(
        *FLAG,
        alias="relative_volume_position",
        title="Place of volume within the hour's range",
        formula="(V[t] - min(V, {0})) / (max(V, {0}) - min(V, {0}))",
    ),
}

_volume = partial(family, table="volume", sources=VOLUME)
_trend = partial(_volume, "volume_trend", trend, title="Slope of volume", formula="slope(V, {0})")
_spike = partial(
    _volume,
    "volume_spike",
    spike,
    title="Flag of volume two deviations above its mean",
    formula="V[t] - mean(V, {0}) > 2 std(V, {0})",
    laggable=False,
)

FAMILIES = (
    _volume(
        "volume",
        now,
        {"": Output("{u}", 0.0, alias="volume_level")},
        title="Volume, ticks of the bar",
        formula="V[t]",
        lookback=lambda: 1,
        laggable=False,
    ),
    _volume(
        "volume",
        levels,
        _LEVELS,
        windows=20,
        about="ticks of the trailing window, current row included",
        laggable=False,
    ),
    _volume(
        "volume",
        hourly,
        _HOURLY,
        windows=60,
        about="ticks of the trailing hour, current row included",
    ),
    _volume(
        "volume_ratio",
        over_mean,
        Output("1", 0.0, alias="w{0}_volume_ratio"),
        windows=(15, 30, 60),
        title="Volume over its mean",
        formula="V[t] / mean(V, {0})",
    ),
    _trend(_TREND, windows=(15, 30, 120), laggable=False),
    _trend(_TREND, windows=60),
    _trend(Output("{u}/bar", alias="volume_trend_{0}"), windows=20, laggable=False),
    _spike(_SPIKE, windows=(15, 30, 60, 120)),
    _spike(Output(*FLAG, alias="volume_spike_flag"), windows=20),
    _volume(
        "volume_change",
        change,
        Output("{u}", alias="volume_change_{0}"),
        windows=5,
        title="Change of volume",
        formula="V[t] - V[t-{0}]",
        lookback=lambda rows: rows + 1,
        laggable=False,
    ),
    _volume(
        "volume_regime",
        regime,
        Output("1", 0.0, 2.0, alias="volume_regime"),
        windows=((20, DAY),),
        about="tercile (0 low, 2 high) of the 20-row mean among its last 1,440 values",
        title="Regime of mean volume within a day",
        formula="tercile(mean(V, {0}), {1})",
        lookback=lambda window, memory: window + memory - 1,
        laggable=False,
        steps=OF_MEANS,
    ),
)
