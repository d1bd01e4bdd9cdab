"""Realized volatility of the last 20 bars: by ranges, by products, its jumps and its regimes.

The rate domain reads log ranges and log returns of one-minute bars and of complete five-minute
clock buckets; BQX, which crosses zero, differences, and for ranges its trailing five-row bars,
whose bar before is the one that ends five rows earlier. Nothing is annualised.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.rolling import resampled
from bqx.features.rolling.exponential import ema_run_in
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import changes
from bqx.features.rolling.volatility import (
    FAST,
    SLOW,
    by_products,
    by_ranges,
    high_or_low,
    high_state,
    mean_root,
    over_time,
)
from bqx.features.sources import BQX, PSEUDO_BAR, RATE, RATE_BARS, pseudo_bars
from bqx.features.spec import CLOSE, FLAG, OPEN, Output, Source
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

JUMP = 3.0
"""Deviations beyond which the jump test speaks of jumps."""

BUCKET = 5
"""Minutes of the clock buckets."""


def _both(bars: Bars) -> F:
    return np.column_stack([bars.index, BQX.build(bars)])


RATE_AND_BQX = Source("cross", "cross", "1", BQX.lookback, _both)
"""Rate index and BQX over 15 minutes."""


@kernel
def _twelve(over: F, returns: F, window: int, first_minute: int) -> F:
    out = np.empty((len(returns), 12))
    out[:, :4] = by_ranges(over, window, first_minute)
    products = by_products(returns, window, first_minute)
    out[:, 4:8] = products[:, :4]
    out[:, 8:11] = over_time(returns, products[:, 5].copy(), window, first_minute)
    out[:, 11] = products[:, 4]
    return out


@kernel
def over_before(ohlc: F, close: F) -> F:
    """Log of open over the close before, and of high, low, close over the open: (T, 4)."""
    out = np.full((len(ohlc), 4), np.nan)
    for row in range(len(ohlc)):
        if row:
            out[row, 0] = np.log(ohlc[row, OPEN] / close[row - 1])
        for k in range(1, 4):
            out[row, k] = np.log(ohlc[row, k] / ohlc[row, OPEN])
    return out


@kernel
def of_rate(ohlc: F, first_minute: int, window: int) -> F:
    """Twelve readings of one-minute bars: (T, 12), see the outputs below."""
    close = ohlc[:, CLOSE].copy()
    return _twelve(over_before(ohlc, close), log_returns(close), window, first_minute)


@kernel
def of_bqx(x: F, first_minute: int, window: int) -> F:
    """Twelve readings of BQX: (T, 12), see the outputs below."""
    bars = pseudo_bars(x, PSEUDO_BAR)
    over = np.full((len(x), 4), np.nan)
    for row in range(PSEUDO_BAR - 1, len(x)):
        if row >= PSEUDO_BAR:
            over[row, 0] = bars[row, 0] - x[row - PSEUDO_BAR]
        for k in range(1, 4):
            over[row, k] = bars[row, k] - bars[row, 0]
    return _twelve(over, changes(x, 1), window, first_minute)


@kernel
def states_of_rate(x: F, first_minute: int, window: int) -> F:
    """Three readings of the state that the rate's volatility is in: (T, 3), see the outputs."""
    return high_or_low(mean_root(log_returns(x), window, first_minute))


@kernel
def states_of_bqx(x: F, first_minute: int, window: int) -> F:
    """Three readings of the state that BQX's volatility is in: (T, 3), see the outputs."""
    return high_or_low(mean_root(changes(x, 1), window, first_minute))


@kernel
def of_buckets(ohlc: F, first_minute: int, window: int) -> F:
    """Seven readings of the last complete five-minute buckets: (T, 7), see the outputs below.

    A bucket counts from the row of its last minute on.
    """
    close, need = ohlc[:, CLOSE].copy(), BUCKET * (window + 1) - 1
    # Of the bucket before the first only the close is read: the rest of it may be missing.
    ends, number = resampled.closes(close, BUCKET, first_minute), first_minute // BUCKET
    ranges = by_ranges(
        over_before(resampled.bars(ohlc, BUCKET, first_minute), ends), window, number
    )
    products = by_products(log_returns(ends), window, number)
    out = np.empty((len(ohlc), 7))
    for k in range(7):
        readings = ranges[:, k].copy() if k < 4 else products[:, k - 4].copy()
        out[:, k] = resampled.carried(readings, close, need + (k > 2), BUCKET, first_minute)
    return out


@kernel
def agreeing(x: F, first_minute: int, window: int) -> F:
    """Whether the states of rate and BQX agree: (T, 1)."""
    rows = len(x)
    out = np.full((rows, 1), np.nan)
    rate_high = high_state(mean_root(log_returns(x[:, 0].copy()), window, first_minute))
    bqx_high = high_state(mean_root(changes(x[:, 1].copy(), 1), window, first_minute))
    for row in range(rows):
        if not np.isnan(rate_high[row] + bqx_high[row]):
            out[row, 0] = rate_high[row] == bqx_high[row]
    return out


