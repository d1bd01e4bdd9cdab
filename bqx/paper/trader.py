"""Pairs traded on paper: each minute's bars in, forecasts of the live path, fills and days out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bqx.errors import RequestError
from bqx.learning.bundle import Bundle
from bqx.market import sessions, value_dates
from bqx.paper import latency
from bqx.paper.account import Account, Minute
from bqx.paper.latency import Latency
from bqx.serving.forecast import TRADING
from bqx.serving.live_panel import FedBar, LivePanel
from bqx.trading import costs, rollover, signals
from bqx.trading.newest_signal import NAMES

SIDES = {name: side for side, name in NAMES.items()}


@dataclass(frozen=True)
class Fill:
    """What was bought of a pair for a horizon at the open of a minute, negative where sold:
    notional, the mid that it was filled at, and how many seconds that took."""

    minute: int
    pair: str
    horizon: int
    bought: float
    mid: float
    seconds: float


class Trader:
    """Accounts of some bundles, fed minute by minute.

    Parameters
    ----------
    bundles : by pair.
    delay : how long orders take.
    last : epoch minute by which all is sold again, so that nothing later is entered for longer.

    Attributes
    ----------
    panel : of the live path, to be started with a history.
    accounts : by pair and horizon.
    minute : last one that was traded, 0 before the first.
    fills : of the trading day.
    """

    def __init__(self, bundles: Mapping[str, Bundle], delay: Latency, last: int) -> None:
        self.bundles, self.delay = dict(bundles), delay
        self._until = int(sessions.market_minutes(np.array([last]))[0])
        self.minute = 0
        self.panel = LivePanel(self.bundles, lambda: 60.0 * (self.minute + 1))
        self.fills: list[Fill] = []
        self.accounts = {
            (pair, horizon): _account(bundle, horizon)
            for pair, bundle in self.bundles.items()
            for horizon in bundle.horizons
        }

    def trade(self, minute: int, bars: Iterable[FedBar]) -> dict[str, Any] | None:
        """Take the bars of the next open minute: fill at its open, then decide by its end.

        Returns
        -------
        What `close_day` gives where this minute begins another trading day, else None.
        """
        closed = None
        market_minute = int(sessions.market_minutes(np.array([minute]))[0])
        before, self.minute = self.minute, minute
        minute_bars = list(bars)
        if before and market_minute % sessions.DAY == 0:
            closed = self._next_day(before, minute, minute_bars)
        self.panel.feed(minute_bars)
        self.panel.refresh()
        quoted = {fed.pair for fed in minute_bars}
        for pair, bundle in self.bundles.items():
            decided = dict.fromkeys(bundle.horizons, 0.0)
            if pair in quoted:
                newest = self.panel.bars(pair, minute)
                self._fill(pair, minute, newest.rows(len(newest) - 1, len(newest)))
                decided |= self._signals(pair, minute, newest)
            for horizon, signal in decided.items():
                self.accounts[pair, horizon].enter(signal, market_minute, self._until)
        return closed

    def _fill(self, pair: str, minute: int, bar: Any) -> None:
        priced = costs.make(bar, TRADING)
        seconds = self.delay.seconds(pair, minute)
        half = priced.mid[0] - bar.opened[0]
        filled = Minute(
            mid=float(priced.mid[0]),
            late=float(latency.rate(bar.opened[0], bar.close[0], seconds) + half),
            half_spread=float(priced.half_spread[0]),
            slippage=float(priced.slippage[0]),
            commission=priced.commission,
        )
        for (name, horizon), account in self.accounts.items():
            if name == pair and (bought := account.fill(filled)):
                self.fills.append(Fill(minute, pair, horizon, bought, filled.late, seconds))

    def _signals(self, pair: str, minute: int, bars: Any) -> dict[int, float]:
        """Side times size of the forecast of a minute, by horizon; none where there is none."""
        try:
            forecast = self.panel.newest(pair)
        except RequestError:
            return {}
        if forecast.minute != minute:
            return {}
        sides = {horizon: SIDES[signal.side] for horizon, signal in forecast.signals.items()}
        if not any(sides.values()):
            return {}
        size = signals.size(bars, TRADING.target_volatility, TRADING.largest_position)[-1]
        return {horizon: float(side * size) for horizon, side in sides.items()}

    def _next_day(self, last: int, minute: int, bars: Sequence[FedBar]) -> dict[str, Any]:
        """Close the day before a minute, and hold its positions over the night.

        A move from the day's last bar to an open at its very end is still the day's.
        """
        positions = {key: account.position for key, account in self.accounts.items()}
        opened = {fed.pair: self._mid(fed) for fed in bars if fed.pair in self.bundles}
        for (pair, _), account in self.accounts.items():
            if pair in opened:
                account.mark(opened[pair])
        closed = self.close_day(last)
        day = sessions.trading_days(np.array([minute]))
        for (pair, horizon), position in positions.items():
            if position:
                nights = int(value_dates.nights(pair, day)[0])
                night = rollover.night(pair, TRADING.interest, TRADING.markup)
                account = self.accounts[pair, horizon]
                account.day["carry"] += position * nights * night.carry
                account.day["markup"] += abs(position) * nights * night.markup
        return closed

    @staticmethod
    def _mid(fed: FedBar) -> float:
        spread = fed.bar.get("spread", np.nan)
        if not np.isfinite(spread):
            minute = np.array([fed.minute])
            spread = costs.average_spread(fed.pair, TRADING.account) * costs.profile(minute)[0]
        return float(fed.bar["open"] + 0.5 * spread)

    def close_day(self, last: int) -> dict[str, Any]:
        """The trading day that ends with a minute: its date, and the sums of every account."""
        day = int(sessions.trading_days(np.array([last]))[0])
        rows = [
            {"pair": pair, "horizon": horizon, "position": account.position, **account.close_day()}
            for (pair, horizon), account in self.accounts.items()
        ]
        fills, self.fills = self.fills, []
        return {"day": str(np.datetime64(day, "D")), "accounts": rows, "fills": fills}

    def content(self) -> dict[str, Any]:
        """What a restart needs besides the bars."""
        accounts = [
            {"pair": pair, "own": horizon, "account": account.content()}
            for (pair, horizon), account in self.accounts.items()
        ]
        fills = [list(vars(fill).values()) for fill in self.fills]
        return {"minute": self.minute, "accounts": accounts, "fills": fills}

    def restore(self, content: Mapping[str, Any]) -> None:
        """Go on from what `content` gave."""
        self.minute = int(content["minute"])
        self.fills = [Fill(*values) for values in content["fills"]]
        for entry in content["accounts"]:
            self.accounts[entry["pair"], int(entry["own"])] = Account.of(entry["account"])


def _account(bundle: Bundle, horizon: int) -> Account:
    wait = signals.delay(bundle.window_of(horizon), horizon, TRADING.entry)
    return Account(horizon=horizon - wait, wait=wait)
