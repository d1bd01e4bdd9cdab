"""A network that also learns the size and the class of the coming move, to forecast BQX better."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bqx.learning.models.base import Vector
from bqx.learning.models.network import Network, Weights

if TYPE_CHECKING:
    from bqx.learning.models.layers import Layers

HIDDEN = (256, 128)
"""Units of the shared layers."""
REGIMES = 5


@dataclass
class MultiTask(Network):
    """Shared dense layers under heads for BQX, volatility and regime; losses 1.0, 0.3 and 0.3.

    The documents' labels of volatility and regime need bars, and their thresholds are never met.
    Here both come from the labels, which are in sigma already: volatility is the mean size of a
    row's standardised innovations, itself standardised, and the regime is the fifth of the training
    rows that their mean falls into. Only the BQX head forecasts, judges the validation part and is
    stored: the others shape what is shared, and ``aside`` says how well they do.
    """

    NAME: ClassVar[str] = "multi_task"

    middle: float = field(init=False, repr=False)
    spread: float = field(init=False, repr=False)
    edges: Vector = field(init=False, repr=False)

    def _targets(self, labels: Vector) -> Vector:
        size = np.abs(labels).mean(axis=1)
        self.middle, self.spread = float(size.mean()), float(size.std()) or 1.0
        self.edges = np.quantile(labels.mean(axis=1), np.arange(1, REGIMES) / REGIMES)
        return self._targets_of(labels)

    def _targets_of(self, labels: Vector) -> Vector:
        size = (np.abs(labels).mean(axis=1) - self.middle) / self.spread
        regime = np.searchsorted(self.edges, labels.mean(axis=1), side="right")
        return np.column_stack([labels, size, regime])

    def _kept(self, weights: Weights) -> Weights:
        return {
            name: weight
            for name, weight in weights.items()
            if not name.startswith(("volatility.", "regime."))
        }

    def _layers(self, columns: int, horizons: int, training: bool) -> "Layers":
        from bqx.learning.models.layers import Tasks

        return Tasks(columns, HIDDEN, horizons, self.dropout, REGIMES if training else 0)
