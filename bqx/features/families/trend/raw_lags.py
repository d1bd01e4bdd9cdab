"""Raw values some rows ago: the rate index, BQX and the one-minute log return."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.returns import RETURN
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output, Source

LAGS = range(1, 61)


@kernel
def lagged(x: F, first_minute: int) -> F:
    """Values 1 to 60 rows ago: (T, 60)."""
    out = np.empty((60, len(x)))
    for i in range(60):
        kept = max(len(x) - i - 1, 0)
        out[i, : len(x) - kept] = np.nan
        out[i, len(x) - kept :] = x[:kept]
    return out.T


def _lags(source: Source, alias: str, noun: str) -> Family:
    return family(
        "lag",
        lagged,
        {
            f"w{lag}": Output(
                "{u}",
                alias=f"{alias}_{lag}",
                lookback=lambda lag=lag: lag + 1,
                skips=lambda lag=lag: lag,
                title=f"{noun} {lag} {'row' if lag == 1 else 'rows'} ago",
                formula=f"x[t-{lag}]",
            )
            for lag in LAGS
        },
        table="lagged",
        sources=source,
        about=f"{noun} some rows ago",
        laggable=False,
    )


FAMILIES = (
    _lags(RATE, "rate_idx_lag", "Rate index"),
    _lags(BQX, "bqx_lag", "BQX"),
    _lags(RETURN, "return_lag", "One-minute log return"),
)
"""The newest ``lag`` rows are not read: a window of raw values spans every linear reading of it."""
