"""Indicators on complete clock buckets: means, volatility, RSI, MACD, true range, bands.

BQX is resampled by its last value, except for the true range, which reads its extremes. Where the
rate domain takes log returns BQX takes changes, since it crosses zero. Exponential and Wilder
means start from the first value of a run-in of five spans.
"""

import numpy as np
from numba.extending import register_jitable

from bqx.compiled import kernel
from bqx.features.families.technical import bollinger
from bqx.features.rolling import exponential, resampled
from bqx.features.rolling.comoments import autocorrelation, comoments, correlation
from bqx.features.rolling.products import mean
from bqx.features.rolling.standing import tercile
from bqx.features.rolling.sums import F, extremes
from bqx.features.rolling.trailing import z_score
from bqx.features.spec import BQX_COLUMN, CLOSE, RATE_COLUMN
from bqx.market.sessions import DAY

JUMP = 3.0
"""Deviations beyond which a move is a jump."""


@register_jitable
def ema_run_in(span: int) -> int:
    """Buckets behind an exponential mean of a span."""
    return exponential.ema_run_in(span, resampled.RUN_IN)


@register_jitable
def wilder_run_in(n: int) -> int:
    """Buckets behind a Wilder mean of length n."""
    return exponential.wilder_run_in(n, resampled.RUN_IN)


