"""Ridge regression on standardised columns, without an intercept: no label drift is learnt."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.models import artefact
from bqx.models.design import Design, Matrix, design
from bqx.models.scaler import Scaler, linear

Vector = NDArray[np.float64]

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties that a validation part chooses from, a row."""
FILE = "coefficients.json"


@dataclass
class Ridge:
    """Least squares with ``penalty`` times the rows on the squared coefficients.

    ``penalty`` : a validation part replaces it by the best of `PENALTIES` for all horizons.
    """

    NAME: ClassVar[str] = "ridge"

    penalty: float = 1.0
    seed: int = 0
    scaler: Scaler = field(init=False, repr=False)
    coefficients: Vector = field(init=False, repr=False)

    # Sums of BLAS depend on the number of its threads.
    @threadpool_limits.wrap(limits=1)
    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: tuple[Matrix | Design, Vector] | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; later rows, where given, choose the penalty."""
        values = design(x).values
        share = np.full(len(y), 1.0 / len(y)) if weight is None else weight / weight.sum()
        self.scaler = Scaler.fit(values, share)
        z = self.scaler.apply(values)
        weighed = z * share[:, None]
        power, axes = np.linalg.eigh(weighed.T @ z)
        power = np.maximum(power, 0.0)
        along = axes.T @ (weighed.T @ y)

        def solve(penalty: float) -> Vector:
            return np.asarray(axes @ (along / (power + penalty)[:, None]))

        if validation is not None:
            later = self.scaler.apply(design(validation[0]).values)
            errors = [np.sum((validation[1] - later @ solve(p)) ** 2) for p in PENALTIES]
            self.penalty = PENALTIES[int(np.argmin(errors))]
        self.coefficients = solve(self.penalty)
        return self

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
        return {FILE: coefficients_to(self.scaler, self.coefficients)}

    @classmethod
    def restore(cls, settings: Mapping[str, Any], parts: artefact.Parts) -> Self:
        """The model of some settings and parts."""
        model = cls(float(settings["penalty"]), int(settings["seed"]))
        model.scaler, model.coefficients = coefficients_from(parts[FILE])
        return model


def coefficients_to(scaler: Scaler, coefficients: Vector) -> bytes:
    """JSON of a linear model."""
    held = scaler.to_json() | {"coefficients": coefficients.tolist()}
    return json.dumps(held, sort_keys=True, allow_nan=False).encode()


def coefficients_from(content: bytes) -> tuple[Scaler, Vector]:
    """Scale and coefficients that ``coefficients_to`` wrote."""
    held = json.loads(content)
    return Scaler.from_json(held), np.array(held["coefficients"], np.float64)
