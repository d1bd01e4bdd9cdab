"""Spread over trailing windows, in quote units; NaN where the feed has none."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.sums import extremes
from bqx.features.rolling.trailing import (
    MEMORY,
    NOTHING,
    changes,
    deviation,
    mean_deviation,
    share,
    slope,
    tercile,
    total,
)
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars

F = NDArray[np.float64]

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
def change(x: F, first_minute: int, rows: int) -> F:
    """Difference to some rows before: (T, 1)."""
    return changes(x, rows).reshape(-1, 1)


@kernel
def levels(x: F, first_minute: int, window: int) -> F:
    """Mean, score, maximum, and flags of a score above 2 and below -0.5: (T, 5).

    A flat window has no score; neither flag stands there.
    """
    out = np.empty((len(x), 5))
    mean, std = mean_deviation(x, window, first_minute)
    top = extremes(x, x, window)[0]
    for row in range(len(x)):
        out[row, 0], out[row, 2] = mean[row], top[row]
        out[row, 1] = (x[row] - mean[row]) / std[row] if std[row] > NOTHING * mean[row] else np.nan
        if np.isnan(mean[row]):
            out[row, 3] = out[row, 4] = np.nan
        else:
            out[row, 3] = out[row, 1] > WIDE + NOTHING
            out[row, 4] = out[row, 1] < NARROW - NOTHING
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
    above = np.where(x > (TIMES + NOTHING) * out[:, 0], 1.0, 0.0)
    out[:, 4] = np.where(np.isnan(top), np.nan, above)
    return out


@kernel
def trend(x: F, first_minute: int, window: int) -> F:
    """Slope of the straight line: (T, 1)."""
    return slope(x, window, first_minute).reshape(-1, 1)


@kernel
def regime(x: F, first_minute: int, window: int, memory: int) -> F:
    """Tercile of the mean among its ``memory`` last values: (T, 1)."""
    return tercile(total(x, window, first_minute), memory).reshape(-1, 1)


_FLAG = ("1", 0.0, 1.0)

FAMILIES = (
    Family(
        "change", "spread", change, {"": Output("{u}", alias="spread_change_{0}")}, ((5,),),
        (SPREAD,), "spread minus that of some rows before", lookback=lambda rows: rows + 1,
        laggable=False,
    ),
    Family(
        "level",
        "spread",
        levels,
        {
            "mean": Output("{u}", 0.0, alias="spread_mean_{0}"),
            "z": Output("1", alias="spread_z_{0}", about="(spread - mean) / std"),
            "max": Output("{u}", 0.0, alias="spread_max_{0}"),
            "spike": Output(*_FLAG, alias="spread_spike_flag", about="score above 2"),
            "compression": Output(
                *_FLAG, alias="spread_compression_flag", about="score below -0.5"
            ),
        },
        ((20,),),
        (SPREAD,),
        "spread over the trailing window, current row included",
        laggable=False,
    ),
    Family(
        "level", "spread", scatter, {"std": Output("{u}", 0.0, alias="spread_vol_{0}")},
        ((30,),), (SPREAD,), "deviation of the spread", laggable=False,
    ),
    Family(
        "level",
        "spread",
        hourly,
        {
            "mean": Output("{u}", 0.0, alias="spread_mean_{0}min"),
            "std": Output("{u}", 0.0, alias="spread_volatility_{0}min"),
            "range": Output("{u}", 0.0, alias="spread_range_{0}min"),
            "percentile": Output(
                *_FLAG, alias="spread_percentile_{0}min", about="rank, ties averaged"
            ),
            "double": Output(*_FLAG, alias="spread_spike", about="above twice the mean"),
        },
        ((60,),),
        (SPREAD,),
        "spread over the trailing hour, current row included",
    ),
    Family(
        "trend", "spread", trend, {"": Output("{u}/bar", alias="spread_trend_{0}")}, ((20,),),
        (SPREAD,), "slope of the straight line through the spread", laggable=False,
    ),
    Family(
        "trend", "spread", trend, {"": Output("{u}/bar", alias="spread_trend_slope")}, ((60,),),
        (SPREAD,), "slope of the straight line through the spread",
    ),
    Family(
        "regime", "spread", regime, {"": Output("1", 0.0, 2.0, alias="spread_regime")},
        ((20, MEMORY),), (SPREAD,),
        "tercile (0 tight, 2 wide) of the 20-row mean among its last 1,440 values",
        lookback=lambda window, memory: window + memory - 1, laggable=False,
    ),
)  # fmt: skip
