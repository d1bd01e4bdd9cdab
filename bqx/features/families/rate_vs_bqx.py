"""The rate domain against the BQX domain.

The rate series is the one-row log return of the index: levels wander, and what wanders correlates
with anything. BQX is the series itself, which stays about zero.
"""

from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.families.distribution.moments import shapes
from bqx.features.families.trend.quadratic import quadratic
from bqx.features.rolling.comoments import BOTH, comoments, correlation, correlation_over
from bqx.features.rolling.multivariate import shifted
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import LOST, ROUNDING
from bqx.features.rolling.trailing import zone
from bqx.features.spec import BQX_COLUMN, FLAG, RATE_COLUMN, SIGNED, Output

UNRELATED = 0.2
"""Share of variance explained below which the domains count as decoupled."""

LAGS = (0, 1, 5, 15)
CALM = 60
"""Rows whose deviation says whether the last 20 are squeezed."""

BAND = 2.0
"""Deviations (ddof 0) between the middle and a Bollinger band."""


@kernel
def _line(
    y: F, x: F, row: int, window: int, sums: tuple[float, float, float, float, float]
) -> tuple[float, float]:
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
    out = np.empty((8, len(both)))
    y, x = log_returns(both[:, RATE_COLUMN].copy()), both[:, BQX_COLUMN].copy()
    near = comoments(y, x, 15, first_minute)
    half = comoments(y, x, 30, first_minute)
    hour = comoments(y, x, 60, first_minute)
    for row in range(len(both)):
        mean_y, mean_x = half[row, 0], half[row, 1]
        syy, sxx, sxy = half[row, 2], half[row, 3], half[row, 4]
        out[0, row], out[2, row] = _line(y, x, row, 30, (mean_y, mean_x, syy, sxx, sxy))
        out[3, row], out[5, row] = _line(x, y, row, 30, (mean_x, mean_y, sxx, syy, sxy))
        share = correlation(sxx, syy, sxy) ** 2
        out[1, row] = out[4, row] = share
        short = correlation(near[row, 2], near[row, 3], near[row, 4]) ** 2
        long = correlation(hour[row, 2], hour[row, 3], hour[row, 4]) ** 2
        out[6, row] = short - long
        out[7, row] = (1.0 if share < UNRELATED else 0.0) if share == share else np.nan
    return out.T


@kernel
def trends(both: F, first_minute: int, window: int) -> F:
    """Terms and fit of the quadratic trend of returns less those of BQX: (T, 4)."""
    out = np.empty((len(both), 4))
    rate = quadratic(log_returns(both[:, RATE_COLUMN].copy()), first_minute, window)
    bqx = quadratic(both[:, BQX_COLUMN].copy(), first_minute, window)
    for row in range(len(both)):
        for k in range(4):
            out[row, k] = rate[row, k] - bqx[row, k]
    return out


@kernel
def spreads(both: F, first_minute: int) -> F:
    """Moments of BQX against those of returns: (T, 6)."""
    out = np.empty((6, len(both)))
    y, x = log_returns(both[:, RATE_COLUMN].copy()), both[:, BQX_COLUMN].copy()
    short_y, short_x = shapes(y, first_minute, 20), shapes(x, first_minute, 20)
    half, hour = comoments(y, x, 30, first_minute), comoments(y, x, 60, first_minute)
    for row in range(len(both)):
        wider, longer = short_x[row, 0] / short_y[row, 0], hour[row, 3] / hour[row, 2]
        of_y, of_x = np.sqrt(half[row, 2] / 29.0), np.sqrt(half[row, 3] / 29.0)
        out[0, row] = wider * wider if short_y[row, 0] > 0.0 else np.nan
        out[1, row] = longer if hour[row, 2] > 0.0 else np.nan
        out[2, row] = short_x[row, 1] - short_y[row, 1]
        out[3, row] = short_x[row, 2] - short_y[row, 2]
        out[4, row] = of_x / of_y if of_y > 0.0 else np.nan
        out[5, row] = of_x - of_y
    return out.T


@kernel
def lagged(both: F, first_minute: int, window: int) -> F:
    """Correlation of BQX with returns of 0, 1, 5 and 15 rows before: (T, 4)."""
    out = np.empty((len(both), 4))
    y, x = log_returns(both[:, RATE_COLUMN].copy()), both[:, BQX_COLUMN].copy()
    for column, lag in enumerate(LAGS):
        out[:, column] = correlation_over(shifted(y, lag), x, window, first_minute)
    return out


