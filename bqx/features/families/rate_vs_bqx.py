"""The rate domain against the BQX domain.

The rate series is the one-row log return of the index: levels wander, and what wanders correlates
with anything. BQX is the series itself, which stays about zero.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.distribution.moments import moments
from bqx.features.families.trend.quadratic import quadratic
from bqx.features.families.trend.quadratic_compared import rows
from bqx.features.rolling.comoments import BOTH, comoments, correlation, correlation_over
from bqx.features.rolling.multivariate import shifted
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import LOST, ROUNDING
from bqx.features.rolling.trailing import zone
from bqx.features.spec import Family, Output

UNRELATED = 0.2
"""Share of variance explained below which the domains count as decoupled."""

LAGS = (0, 1, 5, 15)
CALM = 60
"""Rows whose deviation says whether the last 20 are squeezed."""

BAND = 2.0
"""Deviations (ddof 0) between the middle and a Bollinger band."""


@kernel
def _line(y: F, x: F, row: int, window: int, sums: F) -> tuple[float, float]:
    """Slope of y on x in the window of a row, and the last residual over their deviation."""
    mean_y, mean_x, syy, sxx, sxy = sums
    if not (sxx > 0.0 and syy > 0.0):
        return np.nan, np.nan
    beta = sxy / sxx
    rest = syy - beta * sxy
    if rest < LOST * syy:
        rest = 0.0
        for k in range(window):
            gap = (y[row - k] - mean_y) - beta * (x[row - k] - mean_x)
            rest += gap * gap
    if not np.sqrt(rest) > ROUNDING * np.sqrt(syy):
        return beta, np.nan
    last = (y[row] - mean_y) - beta * (x[row] - mean_x)
    return beta, last / np.sqrt(rest / (window - 1.0))


@kernel
def lines(both: F, first_minute: int) -> F:
    """Least-squares lines between the domains: (T, 8), see the outputs."""
    out = np.full((len(both), 8), np.nan)
    y, x = log_returns(both[:, 0].copy()), both[:, 1].copy()
    near = comoments(y, x, 15, first_minute)
    half = comoments(y, x, 30, first_minute)
    hour = comoments(y, x, 60, first_minute)
    turned = half[:, np.array([1, 0, 3, 2, 4])]
    for row in range(len(both)):
        syy, sxx, sxy = half[row, 2], half[row, 3], half[row, 4]
        out[row, 0], out[row, 2] = _line(y, x, row, 30, half[row])
        out[row, 3], out[row, 5] = _line(x, y, row, 30, turned[row])
        share = correlation(sxx, syy, sxy) ** 2
        out[row, 1] = out[row, 4] = share
        short = correlation(near[row, 2], near[row, 3], near[row, 4]) ** 2
        long = correlation(hour[row, 2], hour[row, 3], hour[row, 4]) ** 2
        out[row, 6] = short - long
        if not np.isnan(share):
            out[row, 7] = 1.0 if share < UNRELATED else 0.0
    return out


@kernel
def trends(both: F, first_minute: int, window: int) -> F:
    """Terms and fit of the quadratic trend of returns less those of BQX: (T, 4)."""
    out = np.empty((len(both), 4))
    rate = quadratic(log_returns(both[:, 0].copy()), first_minute, window)
    bqx = quadratic(both[:, 1].copy(), first_minute, window)
    for row in range(len(both)):
        for k in range(4):
            out[row, k] = rate[row, k] - bqx[row, k]
    return out


@kernel
def spreads(both: F, first_minute: int) -> F:
    """Moments of BQX against those of returns: (T, 6)."""
    out = np.full((len(both), 6), np.nan)
    y, x = log_returns(both[:, 0].copy()), both[:, 1].copy()
    short_y, short_x = moments(y, first_minute, 20), moments(x, first_minute, 20)
    half, hour = comoments(y, x, 30, first_minute), comoments(y, x, 60, first_minute)
    for row in range(len(both)):
        below = short_y[row, 1]
        if below > 0.0:
            out[row, 0] = (short_x[row, 1] / below) ** 2
        if hour[row, 2] > 0.0:
            out[row, 1] = hour[row, 3] / hour[row, 2]
        out[row, 2] = short_x[row, 2] - short_y[row, 2]
        out[row, 3] = short_x[row, 3] - short_y[row, 3]
        of_y, of_x = np.sqrt(half[row, 2] / 29.0), np.sqrt(half[row, 3] / 29.0)
        if of_y > 0.0:
            out[row, 4] = of_x / of_y
        out[row, 5] = of_x - of_y
    return out


@kernel
def lagged(both: F, first_minute: int, window: int) -> F:
    """Correlation of BQX with returns of 0, 1, 5 and 15 rows before: (T, 4)."""
    out = np.empty((len(both), 4))
    y, x = log_returns(both[:, 0].copy()), both[:, 1].copy()
    for column, lag in enumerate(LAGS):
        out[:, column] = correlation_over(shifted(y, lag), x, window, first_minute)
    return out


@kernel
def bands(both: F, first_minute: int, window: int) -> F:
    """Bollinger bands of BQX against those of returns: (T, 6), see the outputs."""
    out = np.full((len(both), 6), np.nan)
    y, x = log_returns(both[:, 0].copy()), both[:, 1].copy()
    now, long = comoments(y, x, window, first_minute), comoments(y, x, CALM, first_minute)
    for row in range(window, len(both)):
        of_y, of_x = np.sqrt(now[row, 2] / window), np.sqrt(now[row, 3] / window)
        if of_y > 0.0:
            out[row, 1] = of_x / of_y
        squeezed_y = of_y / np.sqrt(long[row, 2] / CALM)
        squeezed_x = of_x / np.sqrt(long[row, 3] / CALM)
        out[row, 2] = squeezed_x - squeezed_y
        if not np.isnan(out[row, 2]):
            out[row, 5] = 1.0 if (squeezed_x < 1.0) != (squeezed_y < 1.0) else 0.0
        if of_y > 0.0 and of_x > 0.0:
            z_y, z_x = (y[row] - now[row, 0]) / of_y, (x[row] - now[row, 1]) / of_x
            out[row, 0] = z_x - z_y
            out[row, 3] = zone(z_x, -BAND, BAND) - zone(z_y, -BAND, BAND)
            before_y, before_x = y[row - window], x[row - window]
            out[row, 4] = (x[row] - before_x) / (window * of_x) - (y[row] - before_y) / (
                window * of_y
            )
    return out


def _reg(name: str, window: int, about: str, lo: float = -np.inf, hi: float = np.inf,
         unit: str = "1", spanned_by: tuple[str, ...] = ()) -> Output:  # fmt: skip
    return Output(unit, lo, hi, alias=name, lookback=rows(window), about=about,
                  spanned_by=spanned_by)  # fmt: skip


FAMILIES = (
    Family(
        "line",
        "dual_domain",
        lines,
        {
            "rate_on_bqx_beta_w30": _reg("reg_rate_bqx_beta_30", 30, "returns on BQX, slope"),
            "rate_on_bqx_r2_w30": _reg(
                "reg_rate_bqx_r2_30", 30, "squared correlation of returns and BQX", 0.0, 1.0
            ),
            "rate_on_bqx_resid_z_w30": _reg(
                "reg_rate_bqx_resid_z_30", 30, "last residual of returns on BQX, over the deviation"
            ),
            "bqx_on_rate_beta_w30": _reg("reg_bqx_rate_beta_30", 30, "BQX on returns, slope"),
            "bqx_on_rate_r2_w30": _reg(
                "reg_bqx_rate_r2_30", 30, "the same as of returns on BQX", 0.0, 1.0,
                spanned_by=("both_line_rate_on_bqx_r2_w30",),
            ),
            "bqx_on_rate_resid_z_w30": _reg(
                "reg_bqx_rate_resid_z_30", 30, "last residual of BQX on returns, over the deviation"
            ),
            "coupling_w15_w60": _reg(
                "reg_coupling_15_60", 60, "squared correlation over 15 rows less over 60", -1.0, 1.0
            ),
            "decoupling_w30": _reg(
                "reg_decoupling_flag", 30, "squared correlation below 0.2", 0.0, 1.0
            ),
        },
        ((),),
        (BOTH,),
        "lines between returns and BQX",
        laggable=False,
    ),
    Family(
        "trend_diff",
        "dual_domain",
        trends,
        {
            "a2": Output("1/bar^2", alias="a2_diff_idx_bqx"),
            "a1": Output("1/bar", alias="a1_diff_idx_bqx"),
            "b": Output("1", alias="b_diff_idx_bqx",
                        spanned_by=("both_trend_diff_a2_w30", "both_trend_diff_a1_w30")),
            "r2": Output("1", -1.0, 1.0, alias="r2_diff_idx_bqx"),
        },
        ((30,),),
        (BOTH,),
        "normalised quadratic trend of returns less that of BQX",
        laggable=False,
    ),
    Family(
        "moments",
        "dual_domain",
        spreads,
        {
            "var_ratio_w20": _reg("var_ratio_bqx_idx_20", 20, "variance, BQX over returns", 0.0),
            "var_ratio_w60": _reg("var_ratio_bqx_idx_60", 60, "variance, BQX over returns", 0.0),
            "skew_diff_w20": _reg("skew_diff_bqx_idx_20", 20, "skewness, BQX less returns"),
            "kurt_diff_w20": _reg("kurt_diff_bqx_idx_20", 20, "excess kurtosis, BQX less returns"),
            "vol_ratio_w30": _reg("vol_ratio_bqx_idx_30", 30, "deviation, BQX over returns", 0.0),
            "vol_diff_w30": _reg("vol_diff_bqx_idx_30", 30, "deviation, BQX less returns"),
        },
        ((),),
        (BOTH,),
        "moments of BQX against those of returns",
        laggable=False,
    ),
    Family(
        "correlation",
        "dual_domain",
        lagged,
        {
            f"lag_{lag}": Output(
                "1", -1.0, 1.0, alias=f"xcorr_idx_bqx_lag_{lag}",
                lookback=lambda window, lag=lag: max(window, window + 1 + lag - 15),
                about=f"BQX with returns of {lag} rows before",
            )
            for lag in LAGS
        },
        ((60,),),
        (BOTH,),
        "correlation of BQX with earlier returns",
        laggable=False,
    ),
    Family(
        "bands",
        "dual_domain",
        bands,
        {
            "z_diff": Output("1", alias="bb_z_diff_bqx_idx_{0}", about="(x - mean) / deviation"),
            "width_ratio": Output("1", 0.0, alias="bb_bandwidth_ratio_{0}", about="BQX / returns"),
            "compression_diff": Output(
                "1", alias="bb_compression_diff_{0}", lookback=lambda window: CALM,
                about="deviation over that of 60 rows",
            ),
            "breakout_diff": Output(
                "1", -2.0, 2.0, alias="bb_breakout_divergence",
                about="1 above, 0 within, -1 below the bands",
            ),
            "slope_diff": Output(
                "1/bar", alias="bb_slope_diff_{0}", lookback=lambda window: window + 1,
                about="one-row change of the mean over the deviation",
            ),
            "mismatch": Output(
                "1", 0.0, 1.0, alias="bb_regime_mismatch_flag", lookback=lambda window: CALM,
                about="one domain below its deviation of 60 rows, the other not",
            ),
        },
        ((20,),),
        (BOTH,),
        "Bollinger bands of BQX less those of returns",
        laggable=False,
    ),
)  # fmt: skip
