"""Weights of members by the errors of their last forecasts."""

from collections import deque
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
        self.members = members
        self.rows: deque[Vector] = deque(maxlen=memory)

    def add(self, errors: Vector) -> None:
        """Take in the (K,) errors of one forecast; the oldest one is forgotten."""
        self.rows.append(errors)

    def mean(self) -> Vector:
        """(K,) mean errors; all alike before the first."""
        if not self.rows:
            return np.ones(self.members)
        return np.asarray(self.rows).mean(axis=0)

    def state(self) -> dict[str, Any]:
        """All errors by their bits."""
        rows = [[value.hex() for value in row.tolist()] for row in self.rows]
        return {"memory": self.rows.maxlen, "members": self.members, "rows": rows}

    @classmethod
    def of(cls, state: dict[str, Any]) -> Self:
        """The errors of a `state`."""
        recent = cls(int(state["members"]), int(state["memory"]))
        for row in state["rows"]:
            recent.add(np.array([float.fromhex(value) for value in row]))
        return recent
