"""Running mean and standard deviation, column by column."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

FARTHEST = 5.0
"""Standard deviations at which a standardised value is cut off."""


class Scale:
    """Mean and standard deviation of (C,) columns, of the rows seen so far; NaN does not count."""

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns)
        self.mean = np.zeros(columns)
        self.squares = np.zeros(columns)

    def learn(self, x: Vector) -> None:
        """Take in a (C,) row."""
        present = np.isfinite(x)
        self.count += present
        apart = np.where(present, x - self.mean, 0.0)
        self.mean += apart / np.maximum(self.count, 1.0)
        self.squares += apart * np.where(present, x - self.mean, 0.0)

    @property
    def deviation(self) -> Vector:
        """(C,) standard deviations, 0 where there is none yet."""
        return np.sqrt(self.squares / np.maximum(self.count - 1.0, 1.0))

    def standardised(self, x: Vector) -> Vector:
        """(C,) row in standard deviations, cut off far out; 0 for NaN and for constant columns."""
        deviation = self.deviation
        scalable = np.isfinite(x) & (deviation > 0.0)
        z = np.where(scalable, x - self.mean, 0.0) / np.where(scalable, deviation, 1.0)
        return np.clip(z, -FARTHEST, FARTHEST)

    def state(self) -> dict[str, list[str]]:
        """All numbers by their bits."""
        return {name: [v.hex() for v in values.tolist()] for name, values in vars(self).items()}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """The scale of a `state`."""
        scale = cls(0)
        for name in vars(scale):
            setattr(scale, name, np.array([float.fromhex(v) for v in state[name]]))
        return scale
