"""Quality of published features and of the bars behind them.

A value is an outlier when it lies more than ``OUTLIER`` robust standard deviations (the
interquartile range over 1.349) from the median: heavy tails reach some way beyond three, a broken
feed goes far beyond ten.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bqx.compiled import kernel
from bqx.features.spec import Feature
from bqx.market.bars import Bars

OUTLIER = 10.0
ROBUST = 1.349
"""Interquartile range of a normal distribution, standard deviations."""

DUPLICATE = 0.9999
"""Rank correlation from which two columns count as one."""

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

_ROUNDING = 1e-5
"""Part of a bound by which a float32 may lie beyond it."""


def features(values: NDArray[np.float32], members: Sequence[Feature]) -> pd.DataFrame:
    """Quality of features.

    Parameters
    ----------
    values : (T, F) rows after warm-up; NaN where a value is absent.
    members : (F,) what they are.

    Returns
    -------
    One row per feature: feature, table, domain, ``missing`` (share of rows), ``outside`` (share of
    values beyond the range that the catalog states), ``outliers`` (share of values, NaN where half
    of them are equal), ``constant``, mean, deviation, skewness, excess kurtosis, quantiles.
    """
    return pd.DataFrame([_feature(values[:, i], feature) for i, feature in enumerate(members)])


def _feature(column: NDArray[np.float32], feature: Feature) -> dict[str, Any]:
    # In order, NaN last: shares beyond a bound and quantiles are then places, not passes.
    ordered = np.sort(column)
    present = ordered[: int(np.searchsorted(ordered, np.nan))].astype(np.float64)
    slack = _ROUNDING * np.nan_to_num(np.abs([feature.lo, feature.hi]), posinf=0.0)
    count = len(present)
    quantiles = np.full(len(QUANTILES), np.nan)
    moments = np.full(4, np.nan)
    if count:
        below, between = np.divmod(np.array(QUANTILES) * (count - 1), 1.0)
        low = below.astype(np.int64)
        high = np.minimum(low + 1, count - 1)
        quantiles = present[low] + between * (present[high] - present[low])
        moments = _moments(present)
    spread = (quantiles[3] - quantiles[1]) / ROBUST
    middle, far = quantiles[2], OUTLIER * spread
    constant = count > 0 and present[0] == present[-1]
    mean, variance, third, fourth = moments
    has_shape = count > 0 and not constant
    return {
        "feature": feature.name,
        "table": feature.table,
        "domain": feature.domain,
        "missing": (len(column) - count) / len(column) if len(column) else np.nan,
        "outside": _beyond(present, feature.lo - slack[0], feature.hi + slack[1]),
        "outliers": _beyond(present, middle - far, middle + far) if spread > 0 else np.nan,
        "constant": constant,
        "mean": mean,
        "deviation": np.sqrt(variance * count / (count - 1)) if count > 1 else np.nan,
        "skewness": third / variance**1.5 if has_shape else np.nan,
        "kurtosis": fourth / variance**2 - 3.0 if has_shape else np.nan,
        **{f"q{share * 100:02.0f}": q for share, q in zip(QUANTILES, quantiles, strict=True)},
    }


def _beyond(ordered: NDArray[np.float64], lo: float, hi: float) -> float:
    """Share of ordered values below ``lo`` or above ``hi``, NaN where there are none."""
    inside = np.searchsorted(ordered, hi, "right") - np.searchsorted(ordered, lo)
    return (len(ordered) - inside) / len(ordered) if len(ordered) else np.nan


@kernel
def _moments(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, and second to fourth moments about it: (4,)."""
    out = np.zeros(4)
    out[0] = x.mean()
    for value in x:
        apart = value - out[0]
        square = apart * apart
        out[1] += square
        out[2] += square * apart
        out[3] += square * square
    out[1:] /= len(x)
    return out


def coverage(bars: Bars) -> dict[str, Any]:
    """Bars of a pair against the minutes of its grid: rows, traded, filled, holes and shares."""
    missing = np.isnan(bars.close)
    filled = bars.frame["filled"].to_numpy(dtype=bool)
    return {
        "pair": bars.pair,
        "rows": len(bars),
        "traded": float((~missing & ~filled).mean()),
        "filled": float(filled.mean()),
        "missing": float(missing.mean()),
        "no_volume": bool(np.isnan(bars.volume).all()),
        "no_spread": bool(np.isnan(bars.spread).all()),
    }


def gaps(bars: Bars) -> pd.DataFrame:
    """Holes of a pair that no close was carried through, longest first: pair, first, minutes."""
    missing = np.isnan(bars.close)
    edges = np.flatnonzero(np.diff(np.r_[False, missing, False].astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    holes = pd.DataFrame({"pair": bars.pair, "first": bars.ts[starts], "minutes": stops - starts})
    return holes.sort_values("minutes", ascending=False, kind="stable", ignore_index=True)


def duplicates(values: NDArray[np.float32], members: Sequence[Feature]) -> pd.DataFrame:
    """Columns of different domains that order the rows alike, or in opposite order.

    Parameters
    ----------
    values : (n, F) some rows of all features; NaN where a value is absent.

    Returns
    -------
    One row per couple: feature, other, their domains, rank ``correlation``, strongest first.
    """
    present = ~np.isnan(values)
    # An absent value stands at the mean rank: two columns are one only where both are absent.
    ranks = np.where(present, stats.rankdata(values, axis=0, nan_policy="omit"), 0.0)
    count = np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, ranks - ranks.sum(axis=0) / count, 0.0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(length > 0, length, np.inf)
    correlation = unit.T @ unit
    domains = np.array([feature.domain for feature in members])
    names = np.array([feature.name for feature in members])
    alike = np.triu(np.abs(correlation) >= DUPLICATE, 1) & (domains[:, None] != domains)
    first, second = np.nonzero(alike)
    couples = pd.DataFrame(
        {
            "feature": names[first],
            "other": names[second],
            "domain": domains[first],
            "other_domain": domains[second],
            "correlation": correlation[first, second],
        }
    )
    strongest = np.argsort(-couples["correlation"].abs().to_numpy(), kind="stable")
    return couples.iloc[strongest].reset_index(drop=True)


def by_table(measured: pd.DataFrame) -> pd.DataFrame:
    """Features of all pairs by table: how many, and the worst or the median of each measure."""
    return measured.groupby("table", sort=True).agg(
        features=("feature", "nunique"),
        missing=("missing", "max"),
        outside=("outside", "max"),
        outliers=("outliers", "max"),
        constant=("constant", "sum"),
        skewness=("skewness", "median"),
        kurtosis=("kurtosis", "median"),
    )


def missing_by_pair(measured: pd.DataFrame) -> pd.DataFrame:
    """Mean share of absent values, tables by pairs."""
    table: pd.DataFrame = measured.pivot_table(index="table", columns="pair", values="missing")
    return table


def summary(measured: pd.DataFrame, covered: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The report in a few numbers."""
    return {
        "pairs": measured["pair"].nunique(),
        "features": measured["feature"].nunique(),
        "traded minutes": float(np.mean([pair["traded"] for pair in covered])),
        "absent values": float(measured["missing"].mean()),
        "beyond their range": int((measured["outside"] > 0).sum()),
        "constant": int(measured["constant"].sum()),
    }
