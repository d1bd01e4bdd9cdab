"""Ridge regression on the rows of all pairs: one line for all, each pair on its own scale.

Each pair's columns are standardised by themselves, and pass once into sums of products, from which
every penalty and horizon is solved.
"""

from copy import copy
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from threadpoolctl import threadpool_limits

from bqx.learning.models.base import Input, Later, Vector, Weight
from bqx.learning.models.design import design
from bqx.learning.models.line import Line
from bqx.learning.models.scaler import Scaler

ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties that validation rows choose from, per row."""


@dataclass(frozen=True, eq=False)
class Gram:
    """Sums over weighed rows: ``columns`` (C, C) products of columns with each other, and
    ``labels`` (C, H) with the labels; ``weight`` : of the rows."""

    columns: Vector
    labels: Vector
    weight: float

    def __add__(self, more: "Gram") -> "Gram":
        return Gram(
            self.columns + more.columns, self.labels + more.labels, self.weight + more.weight
        )

    def solve(self, alphas: tuple[float, ...]) -> list[Vector]:
        """(C, H) coefficients for each penalty."""
        power, axes = np.linalg.eigh(self.columns / self.weight)
        along = axes.T @ (self.labels / self.weight)
        return [np.asarray(axes @ (along / (np.maximum(power, 0.0) + a)[:, None])) for a in alphas]

    def saved(self, coefficients: Vector) -> float:
        """Squared error that (C, H) coefficients save on these rows, over all horizons."""
        explained = np.sum(coefficients * (self.columns @ coefficients))
        return float(2.0 * np.sum(coefficients * self.labels) - explained)


def grams(X: Input, y: Vector, weight: Weight, scalers: dict[str, Scaler]) -> dict[str, Gram]:
    """Sums of each pair on its own scale."""
    rows = design(X)
    share = np.ones(len(y)) if weight is None else weight
    out = {}
    for pair, span in rows.spans().items():
        z = scalers[pair].apply(rows.values[span])
        weighed = z * share[span, None]
        out[pair] = Gram(weighed.T @ z, weighed.T @ y[span], float(share[span].sum()))
    return out


def total(pairs: dict[str, Gram]) -> Gram:
    """Sums over all pairs, in their order."""
    first, *rest = pairs.values()
    for gram in rest:
        first = first + gram
    return first


@dataclass
class PooledRidge(Line):
    """Least squares over all pairs with ``alpha`` times the rows on the squared coefficients.

    ``alpha`` : validation rows replace it by the best of `ALPHAS` for all horizons.
    """

    NAME: ClassVar[str] = "pooled_ridge"
    POOLED: ClassVar[bool] = True

    scalers: dict[str, Scaler] = field(default_factory=dict, init=False, repr=False)

    # Sums of BLAS depend on the number of its threads.
    @threadpool_limits.wrap(limits=1)
    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns of all pairs and (n, H) labels; validation rows choose."""
        rows = design(X)
        self.scalers = {
            pair: Scaler.fit(rows.values[span], None if weight is None else weight[span])
            for pair, span in rows.spans().items()
        }
        later = None
        if validation is not None:
            later = grams(*validation, None, self.scalers)
        self._solve(grams(rows, y, weight, self.scalers), later)
        if "" in self.scalers:
            self.scaler = self.scalers[""]
        return self

    def of(self, pair: str) -> Self:
        """The model of one pair, which needs no other."""
        pair_model = copy(self)
        pair_model.scaler, pair_model.scalers = self.scalers[pair], {}
        return pair_model

    def _solve(self, pairs: dict[str, Gram], later: dict[str, Gram] | None) -> None:
        pooled = total(pairs)
        if later is not None:
            unseen = total(later)
            saved = [unseen.saved(coefficients) for coefficients in pooled.solve(ALPHAS)]
            self.alpha = ALPHAS[int(np.argmax(saved))]
        (self.coefficients,) = pooled.solve((self.alpha,))
