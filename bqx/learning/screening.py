"""Which columns pooled models read: those that go with the labels of all pairs, day after day.

A column's products with the labels, both standardised per pair, are summed over all pairs in
consecutive parts of the training rows. What counts is the mean of these parts against their
variation, so that a slow column, whose luck lasts for days, needs more of it than a fast one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import fold_columns, samples
from bqx.learning.facts import Facts
from bqx.learning.fold_columns import FoldColumns
from bqx.learning.folds import Fold
from bqx.learning.models.scaler import Scaler
from bqx.learning.selection import copies, standardised, useful
from bqx.parallel import over_pairs
from bqx.params import Params

Rows = NDArray[np.int64]
Vector = NDArray[np.float64]

PARTS = 40
"""Consecutive parts of the training rows."""
COMPARED = 8
"""Columns that are looked at for copies, for each one that is chosen."""
_WIDTH = 64


@dataclass(frozen=True)
class Screen:
    """Columns of a fold, best first.

    ``strength`` : of each column, mean square of its t over the horizons, about 1 by chance;
    ``candidates`` : columns that were ranked; ``dropped`` : why the others were not.
    """

    columns: tuple[str, ...]
    strength: tuple[float, ...]
    candidates: int
    dropped: dict[str, str]


@dataclass(frozen=True, eq=False)
class Scores:
    """What a pair says of all columns in a fold: facts, and (PARTS, C, H) sums of products."""

    facts: Facts
    sums: NDArray[np.float32]


def screen_all(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    params: Params,
) -> tuple[Screen, ...]:
    """Choose the columns of pooled models on every fold, from the training rows of all pairs.

    Parameters
    ----------
    histories : of all pairs, on one grid.
    columns : candidates.
    folds : over the rows of the grid.
    params : horizons, target_window, stride, selected, workers and backend are read.

    Raises
    ------
    ParameterError : too few rows to learn from, or no column left.
    """
    scores: dict[str, tuple[Scores, ...]] = {}
    over_pairs(
        score_pair,
        {pair: (history, columns, folds, params) for pair, history in histories.items()},
        params.workers,
        write=scores.__setitem__,
        backend=params.backend,
    )
    return choose_all(scores, histories, columns, folds, params)


def score_pair(
    history: History, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> tuple[Scores, ...]:
    """What a pair's training rows say of all columns, fold by fold."""
    return tuple(map(score, fold_columns.training(history, columns, folds, params)))


def score(known: FoldColumns) -> Scores:
    """What a pair's columns on the training rows of a fold say."""
    edges = np.linspace(known.fold.train[0], known.fold.train[-1] + 1, PARTS + 1)
    starts = np.searchsorted(known.rows, edges)
    with threadpool_limits(1):
        return Scores(known.facts, _sums(known.x, known.y / known.scale, starts))


def _sums(x: NDArray[np.float32], y: Vector, starts: Rows) -> NDArray[np.float32]:
    out = np.zeros((PARTS, x.shape[1], y.shape[1]), np.float32)
    for left in range(0, x.shape[1], _WIDTH):
        # A few columns at a time are all that is ever held in 64 bits.
        block = x[:, left : left + _WIDTH]
        z = Scaler.fit(block).apply(block)
        for number, (start, stop) in enumerate(pairwise(starts)):
            out[number, left : left + _WIDTH] = z[start:stop].T @ y[start:stop]
    return out


def choose_all(
    scores: Mapping[str, Sequence[Scores]],
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    params: Params,
) -> tuple[Screen, ...]:
    """Choose on every fold by the scores of all pairs, see `screen_all`."""
    first = next(iter(histories.values()))
    return tuple(
        choose(
            [scores[pair][number] for pair in histories], first, columns, fold=fold, params=params
        )
        for number, fold in enumerate(folds)
    )


def choose(
    scores: Sequence[Scores],
    history: History,
    columns: Sequence[Column],
    *,
    fold: Fold,
    params: Params,
) -> Screen:
    """Choose by the scores of all pairs; ``history`` of one of them tells copies apart."""
    sums = np.sum([pair_scores.sums for pair_scores in scores], axis=0, dtype=np.float64)
    noise = np.sqrt(np.maximum((sums**2).sum(axis=0), np.finfo(np.float64).tiny))
    strength = ((sums.sum(axis=0) / noise) ** 2).mean(axis=1)
    candidates, dropped = useful(_together([pair_scores.facts for pair_scores in scores]), columns)
    order = candidates[np.argsort(-strength[candidates], kind="stable")]
    near = order[: COMPARED * params.selected]
    labels = samples.labels_of(samples.targets_of(history.bars, params))
    rows = samples.training_rows(history.bars, columns, fold, labels, params)
    looked_at = [columns[i] for i in near]
    x = history.matrix(looked_at, rows, samples.fits_of(history.bars, looked_at, fold))
    with threadpool_limits(1):
        ranks = np.arange(len(near))
        copied = copies(standardised(x, ranks), ranks)
    chosen = [i for rank, i in enumerate(near.tolist()) if rank not in copied][: params.selected]
    return Screen(
        columns=tuple(columns[i].name for i in chosen),
        strength=tuple(strength[chosen].tolist()),
        candidates=len(candidates),
        dropped=dropped,
    )


def _together(facts: Sequence[Facts]) -> Facts:
    """Means over pairs; a column that is constant in one of them is so for all."""
    mean = {
        name: np.mean([getattr(pair_facts, name) for pair_facts in facts], axis=0)
        for name in ("absent", "between", "relevance")
    }
    constant = np.any([pair_facts.constant for pair_facts in facts], axis=0)
    deviation = np.where(constant, 0.0, 1.0)
    return Facts(mean=np.ones_like(deviation), deviation=deviation, **mean)
