"""A matrix of columns and what boosting derives from it, made once for several fits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError

if TYPE_CHECKING:
    import xgboost

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

BINS = 32
"""Of each column: more tell a forecaster of minute returns nothing, and cost histograms."""
EDGES = 2_000
"""Most rows from which the edges of the bins are taken: to rank all costs more than to bin them."""


def thin(rows: int, most: int) -> slice:
    """Evenly spaced rows, no more than ``most``."""
    return slice(None, None, -(-rows // most))


@dataclass(eq=False)
class Design:
    """(n, C) columns, NaN allowed, shared by horizons, trials and estimators.

    ``groups`` : pairs whose rows follow each other, with the number of rows of each; empty where
    all rows are of one pair.

    Binning a matrix costs as much as many rounds of boosting, and does not depend on the labels.
    """

    values: Matrix
    groups: tuple[tuple[str, int], ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def spans(self) -> dict[str, slice]:
        """Rows of each pair; those of a single one under an empty name."""
        if not self.groups:
            return {"": slice(0, len(self))}
        ends = np.cumsum([0, *(rows for _, rows in self.groups)]).tolist()
        return {
            pair: slice(start, stop)
            for (pair, _), start, stop in zip(self.groups, ends, ends[1:], strict=False)
        }

    @cached_property
    def binned(self) -> xgboost.QuantileDMatrix:
        """The matrix in `BINS` bins, made once."""
        return in_bins(self.values, self._edges)

    def binned_at(self, rows: Rows, hidden: Rows) -> xgboost.QuantileDMatrix:
        """Some rows in the bins of all, absent in hidden columns."""
        values = self.values[rows]
        values[:, hidden] = np.nan
        return in_bins(values, self._edges)

    @cached_property
    def _edges(self) -> xgboost.QuantileDMatrix:
        return in_bins(self.values[thin(len(self), EDGES)])


def in_bins(values: Any, edges: xgboost.QuantileDMatrix | None = None) -> Any:
    """A matrix, or blocks of one, in `BINS` bins: those of ``edges``, else its own."""
    # Takes a second to import, which a server need not wait for.
    import xgboost

    return xgboost.QuantileDMatrix(values, max_bin=BINS, nthread=1, ref=edges)


def design(x: Matrix | Design) -> Design:
    """The matrix as a `Design`; one that is a `Design` already stays the same.

    Raises
    ------
    ParameterError : the columns are no matrix of 32-bit floats.
    """
    if isinstance(x, Design):
        return x
    if x.dtype != np.float32 or x.ndim != 2:
        raise ParameterError(
            f"columns: of another kind, got {x.ndim} dimensions of {x.dtype}; expected a matrix of "
            "float32. Take them from lags.matrix."
        )
    return Design(x)
