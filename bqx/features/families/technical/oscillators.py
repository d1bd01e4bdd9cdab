"""Oscillators of closes, of the rate index and of BQX: RSI, MACD and rate of change.

What the rate domain divides by its level is divided by the deviation over 60 rows in the other,
since BQX crosses zero. Beside an indicator stand its change over five rows, its score over 60
rows (NaN where nothing moved in them) and its zone: 1 above the upper threshold, -1 below the
lower one, else 0.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), for RSI; G. Appel for MACD.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.exponential import (
    DELTA,
    LEVEL_ROWS,
    SCORE_ROWS,
    ema,
    ema_run_in,
    over_deviation,
    readings,
    score,
    wilder,
    wilder_change,
)
from bqx.features.rolling.trailing import changes
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]

_BACK = SCORE_ROWS - 1


@kernel
def strength(x: F, first_minute: int, n: int) -> F:
    """Relative strength index, Wilder means of gains and losses: (T,), 0 to 100.

    NaN where nothing moved in the whole run-in.
    """
    rows = len(x)
    move = changes(x, 1)
    gain, loss = np.empty(rows), np.empty(rows)
    for row in range(rows):
        gain[row] = 0.0 if move[row] < 0.0 else move[row]
        loss[row] = 0.0 if move[row] > 0.0 else -move[row]
    up, down = wilder(gain, n, first_minute), wilder(loss, n, first_minute)
    for row in range(rows):
        up[row] = 100.0 * (up[row] / (up[row] + down[row]))
    return up


@kernel
def rsi(x: F, first_minute: int, n: int) -> F:
    """Relative strength index: (T, 1)."""
    return strength(x, first_minute, n).reshape(-1, 1)


@kernel
def rsi_readings(x: F, first_minute: int, n: int) -> F:
    """Relative strength index, its change, score and zone (30, 70): (T, 4)."""
    return readings(strength(x, first_minute, n), x, 30.0, 70.0, first_minute)


@kernel
def ema_gap(x: F, first_minute: int, fast: int, slow: int) -> F:
    """Difference of two exponential means: (T, 1)."""
    return (ema(x, fast, first_minute) - ema(x, slow, first_minute)).reshape(-1, 1)


@kernel
def macd(x: F, first_minute: int, fast: int, slow: int, signal: int) -> F:
    """Convergence and divergence of means: (T, 6).

    The difference of two exponential means, its own exponential mean, their gap (histogram), the
    histogram's change over one row and score, and 1 or -1 where it turns positive or negative.
    """
    rows = len(x)
    out = np.empty((6, rows))
    line = ema_gap(x, first_minute, fast, slow)[:, 0]
    slower = ema(line, signal, first_minute)
    gap = line - slower
    out[0], out[1], out[2] = line, slower, gap
    out[3] = changes(gap, 1)
    out[4] = score(gap, x, SCORE_ROWS, first_minute)
    out[5, :1] = np.nan
    for row in range(1, rows):
        now, before = gap[row], gap[row - 1]
        turn = 1.0 if now > 0.0 >= before else -1.0 if now < 0.0 <= before else 0.0
        out[5, row] = turn if now == now and before == before else np.nan
    return out.T


@kernel
def roc(x: F, first_minute: int, window: int) -> F:
    """Percent change over ``window`` rows: (T, 1)."""
    out = np.full((len(x), 1), np.nan)
    for row in range(window, len(x)):
        out[row, 0] = 100.0 * (x[row] - x[row - window]) / x[row - window]
    return out


@kernel
def roc_bqx(x: F, first_minute: int, window: int) -> F:
    """Change over ``window`` rows in percent of the deviation over 60 rows: (T, 1)."""
    return over_deviation(changes(x, window), x, first_minute).reshape(-1, 1)


@kernel
def _roc_more(value: F, x: F, first_minute: int, window: int) -> F:
    # A market at rest for 60 rows leaves the changes of the rows before it: no reason for NaN.
    out = readings(value, value, 0.0, 0.0, first_minute)
    moves = changes(x, window)
    for row in range(len(x)):
        side = 1.0 if moves[row] > 0.0 else -1.0 if moves[row] < 0.0 else 0.0
        out[row, 3] = side if moves[row] == moves[row] else np.nan
    return out


@kernel
def roc_readings(x: F, first_minute: int, window: int) -> F:
    """Percent change, its own change, score and sign: (T, 4)."""
    return _roc_more(roc(x, first_minute, window)[:, 0], x, first_minute, window)


@kernel
def roc_bqx_readings(x: F, first_minute: int, window: int) -> F:
    """Change in percent of the deviation over 60 rows, its change, score and sign: (T, 4)."""
    return _roc_more(roc_bqx(x, first_minute, window)[:, 0], x, first_minute, window)


def _histogram(fast: int, slow: int, signal: int) -> int:
    return ema_run_in(slow) + ema_run_in(signal) - 1


def _roc_rows(window: int) -> int:
    return window + 1


def _roc_bqx_rows(window: int) -> int:
    return max(window + 1, LEVEL_ROWS)


def _roc_outputs(rows: Callable[..., int]) -> dict[str, Output]:
    return {
        "": Output("%", alias="roc_{0}"),
        "delta_5": Output("%", alias="roc_{0}_delta_5", lookback=lambda w: rows(w) + DELTA),
        "z_60": Output("1", alias="roc_{0}_z_60", lookback=lambda w: rows(w) + _BACK),
        "sign": Output("1", -1.0, 1.0, alias="roc_{0}_sign", lookback=_roc_rows),
    }


_RSI = Output("%", 0.0, 100.0, alias="rsi_{0}")
_ROC = {"": Output("%", alias="roc_{0}")}
_BOTH = (RATE, BQX)
_ROC_ABOUT = "rate of change"
_ROC_BQX_ABOUT = "change in percent of the deviation over 60 rows"

FAMILIES = (
    Family(
        "rsi",
        "technical",
        rsi_readings,
        {
            "": _RSI,
            "delta_5": Output(
                "%", -100.0, 100.0, "rsi_{0}_delta_5", lambda n: wilder_change(n) + DELTA
            ),
            "z_60": Output(
                "1", alias="rsi_{0}_z_60", lookback=lambda n: wilder_change(n) + _BACK
            ),
            "zone": Output("1", -1.0, 1.0, "rsi_{0}_zone", about="above 70 or below 30"),
        },
        ((14,),),
        _BOTH,
        "relative strength index, Wilder",
        lookback=wilder_change,
    ),
    Family(
        "rsi",
        "technical",
        rsi,
        {"": _RSI},
        ((7,), (21,), (28,)),
        _BOTH,
        "relative strength index, Wilder",
        lookback=wilder_change,
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
            "histogram_delta_1": Output(
                "{u}", alias="macd_hist_delta_1", lookback=lambda *w: _histogram(*w) + 1
            ),
            "histogram_z_60": Output(
                "1", alias="macd_hist_z_60", lookback=lambda *w: _histogram(*w) + _BACK
            ),
            "cross": Output(
                "1",
                -1.0,
                1.0,
                alias="macd_cross",
                lookback=lambda *w: _histogram(*w) + 1,
                about="1 where the histogram turns positive, -1 where it turns negative",
            ),
        },
        ((12, 26, 9),),
        _BOTH,
        "moving average convergence divergence",
        lookback=_histogram,
    ),
    Family(
        "macd",
        "technical",
        ema_gap,
        {"line": Output("{u}", alias="macd_line_{0}_{1}")},
        ((5, 35),),
        _BOTH,
        "moving average convergence divergence",
        lookback=lambda f, s: ema_run_in(s),
    ),
    Family(
        "roc", "technical", roc_readings, _roc_outputs(_roc_rows), ((12,),), (RATE,), _ROC_ABOUT,
        lookback=_roc_rows,
    ),
    Family(
        "roc", "technical", roc, _ROC, ((5,), (25,), (60,)), (RATE,), _ROC_ABOUT,
        lookback=_roc_rows,
    ),
    Family(
        "roc", "technical", roc_bqx_readings, _roc_outputs(_roc_bqx_rows), ((12,),), (BQX,),
        _ROC_BQX_ABOUT, lookback=_roc_bqx_rows,
    ),
    Family(
        "roc", "technical", roc_bqx, _ROC, ((5,), (25,), (60,)), (BQX,), _ROC_BQX_ABOUT,
        lookback=_roc_bqx_rows,
    ),
)  # fmt: skip
