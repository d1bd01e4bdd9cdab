"""Realized volatility of rows: what ``realized`` declares, from bars, BQX and buckets."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import resampled
from bqx.features.rolling.ago import changes
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.volatility import by_products, by_ranges, over_before, over_time
from bqx.features.sources import PSEUDO_BAR, pseudo_bars
from bqx.features.spec import CLOSE, OPEN

JUMP = 3.0
"""Deviations beyond which the jump test speaks of jumps."""

BUCKET = 5
"""Minutes of the clock buckets."""


@kernel
def _eleven(over: F, returns: F, window: int, first_minute: int) -> F:
    """Four readings of ranges and six of returns, and the returns: (T, 11)."""
    out = np.empty((11, len(returns)))
    ranges = by_ranges(over, window, first_minute)
    products = by_products(returns, window, first_minute)
    for k in range(4):
        out[k] = ranges[:, k]
    for k in range(6):
        out[4 + k] = products[:, k]
    out[10] = returns
    return out.T


@kernel
def twelve(rows: F, first_minute: int, window: int) -> F:
    """Eight of what rows give, with how volatility itself moves, and the ninth: (T, 12)."""
    out = np.empty((12, len(rows)))
    returns, volatility = rows[:, 10].copy(), rows[:, 9].copy()
    moves = over_time(returns, volatility, window, first_minute)
    for k in range(8):
        out[k] = rows[:, k]
    for k in range(3):
        out[8 + k] = moves[:, k]
    out[11] = rows[:, 8]
    return out.T


@kernel
def rows_of_rate(ohlc: F, first_minute: int, window: int) -> F:
    """What `twelve` reads, of one-minute bars: (T, 11)."""
    close = ohlc[:, CLOSE].copy()
    return _eleven(over_before(ohlc, close), log_returns(close), window, first_minute)


@kernel
def of_rate(ohlc: F, first_minute: int, window: int) -> F:
    """Twelve readings of one-minute bars: (T, 12), see the outputs below."""
    return twelve(rows_of_rate(ohlc, first_minute, window), first_minute, window)


@kernel
def rows_of_bqx(x: F, first_minute: int, window: int) -> F:
    """What `twelve` reads, of BQX: (T, 11)."""
    bars = pseudo_bars(x, PSEUDO_BAR)
    over, opened = np.empty((4, len(x))), bars[:, OPEN]
    over[0, :PSEUDO_BAR] = np.nan
    over[0, PSEUDO_BAR:] = opened[PSEUDO_BAR:] - x[: max(len(x) - PSEUDO_BAR, 0)]
    for k in range(1, 4):
        over[k] = bars[:, k] - opened
    return _eleven(over.T, changes(x, 1), window, first_minute)


@kernel
def of_bqx(x: F, first_minute: int, window: int) -> F:
    """Twelve readings of BQX: (T, 12), see the outputs below."""
    return twelve(rows_of_bqx(x, first_minute, window), first_minute, window)


@kernel
def of_buckets(ohlc: F, first_minute: int, window: int) -> F:
    """Seven readings of the last complete five-minute buckets: (T, 7), see the outputs below.

    A bucket counts from the row of its last minute on.
    """
    close, need = ohlc[:, CLOSE].copy(), BUCKET * (window + 1) - 1
    # Of the bucket before the first only the close is read: the rest of it may be missing.
    ends, number = resampled.closes(close, BUCKET, first_minute), first_minute // BUCKET
    ranges = by_ranges(
        over_before(resampled.bars(ohlc, BUCKET, first_minute), ends), window, number
    )
    products = by_products(log_returns(ends), window, number)
    out = np.empty((7, len(ohlc)))
    for k in range(7):
        readings = ranges[:, k].copy() if k < 4 else products[:, k - 4].copy()
        out[k] = resampled.carried(readings, close, need + (k > 2), BUCKET, first_minute)
    return out.T


@kernel
def across(x: F, first_minute: int, window: int) -> F:
    """BQX over rate volatility, whether both jump: (T, 2)."""
    rows = len(x)
    out = np.full((rows, 2), np.nan)
    rate = by_products(log_returns(x[:, 0].copy()), window, first_minute)
    bqx = by_products(changes(x[:, 1].copy(), 1), window, first_minute)
    for row in range(rows):
        if rate[row, 5] > 0.0:
            out[row, 0] = bqx[row, 5] / rate[row, 5]
        if not np.isnan(rate[row, 5] + bqx[row, 5]):
            out[row, 1] = rate[row, 2] > JUMP and bqx[row, 2] > JUMP
    return out
