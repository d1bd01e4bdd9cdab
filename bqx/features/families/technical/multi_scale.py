"""One-minute rows against complete clock buckets, and 5-minute buckets against 15-minute ones.

A trend is the sign of the least-squares slope of 10 values (of 8 buckets of 15 minutes), a
volatility the deviation of 20 moves, and its regime the tercile among those of a day. BQX takes
changes where the rate takes log returns.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.families.technical.resampled import LONG, SHORT
from bqx.features.rolling import resampled
from bqx.features.rolling.sums import mean_std
from bqx.features.rolling.trailing import clean_rows
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output
from bqx.market.sessions import DAY

F = NDArray[np.float64]

MEAN, VOL, COARSE = 10, 20, 8
"""Values behind a mean or trend, a volatility, and a trend of 15-minute buckets."""

# A mean below this share of its values' size is their rounding.
_NOTHING = 1e-9


@kernel
def _over(above: F, below: F, size: F) -> F:
    out = np.full(len(above), np.nan)
    for row in range(len(above)):
        if abs(below[row]) > _NOTHING * size[row]:
            out[row] = above[row] / below[row]
    return out


@kernel
def _reach(y: F, n: int) -> F:
    """Largest size of the last ``n`` values: (B,)."""
    out = np.full(len(y), np.nan)
    for i in range(n - 1, len(y)):
        top = 0.0
        for k in range(n):
            top = max(top, abs(y[i - k]))
        out[i] = top
    return out


@kernel
def trends(x: F, first_minute: int, size: int) -> F:
    """Means and trends of rows against those of buckets: (T, 3), see the outputs."""
    rows, need = len(x), MEAN * size
    out = np.full((rows, 3), np.nan)
    y = resampled.closes(x, size, first_minute)
    means = resampled.carried(resampled.mean(y, MEAN), x, need, size, first_minute)
    size_of = resampled.carried(_reach(y, MEAN), x, need, size, first_minute)
    leans = resampled.carried(resampled.slope(y, MEAN)[1], x, need, size, first_minute)
    # There is no value before the buckets have theirs.
    late = need - MEAN
    out[late:, 0] = _over(resampled.mean(x[late:], MEAN), means[late:], size_of[late:])
    lean = resampled.slope(x[late:], MEAN)[1]
    for row in range(late, rows):
        fine, wide = lean[row - late], leans[row]
        if not (np.isnan(fine) or np.isnan(wide)):
            same = resampled.direction(fine) == resampled.direction(wide)
            out[row, 1] = 1.0 if same else 0.0
            against = resampled.strong(fine, MEAN) * resampled.strong(wide, MEAN) < 0.0
            out[row, 2] = 1.0 if against else 0.0
    return out


@kernel
def _volatilities(x: F, first_minute: int, size: int, plain: bool) -> F:
    rows, need = len(x), (VOL + 1) * size
    out = np.full((rows, 2), np.nan)
    move = resampled.moves(resampled.closes(x, size, first_minute), plain)
    coarse = resampled.carried(resampled.volatility(move, VOL), x, need, size, first_minute)
    minute = resampled.moves(x, plain)
    long = mean_std(minute, VOL * size, first_minute, 1)[1]
    late = need - VOL
    vol = resampled.volatility(minute[late:], VOL)
    for row in range(late, rows):
        if coarse[row] > 0.0:
            out[row, 0] = vol[row - late] / coarse[row]
        square = coarse[row] * coarse[row]
        out[row, 1] = square / (square + size * long[row] * long[row])
    return out


@kernel
def volatilities(x: F, first_minute: int, size: int) -> F:
    """Volatility of the rate's rows against that of its buckets: (T, 2), see the outputs."""
    return _volatilities(x, first_minute, size, False)


@kernel
def volatilities_of_bqx(x: F, first_minute: int, size: int) -> F:
    """Volatility of BQX's rows against that of its buckets: (T, 2), see the outputs."""
    return _volatilities(x, first_minute, size, True)


@kernel
def _regimes(x: F, first_minute: int, size: int, plain: bool) -> F:
    rows, day = len(x), DAY // size
    out = np.full((rows, 1), np.nan)
    move = resampled.moves(resampled.closes(x, size, first_minute), plain)
    coarse, need = resampled.terciles(resampled.volatility(move, VOL), day), (VOL + day) * size
    coarse = resampled.carried(coarse, x, need, size, first_minute)
    late = need - DAY - VOL
    vol = resampled.volatility(resampled.moves(x[late:], plain), VOL)
    clean = clean_rows(vol)
    for row in range(late, rows):
        i = row - late
        if clean[i] >= DAY and not np.isnan(coarse[row]):
            out[row, 0] = coarse[row] == resampled.third(vol[i - DAY + 1 : i + 1], vol[i])
    return out


@kernel
def regimes(x: F, first_minute: int, size: int) -> F:
    """Whether the rate's rows and buckets are in one regime: (T, 1)."""
    return _regimes(x, first_minute, size, False)


