"""Average true range and directional movement, on bars of the rate index and on BQX.

BQX has no bars of its own: the true range is that of the series itself, directional movement
reads its trailing five-row bars, and percent are percent of the deviation over 60 rows.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978).
"""

from collections.abc import Callable, Mapping

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.exponential import (
    DELTA,
    SCORE_ROWS,
    over_deviation,
    score,
    true_range,
    wilder,
    wilder_change,
    wilder_run_in,
)
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import changes
from bqx.features.sources import BQX_BARS, BQX_LINE, RATE_BARS
from bqx.features.spec import Family, Output, Source


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
        out[0, row], out[1, row] = value[row], 100.0 * value[row] / ohlc[row, 3]
    return out.T


@kernel
def atr_percent_bqx(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, and in percent of the deviation over 60 rows: (T, 2)."""
    out = np.empty((2, len(ohlc)))
    out[0] = wilder(true_range(ohlc), n, first_minute)
    out[1] = over_deviation(out[0], ohlc[:, 3].copy(), first_minute)
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
def movement(ohlc: F, first_minute: int, n: int) -> tuple[F, F, F]:
    """Directional movement: three (T,), +DI, -DI and DX, percent."""
    rows = len(ohlc)
    up, down = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        rise = ohlc[row, 1] - ohlc[row - 1, 1]
        fall = ohlc[row - 1, 2] - ohlc[row, 2]
        rising, falling = rise > fall and rise > 0.0, fall > rise and fall > 0.0
        nothing = 0.0 if rise == rise and fall == fall else np.nan
        up[row], down[row] = rise if rising else nothing, fall if falling else nothing
    plus, minus = wilder(up, n, first_minute), wilder(down, n, first_minute)
    apart = wilder(true_range(ohlc), n, first_minute)
    for row in range(rows):
        plus_di, minus_di = 100.0 * (plus[row] / apart[row]), 100.0 * (minus[row] / apart[row])
        plus[row], minus[row] = plus_di, minus_di
        apart[row] = 100.0 * (abs(plus_di - minus_di) / (plus_di + minus_di))
    return plus, minus, apart


@kernel
def directional(ohlc: F, first_minute: int, n: int) -> F:
    """Directional movement: (T, 6) ADX, +DI, -DI, their difference, DX, five-row change of ADX."""
    out = np.empty((6, len(ohlc)))
    out[1], out[2], out[4] = movement(ohlc, first_minute, n)
    out[0] = wilder(out[4], n, first_minute)
    out[3], out[5] = out[1] - out[2], changes(out[0], DELTA)
    return out.T


@kernel
def adx(ohlc: F, first_minute: int, n: int) -> F:
    """Average directional index: (T, 1)."""
    return wilder(movement(ohlc, first_minute, n)[2], n, first_minute).reshape(-1, 1)


def _adx(n: int) -> int:
    return 2 * wilder_run_in(n)


_ATR = {"": Output("{u}", 0.0, alias="atr_{0}")}
_PERCENT = {**_ATR, "pct": Output("%", 0.0, alias="atr_pct_{0}")}
_READINGS = {
    **_PERCENT,
    "z_60": Output("1", alias="atr_{0}_z_60", lookback=lambda n: wilder_change(n) + SCORE_ROWS - 1),
}
_ADX = Output("%", 0.0, 100.0, alias="adx_{0}")
_BARS = (RATE_BARS, BQX_BARS)
_ATR_ABOUT = "average true range, Wilder"
_RATE_ABOUT = "average true range, Wilder; in percent of the close"
_BQX_ABOUT = "average true range, Wilder; in percent of the deviation over 60 rows"
_ADX_ABOUT = "directional movement, Wilder"


def _directional(alias: str, *of: str) -> Output:
    spanned_by = tuple(f"{{s}}_directional_{name}_w{{0}}" for name in of)
    return Output("%", -100.0 if of else 0.0, 100.0, alias, wilder_change, spanned_by)


def _atr(
    kernel: Callable[..., F], outputs: Mapping[str, Output], n: int, of: Source, about: str
) -> Family:
    return Family(
        "atr", "technical", kernel, outputs, ((n,),), (of,), about, lookback=wilder_change
    )


FAMILIES = (
    Family(
        "directional",
        "technical",
        directional,
        {
            "adx": _ADX,
            "plus_di": _directional("plus_di_{0}"),
            "minus_di": _directional("minus_di_{0}"),
            "di_diff": _directional("di_diff_{0}", "plus_di", "minus_di"),
            "dx": _directional("dx_{0}"),
            "adx_delta_5": Output("%", -100.0, 100.0, "adx_{0}_delta_5", lambda n: _adx(n) + DELTA),
        },
        ((14,),),
        _BARS,
        _ADX_ABOUT,
        lookback=_adx,
    ),
    Family(
        "directional", "technical", adx, {"adx": _ADX}, ((28,),), _BARS, _ADX_ABOUT, lookback=_adx
    ),
    _atr(atr_readings, _READINGS, 14, RATE_BARS, _RATE_ABOUT),
    _atr(atr_percent, _PERCENT, 28, RATE_BARS, _RATE_ABOUT),
    _atr(atr_readings_bqx, _READINGS, 14, BQX_LINE, _BQX_ABOUT),
    _atr(atr_percent_bqx, _PERCENT, 28, BQX_LINE, _BQX_ABOUT),
    _atr(atr, _ATR, 7, RATE_BARS, _ATR_ABOUT),
    _atr(atr, _ATR, 7, BQX_LINE, _ATR_ABOUT),
    Family(
        "atr",
        "technical",
        atr_ratio,
        {"ratio": Output("1", 0.0, alias="atr_{0}_{1}_ratio")},
        ((14, 28),),
        (RATE_BARS, BQX_LINE),
        "average true range of a short over that of a long mean",
        lookback=lambda short, long: wilder_change(long),
    ),
)
