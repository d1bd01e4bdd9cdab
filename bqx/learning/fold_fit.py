"""One pair in one fold: what a model learns, and what of its forecasts is kept.

A model chooses its settings on the last training rows, the share of the forecast that is kept is
chosen on the validation rows of all pairs, and the model that forecasts the test rows is fitted on
training and validation rows both.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.feature_store.history import History
from bqx.features.engine.fitting import Fits
from bqx.features.lags import Column
from bqx.files import peak_mb
from bqx.learning import conformal, losses, samples, shrinkage
from bqx.learning.conformal import Calibration
from bqx.learning.folds import Fold
from bqx.learning.models import Design, Matrix, Model, Vector, forecasts
from bqx.learning.shrinkage import Evidence, Products
from bqx.learning.targets import Target
from bqx.learning.weights import uniqueness
from bqx.market.bars import Bars
from bqx.params import Params

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Learnt:
    """What a pair has learnt in one fold, before anything of it is kept.

    ``columns`` : in the model's order; ``fits`` : what their fitted families learnt; ``model`` : of
    all horizons, for the rows that follow; ``trained_until`` : open of the last bar that it has
    seen; ``rows`` : rows that the model was fitted on; ``seconds`` : of the fits; ``peak_mb`` :
    most memory of the process until then.
    ``train``, ``validation`` : rows; ``unseen`` : (validation, H) forecasts of a model of the
    training rows alone; ``products`` : of these with the labels; ``ahead`` : (test, H) forecasts.
    """

    number: int
    columns: tuple[Column, ...]
    fits: Fits
    model: Model
    trained_until: pd.Timestamp
    rows: int
    seconds: float
    peak_mb: float
    train: Rows
    validation: Rows
    unseen: Matrix
    products: Products
    ahead: Vector


@dataclass(frozen=True)
class FoldFit:
    """What a pair has learnt in one fold, see `Learnt`, and what is kept of it.

    ``evidence`` : for its forecasts; ``calibration`` : of each horizon's intervals.
    ``validated`` : squared errors of the validation rows by day and horizon, of the share of the
    forecast that is kept (``loss``) and of the martingale (``known_loss``), in sigma squared.
    """

    number: int
    columns: tuple[Column, ...]
    fits: Fits
    evidence: Evidence
    model: Model
    calibration: dict[int, Calibration]
    trained_until: pd.Timestamp
    rows: int
    seconds: float
    peak_mb: float
    validated: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Lesson:
    """Rows of a pair that a fold learns from, with their columns and labels.

    ``train`` : rows, ``x`` : (n, C) their columns, ``y`` : (n, H) their labels, cut off.
    ``later`` : every stride-th validation row that has all labels, with ``later_x``, ``later_y``.
    """

    train: Rows
    x: Matrix
    y: Vector
    later: Rows
    later_x: Matrix
    later_y: Vector
    horizon: int

    @cached_property
    def weight(self) -> Vector:
        """(n,) weights of the training rows, mean 1."""
        return uniqueness(self.train, self.horizon)

    @property
    def all_weight(self) -> Vector:
        """Weights of training and later rows together, mean 1."""
        return uniqueness(np.concatenate((self.train, self.later)), self.horizon)


def lesson_rows(
    bars: Bars, columns: Sequence[Column], fold: Fold, labels: Mapping[int, Vector], params: Params
) -> tuple[Rows, Rows]:
    """Rows of the training and of the validation part that a fold learns from.

    Raises ParameterError for too few of them.
    """
    train = samples.training_rows(bars, columns, fold, labels, params)
    complete = np.all([np.isfinite(label[fold.validation]) for label in labels.values()], axis=0)
    return train, fold.validation[complete][:: params.stride]


def lesson(rows: tuple[Rows, Rows], x: Sequence[Matrix], labels: Mapping[int, Vector]) -> Lesson:
    """What a fold learns from, of the two `lesson_rows` and the columns at each of them."""
    train, later = rows
    scale = samples.scale_of(labels, train)
    return Lesson(
        train=train,
        x=x[0],
        y=samples.cut(labels, train, scale),
        later=later,
        later_x=x[1],
        later_y=samples.cut(labels, later, scale),
        horizon=max(labels),
    )


def fit_models(model: Model, rows: Lesson) -> tuple[Model, Model]:
    """Models of the training rows, and of these and the later ones, by the same settings."""
    chosen = model
    if model.CHOOSES:
        early, late = samples.stopping_parts(rows.train, rows.horizon)
        validation = (rows.x[late], rows.y[late])
        chosen = model.fit(
            rows.x[early], rows.y[early], weight=rows.weight[early], validation=validation
        )
    unseen = chosen.unfitted().fit(Design(rows.x), rows.y, weight=rows.weight)
    final = chosen.unfitted().fit(
        np.concatenate((rows.x, rows.later_x)),
        np.concatenate((rows.y, rows.later_y)),
        weight=rows.all_weight,
    )
    final.aside = chosen.aside
    return unseen, final


def learn_fold(
    history: History,
    columns: Sequence[Column],
    fold: Fold,
    *,
    model: Model,
    targets: Mapping[int, Target],
    params: Params,
) -> Learnt:
    """Fit an unfitted model of all horizons on one fold.

    ``columns`` : chosen ones, of which the model says what it reads; ``params`` : stride is read.

    Raises ParameterError for too few rows to learn from.
    """
    bars, columns = history.bars, model.reads(columns)
    labels = samples.labels_of(targets)
    fits = samples.fits_of(bars, columns, fold)
    learnt, asked = lesson_rows(bars, columns, fold, labels, params), forecast_rows(bars, fold)
    x = history.matrices(columns, (*learnt, *asked), fits)
    rows = lesson(learnt, x[:2], labels)
    start = time.perf_counter()
    models = fit_models(model, rows)
    seconds = round(time.perf_counter() - start, 3)
    return forecast_fold(
        bars,
        columns,
        fold,
        x[2:],
        fits=fits,
        rows=rows,
        models=models,
        labels=labels,
        seconds=seconds,
    )


def forecast_rows(bars: Bars, fold: Fold) -> tuple[Rows, Rows]:
    """Rows of the validation part, where there are bars, and of the test part."""
    return fold.validation[np.isfinite(bars.close[fold.validation])], fold.test


def forecast_fold(
    bars: Bars,
    columns: Sequence[Column],
    fold: Fold,
    x: Sequence[Matrix],
    *,
    fits: Fits,
    rows: Lesson,
    models: tuple[Model, Model],
    labels: Mapping[int, Vector],
    seconds: float,
) -> Learnt:
    """Forecasts of a fold's validation and test rows by the two models of `fit_models`.

    ``x`` : the columns at the two `forecast_rows`.
    """
    (validation, _), (seen, final) = forecast_rows(bars, fold), models
    unseen = forecasts(seen, x[0], len(labels))
    truth = np.column_stack([label[validation] for label in labels.values()])
    return Learnt(
        number=fold.number,
        columns=tuple(columns),
        fits=fits,
        model=final,
        trained_until=bars.ts[fold.last_seen],
        rows=len(rows.train) + len(rows.later),
        seconds=seconds,
        peak_mb=peak_mb(),
        train=rows.train,
        validation=validation,
        unseen=unseen.astype(np.float32),
        products=shrinkage.products(unseen, truth, validation),
        ahead=forecasts(final, x[1], len(labels)),
    )


def keep(
    bars: Bars,
    learnt: Learnt,
    evidence: Evidence,
    *,
    targets: Mapping[int, Target],
    coverage: float,
) -> FoldFit:
    """What of a fold's forecasts is kept, with their intervals and errors on validation rows."""
    minutes, nothing = bars.minutes[learnt.validation], np.zeros(len(learnt.validation))
    calibration, daily = {}, []
    for number, (horizon, target) in enumerate(targets.items()):
        kept = evidence.betas[horizon] * learnt.unseen[:, number].astype(np.float64)
        calibration[horizon] = conformal.learn(
            target,
            bars.minutes,
            kept,
            train=learnt.train,
            validation=learnt.validation,
            coverage=coverage,
        )
        label = target.label("innovation")[learnt.validation]
        errors = losses.by_day(minutes, label, {"loss": kept, "known_loss": nothing})
        daily.append(errors.assign(horizon=horizon))
    return FoldFit(
        number=learnt.number,
        columns=learnt.columns,
        fits=learnt.fits,
        evidence=evidence,
        model=learnt.model,
        calibration=calibration,
        trained_until=learnt.trained_until,
        rows=learnt.rows,
        seconds=learnt.seconds,
        peak_mb=learnt.peak_mb,
        validated=pd.concat(daily, ignore_index=True),
    )