@kernel
def across(x: F, first_minute: int, window: int) -> F:
    """BQX over rate volatility, whether both jump: (T, 2)."""
    rows = len(x)
    out = np.full((rows, 2), np.nan)
    rate = by_products(log_returns(x[:, 0].copy()), window, first_minute)
    bqx = by_products(changes(x[:, 1].copy(), 1), window, first_minute)
    for row in range(rows):
        if rate[row, 5] > 0.0:
            out[row, 0] = bqx[row, 5] / rate[row, 5]
        if not np.isnan(rate[row, 5] + bqx[row, 5]):
            out[row, 1] = rate[row, 2] > JUMP and bqx[row, 2] > JUMP
    return out


def _change(window: int) -> int:
    return window + 1


def _state(window: int) -> int:
    return window + DAY


def _states(window: int) -> int:
    return window + 2 * DAY - 1


_RETURNS = {"idx": "r", "bqx": "delta(B, 1)"}
_NOUNS = {"idx": "the rate index", "bqx": "BQX"}
_RANGES = (
    ("parkinson", "Parkinson volatility", "sqrt(mean(h^2, {0}) / (4 ln 2)), h = ln(H / L)"),
    (
        "garman_klass",
        "Garman-Klass volatility",
        "sqrt(mean(h^2 / 2 - (2 ln 2 - 1) ln(C / O)^2, {0})), h = ln(H / L)",
    ),
    (
        "rogers_satchell",
        "Rogers-Satchell volatility",
        "sqrt(mean(u (u - c) + d (d - c), {0})), u, d, c = ln(H, L, C over O)",
    ),
    (
        "yang_zhang",
        "Yang-Zhang volatility",
        "sqrt(var(o, {0}) + k var(c, {0}) + (1 - k) RS^2), o = ln(O[t] / C[t-1])",
    ),
)


def _formula(text: str, domain: str) -> str:
    """A formula of log ranges, or of BQX's differences."""
    if domain == "idx":
        return text
    for log, difference in (
        ("ln(H / L)", "H - L"),
        ("ln(C / O)", "(C - O)"),
        ("ln(H, L, C over O)", "H, L, C less O"),
        ("ln(O[t] / C[t-1])", "O[t] - C[t-5]"),
    ):
        text = text.replace(log, difference)
    return text


def _by_products(domain: str, size: str) -> Iterator[tuple[str, Output]]:
    """What is summed from returns; ``size`` ends the aliases."""
    r, noun = _RETURNS[domain], _NOUNS[domain]
    where = noun if size == "1m" else f"{noun} in five-minute buckets"
    r = r if size == "1m" else "r[5m]"
    for name, alias, unit, title, formula, *bounds in (
        (
            "bipower",
            "bipower_var",
            "1^2",
            "Bipower variation",
            "pi / 2 {{0}} / ({{0}} - 1) sum(|y[t] y[t-1]|, {{0}} - 1), y = {r}",
            0.0,
        ),
        (
            "quarticity",
            "realized_quarticity",
            "1^4",
            "Realised quarticity",
            "{{0}} / 3 sum({r}^4, {{0}})",
            0.0,
        ),
        (
            "jump_test",
            "jump_test_stat",
            "1",
            "Jump test statistic",
            "(RV - BV) / RV, scaled to deviation 1, over {{0}} rows",
        ),
        (
            "signed_jump",
            "signed_jump",
            "1^2",
            "Signed jump variation",
            "sum({r}^2 sign({r}), {{0}})",
        ),
    ):
        yield (
            name,
            Output(
                unit,
                *bounds,
                alias=f"{alias}_{domain}_{{0}}_{size}",
                title=f"{title} of {where}",
                formula=formula.format(r=r),
            ),
        )


def _by_ranges(
    domain: str, size: str, bars: Callable[[int], int] | None
) -> Iterator[tuple[str, Output]]:
    """What is read from ranges of bars; Yang and Zhang's reads the bar before too."""
    noun = _NOUNS[domain] if size == "1m" else f"{_NOUNS[domain]} in five-minute buckets"
    for name, title, formula in _RANGES:
        rows = bars
        if bars and name == "yang_zhang":
            rows = (lambda window: bars(window) + 1) if size == "1m" else None
        yield (
            name,
            Output(
                "1",
                0.0,
                alias=f"{name}_vol_{domain}_{{0}}_{size}",
                lookback=rows,
                title=f"{title} of {noun}",
                formula=_formula(formula, domain) + ("" if size == "1m" else ", 5-minute bars"),
            ),
        )


