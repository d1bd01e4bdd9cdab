"""One pair in one fold: settings, evidence, intervals, and the model that forecasts.

A model chooses its settings on the last training rows, the share of the forecast that is kept is
chosen on the validation rows, and the model that forecasts the test rows is fitted on both.
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
from bqx.learning import conformal, losses, samples
from bqx.learning.conformal import Calibration
from bqx.learning.folds import Fold
from bqx.learning.models import Design, Matrix, Model, Vector, point
from bqx.learning.shrinkage import Evidence, weigh
from bqx.learning.targets import Target
from bqx.learning.weights import uniqueness
from bqx.market.bars import Bars
from bqx.params import Params

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class FoldFit:
    """What a pair has learnt in one fold.

    ``columns`` : in the model's order; ``fits`` : what their fitted families learnt; ``model`` : of
    all horizons, for the rows that follow; ``calibration`` : of each horizon's intervals;
    ``trained_until`` : open of the last bar that it has seen; ``rows`` : rows that the model was
    fitted on; ``seconds`` : of the fits; ``peak_mb`` : most memory of the process until then.
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


@dataclass(frozen=True)
class _Learning:
    """Training and validation rows of a fold with their columns, and labels of all rows."""

    train: Rows
    validation: Rows
    x: Matrix
    later: Matrix
    labels: Mapping[int, Vector]

    @property
    def horizon(self) -> int:
        return max(self.labels)

    @cached_property
    def scale(self) -> dict[int, float]:
        return samples.scale_of(self.labels, self.train)

    @cached_property
    def y(self) -> Vector:
        return samples.cut(self.labels, self.train, self.scale)

    @cached_property
    def weight(self) -> Vector:
        return uniqueness(self.train, self.horizon)

    def choose(self, model: Model) -> Model:
        """The model fitted on the first rows, its settings chosen on the last."""
        early, late = samples.stopping_parts(self.train, self.horizon)
        validation = (self.x[late], self.y[late])
        return model.fit(
            self.x[early], self.y[early], weight=self.weight[early], validation=validation
        )

    def unseen(self, chosen: Model) -> dict[int, Vector]:
        """Forecasts of the validation rows by horizon, of a model of the training rows."""
        fit = chosen.unfitted().fit(Design(self.x), self.y, weight=self.weight)
        return dict(zip(self.labels, point(fit.predict(self.later)).T, strict=True))

    def refit(self, chosen: Model, stride: int) -> tuple[Model, int]:
        """A model of the training and validation rows together, and their number."""
        labels = [np.isfinite(label[self.validation]) for label in self.labels.values()]
        kept = np.flatnonzero(np.all(labels, axis=0))[::stride]
        rows = self.validation[kept]
        x = np.concatenate((self.x, self.later[kept]))
        y = np.concatenate((self.y, samples.cut(self.labels, rows, self.scale)))
        weight = uniqueness(np.concatenate((self.train, rows)), self.horizon)
        return chosen.unfitted().fit(x, y, weight=weight), len(x)

    def calibrate(
        self,
        bars: Bars,
        targets: Mapping[int, Target],
        kept: Mapping[int, Vector],
        coverage: float,
    ) -> dict[int, Calibration]:
        """Intervals of the forecasts that are kept of the validation rows."""
        rows = {"train": self.train, "validation": self.validation}
        return {
            horizon: conformal.learn(target, bars.minutes, kept[horizon], **rows, coverage=coverage)
            for horizon, target in targets.items()
        }

    def validated(self, bars: Bars, kept: Mapping[int, Vector]) -> pd.DataFrame:
        """Squared errors of the forecasts that are kept, see `FoldFit`."""
        minutes, nothing = bars.minutes[self.validation], np.zeros(len(self.validation))
        daily = [
            losses.by_day(
                minutes,
                self.labels[horizon][self.validation],
                {"loss": forecast, "known_loss": nothing},
            ).assign(horizon=horizon)
            for horizon, forecast in kept.items()
        ]
        return pd.concat(daily, ignore_index=True)


def fit_fold(
    history: History,
    columns: Sequence[Column],
    fold: Fold,
    *,
    model: Model,
    targets: Mapping[int, Target],
    params: Params,
    tests: int,
) -> FoldFit:
    """Fit an unfitted model of all horizons on one fold.

    ``columns`` : chosen ones, of which the model says what it reads; ``params`` : stride and
    coverage are read; ``tests`` : number of such fits in the family of tests.

    Raises ParameterError for too few rows to learn from.
    """
    bars, columns = history.bars, model.reads(columns)
    labels = samples.labels_of(targets)
    train = samples.training_rows(bars, columns, fold, labels, params)
    validation = fold.validation[np.isfinite(bars.close[fold.validation])]
    fits = samples.fits_of(bars, columns, fold)
    x, later = (history.matrix(columns, rows, fits) for rows in (train, validation))
    learning = _Learning(train, validation, x, later, labels)

    start = time.perf_counter()
    chosen = learning.choose(model)
    unseen = learning.unseen(chosen)
    truth = {horizon: label[validation] for horizon, label in labels.items()}
    evidence = weigh(unseen, truth, validation, tests)
    kept = {horizon: evidence.betas[horizon] * unseen[horizon] for horizon in labels}
    final, rows = learning.refit(chosen, params.stride)
    return FoldFit(
        number=fold.number,
        columns=columns,
        fits=fits,
        evidence=evidence,
        model=final,
        calibration=learning.calibrate(bars, targets, kept, params.coverage),
        trained_until=bars.ts[fold.last_seen],
        rows=rows,
        seconds=round(time.perf_counter() - start, 3),
        peak_mb=peak_mb(),
        validated=learning.validated(bars, kept),
    )
