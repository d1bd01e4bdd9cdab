"""The two domains side by side, and running sums over pairs of series."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.sums import product_sums, square_sums
from bqx.features.sources import BQX_WINDOW, momentum
from bqx.features.spec import Source
from bqx.market.bars import Bars

F = NDArray[np.float64]


def _both(bars: Bars) -> F:
    return np.column_stack([bars.index, momentum(bars)])


BOTH = Source("both", "cross", "1", BQX_WINDOW + 1, _both)
"""Rate index (points) and BQX over 15 minutes (a pure number), two columns."""


@kernel
def comoments(x: F, y: F, window: int, first_minute: int) -> F:
    """Means, and centred sums of squares and products, of two series: (T, 5).

    Columns: mean of x, mean of y, sums of squares of x and of y about their means, and of their
    products. The sums of squares are 0 exactly where a series is flat.
    """
    rows = len(x)
    out = np.empty((5, rows))
    sum_x, square_x, from_x = square_sums(x, window, first_minute)
    sum_y, square_y, from_y = square_sums(y, window, first_minute)
    products = product_sums(x, y, window, first_minute)
    for row in range(rows):
        # Where one is not known neither is the other. Squares are those of distances from a value
        # inside the window: 0 where it is flat.
        known = 0.0 if products[row] == products[row] else np.nan
        sx, sy = sum_x[row] + known, sum_y[row] + known
        xx, yy = square_x[row] - sx * sx / window, square_y[row] - sy * sy / window
        out[0, row], out[1, row] = from_x[row] + sx / window, from_y[row] + sy / window
        out[2, row], out[3, row] = 0.0 if xx < 0.0 else xx, 0.0 if yy < 0.0 else yy
        out[4, row] = products[row] - sx * sy / window
    return out.T


@kernel
def correlation(sxx: float, syy: float, sxy: float) -> float:
    """Correlation of centred sums, NaN where a series is flat, never beyond 1."""
    if not (sxx > 0.0 and syy > 0.0):
        return np.nan
    return min(max(sxy / (np.sqrt(sxx) * np.sqrt(syy)), -1.0), 1.0)
