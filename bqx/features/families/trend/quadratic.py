"""Quadratic trend over trailing windows, and how the trends of two windows compare.

The fit is that of ``rolling.quadratic``: five numbers (the three terms, the root mean square of the
residuals and the last residual) carry all others.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.abreast import deviation_of, squares_with
from bqx.features.rolling.products import shift_sums
from bqx.features.rolling.quadratic import fit, fit_of, fits_with, size_of_fit
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Output, read
from bqx.features.steps import Steps

SPAN = (15, 30, 45, 60, 75, 90)


@kernel
def normalised(terms: F, window: int) -> F:
    """Terms of a fit over the deviation, R² and normalised residuals, by column: (5, T)."""
    out = np.empty((5, len(terms)))
    apart = window / (window - 1.0)
    for row in range(len(terms)):
        sigma = terms[row, 3]
        less = 1.0 / sigma if sigma > 0.0 else np.nan
        share = terms[row, 4] * less
        r2 = 1.0 - share * share * apart
        out[0, row], out[1, row] = terms[row, 0] * less, terms[row, 1] * less
        out[2, row], out[3, row], out[4, row] = terms[row, 2] * less, 0.0 if r2 < 0.0 else r2, share
    return out


@kernel
def _readings(terms: F, late: tuple[F, F], x: F, window: int) -> F:
    """Twelve readings of fits: (T, 12).

    ``late`` : sums of distances of the last quarter's values, and what they are from.
    """
    rows = len(x)
    out = np.empty((12, rows))
    w = float(window)
    end, wide = w - 1.0, np.sqrt(w / (w - 1.0))
    out[:5] = normalised(terms, window)
    # The last quarter's values and counts are taken from the last row, whose residual is known,
    # to keep their digits.
    sums, reference = late
    n = float(window // 4)
    counts, squares = n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0
    for row in range(rows):
        sigma = terms[row, 3]
        still = 0.0 if sigma > 0.0 else np.nan
        a2, a1, last = terms[row, 0] + still, terms[row, 1] + still, terms[row, 5]
        residual_std = terms[row, 4] * wide + still
        apex = -a1 / (2.0 * a2)
        apex = 10.0 * w if apex > 10.0 * w else -10.0 * w if apex < -10.0 * w else apex
        drift = sums[row] + n * (reference[row] - x[row])
        drift += (a1 + 2.0 * a2 * end) * counts - a2 * squares
        out[5, row], out[6, row] = last * (1.0 / sigma + still), terms[row, 6] + still
        out[7, row] = apex if abs(a2) * w * w > ROUNDING * sigma else np.nan
        out[8, row], out[9, row], out[10, row] = 2.0 * a2, last + drift / n, residual_std
        z = last / residual_std
        out[11, row] = z if residual_std > ROUNDING * sigma else np.nan
    return out.T


@kernel
def quadratic(x: F, first_minute: int, window: int) -> F:
    """Twelve readings of the quadratic fit: (T, 12), see the outputs below."""
    terms = fit(x, window, first_minute)
    return _readings(terms, shift_sums(x, window // 4, first_minute), x, window)


def _begin(window: int) -> F:
    """State of `_goes_on`: that of the fit, and that of the last quarter's sums."""
    return np.concatenate((fit_of(window), deviation_of(window // 4)))


@kernel
def _goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `quadratic` gives of a row (1, P), from the states of the rows before: (12, P)."""
    now, size = x[0], size_of_fit(window)
    fitted, late = np.empty((8, len(now))), np.empty((3, len(now)))
    fits_with(now, minute, window, state[:size], fitted)
    squares_with(now, minute, window // 4, state[size:], late)
    return _readings(fitted[:7].T, (late[0], late[2]), now, window).T


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
    readings = np.empty((len(SPAN), 5, len(x)))
    for k in range(len(SPAN)):
        readings[k] = normalised(fit(x, SPAN[k], first_minute), SPAN[k])
    return _short_and_long(readings)


def _begin_across() -> F:
    """State of `_across_goes_on`: those of the fits."""
    return np.concatenate([fit_of(window) for window in SPAN])


@kernel
def _across_goes_on(x: F, minute: int, state: F) -> F:
    """What `across` gives of a row (1, P), from the states of the rows before: (18, P)."""
    now, start = x[0], 0
    readings, fitted = np.empty((len(SPAN), 5, len(now))), np.empty((8, len(now)))
    for k in range(len(SPAN)):
        stop = start + size_of_fit(SPAN[k])
        fits_with(now, minute, SPAN[k], state[start:stop], fitted)
        readings[k] = normalised(fitted[:7].T, SPAN[k])
        start = stop
    return _short_and_long(readings).T


@kernel
def _short_and_long(readings: F) -> F:
    rows = readings.shape[2]
    out = np.full((len(_ACROSS), rows), np.nan)
    for column in range(len(_ACROSS)):
        reading, short, long, is_ratio = _ACROSS[column]
        above, below = readings[short, reading], readings[long, reading]
        for row in range(rows):
            if not is_ratio:
                out[column, row] = above[row] - below[row]
            elif not abs(below[row]) < ROUNDING:
                out[column, row] = above[row] / below[row]
    return out.T


_COMPARED = {
    "a2_ratio": (
        "Normalised curvature of {x}, {short} over {long} rows",
        "a2n(x, {short}) / a2n(x, {long})",
    ),
    "a1_ratio": (
        "Normalised start slope of {x}, {short} over {long} rows",
        "a1n(x, {short}) / a1n(x, {long})",
    ),
    "b_gap": (
        "Normalised start level of {x}, {short} less {long} rows",
        "bn(x, {short}) - bn(x, {long})",
    ),
    "r2_spread": (
        "R² of the parabola of {x}, {short} less {long} rows",
        "R2(x, {short}) - R2(x, {long})",
    ),
    "rmse_ratio": (
        "Normalised fit error of {x}, {short} over {long} rows",
        "rmsen(x, {short}) / rmsen(x, {long})",
    ),
}
_SPANNED = {"b_gap": "b_norm", "r2_spread": "r2"}
_BOUNDS = {"r2_spread": (-1.0, 1.0), "rmse_ratio": (0.0, np.inf)}


def _across(metric: str, short: int, long: int) -> Output:
    title, formula = (text.format(x="{x}", short=short, long=long) for text in _COMPARED[metric])
    of = [f"{{s}}_quadratic_{_SPANNED[metric]}_w{w}" for w in (short, long) if metric in _SPANNED]
    return Output(
        "1",
        *_BOUNDS.get(metric, (-np.inf, np.inf)),
        alias=f"{metric}_{short}_{long}",
        lookback=lambda: long,
        spanned_by=tuple(of),
        title=title,
        formula=formula,
    )


def _reading(
    metric: str, unit: str, title: str, formula: str, *bounds: float, **more: Any
) -> Output:
    return Output(unit, *bounds, alias=f"w{{0}}_{metric}", title=title, formula=formula, **more)


_READINGS = (
    ("a2_norm", "1/bar^2", "Normalised curvature of {x}", "a2(x, {0}) / std(x, {0})"),
    ("a1_norm", "1/bar", "Normalised start slope of {x}", "a1(x, {0}) / std(x, {0})"),
    ("b_norm", "1", "Normalised start level of {x}", "(a0(x, {0}) - mean(x, {0})) / std(x, {0})"),
    ("r2", "1", "R² of the parabola through {x}", "1 - var(e) / var(x), over {0} rows", 0.0, 1.0),
    ("rmse_norm", "1", "Normalised fit error of {x}", "rmse(x, {0}) / std(x, {0})", 0.0, 1.0),
    ("resid_norm", "1", "Normalised last residual of {x}", "(x[t] - fit(x, {0})) / std(x, {0})"),
    ("lin_slope", "{u}/bar", "Slope of the straight line through {x}", "slope(x, {0})"),
    (
        "quad_apex",
        "bar",
        "Vertex of the parabola through {x}",
        "clip(-a1 / (2 a2), 10 * {0}), fitted over {0} rows",
    ),
    ("accel", "{u}/bar^2", "Acceleration of the parabola through {x}", "2 a2(x, {0})"),
    (
        "resid_mean",
        "{u}",
        "Mean residual of {x} in the window's last quarter",
        "mean(e, {0} // 4), e[i] = x[i] - fit(x, {0})[i]",
    ),
    (
        "resid_std",
        "{u}",
        "Residual deviation of {x} around the parabola",
        "std(e, {0}), e[i] = x[i] - fit(x, {0})[i]",
        0.0,
    ),
    (
        "resid_z",
        "1",
        "Last residual of {x} in residual deviations",
        "(x[t] - fit(x, {0})) / std(e, {0})",
    ),
)
_OUTPUTS = {metric: _reading(metric, *rest) for metric, *rest in _READINGS}
_NORMED = ("{s}_quadratic_a2_norm_w{0}", "{s}_quadratic_a1_norm_w{0}")
_OUTPUTS["b_norm"] = replace(_OUTPUTS["b_norm"], spanned_by=_NORMED)

_reg = partial(family, table="reg", sources=(RATE, BQX))
_steps = partial(Steps, last=read, reads=lambda *window: 1, abreast=True)

FAMILIES = (
    _reg(
        "quadratic",
        quadratic,
        _OUTPUTS,
        windows=SPAN,
        about="quadratic trend of the trailing window, current row included",
        causality=60,
        steps=_steps(_goes_on, rows=lambda window: window, begin=_begin),
    ),
    _reg(
        "across",
        across,
        {f"{metric}_{a}_{b}": _across(metric, a, b) for metric, (a, b) in _CROSS},
        about="trend of a short trailing window against a long one",
        steps=_steps(_across_goes_on, rows=lambda: max(SPAN), begin=_begin_across),
    ),
)
