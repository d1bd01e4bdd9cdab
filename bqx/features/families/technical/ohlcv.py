"""Indicators of price and volume on the rate index; volume counts ticks.

Sums that the field lets run from the start of all are those of the last 1,440 rows: a row adds
what it adds, the oldest row lends its close and volume to the next, and nvi and pvi stand at
1,000 there. Without volume every value is NaN.

Source: J. Granville for on-balance volume (1963); M. Chaikin for accumulation and money flow;
A. Elder for the force index; R. Arms for ease of movement; P. Dysart for nvi and pvi; G. Quong
and A. Soudack for the money flow index (1989).
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.abreast import size_of_total, total_of, total_with
from bqx.features.rolling.ago import changes
from bqx.features.rolling.exponential import ema, ema_run_in
from bqx.features.rolling.products import mean
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import AT_REST
from bqx.features.rolling.trailing import total
from bqx.features.spec import CLOSE, HIGH, LOW, SIGNED, TICKS, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

START = 1000.0
"""Value of nvi and pvi at the oldest row of their window."""


def _bars_with_volume(bars: Bars) -> F:
    return np.column_stack((bars.ohlc, bars.volume))


VOLUME = Source("rate", "rate", "pt", 1, _bars_with_volume)
"""Open, high, low, close of the rate index and the volume: (T, 5)."""


@kernel
def accrued(x: F) -> F:
    """What a row adds to each of the sums of `accumulation`: (T, 5)."""
    rows = len(x)
    out = np.empty((5, rows))
    out[:, :1] = np.nan
    out[1] = placed(x)
    signed, trend, calm, busy = out[0, 1:], out[2, 1:], out[3, 1:], out[4, 1:]
    close, volume = x[:, CLOSE].copy(), x[:, TICKS].copy()
    nows, ticks, returns = close[1:], volume[1:], log_returns(close)[1:]
    for row in range(len(nows)):
        move, known = nows[row] - close[row], 0.0 * (ticks[row] + volume[row])
        sign = 1.0 if move > 0.0 else -1.0 if move < 0.0 else move
        calmer, busier = ticks[row] < volume[row], ticks[row] > volume[row]
        signed[row] = sign * ticks[row] + known
        trend[row] = ticks[row] * (move / close[row]) + known
        calm[row] = (returns[row] if calmer else 0.0 * move) + known
        busy[row] = (returns[row] if busier else 0.0 * move) + known
    return out.T


@kernel
def accumulation(x: F, first_minute: int, window: int) -> F:
    """Sums over the window: (T, 5) obv, adl, vpt, nvi, pvi.

    obv adds the volume of rising and subtracts that of falling closes; adl adds volume times the
    close's place in its bar (-1 at the low, 1 at the high, 0 in a bar without extent); vpt adds
    volume times the return. nvi and pvi compound the returns of rows whose volume fell or rose.
    """
    rows = accrued(x)
    out = np.empty((5, len(rows)))
    for k in range(5):
        out[k] = total(rows[:, k].copy(), window - (k != 1), first_minute)
    for k in range(3, 5):
        out[k] = START * np.exp(out[k])
    return out.T


def _begin(window: int) -> F:
    """State of `_accumulates`: the bar before, and those of five sums."""
    sums = [total_of(window - (k != 1)) for k in range(5)]
    return np.concatenate((np.full(TICKS + 1, np.nan), *sums))


@kernel
def _accumulates(x: F, minute: int, window: int, state: F) -> F:
    """What `accumulation` gives of a row (5, P), from the states of the rows before: (5, P)."""
    out, two, added = np.empty(x.shape), np.empty((2, len(x))), np.empty(x.shape)
    start = TICKS + 1
    for k in range(x.shape[1]):
        two[0], two[1] = state[:start, k], x[:, k]
        added[:, k] = accrued(two)[1]
    state[:start] = x
    for k in range(5):
        stop = start + size_of_total(window - (k != 1))
        total_with(added[k], minute, state[start:stop], out[k])
        start = stop
    out[3], out[4] = START * np.exp(out[3]), START * np.exp(out[4])
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
    push = changes(x[:, CLOSE].copy(), 1) * x[:, TICKS]
    return ema(push, span, first_minute).reshape(-1, 1)


@kernel
def ease(x: F, first_minute: int, window: int) -> F:
    """Mean of the middle's change times the bar's extent per tick: (T, 1); 0 without a tick."""
    moves = changes((x[:, HIGH] + x[:, LOW]) / 2.0, 1)
    extent, ticks = x[:, HIGH] - x[:, LOW], x[:, TICKS].copy()
    for row in range(len(x)):
        eased = moves[row] * extent[row] / ticks[row]
        moves[row] = 0.0 * moves[row] if ticks[row] == 0.0 else eased
    return mean(moves, window, first_minute).reshape(-1, 1)


@kernel
def flow_index(x: F, first_minute: int, window: int) -> F:
    """Money flow index: (T, 1), share of the flow on rows whose typical price rose, 0 to 100.

    Rows whose typical price rests belong to neither side; NaN where all do.
    """
    rows = len(x)
    up, down = np.empty(rows), np.empty(rows)
    typical = (x[:, HIGH] + x[:, LOW] + x[:, CLOSE]) / 3.0
    moves, flows = changes(typical, 1), typical * x[:, TICKS]
    for row in range(rows):
        flow, move, least = flows[row], moves[row], AT_REST * typical[row]
        known = 0.0 if flow == flow and move == move else np.nan
        up[row] = flow if move > least else known
        down[row] = flow if move < -least else known
    rising = total(up, window, first_minute)
    falling = total(down, window, first_minute)
    return (100.0 * (rising / (rising + falling))).reshape(-1, 1)


def _before(window: int) -> int:
    return window + 1


def _sum(name: str, title: str, formula: str, unit: str = "tick", *bounds: float) -> Output:
    return Output(unit, *bounds, alias=name, title=title, formula=formula)


_SUMS = {
    "obv": _sum("obv", "On-balance volume of a day", "sum(sign(delta(C, 1)) V, {0} - 1)"),
    "adl": _sum(
        "adl",
        "Accumulation and distribution line of a day",
        "sum(V ((C - L) - (H - C)) / (H - L), {0})",
    ),
    "vpt": _sum("vpt", "Volume-price trend of a day", "sum(V delta(C, 1) / C[t-1], {0} - 1)"),
    "nvi": _sum(
        "nvi",
        "Negative volume index of a day",
        "1000 exp(sum(r if V[t] < V[t-1], {0} - 1))",
        "1",
        0.0,
    ),
    "pvi": _sum(
        "pvi",
        "Positive volume index of a day",
        "1000 exp(sum(r if V[t] > V[t-1], {0} - 1))",
        "1",
        0.0,
    ),
}

_indicator = partial(family, table="technical_ohlcv", sources=VOLUME, laggable=False)

FAMILIES = (
    _indicator(
        "accumulation",
        accumulation,
        _SUMS,
        windows=DAY,
        about="sums of the trailing window",
        steps=Steps(
            _accumulates,
            read,
            rows=lambda window: window,
            reads=lambda window: 1,
            begin=_begin,
            abreast=True,
        ),
    ),
    _indicator(
        "chaikin_flow",
        chaikin_flow,
        Output(*SIGNED, alias="cmf_{0}"),
        windows=20,
        title="Chaikin money flow",
        formula="sum(V ((C - L) - (H - C)) / (H - L), {0}) / sum(V, {0})",
    ),
    _indicator(
        "force",
        force,
        Output("pt tick", alias="fi_{0}"),
        windows=13,
        title="Force index",
        formula="ema(delta(C, 1) V, {0})",
        lookback=lambda span: ema_run_in(span) + 1,
    ),
    _indicator(
        "ease",
        ease,
        Output("pt^2/tick", alias="eom_{0}"),
        windows=14,
        title="Ease of movement",
        formula="mean(delta((H + L) / 2, 1) (H - L) / V, {0})",
        lookback=_before,
    ),
    _indicator(
        "flow_index",
        flow_index,
        Output("%", 0.0, 100.0, alias="mfi_{0}"),
        windows=14,
        title="Money flow index",
        formula="100 up / (up + down), sums of P V over {0} rows, P = (H + L + C) / 3",
        lookback=_before,
    ),
)
