"""The two domains side by side, and running sums over pairs of series."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.products import square_and_product_sums
from bqx.features.rolling.sums import F, square_sums
from bqx.features.sources import BQX_WINDOW, momentum
from bqx.features.spec import Source
from bqx.market.bars import Bars


def _both(bars: Bars) -> F:
    return np.column_stack([bars.index, momentum(bars)])


BOTH = Source("both", "cross", "1", BQX_WINDOW + 1, _both, series="rate and BQX")
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
    sum_y, square_y, from_y, products = square_and_product_sums(x, y, window, first_minute)
    for row in range(rows):
        # Where one series has no sums neither has the other. Squares are those of distances from a
        # value inside the window: 0 where it is flat.
        gap = 0.0 if products[row] == products[row] else np.nan
        sx, sy = sum_x[row] + gap, sum_y[row] + gap
        xx, yy = square_x[row] - sx * sx / window, square_y[row] - sy * sy / window
        out[0, row], out[1, row] = from_x[row] + sx / window, from_y[row] + sy / window
        out[2, row], out[3, row] = 0.0 if xx < 0.0 else xx, 0.0 if yy < 0.0 else yy
        out[4, row] = products[row] - sx * sy / window
    return out.T


@kernel
def correlation(sxx: float, syy: float, sxy: float) -> float:
    """Correlation of centred sums, NaN where a series is flat, never beyond 1."""
    return correlation_by_roots(np.sqrt(sxx), np.sqrt(syy), sxy)


@kernel
def correlation_by_roots(root_x: float, root_y: float, sxy: float) -> float:
    """The same, from the roots of the sums of squares."""
    value = sxy / (root_x * root_y)
    value = 1.0 if value > 1.0 else -1.0 if value < -1.0 else value
    return value if root_x > 0.0 and root_y > 0.0 else np.nan


@kernel
def correlation_over(x: F, y: F, window: int, first_minute: int) -> F:
    """Correlation of two series over each window: (T,)."""
    sums = comoments(x, y, window, first_minute)
    out = np.empty(len(x))
    for row in range(len(x)):
        out[row] = correlation(sums[row, 2], sums[row, 3], sums[row, 4])
    return out


@kernel
def autocorrelation(x: F, window: int, lag: int, first_minute: int) -> F:
    """Correlation of each window's values with those ``lag`` rows before, in the window: (T,)."""
    out = np.full(len(x), np.nan)
    if len(x) > lag:
        late, early = x[lag:], x[: len(x) - lag]
        out[lag:] = correlation_over(late, early, window - lag, first_minute + lag)
    return out
