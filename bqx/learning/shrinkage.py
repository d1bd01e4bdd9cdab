"""How much of a forecast is kept: the share that rows it has not seen support.

The rows of all pairs say together, over all horizons, how much of a model's forecasts is kept: the
regression slope of label on forecast, times ``1 - 1 / t²`` where its t is above 1, else nothing. A
pair or a horizon departs from what all keep as far as its own slope departs beyond chance. Whether
there is information at all is another question, which a test answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
Rows = NDArray[np.int64]

BLOCK = 180
"""Rows whose products of forecast and label count as one observation."""


@dataclass(frozen=True, eq=False)
class Products:
    """What unseen rows of a pair say of its forecasts, summed over blocks of three hours.

    ``first`` : number of the first block since the grid's first row; ``products`` : (B, H) sums of
    forecast times label; ``power`` : (H,) sums of squared forecasts.
    """

    first: int
    products: Series
    power: Series


@dataclass(frozen=True)
class Evidence:
    """What unseen rows say for the forecasts of a model in one fold.

    ``t`` : statistic of all pairs and horizons together; ``betas`` : share of the pair's forecast
    that is kept at each horizon, 0 to 1.
    """

    t: float
    betas: dict[int, float]


def products(forecasts: Series, labels: Series, rows: Rows) -> Products:
    """Products of forecasts and labels of one pair.

    Parameters
    ----------
    forecasts, labels : (n, H) innovations in sigma; what lacks a label is NaN and does not count.
    rows : (n,) ascending rows of the grid.
    """
    first = int(rows[0]) // BLOCK
    block = rows // BLOCK - first
    finite = np.isfinite(labels)
    forecast = np.where(finite, forecasts, 0.0)
    weighed = forecast * np.where(finite, labels, 0.0)
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    sums = np.zeros((int(block[-1]) + 1, labels.shape[1]))
    sums[block[starts]] = np.add.reduceat(weighed, starts, axis=0)
    return Products(first, sums, (forecast**2).sum(axis=0))


def weigh(pairs: Mapping[str, Products], horizons: tuple[int, ...]) -> dict[str, Evidence]:
    """Weigh the forecasts of all pairs of a fold together.

    Blocks of all pairs are added up before their variance is taken, since pairs move together;
    twice the covariance of neighbouring blocks is part of it, since labels reach into the next.
    """
    start = min(pair_products.first for pair_products in pairs.values())
    stop = max(
        pair_products.first + len(pair_products.products) for pair_products in pairs.values()
    )
    sums = np.zeros((stop - start, len(pairs), len(horizons)))
    for number, pair_products in enumerate(pairs.values()):
        place = pair_products.first - start
        sums[place : place + len(pair_products.products), number] = pair_products.products
    # Closed weeks and the gaps that a purge leaves are no observations.
    sums = sums[np.any(sums != 0.0, axis=(1, 2))]
    power = np.array([pair_products.power for pair_products in pairs.values()])
    slope, error = _slope(sums.sum(axis=(1, 2)), float(power.sum()))
    t = slope / error if error > 0.0 else 0.0
    common = slope * max(1.0 - 1.0 / t**2, 0.0) if t > 0.0 else 0.0
    kept = np.full(power.shape, common)
    if error > 0.0:
        kept += _departures(sums.sum(axis=2), power.sum(axis=1), slope)[:, None]
        kept += _departures(sums.sum(axis=1), power.sum(axis=0), slope)
    kept = np.where(power > 0.0, np.clip(kept, 0.0, 1.0), 0.0)
    return {
        pair: Evidence(float(t), dict(zip(horizons, slopes.tolist(), strict=True)))
        for pair, slopes in zip(pairs, kept, strict=True)
    }


def _slope(sums: Series, power: float) -> tuple[float, float]:
    """Slope of label on forecast from the sums of blocks, and its standard error, 0 for none."""
    if len(sums) < 2 or power <= 0.0:
        return 0.0, 0.0
    off = sums - sums.mean()
    alone = float(off @ off)
    variance = alone + 2.0 * float(off[1:] @ off[:-1])
    return float(sums.sum()) / power, float(np.sqrt(variance if variance > 0.0 else alone)) / power


def _departures(sums: Series, power: Series, common: float) -> Series:
    """(K,) what the slopes of (B, K) blocks depart from the common one beyond chance.

    Beyond chance is what their spread has over its expected value and one standard error more, as
    a slope is kept where its t is above 1.

    Source: DerSimonian and Laird (1986), the variance between studies by moments.
    """
    slopes, errors = np.array([_slope(*column) for column in zip(sums.T, power, strict=True)]).T
    measured = errors > 0.0
    if measured.sum() < 2:
        return np.zeros(len(slopes))
    precision = np.where(measured, 1.0, 0.0) / np.where(measured, errors, 1.0) ** 2
    free = measured.sum() - 1
    spread = float(precision @ (slopes - common) ** 2) - free - np.sqrt(2.0 * free)
    scale = precision.sum() - (precision**2).sum() / precision.sum()
    between = max(spread / scale, 0.0)
    return np.where(measured, between / (between + errors**2 + np.finfo(np.float64).tiny), 0.0) * (
        slopes - common
    )
