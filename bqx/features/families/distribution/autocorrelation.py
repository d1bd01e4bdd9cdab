"""How the values of a trailing window are distributed and how they follow each other.

Autocorrelation is Pearson's, of the pairs that lie inside the window.
"""

from dataclasses import replace

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.distribution import moments, quantiles
from bqx.features.families.distribution.quantiles import OUTPUTS
from bqx.features.rolling import comoments
from bqx.features.rolling.returns import RETURN
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output


@kernel
def autocorrelation(x: F, first_minute: int, window: int) -> F:
    """Autocorrelation of each window at lags 1, 5 and 15: (T, 3); NaN where a side is flat."""
    out = np.empty((len(x), 3))
    for k, lag in enumerate((1, 5, 15)):
        out[:, k] = comoments.autocorrelation(x, window, lag, first_minute)
    return out


@kernel
def of_returns(x: F, first_minute: int, window: int) -> F:
    """Five statistics of each window: (T, 5) skew, kurt, mad, entropy, autocorrelation at 1."""
    out = np.empty((len(x), 5))
    described = moments.moments(x, first_minute, window)
    out[:, 0], out[:, 1] = described[:, 2], described[:, 3]
    ordered = quantiles.order(x, first_minute, window)
    out[:, 2], out[:, 3] = ordered[:, 9], ordered[:, 10]
    out[:, 4] = comoments.autocorrelation(x, window, 1, first_minute)
    return out


FAMILIES = (
    Family(
        "autocorr",
        "statistics",
        autocorrelation,
        {f"lag{k}": Output("1", -1.0, 1.0, alias=f"autocorr_lag{k}") for k in (1, 5, 15)},
        ((60,),),
        (RATE, BQX),
        "Pearson correlation of the window's values with those some rows before, inside it",
    ),
    Family(
        "distribution",
        "statistics_return",
        of_returns,
        {
            "skew": Output("1", alias="skewness_{0}min", about="skewness, bias-adjusted"),
            "kurt": Output("1", alias="kurtosis_{0}min", about="excess kurtosis, bias-adjusted"),
            "mad": replace(OUTPUTS["mad"], alias="median_absolute_deviation_{0}min"),
            "entropy": OUTPUTS["entropy"],
            "autocorr": Output("1", -1.0, 1.0, alias="autocorrelation_lag1"),
        },
        ((60,),),
        (RETURN,),
        "one-minute log returns of the trailing window",
        laggable=False,
    ),
)

_TABLE = tuple(
    feature
    for family in (*moments.FAMILIES, *quantiles.FAMILIES, *FAMILIES)
    if family.table == "statistics"
    for feature in family.features()
)
_OLDER = ((20,), (50,), (120,))
_MOMENTS = ("mean", "std", "skew", "kurt")

PROFILES = {
    "v2": {f"{f.source.key}.{f.alias}": f.name for f in _TABLE if f.window in _OLDER},
    "v3": {
        f.alias if f.window != (120,) else f"{f.alias}min": f.name
        for f in _TABLE
        if f.domain == "bqx"
        and f.output != "jb"
        and (f.window not in _OLDER or (f.window == (120,) and f.output in _MOMENTS))
    },
}
"""Names in the inventory's 24 per domain and in the later 48, with the feature each one is."""
