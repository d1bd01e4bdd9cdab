"""The signal of one forecast: buy, sell or hold, as the backtest decides it on the same row."""

from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

import numpy as np

from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.trading import costs, rollover, signals

NAMES = {signals.BUY: "BUY", signals.SELL: "SELL", signals.HOLD: "HOLD"}


@dataclass(frozen=True)
class Signal:
    """What a forecast lets do.

    ``side`` : BUY, SELL or HOLD. ``strength`` : 0 for HOLD, else the forecast's distance from the
        martingale over the half-width of its interval, at most 1; None without an interval.
    ``move``, ``cost`` : expected log move of the rate, and what a trade that way costs, bp; a cost
        that is not known, because no spread or hole-free hour is, is None and holds.
    """

    side: str
    strength: float | None
    move: float
    cost: float | None


class Costs:
    """Costs that the last row of some bars lets expect, as `costs.Costs.expected` of longer ones.

    Parameters
    ----------
    bars : of the pair, up to the row of the forecast.
    params : the trading parameters.
    """

    def __init__(self, bars: Bars, params: Params) -> None:
        self._bars = bars.rows(max(len(bars) - costs.RUN_IN, 0), len(bars))
        self._entry = params.entry
        self._priced = costs.make(self._bars, params)

    def expected(self, window: int, horizon: int) -> tuple[float, float]:
        """Cost of a buy, and of a sell, from entry to exit, as a share of the notional."""
        priced = self._priced
        wait = signals.delay(window, horizon, self._entry)
        market = self._bars.first_market_minute + len(self._bars)
        entry, exit_ = _profile(market + wait), _profile(market + horizon)
        level = priced.level[-1]
        fills = level * (entry + exit_) + 2 * (priced.slippage[-1] + priced.commission)
        rolled = rollover.between(self._bars.pair, market + wait, market + horizon)
        buy, sell = (
            float(fills + rolled * max(-earned, 0.0))
            for earned in (priced.night.long, priced.night.short)
        )
        return buy, sell

    def signal(self, *, window: int, horizon: int, innovation: float, half_width: float) -> Signal:
        """Signal of a forecast.

        Parameters
        ----------
        innovation, half_width : forecast level less martingale, and of the interval, units of BQX.
        """
        move = float(signals.expected_move(np.array([innovation]), window, horizon)[0])
        buy, sell = self.expected(window, horizon)
        side = int(signals.side(*(np.array([value]) for value in (move, buy, sell)))[0])
        cost = sell if move < 0.0 else buy
        strength: float | None = 0.0
        if side != signals.HOLD:
            strength = min(abs(innovation) / half_width, 1.0) if half_width > 0.0 else None
        return Signal(
            NAMES[side], strength, 1e4 * move + 0.0, 1e4 * cost if isfinite(cost) else None
        )


@lru_cache(maxsize=4_096)
def _profile(market_minute: int) -> float:
    return float(costs.profile(sessions.open_minutes(np.array([market_minute])))[0])
