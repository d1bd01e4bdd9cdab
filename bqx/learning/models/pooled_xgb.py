"""Gradient-boosted trees on the rows of all pairs, each on its own scale, beside what a pair is."""

import json
from copy import copy
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Later, Range, Vector, Weight
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.scaler import Scaler
from bqx.learning.models.xgb import XGBoost
from bqx.market.pairs import CURRENCIES, LIQUIDITY, base, quote

FILE = "pair.json"


def standing(pair: str) -> Matrix:
    """(9,) what a pair is: +1 for its base currency, -1 for its quote, and its rank of liquidity.

    All 0 without a name.
    """
    out = np.zeros(len(CURRENCIES) + 1, np.float32)
    if pair:
        out[CURRENCIES.index(base(pair))] = 1.0
        out[CURRENCIES.index(quote(pair))] = -1.0
        out[-1] = LIQUIDITY.index(pair) / len(LIQUIDITY)
    return out


@dataclass
class PooledXGBoost(XGBoost):
    """One booster per horizon for all pairs, see `XGBoost`."""

    NAME: ClassVar[str] = "pooled_xgboost"
    POOLED: ClassVar[bool] = True
    # A search is one pair's own.
    SPACE: ClassVar[dict[str, Range]] = {}

    scalers: dict[str, Scaler] = field(default_factory=dict, init=False, repr=False)
    pair: str = field(default="", init=False, repr=False)

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns of all pairs and (n, H) labels; validation rows choose."""
        rows = design(X)
        self.scalers = {
            pair: Scaler.fit(rows.values[span], None if weight is None else weight[span])
            for pair, span in rows.spans().items()
        }
        later = validation and (self._scaled(validation[0]), validation[1])
        return super().fit(self._scaled(rows), y, weight=weight, validation=later)

    def of(self, pair: str) -> Self:
        """The model of one pair, which needs no other."""
        pair_model = copy(self)
        pair_model.pair, pair_model.scalers = pair, {"": self.scalers[pair]}
        return pair_model

    def outputs(self, X: Input) -> Vector:
        """(n, H) forecasts of all boosters side by side, of rows of one pair."""
        return super().outputs(self._scaled(X))

    def contributions(self, X: Matrix, seed: int = 0) -> Vector:
        """(n, C, H) exact SHAP values; what the pair is adds to each column's alike."""
        values = super().contributions(self._scaled(X).values)
        columns = X.shape[1]
        rest = values[:, columns:].sum(axis=1, keepdims=True)
        return np.asarray(values[:, :columns] + rest / columns)

    def parts(self) -> Parts:
        """One UBJ file per horizon, and the pair with its scale as JSON."""
        pair_scale = self.scalers[""].to_json() | {"pair": self.pair}
        return super().parts() | {
            FILE: json.dumps(pair_scale, sort_keys=True, allow_nan=False).encode()
        }

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave."""
        pair_scale = json.loads(parts[FILE])
        self.pair, self.scalers = pair_scale["pair"], {"": Scaler.from_json(pair_scale)}
        super().restore({name: content for name, content in parts.items() if name != FILE})

    def _scaled(self, X: Input) -> Design:
        """Columns on their pair's scale, beside what the pair is."""
        rows = design(X)
        out = np.empty((len(rows), rows.values.shape[1] + len(standing(""))), np.float32)
        for pair, span in rows.spans().items():
            z = self.scalers[pair].apply(rows.values[span])
            out[span, : z.shape[1]] = z
            out[span, z.shape[1] :] = standing(pair or self.pair)
        return Design(out, rows.groups)
