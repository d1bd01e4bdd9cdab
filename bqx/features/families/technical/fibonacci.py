"""Fibonacci levels of a trailing range and of the last swings.

Over a range from ``L`` to ``H`` (``R = H - L``) a retracement level is ``H - R p`` and an
extension level ``H + R (q - 1)``. The trailing range is that of the last 100 rows; the swings are
B. Williams's fractals: a high above the two before and the two after it, each above the next
further out, and lows alike. A fractal is known two rows after its own.
"""

from dataclasses import replace

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.exponential import true_range
from bqx.features.rolling.products import mean
from bqx.features.rolling.sums import F, extremes, mean_std
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import clean_rows
from bqx.features.sources import BQX_LINE, RATE_BARS
from bqx.features.spec import Family, Output

LOOKBACK = 100
"""Rows of the trailing range."""

MEMORY = 1440
"""Rows within which swings are looked for."""

ATR_ROWS = 20
"""Rows of the mean true range that a grid is measured by."""

RETRACEMENTS = (0.236, 0.382, 0.5, 0.618, 0.786)
EXTENSIONS = (1.272, 1.618, 2.618)
_LEVELS = (*RETRACEMENTS, *(1.0 - q for q in EXTENSIONS))
_PARTS = np.array(_LEVELS)

NEAR = 0.02
"""Share of the range within which a value stands at the middle."""


@kernel
def levels(ohlc: F, first_minute: int, window: int) -> F:
    """Levels of the trailing range and where the close stands among them: (T, 22).

    Top and bottom, five retracements, three extensions, pivot ``P = (H + L + C) / 3`` with
    resistance ``2 P - L`` and support ``2 P - H``, distances of the close from 38.2, 50, 61.8 and
    the pivot, flags above 61.8, below 38.2 and at 50, the range and the range in deviations.
    """
    rows = len(ohlc)
    out = np.full((rows, 22), np.nan)
    close = ohlc[:, 3].copy()
    top, bottom = extremes(ohlc[:, 1].copy(), ohlc[:, 2].copy(), window)
    std = mean_std(close, window, first_minute, 1)[1]
    for row in range(rows):
        high, low, x = top[row], bottom[row], close[row]
        if np.isnan(high) or np.isnan(x):
            continue
        extent = high - low
        out[row, 0], out[row, 1] = high, low
        for i in range(len(_PARTS)):
            out[row, 2 + i] = high - extent * _PARTS[i]
        pivot = low + (extent + (x - low)) / 3.0
        out[row, 10], out[row, 11], out[row, 12] = pivot, 2.0 * pivot - low, 2.0 * pivot - high
        # From the top, so that the level's digits do not drown the distances.
        fall = x - high
        for i in range(3):
            out[row, 13 + i] = fall + extent * _PARTS[1 + i]
        out[row, 16] = x - pivot
        edge = ROUNDING * extent
        out[row, 17] = 1.0 if out[row, 15] > edge else 0.0
        out[row, 18] = 1.0 if out[row, 13] < -edge else 0.0
        out[row, 19] = 1.0 if abs(out[row, 14]) < NEAR * extent - edge else 0.0
        out[row, 20] = extent
        if extent > 0.0 and std[row] > 0.0:
            out[row, 21] = extent / std[row]
    return out


@kernel
def swings(high: F, low: F, memory: int) -> tuple[F, F, F, F]:
    """Last known swing high and low: four (T,), its value and its age in rows for each.

    NaN where the trailing ``memory`` rows hold none, and until they are all there.
    """
    rows = len(high)
    tops, bottoms = np.full(rows, np.nan), np.full(rows, np.nan)
    top_ages, bottom_ages = np.full(rows, np.nan), np.full(rows, np.nan)
    top = bottom = -memory
    clean = clean_rows(high + low)
    for row in range(rows):
        c = row - 2
        if c >= 2:
            if high[c - 2] < high[c - 1] < high[c] and high[c] > high[c + 1] > high[c + 2]:
                top = c
            if low[c - 2] > low[c - 1] > low[c] and low[c] < low[c + 1] < low[c + 2]:
                bottom = c
        # The two rows before a fractal are part of it.
        if clean[row] >= memory and row - top <= memory - 3:
            tops[row], top_ages[row] = high[top], row - top
        if clean[row] >= memory and row - bottom <= memory - 3:
            bottoms[row], bottom_ages[row] = low[bottom], row - bottom
    return tops, bottoms, top_ages, bottom_ages


