"""Forecasts of several estimators joined, by weights learnt on rows that none of them has seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from bqx.errors import ParameterError
from bqx.learning.models import artefact
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.members import ALONE, Estimator, point

Vector = NDArray[np.float64]
Validation = tuple[Matrix | Design, Vector]

PARTS = 4
"""Parts in order of time; all but the first are forecast from those before."""
PULL = 0.1
"""Pull of stacked weights towards equal ones, as a share of the forecasts' mean power."""


@dataclass
class Ensemble:
    """A weighted mean: one weight a member for all horizons, none negative, together 1.

    ``members`` : unfitted estimators.
    ``gap`` : rows left out before a part that is forecast, so that no label reaches into it.
    """

    NAME: ClassVar[str] = "ensemble"

    members: tuple[Estimator, ...] = ()
    gap: int = 0
    seed: int = 0
    weights: Vector = field(init=False, repr=False)

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: Validation | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; later rows, where given, are the members'."""
        self.members, apart, labels = out_of_fold(self.members, self.gap, x, y, weight, validation)
        self.weights = np.repeat(_convex(apart, labels)[:, None], y.shape[1], axis=1)
        return self

    def predict(self, x: Matrix | Design) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        return _joined(self.members, self.weights, x)

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        artefact.save(self, folder)

    def settings(self) -> dict[str, Any]:
        """Settings, weights, and the members' names and settings."""
        return {
            "members": [[member.NAME, member.settings()] for member in self.members],
            "weights": self.weights.tolist(),
            "gap": self.gap,
            "seed": self.seed,
        }

    def parts(self) -> artefact.Parts:
        """Files of all members, each in a folder with the member's number."""
        return {
            f"{number}/{name}": content
            for number, member in enumerate(self.members)
            for name, content in member.parts().items()
        }

    @classmethod
    def restore(cls, settings: Mapping[str, Any], parts: artefact.Parts) -> Self:
        """The model of some settings and parts."""
        members = []
        for number, (name, own) in enumerate(settings["members"]):
            mine = {
                path.split("/", 1)[1]: content
                for path, content in parts.items()
                if path.startswith(f"{number}/")
            }
            members.append(ALONE[name].restore(own, mine))
        model = cls(tuple(members), int(settings["gap"]), int(settings["seed"]))
        model.weights = np.array(settings["weights"], np.float64)
        return model


@dataclass
class Stacking(Ensemble):
    """A linear model of the members' forecasts, one a horizon, pulled towards equal weights."""

    NAME: ClassVar[str] = "stacking"

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: Validation | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; later rows, where given, are the members'."""
        self.members, apart, labels = out_of_fold(self.members, self.gap, x, y, weight, validation)
        self.weights = np.column_stack(
            [_pulled(apart[:, :, h], labels[:, h]) for h in range(y.shape[1])]
        )
        return self


def out_of_fold(
    members: Sequence[Estimator],
    gap: int,
    x: Matrix | Design,
    y: Vector,
    weight: Vector | None,
    validation: Validation | None,
) -> tuple[tuple[Estimator, ...], Vector, Vector]:
    """Members fitted on all rows, and what they say of parts that they had not seen.

    Each part but the first is forecast by members fitted on the rows before it less ``gap``.

    Returns the fitted members, (M, m, H) forecasts and (m, H) labels.

    Raises
    ------
    ParameterError : fewer than two members, or too few rows for the parts and the gap.
    """
    rows = design(x)
    edges = np.linspace(0, len(rows), PARTS + 1).astype(np.int64)
    if len(members) < 2 or edges[1] <= 2 * gap:
        raise ParameterError(
            f"ensemble: too little to learn weights from, got {len(members)} members and "
            f"{len(rows)} rows with a gap of {gap}; expected two members and more than "
            f"{2 * PARTS * gap} rows. Give more."
        )
    fitted = tuple(replace(m).fit(rows, y, weight, validation) for m in members)  # type: ignore[type-var]
    apart: list[list[Vector]] = [[] for _ in members]
    for start, stop in pairwise(edges[1:]):
        before = slice(0, int(start) - gap)
        seen, ahead = Design(rows.values[before]), Design(rows.values[start:stop])
        share = None if weight is None else weight[before]
        for place, member in enumerate(fitted):
            again = replace(member).fit(seen, y[before], share)  # type: ignore[type-var]
            apart[place].append(point(again.predict(ahead)))
    forecasts = np.stack([np.concatenate(one) for one in apart])
    return fitted, forecasts, y[edges[1] :]


def _convex(apart: Vector, labels: Vector) -> Vector:
    """(M,) weights of the members, none negative, together 1; equal ones where all say nothing."""
    weights = nnls(apart.reshape(len(apart), -1).T, labels.ravel())[0]
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(apart), 1.0 / len(apart))


def _pulled(apart: Vector, labels: Vector) -> Vector:
    """(M,) least squares weights of (M, m) forecasts, pulled towards equal ones."""
    count = len(apart)
    gram = apart @ apart.T
    pull = PULL * np.trace(gram) / count + np.finfo(np.float64).tiny
    equal = np.full(count, 1.0 / count)
    return np.linalg.solve(gram + pull * np.eye(count), apart @ labels + pull * equal)


def _joined(members: Sequence[Estimator], weights: Vector, x: Matrix | Design) -> Vector:
    rows = design(x)
    out = np.zeros((len(rows), weights.shape[1]))
    for member, own in zip(members, weights, strict=True):
        out += point(member.predict(rows)) * own
    return out
