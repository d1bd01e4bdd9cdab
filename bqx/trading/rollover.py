"""Interest on positions held overnight: how many nights a rollover counts, and what one earns.

Spot trades settle in two days. A position held at 17:00 New York is rolled to the next value date,
and pays or earns the difference of the two currencies' interest for the nights in between: three
at Wednesday's 17:00, when the value date passes the weekend, else one, and so seven a week.
USDCAD settles in one day and counts its three nights on Thursday. Holidays, which move value dates
too, are not followed.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bqx.market import pairs, sessions
from bqx.market.bars import Bars

NIGHTS_A_YEAR = 365

_TWO_DAYS, _ONE_DAY = (1, 1, 1, 3, 1), (1, 1, 1, 1, 3)
"""Nights rolled at the 17:00 that opens each trading day: Friday's, Monday's, ... Thursday's."""

_SETTLES_IN_ONE_DAY = ("usdcad",)


def nights(bars: Bars) -> NDArray[np.int64]:
    """(T,) nights that a position is rolled over into each row, 0 but at 17:00 New York.

    Friday's rollover stands at the row that opens the week on Sunday.
    """
    counts = _counts(bars.pair)
    out = np.zeros(len(bars), np.int64)
    # A trading day starts at each multiple of 1,440 market minutes, whatever the clocks do.
    first = bars.first_market_minute
    rows = np.arange(-first % sessions.DAY, len(bars), sessions.DAY)
    out[rows] = counts[(first + rows) // sessions.DAY % len(counts)]
    return out


def between(pair: str, entered: int, left: int) -> int:
    """Nights that a position is rolled over into the market minutes after one, up to another."""
    days = np.arange(entered // sessions.DAY + 1, left // sessions.DAY + 1)
    counts = _counts(pair)
    return int(counts[days % len(counts)].sum())


def _counts(pair: str) -> NDArray[np.int64]:
    return np.array(_ONE_DAY if pair in _SETTLES_IN_ONE_DAY else _TWO_DAYS, np.int64)


def night(pair: str, interest: Mapping[str, float], markup: float) -> tuple[float, float]:
    """What one unit of notional held long, and held short, earns in a night; negative: pays.

    Parameters
    ----------
    interest : annual percent of every currency.
    markup : annual percent that a long and a short of the same size lose together.

    >>> long, short = night("audjpy", {"AUD": 4.35, "JPY": -0.1}, markup=1.0)
    >>> round(long * 365e2, 6), round(short * 365e2, 6)
    (3.95, -4.95)
    """
    carry = interest[pairs.base(pair)] - interest[pairs.quote(pair)]
    share = 100.0 * NIGHTS_A_YEAR
    return (carry - markup / 2) / share, (-carry - markup / 2) / share
