"""Notebook 08: the forecasts traded where they cover their cost, every half spread counted."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx import backtest, costs, performance, signals, skill, targets
from bqx.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.stages.bars import load
from bqx.stages.training import forecast_rows
from bqx.store import Run

NAME = "08_backtest"

COMPARATORS = ("momentum sign", "buy and hold")


@dataclass(frozen=True)
class Result:
    """Profits of all cells.

    ``cells`` : a row a pair and horizon, ``performance.Performance`` with the reason where a value
        does not exist.
    ``daily`` : mean over cells by day: day, gross, net, in bp of the notional.
    ``comparators`` : what signals without a model made: a row a comparator and horizon.
    ``identity`` : largest difference between a cell's summed minutes and its summed days.
    """

    cells: pd.DataFrame
    daily: pd.DataFrame
    comparators: pd.DataFrame
    identity: float

    def matrix(self, column: str) -> pd.DataFrame:
        """One column of the cells, pairs by horizons."""
        return self.cells.pivot(index="pair", columns="horizon", values=column).astype(float)


def _trade(
    bars: Bars, signal: NDArray[np.int8], horizon: int, half: NDArray[np.float64], rows: slice
) -> tuple[pd.DataFrame, float]:
    made = backtest.run(bars.rows(rows.start, rows.stop), signal[rows], horizon, half[rows])
    daily = made.daily()
    return daily, abs(float(made.net.sum()) - float(daily["net"].sum()))


def _pair(run: Run, bars: Bars, params: Params) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    half = costs.half_cost(bars, params.spread_multiple)
    traded, compared, off = [], [], 0.0
    for horizon, forecast in forecast_rows(run, bars).items():
        known = np.flatnonzero(np.isfinite(forecast))
        rows = slice(int(known[0]), min(int(known[-1]) + 1 + horizon + 2, len(bars)))
        target = targets.make(bars, params.window(horizon), horizon)
        move = signals.expected_move(forecast * target.sigma, target.window, horizon)
        out_of_sample = np.isfinite(forecast)
        for name, signal in (
            ("forecast", signals.signal(move, 2.0 * half)),
            (COMPARATORS[0], signals.momentum(bars, horizon)),
            (COMPARATORS[1], signals.hold(len(bars))),
        ):
            daily, gap = _trade(bars, (signal * out_of_sample).astype(np.int8), horizon, half, rows)
            daily.insert(0, "horizon", horizon)
            daily.insert(0, "pair", bars.pair)
            off = max(off, gap)
            if name == "forecast":
                traded.append(daily)
            else:
                compared.append(daily.assign(comparator=name))
    return pd.concat(traded), pd.concat(compared), off


def _summaries(daily: pd.DataFrame, by: list[str], params: Params, cells: int) -> pd.DataFrame:
    confidence = skill.simultaneous(params.confidence, cells)
    rows: list[dict[str, Any]] = []
    for key, part in daily.groupby(by, sort=False):
        judged = performance.summary(part, confidence, params.seed)
        rows.append(dict(zip(by, key, strict=True)) | asdict(judged))
    return pd.DataFrame(rows)


def mean_by_day(daily: pd.DataFrame) -> pd.DataFrame:
    """Equal-weighted portfolio of the cells: a row a day, as ``Backtest.daily`` has them."""
    cells = daily.groupby(["pair", "horizon"]).ngroups
    means = ["gross", "cost", "net", "turnover"]
    sums = daily.groupby("day", as_index=False)[[*means, "trades"]].sum()
    sums[means] /= cells
    return sums


def build(params: Params) -> Result:
    """Trade all pairs and horizons on their out-of-sample days and store the daily accounts."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars", "forecasts"]) as stage:
        traded, compared, off = [], [], 0.0
        for pair, bars in dataset.bars.items():
            daily, others, gap = _pair(run, bars, params)
            stage.write_parquet(f"backtest/{pair}.parquet", daily)
            traded.append(daily)
            compared.append(others)
            off = max(off, gap)
        daily = pd.concat(traded)
        number = daily.groupby(["pair", "horizon"]).ngroups
        cells = _summaries(daily, ["pair", "horizon"], params, number)
        comparators = _summaries(
            pd.concat(
                mean_by_day(part).assign(comparator=name, horizon=horizon)
                for (name, horizon), part in pd.concat(compared).groupby(["comparator", "horizon"])
            ),
            ["comparator", "horizon"],
            params,
            len(COMPARATORS) * len(params.horizons),
        )
        stage.write_json("backtest/cells.json", cells.to_dict("records"))
        stage.write_json("backtest/comparators.json", comparators.to_dict("records"))
    portfolio = mean_by_day(daily)
    days = pd.DataFrame(
        {
            "day": portfolio["day"].to_numpy().astype("datetime64[D]"),
            "gross": portfolio["gross"] * 1e4,
            "net": portfolio["net"] * 1e4,
        }
    )
    return Result(cells, days, comparators, off)
