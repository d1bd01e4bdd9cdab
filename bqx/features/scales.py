"""One-minute rows against complete clock buckets, and 5-minute buckets against 15-minute ones.

A trend is the sign of the least-squares slope of 10 values (of 8 buckets of 15 minutes), a
volatility the deviation of 20 moves, and its regime the tercile among those of a day. BQX takes
changes where the rate takes log returns.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features import buckets
from bqx.features.bucketed import LONG, SHORT
from bqx.features.rolling import mean_std
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output
from bqx.sessions import DAY

F = NDArray[np.float64]

MEAN, VOL, COARSE = 10, 20, 8
"""Values behind a mean or trend, a volatility, and a trend of 15-minute buckets."""

# A mean below this share of its values' size is their rounding.
_NOTHING = 1e-9


@njit(cache=True, error_model="numpy")
def _over(above: F, below: F, size: F) -> F:
    out = np.full(len(above), np.nan)
    for row in range(len(above)):
        if abs(below[row]) > _NOTHING * size[row]:
            out[row] = above[row] / below[row]
    return out


@njit(cache=True, error_model="numpy")
def _reach(y: F, n: int) -> F:
    """Largest size of the last ``n`` values: (B,)."""
    out = np.full(len(y), np.nan)
    for i in range(n - 1, len(y)):
        top = 0.0
        for k in range(n):
            top = max(top, abs(y[i - k]))
        out[i] = top
    return out


@njit(cache=True, error_model="numpy")
def _against(x: F, first_minute: int, size: int, plain: bool) -> F:
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    y = buckets.closes(x, size, first_minute)
    move, minute = buckets.moves(y, plain), buckets.moves(x, plain)
    vols, vol = buckets.volatility(move, VOL), buckets.volatility(minute, VOL)
    need = MEAN * size
    means = buckets.carried(buckets.mean(y, MEAN), x, need, size, first_minute)
    size_of = buckets.carried(_reach(y, MEAN), x, need, size, first_minute)
    out[:, 0] = _over(buckets.mean(x, MEAN), means, size_of)
    coarse = buckets.carried(vols, x, (VOL + 1) * size, size, first_minute)
    lean = buckets.slope(x, MEAN)[1]
    leans = buckets.carried(buckets.slope(y, MEAN)[1], x, need, size, first_minute)
    day = DAY // size
    regime = buckets.terciles(vol, DAY)
    regimes = buckets.terciles(vols, day)
    regimes = buckets.carried(regimes, x, (VOL + day) * size, size, first_minute)
    long = mean_std(minute, VOL * size, first_minute, 1)[1]
    for row in range(rows):
        if coarse[row] > 0.0:
            out[row, 1] = vol[row] / coarse[row]
        fine, wide = lean[row], leans[row]
        if not (np.isnan(fine) or np.isnan(wide)):
            same = buckets.direction(fine) == buckets.direction(wide)
            out[row, 2] = 1.0 if same else 0.0
            against = buckets.strong(fine, MEAN) * buckets.strong(wide, MEAN) < 0.0
            out[row, 4] = 1.0 if against else 0.0
        if not (np.isnan(regime[row]) or np.isnan(regimes[row])):
            out[row, 3] = 1.0 if regime[row] == regimes[row] else 0.0
        square = coarse[row] * coarse[row]
        out[row, 5] = square / (square + size * long[row] * long[row])
    return out


@njit(cache=True, error_model="numpy")
def against(x: F, first_minute: int, size: int) -> F:
    """Rows of the rate index against its buckets: (T, 6), see the outputs."""
    return _against(x, first_minute, size, False)


@njit(cache=True, error_model="numpy")
def against_bqx(x: F, first_minute: int, size: int) -> F:
    """Rows of BQX against its buckets: (T, 6), see the outputs."""
    return _against(x, first_minute, size, True)


@njit(cache=True, error_model="numpy")
def cascade(x: F, first_minute: int, fine: int, coarse: int) -> F:
    """Buckets of 5 minutes against buckets of 15: (T, 4), see the outputs."""
    out = np.full((len(x), 4), np.nan)
    short, long = buckets.closes(x, fine, first_minute), buckets.closes(x, coarse, first_minute)
    need = COARSE * coarse
    means = buckets.carried(buckets.mean(short, MEAN), x, need, fine, first_minute)
    leans = buckets.carried(buckets.slope(short, MEAN)[1], x, need, fine, first_minute)
    wide = buckets.carried(buckets.mean(long, COARSE), x, need, coarse, first_minute)
    lead = buckets.carried(buckets.slope(long, COARSE)[1], x, need, coarse, first_minute)
    lean = buckets.slope(x, MEAN)[1]
    for row in range(len(x)):
        out[row, 0] = means[row] / wide[row]
        one, two = buckets.direction(lean[row]), buckets.direction(leans[row])
        three = buckets.direction(lead[row])
        if np.isnan(one + two + three):
            continue
        out[row, 1] = 1.0 if two == three else 0.0
        out[row, 2] = 1.0 if one == two and two == three and one != 0.0 else 0.0
        against = buckets.strong(leans[row], MEAN) * buckets.strong(lead[row], COARSE) < 0.0
        out[row, 3] = 1.0 if against else 0.0
    return out


_FLAG = ("1", 0.0, 1.0)


def _regime_rows(size: int) -> int:
    return max((VOL + DAY // size) * size, VOL + DAY)


def _outputs(prefix: str, least: float) -> dict[str, Output]:
    return {
        "mean_ratio": Output(
            "1", least, alias=prefix + "sma_1m_vs_{0}m_ratio", lookback=lambda size: MEAN * size,
            about="mean of 10 rows over that of 10 buckets",
        ),
        "vol_ratio": Output(
            "1", 0.0, alias=prefix + "vol_1m_vs_{0}m_ratio",
            about="volatility of 20 rows over that of 20 buckets",
        ),
        "trend": Output(
            *_FLAG, alias=prefix + "trend_1m_vs_{0}m_agreement", lookback=lambda size: MEAN * size,
            about="1 where the trends have one sign",
        ),
        "regime": Output(
            *_FLAG, alias=prefix + "regime_1m_vs_{0}m_agreement", lookback=_regime_rows,
            about="1 where the volatilities are in one tercile",
        ),
        "divergence": Output(
            *_FLAG, alias=prefix + "scale_{0}m_divergence_flag", lookback=lambda size: MEAN * size,
            about="1 where both trends are strong (t beyond two) and opposite",
        ),
        "dominance": Output(
            *_FLAG, alias=prefix + "scale_{0}m_dominance",
            about="bucket variance over itself plus what as many rows would give; 0.5 in a walk",
        ),
    }  # fmt: skip


def _short() -> dict[str, Output]:
    out = _outputs("", 0.0)
    del out["dominance"]
    flag = out["divergence"]
    out["divergence"] = Output(
        *_FLAG, alias="scale_divergence_flag", lookback=flag.lookback, about=flag.about
    )
    return out


def _rows(size: int) -> int:
    return (VOL + 1) * size


_ABOUT = "one-minute rows against complete buckets"
_HALF_HOURS = ((30,), (60,))

FAMILIES = (
    Family(
        "against", SHORT, against, _short(), ((5,),), (RATE,), _ABOUT, lookback=_rows,
        laggable=False,
    ),
    Family(
        "against", LONG, against, _outputs("", 0.0), _HALF_HOURS, (RATE,), _ABOUT, lookback=_rows,
        laggable=False,
    ),
    Family(
        "against", LONG, against_bqx, _outputs("bqx_", -np.inf), _HALF_HOURS, (BQX,), _ABOUT,
        lookback=_rows,
        laggable=False,
    ),
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
