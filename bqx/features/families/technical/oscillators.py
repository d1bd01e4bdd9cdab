"""Oscillators of closes, of the rate index and of BQX: RSI, MACD and rate of change.

What the rate domain divides by its level is divided by the deviation over 60 rows in the other,
since BQX crosses zero. Beside an indicator stand its change over five rows, its score over 60
rows (NaN where nothing moved in them) and its zone: 1 above the upper threshold, -1 below the
lower one, else 0.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978), for RSI; G. Appel for MACD.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.technical import rate_of_change, stated
from bqx.features.rolling.ago import changes
from bqx.features.rolling.exponential import (
    SCORE_ROWS,
    ema,
    ema_and_above,
    ema_run_in,
    readings,
    score,
    strength,
    wilder_change,
)
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import SIGNED, Output, read
from bqx.features.steps import Steps

_BACK = SCORE_ROWS - 1


@kernel
def rsi(x: F, first_minute: int, n: int) -> F:
    """Relative strength index: (T, 1)."""
    return strength(x, n, first_minute).reshape(-1, 1)


@kernel
def _strength(strengths: F, first_minute: int, n: int) -> F:
    return strengths[:, :1]


@kernel
def rsi_readings(x: F, first_minute: int, n: int) -> F:
    """Relative strength index, its change, score and zone (30, 70): (T, 4)."""
    return readings(strength(x, n, first_minute), x, 30.0, 70.0, first_minute)


@kernel
def _strength_readings(strengths: F, first_minute: int, n: int) -> F:
    own, x = strengths[:, 0].copy(), strengths[:, 1].copy()
    return readings(own, x, 30.0, 70.0, first_minute)


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
def convergence(x: F, first_minute: int, fast: int, slow: int, signal: int) -> tuple[F, F, F]:
    """Difference of two exponential means, its own mean, and the gap between: three (T,) arrays."""
    line = mean_difference(x, first_minute, fast, slow)
    slower, gap = ema_and_above(line, signal, first_minute)
    return line, slower, gap


@kernel
def _convergence_readings(line: F, slower: F, gap: F, x: F, first_minute: int) -> F:
    rows = len(x)
    out = np.empty((6, rows))
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
def _line_readings(lines: F, first_minute: int, fast: int, slow: int, signal: int) -> F:
    line, slower, x = lines[:, 0].copy(), lines[:, 1].copy(), lines[:, 2].copy()
    return _convergence_readings(line, slower, line - slower, x, first_minute)


@kernel
def macd(x: F, first_minute: int, fast: int, slow: int, signal: int) -> F:
    """Convergence and divergence of means: (T, 6).

    The difference of two exponential means, its own exponential mean, their gap (histogram), the
    histogram's change over one row and score, and 1 or -1 where it turns positive or negative.
    """
    line, slower, gap = convergence(x, first_minute, fast, slow, signal)
    return _convergence_readings(line, slower, gap, x, first_minute)


def _histogram(fast: int, slow: int, signal: int) -> int:
    return ema_run_in(slow) + ema_run_in(signal) - 1


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
    **rate_of_change.beside("RSI", "relative strength index", wilder_change, -100.0, 100.0),
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
_technical = partial(family, table="technical", sources=(RATE, BQX))
_rsi = partial(_technical, "rsi", about="relative strength index, Wilder", lookback=wilder_change)
_macd = partial(_technical, "macd", about="moving average convergence divergence")


_goes_on = partial(stated.of_wilder_mean, stated.strength, stated.begin_strength)


FAMILIES = (
    _rsi(rsi_readings, _RSI_READINGS, windows=14, steps=_goes_on(_strength_readings, SCORE_ROWS)),
    _rsi(rsi, _RSI, windows=(7, 21, 28), steps=_goes_on(_strength, 1)),
    _macd(
        macd,
        _MACD,
        windows=((12, 26, 9),),
        lookback=_histogram,
        steps=Steps(
            stated.line,
            _line_readings,
            rows=lambda fast, slow, signal: ema_run_in(slow) + ema_run_in(signal) - 1,
            reads=lambda fast, slow, signal: SCORE_ROWS,
            begin=stated.begin_line,
            abreast=True,
        ),
    ),
    _macd(
        macd_line,
        {"line": replace(_LINE, alias="macd_line_{0}_{1}")},
        windows=((5, 35),),
        steps=Steps(
            stated.difference,
            read,
            rows=lambda fast, slow: ema_run_in(slow),
            reads=lambda fast, slow: 1,
            begin=stated.begin_difference,
            abreast=True,
        ),
    ),
)
