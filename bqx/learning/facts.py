"""What is known of columns on the rows that a fold learns from, before a model sees them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]
Vector = NDArray[np.float64]

_WIDTH = 64


@dataclass(frozen=True)
class Facts:
    """(C,) of each column: share of absent rows, mean, deviation, share of the variance between
    days, and squared correlation with the labels, summed over horizons."""

    absent: Vector
    mean: Vector
    deviation: Vector
    between: Vector
    relevance: Vector

    @property
    def constant(self) -> NDArray[np.bool_]:
        """(C,) columns that do not move."""
        tiny = np.finfo(np.float32).tiny
        return np.asarray(self.deviation <= 1e-6 * np.maximum(np.abs(self.mean), tiny))


def facts_of(x: Matrix, y: Vector, day: Rows) -> Facts:
    """Facts of (n, C) columns on rows with (n, H) labels and (n,) days, ascending."""
    labels = standard(y)
    starts = np.flatnonzero(np.diff(day, prepend=day[:1] - 1))
    rows = np.diff(np.append(starts, len(day)))
    facts = []
    for start in range(0, x.shape[1], _WIDTH):
        # A few columns at a time are all that is ever held in 64 bits.
        block = x[:, start : start + _WIDTH].astype(np.float64)
        absent = np.isnan(block)
        count = np.maximum(len(x) - absent.sum(axis=0), 1)
        mean = np.nansum(block, axis=0) / count
        block -= mean
        block[absent] = 0.0
        power = np.einsum("nc,nc->c", block, block)
        deviation = np.sqrt(power / count)
        between = (np.add.reduceat(block, starts) ** 2 / rows[:, None]).sum(axis=0)
        tiny = np.finfo(np.float64).tiny
        relevance = ((labels.T @ block / len(x) / np.maximum(deviation, tiny)) ** 2).sum(axis=0)
        facts.append(
            (absent.mean(axis=0), mean, deviation, between / np.maximum(power, tiny), relevance)
        )
    return Facts(*(np.concatenate(fact) for fact in zip(*facts, strict=True)))


def standard(y: Vector) -> Vector:
    """(n, H) labels with mean 0 and deviation 1."""
    return np.asarray((y - y.mean(axis=0)) / y.std(axis=0))
