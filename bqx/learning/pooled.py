"""A model of all pairs, fold by fold: rows of every pair, one fit, and each pair's forecasts."""

import time
from collections.abc import Mapping, Sequence

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
from bqx.learning.models import Design, Matrix, Model, Vector, make
from bqx.learning.screening import Screen
from bqx.parallel import over_pairs
from bqx.params import Params


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
    early, late, train, whole = [], [], [], []
    for pair_lesson in lessons.values():
        first, last = samples.stopping_parts(pair_lesson.train, pair_lesson.horizon)
        early.append((pair_lesson.x[first], pair_lesson.y[first], pair_lesson.weight[first]))
        late.append((pair_lesson.x[last], pair_lesson.y[last], pair_lesson.weight[last]))
        train.append((pair_lesson.x, pair_lesson.y, pair_lesson.weight))
        x, y = (
            np.concatenate((pair_lesson.x, pair_lesson.later_x)),
            np.concatenate((pair_lesson.y, pair_lesson.later_y)),
        )
        whole.append((x, y, pair_lesson.all_weight))
    pairs = tuple(lessons)
    later, labels, _ = _stacked(pairs, late)
    rows, early_labels, weight = _stacked(pairs, early)
    chosen = model.fit(rows, early_labels, weight=weight, validation=(later, labels))
    seen, final = (_stacked(pairs, parts) for parts in (train, whole))
    return (
        chosen.unfitted().fit(seen[0], seen[1], weight=seen[2]),
        chosen.unfitted().fit(final[0], final[1], weight=final[2]),
    )


def _stacked(
    pairs: Sequence[str], rows: Sequence[tuple[Matrix, Vector, Vector]]
) -> tuple[Design, Vector, Vector]:
    """Columns, labels and weights of all pairs, one after the other."""
    x, y, weight = (np.concatenate(values) for values in zip(*rows, strict=True))
    groups = tuple((pair, len(pair_rows[0])) for pair, pair_rows in zip(pairs, rows, strict=True))
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
