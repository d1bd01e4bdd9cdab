"""Average true range, on bars of the rate index and on BQX itself.

Percent of BQX are percent of the deviation over 60 rows, since it crosses zero.

Source: J. W. Wilder, New Concepts in Technical Trading Systems (1978).
"""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.technical import stated
from bqx.features.rolling.exponential import (
    LEVEL_ROWS,
    SCORE_ROWS,
    over_deviation,
    score,
    true_range,
    wilder,
    wilder_change,
)
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX_LINE, RATE_BARS
from bqx.features.spec import CLOSE, Output, read
from bqx.features.steps import Steps


@kernel
def _average_range(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, Wilder mean, beside the closes: (T, 2)."""
    out = np.empty((2, len(ohlc)))
    out[0], out[1] = wilder(true_range(ohlc), n, first_minute), ohlc[:, CLOSE]
    return out.T


@kernel
def _range(ranges: F, first_minute: int, n: int) -> F:
    return ranges[:, :1]


@kernel
def _percent_of_close(ranges: F, first_minute: int, n: int) -> F:
    out = np.empty((2, len(ranges)))
    for row in range(len(ranges)):
        value = ranges[row, 0]
        out[0, row], out[1, row] = value, 100.0 * value / ranges[row, 1]
    return out.T


@kernel
def _percent_of_deviation(ranges: F, first_minute: int, n: int) -> F:
    out = np.empty((2, len(ranges)))
    out[0] = ranges[:, 0]
    out[1] = over_deviation(out[0], ranges[:, 1].copy(), first_minute)
    return out.T


@kernel
def _with_score(values: F, first_minute: int) -> F:
    out = np.empty((3, len(values)))
    out[:2] = values.T
    out[2] = score(out[0], out[0], SCORE_ROWS, first_minute)
    return out.T


@kernel
def _scored(ranges: F, first_minute: int, n: int) -> F:
    return _with_score(_percent_of_close(ranges, first_minute, n), first_minute)


@kernel
def _scored_bqx(ranges: F, first_minute: int, n: int) -> F:
    return _with_score(_percent_of_deviation(ranges, first_minute, n), first_minute)


@kernel
def atr(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, Wilder mean: (T, 1)."""
    return wilder(true_range(ohlc), n, first_minute).reshape(-1, 1)


@kernel
def atr_percent(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, and in percent of the close: (T, 2)."""
    return _percent_of_close(_average_range(ohlc, first_minute, n), first_minute, n)


@kernel
def atr_percent_bqx(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, and in percent of the deviation over 60 rows: (T, 2)."""
    return _percent_of_deviation(_average_range(ohlc, first_minute, n), first_minute, n)


@kernel
def atr_readings(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, in percent of the close, and its score: (T, 3)."""
    return _scored(_average_range(ohlc, first_minute, n), first_minute, n)


@kernel
def atr_readings_bqx(ohlc: F, first_minute: int, n: int) -> F:
    """Average true range, in percent of the deviation over 60 rows, and its score: (T, 3)."""
    return _scored_bqx(_average_range(ohlc, first_minute, n), first_minute, n)


@kernel
def atr_ratio(ohlc: F, first_minute: int, short: int, long: int) -> F:
    """Average true range of a short over that of a long mean: (T, 1)."""
    ranges = true_range(ohlc)
    ratio = wilder(ranges, short, first_minute) / wilder(ranges, long, first_minute)
    return ratio.reshape(-1, 1)


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

_atr = partial(
    family, "atr", table="technical", about="average true range, Wilder", lookback=wilder_change
)


_goes_on = partial(stated.of_wilder_mean, stated.average_range, stated.begin_range)


FAMILIES = (
    _atr(
        atr_readings,
        _RATE_PERCENT | {"z_60": _SCORE},
        windows=14,
        sources=RATE_BARS,
        steps=_goes_on(_scored, SCORE_ROWS),
    ),
    _atr(
        atr_percent,
        _RATE_PERCENT,
        windows=28,
        sources=RATE_BARS,
        steps=_goes_on(_percent_of_close, 1),
    ),
    _atr(
        atr_readings_bqx,
        _BQX_PERCENT | {"z_60": _SCORE},
        windows=14,
        sources=BQX_LINE,
        steps=_goes_on(_scored_bqx, SCORE_ROWS),
    ),
    _atr(
        atr_percent_bqx,
        _BQX_PERCENT,
        windows=28,
        sources=BQX_LINE,
        steps=_goes_on(_percent_of_deviation, LEVEL_ROWS),
    ),
    _atr(atr, _ATR, windows=7, sources=RATE_BARS, steps=_goes_on(_range, 1)),
    _atr(atr, _ATR, windows=7, sources=BQX_LINE, steps=_goes_on(_range, 1)),
    _atr(
        atr_ratio,
        {"ratio": _RATIO},
        windows=((14, 28),),
        sources=(RATE_BARS, BQX_LINE),
        lookback=lambda short, long: wilder_change(long),
        steps=Steps(
            stated.ratio,
            read,
            rows=lambda short, long: wilder_change(long),
            reads=lambda short, long: 1,
            begin=stated.begin_ratio,
            abreast=True,
        ),
    ),
)
