"""A model of all pairs, fold by fold: rows of every pair, one fit, and each pair's forecasts."""

import time
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import samples
from bqx.learning.fold_fit import (
    Learnt,
    Lesson,
    forecast_fold,
    forecast_rows,
    lesson,
    lesson_rows,
)
from bqx.learning.folds import Fold
from bqx.learning.models import Design, Later, Matrix, Model, Vector, make
from bqx.learning.screening import Screen
from bqx.parallel import over_pairs
from bqx.params import Params

Parts = Mapping[str, Sequence[tuple[Matrix, Vector, Vector]]]
"""Columns, labels and weights of each pair, which may come in several parts."""


def learn_all(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    screens: Sequence[Screen],
    params: Params,
    name: str,
) -> dict[str, tuple[Learnt, ...]]:
    """Fit a pooled model on every fold, and forecast each pair's validation and test rows.

    Nothing of a fold's fit depends on bars after its ``last_seen``, of whatever pair. The order of
    the pairs is that of ``histories``, whichever is ready first.

    Parameters
    ----------
    histories : of all pairs, on one grid.
    screens : columns of each fold.
    params : horizons, target_window, stride, workers, backend and the model's own are read.

    Raises
    ------
    BqxError : pairs failed, such as for too few rows to learn from.
    """
    by_name = {column.name: column for column in columns}
    learnt: dict[str, list[Learnt]] = {pair: [] for pair in histories}
    for fold, screen in zip(folds, screens, strict=True):
        chosen = make(name, params).reads([by_name[column] for column in screen.columns])
        of_fold = _learn_fold(histories, chosen, fold, model=make(name, params), params=params)
        for pair, fold_learnt in of_fold.items():
            learnt[pair].append(fold_learnt)
    return {pair: tuple(by_fold) for pair, by_fold in learnt.items()}


def _learn_fold(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    fold: Fold,
    *,
    model: Model,
    params: Params,
) -> dict[str, Learnt]:
    arrived: dict[str, Lesson] = {}
    tasks = {pair: (history, columns, fold, params) for pair, history in histories.items()}
    over_pairs(_lesson, tasks, params.workers, write=arrived.__setitem__, backend=params.backend)
    lessons = {pair: arrived[pair] for pair in histories}
    start = time.perf_counter()
    unseen, final = fit_models(model, lessons)
    seconds = round((time.perf_counter() - start) / len(histories), 3)
    forecasts: dict[str, Learnt] = {}
    over_pairs(
        _forecast,
        {
            pair: (
                *(history, columns, fold, params),
                *(lessons[pair], (unseen.of(pair), final.of(pair)), seconds),
            )
            for pair, history in histories.items()
        },
        params.workers,
        write=forecasts.__setitem__,
        backend=params.backend,
    )
    return forecasts


def fit_models(model: Model, lessons: Mapping[str, Lesson]) -> tuple[Model, Model]:
    """Models of all pairs' training rows, and of these and the later ones, by the same settings."""
    chosen = _chosen(model, lessons)
    # One after the other, since what all pairs have stacked is what takes most memory.
    train = {pair: [(of.x, of.y, of.weight)] for pair, of in lessons.items()}
    unseen = _fitted(chosen.unfitted(), train)
    whole = {}
    for pair, of in lessons.items():
        weight, rows = of.all_weight, len(of.train)
        later = (of.later_x, of.later_y, weight[rows:])
        whole[pair] = [(of.x, of.y, weight[:rows]), later]
    return unseen, _fitted(chosen.unfitted(), whole)


def _chosen(model: Model, lessons: Mapping[str, Lesson]) -> Model:
    """The model with settings that the last training rows of all pairs have chosen."""
    early, late = {}, {}
    for pair, of in lessons.items():
        first, last = samples.stopping_parts(of.train, of.horizon)
        early[pair] = [(of.x[first], of.y[first], of.weight[first])]
        late[pair] = [(of.x[last], of.y[last], of.weight[last])]
    later, labels, _ = _stacked(late)
    return _fitted(model, early, (later, labels))


def _fitted(model: Model, parts: Parts, validation: Later = None) -> Model:
    x, y, weight = _stacked(parts)
    return model.fit(x, y, weight=weight, validation=validation)


def _stacked(parts: Parts) -> tuple[Design, Vector, Vector]:
    """Columns, labels and weights of all pairs, one after the other."""
    x, y, weight = (
        np.concatenate(values) for values in zip(*chain.from_iterable(parts.values()), strict=True)
    )
    groups = tuple((pair, sum(len(part[0]) for part in of)) for pair, of in parts.items())
    return Design(x, groups), y, weight


def _lesson(history: History, columns: Sequence[Column], fold: Fold, params: Params) -> Lesson:
    labels = samples.labels_of(samples.targets_of(history.bars, params))
    fits = samples.fits_of(history.bars, columns, fold)
    rows = lesson_rows(history.bars, columns, fold, labels, params)
    return lesson(rows, history.matrices(columns, rows, fits), labels)


def _forecast(
    history: History,
    columns: Sequence[Column],
    fold: Fold,
    params: Params,
    rows: Lesson,
    models: tuple[Model, Model],
    seconds: float,
) -> Learnt:
    labels = samples.labels_of(samples.targets_of(history.bars, params))
    fits = samples.fits_of(history.bars, columns, fold)
    return forecast_fold(
        history.bars,
        columns,
        fold,
        history.matrices(columns, forecast_rows(history.bars, fold), fits),
        fits=fits,
        rows=rows,
        models=models,
        labels=labels,
        seconds=seconds,
    )