@kernel
def regimes_of_bqx(x: F, first_minute: int, size: int) -> F:
    """Whether BQX's rows and buckets are in one regime: (T, 1)."""
    return _regimes(x, first_minute, size, True)


@kernel
def cascade(x: F, first_minute: int, fine: int, coarse: int) -> F:
    """Buckets of 5 minutes against buckets of 15: (T, 4), see the outputs."""
    out = np.full((len(x), 4), np.nan)
    short, long = resampled.closes(x, fine, first_minute), resampled.closes(x, coarse, first_minute)
    need = COARSE * coarse
    means = resampled.carried(resampled.mean(short, MEAN), x, need, fine, first_minute)
    leans = resampled.carried(resampled.slope(short, MEAN)[1], x, need, fine, first_minute)
    wide = resampled.carried(resampled.mean(long, COARSE), x, need, coarse, first_minute)
    lead = resampled.carried(resampled.slope(long, COARSE)[1], x, need, coarse, first_minute)
    lean = resampled.slope(x, MEAN)[1]
    for row in range(len(x)):
        out[row, 0] = means[row] / wide[row]
        one, two = resampled.direction(lean[row]), resampled.direction(leans[row])
        three = resampled.direction(lead[row])
        if np.isnan(one + two + three):
            continue
        out[row, 1] = 1.0 if two == three else 0.0
        out[row, 2] = 1.0 if one == two and two == three and one != 0.0 else 0.0
        against = resampled.strong(leans[row], MEAN) * resampled.strong(lead[row], COARSE) < 0.0
        out[row, 3] = 1.0 if against else 0.0
    return out


_FLAG = ("1", 0.0, 1.0)


def _against(
    table: str, sizes: tuple[tuple[int, ...], ...], domain: str, dominance: bool = True
) -> tuple[Family, ...]:
    """What stands in a table of rows against buckets of some sizes, for one domain."""
    is_rate = domain == "rate"
    prefix, source = ("", RATE) if is_rate else ("bqx_", BQX)
    flag = "scale_{0}m_divergence_flag" if dominance else "scale_divergence_flag"
    trend = {
        "mean_ratio": Output(
            "1", 0.0 if is_rate else -np.inf, alias=prefix + "sma_1m_vs_{0}m_ratio",
            about="mean of 10 rows over that of 10 buckets",
        ),
        "trend": Output(
            *_FLAG, alias=prefix + "trend_1m_vs_{0}m_agreement",
            about="1 where the trends have one sign",
        ),
        "divergence": Output(
            *_FLAG, alias=prefix + flag,
            about="1 where both trends are strong (t beyond two) and opposite",
        ),
    }  # fmt: skip
    volatility = {
        "vol_ratio": Output(
            "1", 0.0, alias=prefix + "vol_1m_vs_{0}m_ratio",
            about="volatility of 20 rows over that of 20 buckets",
        ),
    }  # fmt: skip
    if dominance:
        volatility["dominance"] = Output(
            *_FLAG, alias=prefix + "scale_{0}m_dominance",
            about="bucket variance over itself plus what as many rows would give; 0.5 in a walk",
        )  # fmt: skip
    regime = {
        "regime": Output(
            *_FLAG, alias=prefix + "regime_1m_vs_{0}m_agreement",
            about="1 where the volatilities are in one tercile",
        ),
    }  # fmt: skip
    return tuple(
        Family(
            "against", table, kernel, outputs, sizes, (source,),
            "one-minute rows against complete buckets", lookback=rows, laggable=False,
        )
        for kernel, outputs, rows in (
            (trends, trend, lambda size: MEAN * size),
            (volatilities if is_rate else volatilities_of_bqx, volatility, _rows),
            (regimes if is_rate else regimes_of_bqx, regime, _regime_rows),
        )
    )  # fmt: skip


def _regime_rows(size: int) -> int:
    return (VOL + DAY // size) * size


def _rows(size: int) -> int:
    return (VOL + 1) * size


_HALF_HOURS = ((30,), (60,))

FAMILIES = (
    *_against(SHORT, ((5,),), "rate", dominance=False),
    *_against(LONG, _HALF_HOURS, "rate"),
    *_against(LONG, _HALF_HOURS, "bqx"),
    Family(
        "cascade", SHORT, cascade,
        {
            "mean_ratio": Output("1", 0.0, alias="sma_{0}m_vs_{1}m_ratio",
                                 about="mean of 10 buckets over that of 8 coarser ones"),
            "trend": Output(*_FLAG, alias="trend_{0}m_vs_{1}m_agreement",
                            about="1 where their trends have one sign"),
            "aligned": Output(*_FLAG, alias="scale_cascade_aligned",
                              about="1 where rows and both buckets have one trend"),
            "diverged": Output(*_FLAG, alias="scale_cascade_diverged",
                               about="1 where both trends are strong (t beyond two) and opposite"),
        },
        ((5, 15),), (RATE,), "5-minute buckets against 15-minute ones",
        lookback=lambda fine, coarse: COARSE * coarse,
        laggable=False,
    ),
)  # fmt: skip
