"""Directional movement, on bars of the rate index and on trailing five-row bars of BQX.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978).
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.technical import stated
from bqx.features.rolling.ago import changes
from bqx.features.rolling.exponential import (
    DELTA,
    averaged,
    moved,
    true_range,
    wilder_change,
    wilder_run_in,
    wilder_weights,
)
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX_BARS, RATE_BARS
from bqx.features.spec import HIGH, LOW, Output
from bqx.features.steps import Steps


@kernel
def movement(ohlc: F, first_minute: int, n: int) -> F:
    """Directional movement: (T, 4), +DI, -DI, DX, percent, and the mean of DX."""
    rows = len(ohlc)
    up, down = np.empty(rows), np.empty(rows)
    up[:1] = down[:1] = np.nan
    high, low, risen, fallen = ohlc[1:, HIGH], ohlc[1:, LOW], up[1:], down[1:]
    high_before, low_before = ohlc[:, HIGH], ohlc[:, LOW]
    for row in range(len(high)):
        rise, fall = high[row] - high_before[row], low_before[row] - low[row]
        risen[row], fallen[row] = moved(rise, fall)
    out = np.empty((4, rows))
    by = wilder_weights(n)
    out[0], out[1] = averaged(up, by, first_minute), averaged(down, by, first_minute)
    plus, minus, apart = out[0], out[1], out[2]
    apart[:] = averaged(true_range(ohlc), by, first_minute)
    for row in range(rows):
        plus_di, minus_di = 100.0 * (plus[row] / apart[row]), 100.0 * (minus[row] / apart[row])
        plus[row], minus[row] = plus_di, minus_di
        apart[row] = 100.0 * (abs(plus_di - minus_di) / (plus_di + minus_di))
    out[3] = averaged(apart, by, first_minute)
    return out.T


@kernel
def _six(movements: F, first_minute: int, n: int) -> F:
    out = np.empty((6, len(movements)))
    out[1], out[2], out[4], out[0] = movements.T
    out[3], out[5] = out[1] - out[2], changes(out[0], DELTA)
    return out.T


@kernel
def directional(ohlc: F, first_minute: int, n: int) -> F:
    """Directional movement: (T, 6) ADX, +DI, -DI, their difference, DX, five-row change of ADX."""
    return _six(movement(ohlc, first_minute, n), first_minute, n)


@kernel
def _index(movements: F, first_minute: int, n: int) -> F:
    return movements[:, 3:]


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
_directional = partial(
    family,
    "directional",
    table="technical",
    about="directional movement, Wilder",
    lookback=_adx,
    sources=(RATE_BARS, BQX_BARS),
)
FAMILIES = (
    _directional(
        directional,
        _DIRECTIONAL,
        windows=14,
        steps=Steps(
            stated.movement,
            _six,
            rows=_adx,
            reads=lambda n: DELTA + 1,
            begin=stated.begin_movement,
            abreast=True,
        ),
    ),
    _directional(
        adx,
        {"adx": _ADX},
        windows=28,
        steps=Steps(
            stated.movement,
            _index,
            rows=_adx,
            reads=lambda n: 1,
            begin=stated.begin_movement,
            abreast=True,
        ),
    ),
)
