"""Quadratic trend over trailing windows, and how the trends of two windows compare.

Over the ``w`` rows that end at the current one, ``y = a2 x^2 + a1 x + b`` is fitted by least
squares with ``x = 0 .. w-1`` from the oldest row; ``mu`` and ``sigma`` (ddof 1) are the window's
mean and standard deviation. Five numbers (the three terms, the root mean square of the residuals
and the last residual) carry all others.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features.rolling import extremes, trend_sums
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]

WINDOWS = ((15,), (30,), (45,), (60,), (75,), (90,))
SPAN = tuple(w for (w,) in WINDOWS)

# A share of a window's deviation below this is the rounding of its values.
_NOTHING = 1e-9

# Below this share of the total the residual squares are summed one by one: what is left of a
# difference of sums has lost its digits.
_CLOSE = 1e-6


@njit(cache=True, error_model="numpy")
def fit(x: F, first_minute: int, window: int) -> F:
    """Quadratic fit of each window: (T, 7) of a2, a1, b - mu, sigma, rmse, last residual, slope.

    ``slope`` belongs to the straight line. A flat window gives NaN.
    """
    rows = len(x)
    out = np.full((rows, 7), np.nan)
    sums = trend_sums(x, window, first_minute)
    top, bottom = extremes(x, x, window)
    w = float(window)
    half = 0.5 * (w - 1.0)
    m2 = w * (w * w - 1.0) / 12.0
    m4 = w * (w * w - 1.0) * (3.0 * w * w - 7.0) / 240.0
    curved = m4 - m2 * m2 / w
    share, free, over, bent = 1.0 / w, 1.0 / (w - 1.0), 1.0 / m2, 1.0 / curved
    for row in range(rows):
        # Flatness is asked of the bars themselves: a deviation may round to nearly nothing.
        if not top[row] > bottom[row]:
            continue
        s0, s1, s2, sq, r = sums[row]
        mean = s0 * share
        beta = s1 * over
        a2 = (s2 - m2 * mean) * bent
        centre = mean - a2 * m2 * share
        total = sq - s0 * mean
        rest = total - beta * beta * m2 - a2 * a2 * curved
        if rest < _CLOSE * total:
            rest = 0.0
            for k in range(window):
                u = half - k
                gap = (x[row - k] - r) - (centre + beta * u + a2 * u * u)
                rest += gap * gap
        out[row, 0] = a2
        out[row, 1] = beta - 2.0 * a2 * half
        out[row, 2] = centre - beta * half + a2 * half * half - mean
        out[row, 3] = np.sqrt(total * free)
        out[row, 4] = np.sqrt(rest * share)
        out[row, 5] = (x[row] - r) - (centre + beta * half + a2 * half * half)
        out[row, 6] = beta
    return out


@njit(cache=True, error_model="numpy")
def _norm(out: F, a2: float, a1: float, b: float, rmse: float, less: float, w: float) -> None:
    out[0], out[1], out[2] = a2 * less, a1 * less, b * less
    share = rmse * less
    out[3] = max(1.0 - share * share * (w / (w - 1.0)), 0.0)
    out[4] = share


@njit(cache=True, error_model="numpy")
def quadratic(x: F, first_minute: int, window: int) -> F:
    """Twelve readings of the quadratic fit: (T, 12), see the outputs below."""
    rows = len(x)
    out = np.full((rows, 12), np.nan)
    w = float(window)
    late, wide = window // 4, np.sqrt(w / (w - 1.0))
    terms = fit(x, first_minute, window)
    for row in range(rows):
        a2, a1, b, sigma, rmse, last, slope = terms[row]
        if not sigma > 0.0:
            continue
        residual_std, less = rmse * wide, 1.0 / sigma
        _norm(out[row], a2, a1, b, rmse, less, w)
        out[row, 5] = last * less
        out[row, 6] = slope
        if abs(a2) * w * w > _NOTHING * sigma:
            apex = -a1 / (2.0 * a2)
            out[row, 7] = min(max(apex, -10.0 * w), 10.0 * w)
        out[row, 8] = 2.0 * a2
        # Deviations are taken from the last row, whose residual is known, to keep their digits.
        drift = 0.0
        for k in range(late):
            back = -float(k)
            end = w - 1.0
            fitted = a1 * back + a2 * back * (2.0 * end + back)
            drift += (x[row - k] - x[row]) - fitted
        out[row, 9] = last + drift / late
        out[row, 10] = residual_std
        if residual_std > _NOTHING * sigma:
            out[row, 11] = last / residual_std
    return out


_RATIOS = ((15, 60), (30, 75), (45, 90), (15, 90))
_GAPS = ((15, 45), (30, 60), (45, 75), (60, 90))
_SPREADS = ((15, 60), (30, 90), (45, 75))
_RMSES = ((15, 60), (30, 75), (45, 90))
_CROSS = tuple(
    (metric, pair)
    for metric, pairs in (
        ("a2_ratio", _RATIOS),
        ("a1_ratio", _RATIOS),
        ("b_gap", _GAPS),
        ("r2_spread", _SPREADS),
        ("rmse_ratio", _RMSES),
    )
    for pair in pairs
)
_COLUMN = {"a2_ratio": 0, "a1_ratio": 1, "b_gap": 2, "r2_spread": 3, "rmse_ratio": 4}


@njit(cache=True, error_model="numpy")
def _five(x: F, first_minute: int, window: int) -> F:
    """First five readings of ``quadratic``, by column: (5, T)."""
    out = np.full((5, len(x)), np.nan)
    fitted = fit(x, first_minute, window)
    for row in range(len(x)):
        a2, a1, b, sigma, rmse, _, _ = fitted[row]
        if sigma > 0.0:
            _norm(out[:, row], a2, a1, b, rmse, 1.0 / sigma, float(window))
    return out


def across(x: F, first_minute: int) -> F:
    """Readings of a short window against those of a long one: (T, 18).

    Ratios and differences (short over or minus long) of the normalised terms, of R² and of the
    normalised root mean square; a ratio with nothing below it is NaN.
    """
    readings = {w: _five(x, first_minute, w) for w in SPAN}
    out = np.empty((len(x), len(_CROSS)), order="F")
    for column, (metric, (short, long)) in enumerate(_CROSS):
        one, other = (readings[w][_COLUMN[metric]] for w in (short, long))
        if metric.endswith("ratio"):
            out[:, column] = one / np.where(np.abs(other) < _NOTHING, np.nan, other)
        else:
            out[:, column] = one - other
    return out


def _across_outputs() -> dict[str, Output]:
    bounds = {"r2_spread": (-1.0, 1.0), "rmse_ratio": (0.0, np.inf)}
    parts = {"b_gap": "b_norm", "r2_spread": "r2"}
    return {
        f"{metric}_{short}_{long}": Output(
            "1",
            *bounds.get(metric, (-np.inf, np.inf)),
            alias=f"{metric}_{short}_{long}",
            lookback=lambda long=long: long,
            spanned_by=tuple(
                f"{{s}}_quadratic_{parts[metric]}_w{w}" for w in (short, long) if metric in parts
            ),
        )
        for metric, (short, long) in _CROSS
    }


def _alias(metric: str) -> str:
    return "w{0}_" + metric


FAMILIES = (
    Family(
        "quadratic",
        "reg",
        quadratic,
        {
            "a2_norm": Output("1/bar^2", alias=_alias("a2_norm"), about="a2 / sigma"),
            "a1_norm": Output("1/bar", alias=_alias("a1_norm"), about="a1 / sigma"),
            "b_norm": Output(
                "1",
                alias=_alias("b_norm"),
                spanned_by=("{s}_quadratic_a2_norm_w{0}", "{s}_quadratic_a1_norm_w{0}"),
                about="(b - mu) / sigma",
            ),
            "r2": Output("1", 0.0, 1.0, alias=_alias("r2"), about="share of variance explained"),
            "rmse_norm": Output("1", 0.0, 1.0, alias=_alias("rmse_norm"), about="rmse / sigma"),
            "resid_norm": Output("1", alias=_alias("resid_norm"), about="last residual / sigma"),
            "lin_slope": Output("{u}/bar", alias=_alias("lin_slope"), about="straight-line slope"),
            "quad_apex": Output(
                "bar",
                alias=_alias("quad_apex"),
                about="vertex, rows from the window's start, within 10 windows",
            ),
            "accel": Output("{u}/bar^2", alias=_alias("accel"), about="2 a2"),
            "resid_mean": Output(
                "{u}", alias=_alias("resid_mean"), about="mean of the last quarter's residuals"
            ),
            "resid_std": Output(
                "{u}", 0.0, alias=_alias("resid_std"), about="deviation of residuals, ddof 1"
            ),
            "resid_z": Output(
                "1", alias=_alias("resid_z"), about="last residual / their deviation"
            ),
        },
        WINDOWS,
        (RATE, BQX),
        "quadratic trend of the trailing window, current row included",
        causality=((60,),),
    ),
    Family(
        "across",
        "reg",
        across,
        _across_outputs(),
        ((),),
        (RATE, BQX),
        "trend of a short trailing window against a long one",
    ),
)
