"""Interest on positions held overnight: how many nights a rollover counts, and what one earns.

A position held at 17:00 New York is rolled to the next value date, and pays or earns the difference
of the two currencies' interest for the nights in between, see `bqx.market.value_dates`. What the
interest alone says and what the broker keeps of it are two numbers, and stay apart.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bqx.market import pairs, sessions, value_dates
from bqx.market.bars import Bars

NIGHTS_A_YEAR = 365

FIRST_MONDAY = int(sessions.trading_days(sessions.week_opens(0, 0))[0]) - 7 * int(
    sessions.market_minutes(sessions.week_opens(0, 0))[0] // sessions.WEEK
)
"""Trading day of market minute 0, as days since 1970-01-01."""


class Night(NamedTuple):
    """A night of one unit of notional, as shares of it.

    ``carry`` : what a long earns by the interest alone, and a short pays; ``markup`` : what the
    broker keeps of either. Its swap is what is left.
    """

    carry: float
    markup: float

    @property
    def long(self) -> float:
        """The broker's swap of a long; negative: paid."""
        return self.carry - self.markup

    @property
    def short(self) -> float:
        """The broker's swap of a short; negative: paid."""
        return -self.carry - self.markup


def nights(bars: Bars) -> NDArray[np.int64]:
    """(T,) nights that a position is rolled over into each row, 0 but at 17:00 New York.

    Friday's rollover stands at the row that opens the week on Sunday.
    """
    out = np.zeros(len(bars), np.int64)
    # A trading day starts at each multiple of 1,440 market minutes, whatever the clocks do.
    rows = np.arange(-bars.first_market_minute % sessions.DAY, len(bars), sessions.DAY)
    out[rows] = value_dates.nights(bars.pair, sessions.trading_days(bars.minutes[rows]))
    return out


def between(pair: str, entered: int, left: int) -> int:
    """Nights that a position is rolled over into the market minutes after one, up to another."""
    days = np.arange(entered // sessions.DAY + 1, left // sessions.DAY + 1)
    weeks, weekdays = np.divmod(days, sessions.WEEK // sessions.DAY)
    return int(value_dates.nights(pair, FIRST_MONDAY + 7 * weeks + weekdays).sum())


def night(pair: str, interest: Mapping[str, float], markup: float) -> Night:
    """What a night brings by the interest, and what the broker keeps.

    Parameters
    ----------
    interest : annual percent of every currency.
    markup : annual percent that a long and a short of the same size lose together.

    >>> audjpy = night("audjpy", {"AUD": 4.35, "JPY": -0.1}, markup=1.0)
    >>> [round(share * 365e2, 6) for share in (audjpy.carry, audjpy.long, audjpy.short)]
    [4.45, 3.95, -4.95]
    """
    carry = interest[pairs.base(pair)] - interest[pairs.quote(pair)]
    share = 100.0 * NIGHTS_A_YEAR
    return Night(carry / share, markup / 2 / share)
