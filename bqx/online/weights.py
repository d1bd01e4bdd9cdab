"""Weights of members by the errors of their last forecasts."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


def softmax(errors: Vector, temperature: float) -> Vector:
    """(K,) weights that add up to 1: softmax of minus the errors over a temperature.

    Parameters
    ----------
    errors : (K,) mean absolute errors.
    temperature : as a share of the mean of the errors.

    >>> softmax(np.array([0.99, 1.01]), 1.0).round(3).tolist()
    [0.505, 0.495]
    >>> softmax(np.array([0.99, 1.01]), 0.01).round(3).tolist()
    [0.881, 0.119]
    """
    scale = temperature * float(errors.mean())
    if scale <= 0.0:
        return np.full(len(errors), 1.0 / len(errors))
    powers = np.exp(-(errors - errors.min()) / scale)
    return powers / powers.sum()


class RecentErrors:
    """Absolute errors of (K,) members' last forecasts."""

    def __init__(self, members: int, memory: int) -> None:
        self.count = 0
        self.rows = np.zeros((memory, members))

    def add(self, errors: Vector) -> None:
        """Take in the (K,) errors of one forecast; the oldest one is forgotten."""
        self.rows[self.count % len(self.rows)] = errors
        self.count += 1

    def mean(self) -> Vector:
        """(K,) mean errors; all alike before the first."""
        if not self.count:
            return np.ones(self.rows.shape[1])
        return np.asarray(self.rows[: self.count].mean(axis=0))

    def state(self) -> dict[str, Any]:
        """All errors by their bits, in the order in which they lie."""
        rows = [[value.hex() for value in row] for row in self.rows[: self.count].tolist()]
        return {"memory": len(self.rows), "count": self.count, "rows": rows}

    @classmethod
    def of(cls, state: dict[str, Any], members: int) -> Self:
        """The errors of a `state`."""
        recent = cls(members, int(state["memory"]))
        recent.count = int(state["count"])
        for number, row in enumerate(state["rows"]):
            recent.rows[number] = [float.fromhex(value) for value in row]
        return recent
