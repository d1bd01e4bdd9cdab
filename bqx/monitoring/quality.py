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
    A row a feature: feature, table, domain, ``missing`` (share of rows), ``outside`` (share of
    values beyond the range that the catalog states), ``outliers`` (share of values, NaN where half
    of them are equal), ``constant``, mean, deviation, skewness, excess kurtosis, quantiles.
    """
    return pd.DataFrame([_feature(values[:, i], each) for i, each in enumerate(members)])


def _feature(column: NDArray[np.float32], feature: Feature) -> dict[str, Any]:
    held = column[~np.isnan(column)].astype(np.float64)
    lo, hi = (bound - side * _ROUNDING * abs(bound) if np.isfinite(bound) else bound
              for bound, side in ((feature.lo, 1), (feature.hi, -1)))  # fmt: skip
    there = len(held) > 0
    quantiles = np.quantile(held, QUANTILES) if there else np.full(len(QUANTILES), np.nan)
    spread = (quantiles[3] - quantiles[1]) / ROBUST
    far = np.abs(held - quantiles[2]) > OUTLIER * spread
    constant = there and held.min() == held.max()
    return {
        "feature": feature.name,
        "table": feature.table,
        "domain": feature.domain,
        "missing": np.isnan(column).mean() if len(column) else np.nan,
        "outside": ((held < lo) | (held > hi)).mean() if there else np.nan,
        "outliers": far.mean() if spread > 0 else np.nan,
        "constant": constant,
        "mean": held.mean() if there else np.nan,
        "deviation": held.std(ddof=1) if len(held) > 1 else np.nan,
        "skewness": stats.skew(held) if there and not constant else np.nan,
        "kurtosis": stats.kurtosis(held) if there and not constant else np.nan,
        **{f"q{share * 100:02.0f}": q for share, q in zip(QUANTILES, quantiles, strict=True)},
    }


def coverage(bars: Bars) -> dict[str, Any]:
    """Bars of a pair against the minutes of its grid: rows, traded, filled, holes and shares."""
    missing = np.isnan(bars.close)
    filled = bars.frame["filled"].to_numpy(dtype=bool)
    absent = {
        name: bool(bars.frame[name].isna().all()) for name in ("volume", "spread")
    }  # fmt: skip
    return {
        "pair": bars.pair,
        "rows": len(bars),
        "traded": float((~missing & ~filled).mean()),
        "filled": float(filled.mean()),
        "missing": float(missing.mean()),
        "no_volume": absent["volume"],
        "no_spread": absent["spread"],
    }


def gaps(bars: Bars) -> pd.DataFrame:
    """Holes of a pair that no close was carried through, longest first: pair, first, minutes."""
    missing = np.isnan(bars.close)
    edges = np.flatnonzero(np.diff(np.r_[False, missing, False].astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    found = pd.DataFrame(
        {"pair": bars.pair, "first": bars.ts[starts], "minutes": stops - starts}
    ).sort_values("minutes", ascending=False, kind="stable")
    return found.reset_index(drop=True)


def duplicates(values: NDArray[np.float32], members: Sequence[Feature]) -> pd.DataFrame:
    """Columns of different domains that order the rows alike, or one the other way round.

    Parameters
    ----------
    values : (n, F) some rows of all features; NaN where a value is absent.

    Returns
    -------
    A row a couple: feature, other, their domains, rank ``correlation``, strongest first.
    """
    there = ~np.isnan(values)
    # An absent value stands at the mean rank: two columns are one only where both are absent.
    ranks = np.where(there, stats.rankdata(values, axis=0, nan_policy="omit"), 0.0)
    count = np.maximum(there.sum(axis=0), 1)
    centred = np.where(there, ranks - ranks.sum(axis=0) / count, 0.0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(length > 0, length, np.inf)
    correlation = unit.T @ unit
    domains = np.array([feature.domain for feature in members])
    couples = np.argwhere(
        np.triu(np.abs(correlation) >= DUPLICATE, 1) & (domains[:, None] != domains[None, :])
    )
    rows = [
        {"feature": members[i].name, "other": members[j].name, "domain": members[i].domain,
         "other_domain": members[j].domain, "correlation": float(correlation[i, j])}
        for i, j in couples
    ]  # fmt: skip
    columns = ["feature", "other", "domain", "other_domain", "correlation"]
    found = pd.DataFrame(rows, columns=columns)
    order = found["correlation"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[order].reset_index(drop=True)


def by_table(found: pd.DataFrame) -> pd.DataFrame:
    """Features of all pairs by table: how many, and the worst or the median of each measure."""
    grouped = found.groupby("table", sort=True)
    return pd.DataFrame(
        {
            "features": grouped["feature"].nunique(),
            "missing": grouped["missing"].max(),
            "outside": grouped["outside"].max(),
            "outliers": grouped["outliers"].max(),
            "constant": grouped["constant"].sum(),
            "skewness": grouped["skewness"].median(),
            "kurtosis": grouped["kurtosis"].median(),
        }
    )


def missing_by_pair(found: pd.DataFrame) -> pd.DataFrame:
    """Mean share of absent values, tables by pairs."""
    table: pd.DataFrame = found.pivot_table(index="table", columns="pair", values="missing")
    return table


def summary(found: pd.DataFrame, covered: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The report in a few numbers."""
    return {
        "pairs": found["pair"].nunique(),
        "features": found["feature"].nunique(),
        "traded minutes": float(np.mean([each["traded"] for each in covered])),
        "absent values": float(found["missing"].mean()),
        "beyond their range": int((found["outside"] > 0).sum()),
        "constant": int(found["constant"].sum()),
    }
