"""Signals to profit and loss, minute by minute: one account that adds up from fills to days.

A signal at t enters one ``horizon``-th of its size at the open of t+1 and leaves it at the open of
t+1+horizon. The position is the sum of the entries that are open, and only its changes are
traded: what one signal leaves another takes over. Trades are struck at the mid and charged half
the spread, slippage and commission for what they trade: buying pays the ask and selling gets the
bid, whatever part of the spread was assumed.

Units are bought, not shares: an entry's profit is its notional times the move of the mid from fill
to fill, and the minutes add up to it exactly.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.errors import ParameterError
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.trading.costs import Costs

Series = NDArray[np.float64]
Account = tuple[Series, Series, Series, Series, Series]

SUMMED = (
    "gross",
    "spread",
    "slippage",
    "commission",
    "carry",
    "markup",
    "rollover",
    "cost",
    "net",
    "turnover",
)
"""Minute series that a day adds up, in this order in ``Backtest.daily``."""


@dataclass(frozen=True)
class Backtest:
    """Minute series of one pair and horizon, in shares of the notional of a signal of size 1.

    ``day`` : (T,) trading day of the row, days since 1970-01-01.
    ``quoted`` : (T,) whether the minute has a bar of its own.
    ``entered`` : (T,) the signal that was entered, 0 where none was.
    ``move`` : (T,) move of the mid from the fill of an entry at t to that of its exit, whether
        there was one or not; NaN where there could be none.
    ``position`` : (T,) held through the minute, at its mid.
    ``bought`` : (T,) traded at the open, negative where sold.
    ``gross`` : (T,) profit of the position through the minute at mid rates.
    ``spread``, ``slippage`` : (T,) paid at the open for the turnover.
    ``carry`` : (T,) interest earned at the open; negative: paid; ``markup`` : (T,) what the broker
        keeps of it.
    ``fee`` : commission, share of the turnover.
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
    carry: Series
    markup: Series
    fee: float
    horizon: int

    @property
    def turnover(self) -> Series:
        """(T,) absolute change of position at the open."""
        return np.abs(self.bought)

    @property
    def commission(self) -> Series:
        """(T,) paid at the open for the turnover."""
        return self.fee * self.turnover

    @property
    def rollover(self) -> Series:
        """(T,) the broker's swap at the open: the interest less what the broker keeps."""
        return self.carry - self.markup

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
        gains = np.sign(self.move * self.entered)
        gains = gains[(self.entered != 0) & (gains != 0)]
        return float((gains > 0).mean()) if len(gains) else None

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
        start = np.concatenate(([0], 1 + np.flatnonzero(self.day[1:] != self.day[:-1])))
        minutes = ("gross", "spread", "slippage", "carry", "markup", "turnover")
        sums = pd.DataFrame({name: np.add.reduceat(getattr(self, name), start) for name in minutes})
        sums["commission"] = self.fee * sums["turnover"]
        sums["rollover"] = sums["carry"] - sums["markup"]
        sums["cost"] = sums["spread"] + sums["slippage"] + sums["commission"] - sums["rollover"]
        sums["net"] = sums["gross"] - sums["cost"]
        sums["day"] = self.day[start]
        sums["trades"] = np.add.reduceat(self.entered != 0, start, dtype=np.int64)
        quoted = np.logical_or.reduceat(self.quoted, start)
        return sums.loc[quoted, ["day", *SUMMED, "trades"]].reset_index(drop=True)

    def by(self, labels: NDArray[np.str_]) -> pd.DataFrame:
        """Sums by the label of each minute: index label, those of `SUMMED`, trades.

        Parameters
        ----------
        labels : (T,) condition of the market in every minute; an empty one is left out.
        """
        codes, names = pd.factorize(labels, sort=True)
        sums = {name: np.bincount(codes, getattr(self, name)) for name in SUMMED}
        sums["trades"] = np.bincount(codes, self.entered != 0).astype(np.int64)
        frame = pd.DataFrame(sums, index=pd.Index(names, name="label"))
        return frame.drop(index="", errors="ignore")


