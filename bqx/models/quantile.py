"""Boosted quantiles of the innovation, which never cross."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import xgboost
from numpy.typing import NDArray

from bqx.models import artefact
from bqx.models.design import Design, Matrix
from bqx.models.xgb import (
    BAG,
    LEAF,
    Validation,
    boost,
    boosting_of,
    forecasts,
    from_parts,
    settings_of,
    to_parts,
)

Vector = NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9)
"""Levels of the documents."""


@dataclass
class XGBoostQuantile:
    """A booster a horizon under the pinball loss of all levels together.

    ``rounds``, ``depth``, ``learning_rate``, ``bag``, ``leaf`` : as of `XGBoost`.
    """

    NAME: ClassVar[str] = "xgboost_quantile"

    rounds: int = 300
    depth: int = 2
    learning_rate: float = 0.05
    bag: float = BAG
    leaf: float = LEAF
    seed: int = 0
    boosters: tuple[xgboost.Booster, ...] = field(default=(), init=False, repr=False)

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: Validation | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; later rows, where given, choose the rounds."""
        own = {"objective": "reg:quantileerror", "quantile_alpha": np.array(QUANTILES)}
        self.rounds, self.boosters = boost(
            boosting_of(self) | own, self.rounds, x, y, weight, validation
        )
        return self

    def predict(self, x: Matrix | Design) -> Vector:
        """(n, H, Q) quantiles of (n, C) columns, ascending in the last axis."""
        # Levels are boosted by separate trees and may cross; in order they are no worse.
        return np.sort(np.stack(forecasts(self.boosters, x), axis=1), axis=2)

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        artefact.save(self, folder)

    def settings(self) -> dict[str, Any]:
        """Settings of the boosting."""
        return settings_of(self)

    def parts(self) -> artefact.Parts:
        """A UBJ file a horizon."""
        return to_parts(self.boosters)

    @classmethod
    def restore(cls, settings: Mapping[str, Any], parts: artefact.Parts) -> Self:
        """The model of some settings and parts."""
        model = cls(**settings)
        model.boosters = from_parts(parts)
        return model
