"""Estimators that stand alone, and so may be members of an ensemble."""

from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bqx.learning.models.artefact import Storable
from bqx.learning.models.design import Design, Matrix
from bqx.learning.models.elasticnet import ElasticNet
from bqx.learning.models.forest import RandomForest
from bqx.learning.models.martingale import Martingale
from bqx.learning.models.multihorizon import MultiHorizon
from bqx.learning.models.multitask import MultiTask
from bqx.learning.models.quantile import XGBoostQuantile
from bqx.learning.models.ridge import Ridge
from bqx.learning.models.transformer import Transformer
from bqx.learning.models.xgb import XGBoost

Vector = NDArray[np.float64]


class Estimator(Storable, Protocol):
    """What training, bundles and serving ask of a model.

    The fields of its constructor are its settings. A fit with a validation part chooses those that
    need choosing and leaves the choice in the field, so that ``dataclasses.replace`` gives an
    unfitted model with the same choice.
    """

    NAME: ClassVar[str]
    seed: int

    def __init__(self, *rest: Any, **settings: Any) -> None: ...

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: tuple[Matrix | Design, Vector] | None = None,
    ) -> Self:
        """Fit to (n, C) columns, (n, H) labels and (n,) weights of the rows."""

    def predict(self, x: Matrix | Design) -> Vector:
        """Forecasts (n, H) of (n, C) columns, or quantiles (n, H, Q)."""

    def save(self, folder: Path) -> None:
        """Write the model's folder, without pickle."""


ALONE: dict[str, type[Estimator]] = {
    "martingale": Martingale,
    "ridge": Ridge,
    "elasticnet": ElasticNet,
    "forest": RandomForest,
    "xgboost": XGBoost,
    "xgboost_quantile": XGBoostQuantile,
    "multi_horizon": MultiHorizon,
    "multi_task": MultiTask,
    "tft": Transformer,
}
"""Estimators by name, the simpler before the more complex."""


def point(forecast: Vector) -> Vector:
    """(n, H) point forecasts: those given, or the middle one of (n, H, Q) quantiles."""
    return forecast if forecast.ndim == 2 else forecast[:, :, forecast.shape[2] // 2]
