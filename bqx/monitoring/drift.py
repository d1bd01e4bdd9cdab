"""Drift of inputs, with alarms that allow for autocorrelation.

The population stability index (PSI) of a column compares its distribution in later rows with the
deciles of the training rows. Neighbouring rows hardly differ, so a few days are a small sample
however many rows they have, and a fixed threshold alarms at random. Here whole runs of days are
taken out of the training rows and compared with the rest, as often as there are days: that is how
far the index goes without drift, column by column and for all columns together.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bqx.errors import ParameterError

Counts = NDArray[np.float64]

BINS = 10
CONFIDENCE = 0.95
"""Chance that no column of a panel alarms when nothing has drifted."""
RESAMPLES = 400
SMALLEST = 1e-4
"""Share put into an empty bin, the usual guard of the index."""


def psi(expected: Counts, actual: Counts) -> NDArray[np.float64]:
    """Population stability index of counts in bins, over the last axis.

    >>> psi(np.array([50.0, 50.0]), np.array([50.0, 50.0])).item()
    0.0
    """
    p, q = _shares(expected), _shares(actual)
    return ((q - p) * np.log(q / p)).sum(axis=-1)


def _shares(counts: Counts) -> Counts:
    return np.maximum(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1.0), SMALLEST)


def kl(expected: Counts, actual: Counts) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of the later counts from the expected ones, nats.

    >>> kl(np.array([50.0, 50.0]), np.array([50.0, 50.0])).item()
    0.0
    """
    p, q = _shares(expected), _shares(actual)
    return (q * np.log(q / p)).sum(axis=-1)


FIXED = {
    "KL above 0.1 (warning)": ("kl", 0.1),
    "KL above 0.2": ("kl", 0.2),
    "KL above 0.3 (critical)": ("kl", 0.3),
    "PSI above 0.2": ("psi", 0.2),
    "mean moved by over 0.05": ("mean_shift", 0.05),
}
"""Thresholds that the field's documents state, of an index each, whatever the columns' memory. The
unit of the shift of a mean is none of theirs: here it is the column's deviation."""


def fixed(
    expected: Counts, actual: Counts, mean_shift: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """(F,) indices that fixed thresholds judge: psi, kl and mean_shift.

    Parameters
    ----------
    expected, actual : (F, BINS) counts.
    mean_shift : (F,) shift of the mean, deviations of the column.
    """
    return {"psi": psi(expected, actual), "kl": kl(expected, actual), "mean_shift": mean_shift}


def by_fixed_thresholds(columns: pd.DataFrame) -> dict[str, float]:
    """Share of columns that each of `FIXED` would have called drifted, of indices by `fixed`."""
    return {name: float((columns[index] > bound).mean()) for name, (index, bound) in FIXED.items()}


def _counts(
    values: NDArray[np.floating], day: NDArray[np.int64], edges: list[NDArray[np.floating]]
) -> Counts:
    """(D, F, BINS) counts of each day, of values (n, F) and days 0..D-1 (n,)."""
    out = np.zeros((int(day.max()) + 1, values.shape[1], BINS))
    for column, cuts in enumerate(edges):
        present = ~np.isnan(values[:, column])
        bins = np.searchsorted(cuts, values[present, column], side="right")
        np.add.at(out, (day[present], column, bins), 1.0)
    return out


def _undrifted(daily: Counts, length: int, seed: int) -> NDArray[np.float64]:
    """(R, F) log PSI of days taken out of the training rows, as it were of ``length`` days.

    Runs of neighbouring days, wherever they start, and as many more made of two runs.
    """
    days = len(daily)
    taken = min(length, days // 2)
    rng = np.random.default_rng(seed)
    total = daily.sum(axis=0)
    members = [(start + np.arange(taken)) % days for start in range(days)]
    for _ in range(RESAMPLES - days):
        split = int(rng.integers(1, taken)) if taken > 1 else 1
        first, gap = rng.integers(days), rng.integers(0, days - taken + 1)
        runs = np.concatenate((np.arange(split), split + gap + np.arange(taken - split)))
        members.append((first + runs) % days)
    # The index without drift is proportional to the sampling variance of both sides.
    ratio = (1 / length + 1 / days) / (1 / taken + 1 / (days - taken))
    out = np.empty((len(members), daily.shape[1]))
    for i, member in enumerate(members):
        inside = daily[member].sum(axis=0)
        out[i] = np.log(np.maximum(ratio * psi(total - inside, inside), 1e-12))
    return out


def drift(
    train: NDArray[np.floating],
    test: NDArray[np.floating],
    names: Sequence[str],
    *,
    days_train: NDArray[np.int64],
    seed: int,
) -> pd.DataFrame:
    """Compare the columns of later rows with those of the training rows.

    Parameters
    ----------
    train, test : (n, F) and (m, F) columns, thinned alike; NaN is left out.
    names : (F,) of the columns.
    days_train : (n,) trading day of each training row.
    seed : of the resampling.

    Returns
    -------
    One row per column: feature, psi, threshold, drifted. Without drift the chance that any is
    ``drifted`` is about 5 %. A column without training values is NaN and not judged.

    Raises
    ------
    ParameterError : fewer than four training days, or no rows.
    """
    day = np.unique(days_train, return_inverse=True)[1]
    days = int(day.max()) + 1 if len(day) else 0
    if days < 4 or len(test) == 0:
        raise ParameterError(
            f"drift: too little to compare, got {days} training days and {len(test)} later rows; "
            "expected at least 4 and 1. Take more bars."
        )
    quantiles = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = [
        np.nanquantile(column, quantiles) if np.isfinite(column).any() else quantiles
        for column in train.T
    ]
    daily = _counts(train, day, edges)
    (later,) = _counts(test, np.zeros(len(test), np.int64), edges)
    is_filled = daily.sum(axis=(0, 2)) > 0
    index = np.where(is_filled, psi(daily.sum(axis=0), later), np.nan)
    length = max(round(len(test) / (len(train) / days)), 1)
    threshold = _threshold(daily, is_filled, length, seed=seed)
    return pd.DataFrame(
        {"feature": list(names), "psi": index, "threshold": threshold, "drifted": index > threshold}
    )


def _threshold(
    daily: Counts, is_filled: NDArray[np.bool_], length: int, *, seed: int
) -> NDArray[np.float64]:
    """(F,) index beyond which a column of ``length`` days has drifted, NaN for an empty one."""
    undrifted = _undrifted(daily, length, seed)
    centre, spread = undrifted.mean(axis=0), np.maximum(undrifted.std(axis=0, ddof=1), 1e-9)
    farthest = ((undrifted - centre) / spread)[:, is_filled].max(axis=1, initial=0.0)
    # The training days hold few runs that do not overlap, and their spread is only an estimate.
    runs = max(len(daily) / min(length, len(daily) // 2), 2.0)
    doubt = stats.t.ppf(CONFIDENCE, runs) / stats.norm.ppf(CONFIDENCE)
    threshold = np.exp(centre + doubt * np.quantile(farthest, CONFIDENCE) * spread)
    return np.where(is_filled, threshold, np.nan)
