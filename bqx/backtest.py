"""Signals to profit and loss, minute by minute, gross and net of the spread.

A signal at t enters one ``horizon``-th of the notional at the open of t+1 and leaves it at the
open of t+1+horizon, so that the position is the mean of the last ``horizon`` signals entered and
what one signal leaves another may take over without trading. Trades are struck at the mid and
half the spread is charged for every unit the position changes by: buying pays the ask and selling
gets the bid, whatever part of the spread was assumed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from bqx import costs, sessions
from bqx.bars import Bars
from bqx.errors import ParameterError

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Backtest:
    """Minute series of one pair and horizon, in shares of a constant notional.

    ``day`` : (T,) trading day of the row, days since 1970-01-01.
    ``quoted`` : (T,) whether the minute has a bar of its own.
    ``entered`` : (T,) the signal that was entered, 0 where none was.
    ``position`` : (T,) held from the open of t+1 to the open of t+2.
    ``gross`` : (T,) profit of that position at mid rates.
    ``cost`` : (T,) half spreads paid at the open of t+1 to reach it.
    """

    day: NDArray[np.int64]
    quoted: NDArray[np.bool_]
    entered: NDArray[np.int8]
    position: Series
    gross: Series
    cost: Series

    @property
    def net(self) -> Series:
        """(T,) profit after costs."""
        return self.gross - self.cost

    @property
    def turnover(self) -> Series:
        """(T,) absolute change of position at the open of t+1."""
        return np.abs(np.diff(self.position, prepend=0.0))

    def daily(self) -> pd.DataFrame:
        """Sums by trading day: day, gross, cost, net, turnover, trades (signals entered).

        Every day that has a quote has a row, those without a trade as well.
        """
        day, start = np.unique(self.day, return_index=True)
        sums = {
            "gross": self.gross,
            "cost": self.cost,
            "net": self.net,
            "turnover": self.turnover,
            "trades": (self.entered != 0).astype(np.int64),
        }
        frame = pd.DataFrame(
            {"day": day, **{name: np.add.reduceat(x, start) for name, x in sums.items()}}
        )
        traded = np.logical_or.reduceat(self.quoted, start)
        return frame[traded].reset_index(drop=True)


@njit(cache=True)
def _enter(
    signal: NDArray[np.int8],
    known: NDArray[np.bool_],
    quoted: NDArray[np.bool_],
    first_market_minute: int,
    horizon: int,
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Signals that are entered and, of each row, the row whose open fills its orders."""
    rows = len(signal)
    entered, fill = np.zeros(rows, np.int8), np.full(rows, rows, np.int64)
    quote = hole = rows
    for t in range(rows - 1, -1, -1):
        if quoted[t]:
            quote = t
        if not known[t]:
            hole = t
        fill[t] = quote
        leave = t + 1 + horizon
        if leave < hole and fill[leave] < rows:
            week = (first_market_minute + t) // sessions.WEEK
            if (first_market_minute + fill[leave]) // sessions.WEEK == week:
                entered[t] = signal[t]
    return entered, fill


@njit(cache=True)
def _account(
    entered: NDArray[np.int8],
    fill: NDArray[np.int64],
    horizon: int,
    rate: Series,
    half_cost: Series,
) -> tuple[Series, Series, Series]:
    """Position, gross and cost; the rows that are idle stay 0 where there is no rate."""
    position, gross, cost = np.zeros((3, len(entered)))
    held = 0
    for t in range(len(entered)):
        before = held
        held += entered[t]
        if t >= horizon:
            held -= entered[t - horizon]
        position[t] = held / horizon
        if held != before:
            cost[t] = abs(held - before) / horizon * half_cost[fill[t + 1]]
        if held != 0:
            gross[t] = position[t] * (rate[fill[t + 2]] / rate[fill[t + 1]] - 1.0)
    return position, gross, cost


def run(bars: Bars, signal: NDArray[np.int8], horizon: int, half_cost: Series) -> Backtest:
    """Trade the signals on the bars.

    An order in a minute without a bar of its own is filled at the open of the next bar, at that
    bar's cost. A signal is not entered when a row from t to t+1+horizon is NaN, when its exit
    would be filled beyond this FX week, or after the last bar: the position is flat over every
    weekend and at the end.

    Parameters
    ----------
    bars : (T,) rows; only the days to be judged, since a day without a trade counts.
    signal : (T,) -1, 0 or 1, known at the end of row t.
    horizon : minutes a signal is held.
    half_cost : (T,) cost of trading one unit of notional in each row, share of the rate.

    Raises
    ------
    ParameterError : signal or half_cost of another length than the bars.
    """
    for name, series in (("signal", signal), ("half_cost", half_cost)):
        if len(series) != len(bars):
            raise ParameterError(
                f"backtest: {name} does not belong to the bars, got {len(series):,} rows; expected "
                f"{len(bars):,}. Make it from the same rows."
            )
    known = np.isfinite(bars.close)
    quoted = known & ~bars.frame["filled"].to_numpy(np.bool_)
    first = bars.first_market_minute
    entered, fill = _enter(signal, known, quoted, first, horizon)
    position, gross, cost = _account(entered, fill, horizon, costs.mid(bars, "open"), half_cost)
    days = (first + np.arange(len(bars))) // sessions.DAY
    start = np.flatnonzero(np.diff(days, prepend=-1))
    day = np.repeat(sessions.trading_days(bars.minutes[start]), np.diff(start, append=len(bars)))
    return Backtest(day, quoted, entered, position, gross, cost)
