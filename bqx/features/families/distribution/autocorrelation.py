"""How the values of a trailing window are distributed and how they follow each other.

Autocorrelation is Pearson's, of the pairs that lie inside the window.
"""

from dataclasses import replace

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.distribution import moments, quantiles
from bqx.features.families.distribution.quantiles import OUTPUTS
from bqx.features.rolling import comoments
from bqx.features.rolling.returns import RETURN
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import SIGNED, Output


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


def _lag(lag: int, alias: str) -> Output:
    return Output(
        *SIGNED,
        alias=alias,
        title=f"Autocorrelation of {{x}} at lag {lag}",
        formula=f"corr(x[t], x[t-{lag}], {{0}})",
    )


FAMILIES = (
    family(
        "autocorr",
        autocorrelation,
        {f"lag{lag}": _lag(lag, f"autocorr_lag{lag}") for lag in (1, 5, 15)},
        table="statistics",
        sources=(RATE, BQX),
        windows=60,
        about="Pearson correlation of the window's values with those some rows before, inside it",
    ),
    family(
        "distribution",
        of_returns,
        {
            "skew": replace(moments.DEFINED["skew"], alias="skewness_{0}min"),
            "kurt": replace(moments.DEFINED["kurt"], alias="kurtosis_{0}min"),
            "mad": replace(OUTPUTS["mad"], alias="median_absolute_deviation_{0}min"),
            "entropy": OUTPUTS["entropy"],
            "autocorr": _lag(1, "autocorrelation_lag1"),
        },
        table="statistics_return",
        sources=RETURN,
        windows=60,
        about="one-minute log returns of the trailing window",
        laggable=False,
    ),
)

_TABLE = tuple(
    feature
    for member in (*moments.FAMILIES, *quantiles.FAMILIES, *FAMILIES)
    if member.table == "statistics"
    for feature in member.features()
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
