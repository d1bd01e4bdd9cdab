"""Technical indicators on bars of the rate index and on BQX.

Exponential and Wilder means start from the first value of a run-in of ten spans, so that each
value is a function of a declared number of bars (Wilder's span for ``n`` is ``2n - 1``; the part
of the endless recursion left out is below 1e-8). BQX has no bars of its own: closes and rolling
extremes read the series itself, directional indicators its trailing five-row bars, and what the
rate domain divides by its level is divided by the deviation over 60 rows, since BQX crosses zero.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), for RSI, ATR and ADX;
D. Lambert (1980) for CCI; G. Lane for the stochastic; L. Williams for %R; G. Appel for MACD.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features.rolling import ewm_mean, extremes, mean_std
from bqx.features.sources import BQX, BQX_BARS, BQX_LINE, RATE, RATE_BARS
from bqx.features.spec import Family, Output

F = NDArray[np.float64]

RUN_IN = 10
"""Spans of run-in behind an exponential mean."""

LEVEL_ROWS = 60
"""Rows whose deviation stands in for the level of BQX."""


@njit(cache=True)
def ema_run_in(span: int) -> int:
    """Rows behind an exponential mean of a span."""
    return RUN_IN * span


@njit(cache=True)
def wilder_run_in(n: int) -> int:
    """Rows behind a Wilder mean of length n."""
    return RUN_IN * (2 * n - 1)


@njit(cache=True, error_model="numpy")
def ema(x: F, span: int, first_minute: int) -> F:
    """Exponential mean with ``alpha = 2 / (span + 1)``: (T,)."""
    rows = ema_run_in(span)
    return ewm_mean(x, 2.0 / (span + 1.0), rows, rows, first_minute)


@njit(cache=True, error_model="numpy")
def wilder(x: F, n: int, first_minute: int) -> F:
    """Wilder mean with ``alpha = 1 / n``: (T,)."""
    rows = wilder_run_in(n)
    return ewm_mean(x, 1.0 / n, rows, rows, first_minute)


@njit(cache=True, error_model="numpy")
def rsi(x: F, first_minute: int, n: int) -> F:
    """Relative strength index, Wilder means of gains and losses: (T, 1), 0 to 100.

    NaN where nothing moved in the whole run-in.
    """
    rows = len(x)
    gain, loss = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        change = x[row] - x[row - 1]
        gain[row], loss[row] = max(change, 0.0), max(-change, 0.0)
        if np.isnan(change):
            gain[row] = loss[row] = np.nan
    up, down = wilder(gain, n, first_minute), wilder(loss, n, first_minute)
    return (100.0 * (up / (up + down))).reshape(-1, 1)


@njit(cache=True, error_model="numpy")
def macd(x: F, first_minute: int, fast: int, slow: int, signal: int) -> F:
    """Difference of two exponential means, its own exponential mean, and their gap: (T, 3)."""
    out = np.empty((len(x), 3))
    line = ema(x, fast, first_minute) - ema(x, slow, first_minute)
    out[:, 0] = line
    out[:, 1] = ema(line, signal, first_minute)
    out[:, 2] = out[:, 0] - out[:, 1]
    return out


@njit(cache=True, error_model="numpy")
def stochastic(ohlc: F, first_minute: int, window: int, smooth: int) -> F:
    """Close within the trailing range: (T, 3) %K, %D (mean of ``smooth`` %K), Williams %R."""
    rows = len(ohlc)
    out = np.full((rows, 3), np.nan)
    high, low, close = ohlc[:, 1].copy(), ohlc[:, 2].copy(), ohlc[:, 3]
    top, bottom = extremes(high, low, window, first_minute)
    for row in range(rows):
        reach = top[row] - bottom[row]
        if reach > 0.0:
            out[row, 0] = 100.0 * ((close[row] - bottom[row]) / reach)
            out[row, 2] = -100.0 * ((top[row] - close[row]) / reach)
        if row >= smooth - 1:
            total = 0.0
            for k in range(smooth):
                total += out[row - k, 0]
            out[row, 1] = total / smooth
    return out


@njit(cache=True, error_model="numpy")
def cci(ohlc: F, first_minute: int, window: int) -> F:
    """Commodity channel index of the typical price: (T, 1); NaN in a flat window."""
    rows = len(ohlc)
    out = np.full((rows, 1), np.nan)
    typical = (ohlc[:, 1] + ohlc[:, 2] + ohlc[:, 3]) / 3.0
    for row in range(window - 1, rows):
        # From the current value, so that the level's digits do not drown the deviations.
        centre = 0.0
        for k in range(window):
            centre += typical[row - k] - typical[row]
        centre /= window
        spread = 0.0
        flat = True
        for k in range(window):
            spread += abs(typical[row - k] - typical[row] - centre)
            flat = flat and typical[row - k] == typical[row]
        if not flat:
            out[row, 0] = -centre / (0.015 * spread / window)
    return out


@njit(cache=True, error_model="numpy")
def roc(x: F, first_minute: int, window: int) -> F:
    """Percent change over ``window`` rows: (T, 1)."""
    out = np.full((len(x), 1), np.nan)
    for row in range(window, len(x)):
        out[row, 0] = 100.0 * (x[row] - x[row - window]) / x[row - window]
    return out


@njit(cache=True, error_model="numpy")
def over_deviation(values: F, x: F, first_minute: int) -> F:
    """Values in percent of the trailing deviation of ``x``: (T, 1); NaN where ``x`` is flat."""
    std = mean_std(x, LEVEL_ROWS, first_minute, 1)[1]
    return (100.0 * values / np.where(std > 0.0, std, np.nan)).reshape(-1, 1)


@njit(cache=True, error_model="numpy")
def roc_bqx(x: F, first_minute: int, window: int) -> F:
    """Change over ``window`` rows in percent of the deviation over 60 rows: (T, 1)."""
    change = np.full(len(x), np.nan)
    change[window:] = x[window:] - x[:-window]
    return over_deviation(change, x, first_minute)


@njit(cache=True, error_model="numpy")
def true_range(ohlc: F) -> F:
    """Largest of high - low and the distances of both from the close before: (T,)."""
    out = np.full(len(ohlc), np.nan)
    for row in range(1, len(ohlc)):
        before, high, low = ohlc[row - 1, 3], ohlc[row, 1], ohlc[row, 2]
        if not (np.isnan(before) or np.isnan(high)):
            out[row] = max(high - low, abs(high - before), abs(low - before))
    return out


@njit(cache=True, error_model="numpy")
def atr(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, Wilder mean, and in percent of the close: (T, 2)."""
    out = np.empty((len(ohlc), 2))
    out[:, 0] = wilder(true_range(ohlc), n, first_minute)
    out[:, 1] = 100.0 * out[:, 0] / ohlc[:, 3]
    return out


