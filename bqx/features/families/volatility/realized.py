"""Realized volatility of the last 20 bars: by ranges, by products, its jumps and its regimes.

The rate domain reads log ranges and log returns of one-minute bars and of complete five-minute
clock buckets; BQX, which crosses zero, differences, and for ranges its trailing five-row bars,
whose bar before is the one that ends five rows earlier. Nothing is annualised.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import resampled
from bqx.features.rolling.exponential import ema_run_in
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import MEMORY, changes
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
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars

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
            out[row, 0] = np.log(ohlc[row, 0] / close[row - 1])
        for k in range(1, 4):
            out[row, k] = np.log(ohlc[row, k] / ohlc[row, 0])
    return out


@kernel
def of_rate(ohlc: F, first_minute: int, window: int) -> F:
    """Twelve readings of one-minute bars: (T, 12), see the outputs below."""
    close = ohlc[:, 3].copy()
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
    close, need = ohlc[:, 3].copy(), BUCKET * (window + 1) - 1
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
    return window + MEMORY


def _states(window: int) -> int:
    return window + 2 * MEMORY - 1


def _twelve_outputs(domain: str, reach: int) -> dict[str, Output]:
    """Outputs of a domain; ``reach`` rows of the source beyond the last are behind a bar."""

    def bars(window: int) -> int:
        return window + reach

    vol, var = ("1", 0.0), ("1^2", 0.0)
    end, whole = f"_{domain}_{{0}}_1m", f"_{domain}_{{0}}"
    return {
        "parkinson": Output(*vol, alias="parkinson_vol" + end, lookback=bars),
        "garman_klass": Output(*vol, alias="garman_klass_vol" + end, lookback=bars),
        "rogers_satchell": Output(*vol, alias="rogers_satchell_vol" + end, lookback=bars),
        "yang_zhang": Output(
            *vol, alias="yang_zhang_vol" + end, lookback=lambda window: bars(window) + 1
        ),
        "bipower": Output(*var, alias="bipower_var" + end),
        "quarticity": Output("1^4", 0.0, alias="realized_quarticity" + end),
        "jump_test": Output("1", alias="jump_test_stat" + end, about="(RV - BV) / RV, scaled"),
        "signed_jump": Output("1^2", alias="signed_jump" + end, about="up minus down squares"),
        "vol_of_vol": Output(
            *vol, alias="vol_of_vol" + whole, lookback=lambda window: 2 * window,
            about="deviation of the root mean square",
        ),
        "acceleration": Output(
            "1", alias="vol_acceleration" + whole, lookback=lambda window: 3 * window + 1,
            about="change of the root mean square over a window, minus the change before",
        ),
        "ewma_ratio": Output(
            *vol, alias=f"ewma_vol_ratio_{domain}_{FAST}_{SLOW}",
            lookback=lambda window: ema_run_in(SLOW) + 1, about="fast over slow",
        ),
        "skewness": Output("1", alias=f"realized_skewness_{domain}_{{0}}"),
    }  # fmt: skip


def _state_outputs(domain: str) -> dict[str, Output]:
    flag = ("1", 0.0, 1.0)
    return {
        "high": Output(
            *flag, alias=f"vol_regime_high_{domain}", lookback=_state,
            about="above the 67th percentile of the last 1,440 values",
        ),
        "held": Output(
            "bar", 1.0, float(MEMORY), alias=f"vol_regime_duration_{domain}", lookback=_states,
            capped=True,
            about="rows in the present state of the 67th percentile, to 1,440",
        ),
        "transition": Output(
            *flag, alias=f"vol_regime_transition_prob_{domain}", lookback=_states,
            capped=True,
            about="share of the last 1,440 rows that changed the state of the 67th percentile",
        ),
    }  # fmt: skip


_ABOUT = "realized over the trailing window, current row included"
_TABLE = "realized_volatility"
_WINDOW = ((20,),)
_FIVE = _twelve_outputs("idx", 0)


def _buckets(window: int) -> int:
    return BUCKET * (window + 1) - 1


FAMILIES = (
    Family(
        "realized", _TABLE, of_rate, _FIVE, _WINDOW, (RATE_BARS,), _ABOUT, lookback=_change
    ),
    Family(
        "realized", _TABLE, of_bqx, _twelve_outputs("bqx", PSEUDO_BAR - 1), _WINDOW, (BQX,),
        _ABOUT, lookback=_change,
    ),
    *(
        Family("realized", _TABLE, kernel, _state_outputs(domain), _WINDOW, (source,), _ABOUT)
        for kernel, domain, source in (
            (states_of_rate, "idx", RATE), (states_of_bqx, "bqx", BQX)
        )
    ),
    Family(
        "realized_5m",
        _TABLE,
        of_buckets,
        {
            name: Output(
                output.unit, output.lo, output.hi, output.alias.replace("_1m", "_5m"),
                _buckets if i < 3 else None, about=output.about,
            )
            for i, (name, output) in enumerate(list(_FIVE.items())[:7])
        },
        _WINDOW,
        (RATE_BARS,),
        "realized over the last complete five-minute clock buckets",
        lookback=lambda window: _buckets(window) + 1,
    ),
    Family(
        "realized", _TABLE, agreeing,
        {
            "alignment": Output(
                "1", 0.0, 1.0, alias="vol_regime_alignment_idx_bqx", lookback=_state,
                about="both domains high, or neither",
            ),
        },
        _WINDOW, (RATE_AND_BQX,), "BQX against the rate",
    ),
    Family(
        "realized",
        _TABLE,
        across,
        {
            "ratio": Output(
                "1", 0.0, alias="realized_vol_ratio_bqx_idx", about="root mean squares"
            ),
            "jumps": Output(
                "1", 0.0, 1.0, alias="jump_synchrony_idx_bqx", about="both jump tests above 3"
            ),
        },
        _WINDOW,
        (RATE_AND_BQX,),
        "BQX against the rate",
        lookback=_change,
    ),
)  # fmt: skip
