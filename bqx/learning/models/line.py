"""What a linear model on standardised columns keeps, however it was fitted."""

import json
from dataclasses import dataclass, field

import numpy as np

from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Model, Vector
from bqx.learning.models.design import Matrix, design
from bqx.learning.models.scaler import Scaler, linear

FILE = "coefficients.json"


@dataclass
class Line(Model):
    """A scale and coefficients, (C, H); no intercept, so that no label drift is learnt."""

    alpha: float = 1.0
    scaler: Scaler = field(init=False, repr=False)
    coefficients: Vector = field(init=False, repr=False)

    def predict(self, X: Input) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        return linear(self.scaler.apply(design(X).values), self.coefficients)

    def contributions(self, X: Matrix, seed: int = 0) -> Vector:
        """(n, C, H) exact SHAP values against columns at their mean."""
        return np.asarray(self.scaler.apply(X)[:, :, None] * self.coefficients[None])

    def parts(self) -> Parts:
        """Scale and coefficients as JSON, in which 64-bit floats survive."""
        learnt = self.scaler.to_json() | {"coefficients": self.coefficients.tolist()}
        return {FILE: json.dumps(learnt, sort_keys=True, allow_nan=False).encode()}

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave."""
        learnt = json.loads(parts[FILE])
        self.scaler = Scaler.from_json(learnt)
        self.coefficients = np.array(learnt["coefficients"], np.float64)