@kernel
def sma(x: F, first_minute: int, size: int, n: int) -> F:
    """Mean of the last ``n`` buckets: (T, 1)."""
    y = mean(resampled.closes(x, size, first_minute), n, first_minute // size)
    return resampled.carried(y, x, n * size, size, first_minute).reshape(-1, 1)


@kernel
def ema(x: F, first_minute: int, size: int, span: int) -> F:
    """Exponential mean of buckets: (T, 1)."""
    y = resampled.closes(x, size, first_minute)
    y = exponential.ema(y, span, first_minute // size, resampled.RUN_IN)
    return resampled.carried(y, x, ema_run_in(span) * size, size, first_minute).reshape(-1, 1)


@kernel
def _vol(x: F, first_minute: int, size: int, n: int, plain: bool) -> F:
    y = resampled.volatility(resampled.moves(resampled.closes(x, size, first_minute), plain), n)
    return resampled.carried(y, x, (n + 1) * size, size, first_minute).reshape(-1, 1)


@kernel
def vol(x: F, first_minute: int, size: int, n: int) -> F:
    """Deviation of the last ``n`` log returns of buckets: (T, 1)."""
    return _vol(x, first_minute, size, n, False)


@kernel
def vol_bqx(x: F, first_minute: int, size: int, n: int) -> F:
    """Deviation of the last ``n`` changes of buckets: (T, 1)."""
    return _vol(x, first_minute, size, n, True)


@kernel
def rsi(x: F, first_minute: int, size: int, n: int) -> F:
    """Relative strength index of buckets, Wilder: (T, 1); NaN where nothing moved."""
    y = resampled.closes(x, size, first_minute)
    y = exponential.strength(y, n, first_minute // size, resampled.RUN_IN)
    need = (wilder_run_in(n) + 1) * size
    return resampled.carried(y, x, need, size, first_minute).reshape(-1, 1)


@kernel
def macd(x: F, first_minute: int, size: int, fast: int, slow: int) -> F:
    """Difference of two exponential means of buckets: (T, 1)."""
    y = resampled.closes(x, size, first_minute)
    first, spans = first_minute // size, resampled.RUN_IN
    y = exponential.ema(y, fast, first, spans) - exponential.ema(y, slow, first, spans)
    return resampled.carried(y, x, ema_run_in(slow) * size, size, first_minute).reshape(-1, 1)


@kernel
def atr(ohlc: F, first_minute: int, size: int, n: int) -> F:
    """Average true range of buckets, Wilder: (T, 1)."""
    ranges = exponential.true_range(resampled.bars(ohlc, size, first_minute))
    y = exponential.wilder(ranges, n, first_minute // size, resampled.RUN_IN)
    need = (wilder_run_in(n) + 1) * size
    return resampled.carried(y, ohlc[:, CLOSE], need, size, first_minute).reshape(-1, 1)


@kernel
def width(x: F, first_minute: int, size: int, n: int) -> F:
    """Distance between the Bollinger bands over the middle: (T, 1)."""
    y = resampled.closes(x, size, first_minute)
    y = bollinger.relative_bandwidth(y, first_minute // size, n)[:, 0]
    return resampled.carried(y, x, n * size, size, first_minute).reshape(-1, 1)


@kernel
def width_bqx(x: F, first_minute: int, size: int, n: int) -> F:
    """Distance between the Bollinger bands: (T, 1)."""
    y = resampled.closes(x, size, first_minute)
    y = bollinger.bandwidth(y, first_minute // size, n)[:, 0]
    return resampled.carried(y, x, n * size, size, first_minute).reshape(-1, 1)


@kernel
def states(x: F, first_minute: int, size: int) -> F:
    """Last return, tercile of volatility, trend, and jumps among 12: (T, 4)."""
    y = resampled.closes(x, size, first_minute)
    move = resampled.moves(y, False)
    day = DAY // size
    vols = resampled.volatility(move, 20)
    spread = resampled.volatility(move, day)
    trend = resampled.slope(y, 10, first_minute // size)[1]
    jumps = np.full(len(y), np.nan)
    for i in range(len(y)):
        trend[i] = resampled.strong(trend[i], 10)
        if not np.isnan(spread[i]):
            hits = 0.0
            for k in range(12):
                hits += abs(move[i - k]) > JUMP * spread[i]
            jumps[i] = hits
    out = np.empty((len(x), 4))
    out[:, 0] = resampled.carried(move, x, 2 * size, size, first_minute)
    regime = tercile(vols, day)
    out[:, 1] = resampled.carried(regime, x, (20 + day) * size, size, first_minute)
    out[:, 2] = resampled.carried(trend, x, 10 * size, size, first_minute)
    out[:, 3] = resampled.carried(jumps, x, (day + 1) * size, size, first_minute)
    return out


@kernel
def shape(x: F, first_minute: int, size: int) -> F:
    """Slope of 10 buckets; score, range and lag-1 autocorrelation of 20: (T, 4)."""
    y, first = resampled.closes(x, size, first_minute), first_minute // size
    top, bottom = extremes(y, y, 20)
    out = np.empty((len(x), 4))
    for k, (values, buckets) in enumerate(
        (
            (resampled.slope(y, 10, first)[0], 10),
            (z_score(y, 20, first), 20),
            (top - bottom, 20),
            (autocorrelation(y, 21, 1, first), 21),
        )
    ):
        out[:, k] = resampled.carried(values, x, buckets * size, size, first_minute)
    return out


@kernel
def joint(both: F, first_minute: int, size: int, n: int) -> F:
    """Variance of BQX changes over that of returns, and their correlation: (T, 2)."""
    bqx, need = both[:, BQX_COLUMN].copy(), (n + 1) * size
    rate_moves = resampled.moves(
        resampled.closes(both[:, RATE_COLUMN].copy(), size, first_minute), False
    )
    bqx_moves = resampled.moves(resampled.closes(bqx, size, first_minute), True)
    sums = comoments(rate_moves, bqx_moves, n, first_minute // size)
    ratio, correlated = np.full(len(sums), np.nan), np.empty(len(sums))
    for i in range(len(sums)):
        if sums[i, 2] > 0.0:
            ratio[i] = sums[i, 3] / sums[i, 2]
        correlated[i] = correlation(sums[i, 2], sums[i, 3], sums[i, 4])
    out = np.empty((len(both), 2))
    out[:, 0] = resampled.carried(ratio, bqx, need, size, first_minute)
    out[:, 1] = resampled.carried(correlated, bqx, need, size, first_minute)
    return out


@kernel
def per_bucket(x: F, first_minute: int, size: int, n: int) -> F:
    """Mean of the last ``n`` buckets' sums: (T, 1)."""
    y = mean(resampled.totals(x, size, first_minute), n, first_minute // size)
    return resampled.carried(y, x, (n + 1) * size - 1, size, first_minute).reshape(-1, 1)


@kernel
def per_row(x: F, first_minute: int, size: int, n: int) -> F:
    """Mean of the rows of the last ``n`` buckets: (T, 1)."""
    return per_bucket(x, first_minute, size, n) / size
