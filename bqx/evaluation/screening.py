"""What single columns say about the innovation: rank correlations with tests that hold.

Labels of neighbouring minutes share returns and columns hardly change within a day, so that rows
are no independent observations: the tests sum over days, as `inference.ic_test` does.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Series = NDArray[np.float64]
Rows = NDArray[np.int64]


def day_products(values: NDArray[np.floating], labels: Series, block: Rows) -> Series:
    """(blocks, C, H) sums of the products of standardised ranks of columns and labels.

    Parameters
    ----------
    values : (n, C) columns; rows where one is NaN do not count for it.
    labels : (n, H) innovations in sigma; rows where one is NaN count for none.
    block : (n,) number of each row's day, from 0.

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
            ranked[key] = _standard_ranks(labels[rows])
        ranks = _standard_ranks(column[rows, None])
        for horizon, products in enumerate((ranks * ranked[key]).T):
            out[:, number, horizon] = np.bincount(block[rows], products, len(out)) / len(products)
    return out


def _standard_ranks(values: NDArray[np.floating]) -> Series:
    """Ranks of each column less their mean, in standard deviations; NaN where all are the same."""
    ranks = stats.rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    with np.errstate(invalid="ignore"):
        return ranks / ranks.std(axis=0)


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