@kernel
def bands(both: F, first_minute: int, window: int) -> F:
    """Bollinger bands of BQX against those of returns: (T, 6), see the outputs."""
    out = np.empty((6, len(both)))
    y, x = log_returns(both[:, RATE_COLUMN].copy()), both[:, BQX_COLUMN].copy()
    now, long = comoments(y, x, window, first_minute), comoments(y, x, CALM, first_minute)
    before_y, before_x = shifted(y, window), shifted(x, window)
    for row in range(len(both)):
        of_y, of_x = np.sqrt(now[row, 2] / window), np.sqrt(now[row, 3] / window)
        moving = 0.0 if of_y > 0.0 and of_x > 0.0 else np.nan
        squeezed_y = of_y / np.sqrt(long[row, 2] / CALM)
        squeezed_x = of_x / np.sqrt(long[row, 3] / CALM)
        apart, one = squeezed_x - squeezed_y, (squeezed_x < 1.0) != (squeezed_y < 1.0)
        z_y, z_x = (y[row] - now[row, 0]) / of_y, (x[row] - now[row, 1]) / of_x
        risen = (x[row] - before_x[row]) / (window * of_x)
        out[0, row] = (z_x - z_y) + moving
        out[1, row] = of_x / of_y if of_y > 0.0 else np.nan
        out[2, row] = apart
        out[3, row] = (zone(z_x, -BAND, BAND) - zone(z_y, -BAND, BAND)) + moving
        out[4, row] = (risen - (y[row] - before_y[row]) / (window * of_y)) + moving
        out[5, row] = (1.0 if one else 0.0) if apart == apart else np.nan
    return out.T


def _over(alias: str, *unit: Any, **more: Any) -> Output:
    """A reading of as many rows as its alias ends with, which are not the family's window."""
    rows = int(alias.rsplit("_", 1)[1])
    return Output(*unit or ("1",), alias=alias, lookback=lambda: rows, **more)


