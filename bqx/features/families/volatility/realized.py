"""Realized volatility of the last 20 bars: by ranges, by products, its jumps and its regimes.

The rate domain reads log ranges and log returns of one-minute bars and of complete five-minute
clock buckets; BQX, which crosses zero, differences, and for ranges its trailing five-row bars,
whose bar before is the one that ends five rows earlier. Nothing is annualised.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from bqx.features.declare import described, family
from bqx.features.families.volatility import high_states
from bqx.features.families.volatility.realized_rows import (
    BUCKET,
    across,
    of_bqx,
    of_buckets,
    of_rate,
    rows_of_bqx,
    rows_of_rate,
    twelve,
)
from bqx.features.rolling.exponential import ema_run_in
from bqx.features.rolling.sums import F
from bqx.features.rolling.volatility import (
    SLOW,
)
from bqx.features.sources import BQX, PSEUDO_BAR, RATE, RATE_BARS
from bqx.features.spec import FLAG, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

Rows = Callable[[int], int]
"""Rows behind a value, by its window."""


def _both(bars: Bars) -> F:
    return np.column_stack([bars.index, BQX.build(bars)])


RATE_AND_BQX = Source("cross", "cross", "1", BQX.lookback, _both)
"""Rate index and BQX over 15 minutes."""


def _change(window: int) -> int:
    return window + 1


def _state(window: int) -> int:
    return window + DAY


def _day(window: int) -> int:
    return DAY


def _states(window: int) -> int:
    return window + 2 * DAY - 1


def _run_in(window: int) -> int:
    return ema_run_in(SLOW) + 1


def _buckets(window: int) -> int:
    return BUCKET * (window + 1) - 1


_PROSE = """
parkinson: Parkinson volatility of {x}
    sqrt(mean(h^2, {0}) / (4 ln 2)), h = ln(H / L){bars}
garman_klass: Garman-Klass volatility of {x}
    sqrt(mean(h^2 / 2 - (2 ln 2 - 1) ln(C / O)^2, {0})), h = ln(H / L){bars}
rogers_satchell: Rogers-Satchell volatility of {x}
    sqrt(mean(u (u - c) + d (d - c), {0})), u, d, c = ln(H, L, C over O){bars}
yang_zhang: Yang-Zhang volatility of {x}
    sqrt(var(o, {0}) + k var(c, {0}) + (1 - k) RS^2), o = ln(O[t] / C[t-1]){bars}
bipower: Bipower variation of {x}
    pi / 2 {0} / ({0} - 1) sum(|y[t] y[t-1]|, {0} - 1), y = {y}
quarticity: Realised quarticity of {x}
    {0} / 3 sum({y}^4, {0})
jump_test: Jump test statistic of {x}
    (RV - BV) / RV, scaled to deviation 1, over {0} rows
"""
_MOVES_PROSE = """
signed_jump: Signed jump variation of {x}
    sum({y}^2 sign({y}), {0})
vol_of_vol: Volatility of volatility of {x}
    std(v, {0}), v = sqrt(mean({y}^2, {0}))
acceleration: Acceleration of volatility of {x}
    v[t] - 2 v[t-{0}] + v[t-2 * {0}], v = sqrt(mean({y}^2, {0}))
ewma_ratio: Fast over slow exponential volatility of {x}
    sqrt(ema({y}^2, 5) / ema({y}^2, 20))
skewness: Realised skewness of {x}
    sqrt({0}) sum({y}^3, {0}) / sum({y}^2, {0})^1.5
"""
_STATES_PROSE = """
high: Flag of high volatility of {x}
    v > quantile(v, 1440, 0.67), v = sqrt(mean({y}^2, {0}))
held: Rows in the present volatility state of {x}, to 1,440
    rows since v crossed quantile(v, 1440, 0.67), v = sqrt(mean({y}^2, {0}))
transition: Share of a day's rows that changed the volatility state of {x}
    mean(h[t] != h[t-1], 1439), h = high({y}, {0})
"""
_NOTATION = {
    "idx": {"{y}": "r", "{bars}": ""},
    "5m": {"{y}": "r[5m]", "{bars}": ", 5-minute bars", "{x}": "{x} in five-minute buckets"},
    "bqx": {
        "{y}": "delta(B, 1)",
        "{bars}": "",
        "ln(H / L)": "H - L",
        "ln(C / O)": "(C - O)",
        "ln(H, L, C over O)": "H, L, C less O",
        "ln(O[t] / C[t-1])": "O[t] - C[t-5]",
    },
}
"""What stands for returns and log ranges: in BQX, differences."""


def _of(domain: str, outputs: dict[str, Output], prose: str, size: str = "1m") -> dict[str, Output]:
    """Outputs with the aliases, titles and formulas of a domain and a size of bars."""
    for text, replacement in _NOTATION[domain if size == "1m" else size].items():
        prose = prose.replace(text, replacement)
    aliases = {
        name: output.alias.format("{0}", d=domain, s=size) for name, output in outputs.items()
    }
    return described(
        {name: replace(output, alias=aliases[name]) for name, output in outputs.items()}, prose
    )


def _readings(bars: Rows, before: Rows | None = None) -> dict[str, Output]:
    """What is read from ranges of bars, Yang and Zhang's with the bar before, and from returns."""
    return {
        "parkinson": Output("1", 0.0, alias="parkinson_vol_{d}_{0}_{s}", lookback=bars),
        "garman_klass": Output("1", 0.0, alias="garman_klass_vol_{d}_{0}_{s}", lookback=bars),
        "rogers_satchell": Output("1", 0.0, alias="rogers_satchell_vol_{d}_{0}_{s}", lookback=bars),
        "yang_zhang": Output("1", 0.0, alias="yang_zhang_vol_{d}_{0}_{s}", lookback=before),
        "bipower": Output("1^2", 0.0, alias="bipower_var_{d}_{0}_{s}"),
        "quarticity": Output("1^4", 0.0, alias="realized_quarticity_{d}_{0}_{s}"),
        "jump_test": Output("1", alias="jump_test_stat_{d}_{0}_{s}"),
    }