def _over_time(domain: str) -> Iterator[tuple[str, Output]]:
    """How the root mean square of returns moves."""
    r, noun = _RETURNS[domain], _NOUNS[domain]
    root = f"v = sqrt(mean({r}^2, {{0}}))"
    for name, alias, rows, title, formula, *bounds in (
        (
            "vol_of_vol",
            f"vol_of_vol_{domain}_{{0}}",
            lambda w: 2 * w,
            "Volatility of volatility",
            f"std(v, {{0}}), {root}",
            0.0,
        ),
        (
            "acceleration",
            f"vol_acceleration_{domain}_{{0}}",
            lambda w: 3 * w + 1,
            "Acceleration of volatility",
            f"v[t] - 2 v[t-{{0}}] + v[t-2 * {{0}}], {root}",
        ),
        (
            "ewma_ratio",
            f"ewma_vol_ratio_{domain}_{FAST}_{SLOW}",
            lambda w: ema_run_in(SLOW) + 1,
            "Fast over slow exponential volatility",
            f"sqrt(ema({r}^2, {FAST}) / ema({r}^2, {SLOW}))",
            0.0,
        ),
        (
            "skewness",
            f"realized_skewness_{domain}_{{0}}",
            None,
            "Realised skewness",
            f"sqrt({{0}}) sum({r}^3, {{0}}) / sum({r}^2, {{0}})^1.5",
        ),
    ):
        yield (
            name,
            Output(
                "1",
                *bounds,
                alias=alias,
                lookback=rows,
                title=f"{title} of {noun}",
                formula=formula,
            ),
        )


def _twelve_outputs(domain: str, behind: int) -> dict[str, Output]:
    """Outputs of a domain; ``behind`` rows of the source beyond the last are behind a bar."""
    return dict(
        (
            *_by_ranges(domain, "1m", lambda window: window + behind),
            *_by_products(domain, "1m"),
            *_over_time(domain),
        )
    )


def _state_outputs(domain: str) -> dict[str, Output]:
    root = f"v = sqrt(mean({_RETURNS[domain]}^2, {{0}}))"
    noun = _NOUNS[domain]
    return {
        "high": Output(
            *FLAG,
            alias=f"vol_regime_high_{domain}",
            lookback=_state,
            title=f"Flag of high volatility of {noun}",
            formula=f"v > quantile(v, 1440, 0.67), {root}",
        ),
        "held": Output(
            "bar",
            1.0,
            float(DAY),
            alias=f"vol_regime_duration_{domain}",
            lookback=_states,
            capped=True,
            title=f"Rows in the present volatility state of {noun}, to 1,440",
            formula=f"rows since v crossed quantile(v, 1440, 0.67), {root}",
        ),
        "transition": Output(
            *FLAG,
            alias=f"vol_regime_transition_prob_{domain}",
            lookback=_states,
            capped=True,
            title=f"Share of a day's rows that changed the volatility state of {noun}",
            formula=f"mean(h[t] != h[t-1], 1439), h = high({_RETURNS[domain]}, {{0}})",
        ),
    }


def _buckets(window: int) -> int:
    return BUCKET * (window + 1) - 1


_FIVE_MINUTES = dict((*_by_ranges("idx", "5m", _buckets), *list(_by_products("idx", "5m"))[:3]))
_ALIGNMENT = Output(
    *FLAG,
    alias="vol_regime_alignment_idx_bqx",
    lookback=_state,
    title="Agreement of the volatility states of rate and BQX",
    formula="high(r, {0}) = high(delta(B, 1), {0})",
)
_ACROSS = described(
    {
        "ratio": Output("1", 0.0, alias="realized_vol_ratio_bqx_idx"),
        "jumps": Output(*FLAG, alias="jump_synchrony_idx_bqx"),
    },
    """
ratio: Realised volatility of BQX over that of the rate
    sqrt(mean(delta(B, 1)^2, {0}) / mean(r^2, {0}))
jumps: Flag of jumps in both rate and BQX
    jump test(r, {0}) > 3 and jump test(delta(B, 1), {0}) > 3
""",
)

_realized = partial(
    family,
    table="realized_volatility",
    windows=20,
    about="realized over the trailing window, current row included",
)

FAMILIES = (
    _realized("realized", of_rate, _twelve_outputs("idx", 0), sources=RATE_BARS, lookback=_change),
    _realized(
        "realized", of_bqx, _twelve_outputs("bqx", PSEUDO_BAR - 1), sources=BQX, lookback=_change
    ),
    _realized("realized", states_of_rate, _state_outputs("idx"), sources=RATE),
    _realized("realized", states_of_bqx, _state_outputs("bqx"), sources=BQX),
    _realized(
        "realized_5m",
        of_buckets,
        _FIVE_MINUTES,
        sources=RATE_BARS,
        about="realized over the last complete five-minute clock buckets",
        lookback=lambda window: _buckets(window) + 1,
    ),
    _realized("realized", agreeing, {"alignment": _ALIGNMENT}, sources=RATE_AND_BQX),
    _realized("realized", across, _ACROSS, sources=RATE_AND_BQX, lookback=_change),
)
