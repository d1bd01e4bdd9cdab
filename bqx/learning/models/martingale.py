"""The forecast of one who knows nothing, which every other model has to beat."""

import json
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Later, Model, Vector, Weight
from bqx.learning.models.design import Matrix, design

FILE = "horizons.json"


@dataclass
class Martingale(Model):
    """An innovation of 0 at every horizon; a fit learns nothing but how many there are."""

    NAME: ClassVar[str] = "martingale"

    horizons: int = field(default=0, init=False)

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Count the horizons of (n, H) labels."""
        self.horizons = y.shape[1]
        return self

    def predict(self, X: Input) -> Vector:
        """(n, H) zeros."""
        return np.zeros((len(design(X)), self.horizons))

    def contributions(self, X: Matrix, seed: int = 0) -> Vector:
        """(n, C, H) zeros."""
        return np.zeros((*X.shape, self.horizons))

    def parts(self) -> Parts:
        """Number of horizons."""
        return {FILE: json.dumps(self.horizons).encode()}

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave."""
        self.horizons = int(json.loads(parts[FILE]))
