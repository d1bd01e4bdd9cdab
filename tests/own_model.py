"""A user's own model, as one would stand beside a project's notebooks."""

import json
from dataclasses import dataclass, field

import numpy as np

from bqx.learning.models import Model, design


@dataclass
class Marginal(Model):
    """Each column's own slope, all of them averaged; absent values say nothing."""

    share: float = 1.0
    slopes: np.ndarray = field(init=False, repr=False)

    def fit(self, X, y, *, weight=None, validation=None):
        """Fit to (n, C) columns and (n, H) labels."""
        x = np.nan_to_num(design(X).values.astype(np.float64))
        w = np.ones(len(x)) if weight is None else weight
        power = np.maximum((w[:, None] * x * x).sum(axis=0), 1e-12)
        self.slopes = self.share * ((w[:, None] * x).T @ y) / power[:, None]
        return self

    def predict(self, X):
        """(n, H) forecasts."""
        x = np.nan_to_num(design(X).values.astype(np.float64))
        out = np.zeros((len(x), self.slopes.shape[1]))
        for column, slope in zip(x.T, self.slopes, strict=True):
            out += column[:, None] * slope
        return out

    def parts(self):
        """The slopes."""
        return {"slopes.json": json.dumps(self.slopes.tolist()).encode()}

    def restore(self, parts):
        """Take over what ``parts`` gave."""
        self.slopes = np.array(json.loads(parts["slopes.json"]))


class Nothing:
    """No model."""
