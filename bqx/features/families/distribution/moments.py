"""Moments and extremes of trailing windows.

Source: C. M. Jarque and A. K. Bera (1980), for the normality statistic.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.abreast import (
    deviation_of,
    extremes_of,
    extremes_with,
    size_of_extremes,
    squares_with,
)
from bqx.features.rolling.abreast_sums import powers_of, powers_with, size_of_powers
from bqx.features.rolling.four_sums import power_sums
from bqx.features.rolling.products import mean
from bqx.features.rolling.sums import F, extremes
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output, Source, read
from bqx.features.steps import Steps


@kernel
def moments(x: F, first_minute: int, window: int) -> F:
    """Eight statistics of each window: (T, 8) mean, std, skew, kurt, min, max, range, z_score.

    Standard deviation with ddof 1; skewness and excess kurtosis bias-adjusted as in pandas.
    A flat window has deviation 0 and no skewness, kurtosis or score.
    """
    sums = power_sums(x, window, first_minute)
    top, bottom = extremes(x, x, window)
    return _of_sums(sums, top, bottom, x, window)


@kernel
def _of_sums(sums: F, top: F, bottom: F, x: F, window: int) -> F:
    """The same of sums of powers and extremes."""
    rows = len(x)
    out, n = np.empty((8, rows)), float(window)
    share, free = 1.0 / n, np.sqrt(n / (n - 1.0))
    for row in range(rows):
        now, r, d = x[row], sums[row, 4], sums[row, 0] * share
        flat = top[row] == bottom[row]
        out[1, row], out[2, row], out[3, row], less = _shape(
            d, sums[row, 1] * share, sums[row, 2] * share, sums[row, 3] * share, flat, n
        )
        out[0, row] = now if flat else r + d
        out[4, row], out[5, row], out[6, row] = bottom[row], top[row], top[row] - bottom[row]
        out[7, row] = ((now - r) - d) * less / free
    return out.T


@kernel
def _shape(
    d: float, q2: float, q3: float, q4: float, flat: bool, n: float
) -> tuple[float, float, float, float]:
    """Deviation, skewness and kurtosis of n values from their mean powers, and one over the
    deviation (ddof 0).
    """
    of_skew, of_kurt = np.sqrt(n * (n - 1.0)) / (n - 2.0), (n - 1.0) / ((n - 2.0) * (n - 3.0))
    square = d * d
    m2 = q2 - square
    m3 = q3 - 3.0 * d * q2 + 2.0 * d * square
    m4 = q4 - 4.0 * d * q3 + 6.0 * square * q2 - 3.0 * square * square
    root = np.sqrt(m2)
    less = np.nan if flat else 1.0 / root
    std = 0.0 if flat else root * np.sqrt(n / (n - 1.0))
    kurt = of_kurt * ((n + 1.0) * (m4 * less * less * less * less) - 3.0 * (n - 1.0))
    return std, of_skew * (m3 * less * less * less), kurt, less


@kernel
def shapes(x: F, first_minute: int, window: int) -> F:
    """Three of the statistics of `moments`: (T, 3) std, skew, kurt."""
    sums, out, n = power_sums(x, window, first_minute), np.empty((3, len(x))), float(window)
    share = 1.0 / n
    for row in range(len(x)):
        mean, square = sums[row, 0] * share, sums[row, 1] * share
        cube, fourth = sums[row, 2] * share, sums[row, 3] * share
        # Distances are from a value inside the window: 0 where it is flat.
        out[0, row], out[1, row], out[2, row], _ = _shape(
            mean, square, cube, fourth, square == 0.0, n
        )
    return out.T


@kernel
def described(x: F, first_minute: int, window: int) -> F:
    """Six statistics of each window: (T, 6) mean, std, skew, kurt, std / mean, Jarque-Bera.

    The last is ``n / 6 (skew^2 + kurt^2 / 4)``, NaN in a flat window as they are.
    """
    return _described(moments(x, first_minute, window), window)


@kernel
def _described(readings: F, window: int) -> F:
    """The same of moments."""
    out = np.empty((6, len(readings)))
    for row in range(len(readings)):
        mean, std, skew, kurt = (
            readings[row, 0],
            readings[row, 1],
            readings[row, 2],
            readings[row, 3],
        )
        out[0, row], out[1, row], out[2, row], out[3, row] = mean, std, skew, kurt
        out[4, row] = std / mean
        out[5, row] = window / 6.0 * (skew * skew + 0.25 * kurt * kurt)
    return out.T


@kernel
def described_bqx(x: F, first_minute: int, window: int) -> F:
    """The same with std over the mean magnitude, NaN where all is 0: (T, 6)."""
    out = described(x, first_minute, window)
    _vary(out, mean(np.abs(x), window, first_minute))
    return out


@kernel
def _vary(out: F, size: F) -> None:
    """Put std over the mean magnitude in its place."""
    for row in range(len(size)):
        share = out[row, 1] / size[row]
        out[row, 4] = share if size[row] > 0.0 else np.nan


def _begin(window: int) -> F:
    """State of `_moments_go_on`: those of the sums and of the extremes."""
    return np.concatenate((powers_of(window), extremes_of(window)))


@kernel
def _moments_go_on(x: F, minute: int, window: int, state: F) -> F:
    """What `moments` gives of a row (1, P), from the states of the rows before: (8, P)."""
    sums, both, size = np.empty((5, x.shape[1])), np.empty((2, x.shape[1])), size_of_powers(window)
    powers_with(x[0], minute, window, state[:size], sums)
    extremes_with(x[0], minute, window, state[size:], both)
    return _of_sums(sums.T, both[0], both[1], x[0], window).T


@kernel
def _described_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `described` gives of a row (1, P), from the states of the rows before: (6, P)."""
    return _described(_moments_go_on(x, minute, window, state).T, window).T


