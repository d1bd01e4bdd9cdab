"""A random forest for each horizon, trees that are grown apart and averaged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from bqx.learning.models.base import Input, Later, Range, Vector, Weight
from bqx.learning.models.boosters import Boosters
from bqx.learning.models.design import Design, Rows, design

if TYPE_CHECKING:
    import xgboost

DRAWS = 10
"""Draws of rows that a forest's trees share, at most."""


@dataclass
class RandomForest(Boosters):
    """Trees on random rows and columns, as many for each horizon; both are drawn `DRAWS` times,
    and ``n_estimators`` is rounded up to a multiple of it.

    ``max_depth`` : most splits above a leaf; ``min_samples_leaf`` : smallest leaf, in rows where it
    is whole, else as a share of all rows; ``max_features`` : share of the columns that a split
    looks at, and half of the others are hidden from its tree; ``max_samples`` : share of the rows
    that a tree sees.

    Source: Breiman (2001), Random forests; rows are drawn without putting them back. Ho (1998), The
    random subspace method for constructing decision forests.
    """

    NAME: ClassVar[str] = "forest"
    CHOOSES: ClassVar[bool] = False

    SPACE: ClassVar[dict[str, Range]] = {
        "n_estimators": Range(50, 200, step=50),
        "max_depth": Range(3, 20),
        "min_samples_leaf": Range(5e-4, 0.05, log=True),
        "max_features": Range(0.05, 1.0, log=True),
    }

    n_estimators: int = 100
    max_depth: int = 10
    # The documents' 10 rows are far from where the noise of minute returns ends.
    min_samples_leaf: float = 0.02  # or an int, as in scikit-learn
    max_features: float = 0.3
    max_samples: float = 0.5

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; a forest needs no validation rows."""
        import xgboost

        rows, leaf = design(X), self.min_samples_leaf
        if not isinstance(leaf, int):
            leaf *= len(rows)
        weights, draws = self._weights(rows, weight), self._draws(rows)
        settings = {
            **(self.GROWTH | self.OBJECTIVE),
            "num_parallel_tree": -(-self.n_estimators // len(draws)),
            "learning_rate": 1.0 / len(draws),
            "reg_lambda": 0.0,
            "max_depth": self.max_depth,
            "min_child_weight": leaf,
            "colsample_bynode": self.max_features / self._shown,
        }
        boosters = []
        for labels in y.T:
            booster = xgboost.Booster(settings, [binned for _, binned in draws])
            for number, (drawn, binned) in enumerate(draws):
                booster.set_param({"seed": self.random_state + number})
                # Every round starts from 0, as if none had been before: trees are averaged.
                grad = -weights[drawn] * labels[drawn]
                booster.boost(binned, number, grad=grad, hess=weights[drawn])
            boosters.append(booster)
        self._keep(boosters)
        return self

    @property
    def _shown(self) -> float:
        """Share of the columns that a tree sees."""
        return (1.0 + self.max_features) / 2

    def _draws(self, rows: Design) -> list[tuple[Rows, xgboost.QuantileDMatrix]]:
        """Drawn rows, and these in bins, columns that were not drawn absent.

        XGBoost's own draws leave the other rows and columns in every histogram, to no use.
        """
        draw = np.random.default_rng(self.random_state)
        count, columns = min(DRAWS, self.n_estimators), rows.values.shape[1]
        size, shown = max(round(self.max_samples * len(rows)), 1), math.ceil(self._shown * columns)
        draws = []
        for _ in range(count):
            drawn = np.sort(draw.permutation(len(rows))[:size])
            draws.append((drawn, rows.binned_at(drawn, draw.permutation(columns)[shown:])))
        return draws
