"""Forecasts of several models joined, by weights learnt on rows that none of them has seen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import nnls

from bqx.errors import ParameterError
from bqx.features.lags import Column
from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Later, Model, Vector, Weight, point
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.register import make, model_class
from bqx.params import Params

MEMBERS = ("ridge", "forest", "xgboost")
"""Models that a run's ensembles join."""
PARTS = 4
"""Parts in order of time; all but the first are forecast from those before."""

FILE = "weights.json"


@dataclass
class Ensemble(Model):
    """A weighted mean: one weight per member for all horizons, none negative, together 1.

    ``members`` : unfitted models; ``shares`` : weight of each, learnt where there are none;
        ``purge`` : rows left out before a part that is forecast, so that no label reaches into it.
    ``weights`` : (M, H) of the members' forecasts.
    """

    NAME: ClassVar[str] = "ensemble"

    members: tuple[Model, ...] = ()
    shares: tuple[float, ...] = ()
    purge: int = 0
    weights: Vector = field(init=False, repr=False)

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; validation rows are the members'."""
        rows = design(X)
        if self.shares:
            self._fit_members(rows, y, weight, validation)
            self.weights = np.repeat(self._given()[:, None], y.shape[1], axis=1)
            return self
        forecasts = self._out_of_fold(rows, y, weight, validation)
        self.weights = self._weights(forecasts, y[len(y) - forecasts.shape[1] :])
        return self

    def predict(self, X: Input) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        rows = design(X)
        out = np.zeros((len(rows), self.weights.shape[1]))
        for member, weight in zip(self.members, self.weights, strict=True):
            out += point(member.predict(self._read_by(member, rows))) * weight
        return out

    def contributions(self, X: Matrix, seed: int = 0) -> Vector:
        """(n, C, H) weighted mean of the members' SHAP values."""
        out = np.zeros((*X.shape, self.weights.shape[1]))
        for member, weight in zip(self.members, self.weights, strict=True):
            member_x = self._read_by(member, design(X)).values
            # What a member reads ends with the present, as the columns do.
            out[:, X.shape[1] - member_x.shape[1] :] += (
                member.contributions(member_x, seed) * weight
            )
        return out

    @property
    def past(self) -> int:
        """Columns that its members read for each one that is chosen, the present one last."""
        return max((member.past for member in self.members), default=1)

    def reads(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        """Columns of the member that reads most, the present ones last."""
        return max(self.members, key=lambda member: member.past).reads(columns)

    def _read_by(self, member: Model, rows: Design) -> Design:
        """Columns of a member: all, or the present ones."""
        if member.past == self.past:
            return rows
        present = rows.values.shape[1] // self.past * member.past
        return Design(np.ascontiguousarray(rows.values[:, -present:]), rows.groups)

    @classmethod
    def from_params(cls, params: Params, **settings: Any) -> Self:
        """An unfitted ensemble with a run's parameters; ``settings`` win over them.

        ``members`` among them may be names; default `MEMBERS`.
        """
        members = settings.get("members", MEMBERS)
        settings["members"] = tuple(make(m, params) if isinstance(m, str) else m for m in members)
        purge = -(-max(params.horizons) // params.stride)
        return super().from_params(params, **{"purge": purge} | settings)

    def unfitted(self) -> Self:
        """A model with the same settings, the members' own choices included."""
        members = tuple(member.unfitted() for member in self.members)
        return type(self)(**self.get_params() | {"members": members})

    def settings(self) -> dict[str, Any]:
        """Settings, with the members' names and settings."""
        members = [[member.NAME, member.settings()] for member in self.members]
        return self.get_params() | {"members": members}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """An unfitted ensemble of stored settings."""
        members = tuple(
            model_class(name).from_settings(member_settings)
            for name, member_settings in settings["members"]
        )
        return cls(**dict(settings) | {"members": members})

    def parts(self) -> Parts:
        """Weights, and files of all members, those of each in a folder with its number."""
        return {FILE: json.dumps(self.weights.tolist(), allow_nan=False).encode()} | {
            f"{number}/{name}": content
            for number, member in enumerate(self.members)
            for name, content in member.parts().items()
        }

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave."""
        self.weights = np.array(json.loads(parts[FILE]), np.float64)
        for number, member in enumerate(self.members):
            folder = f"{number}/"
            member.restore(
                {
                    path.removeprefix(folder): content
                    for path, content in parts.items()
                    if path.startswith(folder)
                }
            )

    def _fit_members(self, rows: Design, y: Vector, weight: Weight, validation: Later) -> None:
        fitted = []
        for member in self.members:
            later = validation and (
                self._read_by(member, design(validation[0])),
                validation[1],
            )
            member_rows = self._read_by(member, rows)
            fitted.append(member.unfitted().fit(member_rows, y, weight=weight, validation=later))
        self.members = tuple(fitted)

    def _given(self) -> Vector:
        """(M,) the shares that are set.

        Raises ParameterError for other than one of each member, none negative, together 1.
        """
        shares = np.array(self.shares, np.float64)
        if len(shares) != len(self.members) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
            raise ParameterError(
                f"settings: shares of {self.NAME} do not add up, got {list(self.shares)} for "
                f"{len(self.members)} members; expected one of each, none negative, together 1."
            )
        return shares

    def _weights(self, forecasts: Vector, labels: Vector) -> Vector:
        """(M, H) weights from (M, m, H) forecasts of rows that no member has seen."""
        return np.repeat(_convex(forecasts, labels)[:, None], labels.shape[1], axis=1)

    def _out_of_fold(self, rows: Design, y: Vector, weight: Weight, validation: Later) -> Vector:
        """(M, m, H) forecasts of the last m rows, each by members that had not seen it.

        Each part but the first is forecast by members fitted on the rows before it less ``purge``;
        the members that stay are fitted on all rows.

        Raises
        ------
        ParameterError : fewer than two members, or too few rows for the parts.
        """
        edges = np.linspace(0, len(rows), PARTS + 1).astype(np.int64)
        if len(self.members) < 2 or edges[1] <= 2 * self.purge:
            raise ParameterError(
                f"ensemble: too little to learn weights from, got {len(self.members)} members and "
                f"{len(rows)} rows with a purge of {self.purge}; expected two members and more "
                f"than {2 * PARTS * self.purge} rows. Raise train_days or lower stride."
            )
        self._fit_members(rows, y, weight, validation)
        forecasts: list[list[Vector]] = [[] for _ in self.members]
        for start, stop in pairwise(edges[1:]):
            before = slice(0, int(start) - self.purge)
            seen, ahead = Design(rows.values[before]), Design(rows.values[start:stop])
            share = None if weight is None else weight[before]
            for number, member in enumerate(self.members):
                member_rows = self._read_by(member, seen)
                again = member.unfitted().fit(member_rows, y[before], weight=share)
                forecasts[number].append(point(again.predict(self._read_by(member, ahead))))
        return np.stack([np.concatenate(member_forecasts) for member_forecasts in forecasts])


def _convex(forecasts: Vector, labels: Vector) -> Vector:
    """(M,) weights of the members, none negative, together 1; equal ones where all say nothing."""
    weights = nnls(forecasts.reshape(len(forecasts), -1).T, labels.ravel())[0]
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(forecasts), 1.0 / len(forecasts))