def _begin_bqx(window: int) -> F:
    """State of `_described_bqx_goes_on`: with that of the magnitudes."""
    return np.concatenate((_begin(window), deviation_of(window)))


@kernel
def _described_bqx_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `described_bqx` gives of a row (1, P), from the states of the rows before: (6, P)."""
    size, sums = size_of_powers(window) + size_of_extremes(window), np.empty((3, x.shape[1]))
    out = _described_goes_on(x, minute, window, state[:size])
    squares_with(np.abs(x[0]), minute, window, state[size:], sums)
    _vary(out.T, sums[2] + sums[0] * (1.0 / window))
    return out


DEFINED = {
    "mean": Output("{u}", title="Mean of {x}", formula="mean(x, {0})"),
    "std": Output("{u}", 0.0, title="Standard deviation of {x}", formula="std(x, {0})"),
    "skew": Output("1", title="Skewness of {x}", formula="skew(x, {0})", about="bias-adjusted"),
    "kurt": Output(
        "1", title="Excess kurtosis of {x}", formula="kurt(x, {0})", about="bias-adjusted"
    ),
    "min": Output("{u}", title="Minimum of {x}", formula="min(x, {0})"),
    "max": Output("{u}", title="Maximum of {x}", formula="max(x, {0})"),
    "range": Output(
        "{u}",
        0.0,
        spanned_by=("{s}_moments_max_w{0}", "{s}_moments_min_w{0}"),
        title="Range of {x}",
        formula="max(x, {0}) - min(x, {0})",
    ),
    "z_score": Output(
        "1", title="Z-score of {x} within its window", formula="(x[t] - mean(x, {0})) / std(x, {0})"
    ),
    "cv": Output("1", 0.0, title="Coefficient of variation of {x}"),
    "jb": Output(
        "1",
        0.0,
        alias="jb_stat_{0}min",
        title="Jarque-Bera statistic of {x}",
        formula="{0} / 6 (skew(x, {0})^2 + kurt(x, {0})^2 / 4)",
    ),
}
_CV = {
    "rate": ("std / mean", "std(x, {0}) / mean(x, {0})"),
    "bqx": ("std / mean magnitude, because the mean crosses zero", "std(x, {0}) / mean(|x|, {0})"),
}
_NOW = {"rate": "rate_index", "bqx": "bqx_backward_return_w15"}
_TREND = ("{s}_quadratic_lin_slope_w60", "{s}_quadratic_accel_w60")
_FOUR = ("mean", "std", "skew", "kurt")
_SIX = (*_FOUR, "cv", "jb")
_INVENTORY = (*_FOUR, "min", "max", "range", "z_score")

_steps = partial(Steps, last=read, rows=lambda window: window, reads=lambda window: 1, abreast=True)
_moments = partial(
    family,
    "moments",
    table="statistics",
    about="moments of the trailing window, current row included",
)


def _minutes(source: Source, w: int, names: tuple[str, ...], spans: tuple[str, ...]) -> Family:
    about, formula = _CV[source.key]
    outputs = {
        name: replace(DEFINED[name], alias=DEFINED[name].alias or f"{name}_{{0}}min")
        for name in names
    }
    same = tuple(name.replace("{now}", _NOW[source.key]) for name in spans)
    outputs["mean"] = replace(outputs["mean"], spanned_by=same)
    if "cv" in names:
        outputs["cv"] = replace(outputs["cv"], about=about, formula=formula)
    kernel, first, begin = (
        (described, _described_goes_on, _begin)
        if source is RATE
        else (described_bqx, _described_bqx_goes_on, _begin_bqx)
    )
    steps = _steps(first, begin=begin)
    return _moments(kernel, outputs, sources=source, windows=w, steps=steps)


FAMILIES = (
    _moments(
        moments,
        {name: replace(DEFINED[name], alias=f"{name}_{{0}}") for name in _INVENTORY},
        sources=(RATE, BQX),
        windows=(20, 50, 120),
        steps=_steps(_moments_go_on, begin=_begin),
    ),
    *(
        _minutes(source, w, names, spans)
        for w, names, spans in (
            (5, _FOUR, ()),
            (15, (*_FOUR, "cv"), ("{s}_moments_mean_w60", "{s}_quadratic_resid_mean_w60", *_TREND)),
            (30, _SIX, ()),
            (60, _SIX, ("{now}", "{s}_terms_residual_w60", *_TREND)),
        )
        for source in (RATE, BQX)
    ),
)
