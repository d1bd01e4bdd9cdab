"""The account of one pair and horizon, minute by minute: what `trading.backtest` does with
hindsight, done as the bars come.

The sums are made in the backtest's order, so that the same signals give the same fills bit for bit.
What it cannot do without knowing the future it does not do: an entry is not left out because of a
hole that comes later, but filled at the next bar on either side of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bqx.market import sessions

SUMMED = (
    "gross",
    "spread",
    "slippage",
    "commission",
    "latency",
    "carry",
    "markup",
    "net",
    "turnover",
    "trades",
)
"""What a day adds up, shares of the notional of a signal of size 1; ``trades`` are signals."""


@dataclass(frozen=True)
class Minute:
    """What a minute with a bar is traded by.

    ``mid`` : at its open; ``late`` : mid at which its orders are filled; ``half_spread``,
    ``slippage``, ``commission`` : shares of what is traded.
    """

    mid: float
    late: float
    half_spread: float
    slippage: float
    commission: float


@dataclass
class Account:
    """One pair and horizon.

    ``horizon`` : minutes that a signal is held, after ``wait`` minutes; ``signals`` : of the rows
    that still wait; ``pending`` : signals entered, but not filled; ``units`` : bought by the last
    ``horizon`` + 1 rows, oldest first; ``ordered``, ``owned`` : units; ``entries`` : that are open;
    ``rate`` : mid of the last fill; ``day`` : sums of the trading day.
    """

    horizon: int
    wait: int
    signals: list[float] = field(default_factory=list)
    pending: list[float] = field(default_factory=list)
    units: list[float] = field(default_factory=list)
    ordered: float = 0.0
    owned: float = 0.0
    entries: int = 0
    rate: float = 0.0
    day: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMMED, 0.0))

    @property
    def position(self) -> float:
        """What is held, at the mid of the last fill."""
        return self.owned * self.rate

    def mark(self, mid: float) -> None:
        """Value what is owned at a later mid."""
        self.day["gross"] += self.owned * (mid - self.rate)
        self.rate = mid

    def fill(self, minute: Minute) -> float:
        """Fill what was ordered before a minute with a bar; notional bought, below 0 where sold."""
        unit = 1.0 / minute.mid
        for signal in self.pending:
            bought = signal * unit / self.horizon
            self.ordered += bought
            self.entries += bought != 0.0
            self.units.append(bought)
            if len(self.units) > self.horizon:
                left = self.units.pop(0)
                self.ordered -= left
                self.entries -= left != 0.0
            if self.entries == 0:
                # As the backtest: sums of units leave crumbs that no trade would ever close.
                self.ordered = 0.0
        self.pending.clear()
        self.mark(minute.mid)
        bought = (self.ordered - self.owned) * self.rate
        traded = abs(bought)
        self.day["spread"] += traded * minute.half_spread
        self.day["slippage"] += traded * minute.slippage
        self.day["commission"] += traded * minute.commission
        self.day["latency"] += (self.ordered - self.owned) * (minute.late - minute.mid)
        self.day["turnover"] += traded
        self.owned = self.ordered
        return bought

    def enter(self, signal: float, market_minute: int, until: int) -> None:
        """Take the signal of the row that has just ended, 0 for none.

        It is entered after ``wait`` rows, where its week lasts until it is left, and the market
        minute ``until`` is not over.
        """
        self.signals.append(signal)
        delayed = self.signals.pop(0) if len(self.signals) > self.wait else 0.0
        same = market_minute // sessions.WEEK == (market_minute - self.wait) // sessions.WEEK
        leave = market_minute + 1 + self.horizon
        lasts = leave // sessions.WEEK == market_minute // sessions.WEEK
        entered = delayed if same and lasts and leave <= until else 0.0
        self.day["trades"] += entered != 0.0
        self.pending.append(entered)

    def close_day(self) -> dict[str, float]:
        """Sums of the trading day that ends, and begin anew."""
        sums = dict(self.day)
        cost = sum(sums[name] for name in ("spread", "slippage", "commission", "latency", "markup"))
        sums["net"] = sums["gross"] - cost + sums["carry"]
        self.day = dict.fromkeys(SUMMED, 0.0)
        return sums

    def content(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Account":
        """The account of `content`."""
        return cls(**content)
