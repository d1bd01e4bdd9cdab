"""Jumps, volatility and trend: events of the last row and the regimes they fall in.

A jump is a move beyond a multiple of the deviation of the 60 log returns strictly before it, so
that it does not damp its own flag. Durations are counted to 1,440 rows. Regimes of volatility are
terciles of the last 1,440 values.

Source: T. Bollerslev, Generalized autoregressive conditional heteroskedasticity, Journal of
Econometrics 31 (1986), for GARCH(1,1).
"""

from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.families.volatility import deviations, jumps
from bqx.features.families.volatility.trend_states import LONG, SHORT, trend
from bqx.features.rolling.abreast import deviation_of, deviation_with, size_of_deviation
from bqx.features.rolling.abreast_ranks import (
    size_of_thirds,
    tercile_of_ties_with,
    thirds_of,
)
from bqx.features.rolling.returns import returns_from
from bqx.features.rolling.standing import share, tercile_of_ties
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import z_score
from bqx.features.sources import RATE
from bqx.features.spec import FLAG, SIGNED, Output, read
from bqx.features.steps import Steps
from bqx.market.sessions import DAY

RANKED = 100
"""Values of short volatility among which it is placed."""

EXPANDED, COMPRESSED = 1.25, 0.8
"""Short over long volatility from which it counts as expanded, and below which as compressed."""


@kernel
def volatility_states(x: F, first_minute: int) -> F:
    """Three readings of where volatility stands within a day: (T, 3), see the outputs below."""
    values = deviations.deviations(x, first_minute)
    out = np.full((len(values), 3), np.nan)
    for k in range(2):
        out[:, k] = tercile_of_ties(values[:, k].copy(), DAY)
    before, now, flips = out[:, 0], out[1:, 0], out[1:, 2]
    for row in range(len(now)):
        known = 0.0 * (now[row] - before[row])
        flips[row] = (now[row] != before[row]) + known
    return out


def _begin_states() -> F:
    """State of `_states_go_on`: the value and the state before, and those of the two deviations and
    their ranks.
    """
    before = np.full(2, np.nan)
    ranks = thirds_of(DAY), thirds_of(DAY)
    return np.concatenate((before, deviation_of(SHORT), deviation_of(LONG), *ranks))


@kernel
def _states_go_on(x: F, minute: int, state: F) -> F:
    """What `volatility_states` gives of a row (1, P), from the states before it: (3, P)."""
    out, start = np.full((3, x.shape[1]), np.nan), 2
    move = returns_from(state[0], x[0])
    for k, window in enumerate((SHORT, LONG)):
        stop = start + size_of_deviation(window)
        deviation_with(move, minute, window, state[start:stop], out[k])
        start = stop
    for k in range(2):
        stop = start + size_of_thirds(DAY)
        tercile_of_ties_with(out[k].copy(), minute, DAY, state[start:stop], out[k])
        start = stop
    for k in range(x.shape[1]):
        if not np.isnan(out[0, k] - state[1, k]):
            out[2, k] = out[0, k] != state[1, k]
    state[0], state[1] = x[0], out[0]
    return out


@kernel
def _compared(values: F, first_minute: int) -> F:
    out = np.full((len(values), 7), np.nan)
    short, long = values[:, 0].copy(), values[:, 1].copy()
    out[:, 0] = z_score(short, RANKED, first_minute, ROUNDING)
    out[:, 1] = share(short, RANKED)
    out[:, 5:] = values[:, 2:]
    before, last, faster = short[SHORT:], short[2 * SHORT :], out[2 * SHORT :, 2]
    for row in range(len(last)):
        faster[row] = (last[row] - before[row]) - (before[row] - short[row])
    for row in range(len(out)):
        known = 0.0 * long[row]
        out[row, 3] = (short[row] > EXPANDED * long[row]) + known
        out[row, 4] = (short[row] < COMPRESSED * long[row]) + known
    return out


@kernel
def volatility(x: F, first_minute: int) -> F:
    """Seven readings of volatility: (T, 7), see the outputs below."""
    return _compared(deviations.deviations(x, first_minute), first_minute)


def _reading(rows: int, alias: str, unit: str = "1", *bounds: float, **more: Any) -> Output:
    return Output(unit, *bounds, alias=alias, lookback=lambda: rows, **more)


