"""Boosted quantiles of the innovation, which never cross."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bqx.learning.models.design import Design, Matrix
from bqx.learning.models.xgb import XGBoost

QUANTILES = (0.1, 0.5, 0.9)
"""Levels of the documents."""


@dataclass
class XGBoostQuantile(XGBoost):
    """A booster a horizon under the pinball loss of all levels together."""

    NAME: ClassVar[str] = "xgboost_quantile"
    OWN: ClassVar[dict[str, Any]] = {
        "objective": "reg:quantileerror", "quantile_alpha": np.array(QUANTILES),
    }  # fmt: skip

    def predict(self, x: Matrix | Design) -> NDArray[np.float64]:
        """(n, H, Q) quantiles of (n, C) columns, ascending in the last axis."""
        # Levels are boosted by separate trees and may cross; in order they are no worse.
        return np.sort(self.outputs(x).reshape(len(x), len(self.boosters), -1), axis=2)
