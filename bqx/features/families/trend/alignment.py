"""Three readings of other tables: agreement of momenta, regime of volatility, strength of trend."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.families.trend import bqx, quadratic_terms
from bqx.features.families.trend.bqx import BQX_INDEX
from bqx.features.sources import RATE
from bqx.features.spec import Family, Output
from bqx.market import sessions

F = NDArray[np.float64]

MOMENTA = np.array([w for (w,) in bqx.WINDOWS])
FITS = np.array([w for (w,) in quadratic_terms.WINDOWS])

# A momentum sum this small is the rounding of ticks that cancel.
_NOTHING = 1e-10


@kernel
def alignment(x: F, first_minute: int) -> F:
    """Sum of the signs of BQX over the five windows, -5 to 5: (T, 1)."""
    out = np.zeros((len(x), 1))
    for i in range(len(MOMENTA)):
        momentum = bqx.backward(x, first_minute, MOMENTA[i])
        for row in range(len(x)):
            value = momentum[row, 0]
            if abs(value) > _NOTHING:
                out[row, 0] += 1.0 if value > 0.0 else -1.0
            elif np.isnan(value):
                out[row, 0] = np.nan
    return out


@kernel
def regime(x: F, first_minute: int, window: int, memory: int) -> F:
    """Tercile (0 calm, 1, 2 wild) of the past rows' relative deviation: (T, 1).

    It is placed among its ``memory`` last values, its own included.
    """
    rows = len(x)
    out = np.full((rows, 1), np.nan)
    volatility = bqx.spread(x, first_minute, window)[:, 1].copy()
    known = 0
    for row in range(rows):
        now = volatility[row]
        known = 0 if np.isnan(now) else known + 1
        if known >= memory:
            below = 0
            for value in volatility[row - memory + 1 : row + 1]:
                below += value <= now
            out[row, 0] = 0.0 if 3 * below <= memory else 1.0 if 3 * below <= 2 * memory else 2.0
    return out


@kernel
def strength(x: F, first_minute: int) -> F:
    """Mean R² of the parabolas through the past rows of the six windows: (T, 1)."""
    out = np.full((len(x), 1), np.nan)
    # There is no value before the longest window has one.
    longest = int(FITS.max())
    out[longest:] = 0.0
    for i in range(len(FITS)):
        late = longest - FITS[i]
        fits = quadratic_terms.parabola(x[late:], first_minute + late, FITS[i])
        for row in range(longest, len(x)):
            out[row, 0] += fits[row - late, 5]
    return out / len(FITS)


FAMILIES = (
    Family(
        "momentum_alignment",
        "derived",
        alignment,
        {"": Output("1", -5.0, 5.0, alias="momentum_alignment")},
        ((),),
        (BQX_INDEX,),
        "sum of the signs of BQX over 15 to 75 rows, positive when the rate has fallen",
        lookback=lambda: int(MOMENTA.max()) + 1,
        laggable=False,
    ),
    Family(
        "volatility_regime",
        "derived",
        regime,
        {"": Output("1", 0.0, 2.0, alias="volatility_regime")},
        ((*bqx.AGGREGATE[0], sessions.DAY),),
        (BQX_INDEX,),
        "tercile of the aggregate volatility within its last 1,440 values",
        lookback=lambda window, memory: window + memory,
        laggable=False,
    ),
    Family(
        "trend_strength",
        "derived",
        strength,
        {
            "": Output(
                "1",
                0.0,
                1.0,
                alias="trend_strength",
                spanned_by=tuple(f"rate_parabola_r2_w{w}" for w in FITS),
            )
        },
        ((),),
        (RATE,),
        "mean share of variance that the parabolas through the past rows explain",
        lookback=lambda: int(FITS.max()) + 1,
        skips=lambda: 1,
        laggable=False,
    ),
)
