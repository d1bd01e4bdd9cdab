"""Ridge regression on standardised columns, without an intercept: no label drift is learnt."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from threadpoolctl import threadpool_limits

from bqx.learning.models.base import Input, Later, Vector, Weight
from bqx.learning.models.design import design
from bqx.learning.models.line import Line
from bqx.learning.models.scaler import Scaler

ALPHAS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties that validation rows choose from, per row."""


@dataclass
class Ridge(Line):
    """Least squares with ``alpha`` times the rows on the squared coefficients.

    ``alpha`` : validation rows replace it by the best of `ALPHAS` for all horizons.
    """

    NAME: ClassVar[str] = "ridge"

    # Sums of BLAS depend on the number of its threads.
    @threadpool_limits.wrap(limits=1)
    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; validation rows choose the penalty."""
        values = design(X).values
        share = np.full(len(y), 1.0 / len(y)) if weight is None else weight / weight.sum()
        self.scaler = Scaler.fit(values, share)
        z = self.scaler.apply(values)
        weighed = z * share[:, None]
        power, axes = np.linalg.eigh(weighed.T @ z)
        power = np.maximum(power, 0.0)
        along = axes.T @ (weighed.T @ y)

        def solve(alpha: float) -> Vector:
            return np.asarray(axes @ (along / (power + alpha)[:, None]))

        if validation is not None:
            later = self.scaler.apply(design(validation[0]).values)
            errors = [np.sum((validation[1] - later @ solve(p)) ** 2) for p in ALPHAS]
            self.alpha = ALPHAS[int(np.argmin(errors))]
        self.coefficients = solve(self.alpha)
        return self
