"""Statistics of columns by day, as deciles, means, deviations and correlations."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.learning import dependence

Matrix = NDArray[np.float32]
Series = NDArray[np.float64]
Days = NDArray[np.int64]

BINS = 10
CUT = 5.0
"""Deviations at which values are cut off before they are summed."""
_MIDDLE = 4.653
"""Width of the middle 98 % of a normal distribution, standard deviations."""


@kernel
def _said(values: Series, neighbours: Days, weights: Series) -> float:
    """What the neighbours of a column say of it, NaN where one of them is absent."""
    said = 0.0
    for k in range(len(neighbours)):
        p = neighbours[k]
        if p >= len(values):
            said += weights[k] * abs(values[p - len(values)])
        elif p >= 0:
            said += weights[k] * values[p]
    return said


@kernel(nogil=True)
def _summed(
    x: Matrix,
    day: Days,
    days: int,
    edges: Series,
    *,
    scaled: Series,
    cut: Series,
    neighbours: Days,
    weights: Series,
) -> tuple[Series, Series, Series]:
    """(D, F, BINS) counts, (D, F) missing, (D, F, 8) sums of v, v v, and where the neighbours are
    there of n, w, w w, v w, v, v v beside what these say, w, of values scaled by (F, 2) centres and
    deviations and cut off."""
    rows, width = x.shape
    counts = np.zeros((days, width, edges.shape[1] + 1))
    missing = np.zeros((days, width))
    sums = np.zeros((days, width, 8))
    values = np.empty(width)
    for t in range(rows):
        d = day[t]
        for f in range(width):
            value = float(x[t, f])
            values[f] = min(max((value - scaled[f, 0]) / scaled[f, 1], -cut[f]), cut[f])
            if np.isnan(value):
                values[f] = np.nan
                missing[d, f] += 1.0
                continue
            place = 0
            for k in range(edges.shape[1]):
                if value >= edges[f, k]:
                    place += 1
            counts[d, f, place] += 1.0
            sums[d, f, 0] += values[f]
            sums[d, f, 1] += values[f] * values[f]
        for f in range(width):
            if np.isnan(values[f]) or neighbours[f, 0] < 0:
                continue
            w = _said(values, neighbours[f], weights[f])
            if not np.isnan(w):
                sums[d, f, 2] += 1.0
                sums[d, f, 3] += w
                sums[d, f, 4] += w * w
                sums[d, f, 5] += values[f] * w
                sums[d, f, 6] += values[f]
                sums[d, f, 7] += values[f] * values[f]
    return counts, missing, sums


@dataclass(frozen=True, eq=False)
class DayStatistics:
    """Statistics of each of D days of F columns.

    ``days`` : (D,) trading days, see `sessions.trading_days`.
    ``counts`` : (D, F, BINS) rows by the baseline's deciles; ``missing`` : (D, F) rows without a
    value; ``mean``, ``deviation`` : (D, F) of values scaled by `scale_of` and cut off;
    ``correlation`` : (D, F) with what the column's neighbours say, NaN without any, see
    `dependence`.
    """

    days: Days
    counts: Series
    missing: Series
    mean: Series
    deviation: Series
    correlation: Series

    @property
    def rows(self) -> Series:
        """(D, F) rows with a value."""
        return self.counts.sum(axis=2)


def memory(values: Series) -> Series:
    """(F,) correlation of (D, F) values of days with those of the day before."""
    valid = np.isfinite(values)
    centred = np.where(valid, values, 0.0) - np.where(valid, values, 0.0).sum(axis=0) / np.maximum(
        valid.sum(axis=0), 1
    )
    centred[~valid] = 0.0
    square = (centred**2).sum(axis=0)
    return (centred[1:] * centred[:-1]).sum(axis=0) / np.where(square > 0, square, 1.0)


def scale_of(columns: pd.DataFrame) -> Series:
    """(F, 2) centre and deviation by which columns are scaled: their median, and what their middle
    98 % would have as deviation were they normal; heavy tails would blow up any other."""
    spread = (columns["p99"] - columns["p01"]).to_numpy(np.float64) / _MIDDLE
    deviation = np.where(spread > 0, spread, columns["std"].to_numpy(np.float64))
    deviation = np.where(deviation > 0, deviation, 1.0)
    return np.column_stack((columns["p50"].to_numpy(np.float64), deviation))


def scaled(x: Matrix, columns: pd.DataFrame) -> Series:
    """(n, F) values scaled and cut off as those of `DayStatistics`."""
    scale = scale_of(columns)
    return np.asarray(np.clip((x - scale[:, 0]) / scale[:, 1], *cuts(columns)))


def cuts(columns: pd.DataFrame) -> tuple[Series, Series]:
    """(F,) least and largest scaled values; a column that wanders is not cut off."""
    most = np.where(columns["wanders"].to_numpy(bool), np.inf, CUT)
    return -most, most


def day_statistics(x: Matrix, day: Days, columns: pd.DataFrame) -> DayStatistics:
    """Statistics by day of rows of a baseline's columns.

    Parameters
    ----------
    x : (n, F) values; NaN is counted as missing.
    day : (n,) trading day of each row.
    columns : (F rows) of the baseline, see `Baseline`.
    """
    days, place = np.unique(day, return_inverse=True)
    edges = columns[[f"decile_{k}" for k in range(1, BINS)]].to_numpy(np.float64)
    neighbours, weights = dependence.of(columns)
    counts, missing, sums = _summed(
        np.ascontiguousarray(x, np.float32),
        place.astype(np.int64),
        len(days),
        edges,
        scaled=scale_of(columns),
        cut=cuts(columns)[1],
        neighbours=neighbours,
        weights=weights,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = counts.sum(axis=2)
        mean = sums[..., 0] / rows
        deviation = np.sqrt(np.maximum(sums[..., 1] / rows - mean**2, 0.0))
        # The column's own mean is of rows in which a neighbour may be absent.
        both, w, ww, vw, v, vv = np.moveaxis(sums[..., 2:], -1, 0)
        covariance = vw / both - v / both * w / both
        of_column = np.maximum(vv / both - (v / both) ** 2, 0.0)
        spread = np.sqrt(of_column * np.maximum(ww / both - (w / both) ** 2, 0.0))
        correlation = np.where(spread > 1e-9, np.clip(covariance / spread, -1.0, 1.0), np.nan)
    return DayStatistics(days, counts, missing, mean, deviation, correlation)
