"""Gradient-boosted trees, shallow and strongly regularised: minute returns are mostly noise.

Only a fit, many rows and SHAP values need XGBoost itself: a server walks the trees as stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from bqx.learning.models import trees
from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Later, Model, Range, Vector, Weight
from bqx.learning.models.design import Design, Matrix, design

if TYPE_CHECKING:
    import xgboost

PATIENCE = 30
"""Rounds without progress on the validation rows that stop the boosting."""
MAX_FEATURES = 0.3
"""Share of columns that a split may use."""
BINS = 64
FEW = 64
"""Most rows that the compiled walk forecasts; XGBoost, block by block, is faster on many."""


@dataclass
class XGBoost(Model):
    """One booster per horizon under squared error; NaN columns are read as they are.

    ``n_estimators`` : most rounds before a fit with validation rows, those kept after it: one
        number for all horizons, since where a single one stops is mostly chance.
    ``subsample`` : share of the rows that a tree sees; ``min_samples_leaf`` : smallest leaf, and
        the weight of the pull towards 0, as a share of the rows; ``min_child_weight`` and
        ``reg_lambda`` in rows win over it.
    """

    NAME: ClassVar[str] = "xgboost"
    # The forecast of one who knows nothing is 0, whatever the training rows drifted.
    OBJECTIVE: ClassVar[dict[str, Any]] = {"base_score": 0.0}
    RUN_KEYS: ClassVar[dict[str, str]] = Model.RUN_KEYS | {
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

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; validation rows choose the rounds."""
        settings = self.OBJECTIVE | {
            "seed": self.random_state,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "subsample": self.subsample,
        }
        rows = design(X)
        for name in ("min_child_weight", "reg_lambda"):
            own = getattr(self, name)
            settings[name] = self.min_samples_leaf * len(rows) if own is None else own
        rows.binned(BINS).set_weight(
            np.ones(len(rows)) if weight is None else weight / weight.mean()
        )
        self.n_estimators, boosters = boost(settings, self.n_estimators, rows, y, validation)
        self._take(tuple(bytes(booster.save_raw("ubj")) for booster in boosters))
        return self

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

    def _take(self, stored: tuple[bytes, ...]) -> None:
        self.stored = stored
        for name in ("boosters", "walked"):
            vars(self).pop(name, None)


def boost(
    settings: Mapping[str, Any],
    rounds: int,
    rows: Design,
    y: Vector,
    validation: Later,
) -> tuple[int, tuple[xgboost.Booster, ...]]:
    """One booster per horizon on one binned matrix, and the rounds that they keep.

    Parameters
    ----------
    settings : of the boosting.
    rounds : most rounds with validation rows, else the rounds.
    """
    import xgboost

    binned = rows.binned(BINS)
    fixed = {"tree_method": "hist", "nthread": 1, "max_bin": BINS, "colsample_bynode": MAX_FEATURES}

    def train(h: int, most: int, **stopping: Any) -> xgboost.Booster:
        binned.set_label(y[:, h])
        return xgboost.train({**fixed, **settings}, binned, most, verbose_eval=False, **stopping)

    horizons = range(y.shape[1])
    if validation is None:
        return rounds, tuple(train(h, rounds) for h in horizons)
    later = design(validation[0]).binned(BINS, rows)
    tried = []
    for h in horizons:
        later.set_label(validation[1][:, h])
        tried.append(
            train(h, rounds, evals=[(later, "validation")], early_stopping_rounds=PATIENCE)
        )
    kept = int(np.median([booster.best_iteration + 1 for booster in tried]))
    return kept, tuple(
        booster[:kept] if booster.num_boosted_rounds() >= kept else train(h, kept)
        for h, booster in enumerate(tried)
    )