@njit(cache=True, error_model="numpy")
def atr_bqx(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, and in percent of the deviation over 60 rows: (T, 2)."""
    out = np.empty((len(ohlc), 2))
    out[:, 0] = wilder(true_range(ohlc), n, first_minute)
    out[:, 1] = over_deviation(out[:, 0], ohlc[:, 3].copy(), first_minute)[:, 0]
    return out


@njit(cache=True, error_model="numpy")
def directional(ohlc: F, first_minute: int, n: int) -> F:
    """Directional movement: (T, 3) ADX, +DI, -DI, each 0 to 100."""
    rows = len(ohlc)
    out = np.empty((rows, 3))
    up, down = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        rise = ohlc[row, 1] - ohlc[row - 1, 1]
        fall = ohlc[row - 1, 2] - ohlc[row, 2]
        if not (np.isnan(rise) or np.isnan(fall)):
            up[row] = rise if rise > fall and rise > 0.0 else 0.0
            down[row] = fall if fall > rise and fall > 0.0 else 0.0
    reach = wilder(true_range(ohlc), n, first_minute)
    plus = 100.0 * (wilder(up, n, first_minute) / reach)
    minus = 100.0 * (wilder(down, n, first_minute) / reach)
    out[:, 0] = wilder(100.0 * (np.abs(plus - minus) / (plus + minus)), n, first_minute)
    out[:, 1], out[:, 2] = plus, minus
    return out


def _wilder_change(n: int) -> int:
    return wilder_run_in(n) + 1


_ATR = {
    "": Output("{u}", 0.0, alias="atr_{0}"),
    "pct": Output("%", 0.0, alias="atr_pct_{0}"),
}

FAMILIES = (
    Family(
        "rsi",
        "technical",
        rsi,
        {"": Output("%", 0.0, 100.0, alias="rsi_{0}")},
        ((14,), (21,)),
        (RATE, BQX),
        "relative strength index, Wilder",
        lookback=_wilder_change,
    ),
    Family(
        "macd",
        "technical",
        macd,
        {
            "line": Output("{u}", alias="macd_line", lookback=lambda f, s, n: ema_run_in(s)),
            "signal": Output("{u}", alias="macd_signal"),
            "histogram": Output(
                "{u}",
                alias="macd_histogram",
                spanned_by=("{s}_macd_line_w{0}_{1}_{2}", "{s}_macd_signal_w{0}_{1}_{2}"),
            ),
        },
        ((12, 26, 9),),
        (RATE, BQX),
        "moving average convergence divergence",
        lookback=lambda f, s, n: ema_run_in(s) + ema_run_in(n) - 1,
    ),
    Family(
        "stochastic",
        "technical",
        stochastic,
        {
            "k": Output("%", 0.0, 100.0, alias="stoch_k_{0}", lookback=lambda w, d: w),
            "d": Output("%", 0.0, 100.0, alias="stoch_d_{1}"),
            "williams_r": Output(
                "%",
                -100.0,
                0.0,
                alias="williams_r_{0}",
                lookback=lambda w, d: w,
                spanned_by=("{s}_stochastic_k_w{0}_{1}",),
            ),
        },
        ((14, 3),),
        (RATE_BARS, BQX_LINE),
        "close within the trailing range",
        lookback=lambda w, d: w + d - 1,
    ),
    Family(
        "cci",
        "technical",
        cci,
        {"": Output("1", alias="cci_{0}")},
        ((20,),),
        (RATE_BARS, BQX_LINE),
        "commodity channel index",
    ),
    Family(
        "roc",
        "technical",
        roc,
        {"": Output("%", alias="roc_{0}")},
        ((12,),),
        (RATE,),
        "rate of change",
        lookback=lambda w: w + 1,
    ),
    Family(
        "roc",
        "technical",
        roc_bqx,
        {"": Output("%", alias="roc_{0}")},
        ((12,),),
        (BQX,),
        "change in percent of the deviation over 60 rows",
        lookback=lambda w: max(w + 1, LEVEL_ROWS),
    ),
    Family(
        "directional",
        "technical",
        directional,
        {
            "adx": Output("%", 0.0, 100.0, alias="adx_{0}"),
            "plus_di": Output("%", 0.0, 100.0, alias="plus_di_{0}", lookback=_wilder_change),
            "minus_di": Output("%", 0.0, 100.0, alias="minus_di_{0}", lookback=_wilder_change),
        },
        ((14,),),
        (RATE_BARS, BQX_BARS),
        "directional movement, Wilder",
        lookback=lambda n: 2 * wilder_run_in(n),
    ),
    Family(
        "atr",
        "technical",
        atr,
        _ATR,
        ((14,),),
        (RATE_BARS,),
        "average true range, Wilder; in percent of the close",
        lookback=_wilder_change,
    ),
    Family(
        "atr",
        "technical",
        atr_bqx,
        _ATR,
        ((14,),),
        (BQX_LINE,),
        "average true range, Wilder; in percent of the deviation over 60 rows",
        lookback=_wilder_change,
    ),
)
