"""What a trade costs: spread, slippage and commission of every fill, and the rollover's interest.

Rates are bid, so the mid is the bid plus half the spread. Bars that bring their own spread are
charged exactly that; the others the pair's average on the account times the shape of the day: see
`table`. A raw account passes on a narrower spread and takes a commission instead. Slippage is
what a fill loses beyond that. It does not grow with volatility: a fill at the next bar's open
already takes whatever the market did since the decision, for better or worse, and how much the
worse prevails could only be fitted to fills of one's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bqx.features.rolling.weighted import ewm_mean
from bqx.market import pairs, sessions
from bqx.market.bars import Bars
from bqx.market.simulated import AVERAGE_SPREAD
from bqx.params import Params
from bqx.trading import rollover
from bqx.trading.rollover import Night

if TYPE_CHECKING:
    import pandas as pd

Series = NDArray[np.float64]

ACTIVE, QUIET, ROLLOVER = 0.69, 1.24, 3.26
"""Spread over its average while London or New York trades, outside of both, and in the hour from
17:00 New York, when days are rolled over. Source: GBPUSD bid and ask minutes of February 2012
(0.50, 0.90 and 2.37 pips), scaled so that a whole day averages 1."""

SESSIONS = {"London or New York": ACTIVE, "neither": QUIET, "17:00 New York": ROLLOVER}
"""Spread over its average by the part of the day that decides it."""


class Account(NamedTuple):
    """A broker's account: pips that its spread lies below the retail average, the least spread
    that is left, pips, and the commission of a fill, bp of the notional."""

    markup: float
    least: float
    commission: float


ACCOUNTS = {"retail": Account(0.0, 0.0, 0.0), "raw": Account(1.0, 0.1, 0.35)}
"""Types of account. Source of the average spreads: FXCM's published table, see
`bqx.market.simulated`. A raw account's is taken to be a pip less: brokers that publish both differ
by 1.0 to 1.3 pips on four majors (VT Markets: 1.3, 1.2, 1.2 and 1.0 on eurusd, gbpusd, audusd,
usdjpy). Its commission is the usual 3.5 dollars a lot and side."""

_ROLLOVER_HOUR = 17

SPAN, RUN_IN = 60, 600
"""Span and run-in, rows, of the exponential mean that tells the level of the spread."""


@dataclass(frozen=True)
class Costs:
    """What trading one pair costs, row by row; every share is one of the notional.

    ``mid`` : (T,) mid rate at each open, quote units: where trades are struck before their cost.
    ``half_spread``, ``slippage`` : (T,) share lost on a fill in this row.
    ``commission`` : share lost on a fill.
    ``nights`` : (T,) nights that a position is rolled over into this row.
    ``night`` : what a night brings, by the interest and by the broker.
    ``profile`` : (T,) spread over its average, by the clock alone.
    ``level`` : (T,) half spread, known at the end of the row, of a row whose profile is 1.

    Series of rates and spreads are NaN on NaN rows.
    """

    mid: Series
    half_spread: Series
    slippage: Series
    commission: float
    nights: NDArray[np.int64]
    night: Night
    profile: Series
    level: Series

    def rows(self, start: int, stop: int) -> Costs:
        """Costs of the rows ``start`` to ``stop`` (excluded)."""
        series = [f.name for f in fields(self) if isinstance(getattr(self, f.name), np.ndarray)]
        return replace(self, **{name: getattr(self, name)[start:stop] for name in series})

    @property
    def fill(self) -> Series:
        """(T,) share lost on a fill in this row."""
        return self.half_spread + self.slippage + self.commission

    def expected(self, horizon: int, delay: int = 0) -> tuple[Series, Series]:
        """(T,) cost of a buy, and of a sell, from entry to exit, expected at the row's end.

        Fills at the opens of t+1+delay and t+1+horizon at the spread that the clock lets expect
        there, and the interest that a rollover in between takes; what one would give does not make
        a trade cheaper. NaN where the spread is unknown and where the bars end before the exit.
        """
        buy, sell = out = np.full((2, len(self.level)), np.nan)
        last = len(self.level) - 1 - horizon
        if last <= 0:
            return buy, sell
        entry, exit_ = self.profile[1 + delay : last + 1 + delay], self.profile[1 + horizon :]
        fills = self.level[:last] * (entry + exit_) + 2 * (self.slippage[:last] + self.commission)
        passed = np.cumsum(self.nights)
        rolled = passed[1 + horizon :] - passed[1 + delay : last + 1 + delay]
        for side, earned in enumerate((self.night.long, self.night.short)):
            out[side, :last] = fills + rolled * max(-earned, 0.0)
        return buy, sell


def profile(minutes: NDArray[np.int64]) -> Series:
    """(T,) spread over the pair's average at each open epoch minute, ascending.

    Averages 1 over a week.
    """
    # Every boundary lies on a whole hour, and converting clocks is what costs time.
    hours = minutes // 60
    first = np.flatnonzero(np.diff(hours, prepend=-1))
    shape = _shape(hours[first].tobytes())
    return np.repeat(shape, np.diff(first, append=len(minutes)))


@lru_cache(maxsize=4)
def _shape(hours: bytes) -> Series:
    """(n,) profile of hours since 1970; a server asks for the same ones pair by pair."""
    start = 60 * np.frombuffer(hours, np.int64)
    tight = sessions.in_session(start, "london") | sessions.in_session(start, "new_york")
    local = sessions.local_minutes(start, sessions.NEW_YORK) % sessions.DAY // 60
    return np.where(local == _ROLLOVER_HOUR, ROLLOVER, np.where(tight, ACTIVE, QUIET))


def average_spread(pair: str, account: str = "retail") -> float:
    """Average spread of a pair on a type of account, in quote units.

    >>> round(average_spread("usdjpy"), 3), round(average_spread("usdjpy", "raw"), 3)
    (0.013, 0.003)
    """
    terms = ACCOUNTS[account]
    pips = max(AVERAGE_SPREAD[pairs.check(pair)] - terms.markup, terms.least)
    return pips * pairs.pip(pair)


def table(account: str, names: Iterable[str] = pairs.PAIRS) -> pd.DataFrame:
    """Spreads of pairs that bring none, in pips: one row per pair, average and by `SESSIONS`; and
    the commission of a fill, bp."""
    import pandas as pd

    rows = {}
    for pair in names:
        average = average_spread(pair, account) / pairs.pip(pair)
        rows[pair] = {"average": average} | {name: average * x for name, x in SESSIONS.items()}
    spreads = pd.DataFrame(rows).T.rename_axis(index="pair")
    return spreads.assign(commission=ACCOUNTS[account].commission)


def spread(bars: Bars, account: str = "retail") -> Series:
    """(T,) spread of each minute, quote units: the bars' own where there is one, else the table."""
    quoted = bars.spread
    missing = ~np.isfinite(quoted)
    if not missing.any():
        return quoted
    spreads = quoted.copy()
    spreads[missing] = average_spread(bars.pair, account) * profile(bars.minutes[missing])
    return spreads


def make(bars: Bars, params: Params) -> Costs:
    """Costs of trading the bars.

    ``account`` is one of `ACCOUNTS`. ``spread_multiple`` scales the spread that is paid, 2 for a
    broker twice as dear; it leaves the mid alone. ``slippage`` is in pips and ``commission``,
    beyond the account's own, in bp of the notional, of every fill; ``interest`` and ``markup`` are
    those of `rollover.night`.
    """
    half = 0.5 * spread(bars, params.account)
    mid = bars.opened + half
    shape = profile(bars.minutes)
    paid = params.spread_multiple * half / mid
    return Costs(
        mid=mid,
        half_spread=paid,
        slippage=params.slippage * pairs.pip(bars.pair) / mid,
        commission=(params.commission + ACCOUNTS[params.account].commission) * 1e-4,
        nights=rollover.nights(bars),
        night=rollover.night(bars.pair, params.interest, params.markup),
        profile=shape,
        level=ewm_mean(paid / shape, 2.0 / (SPAN + 1), RUN_IN, 1, bars.first_market_minute),
    )
