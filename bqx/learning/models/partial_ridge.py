"""A pooled ridge from which each pair departs as far as later rows say that this pays."""

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from bqx.learning.models.base import Vector
from bqx.learning.models.pooled_ridge import Gram, PooledRidge

DEPARTURES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Penalties on departures that validation rows choose from, per row."""


@dataclass
class PartialRidge(PooledRidge):
    """A pooled ridge plus, for each pair, a ridge of what it leaves.

    ``departure`` : penalty on a pair's departure from the pooled coefficients, per row, None for
        none at all; validation rows replace it by what saves most over all pairs together.
    """

    NAME: ClassVar[str] = "partial_ridge"

    departure: float | None = 30.0
    by_pair: dict[str, Vector] = field(default_factory=dict, init=False, repr=False)

    def of(self, pair: str) -> Self:
        """The model of one pair, which needs no other."""
        pair_model = super().of(pair)
        pair_model.coefficients, pair_model.by_pair = self.by_pair[pair], {}
        return pair_model

    def _solve(self, pairs: dict[str, Gram], later: dict[str, Gram] | None) -> None:
        super()._solve(pairs, later)
        if later is not None:
            saved = {
                penalty: sum(later[pair].saved(self._own(pairs[pair], penalty)) for pair in pairs)
                for penalty in (None, *DEPARTURES)
            }
            self.departure = max(saved, key=lambda penalty: saved[penalty])
        self.by_pair = {pair: self._own(gram, self.departure) for pair, gram in pairs.items()}
        if "" in self.by_pair:
            self.coefficients = self.by_pair[""]

    def _own(self, gram: Gram, penalty: float | None) -> Vector:
        """(C, H) coefficients of a pair whose departure costs so much."""
        if penalty is None:
            return self.coefficients
        left = Gram(gram.columns, gram.labels - gram.columns @ self.coefficients, gram.weight)
        return np.asarray(self.coefficients + left.solve((penalty,))[0])
