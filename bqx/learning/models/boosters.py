"""What models of trees share: XGBoost grows and stores them, one booster per horizon.

Only a fit, many rows and SHAP values need it: a server walks the trees as stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bqx.learning.models import trees
from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Model, Vector, Weight
from bqx.learning.models.design import BINS, Design, Matrix, design

if TYPE_CHECKING:
    import xgboost

FEW = 64
"""Most rows that the compiled walk forecasts; XGBoost, block by block, is faster on many."""


@dataclass
class Boosters(Model):
    """Trees of XGBoost, one booster per horizon; NaN columns are read as they are.

    ``GROWTH`` : settings of XGBoost that all of them have; ``OBJECTIVE`` : what a fit minimises.
    """

    GROWTH: ClassVar[dict[str, Any]] = {"tree_method": "hist", "nthread": 1, "max_bin": BINS}
    # The forecast of one who knows nothing is 0, whatever the training rows drifted.
    OBJECTIVE: ClassVar[dict[str, Any]] = {"base_score": 0.0}

    stored: tuple[bytes, ...] = field(default=(), init=False, repr=False)

    @cached_property
    def boosters(self) -> tuple[xgboost.Booster, ...]:
        """One per horizon."""
        import xgboost

        boosters = []
        for content in self.stored:
            booster = xgboost.Booster({"nthread": 1})
            booster.load_model(bytearray(content))
            boosters.append(booster)
        return tuple(boosters)

    @cached_property
    def walked(self) -> trees.Trees:
        """The same, to be walked."""
        return trees.of(self.stored)

    def predict(self, X: Input) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        return self.outputs(X)

    def outputs(self, X: Input) -> Vector:
        """(n, H) forecasts of all boosters side by side, or (n, H x Q) where each has several."""
        values = np.ascontiguousarray(design(X).values)
        if len(values) > FEW:
            forecasts = [booster.inplace_predict(values) for booster in self.boosters]
            return np.column_stack(forecasts).astype(np.float64)
        return self.walked.predict(values).astype(np.float64)

    def contributions(self, X: Matrix, seed: int = 0) -> Vector:
        """(n, C, H) exact SHAP values against the rows that the trees have seen.

        Source: Lundberg et al. (2020), as XGBoost has it.
        """
        import xgboost

        rows = xgboost.DMatrix(X, nthread=1)
        values = [booster.predict(rows, pred_contribs=True) for booster in self.boosters]
        # Quantiles stand between rows and columns; the middle one is the forecast.
        middle = [v if v.ndim == 2 else v[:, v.shape[1] // 2] for v in values]
        return np.stack([v[:, :-1].astype(np.float64) for v in middle], axis=2)

    def parts(self) -> Parts:
        """One UBJ file per horizon."""
        return {f"{h}.ubj": content for h, content in enumerate(self.stored)}

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave."""
        self._take(tuple(parts[f"{h}.ubj"] for h in range(len(parts))))
        # Refuses what is no tree while the model is read.
        _ = self.walked

    @staticmethod
    def _weights(rows: Design, weight: Weight) -> Vector:
        """(n,) of the rows, mean 1."""
        return np.ones(len(rows)) if weight is None else weight / weight.mean()

    @classmethod
    def _binned(cls, rows: Design, weight: Weight) -> xgboost.QuantileDMatrix:
        """Rows in bins, with their weights."""
        binned = rows.binned
        binned.set_weight(cls._weights(rows, weight))
        return binned

    def _keep(self, boosters: Iterable[xgboost.Booster]) -> None:
        self._take(tuple(bytes(booster.save_raw("ubj")) for booster in boosters))

    def _take(self, stored: tuple[bytes, ...]) -> None:
        self.stored = stored
        for name in ("boosters", "walked"):
            vars(self).pop(name, None)
