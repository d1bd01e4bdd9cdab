"""Boosted quantiles of the innovation, which never cross."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bqx.learning.models.base import Input, Vector
from bqx.learning.models.xgb import XGBoost

QUANTILES = (0.1, 0.5, 0.9)
"""Levels of the documents."""


@dataclass
class XGBoostQuantile(XGBoost):
    """One booster per horizon under the pinball loss of all levels together."""

    NAME: ClassVar[str] = "xgboost_quantile"
    OBJECTIVE: ClassVar[dict[str, Any]] = {
        "objective": "reg:quantileerror",
        "quantile_alpha": np.array(QUANTILES),
    }

    def predict(self, X: Input) -> Vector:
        """(n, H, Q) quantiles of (n, C) columns, ascending in the last axis."""
        # Levels are boosted by separate trees and may cross; in order they are no worse.
        return np.sort(self.outputs(X).reshape(len(X), len(self.stored), -1), axis=2)
