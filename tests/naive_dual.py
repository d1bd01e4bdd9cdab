"""Twins of the dual-domain features, from their definitions (see ``naive``)."""

from collections.abc import Callable

import numpy as np
from naive import (
    Array,
    Outputs,
    bqx,
    deviation,
    flat,
    kurtosis,
    mean,
    quadratic,
    ratio,
    shift,
    skewness,
    trailing,
    windows_of,
)
from numpy.typing import NDArray

from bqx.market.bars import Bars

Mask = NDArray[np.bool_]


def domains(bars: Bars) -> tuple[Array, Array]:
    return np.log(bars.index / shift(bars.index, 1)), bqx(bars)


def together(one: Array, other: Array, rows: int) -> tuple[Array, Array, Mask]:
    """Windows of two series about their means, and the rows where neither is flat."""
    a, b = windows_of(one, rows), windows_of(other, rows)
    some = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    some &= ~flat(a) & ~flat(b)
    a, b = a[some], b[some]
    return a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True), some


def spread(values: Array, some: Mask) -> Array:
    out = np.full(len(some), np.nan)
    out[some] = values
    return out


def correlation(one: Array, other: Array, rows: int) -> Array:
    a, b, some = together(one, other, rows)
    value = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return spread(value, some)


def line(y: Array, x: Array, rows: int) -> tuple[Array, Array]:
    a, b, some = together(y, x, rows)
    beta = (a * b).sum(axis=1) / (b**2).sum(axis=1)
    resid = a - beta[:, None] * b
    size = np.sqrt((resid**2).sum(axis=1) / (rows - 1))
    nothing = size <= 1e-9 * np.sqrt((a**2).sum(axis=1) / (rows - 1))
    z = resid[:, -1] / np.where(nothing, np.nan, size)
    return spread(beta, some), spread(z, some)


def lines(bars: Bars) -> Outputs:
    y, x = domains(bars)
    beta, z = line(y, x, 30)
    back, back_z = line(x, y, 30)
    r2 = correlation(y, x, 30) ** 2
    return {
        "rate_on_bqx_beta_w30": beta,
        "rate_on_bqx_r2_w30": r2,
        "rate_on_bqx_resid_z_w30": z,
        "bqx_on_rate_beta_w30": back,
        "bqx_on_rate_r2_w30": r2,
        "bqx_on_rate_resid_z_w30": back_z,
        "coupling_w15_w60": correlation(y, x, 15) ** 2 - correlation(y, x, 60) ** 2,
        "decoupling_w30": np.where(np.isnan(r2), np.nan, r2 < 0.2),
    }


def trends(bars: Bars, w: int) -> Outputs:
    one, other = (quadratic(series, w) for series in domains(bars))
    names = {"a2": "a2_norm", "a1": "a1_norm", "b": "b_norm", "r2": "r2"}
    return {name: one[metric] - other[metric] for name, metric in names.items()}


def spreads(bars: Bars) -> Outputs:
    y, x = domains(bars)

    def difference(reading: Callable[[Array], Array]) -> Array:
        return trailing(x, 20, unless_flat(reading)) - trailing(y, 20, unless_flat(reading))

    def unless_flat(reading: Callable[[Array], Array]) -> Callable[[Array], Array]:
        return lambda windows: np.where(flat(windows), np.nan, reading(windows))

    return {
        "var_ratio_w20": ratio(deviation(x, 20, 1), deviation(y, 20, 1)) ** 2,
        "var_ratio_w60": ratio(deviation(x, 60, 1), deviation(y, 60, 1)) ** 2,
        "skew_diff_w20": difference(skewness),
        "kurt_diff_w20": difference(kurtosis),
        "vol_ratio_w30": ratio(deviation(x, 30, 1), deviation(y, 30, 1)),
        "vol_diff_w30": deviation(x, 30, 1) - deviation(y, 30, 1),
    }


def lagged(bars: Bars, w: int) -> Outputs:
    y, x = domains(bars)
    return {f"lag_{lag}": correlation(shift(y, lag) if lag else y, x, w) for lag in (0, 1, 5, 15)}


def bands(bars: Bars, w: int) -> Outputs:
    z, width, squeeze, place, slope = [], [], [], [], []
    for series in domains(bars):
        reach = deviation(series, w, 0)
        middle = mean(series, w)
        score = ratio(series - middle, reach)
        z.append(score)
        width.append(reach)
        squeeze.append(ratio(reach, deviation(series, 60, 0)))
        place.append(np.where(np.isnan(score), np.nan, (score > 2) * 1.0 - (score < -2)))
        slope.append(ratio(middle - shift(middle, 1), reach))
    tight = np.array(squeeze) < 1
    return {
        "z_diff": z[1] - z[0],
        "width_ratio": ratio(width[1], width[0]),
        "compression_diff": squeeze[1] - squeeze[0],
        "breakout_diff": place[1] - place[0],
        "slope_diff": slope[1] - slope[0],
        "mismatch": np.where(np.isnan(squeeze).any(axis=0), np.nan, tight[0] != tight[1]),
    }


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("line", "both"): lines,
    ("trend_diff", "both"): trends,
    ("moments", "both"): spreads,
    ("correlation", "both"): lagged,
    ("bands", "both"): bands,
}
