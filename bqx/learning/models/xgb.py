"""Gradient-boosted trees, shallow and strongly regularised: minute returns are mostly noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import xgboost
from numpy.typing import NDArray

from bqx.learning.models import artefact, trees
from bqx.learning.models.design import Design, Matrix, design

Vector = NDArray[np.float64]
Validation = tuple[Matrix | Design, Vector]

PATIENCE = 30
"""Rounds without progress on the validation rows that stop the boosting."""
LEAF = 0.02
"""Smallest leaf, and the weight of the pull towards 0, as a share of the rows."""
BAG = 0.5
"""Share of rows that a tree sees."""
TRIED = 0.3
"""Share of columns that a split may use."""
BINS = 64
FEW = 64
"""Most rows that the compiled walk forecasts; XGBoost, block by block, is faster on many."""


@dataclass
class XGBoost:
    """A booster a horizon under squared error; NaN columns are read as they are.

    ``rounds`` : most rounds before a fit with a validation part, those kept after it: one number
        for all horizons, since where a single one stops is mostly chance.
    ``bag``, ``leaf`` : shares of the rows, see `BAG` and `LEAF`.
    """

    NAME: ClassVar[str] = "xgboost"
    # The forecast of one who knows nothing is 0, whatever the training rows drifted.
    OWN: ClassVar[dict[str, Any]] = {"base_score": 0.0}

    rounds: int = 300
    depth: int = 2
    learning_rate: float = 0.05
    bag: float = BAG
    leaf: float = LEAF
    seed: int = 0
    boosters: tuple[xgboost.Booster, ...] = field(default=(), init=False, repr=False)
    walked: trees.Trees | None = field(default=None, init=False, repr=False)

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: Validation | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; later rows, where given, choose the rounds."""
        self.rounds, self.boosters = boost(
            boosting_of(self) | self.OWN, self.rounds, x, y, weight, validation
        )
        self.walked = None
        return self

    def predict(self, x: Matrix | Design) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        return self.outputs(x)

    def outputs(self, x: Matrix | Design) -> Vector:
        """(n, H) forecasts of all boosters side by side, or (n, H x Q) where each has several."""
        values = np.ascontiguousarray(design(x).values)
        if len(values) > FEW:
            made = [booster.inplace_predict(values) for booster in self.boosters]
            return np.column_stack(made).astype(np.float64)
        if self.walked is None:
            self.walked = trees.of(self.boosters)
        return self.walked.predict(values).astype(np.float64)

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


def settings_of(model: Any) -> dict[str, Any]:
    """Fields of a model that make it again."""
    return {f.name: getattr(model, f.name) for f in fields(model) if f.init}


def boosting_of(model: Any) -> dict[str, Any]:
    """Settings under the names that `boost` knows."""
    return {
        "seed": model.seed,
        "max_depth": model.depth,
        "learning_rate": model.learning_rate,
        "subsample": model.bag,
        "leaf": model.leaf,
    }


def boost(
    settings: Mapping[str, Any],
    rounds: int,
    x: Matrix | Design,
    y: Vector,
    weight: Vector | None,
    validation: Validation | None,
) -> tuple[int, tuple[xgboost.Booster, ...]]:
    """A booster a horizon on one binned matrix, and the rounds that they keep.

    Parameters
    ----------
    settings : of the boosting; ``leaf`` is a share of the rows.
    rounds : most rounds with a validation part, else the rounds.
    """
    rows = design(x)
    binned = rows.binned(BINS)
    leaf = settings["leaf"] * len(rows)
    given = {
        "tree_method": "hist",
        "nthread": 1,
        "max_bin": BINS,
        "colsample_bynode": TRIED,
        "min_child_weight": leaf,
        "reg_lambda": leaf,
    } | {name: value for name, value in settings.items() if name != "leaf"}
    binned.set_weight(np.ones(len(rows)) if weight is None else weight / weight.mean())

    def train(h: int, most: int, **stopping: Any) -> xgboost.Booster:
        binned.set_label(y[:, h])
        return xgboost.train(given, binned, most, verbose_eval=False, **stopping)

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


def to_parts(boosters: Sequence[xgboost.Booster]) -> artefact.Parts:
    """UBJ files of boosters, a horizon each."""
    return {f"{h}.ubj": bytes(b.save_raw("ubj")) for h, b in enumerate(boosters)}


def from_parts(parts: artefact.Parts) -> tuple[xgboost.Booster, ...]:
    """Boosters that ``to_parts`` wrote."""
    boosters = []
    for h in range(len(parts)):
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(parts[f"{h}.ubj"]))
        boosters.append(booster)
    return tuple(boosters)
