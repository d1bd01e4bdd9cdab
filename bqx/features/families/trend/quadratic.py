"""Quadratic trend over trailing windows, and how the trends of two windows compare.

Over the ``w`` rows that end at the current one, ``y = a2 x^2 + a1 x + b`` is fitted by least
squares with ``x = 0 .. w-1`` from the oldest row; ``mu`` and ``sigma`` (ddof 1) are the window's
mean and standard deviation. Five numbers (the three terms, the root mean square of the residuals
and the last residual) carry all others.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.products import shift_sums
from bqx.features.rolling.sums import extremes, trend_sums
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


@kernel
def fit(x: F, first_minute: int, window: int) -> F:
    """Quadratic fit of each window: (T, 7) of a2, a1, b - mu, sigma, rmse, last residual, slope.

    ``slope`` belongs to the straight line. A flat window gives NaN.
    """
    rows = len(x)
    out = np.empty((7, rows))
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
        moving = top[row] > bottom[row]
        mean = sums[row, 0] * share if moving else np.nan
        beta = sums[row, 1] * over if moving else np.nan
        a2 = (sums[row, 2] - m2 * mean) * bent
        centre = mean - a2 * m2 * share
        total = sums[row, 3] - sums[row, 0] * mean
        out[0, row], out[1, row] = a2, beta - 2.0 * a2 * half
        out[2, row] = centre - beta * half + a2 * half * half - mean
        out[3, row] = total
        out[4, row] = total - beta * beta * m2 - a2 * a2 * curved
        out[5, row] = (x[row] - sums[row, 4]) - (centre + beta * half + a2 * half * half)
        out[6, row] = beta
    for row in range(rows):
        if out[4, row] < _CLOSE * out[3, row]:
            a2, beta, r = out[0, row], out[6, row], sums[row, 4]
            centre = sums[row, 0] * share - a2 * m2 * share
            rest = 0.0
            for k in range(window):
                u = half - k
                gap = (x[row - k] - r) - (centre + beta * u + a2 * u * u)
                rest += gap * gap
            out[4, row] = rest
    for row in range(rows):
        out[3, row] = np.sqrt(out[3, row] * free)
        out[4, row] = np.sqrt(out[4, row] * share)
    return out.T


@kernel
def quadratic(x: F, first_minute: int, window: int) -> F:
    """Twelve readings of the quadratic fit: (T, 12), see the outputs below."""
    rows = len(x)
    out = np.empty((12, rows))
    w = float(window)
    end, apart, wide = w - 1.0, w / (w - 1.0), np.sqrt(w / (w - 1.0))
    terms = fit(x, first_minute, window)
    # The last quarter's values and counts are taken from the last row, whose residual is known,
    # to keep their digits.
    late = window // 4
    sums, reference = shift_sums(x, late, first_minute)
    n = float(late)
    counts, squares = n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0
    for row in range(rows):
        sigma = terms[row, 3]
        moving = sigma > 0.0
        less = 1.0 / sigma if moving else np.nan
        a2 = terms[row, 0] if moving else np.nan
        a1 = terms[row, 1] if moving else np.nan
        rmse, last = terms[row, 4], terms[row, 5]
        share, residual_std = rmse * less, rmse * wide
        r2 = 1.0 - share * share * apart
        apex = -a1 / (2.0 * a2)
        apex = 10.0 * w if apex > 10.0 * w else -10.0 * w if apex < -10.0 * w else apex
        z = last / residual_std
        drift = sums[row] + n * (reference[row] - x[row])
        drift += (a1 + 2.0 * a2 * end) * counts - a2 * squares
        out[0, row], out[1, row], out[2, row] = a2 * less, a1 * less, terms[row, 2] * less
        out[3, row], out[4, row], out[5, row] = 0.0 if r2 < 0.0 else r2, share, last * less
        out[6, row] = terms[row, 6] if moving else np.nan
        out[7, row] = apex if abs(a2) * w * w > _NOTHING * sigma else np.nan
        out[8, row], out[9, row] = 2.0 * a2, last + drift / n
        out[10, row] = residual_std if moving else np.nan
        out[11, row] = z if residual_std > _NOTHING * sigma else np.nan
    return out.T


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


@kernel
def _five(x: F, first_minute: int, window: int) -> F:
    """First five readings of ``quadratic``, by column: (5, T)."""
    out = np.empty((5, len(x)))
    apart = window / (window - 1.0)
    terms = fit(x, first_minute, window)
    for row in range(len(x)):
        sigma = terms[row, 3]
        less = 1.0 / sigma if sigma > 0.0 else np.nan
        share = terms[row, 4] * less
        r2 = 1.0 - share * share * apart
        out[0, row], out[1, row] = terms[row, 0] * less, terms[row, 1] * less
        out[2, row], out[3, row], out[4, row] = terms[row, 2] * less, 0.0 if r2 < 0.0 else r2, share
    return out


# Reading, short and long window, and whether their ratio is taken, by column.
_ACROSS = np.array(
    [
        (_COLUMN[metric], SPAN.index(short), SPAN.index(long), metric.endswith("ratio"))
        for metric, (short, long) in _CROSS
    ]
)


@kernel
def across(x: F, first_minute: int) -> F:
    """Readings of a short window against those of a long one: (T, 18).

    Ratios and differences (short over or minus long) of the normalised terms, of R² and of the
    normalised root mean square; a ratio with nothing below it is NaN.
    """
    rows = len(x)
    readings = np.empty((len(SPAN), 5, rows))
    for k in range(len(SPAN)):
        readings[k] = _five(x, first_minute, SPAN[k])
    out = np.full((len(_ACROSS), rows), np.nan)
    for column in range(len(_ACROSS)):
        reading, short, long, is_ratio = _ACROSS[column]
        one, other = readings[short, reading], readings[long, reading]
        for row in range(rows):
            if not is_ratio:
                out[column, row] = one[row] - other[row]
            elif not abs(other[row]) < _NOTHING:
                out[column, row] = one[row] / other[row]
    return out.T


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