@kernel
def grid(ohlc: F, first_minute: int, memory: int) -> F:
    """The close on the grid between the last swing high and the last swing low: (T, 12).

    Distances from eight levels and from the nearest, place from the low (0) to the high (1)
    within -0.5 to 1.5, rows since the later swing, and the range in mean true ranges, fading with
    a day's constant. Where the last high lies below the last low the grid is upside down: range
    and strength are negative. Place is NaN where the range is 0.
    """
    rows = len(ohlc)
    out = np.full((rows, 12), np.nan)
    tops, bottoms, top_ages, bottom_ages = swings(ohlc[:, 1], ohlc[:, 2], memory)
    mean_range = mean(true_range(ohlc), ATR_ROWS, first_minute)
    for row in range(rows):
        high, low, x = tops[row], bottoms[row], ohlc[row, 3]
        if np.isnan(high) or np.isnan(low):
            continue
        spread = high - low
        nearest = np.inf
        for i in range(len(_PARTS)):
            away = (x - high) + spread * _PARTS[i]
            out[row, i] = away
            nearest = min(nearest, abs(away))
        out[row, 8] = nearest
        if spread != 0.0:
            out[row, 9] = min(max((x - low) / spread, -0.5), 1.5)
        age = min(top_ages[row], bottom_ages[row])
        out[row, 10] = age
        if mean_range[row] > 0.0:
            out[row, 11] = spread / mean_range[row] * np.exp(-age / 1440.0)
    return out


_RANGE = ("{s}_fibonacci_high_w{0}", "{s}_fibonacci_low_w{0}")


def _digits(part: float) -> str:
    return f"{1000.0 * part:.0f}"


def _flag(alias: str, about: str) -> Output:
    return Output("1", 0.0, 1.0, alias=alias, about=about)


def _level_outputs(now: str) -> dict[str, Output]:
    spanned = (*_RANGE, now)
    out = {
        "high": Output("{u}", alias="fib_range_high"),
        "low": Output("{u}", alias="fib_range_low"),
    }
    for kind, parts in (("ret", RETRACEMENTS), ("ext", EXTENSIONS)):
        for part in parts:
            name = f"{kind}_{_digits(part)}"
            out[name] = Output("{u}", alias="fib_" + name, spanned_by=_RANGE)
    for name, alias, about in (
        ("pivot", "pivot_point", "(H + L + C) / 3"),
        ("resistance", "resistance_1", "2 P - L"),
        ("support", "support_1", "2 P - H"),
        ("from_382", "dist_to_382", "close less level"),
        ("from_500", "dist_to_500", "close less level"),
        ("from_618", "dist_to_618", "close less level"),
        ("from_pivot", "dist_to_pivot", "close less pivot"),
    ):
        out[name] = Output("{u}", alias=alias, spanned_by=spanned, about=about)
    out["above_618"] = _flag("above_618", "close above the 61.8 % level")
    out["below_382"] = _flag("below_382", "close below the 38.2 % level")
    out["at_500"] = _flag("at_500", "close within 2 % of the range of the 50 % level")
    out["range"] = Output("{u}", 0.0, alias="swing_range", spanned_by=_RANGE)
    out["range_norm"] = Output("1", 0.0, alias="swing_range_norm", about="range / deviation")
    return out


def _grid_outputs() -> dict[str, Output]:
    ends = tuple(f"{{s}}_swing_from_{name}_w{{0}}" for name in ("ret_236", "ret_786"))
    out = {}
    for kind, whole, parts in (
        ("ret", "retracement", RETRACEMENTS),
        ("ext", "extension", EXTENSIONS),
    ):
        for part in parts:
            name = f"from_{kind}_{_digits(part)}"
            percent = f"{100.0 * part:.1f}".replace(".", "_")
            free = name in ("from_ret_236", "from_ret_786")
            out[name] = Output(
                "{u}", alias=f"fib_{whole}_{percent}", spanned_by=() if free else ends
            )
    out["nearest"] = Output("{u}", 0.0, alias="fib_nearest_level", about="to the nearest level")
    out["place"] = Output("1", -0.5, 1.5, alias="fib_grid_position", about="(x - L) / R")
    out["age"] = Output(
        "bar", 2.0, MEMORY - 3.0, alias="fib_time_since_swing", about="since the later swing"
    )
    out["strength"] = Output(
        "1", alias="fib_grid_strength", about="R / mean true range, fading in a day"
    )
    return out


FAMILIES = (
    *(
        Family(
            "fibonacci",
            "fibonacci",
            levels,
            _level_outputs(now),
            ((LOOKBACK,),),
            (source,),
            "levels of the trailing range, current row included",
            laggable=False,
        )
        for source, now in ((RATE_BARS, "rate_index"), (BQX_LINE, "bqx_backward_return_w15"))
    ),
    Family(
        "swing",
        "fibonacci",
        grid,
        {name: replace(output, capped=True) for name, output in _grid_outputs().items()},
        ((MEMORY,),),
        (RATE_BARS,),
        "distance of the close from levels between the last swing high and low",
        laggable=False,
    ),
)