@kernel(nogil=True)
def _enter(
    signal: Series,
    finite: NDArray[np.bool_],
    quoted: NDArray[np.bool_],
    first_market_minute: int,
    horizon: int,
    mid: Series,
) -> tuple[Series, Series, Series]:
    """Signals that are entered, the units that they buy, and moves from fill to fill.

    Read backwards, since an entry must know that its exit can be filled in the same week.
    """
    rows = len(signal)
    entered, units, move = np.empty(rows), np.empty(rows), np.empty(rows)
    fill = np.empty(rows, np.int32)
    quote = hole = rows
    weekend = rows - 1 - (first_market_minute + rows - 1) % sessions.WEEK + sessions.WEEK
    for t in range(rows - 1, -1, -1):
        if t < weekend - sessions.WEEK:
            weekend -= sessions.WEEK
        if quoted[t]:
            quote = t
        if not finite[t]:
            hole = t
        fill[t] = quote
        leave = t + 1 + horizon
        entered[t] = units[t] = 0.0
        move[t] = np.nan
        if leave < hole and fill[leave] < min(weekend, rows):
            unit = 1.0 / mid[fill[t + 1]]
            move[t] = mid[fill[leave]] * unit - 1.0
            if not np.isnan(signal[t]):
                entered[t] = signal[t]
                units[t] = signal[t] * unit / horizon
    return entered, units, move


@kernel(nogil=True)
def _account(
    units: Series,
    quoted: NDArray[np.bool_],
    horizon: int,
    mid: Series,
    half_spread: Series,
    slip: Series,
) -> tuple[Series, Series, Series, Series, Series]:
    """Position, bought, gross, spread and slippage.

    Orders wait for the next minute with a bar; until then the position stays as it is.
    """
    rows = len(units)
    position, bought, gross = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    spread, slippage = np.zeros(rows), np.zeros(rows)
    ordered = owned = rate = 0.0
    entries = 0
    for t in range(1, rows):
        ordered += units[t - 1]
        entries += units[t - 1] != 0.0
        if t > horizon:
            ordered -= units[t - 1 - horizon]
            entries -= units[t - 1 - horizon] != 0.0
        if entries == 0:
            # Sums of units leave crumbs that no trade would ever close.
            ordered = 0.0
        if quoted[t]:
            gross[t - 1] = owned * (mid[t] - rate)
            rate = mid[t]
            bought[t] = (ordered - owned) * rate
            traded = abs(bought[t])
            spread[t] = traded * half_spread[t]
            slippage[t] = traded * slip[t]
            owned = ordered
        position[t] = owned * rate
    return position, bought, gross, spread, slippage


def _roll(position: Series, costs: Costs, rows: NDArray[np.int64]) -> tuple[Series, Series]:
    """(T,) interest on the position through the minute before each of the rows, and what the broker
    keeps of it."""
    carry, markup = np.zeros((2, len(position)))
    before, count = position[rows - 1], costs.nights[rows]
    carry[rows] = before * count * costs.night.carry
    markup[rows] = np.abs(before) * count * costs.night.markup
    return carry, markup


def run(bars: Bars, signal: Series, horizon: int, *, costs: Costs) -> Backtest:
    """Trade the signals on the bars.

    An order in a minute without a bar of its own is filled at the open of the next bar, at that
    bar's cost. A signal is not entered when a row from t
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
                f"{len(bars):,}."
            )
    signal, mid = np.asarray(signal, np.float64), costs.mid
    finite = np.isfinite(bars.close)
    quoted = finite & ~bars.frame["filled"].to_numpy(np.bool_)
    first = bars.first_market_minute
    entered, units, move = _enter(signal, finite, quoted, first, horizon, mid)
    account: Account = _account(units, quoted, horizon, mid, costs.half_spread, costs.slippage)
    start = np.union1d(0, np.arange(-first % sessions.DAY, len(bars), sessions.DAY))
    day = np.repeat(sessions.trading_days(bars.minutes[start]), np.diff(start, append=len(bars)))
    return Backtest(
        day,
        quoted,
        entered,
        move,
        *account,
        *_roll(account[0], costs, start[1:]),
        costs.commission,
        horizon,
    )
