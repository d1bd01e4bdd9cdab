"""Estimators, one a file, behind one small interface."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bqx.models.xgb import XGBoost

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]


class Estimator(Protocol):
    """What training, bundles and serving ask of a model.

    ``rounds`` : rounds, trees or epochs; the most before the fit, those kept after it.
    """

    rounds: int

    def __init__(self, rounds: int, depth: int, learning_rate: float, seed: int) -> None: ...

    def fit(self, x: Matrix, y: Vector, validation: tuple[Matrix, Vector] | None = None) -> Self:
        """Fit to (n, C) columns and (n,) labels; later rows, where given, stop the fit early."""

    def predict(self, x: Matrix) -> Vector:
        """Forecasts (n,) of (n, C) columns."""

    def save(self, path: Path) -> None:
        """Write the model to a file, without pickle."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model that ``save`` wrote."""


MODELS: dict[str, type[Estimator]] = {"xgboost": XGBoost}
"""Estimators by name."""
