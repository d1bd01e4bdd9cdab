"""Jumps, volatility and trend: events of the last row and the regimes they fall in.

A jump is a move beyond a multiple of the deviation of the 60 log returns strictly before it, so
that it does not damp its own flag. Durations are counted to 1,440 rows. Regimes of volatility are
terciles of the last 1,440 values.

Source: T. Bollerslev, Generalized autoregressive conditional heteroskedasticity, Journal of
Econometrics 31 (1986), for GARCH(1,1).
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.exponential import ema
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import ewm_mean, trend_sums
from bqx.features.rolling.trailing import (
    MEMORY,
    NOTHING,
    clean_rows,
    count,
    deviation,
    score,
    share,
    tercile,
)
from bqx.features.sources import RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]

BEFORE = 60
"""Returns whose deviation a jump is measured by."""

JUMP, SMALLER_JUMP = 3.0, 2.5
"""Deviations beyond which a return is a jump."""

SHORT, LONG, RANKED = 20, 60, 100
"""Rows of short and long readings; values of short volatility among which it is placed."""

EXPANDED, COMPRESSED = 1.25, 0.8
"""Short over long volatility from which it counts as expanded, and below which as compressed."""

GARCH_ALPHA, GARCH_BETA = 0.05, 0.90
"""Fixed weights of the last squared return and of the last variance; no fit, hence no fold."""

WEAK, STRONG = 0.3, 1.0
"""Trend scores that part the five classes of trend."""

SIDEWAYS = 0.25
"""R² of the line below which a market goes sideways."""


@kernel
def sigma_before(returns: F, first_minute: int) -> F:
    """Deviation of the 60 returns before each row: (T,)."""
    out = np.full(len(returns), np.nan)
    out[1:] = deviation(returns, BEFORE, first_minute)[:-1]
    return out


@kernel
def jumps(x: F, first_minute: int) -> F:
    """Eight readings of jumps: (T, 8), see the outputs below."""
    rows = len(x)
    out = np.full((rows, 8), np.nan)
    returns = log_returns(x)
    sigma = sigma_before(returns, first_minute)
    flags = np.full(rows, np.nan)
    for row in range(rows):
        size = abs(returns[row])
        if not (np.isnan(size) or np.isnan(sigma[row])):
            out[row, 0] = size > SMALLER_JUMP * sigma[row]
            flags[row] = size > JUMP * sigma[row]
            out[row, 5] = np.sign(returns[row]) * flags[row]
            if sigma[row] > 0.0:
                out[row, 6] = size / sigma[row]
    out[:, 1] = flags
    out[:, 2] = count(flags, SHORT)
    out[:, 3] = count(flags, LONG)
    clean = clean_rows(flags)
    since = MEMORY
    for row in range(rows):
        since = 0 if flags[row] == 1.0 else min(since + 1, MEMORY)
        if clean[row] >= MEMORY:
            out[row, 4] = since
        if clean[row] >= SHORT:
            out[row, 7] = np.exp(-since / SHORT) if since < SHORT else 0.0
    return out


@kernel
def volatility(x: F, first_minute: int) -> F:
    """Ten readings of volatility: (T, 10), see the outputs below."""
    rows = len(x)
    out = np.full((rows, 10), np.nan)
    returns = log_returns(x)
    squares = returns * returns
    short = deviation(returns, SHORT, first_minute)
    long = deviation(returns, LONG, first_minute)
    variance = deviation(returns, MEMORY, first_minute) ** 2
    out[:, 0] = tercile(short, MEMORY)
    out[:, 1] = tercile(long, MEMORY)
    out[:, 3] = score(short, RANKED, first_minute)
    out[:, 4] = share(short, RANKED)
    # An endless GARCH(1,1) is a mean of the long-run variance and an exponential mean of squares.
    decay = 1.0 - GARCH_BETA
    recent = ewm_mean(squares, decay, MEMORY, MEMORY, first_minute)
    omega = (1.0 - GARCH_ALPHA - GARCH_BETA) * variance
    smooth = ema(squares, 30, first_minute)
    for row in range(1, rows):
        if not np.isnan(out[row, 0] - out[row - 1, 0]):
            out[row, 2] = out[row, 0] != out[row - 1, 0]
        if row >= 2 * SHORT:
            out[row, 5] = (short[row] - short[row - SHORT]) - (
                short[row - SHORT] - short[row - 2 * SHORT]
            )
        if not np.isnan(long[row]):
            out[row, 6] = short[row] > EXPANDED * long[row]
            out[row, 7] = short[row] < COMPRESSED * long[row]
        out[row, 8] = np.sqrt(max(smooth[row], 0.0)) if smooth[row] == smooth[row] else np.nan
        if not np.isnan(recent[row]):
            out[row, 9] = np.sqrt(max((omega[row] + GARCH_ALPHA * recent[row]) / decay, 0.0))
    return out


@kernel
def line(x: F, returns: F, window: int, first_minute: int) -> tuple[F, F, F]:
    """Class of trend, R² and slope of the straight line: three (T,) arrays.

    Classes run from -2 (strongly down) to 2, 0 in a flat window, which has no R².

    The score is the line's rise over the window, over the deviation of returns times the square
    root of the window: on a random walk its deviation is about 1.1 and the classes hold alike.
    """
    rows = len(x)
    grade, strength, steep = np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan)
    sums = trend_sums(x, window, first_minute)
    sigma = deviation(returns, window, first_minute)
    m2, root = window * (window * window - 1.0) / 12.0, np.sqrt(window)
    for row in range(rows):
        steep[row] = sums[row, 1] / m2
        if sums[row, 3] > 0.0:
            whole = sums[row, 3] - sums[row, 0] * sums[row, 0] / window
            strength[row] = min(steep[row] * sums[row, 1] / whole, 1.0)
        if sigma[row] > 0.0:
            size = abs(steep[row]) * root / (x[row] * sigma[row])
            sign = 1.0 if steep[row] > 0.0 else -1.0
            grade[row] = sign * (2.0 if size > STRONG else 1.0) if size > WEAK else 0.0
        elif sigma[row] == 0.0:
            grade[row] = 0.0
    return grade, strength, steep


@kernel
def trend(x: F, first_minute: int) -> F:
    """Eight readings of trend: (T, 8), see the outputs below."""
    rows = len(x)
    out = np.full((rows, 8), np.nan)
    clean, returns = clean_rows(x), log_returns(x)
    out[:, 0], out[:, 2], steep = line(x, returns, SHORT, first_minute)
    out[:, 1], out[:, 3], _ = line(x, returns, LONG, first_minute)
    up, down = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        if clean[row] > 1:
            up[row], down[row] = x[row] > x[row - 1], x[row] < x[row - 1]
    up, down = count(up, SHORT), count(down, SHORT)
    for row in range(rows):
        if clean[row] > SHORT:
            net = x[row] - x[row - SHORT]
            agreeing = up[row] if net > 0.0 else down[row]
            out[row, 4] = agreeing / SHORT if net != 0.0 else 0.5
        if clean[row] > 2 * SHORT:
            earlier = x[row - SHORT] - x[row - 2 * SHORT]
            net = x[row] - x[row - SHORT]
            out[row, 5] = (net > 0.0 and earlier < 0.0) or (net < 0.0 and earlier > 0.0)
        if row >= SHORT:
            out[row, 6] = steep[row] - steep[row - SHORT]
        if clean[row] >= SHORT:
            out[row, 7] = 0.0 if out[row, 2] >= SIDEWAYS - NOTHING else 1.0
    return out


_FLAG = ("1", 0.0, 1.0)
_JUMPED = BEFORE + 2


def _reading(
    rows: int, alias: str, about: str, unit: str = "1", lo: float = -np.inf, hi: float = np.inf,
    spanned_by: tuple[str, ...] = (), capped: bool = False,
) -> Output:  # fmt: skip
    return Output(unit, lo, hi, alias, lambda: rows, spanned_by, about, capped)


FAMILIES = (
    Family(
        "jump",
        "event_regime",
        jumps,
        {
            "flag_2_5_sigma": _reading(_JUMPED, "jump_flag_2_5_sigma", "beyond 2.5", *_FLAG),
            "flag_3_sigma": _reading(_JUMPED, "jump_flag_3_sigma", "beyond 3", *_FLAG),
            "count_20": _reading(_JUMPED + 19, "jump_count_20", "in 20 rows", "1", 0.0, 20.0),
            "count_60": _reading(_JUMPED + 59, "jump_count_60", "in 60 rows", "1", 0.0, 60.0),
            "since": _reading(
                _JUMPED + MEMORY - 1, "time_since_last_jump", "rows since, to 1,440", "bar",
                0.0, float(MEMORY), capped=True,
            ),
            "direction": _reading(
                _JUMPED, "jump_direction", "sign of the return that jumps, else 0", "1", -1.0, 1.0
            ),
            "magnitude_z": _reading(_JUMPED, "jump_magnitude_z", "|return| / deviation", "1", 0.0),
            "decay_20": _reading(
                _JUMPED + 19, "post_jump_decay_20",
                "exp(-rows since the last jump / 20), 0 from 20 rows on", *_FLAG,
                capped=True,
            ),
        },
        ((),),
        (RATE,),
        "moves beyond a multiple of the deviation of the 60 returns before",
        laggable=False,
    ),
    Family(
        "volatility",
        "event_regime",
        volatility,
        {
            "regime_20": _reading(
                SHORT + MEMORY, "vol_regime_20", "tercile of 20-row volatility", "1", 0.0, 2.0
            ),
            "regime_60": _reading(
                LONG + MEMORY, "vol_regime_60", "tercile of 60-row volatility", "1", 0.0, 2.0,
                ("clock_session_vol_regime_w60_1440",),
            ),
            "transition": _reading(
                SHORT + MEMORY + 1, "vol_regime_transition", "a new regime_20", *_FLAG
            ),
            "z_score_20": _reading(
                SHORT + RANKED, "vol_z_score_20", "20-row volatility among its last 100 values"
            ),
            "percentile_100": _reading(
                SHORT + RANKED, "vol_percentile_100",
                "rank of 20-row volatility among its last 100 values", *_FLAG,
            ),
            "acceleration_20": _reading(
                3 * SHORT + 1, "vol_acceleration_20",
                "change of 20-row volatility over 20 rows, minus the change before",
            ),
            "expansion": _reading(
                LONG + 1, "vol_expansion_flag", "20-row over 60-row volatility above 1.25", *_FLAG
            ),
            "compression": _reading(
                LONG + 1, "vol_compression_flag", "20-row over 60-row volatility below 0.8", *_FLAG
            ),
            "ewma_30": _reading(301, "ewma_vol_30", "root of the mean square, span 30", "1", 0.0),
            "garch": _reading(
                MEMORY + 1, "garch_vol_estimate",
                "GARCH(1,1) forecast for the next row: alpha 0.05, beta 0.90, long-run variance "
                "that of the last 1,440 returns", "1", 0.0,
            ),
        },
        ((),),
        (RATE,),
        "deviation of log returns",
        laggable=False,
    ),
    Family(
        "trend_state",
        "event_regime",
        trend,
        {
            "regime_20": _reading(SHORT + 1, "trend_regime_20", "class", "1", -2.0, 2.0),
            "regime_60": _reading(LONG + 1, "trend_regime_60", "class", "1", -2.0, 2.0),
            "strength_20": _reading(SHORT, "trend_strength_20", "R² of the line", *_FLAG),
            "strength_60": _reading(LONG, "trend_strength_60", "R² of the line", *_FLAG),
            "consistency_20": _reading(
                SHORT + 1, "trend_consistency_20",
                "share of returns in the direction of the net move, 0.5 without one", *_FLAG,
            ),
            "reversal": _reading(
                2 * SHORT + 1, "trend_reversal_flag",
                "the last 20 rows move against the 20 before", *_FLAG,
            ),
            "acceleration_20": _reading(
                2 * SHORT, "trend_acceleration_20", "slope minus the slope 20 rows before",
                "{u}/bar",
            ),
            "sideways_20": _reading(
                SHORT, "sideways_flag_20", "R² of the line below 0.25", *_FLAG
            ),
        },
        ((),),
        (RATE,),
        "straight line through the trailing window",
        laggable=False,
    ),
)  # fmt: skip
