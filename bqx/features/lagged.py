"""Raw values some rows ago: the rate index, BQX and the one-minute log return."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features.returns import RETURN
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output, Source

F = NDArray[np.float64]

LAGS = tuple((lag,) for lag in range(1, 61))


@njit(cache=True)
def lagged(x: F, first_minute: int, lag: int) -> F:
    """Value ``lag`` rows ago: (T, 1)."""
    out = np.full((len(x), 1), np.nan)
    for row in range(lag, len(x)):
        out[row, 0] = x[row - lag]
    return out


def _lags(source: Source, alias: str, what: str) -> Family:
    return Family(
        "lag",
        "lagged",
        lagged,
        {"": Output("{u}", alias=alias)},
        LAGS,
        (source,),
        f"{what} some rows ago",
        lookback=lambda lag: lag + 1,
        skips=lambda lag: lag,
        laggable=False,
    )


FAMILIES = (
    _lags(RATE, "rate_idx_lag_{0}", "rate index"),
    _lags(BQX, "bqx_lag_{0}", "BQX"),
    _lags(RETURN, "return_lag_{0}", "one-minute log return"),
)
"""The newest ``lag`` rows are not read: a window of raw values spans every linear reading of it."""
