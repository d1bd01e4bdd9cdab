"""The BQX table: backward momentum and the index levels it looks back on, and their rate twins.

Rows ``t-w .. t-1`` of the rate index: the current row is compared with the past, never part of it.
BQX is positive when the rate has fallen; in the rate domain a positive return is a rise. The
aggregate is the window of 75 rows.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.trend.past_rows import (
    backward,
    backward_goes_on,
    begin_backward,
    begin_past,
    past,
    past_goes_on,
    spread,
    spread_goes_on,
)
from bqx.features.rolling.ago import rise
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.sources import RATE
from bqx.features.spec import Output, Source, read
from bqx.features.steps import Steps
from bqx.market.bars import Bars

WINDOWS = (15, 30, 45, 60, 75)
AGGREGATE = (75,)


def _index(bars: Bars) -> F:
    return bars.index


BQX_INDEX = Source("bqx", "bqx", "pt", 1, _index, series="the rate index")
"""Rate index of the closes, for what BQX's own table says of it."""


@kernel
def level(x: F, first_minute: int) -> F:
    """The series itself: (T, 1)."""
    return x.copy().reshape(-1, 1)


@kernel
def risen(x: F, first_minute: int, window: int) -> F:
    """Log return over ``window`` rows, and the rise as a share of the current value: (T, 2)."""
    out = np.empty((2, len(x)))
    out[0], out[1] = log_returns(x, window), rise(x, window) / x
    return out.T


_steps = partial(Steps, last=read, rows=lambda w: w + 1, reads=lambda w: 1, abreast=True)
_of_past = _steps(past_goes_on, begin=begin_past)
_of_spread = _steps(spread_goes_on, begin=begin_past)
_of_backward = _steps(backward_goes_on, begin=begin_backward)
_past_family = partial(
    family,
    steps=_of_past,
    table="backward",
    kernel=past,
    about="rate index over the past rows, the current one left out",
    lookback=lambda w: w + 1,
    skips=lambda w: 1,
)
_now = partial(family, table="backward", lookback=lambda w: w + 1)
_LEVELS = (
    ("max", "Highest past rate index", "max(I[t-{0}..t-1])"),
    ("min", "Lowest past rate index", "min(I[t-{0}..t-1])"),
    ("avg", "Mean past rate index", "mean(I[t-{0}..t-1])"),
    ("stdev", "Deviation of the past rate index", "std(I[t-{0}..t-1])"),
)


def _levels(alias: str, same: str = "", where: str = "") -> dict[str, Output]:
    return {
        name: Output(
            "{u}",
            0.0,
            alias=alias.format(name),
            spanned_by=(same.format(name),) if same else (),
            title=title + where,
            formula=formula,
        )
        for name, title, formula in _LEVELS
    }


def _spread(alias: str, same: str = "") -> dict[str, Output]:
    return {
        name: Output(
            "1",
            0.0,
            alias=f"{alias}_{name}",
            spanned_by=(same.format(name),) if same else (),
            title=f"{noun} of the past rate index over the present one",
            formula=formula,
        )
        for name, noun, formula in (
            ("range", "Range", "(max(I[t-{0}..t-1]) - min(I[t-{0}..t-1])) / I[t]"),
            ("volatility", "Deviation", "std(I[t-{0}..t-1]) / I[t]"),
        )
    }


_BACKWARD: dict[str, Any] = {
    "title": "BQX, the backward momentum sum",
    "formula": "sum(I[t-k] - I[t], k=1..{0}) / I[t]",
}
_LOG: dict[str, Any] = {"title": "Log return of the rate index", "formula": "ln(I[t] / I[t-{0}])"}
_AGG: dict[str, Any] = {"sources": BQX_INDEX, "windows": AGGREGATE, "causality": AGGREGATE}
_RATE_AGG: dict[str, Any] = _AGG | {"sources": RATE}
_RATE_60: dict[str, Any] = {"sources": RATE, "windows": 60, "causality": 60}
_LONGEST = ", longest window"
_W = "w{{0}}_bqx_{}_index"
_WAS = "bqx_past_{}_w{{0}}"
_CURVE = tuple(f"rate_parabola_{term}_coef_w{{0}}" for term in "abc")
_FITTED = _levels(_W) | {"avg": replace(_levels(_W)["avg"], spanned_by=_CURVE)}
_RISEN = "now against the past, positive when the rate has risen"
_OVER_NOW = "spread of the past rows over the current value"

FAMILIES = (
    _now(
        "index",
        level,
        Output("{u}", 0.0, alias="rate_index"),
        sources=RATE,
        lookback=lambda: 1,
        title="Rate index, 100 at the baseline",
        formula="I[t] = 100 close[t] / baseline",
    ),
    _now(
        "backward",
        backward,
        {
            "return": Output("1", alias="w{0}_bqx_return", **_BACKWARD),
            "endpoint": Output(
                "1",
                alias="w{0}_bqx_endpoint",
                title="Oldest value of the window against the present one",
                formula="(I[t-{0}] - I[t]) / I[t]",
            ),
        },
        sources=BQX_INDEX,
        windows=WINDOWS,
        causality=60,
        about="the past against now, positive when the rate has fallen",
        steps=_of_backward,
    ),
    _past_family("past", outputs=_levels(_W), windows=(15, 30, 45, 75), sources=BQX_INDEX),
    _past_family("past", outputs=_FITTED, windows=60, sources=BQX_INDEX, causality=60),
    _now(
        "aggregate",
        backward,
        {
            "return": Output(
                "1",
                alias="agg_bqx_return",
                spanned_by=("bqx_backward_return_w{0}",),
                title="BQX of the longest window",
                formula=_BACKWARD["formula"],
            )
        },
        about="BQX of the longest window",
        steps=_of_backward,
        **_AGG,
    ),
    _past_family("aggregate", outputs=_levels("agg_bqx_{}_index", _WAS, _LONGEST), **_AGG),
    _now("aggregate", spread, _spread("agg_bqx"), about=_OVER_NOW, steps=_of_spread, **_AGG),
    _now(
        "backward",
        risen,
        {
            "return": Output("1", alias="rate_w{0}_return", **_LOG),
            "endpoint": Output(
                "1",
                alias="rate_w{0}_endpoint",
                spanned_by=("bqx_backward_endpoint_w{0}",),
                title="Rise of the rate index over its present value",
                formula="(I[t] - I[t-{0}]) / I[t]",
            ),
        },
        about=_RISEN,
        **_RATE_60,
    ),
    _past_family("past", outputs=_levels("rate_w{{0}}_{}", _WAS), **_RATE_60),
    _now(
        "aggregate",
        risen,
        {"return": Output("1", alias="rate_agg_return", **_LOG)},
        about=_RISEN,
        **_RATE_AGG,
    ),
    _past_family("aggregate", outputs=_levels("rate_agg_{}", _WAS, _LONGEST), **_RATE_AGG),
    _now(
        "aggregate",
        spread,
        _spread("rate_agg", "bqx_aggregate_{}_w{{0}}"),
        about=_OVER_NOW,
        steps=_of_spread,
        **_RATE_AGG,
    ),
)
