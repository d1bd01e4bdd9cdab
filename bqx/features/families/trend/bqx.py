"""The BQX table: backward momentum and the index levels it looks back on, and their rate twins.

Rows ``t-w .. t-1`` of the rate index: the current row is compared with the past, never part of it.
BQX is positive when the rate has fallen; in the rate domain a positive return is a rise. The
aggregate is the window of 75 rows.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.products import shift_sums
from bqx.features.rolling.sums import extremes, mean_std
from bqx.features.sources import RATE
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars

F = NDArray[np.float64]

WINDOWS = ((15,), (30,), (45,), (60,), (75,))
AGGREGATE = ((75,),)


def _index(bars: Bars) -> F:
    return bars.index


BQX_INDEX = Source("bqx", "bqx", "pt", 1, _index)
"""Rate index of the closes, for what BQX's own table says of it."""


@kernel
def level(x: F, first_minute: int) -> F:
    """The series itself: (T, 1)."""
    return x.copy().reshape(-1, 1)


@kernel
def backward(x: F, first_minute: int, window: int) -> F:
    """BQX over the past ``window`` rows, and the oldest of them against now: (T, 2)."""
    rows = len(x)
    out = np.full((2, rows), np.nan)
    sums, reference = shift_sums(x, window, first_minute)
    for row in range(window, rows):
        now = x[row]
        out[0, row] = (sums[row - 1] + window * (reference[row - 1] - now)) / now
        out[1, row] = (x[row - window] - now) / now
    return out.T


@kernel
def past(x: F, first_minute: int, window: int) -> F:
    """Levels of the past ``window`` rows, the current one left out: (T, 4) max, min, avg, stdev."""
    rows = len(x)
    out = np.full((4, rows), np.nan)
    top, bottom = extremes(x, x, window)
    mean, std = mean_std(x, window, first_minute, 1)
    for row in range(window, rows):
        most, least = top[row - 1], bottom[row - 1]
        middle, width = mean[row - 1], std[row - 1]
        out[0, row], out[1, row] = most, least
        out[2, row] = most if most == least else middle
        out[3, row] = 0.0 if most == least else width
    return out.T


@kernel
def spread(x: F, first_minute: int, window: int) -> F:
    """Range and deviation of the past ``window`` rows over the current value: (T, 2)."""
    levels = past(x, first_minute, window)
    out = np.empty((len(x), 2))
    for row in range(len(x)):
        out[row, 0] = (levels[row, 0] - levels[row, 1]) / x[row]
        out[row, 1] = levels[row, 3] / x[row]
    return out


@kernel
def risen(x: F, first_minute: int, window: int) -> F:
    """Log return over ``window`` rows, and the rise as a share of the current value: (T, 2)."""
    rows = len(x)
    out = np.full((rows, 2), np.nan)
    for row in range(window, rows):
        out[row, 0] = np.log(x[row] / x[row - window])
        out[row, 1] = (x[row] - x[row - window]) / x[row]
    return out


_DEVIATION = "standard deviation of the past rows, ddof 1"
_LEVELS = {"max": "largest", "min": "smallest", "avg": "mean", "stdev": _DEVIATION}


def _levels(alias: str, same: str = "") -> dict[str, Output]:
    return {
        name: Output(
            "{u}",
            0.0,
            alias=alias.format(name),
            spanned_by=(same.format(name),) if same else (),
            about=about,
        )
        for name, about in _LEVELS.items()
    }


_W = "w{{0}}_bqx_{}_index"
_WAS = "bqx_past_{}_w{{0}}"
_CURVE = tuple(f"rate_parabola_{term}_coef_w{{0}}" for term in "abc")
_FITTED = _levels(_W) | {"avg": replace(_levels(_W)["avg"], spanned_by=_CURVE)}
_PAST = "rate index over the past rows, the current one left out"

FAMILIES = (
    Family("index", "backward", level, {"": Output("{u}", 0.0, alias="rate_index")}, ((),),
           (RATE,), "rate index", lookback=lambda: 1),
    Family(
        "backward",
        "backward",
        backward,
        {
            "return": Output("1", alias="w{0}_bqx_return", about="BQX"),
            "endpoint": Output("1", alias="w{0}_bqx_endpoint", about="(I(t-w) - I(t)) / I(t)"),
        },
        WINDOWS,
        (BQX_INDEX,),
        "the past against now, positive when the rate has fallen",
        lookback=lambda w: w + 1,
        causality=((60,),),
    ),
    Family("past", "backward", past, _levels(_W), ((15,), (30,), (45,), (75,)), (BQX_INDEX,), _PAST,
           lookback=lambda w: w + 1, skips=lambda w: 1),
    Family("past", "backward", past, _FITTED, ((60,),), (BQX_INDEX,), _PAST,
           lookback=lambda w: w + 1, skips=lambda w: 1, causality=((60,),)),
    Family(
        "aggregate",
        "backward",
        backward,
        {"return": Output("1", alias="agg_bqx_return", spanned_by=("bqx_backward_return_w{0}",))},
        AGGREGATE,
        (BQX_INDEX,),
        "BQX of the longest window",
        lookback=lambda w: w + 1,
        causality=AGGREGATE,
    ),
    Family("aggregate", "backward", past, _levels("agg_bqx_{}_index", _WAS), AGGREGATE,
           (BQX_INDEX,), _PAST, lookback=lambda w: w + 1, skips=lambda w: 1, causality=AGGREGATE),
    Family(
        "aggregate",
        "backward",
        spread,
        {
            "range": Output("1", 0.0, alias="agg_bqx_range", about="(max - min) / I(t)"),
            "volatility": Output("1", 0.0, alias="agg_bqx_volatility", about="stdev / I(t)"),
        },
        AGGREGATE,
        (BQX_INDEX,),
        "spread of the past rows over the current value",
        lookback=lambda w: w + 1,
        causality=AGGREGATE,
    ),
    Family(
        "backward",
        "backward",
        risen,
        {
            "return": Output("1", alias="rate_w{0}_return", about="log return"),
            "endpoint": Output("1", alias="rate_w{0}_endpoint", about="(I(t) - I(t-w)) / I(t)",
                               spanned_by=("bqx_backward_endpoint_w{0}",)),
        },
        ((60,),),
        (RATE,),
        "now against the past, positive when the rate has risen",
        lookback=lambda w: w + 1,
        causality=((60,),),
    ),
    Family("past", "backward", past, _levels("rate_w{{0}}_{}", _WAS), ((60,),), (RATE,), _PAST,
           lookback=lambda w: w + 1, skips=lambda w: 1, causality=((60,),)),
    Family(
        "aggregate",
        "backward",
        risen,
        {"return": Output("1", alias="rate_agg_return", about="log return")},
        AGGREGATE,
        (RATE,),
        "now against the past, positive when the rate has risen",
        lookback=lambda w: w + 1,
        causality=AGGREGATE,
    ),
    Family("aggregate", "backward", past, _levels("rate_agg_{}", _WAS), AGGREGATE, (RATE,), _PAST,
           lookback=lambda w: w + 1, skips=lambda w: 1, causality=AGGREGATE),
    Family(
        "aggregate",
        "backward",
        spread,
        {
            name: Output("1", 0.0, alias=f"rate_agg_{name}", about=about,
                         spanned_by=(f"bqx_aggregate_{name}_w{{0}}",))
            for name, about in (("range", "(max - min) / I(t)"), ("volatility", "stdev / I(t)"))
        },
        AGGREGATE,
        (RATE,),
        "spread of the past rows over the current value",
        lookback=lambda w: w + 1,
        causality=AGGREGATE,
    ),
)  # fmt: skip
