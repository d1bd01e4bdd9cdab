"""The series that features are computed from, in both domains."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.spec import Source
from bqx.market.bars import Bars

F = NDArray[np.float64]

BQX_WINDOW = 15
"""Window of the series called BQX where none is named."""

PSEUDO_BAR = 5
"""Rows of BQX in a trailing pseudo-bar."""


@kernel
def bqx(index: F, window: int) -> F:
    """Backward momentum sum ``sum_{k=1..w} (I(t-k) - I(t)) / I(t)``: (T,), a pure number.

    Positive when the rate has fallen. NaN for the first ``window`` rows and wherever the window
    touches NaN.

    >>> bqx(np.array([100.0, 101.0, 100.0]), 2)
    array([ nan,  nan, 0.01])
    """
    rows = len(index)
    out = np.full(rows, np.nan)
    if rows <= window:
        return out
    total, now = out[window:], index[window:]
    total[:] = 0.0
    for k in range(1, window + 1):
        past = index[window - k : rows - k]
        for row in range(len(total)):
            total[row] += past[row] - now[row]
    for row in range(len(total)):
        total[row] /= now[row]
    return out


def momentum(bars: Bars, window: int = BQX_WINDOW) -> F:
    """(T,) BQX of the bars, made once for all sources that read it."""
    return bars.derived(f"bqx{window}", lambda: bqx(bars.index, window))


def _bqx_line(bars: Bars) -> F:
    return np.repeat(momentum(bars)[:, None], 4, axis=1)


@kernel
def pseudo_bars(x: F, size: int) -> F:
    """Trailing bars of a series: (T, 4) open, high, low, close over the last ``size`` rows."""
    out = np.full((4, len(x)), np.nan)
    late = size - 1
    opened, high, low, close = out[0, late:], out[1, late:], out[2, late:], out[3, late:]
    opened[:], high[:], low[:], close[:] = x[: len(close)], x[late:], x[late:], x[late:]
    for k in range(size - 1):
        before = x[k:]
        for row in range(len(close)):
            value = before[row]
            high[row] = value if value > high[row] or value != value else high[row]
            low[row] = value if value < low[row] or value != value else low[row]
    for row in range(len(close)):
        broken = high[row] != high[row]
        opened[row] = np.nan if broken else opened[row]
        close[row] = np.nan if broken else close[row]
    return out.T


RATE = Source("rate", "rate", "pt", 1, lambda bars: bars.index, series="the rate index")
"""Rate index of the closes."""

RATE_BARS = Source("rate", "rate", "pt", 1, lambda bars: bars.ohlc, series="the rate index")
"""Open, high, low, close of the rate index."""

BQX = Source("bqx", "bqx", "1", BQX_WINDOW + 1, momentum, series="BQX")
"""BQX over 15 minutes."""

BQX_LINE = Source("bqx", "bqx", "1", BQX_WINDOW + 1, _bqx_line, series="BQX")
"""BQX as bars without extent, for indicators that read closes or rolling extremes."""

BQX_BARS = Source(
    "bqx",
    "bqx",
    "1",
    BQX_WINDOW + PSEUDO_BAR,
    lambda bars: pseudo_bars(momentum(bars), PSEUDO_BAR),
    series="BQX",
)
"""Trailing five-row bars of BQX, for directional indicators."""

CLOCK_RATE = Source("clock", "clock", "1", 1, lambda bars: bars.index, series="the rate index")
"""Rate index, for what is said of the time of day by the bars that it meets."""
