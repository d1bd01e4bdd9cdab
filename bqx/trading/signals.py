"""From an innovation forecast to a price view, and from a price view to a sized signal.

BQX is minus a weighted sum of the coming returns, so a forecast that BQX will end above its
martingale expects the rate to fall.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.learning import targets
from bqx.market import sessions
from bqx.market.bars import Bars

Series = NDArray[np.float64]
Side = NDArray[np.int8]

BUY, HOLD, SELL = 1, 0, -1


def expected_move(innovation: Series, window: int, horizon: int) -> Series:
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


def delay(window: int, horizon: int, entry: str) -> int:
    """Minutes from a forecast to its entry beyond the next open.

    Late, it is entered when the minutes begin of which the forecast speaks, the last ``window``
    before t + horizon; else nothing is waited for.

    >>> delay(15, 75, "late"), delay(15, 75, "next"), delay(75, 15, "late")
    (60, 0, 0)
    """
    return max(horizon - window, 0) if entry == "late" else 0


def delayed(series: Series, bars: Bars, minutes: int, fill: float) -> Series:
    """(T,) values of so many rows before, ``fill`` where they are of another FX week or absent."""
    out = np.full(len(series), fill)
    row = np.arange(minutes, len(series))
    week = (bars.first_market_minute + np.arange(len(series))) // sessions.WEEK
    same = week[row] == week[row - minutes]
    out[row[same]] = series[row[same] - minutes]
    return out


def side(move: Series, buy_cost: Series, sell_cost: Series) -> Side:
    """Buy or sell where the expected move beats what that trade is expected to cost, else hold.

    Parameters
    ----------
    move : (T,) expected log move, NaN where there is no forecast.
    buy_cost, sell_cost : (T,) from entry to exit, share of the notional, known at t and not
        negative (``Costs.expected``); NaN holds.
    """
    return np.where(move > buy_cost, BUY, np.where(-move > sell_cost, SELL, HOLD)).astype(np.int8)


def volatility(bars: Bars) -> Series:
    """(T,) annual volatility of the log rate known at t, percent: EWMA of one-minute returns.

    Times ``sqrt(horizon / sessions.YEAR)`` it is that of the next ``horizon`` minutes. NaN before
    60 returns and anew after a long hole; the jump over a weekend is left out.
    """
    returns = np.diff(np.log(bars.close), prepend=np.nan)
    # NaN stays NaN.
    returns[-bars.first_market_minute % sessions.WEEK :: sessions.WEEK] *= 0.0
    variance = targets.mean_square(returns, bars.first_market_minute)
    return 100.0 * np.sqrt(sessions.YEAR * variance)


def size(bars: Bars, target: float, largest: float) -> Series:
    """(T,) notional that gives a position the target volatility, at most ``largest``.

    Parameters
    ----------
    target : annual percent of a notional of 1.
    largest : notionals; also what a market without any move would get.

    Returns
    -------
    (T,) notionals, 0 where the volatility is not known.
    """
    with np.errstate(divide="ignore"):
        notional = target / volatility(bars)
    return np.nan_to_num(np.minimum(notional, largest), nan=0.0)
