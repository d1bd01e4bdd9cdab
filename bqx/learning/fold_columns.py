"""Columns of a pair on the training rows of every fold."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import samples
from bqx.learning.facts import Facts, facts_of
from bqx.learning.folds import Fold
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params

Rows = NDArray[np.int64]
Matrix = NDArray[np.float32]


def training(
    history: History,
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    labels: Mapping[int, NDArray[np.float64]],
    params: Params,
) -> Iterator[tuple[Rows, Matrix]]:
    """Training rows of each fold, see `samples.training_rows`, and (n, C) the columns on them.

    What no fold fits is the same in all of them, and read once.

    Raises
    ------
    ParameterError : too few rows to learn from.
    """
    bars = history.bars
    by_fold = [samples.training_rows(bars, columns, fold, labels, params) for fold in folds]
    rows_of_all = np.unique(np.concatenate(by_fold))
    fitted = np.array([bool(column.feature.fit_key) for column in columns])
    own = [column for column in columns if column.feature.fit_key]
    every = np.empty((len(rows_of_all), len(columns)), np.float32)
    every[:, ~fitted] = history.matrix(
        [column for column in columns if not column.feature.fit_key], rows_of_all
    )
    for fold, rows in zip(folds, by_fold, strict=True):
        x = every[np.searchsorted(rows_of_all, rows)]
        if own:
            x[:, fitted] = history.matrix(own, rows, samples.fits_of(bars, own, fold))
        yield rows, x


def facts(bars: Bars, rows: Rows, x: Matrix, labels: Mapping[int, NDArray[np.float64]]) -> Facts:
    """Facts of (n, C) columns on the training rows of a pair's fold, given its (T,) labels."""
    y = samples.cut(labels, rows, samples.scale_of(labels, rows))
    with threadpool_limits(1):
        return facts_of(x, y, sessions.trading_days(bars.minutes[rows]))
