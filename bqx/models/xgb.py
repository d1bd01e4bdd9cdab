"""Gradient-boosted trees, shallow and strongly regularised: minute returns are mostly noise."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import xgboost
from numpy.typing import NDArray

PATIENCE = 30
"""Rounds without progress on the validation rows that stop the boosting."""
LEAF = 0.02
"""Smallest leaf, and the weight of the pull towards 0, as a share of the rows."""
BAG = 0.5
"""Share of rows that a tree sees."""
TRIED = 0.3
"""Share of columns that a split may use."""
BINS = 64


@dataclass
class XGBoost:
    """Boosted trees under squared error; NaN columns are read as they are.

    ``rounds`` : most rounds before the fit, those kept after it.
    """

    rounds: int
    depth: int
    learning_rate: float
    seed: int
    booster: xgboost.Booster = field(init=False, repr=False)

    def fit(
        self,
        x: NDArray[np.float32],
        y: NDArray[np.float64],
        validation: tuple[NDArray[np.float32], NDArray[np.float64]] | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n,) labels; later rows, where given, stop the boosting."""
        settings = {
            "tree_method": "hist",
            "nthread": 1,
            "seed": self.seed,
            "max_depth": self.depth,
            "learning_rate": self.learning_rate,
            "max_bin": BINS,
            "subsample": BAG,
            "colsample_bynode": TRIED,
            "min_child_weight": LEAF * len(y),
            "reg_lambda": LEAF * len(y),
            # The forecast of one who knows nothing is 0, whatever the training rows drifted.
            "base_score": 0.0,
        }
        rows = xgboost.QuantileDMatrix(x, y, max_bin=BINS, nthread=1)
        if validation is None:
            self.booster = xgboost.train(settings, rows, self.rounds)
        else:
            later = xgboost.QuantileDMatrix(*validation, max_bin=BINS, nthread=1, ref=rows)
            self.booster = xgboost.train(
                settings,
                rows,
                self.rounds,
                evals=[(later, "validation")],
                early_stopping_rounds=PATIENCE,
                verbose_eval=False,
            )
            self.booster = self.booster[: self.booster.best_iteration + 1]
        self.rounds = self.booster.num_boosted_rounds()
        self.booster.set_attr(depth=self.depth, learning_rate=self.learning_rate, seed=self.seed)
        return self

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Forecasts (n,) of (n, C) columns."""
        return self.booster.inplace_predict(np.ascontiguousarray(x)).astype(np.float64)

    def save(self, path: Path) -> None:
        """Write the model as UBJ."""
        path.write_bytes(self.booster.save_raw("ubj"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model that ``save`` wrote; check its hash first, the parser trusts its input."""
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(path.read_bytes()))
        model = cls(
            rounds=booster.num_boosted_rounds(),
            depth=int(booster.attr("depth") or 0),
            learning_rate=float(booster.attr("learning_rate") or 0.0),
            seed=int(booster.attr("seed") or 0),
        )
        model.booster = booster
        return model
