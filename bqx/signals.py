"""From an innovation forecast to a price view, and from a price view to a signal.

BQX is minus a weighted sum of the coming returns, so a forecast that BQX will end above its
martingale expects the rate to fall.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.bars import Bars

Signal = NDArray[np.int8]


def expected_move(
    innovation: NDArray[np.float64], window: int, horizon: int
) -> NDArray[np.float64]:
    """Log move of the rate that an innovation forecast of BQX_window(t + horizon) implies.

    To first order the innovation is ``-sum((window - j) * r(t + horizon - j) for j < n)`` with
    ``n = min(window, horizon)``; spread evenly over these n minutes it gives the move below. It
    is the move of those n minutes only: nothing is extrapolated to the rest of a longer horizon.

    Parameters
    ----------
    innovation : (T,) forecast level minus martingale, in units of BQX (not of sigma).
    window, horizon : minutes.

    Returns
    -------
    (T,) expected log move, NaN where the forecast is.

    >>> expected_move(np.array([-120e-4]), window=15, horizon=15)
    array([0.0015])
    """
    minutes = min(window, horizon)
    weights = minutes * window - minutes * (minutes - 1) / 2
    return -innovation * minutes / weights


def signal(move: NDArray[np.float64], round_trip_cost: NDArray[np.float64] | float) -> Signal:
    """Buy (1) or sell (-1) where the expected move beats its cost, else hold (0).

    Parameters
    ----------
    move : (T,) expected log move, NaN where there is no forecast.
    round_trip_cost : (T,) or one number, share of the rate, known at t; NaN holds.
    """
    return np.where(np.abs(move) > round_trip_cost, np.sign(move), 0.0).astype(np.int8)


def momentum(bars: Bars, horizon: int) -> Signal:
    """Comparator: (T,) sign of the move over the last ``horizon`` minutes, 0 where unknown."""
    close = bars.close
    moved = np.full(len(close), np.nan)
    moved[horizon:] = close[horizon:] - close[:-horizon]
    return np.nan_to_num(np.sign(moved)).astype(np.int8)


def hold(rows: int) -> Signal:
    """Comparator: always long."""
    return np.ones(rows, dtype=np.int8)
