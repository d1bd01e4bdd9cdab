"""Indicators on complete clock buckets: means, volatility, RSI, MACD, true range, bands.

BQX is resampled by its last value, except for the true range, which reads its extremes. Where the
rate domain takes log returns BQX takes changes, since it crosses zero. Exponential and Wilder
means start from the first value of a run-in of five spans.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling import resampled
from bqx.features.rolling.exponential import true_range
from bqx.features.rolling.sums import ewm_mean
from bqx.market.sessions import DAY

F = NDArray[np.float64]

JUMP = 3.0
"""Deviations beyond which a move is a jump."""

BAND = 2.0
"""Deviations (ddof 0) between the middle and a Bollinger band."""


@kernel
def ema_run_in(span: int) -> int:
    """Buckets behind an exponential mean of a span."""
    return resampled.RUN_IN * span


@kernel
def wilder_run_in(n: int) -> int:
    """Buckets behind a Wilder mean of length n."""
    return resampled.RUN_IN * (2 * n - 1)


@kernel
def _ema(y: F, span: int, first: int) -> F:
    rows = ema_run_in(span)
    return ewm_mean(y, 2.0 / (span + 1.0), rows, rows, first)


@kernel
def _wilder(y: F, n: int, first: int) -> F:
    rows = wilder_run_in(n)
    return ewm_mean(y, 1.0 / n, rows, rows, first)


@kernel
def sma(x: F, first_minute: int, size: int, n: int) -> F:
    """Mean of the last ``n`` buckets: (T, 1)."""
    y = resampled.mean(resampled.closes(x, size, first_minute), n)
    return resampled.carried(y, x, n * size, size, first_minute).reshape(-1, 1)


@kernel
def ema(x: F, first_minute: int, size: int, span: int) -> F:
    """Exponential mean of buckets: (T, 1)."""
    y = _ema(resampled.closes(x, size, first_minute), span, first_minute // size)
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
    change = resampled.moves(resampled.closes(x, size, first_minute), True)
    gain, loss = np.full(len(change), np.nan), np.full(len(change), np.nan)
    for i in range(len(change)):
        if not np.isnan(change[i]):
            gain[i], loss[i] = max(change[i], 0.0), max(-change[i], 0.0)
    up, down = _wilder(gain, n, first_minute // size), _wilder(loss, n, first_minute // size)
    need = (wilder_run_in(n) + 1) * size
    y = 100.0 * (up / (up + down))
    return resampled.carried(y, x, need, size, first_minute).reshape(-1, 1)


@kernel
def macd(x: F, first_minute: int, size: int, fast: int, slow: int) -> F:
    """Difference of two exponential means of buckets: (T, 1)."""
    y = resampled.closes(x, size, first_minute)
    y = _ema(y, fast, first_minute // size) - _ema(y, slow, first_minute // size)
    return resampled.carried(y, x, ema_run_in(slow) * size, size, first_minute).reshape(-1, 1)


@kernel
def atr(ohlc: F, first_minute: int, size: int, n: int) -> F:
    """Average true range of buckets, Wilder: (T, 1)."""
    reach = true_range(resampled.bars(ohlc, size, first_minute))
    y = _wilder(reach, n, first_minute // size)
    need = (wilder_run_in(n) + 1) * size
    return resampled.carried(y, ohlc[:, 3].copy(), need, size, first_minute).reshape(-1, 1)


@kernel
def _width(x: F, first_minute: int, size: int, n: int, relative: bool) -> F:
    y = resampled.closes(x, size, first_minute)
    middle = resampled.mean(y, n)
    out = np.full(len(y), np.nan)
    for i in range(n - 1, len(y)):
        square = 0.0
        flat = True
        for k in range(n):
            square += (y[i - k] - middle[i]) ** 2
            flat = flat and y[i - k] == y[i]
        out[i] = 0.0 if flat else 2.0 * BAND * np.sqrt(square / n)
        if relative:
            out[i] /= middle[i]
    return resampled.carried(out, x, n * size, size, first_minute).reshape(-1, 1)


@kernel
def width(x: F, first_minute: int, size: int, n: int) -> F:
    """Distance between the Bollinger bands over the middle: (T, 1)."""
    return _width(x, first_minute, size, n, True)


@kernel
def width_bqx(x: F, first_minute: int, size: int, n: int) -> F:
    """Distance between the Bollinger bands: (T, 1)."""
    return _width(x, first_minute, size, n, False)


@kernel
def states(x: F, first_minute: int, size: int) -> F:
    """Last return, tercile of volatility, trend, and jumps among 12: (T, 4)."""
    y = resampled.closes(x, size, first_minute)
    move = resampled.moves(y, False)
    day = DAY // size
    vols = resampled.volatility(move, 20)
    spread = resampled.volatility(move, day)
    trend = resampled.slope(y, 10)[1]
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
    regime = resampled.terciles(vols, day)
    out[:, 1] = resampled.carried(regime, x, (20 + day) * size, size, first_minute)
    out[:, 2] = resampled.carried(trend, x, 10 * size, size, first_minute)
    out[:, 3] = resampled.carried(jumps, x, (day + 1) * size, size, first_minute)
    return out


@kernel
def shape(x: F, first_minute: int, size: int) -> F:
    """Slope of 10 buckets; score, range and lag-1 autocorrelation of 20: (T, 4)."""
    y = resampled.closes(x, size, first_minute)
    n = 20
    parts = np.full((3, len(y)), np.nan)
    for i in range(n - 1, len(y)):
        top = bottom = y[i]
        s1 = s2 = 0.0
        for k in range(n):
            d = y[i - k] - y[i]
            s1 += d
            s2 += d * d
            top, bottom = max(top, y[i - k]), min(bottom, y[i - k])
        if np.isnan(s1):
            continue
        parts[1, i] = top - bottom
        if top > bottom:
            parts[0, i] = -(s1 / n) / np.sqrt((s2 - s1 * s1 / n) / (n - 1.0))
        if i >= n:
            sx = sy = sxx = syy = sxy = 0.0
            for k in range(n):
                dx, dy = y[i - k] - y[i], y[i - k - 1] - y[i - 1]
                sx += dx
                sy += dy
                sxx += dx * dx
                syy += dy * dy
                sxy += dx * dy
            if sxx > 0.0 and syy > 0.0:
                square = np.sqrt(sxx - sx * sx / n) * np.sqrt(syy - sy * sy / n)
                parts[2, i] = min(max((sxy - sx * sy / n) / square, -1.0), 1.0)
    out = np.empty((len(x), 4))
    out[:, 0] = resampled.carried(resampled.slope(y, 10)[0], x, 10 * size, size, first_minute)
    for k in range(3):
        need = (n + k // 2) * size
        out[:, k + 1] = resampled.carried(parts[k], x, need, size, first_minute)
    return out


@kernel
def joint(both: F, first_minute: int, size: int, n: int) -> F:
    """Variance of BQX changes over that of returns, and their correlation: (T, 2)."""
    series = both[:, 1].copy()
    one = resampled.moves(resampled.closes(both[:, 0].copy(), size, first_minute), False)
    two = resampled.moves(resampled.closes(series, size, first_minute), True)
    parts = np.full((2, len(one)), np.nan)
    for i in range(n, len(one)):
        sx = sy = sxx = syy = sxy = 0.0
        for k in range(n):
            x, y = one[i - k], two[i - k]
            sx += x
            sy += y
            sxx += x * x
            syy += y * y
            sxy += x * y
        sxx, syy, sxy = sxx - sx * sx / n, syy - sy * sy / n, sxy - sx * sy / n
        if sxx > 0.0:
            parts[0, i] = max(syy, 0.0) / sxx
            if syy > 0.0:
                parts[1, i] = min(max(sxy / (np.sqrt(sxx) * np.sqrt(syy)), -1.0), 1.0)
    out = np.empty((len(both), 2))
    for k in range(2):
        out[:, k] = resampled.carried(parts[k], series, (n + 1) * size, size, first_minute)
    return out


@kernel
def per_bucket(x: F, first_minute: int, size: int, n: int) -> F:
    """Mean of the last ``n`` buckets' sums: (T, 1)."""
    y = resampled.mean(resampled.totals(x, size, first_minute), n)
    return resampled.carried(y, x, (n + 1) * size - 1, size, first_minute).reshape(-1, 1)


@kernel
def per_row(x: F, first_minute: int, size: int, n: int) -> F:
    """Mean of the rows of the last ``n`` buckets: (T, 1)."""
    return per_bucket(x, first_minute, size, n) / size
