"""One-minute log returns as a series."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.bars import Bars
from bqx.features.spec import Source

F = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def log_returns(x: F) -> F:
    """Log of each value over the one before: (T,), the first NaN."""
    out = np.full(len(x), np.nan)
    for row in range(1, len(x)):
        out[row] = np.log(x[row] / x[row - 1])
    return out


def _returns(bars: Bars) -> F:
    return log_returns(bars.index)


RETURN = Source("return", "rate", "1", 2, _returns)
"""One-minute log returns of the closes."""
