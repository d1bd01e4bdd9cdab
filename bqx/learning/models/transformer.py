"""The temporal fusion transformer of pytorch-forecasting, over the last hour of each column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bqx.errors import ParameterError
from bqx.features import lags
from bqx.features.lags import Column
from bqx.learning.models.base import Input, Range, Vector
from bqx.learning.models.design import Matrix, design
from bqx.learning.models.network import Network
from bqx.learning.models.quantile import QUANTILES

if TYPE_CHECKING:
    from bqx.learning.models.layers import Layers


@dataclass
class Transformer(Network):
    """Quantiles of all horizons, which are the decoder's steps, under the pinball loss.

    A row brings its own past: its columns are the chosen ones at each of ``steps`` times
    ``spacing`` rows apart, the oldest first (`lags.steps`), as lagged columns are. So a single
    served row is enough, and a batch is a window of one tensor, seen as (n, steps, C).

    ``hidden``, ``heads``, ``continuous`` : units of the layers, heads of the attention, units
    per column.
    """

    NAME: ClassVar[str] = "tft"
    EXTRA: ClassVar[tuple[str, ...]] = ("torch", "safetensors", "pytorch_forecasting")
    SPACE: ClassVar[dict[str, Range]] = Network.SPACE | {
        "hidden": Range(64, 256, step=64),
        "heads": Range(1, 4),
    }

    epochs: int = 200
    batch_size: int = 256
    dropout: float = 0.1
    hidden: int = 64
    heads: int = 4
    continuous: int = 16
    steps: int = 12
    spacing: int = 5

    @property
    def past(self) -> int:
        """Columns that it reads for each one that is chosen, the present one last."""
        return self.steps

    def reads(self, columns: Sequence[Column]) -> tuple[Column, ...]:
        """Each of some chosen columns at all steps."""
        return lags.steps(columns, self.steps, self.spacing)

    def predict(self, X: Input) -> Vector:
        """(n, H, Q) quantiles of (n, steps * C) columns, ascending in the last axis."""
        return np.sort(super().predict(X), axis=2)

    def _scaled(self, X: Input) -> Matrix:
        wide = design(X).values.shape[1]
        if wide % self.steps:
            raise ParameterError(
                f"columns: no whole steps, got {wide} columns for {self.steps} steps; expected a "
                "multiple. Take them by lags.steps."
            )
        return super()._scaled(X)

    def _layers(self, columns: int, horizons: int, training: bool) -> "Layers":
        from bqx.learning.models.layers import Fusion

        return Fusion(columns // self.steps, horizons, QUANTILES, self)
