"""Columns on one scale, as linear models need them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]

CLIP = 4.0
"""Standard deviations at which a column is cut off."""


@dataclass(frozen=True)
class Scaler:
    """``mean``, ``deviation`` : (C,) of the training rows; a constant column has deviation inf."""

    mean: Vector
    deviation: Vector

    @classmethod
    def fit(cls, x: Matrix, weight: Vector | None = None) -> Self:
        """Learn the scale of (n, C) columns from the rows where each is finite."""
        finite = np.isfinite(x)
        share = finite * (1.0 if weight is None else weight[:, None])
        rows = np.maximum(share.sum(axis=0), np.finfo(np.float64).tiny)
        values = np.where(finite, x, np.float32(0.0)).astype(np.float64)
        mean = (share * values).sum(axis=0) / rows
        deviation = np.sqrt((share * (values - mean) ** 2).sum(axis=0) / rows)
        still = deviation <= 1e-6 * np.maximum(np.abs(mean), np.finfo(np.float32).tiny)
        return cls(mean, np.where(still, np.inf, deviation))

    def apply(self, x: Matrix) -> Vector:
        """(n, C) standardised and cut off; 0 where a column is absent."""
        z = np.clip((x - self.mean) / self.deviation, -CLIP, CLIP)
        return np.nan_to_num(z, copy=False)

    def to_json(self) -> dict[str, Any]:
        """The scale as JSON knows it; null for inf."""
        return {
            "mean": self.mean.tolist(),
            "deviation": [d if np.isfinite(d) else None for d in self.deviation.tolist()],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """The scale that ``to_json`` gave."""
        deviation = [np.inf if d is None else d for d in stored["deviation"]]
        return cls(np.array(stored["mean"], np.float64), np.array(deviation, np.float64))


def linear(z: Vector, coefficients: Vector) -> Vector:
    """(n, H) forecasts of (n, C) columns, each row summed in the order of the columns.

    A product of BLAS depends on how many rows there are; a served row must be the batch's.
    """
    out = np.zeros((len(z), coefficients.shape[1]))
    for column, row in zip(z.T, coefficients, strict=True):
        out += column[:, None] * row
    return out
