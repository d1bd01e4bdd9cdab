"""A random forest for each horizon, trees that are grown apart and averaged."""

from dataclasses import dataclass
from typing import ClassVar, Self

from bqx.learning.models.base import Input, Later, Range, Vector, Weight
from bqx.learning.models.boosters import Boosters
from bqx.learning.models.design import design


@dataclass
class RandomForest(Boosters):
    """Trees on random rows and columns, as many for each horizon; all as boosting's first round.

    ``max_depth`` : most splits above a leaf; ``min_samples_leaf`` : smallest leaf, in rows where it
    is whole, else as a share of all rows; ``max_features`` : share of the columns that a split
    looks at; ``max_samples`` : share of the rows that a tree draws.

    Source: Breiman (2001), Random forests; rows are drawn without putting them back.
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
        binned = self._binned(rows, weight)
        settings = {
            **(self.GROWTH | self.OBJECTIVE),
            "seed": self.random_state,
            "num_parallel_tree": self.n_estimators,
            "learning_rate": 1.0,
            "reg_lambda": 0.0,
            "max_depth": self.max_depth,
            "min_child_weight": leaf,
            "colsample_bynode": self.max_features,
            "subsample": self.max_samples,
        }
        boosters = []
        for labels in y.T:
            binned.set_label(labels)
            boosters.append(xgboost.train(settings, binned, 1))
        self._keep(boosters)
        return self
