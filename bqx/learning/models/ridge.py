"""Ridge regression on standardised columns, without an intercept: no label drift is learnt."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.line import Line
from bqx.learning.models.scaler import Scaler

Vector = NDArray[np.float64]

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Penalties that a validation part chooses from, a row."""


@dataclass
class Ridge(Line):
    """Least squares with ``penalty`` times the rows on the squared coefficients.

    ``penalty`` : a validation part replaces it by the best of `PENALTIES` for all horizons.
    """

    NAME: ClassVar[str] = "ridge"

    penalty: float = 1.0

    # Sums of BLAS depend on the number of its threads.
    @threadpool_limits.wrap(limits=1)
    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: tuple[Matrix | Design, Vector] | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; later rows, where given, choose the penalty."""
        values = design(x).values
        share = np.full(len(y), 1.0 / len(y)) if weight is None else weight / weight.sum()
        self.scaler = Scaler.fit(values, share)
        z = self.scaler.apply(values)
        weighed = z * share[:, None]
        power, axes = np.linalg.eigh(weighed.T @ z)
        power = np.maximum(power, 0.0)
        along = axes.T @ (weighed.T @ y)

        def solve(penalty: float) -> Vector:
            return np.asarray(axes @ (along / (power + penalty)[:, None]))

        if validation is not None:
            later = self.scaler.apply(design(validation[0]).values)
            errors = [np.sum((validation[1] - later @ solve(p)) ** 2) for p in PENALTIES]
            self.penalty = PENALTIES[int(np.argmin(errors))]
        self.coefficients = solve(self.penalty)
        return self
