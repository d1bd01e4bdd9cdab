"""The forecast of one who knows nothing, which every other estimator has to beat."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bqx.learning.models import artefact
from bqx.learning.models.design import Design, Matrix, design

Vector = NDArray[np.float64]


@dataclass
class Martingale:
    """An innovation of 0 at every horizon."""

    NAME: ClassVar[str] = "martingale"

    seed: int = 0
    horizons: int = field(default=0, init=False)

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: tuple[Matrix | Design, Vector] | None = None,
    ) -> Self:
        """Learn nothing but the number of horizons of (n, H) labels."""
        self.horizons = y.shape[1]
        return self

    def predict(self, x: Matrix | Design) -> Vector:
        """(n, H) zeros."""
        return np.zeros((len(design(x)), self.horizons))

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        artefact.save(self, folder)

    def settings(self) -> dict[str, Any]:
        """Seed and number of horizons."""
        return {"seed": self.seed, "horizons": self.horizons}

    def parts(self) -> artefact.Parts:
        """No files."""
        return {}

    @classmethod
    def restore(cls, settings: Mapping[str, Any], parts: artefact.Parts) -> Self:
        """The model of some settings."""
        model = cls(int(settings["seed"]))
        model.horizons = int(settings["horizons"])
        return model
