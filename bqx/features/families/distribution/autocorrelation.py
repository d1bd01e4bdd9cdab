"""How the values of a trailing window are distributed and how they follow each other.

Autocorrelation is Pearson's, of the pairs that lie inside the window.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.families.distribution import moments, quantiles
from bqx.features.families.distribution.quantiles import OUTPUTS
from bqx.features.rolling.products import correlation
from bqx.features.rolling.returns import RETURN
from bqx.features.rolling.sums import first_block
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]


@kernel
def _own_correlation(x: F, first_minute: int, window: int, lag: int) -> F:
    """Correlation of each window's values with those ``lag`` rows before them: (T,)."""
    rows = len(x)
    pairs = window - lag
    out = np.full(rows, np.nan)
    tail = np.empty((pairs, 5))
    # Rows since each of the two halves of the newest pair last changed.
    still = np.zeros(rows, dtype=np.int64)
    for row in range(1, rows):
        still[row] = still[row - 1] + 1 if x[row] == x[row - 1] else 0
    for start in range(first_block(first_minute, pairs), rows, pairs):
        if start < lag:
            continue
        r, q = x[start], x[start - lag]
        a = b = aa = bb = ab = 0.0
        before_start = min(pairs, start - lag)
        for i in range(before_start):
            d, e = x[start - 1 - i] - r, x[start - 1 - i - lag] - q
            a += d
            b += e
            aa += d * d
            bb += e * e
            ab += d * e
            tail[i, 0], tail[i, 1], tail[i, 2], tail[i, 3], tail[i, 4] = a, b, aa, bb, ab
        a = b = aa = bb = ab = 0.0
        for row in range(start, min(start + pairs, rows)):
            d, e = x[row] - r, x[row - lag] - q
            a += d
            b += e
            aa += d * d
            bb += e * e
            ab += d * e
            before = pairs - (row - start + 1)
            if before > before_start or still[row] >= pairs - 1 or still[row - lag] >= pairs - 1:
                continue
            sa, sb, saa, sbb, sab = a, b, aa, bb, ab
            if before:
                sa += tail[before - 1, 0]
                sb += tail[before - 1, 1]
                saa += tail[before - 1, 2]
                sbb += tail[before - 1, 3]
                sab += tail[before - 1, 4]
            xx, yy = saa - sa * sa / pairs, sbb - sb * sb / pairs
            if xx > 0.0 and yy > 0.0:
                out[row] = correlation(xx, sab - sa * sb / pairs, yy)
    return out


@kernel
def autocorrelation(x: F, first_minute: int, window: int) -> F:
    """Autocorrelation of each window at lags 1, 5 and 15: (T, 3); NaN where a side is flat."""
    out = np.empty((len(x), 3))
    out[:, 0] = _own_correlation(x, first_minute, window, 1)
    out[:, 1] = _own_correlation(x, first_minute, window, 5)
    out[:, 2] = _own_correlation(x, first_minute, window, 15)
    return out


@kernel
def of_returns(x: F, first_minute: int, window: int) -> F:
    """Five statistics of each window: (T, 5) skew, kurt, mad, entropy, autocorrelation at 1."""
    out = np.empty((len(x), 5))
    some = moments.moments(x, first_minute, window)
    out[:, 0], out[:, 1] = some[:, 2], some[:, 3]
    ordered = quantiles.order(x, first_minute, window)
    out[:, 2], out[:, 3] = ordered[:, 9], ordered[:, 10]
    out[:, 4] = _own_correlation(x, first_minute, window, 1)
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
