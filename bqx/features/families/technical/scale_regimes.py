"""Regimes of volatility of one-minute rows against those of clock buckets."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import resampled
from bqx.features.rolling.standing import tercile
from bqx.features.rolling.sums import F
from bqx.market.sessions import DAY

VOL = 20
"""Moves behind a volatility."""


@kernel
def _moving(x: F, plain: bool) -> F:
    """Values and the volatility of their rows: (T, 2)."""
    out = np.empty((len(x), 2))
    out[:, 0], out[:, 1] = x, resampled.volatility(resampled.moves(x, plain), VOL)
    return out


@kernel
def _in_one(moving: F, first_minute: int, size: int, plain: bool) -> F:
    rows, day = len(moving), DAY // size
    out = np.full((rows, 1), np.nan)
    x = moving[:, 0].copy()
    move = resampled.moves(resampled.closes(x, size, first_minute), plain)
    need = (VOL + day) * size
    coarse = tercile(resampled.volatility(move, VOL), day)
    coarse = resampled.carried(coarse, x, need, size, first_minute)
    late = need - DAY
    fine = tercile(moving[late:, 1].copy(), DAY)
    for row in range(late, rows):
        if not np.isnan(coarse[row] + fine[row - late]):
            out[row, 0] = coarse[row] == fine[row - late]
    return out


@kernel
def moving_rate(x: F, first_minute: int, size: int) -> F:
    """Rates and the volatility of their rows: (T, 2)."""
    return _moving(x, False)


@kernel
def moving_bqx(x: F, first_minute: int, size: int) -> F:
    """BQX and the volatility of its rows: (T, 2)."""
    return _moving(x, True)


@kernel
def rate_in_one(moving: F, first_minute: int, size: int) -> F:
    """Whether rows and buckets of a moving rate are in one regime: (T, 2) -> (T, 1)."""
    return _in_one(moving, first_minute, size, False)


@kernel
def bqx_in_one(moving: F, first_minute: int, size: int) -> F:
    """Whether rows and buckets of a moving BQX are in one regime: (T, 2) -> (T, 1)."""
    return _in_one(moving, first_minute, size, True)


@kernel
def regimes(x: F, first_minute: int, size: int) -> F:
    """Whether the rate's rows and buckets are in one regime: (T, 1)."""
    return rate_in_one(moving_rate(x, first_minute, size), first_minute, size)


@kernel
def regimes_of_bqx(x: F, first_minute: int, size: int) -> F:
    """Whether BQX's rows and buckets are in one regime: (T, 1)."""
    return bqx_in_one(moving_bqx(x, first_minute, size), first_minute, size)