_LINES = described(
    {
        "rate_on_bqx_beta_w30": _over("reg_rate_bqx_beta_30"),
        "rate_on_bqx_r2_w30": _over("reg_rate_bqx_r2_30", *FLAG),
        "rate_on_bqx_resid_z_w30": _over("reg_rate_bqx_resid_z_30"),
        "bqx_on_rate_beta_w30": _over("reg_bqx_rate_beta_30"),
        "bqx_on_rate_r2_w30": _over(
            "reg_bqx_rate_r2_30", *FLAG, spanned_by=("both_line_rate_on_bqx_r2_w30",)
        ),
        "bqx_on_rate_resid_z_w30": _over("reg_bqx_rate_resid_z_30"),
        "coupling_w15_w60": _over("reg_coupling_15_60", *SIGNED),
        "decoupling_w30": Output(*FLAG, alias="reg_decoupling_flag", lookback=lambda: 30),
    },
    """
rate_on_bqx_beta_w30: Slope of returns on BQX
    beta(r, B, 30)
rate_on_bqx_r2_w30: Share of variance explained, returns on BQX
    corr(r, B, 30)^2
rate_on_bqx_resid_z_w30: Last residual of returns on BQX in residual deviations
    e[t] / std(e, 30), e of r on B
bqx_on_rate_beta_w30: Slope of BQX on returns
    beta(B, r, 30)
bqx_on_rate_r2_w30: Share of variance explained, BQX on returns
    corr(B, r, 30)^2
bqx_on_rate_resid_z_w30: Last residual of BQX on returns in residual deviations
    e[t] / std(e, 30), e of B on r
coupling_w15_w60: Coupling of returns and BQX, 15 less 60 rows
    corr(r, B, 15)^2 - corr(r, B, 60)^2
decoupling_w30: Flag of returns and BQX decoupled
    corr(r, B, 30)^2 < 0.2
""",
)
_TRENDS = described(
    {
        "a2": Output("1/bar^2", alias="a2_diff_idx_bqx"),
        "a1": Output("1/bar", alias="a1_diff_idx_bqx"),
        "b": Output(
            "1",
            alias="b_diff_idx_bqx",
            spanned_by=("both_trend_diff_a2_w30", "both_trend_diff_a1_w30"),
        ),
        "r2": Output(*SIGNED, alias="r2_diff_idx_bqx"),
    },
    """
a2: Normalised curvature, returns less BQX
    a2n(r, {0}) - a2n(B, {0})
a1: Normalised start slope, returns less BQX
    a1n(r, {0}) - a1n(B, {0})
b: Normalised start level, returns less BQX
    bn(r, {0}) - bn(B, {0})
r2: R² of the parabola, returns less BQX
    R2(r, {0}) - R2(B, {0})
""",
)
_MOMENTS = described(
    {
        "var_ratio_w20": _over("var_ratio_bqx_idx_20", "1", 0.0),
        "var_ratio_w60": _over("var_ratio_bqx_idx_60", "1", 0.0),
        "skew_diff_w20": _over("skew_diff_bqx_idx_20"),
        "kurt_diff_w20": _over("kurt_diff_bqx_idx_20"),
        "vol_ratio_w30": _over("vol_ratio_bqx_idx_30", "1", 0.0),
        "vol_diff_w30": _over("vol_diff_bqx_idx_30"),
    },
    """
var_ratio_w20: Variance of BQX over that of returns, 20 rows
    var(B, 20) / var(r, 20)
var_ratio_w60: Variance of BQX over that of returns, 60 rows
    var(B, 60) / var(r, 60)
skew_diff_w20: Skewness of BQX less that of returns
    skew(B, 20) - skew(r, 20)
kurt_diff_w20: Excess kurtosis of BQX less that of returns
    kurt(B, 20) - kurt(r, 20)
vol_ratio_w30: Deviation of BQX over that of returns
    std(B, 30) / std(r, 30)
vol_diff_w30: Deviation of BQX less that of returns
    std(B, 30) - std(r, 30)
""",
)
_LAGGED = {
    f"lag_{lag}": Output(
        *SIGNED,
        alias=f"xcorr_idx_bqx_lag_{lag}",
        lookback=lambda window, lag=lag: max(window, window + 1 + lag - 15),
        title="Correlation of BQX and returns" + (f" {lag} rows before" if lag else " of the row"),
        formula=f"corr(B[t], r[t-{lag}], {{0}})",
    )
    for lag in LAGS
}
_BANDS = described(
    {
        "z_diff": Output("1", alias="bb_z_diff_bqx_idx_{0}"),
        "width_ratio": Output("1", 0.0, alias="bb_bandwidth_ratio_{0}"),
        "compression_diff": Output(
            "1", alias="bb_compression_diff_{0}", lookback=lambda window: CALM
        ),
        "breakout_diff": Output("1", -2.0, 2.0, alias="bb_breakout_divergence"),
        "slope_diff": Output(
            "1/bar", alias="bb_slope_diff_{0}", lookback=lambda window: window + 1
        ),
        "mismatch": Output(*FLAG, alias="bb_regime_mismatch_flag", lookback=lambda window: CALM),
    },
    """
z_diff: Band score of BQX less that of returns
    z0(B, {0}) - z0(r, {0})
width_ratio: Bollinger band width of BQX over that of returns
    std0(B, {0}) / std0(r, {0})
compression_diff: Band compression of BQX less that of returns
    std0(B, {0}) / std0(B, 60) - std0(r, {0}) / std0(r, 60)
breakout_diff: Band breakout of BQX less that of returns
    side(z0(B, {0}), 2) - side(z0(r, {0}), 2)
slope_diff: Slope of the band middle of BQX less that of returns
    delta(mean(B, {0}), 1) / std0(B, {0}) - delta(mean(r, {0}), 1) / std0(r, {0})
mismatch: Flag of one domain compressed and the other not
    (std0(B, {0}) < std0(B, 60)) != (std0(r, {0}) < std0(r, 60))
""",
)

_dual = partial(family, table="dual_domain", sources=BOTH, laggable=False)

FAMILIES = (
    _dual("line", lines, _LINES, about="lines between returns and BQX"),
    _dual(
        "trend_diff",
        trends,
        _TRENDS,
        windows=30,
        about="normalised quadratic trend of returns less that of BQX",
    ),
    _dual("moments", spreads, _MOMENTS, about="moments of BQX against those of returns"),
    _dual(
        "correlation", lagged, _LAGGED, windows=60, about="correlation of BQX with earlier returns"
    ),
    _dual("bands", bands, _BANDS, windows=20, about="Bollinger bands of BQX less those of returns"),
)
