"""Labels that overlap, for several test files."""

import numpy as np
from scipy.signal import lfilter

DAY = 1_440


def innovations(count, window, horizon, rng, volatility=0.0):
    """Innovations of BQX on a martingale, and a slow series that knows nothing of them."""
    rows = count * DAY
    shape = np.exp(volatility * rng.standard_normal(count))
    returns = (
        rng.standard_t(4, rows + horizon)
        * np.repeat(shape, DAY)[np.minimum(np.arange(rows + horizon), rows - 1)]
    )
    weights = np.arange(window, window - min(window, horizon), -1.0)
    label = np.convolve(returns, weights)[horizon : horizon + rows]
    slow = lfilter([1.0], [1.0, -0.98], rng.standard_normal(rows + 500))[500:]
    return label, slow * np.repeat(shape, DAY)
