"""What single columns say about the innovation: rank correlations with tests that hold.

Labels of neighbouring minutes share returns and columns hardly change within a day, so that rows
are no independent observations: the tests sum over days, as `inference.ic_test` does.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bqx.compiled import kernel

Series = NDArray[np.float64]
Rows = NDArray[np.int64]


def day_products(values: NDArray[np.floating], labels: Series, block: Rows) -> Series:
    """(blocks, C, H) sums of the products of standardised ranks of columns and labels.

    Parameters
    ----------
    values : (n, C) columns; rows where one is NaN do not count for it.
    labels : (n, H) innovations in sigma; rows where one is NaN count for none.
    block : (n,) number of each row's day, or part of a day, from 0.

    The sums of a column and a label add up to their information coefficient. They are NaN where
    one of the two has the same value everywhere, or fewer than two.
    """
    out = np.full((int(block.max()) + 1, values.shape[1], labels.shape[1]), np.nan)
    labelled = np.isfinite(labels).all(axis=1)
    ranked: dict[bytes, Series] = {}
    for number, column in enumerate(values.T):
        rows = labelled & np.isfinite(column)
        if rows.sum() < 2:
            continue
        key = np.packbits(rows).tobytes()
        if key not in ranked:
            ranked[key] = np.column_stack([standard_ranks(label) for label in labels[rows].T])
        sums = np.zeros((len(out), labels.shape[1]))
        _add_products(standard_ranks(column[rows]), ranked[key], block[rows], sums)
        out[:, number] = sums / rows.sum()
    return out


def standard_ranks(values: NDArray[np.floating]) -> Series:
    """(n,) ranks less their mean, in standard deviations, ties at their mean rank; NaN where all
    are the same.

    >>> standard_ranks(np.array([3.0, 1.0, 1.0, 9.0])).round(3).tolist()
    [0.471, -0.943, -0.943, 1.414]
    """
    values = np.ascontiguousarray(values)
    return np.asarray(_ranks(values, np.argsort(values)))


@kernel
def _ranks(values: NDArray[np.floating], order: Rows) -> Series:
    n = len(values)
    out = np.empty(n)
    power, start = 0.0, 0
    while start < n:
        stop = start + 1
        while stop < n and values[order[stop]] == values[order[start]]:
            stop += 1
        centred = 0.5 * (start + stop - n)
        for i in range(start, stop):
            out[order[i]] = centred
        power += (stop - start) * centred * centred
        start = stop
    return out / np.sqrt(power / n)


@kernel
def _add_products(ranks: Series, labels: Series, block: Rows, sums: Series) -> None:
    for i in range(len(ranks)):
        for horizon in range(labels.shape[1]):
            sums[block[i], horizon] += ranks[i] * labels[i, horizon]


def turnover(values: NDArray[np.floating], follows: NDArray[np.bool_]) -> Series:
    """(C,) how far a column's rank moves from row to row, 1 where it moves as chance draws.

    Parameters
    ----------
    values : (n, C) columns.
    follows : (n,) rows that stand one step after the row before them.

    NaN for a column that has no two such rows, or the same value everywhere.
    """
    out = np.full(values.shape[1], np.nan)
    for number, column in enumerate(values.T):
        finite = np.isfinite(column)
        steps = follows[1:] & finite[1:] & finite[:-1]
        if not steps.any():
            continue
        ranks = np.full(len(column), np.nan)
        ranks[finite] = standard_ranks(column[finite])
        # Two draws of a uniform rank of deviation 1 lie 2 / sqrt(3) apart on average.
        out[number] = np.abs(np.diff(ranks)[steps]).mean() * np.sqrt(3.0) / 2.0
    return out


def tested(sums: Series) -> tuple[Series, Series, Series]:
    """(C, H) information coefficients, Student's t and two-sided p-values from sums of days.

    Parameters
    ----------
    sums : (blocks, C, H) of `day_products`, of one pair or the mean of several.
    """
    blocks = len(sums)
    ic = sums.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = sums.mean(axis=0) / sums.std(axis=0, ddof=1) * np.sqrt(blocks)
    return ic, t, 2.0 * stats.t.sf(np.abs(t), blocks - 1)


def false_discovery_rate(p: Series) -> Series:
    """(n,) smallest false discovery rate at which each test is a discovery; NaN stays NaN.

    Source: Benjamini and Yekutieli (2001), valid whatever the dependence between the tests.
    """
    out = np.full(len(p), np.nan)
    finite = np.isfinite(p)
    if finite.any():
        out[finite] = stats.false_discovery_control(p[finite], method="by")
    return out
