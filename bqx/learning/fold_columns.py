"""Columns of a pair on the training rows of every fold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import samples
from bqx.learning.facts import Facts, facts_of
from bqx.learning.folds import Fold
from bqx.market import sessions
from bqx.params import Params

Rows = NDArray[np.int64]
Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FoldColumns:
    """Columns of a pair on the training rows of a fold.

    ``rows`` : (n,), see `samples.training_rows`; ``x`` : (n, C); ``y`` : (n, H) labels, cut off;
    ``scale`` : (H,) deviations of the labels before; ``facts`` : of the columns.
    """

    fold: Fold
    rows: Rows
    x: Matrix
    y: Vector
    scale: Vector
    facts: Facts


def training(
    history: History, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> Iterator[FoldColumns]:
    """Columns of a pair on the training rows of each fold.

    What no fold fits is the same in all of them, and read once.

    Raises
    ------
    ParameterError : too few rows to learn from.
    """
    bars = history.bars
    labels = samples.labels_of(samples.targets_of(bars, params))
    by_fold = [samples.training_rows(bars, columns, fold, labels, params) for fold in folds]
    rows_of_all = np.unique(np.concatenate(by_fold))
    fitted = np.array([bool(column.feature.fit_key) for column in columns])
    fitted_columns = [column for column in columns if column.feature.fit_key]
    every = np.empty((len(rows_of_all), len(columns)), np.float32)
    every[:, ~fitted] = history.matrix(
        [column for column in columns if not column.feature.fit_key], rows_of_all
    )
    for fold, rows in zip(folds, by_fold, strict=True):
        x = every[np.searchsorted(rows_of_all, rows)]
        if fitted_columns:
            x[:, fitted] = history.matrix(
                fitted_columns, rows, samples.fits_of(bars, fitted_columns, fold)
            )
        scale = samples.scale_of(labels, rows)
        y = samples.cut(labels, rows, scale)
        with threadpool_limits(1):
            facts = facts_of(x, y, sessions.trading_days(bars.minutes[rows]))
        yield FoldColumns(fold, rows, x, y, np.array(list(scale.values())), facts)
