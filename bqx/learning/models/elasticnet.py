"""Elastic net on standardised columns: ridge that sets most coefficients to exactly 0."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from sklearn.linear_model import enet_path
from threadpoolctl import threadpool_limits

from bqx.learning.models.base import Input, Later, Vector, Weight
from bqx.learning.models.design import design
from bqx.learning.models.line import Line
from bqx.learning.models.scaler import Scaler

ALPHAS = (0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05)
"""Penalties that validation rows choose from, as shares of the one that leaves nothing."""
L1_RATIO = 0.5
"""Share of the absolute coefficients in the penalty, the rest on their squares."""
PASSES = 5_000


@dataclass
class ElasticNet(Line):
    """Least squares with a penalty on absolute and squared coefficients.

    ``alpha`` : share of each horizon's smallest penalty that leaves no coefficient; validation
    rows replace it by the best of `ALPHAS` for all horizons.
    """

    NAME: ClassVar[str] = "elasticnet"

    alpha: float = 0.25

    # Sums of BLAS depend on the number of its threads.
    @threadpool_limits.wrap(limits=1)
    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; validation rows choose the penalty."""
        values = design(X).values
        share = np.ones(len(y)) if weight is None else weight * (len(y) / weight.sum())
        self.scaler = Scaler.fit(values, share)
        root = np.sqrt(share)[:, None]
        z, labels = self.scaler.apply(values) * root, y * root
        along = z.T @ labels
        # Coordinate descent meets the penalties from large to small, each from the last's answer.
        alphas = [self.alpha] if validation is None else list(ALPHAS)
        gram, most = z.T @ z, np.abs(along).max(axis=0) / (len(y) * L1_RATIO)
        paths = np.stack(
            [
                enet_path(
                    z,
                    labels[:, h],
                    l1_ratio=L1_RATIO,
                    alphas=np.maximum(np.array(alphas) * most[h], np.finfo(np.float64).tiny),
                    precompute=gram,
                    Xy=along[:, h],
                    max_iter=PASSES,
                )[1]
                for h in range(y.shape[1])
            ],
            axis=1,
        )
        best = 0
        if validation is not None:
            later = self.scaler.apply(design(validation[0]).values)
            errors = [
                np.sum((validation[1] - later @ paths[:, :, i]) ** 2) for i in range(len(alphas))
            ]
            best = int(np.argmin(errors))
            self.alpha = alphas[best]
        self.coefficients = np.ascontiguousarray(paths[:, :, best])
        return self
