"""Spread over trailing windows, in quote units; NaN where the feed has none."""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.microstructure.volume import OF_MEANS, change, regime, trend
from bqx.features.rolling.standing import share
from bqx.features.rolling.sums import F, extremes, largest
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import deviation, mean_deviation, z_score
from bqx.features.spec import FLAG, Output, Source
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

WIDE, NARROW = 2.0, -0.5
"""Deviations from the trailing mean of a spread that has spiked, and of one compressed."""

TIMES = 2.0
"""Multiple of the hour's mean from which a spread has spiked in the hour's table."""

SAME = {"spread_percentile_60": "spread_level_percentile_w60"}
"""Names in the documents of features that are declared under another one."""


def _spread(bars: Bars) -> F:
    return bars.spread


SPREAD = Source("spread", "rate", "quote", 1, _spread)
"""Spread of each bar, quote units."""


@kernel
def levels(x: F, first_minute: int, window: int) -> F:
    """Mean, score, maximum, and flags of a score above 2 and below -0.5: (T, 5).

    A flat window has no score; neither flag stands there.
    """
    out = np.full((len(x), 5), np.nan)
    out[:, 0] = mean_deviation(x, window, first_minute)[0]
    out[:, 1] = z_score(x, window, first_minute, ROUNDING)
    out[:, 2] = largest(x, window)
    for row in range(len(x)):
        if not np.isnan(out[row, 0]):
            out[row, 3] = out[row, 1] > WIDE + ROUNDING
            out[row, 4] = out[row, 1] < NARROW - ROUNDING
    return out


@kernel
def scatter(x: F, first_minute: int, window: int) -> F:
    """Standard deviation: (T, 1)."""
    return deviation(x, window, first_minute).reshape(-1, 1)


@kernel
def hourly(x: F, first_minute: int, window: int) -> F:
    """Mean, deviation, range, rank and whether above twice the mean: (T, 5)."""
    out = np.empty((len(x), 5))
    out[:, 0], out[:, 1] = mean_deviation(x, window, first_minute)
    top, bottom = extremes(x, x, window)
    out[:, 2] = top - bottom
    out[:, 3] = share(x, window)
    above = np.where(x > (TIMES + ROUNDING) * out[:, 0], 1.0, 0.0)
    out[:, 4] = np.where(np.isnan(top), np.nan, above)
    return out


_MEAN = Output("{u}", 0.0, title="Mean spread", formula="mean(S, {0})")
_LEVELS = {
    "mean": replace(_MEAN, alias="spread_mean_{0}"),
    "z": Output(
        "1",
        alias="spread_z_{0}",
        title="Z-score of the spread within its window",
        formula="(S[t] - mean(S, {0})) / std(S, {0})",
    ),
    "max": Output("{u}", 0.0, alias="spread_max_{0}", title="Widest spread", formula="max(S, {0})"),
    "spike": Output(
        *FLAG,
        alias="spread_spike_flag",
        title="Flag of a spread two deviations above its mean",
        formula="z(S, {0}) > 2",
    ),
    "compression": Output(
        *FLAG,
        alias="spread_compression_flag",
        title="Flag of a spread half a deviation below its mean",
        formula="z(S, {0}) < -0.5",
    ),
}
_STD = Output("{u}", 0.0, title="Deviation of the spread", formula="std(S, {0})")
_HOURLY = {
    "mean": replace(_MEAN, alias="spread_mean_{0}min"),
    "std": replace(_STD, alias="spread_volatility_{0}min"),
    "range": Output(
        "{u}",
        0.0,
        alias="spread_range_{0}min",
        title="Range of the spread",
        formula="max(S, {0}) - min(S, {0})",
    ),
    "percentile": Output(
        *FLAG,
        alias="spread_percentile_{0}min",
        about="ties averaged",
        title="Rank of the spread within the hour",
        formula="rank(S, {0})",
    ),
    "double": Output(
        *FLAG,
        alias="spread_spike",
        title="Flag of a spread above twice the hour's mean",
        formula="S[t] > 2 mean(S, {0})",
    ),
}

_spread_family = partial(family, table="spread", sources=SPREAD)
_level = partial(
    _spread_family, "level", about="spread over the trailing window, current row included"
)
_trend = partial(
    _spread_family, "trend", trend, title="Slope of the spread", formula="slope(S, {0})"
)

FAMILIES = (
    _spread_family(
        "change",
        change,
        Output("{u}", alias="spread_change_{0}"),
        windows=5,
        title="Change of the spread",
        formula="S[t] - S[t-{0}]",
        lookback=lambda rows: rows + 1,
        laggable=False,
    ),
    _level(levels, _LEVELS, windows=20, laggable=False),
    _level(scatter, {"std": replace(_STD, alias="spread_vol_{0}")}, windows=30, laggable=False),
    _level(hourly, _HOURLY, windows=60),
    _trend(Output("{u}/bar", alias="spread_trend_{0}"), windows=20, laggable=False),
    _trend(Output("{u}/bar", alias="spread_trend_slope"), windows=60),
    _spread_family(
        "regime",
        regime,
        Output("1", 0.0, 2.0, alias="spread_regime"),
        windows=((20, DAY),),
        about="tercile (0 tight, 2 wide) of the 20-row mean among its last 1,440 values",
        title="Regime of the mean spread within a day",
        formula="tercile(mean(S, {0}), {1})",
        lookback=lambda window, memory: window + memory - 1,
        laggable=False,
        steps=OF_MEANS,
    ),
)
