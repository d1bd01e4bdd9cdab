"""One pair's forecasts traded at all horizons, beside signals without a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import skill
from bqx.learning import targets
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.stages.pair_scores import on_rows
from bqx.stages.scoring import conditions_of
from bqx.trading import backtest, benchmarks, costs, own_signal, performance, signals
from bqx.trading.backtest import Backtest
from bqx.trading.costs import Costs

FORECAST = "forecast"
"""Name of the model's own signal beside the comparators."""
ENTERED = {"late": "forecast, entered late", "next": "forecast, entered at once"}
"""Names of the same signal where it is entered the other way."""
EVERY = "every forecast"
"""Name of the signal that trades every forecast that is not 0, whatever it costs."""

Series = NDArray[np.float64]


@dataclass
class Accounts:
    """What trading one pair made: accounts by day, cells, and what netting needs.

    ``position``, ``bought``, ``fill`` : (T,) of the forecasts at all horizons, and the cost of a
        fill; rows from ``first`` to ``last`` (excluded) were judged.
    ``traded``, ``compared`` : accounts by day of the forecasts, and of all signals.
    ``identity`` : largest difference between an account's summed trades, minutes and days.
    """

    position: Series
    bought: Series
    fill: Series
    first: int
    last: int = 0
    traded: list[pd.DataFrame] = field(default_factory=list)
    compared: list[pd.DataFrame] = field(default_factory=list)
    accuracy: list[dict[str, Any]] = field(default_factory=list)
    by_condition: list[pd.DataFrame] = field(default_factory=list)
    identity: float = 0.0

    def add(self, name: str, traded: Backtest, account: pd.DataFrame) -> None:
        """Add one signal's account by day."""
        self.identity = max(self.identity, _identity(traded, account))
        self.compared.append(account.assign(signal=name))

    def add_forecast(
        self, traded: Backtest, account: pd.DataFrame, rows: slice, *, conditions: pd.DataFrame
    ) -> None:
        """Add the forecast's own account to what netting and conditions need."""
        self.traded.append(account)
        self.position[rows] += traded.position
        self.bought[rows] += traded.bought
        for kind in conditions:
            by_value = traded.by(conditions[kind].to_numpy(np.str_)[rows])
            self.by_condition.append(by_value.assign(condition=kind).reset_index())


def _identity(traded: Backtest, daily: pd.DataFrame) -> float:
    """How far trades, minutes and days of one account are apart."""
    trades = np.nansum(traded.entered * traded.move) / traded.horizon
    net = float(traded.net.sum())
    return max(
        abs(float(traded.gross.sum()) - float(trades)),
        abs(net - float(daily["net"].sum())),
        abs(net - float((daily["gross"] - daily["cost"]).sum())),
    )


def _accuracy(traded: Backtest, every: Backtest, paid: Costs, expected: Series) -> dict[str, Any]:
    """Accuracy needed and reached; and in bp what forecasts expect, cost, and would pay at."""
    round_trip = 2.0 * float(paid.fill[traded.quoted].mean())
    valid = np.isfinite(traded.move) & np.isfinite(expected)
    expected_moves = np.abs(expected[valid & (expected != 0)])
    turnover = float(every.turnover.sum())
    return {
        "break_even": performance.break_even(round_trip, traded.move),
        "forecast_accuracy": skill.agreement(traded.move[valid], expected[valid]),
        "trades_break_even": traded.break_even,
        "accuracy": traded.accuracy,
        "round_trip": 1e4 * round_trip,
        "expected_move": 1e4 * float(expected_moves.mean()) if len(expected_moves) else None,
        "break_even_cost": 2e4 * float(every.gross.sum()) / turnover if turnover > 0 else None,
    }


def _entries(target: targets.Target, entry: str) -> dict[str, int]:
    """Minutes that the forecast waits, by name of the signal: as asked for, the other way if it
    differs, and every forecast."""
    asked, other = (
        signals.delay(target.window, target.horizon, how)
        for how in (entry, "next" if entry == "late" else "late")
    )
    beside = {ENTERED["next" if entry == "late" else "late"]: other} if other != asked else {}
    return {FORECAST: asked} | beside | {EVERY: asked}


def judged_rows(forecast: Series, horizon: int) -> slice:
    """Rows from the first of (T,) forecasts to the last one's exit."""
    first, last = np.flatnonzero(np.isfinite(forecast))[[0, -1]]
    return slice(int(first), min(int(last) + 1 + horizon + 2, len(forecast)))


def trade(source: Source, bars: Bars, params: Params) -> Accounts:
    """Trade a pair's forecasts and the signals without a model on the same rows."""
    priced, rule = costs.make(bars, params), own_signal.rule_of(params)
    size = signals.size(bars, params.target_volatility, params.largest_position)
    # What is still held after the last forecast belongs to its condition.
    conditions = conditions_of(source, bars).ffill().fillna("")
    out = Accounts(np.zeros(len(bars)), np.zeros(len(bars)), priced.fill, first=len(bars))
    forecasts = artefacts.FORECASTS.read(source, pair=bars.pair)
    for horizon, forecast in on_rows(forecasts, bars).items():
        forecast_made = np.isfinite(forecast)
        rows = judged_rows(forecast, horizon)
        out.first, out.last = min(out.first, rows.start), max(out.last, rows.stop)
        judged, paid = bars.rows(rows.start, rows.stop), priced.rows(rows.start, rows.stop)
        target = targets.make(bars, params.window(horizon), horizon)
        move = signals.expected_move(forecast * target.sigma, target.window, horizon)
        waits = _entries(target, params.entry)
        sides = {
            name: np.nan_to_num(np.sign(move)).astype(np.int8)
            if name == EVERY
            else rule(move, *priced.expected(horizon, wait))
            for name, wait in waits.items()
        } | benchmarks.sides(bars, target, params.target)
        cell, results = {"pair": bars.pair, "horizon": horizon}, {}
        for name, signal in _signals(sides, size, forecast_made).items():
            wait = waits.get(name, 0)
            entered = signals.delayed(signal, bars, wait, 0.0)[rows]
            traded = results[name] = backtest.run(judged, entered, horizon - wait, costs=paid)
            account = traded.daily().assign(**cell)
            out.add(name, traded, account)
            if name == FORECAST:
                out.add_forecast(traded, account, rows, conditions=conditions)
        expected = signals.delayed(move, bars, waits[FORECAST], np.nan)[rows]
        accuracy = _accuracy(results[FORECAST], results[EVERY], paid, expected)
        capacity = performance.capacity(results[FORECAST].turnover, params.order_size)
        out.accuracy.append(cell | accuracy | {"capacity": capacity})
    return out


def _signals(
    sides: Mapping[str, NDArray[np.int8]], size: Series, forecast_made: NDArray[np.bool_]
) -> dict[str, Series]:
    """Sides with the size of their positions, 0 where no forecast was made.

    What is held throughout must not be traded again and again to keep its volatility.
    """
    return {
        name: np.where(forecast_made, side if name == benchmarks.HELD else side * size, 0.0)
        for name, side in sides.items()
    }
