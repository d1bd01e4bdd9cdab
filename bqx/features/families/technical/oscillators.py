"""Oscillators of closes, of the rate index and of BQX: RSI, MACD and rate of change.

What the rate domain divides by its level is divided by the deviation over 60 rows in the other,
since BQX crosses zero. Beside an indicator stand its change over five rows, its score over 60
rows (NaN where nothing moved in them) and its zone: 1 above the upper threshold, -1 below the
lower one, else 0.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), for RSI; G. Appel for MACD.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.ago import changes, growth, rise
from bqx.features.rolling.exponential import (
    DELTA,
    LEVEL_ROWS,
    SCORE_ROWS,
    ema,
    ema_run_in,
    over_deviation,
    readings,
    score,
    strength,
    wilder_change,
)
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import zone
from bqx.features.sources import BQX, RATE
from bqx.features.spec import SIGNED, Output
from bqx.features.steps import Steps

_BACK = SCORE_ROWS - 1


@kernel
def rsi(x: F, first_minute: int, n: int) -> F:
    """Relative strength index: (T, 1)."""
    return strength(x, n, first_minute).reshape(-1, 1)


@kernel
def rsi_readings(x: F, first_minute: int, n: int) -> F:
    """Relative strength index, its change, score and zone (30, 70): (T, 4)."""
    return readings(strength(x, n, first_minute), x, 30.0, 70.0, first_minute)


@kernel
def mean_difference(x: F, first_minute: int, fast: int, slow: int) -> F:
    """Difference of two exponential means: (T,)."""
    out, slower = ema(x, fast, first_minute), ema(x, slow, first_minute)
    for row in range(len(x)):
        out[row] -= slower[row]
    return out


@kernel
def macd_line(x: F, first_minute: int, fast: int, slow: int) -> F:
    """Difference of two exponential means: (T, 1)."""
    return mean_difference(x, first_minute, fast, slow).reshape(-1, 1)


@kernel
def _line(x: F, first_minute: int, fast: int, slow: int, signal: int) -> F:
    """Difference of two exponential means, beside the series: (T, 2)."""
    out = np.empty((2, len(x)))
    out[0] = mean_difference(x, first_minute, fast, slow)
    out[1] = x
    return out.T


@kernel
def signalled(line: F, first_minute: int, signal: int) -> tuple[F, F]:
    """Exponential mean of a line, and what the line has above it: (T,) each."""
    slower, above = ema(line, signal, first_minute), np.empty(len(line))
    for row in range(len(line)):
        above[row] = line[row] - slower[row]
    return slower, above


@kernel
def _line_readings(lines: F, first_minute: int, fast: int, slow: int, signal: int) -> F:
    rows = len(lines)
    out = np.empty((6, rows))
    line, x = lines[:, 0].copy(), lines[:, 1].copy()
    slower, gap = signalled(line, first_minute, signal)
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
def macd(x: F, first_minute: int, fast: int, slow: int, signal: int) -> F:
    """Convergence and divergence of means: (T, 6).

    The difference of two exponential means, its own exponential mean, their gap (histogram), the
    histogram's change over one row and score, and 1 or -1 where it turns positive or negative.
    """
    lines = _line(x, first_minute, fast, slow, signal)
    return _line_readings(lines, first_minute, fast, slow, signal)


@kernel
def roc(x: F, first_minute: int, window: int) -> F:
    """Percent change over ``window`` rows: (T, 1)."""
    return growth(x, window).reshape(-1, 1)


@kernel
def roc_bqx(x: F, first_minute: int, window: int) -> F:
    """Change over ``window`` rows in percent of the deviation over 60 rows: (T, 1)."""
    return over_deviation(rise(x, window), x, first_minute).reshape(-1, 1)


@kernel
def _roc_more(value: F, x: F, first_minute: int, window: int) -> F:
    # A market at rest for 60 rows leaves the changes of the rows before it: no reason for NaN.
    out = readings(value, value, 0.0, 0.0, first_minute)
    moves = rise(x, window)
    for row in range(len(x)):
        out[row, 3] = zone(moves[row], 0.0, 0.0)
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


def _beside(name: str, noun: str, rows: Callable[..., int], *bounds: float) -> dict[str, Output]:
    """Change over five rows and score over 60 of an indicator."""
    return {
        "delta_5": Output(
            "%",
            *bounds,
            alias=f"{name.lower()}_{{0}}_delta_5",
            lookback=lambda w: rows(w) + DELTA,
            title=f"Five-row change of the {noun} of {{x}}",
            formula=f"delta({name}({{0}}), 5)",
        ),
        "z_60": Output(
            "1",
            alias=f"{name.lower()}_{{0}}_z_60",
            lookback=lambda w: rows(w) + _BACK,
            title=f"Z-score of the {noun} of {{x}} over 60 rows",
            formula=f"z({name}({{0}}), 60)",
        ),
    }


def _roc_outputs(rows: Callable[..., int], roc: Output) -> dict[str, Output]:
    sign = Output(
        *SIGNED,
        alias="roc_{0}_sign",
        lookback=_roc_rows,
        title="Direction of the change of {x}",
        formula="sign(x[t] - x[t-{0}])",
    )
    return {"": roc, **_beside("ROC", "rate of change", rows), "sign": sign}


_RSI = Output(
    "%",
    0.0,
    100.0,
    alias="rsi_{0}",
    title="Relative strength index of {x}",
    formula="100 wilder(gain, {0}) / (wilder(gain, {0}) + wilder(loss, {0}))",
)
_RSI_READINGS = {
    "": _RSI,
    **_beside("RSI", "relative strength index", wilder_change, -100.0, 100.0),
    "zone": Output(
        *SIGNED,
        alias="rsi_{0}_zone",
        title="Zone of the relative strength index of {x}",
        formula="1 if RSI({0}) > 70, -1 if RSI({0}) < 30, else 0",
    ),
}
_LINE = Output(
    "{u}",
    alias="macd_line",
    lookback=lambda fast, slow, *_: ema_run_in(slow),
    title="MACD line of {x}",
    formula="ema(x, {0}) - ema(x, {1})",
)
_MACD = {
    "line": _LINE,
    "signal": Output(
        "{u}",
        alias="macd_signal",
        title="MACD signal line of {x}",
        formula="ema(MACD({0}, {1}), {2})",
    ),
    "histogram": Output(
        "{u}",
        alias="macd_histogram",
        spanned_by=("{s}_macd_line_w{0}_{1}_{2}", "{s}_macd_signal_w{0}_{1}_{2}"),
        title="MACD histogram of {x}",
        formula="MACD({0}, {1}) - ema(MACD({0}, {1}), {2})",
    ),
    "histogram_delta_1": Output(
        "{u}",
        alias="macd_hist_delta_1",
        lookback=lambda *w: _histogram(*w) + 1,
        title="One-row change of the MACD histogram of {x}",
        formula="delta(hist({0}, {1}, {2}), 1)",
    ),
    "histogram_z_60": Output(
        "1",
        alias="macd_hist_z_60",
        lookback=lambda *w: _histogram(*w) + _BACK,
        title="Z-score of the MACD histogram of {x} over 60 rows",
        formula="z(hist({0}, {1}, {2}), 60)",
    ),
    "cross": Output(
        *SIGNED,
        alias="macd_cross",
        lookback=lambda *w: _histogram(*w) + 1,
        about="1 where the histogram turns positive, -1 where it turns negative",
        title="Crossing of the MACD and signal lines of {x}",
        formula="sign(hist[t]) if it differs from sign(hist[t-1]), else 0; hist({0}, {1}, {2})",
    ),
}
_ROC = Output(
    "%", alias="roc_{0}", title="Rate of change of {x}", formula="100 (x[t] - x[t-{0}]) / x[t-{0}]"
)
_ROC_BQX = replace(
    _ROC,
    title="Change of {x} in percent of its deviation",
    formula="100 (x[t] - x[t-{0}]) / std(x, 60)",
)

_technical = partial(family, table="technical", sources=(RATE, BQX))
_rsi = partial(_technical, "rsi", about="relative strength index, Wilder", lookback=wilder_change)
_macd = partial(_technical, "macd", about="moving average convergence divergence")
_roc = partial(
    family, "roc", table="technical", sources=RATE, about="rate of change", lookback=_roc_rows
)
_roc_of_bqx = partial(
    _roc,
    sources=BQX,
    about="change in percent of the deviation over 60 rows",
    lookback=_roc_bqx_rows,
)

FAMILIES = (
    _rsi(rsi_readings, _RSI_READINGS, windows=14),
    _rsi(rsi, _RSI, windows=(7, 21, 28)),
    _macd(
        macd,
        _MACD,
        windows=((12, 26, 9),),
        lookback=_histogram,
        steps=Steps(
            _line,
            _line_readings,
            rows=lambda fast, slow, signal: ema_run_in(slow),
            reads=lambda fast, slow, signal: ema_run_in(signal) + _BACK,
        ),
    ),
    _macd(macd_line, {"line": replace(_LINE, alias="macd_line_{0}_{1}")}, windows=((5, 35),)),
    _roc(roc_readings, _roc_outputs(_roc_rows, _ROC), windows=12),
    _roc(roc, _ROC, windows=(5, 25, 60)),
    _roc_of_bqx(roc_bqx_readings, _roc_outputs(_roc_bqx_rows, _ROC_BQX), windows=12),
    _roc_of_bqx(roc_bqx, _ROC_BQX, windows=(5, 25, 60)),
)
