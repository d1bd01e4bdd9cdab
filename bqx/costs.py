"""What a trade costs: the spread of each minute and half of it as a share of the rate.

Rates are bid, so the mid is the bid plus half the spread. Bars that bring their own spread are
charged exactly that; the others the pair's retail average times the shape of the day.
"""

import numpy as np
from numpy.typing import NDArray

from bqx import pairs, sessions
from bqx.bars import Bars
from bqx.market import AVERAGE_SPREAD

ACTIVE, QUIET, ROLLOVER = 0.69, 1.24, 3.26
"""Spread over its average while London or New York trades, outside of both, and in the hour from
17:00 New York, when days are rolled over. Source: GBPUSD bid and ask minutes of February 2012
(0.50, 0.90 and 2.37 pips), scaled so that a whole day averages 1."""

_ROLLOVER_HOUR = 17


def profile(minutes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(T,) spread over the pair's average at each open epoch minute, ascending.

    Averages 1 over a week.
    """
    # Every boundary lies on a whole hour, and converting clocks is what costs time.
    hours = minutes // 60
    first = np.flatnonzero(np.diff(hours, prepend=-1))
    start = minutes[first]
    tight = sessions.in_session(start, "london") | sessions.in_session(start, "new_york")
    local = sessions.local_minutes(start, sessions.NEW_YORK) % sessions.DAY // 60
    shape = np.where(local == _ROLLOVER_HOUR, ROLLOVER, np.where(tight, ACTIVE, QUIET))
    return np.repeat(shape, np.diff(first, append=len(minutes)))


def average_spread(pair: str) -> float:
    """Average spread of a pair in quote units.

    >>> round(average_spread("usdjpy"), 3)
    0.013
    """
    return AVERAGE_SPREAD[pairs.check(pair)] * pairs.pip(pair)


def spread(bars: Bars) -> NDArray[np.float64]:
    """(T,) spread of each minute, quote units: the bars' own where there is one, else the table."""
    own = bars.frame["spread"].to_numpy(np.float64)
    missing = ~np.isfinite(own)
    if not missing.any():
        return own
    out = own.copy()
    out[missing] = average_spread(bars.pair) * profile(bars.minutes[missing])
    return out


def mid(bars: Bars, rate: str = "close") -> NDArray[np.float64]:
    """(T,) mid rate of each minute, quote units: the bid plus half of `spread`; NaN on NaN rows.

    Parameters
    ----------
    bars : bid bars.
    rate : which one of open, high, low, close.
    """
    return bars.frame[rate].to_numpy(np.float64) + 0.5 * spread(bars)


def half_cost(bars: Bars, multiple: float = 1.0) -> NDArray[np.float64]:
    """(T,) cost of trading one unit of notional, half the spread as a share of the mid.

    NaN on NaN rows. ``multiple`` scales the spread, 2 for a broker twice as dear; it leaves the
    mid alone.
    """
    half = 0.5 * spread(bars)
    return multiple * half / (bars.close + half)
