"""Gradient-boosted trees, shallow and strongly regularised: minute returns are mostly noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from bqx.learning.models.base import Input, Later, Range, Vector, Weight
from bqx.learning.models.boosters import Boosters
from bqx.learning.models.design import design

if TYPE_CHECKING:
    import xgboost

PATIENCE = 30
"""Rounds without progress on the validation rows that stop the boosting."""
MAX_FEATURES = 0.3
"""Share of columns that a split may use."""


@dataclass
class XGBoost(Boosters):
    """One booster per horizon under squared error.

    ``n_estimators`` : most rounds before a fit with validation rows, those kept after it: one
        number for all horizons, since where a single one stops is mostly chance.
    ``subsample`` : share of the rows that a tree sees; ``min_samples_leaf`` : smallest leaf, and
        the weight of the pull towards 0, as a share of the rows; ``min_child_weight`` and
        ``reg_lambda`` in rows win over it.
    """

    NAME: ClassVar[str] = "xgboost"
    RUN_KEYS: ClassVar[dict[str, str]] = Boosters.RUN_KEYS | {
        "n_estimators": "rounds",
        "max_depth": "depth",
        "learning_rate": "learning_rate",
    }
    # The documents' ranges, each widened to the cautious end that minute returns ask for.
    SPACE: ClassVar[dict[str, Range]] = {
        "max_depth": Range(2, 12),
        "learning_rate": Range(0.01, 0.1, log=True),
        "subsample": Range(0.5, 0.9),
        "n_estimators": Range(100, 700, step=50),
        "min_samples_leaf": Range(1e-4, 0.1, log=True),
    }

    n_estimators: int = 300
    max_depth: int = 2
    learning_rate: float = 0.05
    subsample: float = 0.5
    min_samples_leaf: float = 0.02
    min_child_weight: float | None = None
    reg_lambda: float | None = None

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; validation rows choose the rounds."""
        import xgboost

        settings: dict[str, Any] = {
            **(self.GROWTH | self.OBJECTIVE),
            "colsample_bynode": MAX_FEATURES,
            "seed": self.random_state,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "subsample": self.subsample,
        }
        rows = design(X)
        for name in ("min_child_weight", "reg_lambda"):
            setting = getattr(self, name)
            settings[name] = self.min_samples_leaf * len(rows) if setting is None else setting
        binned = self._binned(rows, weight)
        later = validation and (
            # Of binned rows XGBoost would put the values together anew for every tree.
            xgboost.DMatrix(design(validation[0]).values, nthread=1),
            validation[1],
        )
        self.n_estimators, boosters = boost(settings, self.n_estimators, binned, y, later)
        self._keep(boosters)
        return self


def boost(
    settings: Mapping[str, Any],
    rounds: int,
    rows: xgboost.QuantileDMatrix,
    y: Vector,
    validation: tuple[xgboost.DMatrix, Vector] | None,
) -> tuple[int, tuple[xgboost.Booster, ...]]:
    """One booster per horizon on one binned matrix, and the rounds that they keep.

    Parameters
    ----------
    settings : of XGBoost.
    rounds : most rounds with validation rows, else the rounds.
    validation : rows and their (n, H) labels.
    """
    import xgboost

    def train(h: int, most: int, **stopping: Any) -> xgboost.Booster:
        rows.set_label(y[:, h])
        return xgboost.train(dict(settings), rows, most, verbose_eval=False, **stopping)

    horizons = range(y.shape[1])
    if validation is None:
        return rounds, tuple(train(h, rounds) for h in horizons)
    later, labels = validation
    tried = []
    for h in horizons:
        later.set_label(labels[:, h])
        tried.append(
            train(h, rounds, evals=[(later, "validation")], early_stopping_rounds=PATIENCE)
        )
    kept = int(np.median([booster.best_iteration + 1 for booster in tried]))
    return kept, tuple(
        booster[:kept] if booster.num_boosted_rounds() >= kept else train(h, kept)
        for h, booster in enumerate(tried)
    )
