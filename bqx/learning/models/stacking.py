"""A linear model of several models' forecasts, pulled towards their mean."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bqx.learning.models.base import Vector
from bqx.learning.models.ensemble import Ensemble

PULL = 0.1
"""Pull towards equal weights, as a share of the forecasts' mean power."""


@dataclass
class Stacking(Ensemble):
    """One weight per member and horizon, by least squares pulled towards equal weights."""

    NAME: ClassVar[str] = "stacking"

    def _weights(self, forecasts: Vector, labels: Vector) -> Vector:
        horizons = range(labels.shape[1])
        return np.column_stack([_pulled(forecasts[:, :, h], labels[:, h]) for h in horizons])


def _pulled(forecasts: Vector, labels: Vector) -> Vector:
    """(M,) least squares weights of (M, m) forecasts, pulled towards equal ones."""
    count = len(forecasts)
    gram = forecasts @ forecasts.T
    pull = PULL * np.trace(gram) / count + np.finfo(np.float64).tiny
    equal = np.full(count, 1.0 / count)
    return np.linalg.solve(gram + pull * np.eye(count), forecasts @ labels + pull * equal)