_JUMPED = jumps.BEFORE + 2
_JUMPS = described(
    {
        "flag_2_5_sigma": _reading(_JUMPED, "jump_flag_2_5_sigma", *FLAG),
        "flag_3_sigma": _reading(_JUMPED, "jump_flag_3_sigma", *FLAG),
        **{
            f"count_{rows}": _reading(
                _JUMPED + rows - 1, f"jump_count_{rows}", "1", 0.0, float(rows)
            )
            for rows in (SHORT, LONG)
        },
        "since": _reading(
            _JUMPED + DAY - 1, "time_since_last_jump", "bar", 0.0, float(DAY), capped=True
        ),
        "direction": _reading(_JUMPED, "jump_direction", *SIGNED),
        "magnitude_z": _reading(_JUMPED, "jump_magnitude_z", "1", 0.0),
        "decay_20": _reading(_JUMPED + 19, "post_jump_decay_20", *FLAG, capped=True),
    },
    """
flag_2_5_sigma: Flag of a return beyond 2.5 deviations
    |r[t]| > 2.5 std(r[t-60..t-1])
flag_3_sigma: Flag of a return beyond three deviations
    |r[t]| > 3 std(r[t-60..t-1])
count_20: Jumps in 20 rows
    count(jump, 20)
count_60: Jumps in 60 rows
    count(jump, 60)
since: Rows since the last jump, to 1,440
    min(rows since jump, 1440)
direction: Direction of a jump
    sign(r[t]) jump[t]
magnitude_z: Size of the return in earlier deviations
    |r[t]| / std(r[t-60..t-1])
decay_20: Decay since the last jump
    exp(-rows since jump / 20), 0 from 20 rows on
""",
)
_STATE = ("1", 0.0, 2.0)
_SAME_STATE = ("clock_session_vol_regime_w60_1440",)
_FIXED = "fixed weights; the long-run variance is that of the last 1,440 returns"
_VOLATILITY = described(
    {
        "regime_20": _reading(SHORT + DAY, "vol_regime_20", *_STATE),
        "regime_60": _reading(LONG + DAY, "vol_regime_60", *_STATE, spanned_by=_SAME_STATE),
        "transition": _reading(SHORT + DAY + 1, "vol_regime_transition", *FLAG),
        "z_score_20": _reading(SHORT + RANKED, "vol_z_score_20"),
        "percentile_100": _reading(SHORT + RANKED, "vol_percentile_100", *FLAG),
        "acceleration_20": _reading(3 * SHORT + 1, "vol_acceleration_20"),
        "expansion": _reading(LONG + 1, "vol_expansion_flag", *FLAG),
        "compression": _reading(LONG + 1, "vol_compression_flag", *FLAG),
        "ewma_30": _reading(301, "ewma_vol_30", "1", 0.0),
        "garch": _reading(DAY + 1, "garch_vol_estimate", "1", 0.0, about=_FIXED),
    },
    """
regime_20: Regime of 20-row volatility within a day
    tercile(std(r, 20), 1440)
regime_60: Regime of 60-row volatility within a day
    tercile(std(r, 60), 1440)
transition: Flag of a new regime of 20-row volatility
    g[t] != g[t-1], g = tercile(std(r, 20), 1440)
z_score_20: Z-score of 20-row volatility among 100 values
    z(std(r, 20), 100)
percentile_100: Rank of 20-row volatility among 100 values
    rank(std(r, 20), 100)
acceleration_20: Acceleration of 20-row volatility
    v[t] - 2 v[t-20] + v[t-40], v = std(r, 20)
expansion: Flag of expanded volatility
    std(r, 20) > 1.25 std(r, 60)
compression: Flag of compressed volatility
    std(r, 20) < 0.8 std(r, 60)
ewma_30: Exponentially weighted volatility
    sqrt(ema(r^2, 30))
garch: GARCH(1,1) volatility forecast for the next row
    sqrt(0.05 var(r, 1440) + 0.05 r[t]^2 + 0.90 h[t]), h[t] variance of row t
""",
)
_TREND = described(
    {
        "regime_20": _reading(SHORT + 1, "trend_regime_20", "1", -2.0, 2.0),
        "regime_60": _reading(LONG + 1, "trend_regime_60", "1", -2.0, 2.0),
        "strength_20": _reading(SHORT, "trend_strength_20", *FLAG),
        "strength_60": _reading(LONG, "trend_strength_60", *FLAG),
        "consistency_20": _reading(SHORT + 1, "trend_consistency_20", *FLAG),
        "reversal": _reading(2 * SHORT + 1, "trend_reversal_flag", *FLAG),
        "acceleration_20": _reading(2 * SHORT, "trend_acceleration_20", "{u}/bar"),
        "sideways_20": _reading(SHORT, "sideways_flag_20", *FLAG),
    },
    """
regime_20: Trend class over 20 rows, -2 to 2
    class of slope(x, 20) sqrt(20) / (x[t] std(r, 20)) at 0.3 and 1
regime_60: Trend class over 60 rows, -2 to 2
    class of slope(x, 60) sqrt(60) / (x[t] std(r, 60)) at 0.3 and 1
strength_20: R² of the straight line over 20 rows
    corr(x, time, 20)^2
strength_60: R² of the straight line over 60 rows
    corr(x, time, 60)^2
consistency_20: Share of returns in the direction of the net move
    count(sign(r) = sign(x[t] - x[t-20]), 20) / 20
reversal: Flag of twenty rows against the twenty before
    sign(x[t] - x[t-20]) = -sign(x[t-20] - x[t-40]) != 0
acceleration_20: Change of the 20-row slope over 20 rows
    delta(slope(x, 20), 20)
sideways_20: Flag of a market without trend
    corr(x, time, 20)^2 < 0.25
""",
)

_event = partial(family, table="event_regime", sources=RATE, laggable=False)
_volatility = partial(_event, "volatility", about="deviation of log returns")
_STATES = ("regime_20", "regime_60", "transition")


def _run_in() -> int:
    return DAY + 1


_deviates = partial(Steps, deviations.go_on, rows=_run_in, begin=deviations.begin, abreast=True)

FAMILIES = (
    _event(
        "jump",
        jumps.jumps,
        _JUMPS,
        about="moves beyond a multiple of the 60 returns' deviation",
        steps=Steps(
            jumps.go_on,
            read,
            rows=lambda: _JUMPED + DAY - 1,
            reads=lambda: 1,
            begin=jumps.begin,
            abreast=True,
        ),
    ),
    _volatility(
        volatility_states,
        {name: output for name, output in _VOLATILITY.items() if name in _STATES},
        steps=Steps(
            _states_go_on,
            read,
            rows=lambda: LONG + DAY,
            reads=lambda: 1,
            begin=_begin_states,
            abreast=True,
        ),
    ),
    _volatility(
        volatility,
        {name: output for name, output in _VOLATILITY.items() if name not in _STATES},
        steps=_deviates(_compared, reads=lambda: RANKED),
    ),
    _event("trend_state", trend, _TREND, about="straight line through the trailing window"),
)
