"""A network whose horizons share all layers but the last."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bqx.learning.models.network import Network

if TYPE_CHECKING:
    from bqx.learning.models.layers import Layers

HIDDEN = (256, 128, 64)
"""Units of the shared layers."""


@dataclass
class MultiHorizon(Network):
    """Dense layers with batch norm and dropout under one linear head per horizon; squared error.

    The heads' shares of the loss rise evenly with the horizon: for five they are 0.10, 0.15, 0.20,
    0.25 and 0.30.
    """

    NAME: ClassVar[str] = "multi_horizon"

    def _layers(self, columns: int, horizons: int, training: bool) -> "Layers":
        from bqx.learning.models.layers import Shared

        shares = [2.0 + h for h in range(horizons)]
        return Shared(
            columns, HIDDEN, horizons, self.dropout, [share / sum(shares) for share in shares]
        )
