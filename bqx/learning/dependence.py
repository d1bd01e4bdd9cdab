"""What a column's neighbours say of it: the other columns from which it follows best.

A column may go along with the size of another and not with its sign, so that absolute values are
neighbours too.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Series = NDArray[np.float64]
Codes = NDArray[np.int64]

MOST = 6
"""Neighbours of a column."""
LEAST, SAME = 0.3, 0.999
"""Least correlation of a column with what its neighbours say, and from which on another column is
none, since the two are one."""
ROWS = 10_000
"""Rows by which neighbours are chosen."""
_RIDGE = 0.01
"""Added to the variance of each, so that neighbours that are nearly one share a weight."""
_NAMES = [(f"neighbour_{k}", f"weight_{k}") for k in range(1, MOST + 1)]


def none(columns: int) -> pd.DataFrame:
    """Columns without neighbours."""
    return _frame(np.full((columns, MOST), -1), np.zeros((columns, MOST)))


def of(columns: pd.DataFrame) -> tuple[Codes, Series]:
    """(F, MOST) neighbours and their weights.

    A neighbour is the number of a column, with F added where its absolute value counts; -1 is none.
    """
    codes, weights = (columns[list(names)].to_numpy() for names in zip(*_NAMES, strict=True))
    return codes.astype(np.int64), weights.astype(np.float64)


def thinned(rows: int) -> slice:
    """Those of so many rows by which neighbours are chosen."""
    return slice(None, None, max(rows // ROWS, 1))


def chosen(values: Series, day: Codes) -> pd.DataFrame:
    """Neighbours of (n, F) scaled columns, which tell their differences within a day.

    Parameters
    ----------
    values : see `day_statistics.scaled`; NaN counts as the day's mean.
    day : (n,) trading day of each row, ascending.
    """
    within = _within(np.concatenate((values, np.abs(values)), axis=1), day)
    deviation = np.sqrt((within**2).mean(axis=0))
    within /= np.where(deviation > 0, deviation, np.inf)
    product = within.T @ within / len(within)
    width = values.shape[1]
    codes, weights = np.full((width, MOST), -1), np.zeros((width, MOST))
    for column in np.flatnonzero(deviation[:width] > 0).tolist():
        correlations = product[column]
        allowed = (deviation > 0) & (np.abs(correlations) <= SAME)
        allowed[[column, column + width]] = False
        best, weight = _best(product, correlations, allowed)
        length = np.sqrt(weight @ product[np.ix_(best, best)] @ weight)
        if weight @ correlations[best] > LEAST * length:
            codes[column, : len(best)] = best
            weights[column, : len(best)] = weight / deviation[best]
    return _frame(codes, weights)


def _within(values: Series, day: Codes) -> Series:
    """Differences of (n, F) values from the mean of their day, 0 for NaN."""
    finite, starts = np.isfinite(values), np.flatnonzero(np.diff(day, prepend=day[0] - 1))
    filled = np.where(finite, values, 0.0)
    mean = np.add.reduceat(filled, starts) / np.maximum(
        np.add.reduceat(finite, starts, dtype=int), 1
    )
    rows = np.diff(np.append(starts, len(day)))
    return np.asarray(np.where(finite, values - np.repeat(mean, rows, axis=0), 0.0))


def _best(product: Series, known: Series, allowed: NDArray[np.bool_]) -> tuple[Codes, Series]:
    """Numbers of the columns that together say most of one, chosen one after the other, and their
    weights.

    Parameters
    ----------
    product : (G, G) correlations; known : (G,) those with the column; allowed : (G,).
    """
    best: list[int] = []
    weight = np.zeros(0)
    for _ in range(min(MOST, int(allowed.sum()))):
        rest = known - product[:, best] @ weight
        rest[best] = 0.0
        best.append(int(np.where(allowed, np.abs(rest), -1.0).argmax()))
        square = product[np.ix_(best, best)] + _RIDGE * np.eye(len(best))
        weight = np.asarray(np.linalg.solve(square, known[best]), np.float64)
    return np.array(best, np.int64), weight


def _frame(codes: Codes, weights: Series) -> pd.DataFrame:
    columns: dict[str, Series | Codes] = {}
    for k, (neighbour, weight) in enumerate(_NAMES):
        columns |= {neighbour: codes[:, k], weight: weights[:, k]}
    return pd.DataFrame(columns)
