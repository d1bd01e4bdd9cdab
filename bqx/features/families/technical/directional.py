"""Average true range and directional movement, on bars of the rate index and on BQX.

BQX has no bars of its own: the true range is that of the series itself, directional movement
reads its trailing five-row bars, and percent are percent of the deviation over 60 rows.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978).
"""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.ago import changes
from bqx.features.rolling.exponential import (
    DELTA,
    SCORE_ROWS,
    averaged,
    over_deviation,
    score,
    true_range,
    wilder,
    wilder_change,
    wilder_run_in,
    wilder_weights,
)
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX_BARS, BQX_LINE, RATE_BARS
from bqx.features.spec import CLOSE, HIGH, LOW, Output
from bqx.features.steps import Steps


@kernel
def atr(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, Wilder mean: (T, 1)."""
    return wilder(true_range(ohlc), n, first_minute).reshape(-1, 1)


@kernel
def atr_percent(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, and in percent of the close: (T, 2)."""
    out = np.empty((2, len(ohlc)))
    value = wilder(true_range(ohlc), n, first_minute)
    for row in range(len(ohlc)):
        out[0, row], out[1, row] = value[row], 100.0 * value[row] / ohlc[row, CLOSE]
    return out.T


@kernel
def atr_percent_bqx(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, and in percent of the deviation over 60 rows: (T, 2)."""
    out = np.empty((2, len(ohlc)))
    out[0] = wilder(true_range(ohlc), n, first_minute)
    out[1] = over_deviation(out[0], ohlc[:, CLOSE].copy(), first_minute)
    return out.T


@kernel
def _with_score(values: F, first_minute: int) -> F:
    out = np.empty((3, len(values)))
    out[:2] = values.T
    out[2] = score(out[0], out[0], SCORE_ROWS, first_minute)
    return out.T


@kernel
def atr_readings(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, in percent of the close, and its score: (T, 3)."""
    return _with_score(atr_percent(ohlc, first_minute, n), first_minute)


@kernel
def atr_readings_bqx(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, in percent of the deviation over 60 rows, and its score: (T, 3)."""
    return _with_score(atr_percent_bqx(ohlc, first_minute, n), first_minute)


@kernel
def atr_ratio(ohlc: F, first_minute: int, short: int, long: int) -> F:
    """Average true range of a short over that of a long mean: (T, 1)."""
    ranges = true_range(ohlc)
    ratio = wilder(ranges, short, first_minute) / wilder(ranges, long, first_minute)
    return ratio.reshape(-1, 1)


@kernel
def movement(ohlc: F, first_minute: int, n: int) -> F:
    """Directional movement: (T, 3), +DI, -DI and DX, percent."""
    rows = len(ohlc)
    up, down = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        rise = ohlc[row, HIGH] - ohlc[row - 1, HIGH]
        fall = ohlc[row - 1, LOW] - ohlc[row, LOW]
        rising, falling = rise > fall and rise > 0.0, fall > rise and fall > 0.0
        nothing = 0.0 if rise == rise and fall == fall else np.nan
        up[row], down[row] = rise if rising else nothing, fall if falling else nothing
    out = np.empty((3, rows))
    by = wilder_weights(n)
    out[0], out[1] = averaged(up, by, first_minute), averaged(down, by, first_minute)
    plus, minus, apart = out[0], out[1], out[2]
    apart[:] = averaged(true_range(ohlc), by, first_minute)
    for row in range(rows):
        plus_di, minus_di = 100.0 * (plus[row] / apart[row]), 100.0 * (minus[row] / apart[row])
        plus[row], minus[row] = plus_di, minus_di
        apart[row] = 100.0 * (abs(plus_di - minus_di) / (plus_di + minus_di))
    return out.T


@kernel
def _averaged(moved: F, first_minute: int, n: int) -> F:
    out = np.empty((6, len(moved)))
    out[1], out[2], out[4] = moved.T
    out[0] = wilder(out[4], n, first_minute)
    out[3], out[5] = out[1] - out[2], changes(out[0], DELTA)
    return out.T


@kernel
def directional(ohlc: F, first_minute: int, n: int) -> F:
    """Directional movement: (T, 6) ADX, +DI, -DI, their difference, DX, five-row change of ADX."""
    return _averaged(movement(ohlc, first_minute, n), first_minute, n)


@kernel
def _index(moved: F, first_minute: int, n: int) -> F:
    return wilder(moved[:, 2].copy(), n, first_minute).reshape(-1, 1)


@kernel
def adx(ohlc: F, first_minute: int, n: int) -> F:
    """Average directional index: (T, 1)."""
    return _index(movement(ohlc, first_minute, n), first_minute, n)


def _adx(n: int) -> int:
    return 2 * wilder_run_in(n)


def _percent(alias: str, title: str, formula: str, of: tuple[str, ...] = ()) -> Output:
    return Output(
        "%",
        -100.0 if of else 0.0,
        100.0,
        alias=alias,
        lookback=wilder_change,
        spanned_by=tuple(f"{{s}}_directional_{name}_w{{0}}" for name in of),
        title=title,
        formula=formula,
    )


_ADX = Output(
    "%",
    0.0,
    100.0,
    alias="adx_{0}",
    title="Average directional index of {x}",
    formula="wilder(DX(x, {0}), {0})",
)
_PLUS, _MINUS = "100 wilder(+DM, {0}) / ATR({0})", "100 wilder(-DM, {0}) / ATR({0})"
_DIRECTIONAL = {
    "adx": _ADX,
    "plus_di": _percent("plus_di_{0}", "Plus directional indicator of {x}", _PLUS),
    "minus_di": _percent("minus_di_{0}", "Minus directional indicator of {x}", _MINUS),
    "di_diff": _percent(
        "di_diff_{0}",
        "Plus less minus directional indicator of {x}",
        "+DI({0}) - -DI({0})",
        ("plus_di", "minus_di"),
    ),
    "dx": _percent(
        "dx_{0}", "Directional index of {x}", "100 |+DI({0}) - -DI({0})| / (+DI({0}) + -DI({0}))"
    ),
    "adx_delta_5": Output(
        "%",
        -100.0,
        100.0,
        alias="adx_{0}_delta_5",
        lookback=lambda n: _adx(n) + DELTA,
        title="Five-row change of the average directional index of {x}",
        formula="delta(ADX({0}), 5)",
    ),
}
_ATR = Output(
    "{u}", 0.0, alias="atr_{0}", title="Average true range of {x}", formula="wilder(TR, {0})"
)
_SCORE = Output(
    "1",
    alias="atr_{0}_z_60",
    lookback=lambda n: wilder_change(n) + SCORE_ROWS - 1,
    title="Z-score of the average true range of {x} over 60 rows",
    formula="z(ATR({0}), 60)",
)
_PERCENT = Output("%", 0.0, alias="atr_pct_{0}")
_RATE_PERCENT = {
    "": _ATR,
    "pct": replace(
        _PERCENT,
        title="Average true range of {x} in percent of the close",
        formula="100 ATR({0}) / C[t]",
    ),
}
_BQX_PERCENT = {
    "": _ATR,
    "pct": replace(
        _PERCENT,
        title="Average true range of {x} in percent of its deviation",
        formula="100 ATR({0}) / std(x, 60)",
    ),
}
_RATIO = Output(
    "1",
    0.0,
    alias="atr_{0}_{1}_ratio",
    title="Average true range of {x}, short over long mean",
    formula="ATR({0}) / ATR({1})",
)

_directional = partial(
    family,
    "directional",
    table="technical",
    about="directional movement, Wilder",
    lookback=_adx,
    sources=(RATE_BARS, BQX_BARS),
)
_atr = partial(
    family, "atr", table="technical", about="average true range, Wilder", lookback=wilder_change
)

FAMILIES = (
    _directional(
        directional,
        _DIRECTIONAL,
        windows=14,
        steps=Steps(
            movement, _averaged, rows=wilder_change, reads=lambda n: wilder_run_in(n) + DELTA
        ),
    ),
    _directional(
        adx,
        {"adx": _ADX},
        windows=28,
        steps=Steps(movement, _index, rows=wilder_change, reads=wilder_run_in),
    ),
    _atr(atr_readings, _RATE_PERCENT | {"z_60": _SCORE}, windows=14, sources=RATE_BARS),
    _atr(atr_percent, _RATE_PERCENT, windows=28, sources=RATE_BARS),
    _atr(atr_readings_bqx, _BQX_PERCENT | {"z_60": _SCORE}, windows=14, sources=BQX_LINE),
    _atr(atr_percent_bqx, _BQX_PERCENT, windows=28, sources=BQX_LINE),
    _atr(atr, _ATR, windows=7, sources=RATE_BARS),
    _atr(atr, _ATR, windows=7, sources=BQX_LINE),
    _atr(
        atr_ratio,
        {"ratio": _RATIO},
        windows=((14, 28),),
        sources=(RATE_BARS, BQX_LINE),
        lookback=lambda short, long: wilder_change(long),
    ),
)