_MOVES = {
    "signed_jump": Output("1^2", alias="signed_jump_{d}_{0}_{s}"),
    "vol_of_vol": Output("1", 0.0, alias="vol_of_vol_{d}_{0}", lookback=lambda w: 2 * w),
    "acceleration": Output("1", alias="vol_acceleration_{d}_{0}", lookback=lambda w: 3 * w + 1),
    "ewma_ratio": Output("1", 0.0, alias="ewma_vol_ratio_{d}_5_20", lookback=_run_in),
    "skewness": Output("1", alias="realized_skewness_{d}_{0}"),
}
_capped = partial(Output, lookback=_states, capped=True)
_STATES = {
    "high": Output(*FLAG, alias="vol_regime_high_{d}", lookback=_state),
    "held": _capped("bar", 1.0, float(DAY), alias="vol_regime_duration_{d}"),
    "transition": _capped(*FLAG, alias="vol_regime_transition_prob_{d}"),
}
_OF_RATE = _of("idx", _readings(lambda window: window), _PROSE)
_OF_BQX = _of("bqx", _readings(lambda w: w + PSEUDO_BAR - 1, lambda w: w + PSEUDO_BAR), _PROSE)
_OF_BUCKETS = _of("idx", _readings(_buckets), _PROSE, "5m")
_MOVES_OF_RATE, _MOVES_OF_BQX = (_of(domain, _MOVES, _MOVES_PROSE) for domain in ("idx", "bqx"))
_STATES_OF_RATE, _STATES_OF_BQX = (_of(domain, _STATES, _STATES_PROSE) for domain in ("idx", "bqx"))
_ACROSS = described(
    {
        "alignment": Output(*FLAG, alias="vol_regime_alignment_idx_bqx", lookback=_state),
        "ratio": Output("1", 0.0, alias="realized_vol_ratio_bqx_idx"),
        "jumps": Output(*FLAG, alias="jump_synchrony_idx_bqx"),
    },
    """
alignment: Agreement of the volatility states of rate and BQX
    high(r, {0}) = high(delta(B, 1), {0})
ratio: Realised volatility of BQX over that of the rate
    sqrt(mean(delta(B, 1)^2, {0}) / mean(r^2, {0}))
jumps: Flag of jumps in both rate and BQX
    jump test(r, {0}) > 3 and jump test(delta(B, 1), {0}) > 3
""",
)
_ALIGNMENT = {"alignment": _ACROSS.pop("alignment")}

_realized = partial(
    family,
    table="realized_volatility",
    windows=20,
    about="realized over the trailing window, current row included",
)
_goes_on = partial(Steps, last=read, reads=lambda window: 1, abreast=True)
_over_rows = partial(Steps, last=twelve, reads=lambda window: ema_run_in(SLOW))

FAMILIES = (
    _realized(
        "realized",
        of_rate,
        _OF_RATE | _MOVES_OF_RATE,
        sources=RATE_BARS,
        lookback=_change,
        steps=_over_rows(rows_of_rate, rows=_change),
    ),
    _realized(
        "realized",
        of_bqx,
        _OF_BQX | _MOVES_OF_BQX,
        sources=BQX,
        lookback=_change,
        steps=_over_rows(rows_of_bqx, rows=lambda window: window + PSEUDO_BAR),
    ),
    _realized(
        "realized",
        high_states.states_of_rate,
        _STATES_OF_RATE,
        sources=RATE,
        steps=_goes_on(high_states.rate_goes_on, begin=high_states.begin, rows=_states),
    ),
    _realized(
        "realized",
        high_states.states_of_bqx,
        _STATES_OF_BQX,
        sources=BQX,
        steps=_goes_on(high_states.bqx_goes_on, begin=high_states.begin, rows=_states),
    ),
    _realized(
        "realized_5m",
        of_buckets,
        _OF_BUCKETS,
        sources=RATE_BARS,
        about="realized over the last complete five-minute clock buckets",
        bucket=lambda window: BUCKET,
        lookback=lambda window: _buckets(window) + 1,
    ),
    _realized(
        "realized",
        high_states.agreeing,
        _ALIGNMENT,
        sources=RATE_AND_BQX,
        steps=_goes_on(high_states.both_go_on, begin=high_states.begin_both, rows=_state),
    ),
    _realized("realized", across, _ACROSS, sources=RATE_AND_BQX, lookback=_change),
)
