"""Fibonacci levels of a trailing range and of the last swings.

Over a range from ``L`` to ``H`` (``R = H - L``) a retracement level is ``H - R p`` and an
extension level ``H + R (q - 1)``. The trailing range is that of the last 100 rows; the swings are
B. Williams's fractals: a high above the two before and the two after it, each above the next
further out, and lows alike. A fractal is known two rows after its own.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.exponential import true_range
from bqx.features.rolling.products import mean
from bqx.features.rolling.sums import F, extremes, mean_std
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.sources import BQX_LINE, RATE_BARS
from bqx.features.spec import CLOSE, FLAG, HIGH, LOW, Output, Source
from bqx.features.steps import Steps
from bqx.market.sessions import DAY

LOOKBACK = 100
"""Rows of the trailing range."""

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
    close = ohlc[:, CLOSE].copy()
    top, bottom = extremes(ohlc[:, HIGH].copy(), ohlc[:, LOW].copy(), window)
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
def swings(ohlc: F, first_minute: int, memory: int) -> F:
    """What a row tells of swings: (T, 5).

    The swing high and the swing low that are known with it, else NaN; high and low added, which is
    NaN in a hole; the close; the mean true range.
    """
    out = np.full((len(ohlc), 5), np.nan)
    mean_range = mean(true_range(ohlc), ATR_ROWS, first_minute)
    for row in range(len(ohlc)):
        out[row, 2], out[row, 3] = ohlc[row, HIGH] + ohlc[row, LOW], ohlc[row, CLOSE]
        out[row, 4] = mean_range[row]
        if row >= 4:
            a, b, c, d, e = ohlc[row - 4 : row + 1, HIGH]
            out[row, 0] = c if a < b < c and c > d > e else np.nan
            a, b, c, d, e = ohlc[row - 4 : row + 1, LOW]
            out[row, 1] = c if a > b > c and c < d < e else np.nan
    return out


@kernel
def between(known: F, first_minute: int, memory: int) -> F:
    """The close on the grid between the last swings, see `grid`: (T, 5) -> (T, 12)."""
    rows = len(known)
    out = np.full((rows, 12), np.nan)
    clean = clean_rows(known[:, 2].copy())
    high = low = 0.0
    top = bottom = -memory
    for row in range(rows):
        # A swing is known two rows after its own.
        if known[row, 0] == known[row, 0]:
            high, top = known[row, 0], row - 2
        if known[row, 1] == known[row, 1]:
            low, bottom = known[row, 1], row - 2
        # The two rows before a fractal are part of it.
        if clean[row] < memory or row - min(top, bottom) > memory - 3:
            continue
        x, mean_range = known[row, 3], known[row, 4]
        spread = high - low
        nearest = np.inf
        for i in range(len(_PARTS)):
            away = (x - high) + spread * _PARTS[i]
            out[row, i] = away
            nearest = min(nearest, abs(away))
        out[row, 8] = nearest
        if spread != 0.0:
            out[row, 9] = min(max((x - low) / spread, -0.5), 1.5)
        age = float(row - max(top, bottom))
        out[row, 10] = age
        if mean_range > 0.0:
            out[row, 11] = spread / mean_range * np.exp(-age / float(DAY))
    return out


@kernel
def grid(ohlc: F, first_minute: int, memory: int) -> F:
    """The close on the grid between the last swing high and the last swing low: (T, 12).

    Distances from eight levels and from the nearest, place from the low (0) to the high (1)
    within -0.5 to 1.5, rows since the later swing, and the range in mean true ranges, fading with
    a day's constant. Where the last high lies below the last low the grid is upside down: range
    and strength are negative. Place is NaN where the range is 0. NaN where the trailing ``memory``
    rows hold no high or no low, and until they are all there.
    """
    return between(swings(ohlc, first_minute, memory), first_minute, memory)


_RANGE = ("{s}_fibonacci_high_w{0}", "{s}_fibonacci_low_w{0}")
_NOW = {"rate": "rate_index", "bqx": "bqx_backward_return_w15"}
_TOP, _BOTTOM = "max(H, {0})", "min(L, {0})"
_PIVOT = "(Hw + Lw + C[t]) / 3"
_ENDS = ", Hw = max(H, {0}), Lw = min(L, {0})"


def _digits(ratio: float) -> str:
    return f"{1000.0 * ratio:.0f}"


def _percent(ratio: float) -> str:
    return f"{100.0 * ratio:.1f} %"


_KINDS = (("ret", "retracement", RETRACEMENTS), ("ext", "extension", EXTENSIONS))


def _share_of_range(kind: str, ratio: float) -> str:
    """A level of the range from Lw to Hw."""
    return f"Hw - {ratio} (Hw - Lw)" if kind == "ret" else f"Hw + {ratio - 1.0:.3f} (Hw - Lw)"


def _level_outputs(source: Source) -> dict[str, Output]:
    def output(alias: str, title: str, formula: str, *of: str) -> Output:
        formula += _ENDS if "w" in formula else ""
        return Output("{u}", alias=alias, spanned_by=of, title=title, formula=formula)

    out = {
        "high": output("fib_range_high", "High of the trailing range of {x}", _TOP),
        "low": output("fib_range_low", "Low of the trailing range of {x}", _BOTTOM),
    }
    for kind, noun, ratios in _KINDS:
        for ratio in ratios:
            name = f"{kind}_{_digits(ratio)}"
            title = f"Fibonacci {noun} {_percent(ratio)} of {{x}}"
            out[name] = output(f"fib_{name}", title, _share_of_range(kind, ratio), *_RANGE)
    spanned = (*_RANGE, _NOW[source.key])
    for name, alias, title, formula in (
        ("pivot", "pivot_point", "Pivot point of {x}", _PIVOT),
        ("resistance", "resistance_1", "First resistance of {x}", f"2 {_PIVOT} - Lw"),
        ("support", "support_1", "First support of {x}", f"2 {_PIVOT} - Hw"),
        *(
            (
                f"from_{_digits(ratio)}",
                f"dist_to_{_digits(ratio)}",
                f"Distance of {{x}} from its {_percent(ratio)} retracement",
                f"C[t] - ({_share_of_range('ret', ratio)})",
            )
            for ratio in RETRACEMENTS[1:4]
        ),
        ("from_pivot", "dist_to_pivot", "Distance of {x} from its pivot", f"C[t] - {_PIVOT}"),
    ):
        out[name] = output(alias, title, formula, *spanned)
    for name, title, formula in (
        ("above_618", "above its 61.8 % retracement", "C[t] > Hw - 0.618 (Hw - Lw)"),
        ("below_382", "below its 38.2 % retracement", "C[t] < Hw - 0.382 (Hw - Lw)"),
        ("at_500", "near the middle of its range", "|C[t] - (Hw + Lw) / 2| < 0.02 (Hw - Lw)"),
    ):
        out[name] = Output(
            *FLAG, alias=name, title=f"Flag of {{x}} {title}", formula=formula + _ENDS
        )
    out["range"] = replace(
        output("swing_range", "Trailing range of {x}", f"{_TOP} - {_BOTTOM}", *_RANGE), lo=0.0
    )
    out["range_norm"] = Output(
        "1",
        0.0,
        alias="swing_range_norm",
        title="Trailing range of {x} in deviations",
        formula=f"({_TOP} - {_BOTTOM}) / std(C, {{0}})",
    )
    return out


def _grid_outputs() -> dict[str, Output]:
    ends = tuple(f"{{s}}_swing_from_{name}_w{{0}}" for name in ("ret_236", "ret_786"))
    within = ", Hw, Lw last swings within {0} rows"
    out = {}
    for kind, noun, ratios in _KINDS:
        for ratio in ratios:
            name = f"from_{kind}_{_digits(ratio)}"
            percent = f"{100.0 * ratio:.1f}".replace(".", "_")
            free = name in ("from_ret_236", "from_ret_786")
            out[name] = Output(
                "{u}",
                alias=f"fib_{noun}_{percent}",
                spanned_by=() if free else ends,
                title=f"Distance from the {_percent(ratio)} {noun} of the last swings",
                formula=f"C[t] - ({_share_of_range(kind, ratio)}){within}",
            )
    out["nearest"] = Output(
        "{u}",
        0.0,
        alias="fib_nearest_level",
        title="Distance from the nearest level of the last swings",
        formula="min(|C[t] - level|) over eight levels, swings within {0} rows",
    )
    out["place"] = Output(
        "1",
        -0.5,
        1.5,
        alias="fib_grid_position",
        title="Place of the close between the last swing low and high",
        formula="clip((C[t] - Lw) / (Hw - Lw), -0.5, 1.5)" + within,
    )
    out["age"] = Output(
        "bar",
        2.0,
        DAY - 3.0,
        alias="fib_time_since_swing",
        title="Rows since the later swing",
        formula="min(age(Hw), age(Lw))" + within,
    )
    out["strength"] = Output(
        "1",
        alias="fib_grid_strength",
        title="Fading range of the last swings in mean true ranges",
        formula="(Hw - Lw) / mean(TR, 20) exp(-age / 1440), swings within {0} rows",
    )
    return out


_fibonacci = partial(family, table="fibonacci", laggable=False)

FAMILIES = (
    *(
        _fibonacci(
            "fibonacci",
            levels,
            _level_outputs(source),
            sources=source,
            windows=LOOKBACK,
            about="levels of the trailing range, current row included",
        )
        for source in (RATE_BARS, BQX_LINE)
    ),
    _fibonacci(
        "swing",
        grid,
        {name: replace(output, capped=True) for name, output in _grid_outputs().items()},
        sources=RATE_BARS,
        windows=DAY,
        about="distance of the close from levels between the last swing high and low; where the "
        "high lies below the low the grid is upside down, place counts from the low down "
        "to the high, and strength is negative",
        steps=Steps(swings, between, rows=lambda w: ATR_ROWS + 1, reads=lambda w: w),
    ),
)
