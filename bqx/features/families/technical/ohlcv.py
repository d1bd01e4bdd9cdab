"""Indicators of price and volume on the rate index; volume counts ticks.

Sums that the field lets run from the start of all are those of the last 1,440 rows: a row adds
what it adds, the oldest row lends its close and volume to the next, and nvi and pvi stand at
1,000 there. Without volume every value is NaN.

Source: J. Granville for on-balance volume (1963); M. Chaikin for accumulation and money flow;
A. Elder for the force index; R. Arms for ease of movement; P. Dysart for nvi and pvi; G. Quong
and A. Soudack for the money flow index (1989).
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.exponential import ema, ema_run_in
from bqx.features.rolling.products import mean
from bqx.features.rolling.trailing import total
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars

F = NDArray[np.float64]

DAY = 1440
"""Rows behind what the field accumulates without end."""

START = 1000.0
"""Value of nvi and pvi at the oldest row of their window."""

EVEN = 1e-12
"""Share of a typical price below which a change of it is the rounding of a sum."""

OPEN, HIGH, LOW, CLOSE, TICKS = range(5)


def _bars_with_volume(bars: Bars) -> F:
    return np.column_stack((bars.ohlc, bars.volume))


VOLUME = Source("rate", "rate", "pt", 1, _bars_with_volume)
"""Open, high, low, close of the rate index and the volume: (T, 5)."""


@kernel
def accumulation(x: F, first_minute: int, window: int) -> F:
    """Sums over the window: (T, 5) obv, adl, vpt, nvi, pvi.

    obv adds the volume of rising and subtracts that of falling closes; adl adds volume times the
    close's place in its bar (-1 at the low, 1 at the high, 0 in a bar without extent); vpt adds
    volume times the return. nvi and pvi compound the returns of rows whose volume fell or rose.
    """
    rows = len(x)
    out = np.empty((rows, 5))
    signed, trend = np.full(rows, np.nan), np.full(rows, np.nan)
    calm, busy = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        now, before = x[row, CLOSE], x[row - 1, CLOSE]
        ticks, earlier = x[row, TICKS], x[row - 1, TICKS]
        if not (np.isnan(now + before) or np.isnan(ticks + earlier)):
            signed[row] = np.sign(now - before) * ticks
            trend[row] = ticks * ((now - before) / before)
            gain = np.log(now / before)
            calm[row] = gain if ticks < earlier else 0.0
            busy[row] = gain if ticks > earlier else 0.0
    out[:, 0] = total(signed, window - 1, first_minute)
    out[:, 1] = total(placed(x), window, first_minute)
    out[:, 2] = total(trend, window - 1, first_minute)
    out[:, 3] = START * np.exp(total(calm, window - 1, first_minute))
    out[:, 4] = START * np.exp(total(busy, window - 1, first_minute))
    return out


@kernel
def placed(x: F) -> F:
    """Volume times the close's place in its bar, from -1 to 1: (T,)."""
    out = np.full(len(x), np.nan)
    for row in range(len(x)):
        high, low, close = x[row, HIGH], x[row, LOW], x[row, CLOSE]
        place = 0.0 if high == low else ((close - low) - (high - close)) / (high - low)
        out[row] = place * x[row, TICKS]
    return out


@kernel
def chaikin_flow(x: F, first_minute: int, window: int) -> F:
    """Chaikin money flow, placed volume over volume: (T, 1), -1 to 1; NaN without a tick."""
    ticks = total(x[:, TICKS].copy(), window, first_minute)
    return (total(placed(x), window, first_minute) / ticks).reshape(-1, 1)


@kernel
def force(x: F, first_minute: int, span: int) -> F:
    """Exponential mean of change times volume: (T, 1)."""
    push = np.full(len(x), np.nan)
    for row in range(1, len(x)):
        push[row] = (x[row, CLOSE] - x[row - 1, CLOSE]) * x[row, TICKS]
    return ema(push, span, first_minute).reshape(-1, 1)


@kernel
def ease(x: F, first_minute: int, window: int) -> F:
    """Mean of the middle's change times the bar's extent per tick: (T, 1); 0 without a tick."""
    moves = np.full(len(x), np.nan)
    for row in range(1, len(x)):
        now = (x[row, HIGH] + x[row, LOW]) / 2.0
        before = (x[row - 1, HIGH] + x[row - 1, LOW]) / 2.0
        moves[row] = (now - before) * (x[row, HIGH] - x[row, LOW]) / x[row, TICKS]
        if x[row, TICKS] == 0.0 and not np.isnan(now - before):
            moves[row] = 0.0
    return mean(moves, window, first_minute).reshape(-1, 1)


@kernel
def flow_index(x: F, first_minute: int, window: int) -> F:
    """Money flow index: (T, 1), share of the flow on rows whose typical price rose, 0 to 100.

    Rows whose typical price rests belong to neither side; NaN where all do.
    """
    rows = len(x)
    up, down = np.full(rows, np.nan), np.full(rows, np.nan)
    typical = (x[:, HIGH] + x[:, LOW] + x[:, CLOSE]) / 3.0
    for row in range(1, rows):
        flow = typical[row] * x[row, TICKS]
        move = typical[row] - typical[row - 1]
        if not (np.isnan(flow) or np.isnan(move)):
            up[row] = flow if move > EVEN * typical[row] else 0.0
            down[row] = flow if move < -EVEN * typical[row] else 0.0
    rising = total(up, window, first_minute)
    falling = total(down, window, first_minute)
    return (100.0 * (rising / (rising + falling))).reshape(-1, 1)


_LIST = "technical_ohlcv"


def _before(window: int) -> int:
    return window + 1


FAMILIES = (
    Family(
        "accumulation",
        _LIST,
        accumulation,
        {
            "obv": Output("tick", alias="obv", about="signed volume"),
            "adl": Output("tick", alias="adl", about="volume by the close's place in its bar"),
            "vpt": Output("tick", alias="vpt", about="volume times return"),
            "nvi": Output("1", 0.0, alias="nvi", about="returns on falling volume, from 1,000"),
            "pvi": Output("1", 0.0, alias="pvi", about="returns on rising volume, from 1,000"),
        },
        ((DAY,),),
        (VOLUME,),
        "sums of the trailing window",
        laggable=False,
    ),
    Family(
        "chaikin_flow",
        _LIST,
        chaikin_flow,
        {"": Output("1", -1.0, 1.0, alias="cmf_{0}")},
        ((20,),),
        (VOLUME,),
        "Chaikin money flow",
        laggable=False,
    ),
    Family(
        "force",
        _LIST,
        force,
        {"": Output("pt tick", alias="fi_{0}")},
        ((13,),),
        (VOLUME,),
        "force index",
        lookback=lambda span: ema_run_in(span) + 1,
        laggable=False,
    ),
    Family(
        "ease",
        _LIST,
        ease,
        {"": Output("pt^2/tick", alias="eom_{0}")},
        ((14,),),
        (VOLUME,),
        "ease of movement",
        lookback=_before,
        laggable=False,
    ),
    Family(
        "flow_index",
        _LIST,
        flow_index,
        {"": Output("%", 0.0, 100.0, alias="mfi_{0}")},
        ((14,),),
        (VOLUME,),
        "money flow index",
        lookback=_before,
        laggable=False,
    ),
)
