"""What a linear model on standardised columns keeps, however it was fitted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bqx.learning.models import artefact
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.scaler import Scaler, linear

Vector = NDArray[np.float64]

FILE = "coefficients.json"


@dataclass
class Line:
    """A scale and coefficients, (C, H); no intercept, so that no label drift is learnt."""

    NAME: ClassVar[str]

    penalty: float
    seed: int = 0
    scaler: Scaler = field(init=False, repr=False)
    coefficients: Vector = field(init=False, repr=False)

    def predict(self, x: Matrix | Design) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        return linear(self.scaler.apply(design(x).values), self.coefficients)

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        artefact.save(self, folder)

    def settings(self) -> dict[str, Any]:
        """Penalty and seed."""
        return {"penalty": self.penalty, "seed": self.seed}

    def parts(self) -> artefact.Parts:
        """Scale and coefficients as JSON, in which 64-bit floats survive."""
        held = self.scaler.to_json() | {"coefficients": self.coefficients.tolist()}
        return {FILE: json.dumps(held, sort_keys=True, allow_nan=False).encode()}

    @classmethod
    def restore(cls, settings: Mapping[str, Any], parts: artefact.Parts) -> Self:
        """The model of some settings and parts."""
        model = cls(float(settings["penalty"]), int(settings["seed"]))
        held = json.loads(parts[FILE])
        model.scaler = Scaler.from_json(held)
        model.coefficients = np.array(held["coefficients"], np.float64)
        return model
