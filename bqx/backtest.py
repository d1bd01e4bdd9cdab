"""Signals to profit and loss, minute by minute: one account that adds up from fills to days.

A signal at t enters one ``horizon``-th of its size at the open of t+1 and leaves it at the open of
t+1+horizon. What is held is the sum of the entries that are open, and only what it changes by is
traded: what one signal leaves another takes over. Trades are struck at the mid and charged half
the spread, slippage and commission for what they trade: buying pays the ask and selling gets the
bid, whatever part of the spread was assumed.

Units are bought, not shares: an entry's profit is its notional times the move of the mid from fill
to fill, and the minutes add up to it exactly.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from bqx import sessions
from bqx.bars import Bars
from bqx.costs import Costs
from bqx.errors import ParameterError

Series = NDArray[np.float64]

SUMMED = ("gross", "spread", "slippage", "commission", "rollover", "cost", "net", "turnover")
"""Minute series that a day adds up, in this order in ``Backtest.daily``."""


@dataclass(frozen=True)
class Backtest:
    """Minute series of one pair and horizon, in shares of the notional of a signal of size 1.

    ``day`` : (T,) trading day of the row, days since 1970-01-01.
    ``quoted`` : (T,) whether the minute has a bar of its own.
    ``entered`` : (T,) the signal that was entered, 0 where none was.
    ``move`` : (T,) move of the mid from the fill of an entry at t to that of its exit, whether
        one was made or not; NaN where none could be.
    ``position`` : (T,) held through the minute, at its mid.
    ``bought`` : (T,) traded at the open, negative where sold.
    ``gross`` : (T,) profit of the position through the minute at mid rates.
    ``spread``, ``slippage``, ``commission`` : (T,) paid at the open for the turnover.
    ``rollover`` : (T,) interest earned at the open; negative: paid.
    ``horizon`` : minutes a signal is held.
    """

    day: NDArray[np.int64]
    quoted: NDArray[np.bool_]
    entered: Series
    move: Series
    position: Series
    bought: Series
    gross: Series
    spread: Series
    slippage: Series
    commission: Series
    rollover: Series
    horizon: int

    @property
    def turnover(self) -> Series:
        """(T,) absolute change of position at the open."""
        return np.abs(self.bought)

    @property
    def cost(self) -> Series:
        """(T,) spread, slippage and commission less the interest of rollovers."""
        return self.spread + self.slippage + self.commission - self.rollover

    @property
    def net(self) -> Series:
        """(T,) profit after costs."""
        return self.gross - self.cost

    @property
    def accuracy(self) -> float | None:
        """Share of the entries that the mid moved along with; None without any that saw it move."""
        came = np.sign(self.move[self.entered != 0] * self.entered[self.entered != 0])
        came = came[came != 0]
        return float((came > 0).mean()) if len(came) else None

    @property
    def break_even(self) -> float | None:
        """Share of the entries that had to be right to earn their cost, weighted by what each could
        gain or lose; None without entries.
        """
        at_stake = float(np.nansum(np.abs(self.entered * self.move))) / self.horizon
        return 0.5 + float(self.cost.sum()) / (2.0 * at_stake) if at_stake > 0 else None

    def daily(self) -> pd.DataFrame:
        """Sums by trading day: day, those of `SUMMED`, trades (signals entered).

        Every day that has a quote has a row, those without a trade as well.
        """
        start = np.flatnonzero(np.diff(self.day, prepend=-1))
        sums = {
            name: np.add.reduceat(getattr(self, name), start)
            for name in ("gross", "spread", "slippage", "commission", "rollover", "turnover")
        }
        sums["cost"] = sums["spread"] + sums["slippage"] + sums["commission"] - sums["rollover"]
        sums["net"] = sums["gross"] - sums["cost"]
        trades = np.add.reduceat(self.entered != 0, start, dtype=np.int64)
        quoted = np.logical_or.reduceat(self.quoted, start)
        frame = pd.DataFrame(
            {"day": self.day[start], **{name: sums[name] for name in SUMMED}, "trades": trades}
        )
        return frame[quoted].reset_index(drop=True)


@njit(cache=True, nogil=True)
def _enter(
    signal: Series,
    known: NDArray[np.bool_],
    quoted: NDArray[np.bool_],
    first_market_minute: int,
    horizon: int,
    mid: Series,
) -> tuple[Series, Series, NDArray[np.int64]]:
    """Signals that are entered, moves from fill to fill, and the row that fills each row's orders.

    Read backwards, since an entry must know that its exit can be filled in the same week.
    """
    rows = len(signal)
    entered, move = np.zeros(rows), np.full(rows, np.nan)
    fill = np.full(rows, rows, np.int64)
    quote = hole = rows
    weekend = rows - 1 - (first_market_minute + rows - 1) % sessions.WEEK + sessions.WEEK
    for t in range(rows - 1, -1, -1):
        if t < weekend - sessions.WEEK:
            weekend -= sessions.WEEK
        if quoted[t]:
            quote = t
        if not known[t]:
            hole = t
        fill[t] = quote
        leave = t + 1 + horizon
        if leave < hole and fill[leave] < min(weekend, rows):
            move[t] = mid[fill[leave]] / mid[fill[t + 1]] - 1.0
            if abs(signal[t]) > 0.0:
                entered[t] = signal[t]
    return entered, move, fill


@njit(cache=True, nogil=True)
def _account(
    entered: Series,
    quoted: NDArray[np.bool_],
    fill: NDArray[np.int64],
    horizon: int,
    mid: Series,
    half_spread: Series,
    slip: Series,
    fee: float,
    nights: NDArray[np.int64],
    long_night: float,
    short_night: float,
) -> tuple[Series, Series, Series, Series, Series, Series, Series]:
    """Position, bought, gross, spread, slippage, commission and rollover.

    Orders wait for the next minute with a bar, what is held until then moves with it.
    """
    rows = len(entered)
    units = np.zeros(rows)
    position, bought, gross = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    spread, slippage = np.zeros(rows), np.zeros(rows)
    commission, rollover = np.zeros(rows), np.zeros(rows)
    wanted = held = rate = 0.0
    alive = 0
    for t in range(rows):
        if t > 0 and entered[t - 1] != 0.0:
            units[t - 1] = entered[t - 1] / (horizon * mid[fill[t]])
            wanted += units[t - 1]
            alive += 1
        old = t - 1 - horizon
        if old >= 0 and entered[old] != 0.0:
            wanted -= units[old]
            alive -= 1
            if alive == 0:
                # Sums of units leave crumbs that no trade would ever close.
                wanted = 0.0
        if held != 0.0 and nights[t] > 0:
            earned = long_night if held > 0.0 else short_night
            rollover[t] = abs(held) * rate * nights[t] * earned
        if quoted[t]:
            if held != 0.0:
                gross[t - 1] = held * (mid[t] - rate)
            rate = mid[t]
            if wanted != held:
                bought[t] = (wanted - held) * rate
                traded = abs(bought[t])
                spread[t] = traded * half_spread[t]
                slippage[t] = traded * slip[t]
                commission[t] = traded * fee
                held = wanted
        position[t] = held * rate
    return position, bought, gross, spread, slippage, commission, rollover


def run(bars: Bars, signal: Series, horizon: int, costs: Costs) -> Backtest:
    """Trade the signals on the bars.

    An order in a minute without a bar of its own is filled at the open of the next bar, at that
    bar's cost; until then what is held stays as it is. A signal is not entered when a row from t
    to t+1+horizon is NaN, when its exit would be filled beyond this FX week, or after the last
    bar: the position is flat over every weekend and at the end. A rollover counts what was held
    into 17:00 New York, so what is sold at that open still earns or pays it.

    Parameters
    ----------
    bars : (T,) rows; only the days to be judged, since a day without a trade counts.
    signal : (T,) side times size in notionals, known at the end of row t; 0 or NaN holds.
    horizon : minutes a signal is held.
    costs : of the same rows (`costs.make`).

    Raises
    ------
    ParameterError : signal or costs of another length than the bars.
    """
    for name, series in (("signal", signal), ("costs", costs.mid)):
        if len(series) != len(bars):
            raise ParameterError(
                f"backtest: {name} does not belong to the bars, got {len(series):,} rows; expected "
                f"{len(bars):,}. Make it from the same rows."
            )
    known = np.isfinite(bars.close)
    quoted = known & ~bars.frame["filled"].to_numpy(np.bool_)
    first = bars.first_market_minute
    entered, move, fill = _enter(
        np.asarray(signal, np.float64), known, quoted, first, horizon, costs.mid
    )
    position, bought, gross, spread, slippage, commission, rollover = _account(
        entered, quoted, fill, horizon, costs.mid, costs.half_spread, costs.slippage,
        costs.commission, costs.nights, costs.long_night, costs.short_night,
    )  # fmt: skip
    days = (first + np.arange(len(bars))) // sessions.DAY
    start = np.flatnonzero(np.diff(days, prepend=-1))
    day = np.repeat(sessions.trading_days(bars.minutes[start]), np.diff(start, append=len(bars)))
    return Backtest(
        day=day,
        quoted=quoted,
        entered=entered,
        move=move,
        position=position,
        bought=bought,
        gross=gross,
        spread=spread,
        slippage=slippage,
        commission=commission,
        rollover=rollover,
        horizon=horizon,
    )
