"""Notebook 08: the forecasts traded where they cover their cost, beside signals without a model."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import skill
from bqx.learning import targets
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params, for_notebook
from bqx.runs import ledger
from bqx.runs.ledger import Trial
from bqx.runs.run import Run, read_parquet
from bqx.stages import candidates
from bqx.stages.bars import load
from bqx.stages.training import conditions_of, forecast_rows
from bqx.trading import backtest, benchmarks, costs, netting, performance, signals
from bqx.trading.backtest import Backtest
from bqx.trading.costs import Costs

NAME = "08_backtest"

FORECAST = "forecast"
"""Name of the model's own signal beside the comparators."""

ENDS = ("", "_lo", "_hi")
"""What follows a value's name for the value and the ends of its interval."""

TWICE = 2.0
"""Multiple of the spread that was paid at which the same trades are judged once more."""

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """Profits of all cells.

    ``cells`` : a row a pair and horizon: ``performance.Performance`` with the reason where a value
        does not exist; ``net_..._2x``, the net values at twice the spread; ``break_even``, the
        accuracy that a trade on every row would need, beside ``forecast_accuracy``, that of the
        forecasts that are not 0; ``trades_break_even``, the one that the trades made needed,
        beside ``accuracy``, theirs.
    ``daily`` : mean over cells by day: day, gross, net, net_2x, in bp of the notional.
    ``breakdown`` : mean a day over cells by horizon: gross, the parts of the cost, net, in bp.
    ``comparators`` : the forecast and the signals without a model: a row a signal and horizon.
    ``conditions`` : mean a day over cells by session, volatility and trend: gross, cost, net, in
        bp, and the share of the turnover.
    ``netting`` : what the portfolio of all cells pays for its fills at each level of netting.
    ``exposure`` : its mean absolute exposure by currency, gross and net, in notionals.
    ``identity`` : largest difference between a cell's summed trades, minutes and days.
    """

    cells: pd.DataFrame
    daily: pd.DataFrame
    breakdown: pd.DataFrame
    comparators: pd.DataFrame
    conditions: pd.DataFrame
    netting: pd.DataFrame
    exposure: pd.DataFrame
    identity: float

    def matrix(self, column: str) -> pd.DataFrame:
        """One column of the cells, pairs by horizons."""
        return _by_horizon(self.cells, "pair", column)

    def ratios(self) -> pd.DataFrame:
        """Sharpe and Sortino ratios with their intervals: gross, net, net at twice the spread."""
        cells = self.cells.set_index(["pair", "horizon"])
        columns = [(side, end) for side in ("gross", "net", "net_2x") for end in ENDS]
        parts = {}
        for name in ("sharpe", "sortino"):
            held = [
                f"{side.removesuffix('_2x')}_{name}{end}{'_2x' * side.endswith('_2x')}"
                for side, end in columns
            ]
            parts[name] = cells[held].set_axis([side + end for side, end in columns], axis=1)
        table = pd.concat(parts, names=["ratio"]).astype(float)
        return table.reorder_levels(["pair", "horizon", "ratio"]).sort_index(sort_remaining=False)

    def beside(self, column: str) -> pd.DataFrame:
        """One column of the forecast and the comparators, signals by horizons."""
        table = _by_horizon(self.comparators, "signal", column)
        return table.loc[self.comparators["signal"].unique()]


def _by_horizon(rows: pd.DataFrame, index: str, column: str) -> pd.DataFrame:
    table = rows.pivot(index=index, columns="horizon", values=column).astype(float)
    return table.rename_axis(columns="horizon (min)")


@dataclass
class _Pair:
    """What trading one pair made: accounts by day, cells, and what netting needs.

    ``position``, ``bought``, ``fill`` : (T,) of the forecasts at all horizons, and the cost of a
        fill; rows from ``first`` to ``last`` (excluded) were judged.
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


def _identity(made: Backtest, daily: pd.DataFrame) -> float:
    """How far trades, minutes and days of one account are apart."""
    trades = np.nansum(made.entered * made.move) / made.horizon
    net = float(made.net.sum())
    return max(
        abs(float(made.gross.sum()) - float(trades)),
        abs(net - float(daily["net"].sum())),
        abs(net - float((daily["gross"] - daily["cost"]).sum())),
    )


def _accuracy(made: Backtest, paid: Costs, expected: Series) -> dict[str, float | None]:
    round_trip = 2.0 * float(paid.fill[made.quoted].mean())
    valid = np.isfinite(made.move) & np.isfinite(expected)
    return {
        "break_even": performance.break_even(round_trip, made.move),
        "forecast_accuracy": skill.agreement(made.move[valid], expected[valid]),
        "trades_break_even": made.break_even,
        "accuracy": made.accuracy,
    }


def _pair(run: Run, bars: Bars, params: Params) -> _Pair:
    priced = costs.make(bars, params)
    size = signals.size(bars, params.target_volatility, params.largest_position)
    # What is still held after the last forecast belongs to its condition.
    met = conditions_of(run, bars).ffill().fillna("")
    out = _Pair(np.zeros(len(bars)), np.zeros(len(bars)), priced.fill, first=len(bars))
    for horizon, forecast in forecast_rows(run, bars).items():
        known = np.flatnonzero(np.isfinite(forecast))
        rows = slice(int(known[0]), min(int(known[-1]) + 1 + horizon + 2, len(bars)))
        out.first, out.last = min(out.first, rows.start), max(out.last, rows.stop)
        judged, paid = bars.rows(rows.start, rows.stop), priced.rows(rows.start, rows.stop)
        target = targets.make(bars, params.window(horizon), horizon)
        move = signals.expected_move(forecast * target.sigma, target.window, horizon)
        sides = {FORECAST: signals.side(move, *priced.expected(horizon))}
        sides |= benchmarks.sides(bars, target, params.target)
        for name, side in sides.items():
            # What is held must not be traded again and again to keep its volatility.
            sized = side if name == benchmarks.HELD else side * size
            signal = np.where(np.isfinite(forecast), sized, 0.0)
            made = backtest.run(judged, signal[rows], horizon, costs=paid)
            daily = made.daily()
            out.identity = max(out.identity, _identity(made, daily))
            account = daily.assign(pair=bars.pair, horizon=horizon)
            out.compared.append(account.assign(signal=name))
            if name == FORECAST:
                out.traded.append(account)
                out.position[rows] += made.position
                out.bought[rows] += made.bought
                for kind in met:
                    found = made.by(met[kind].to_numpy(np.str_)[rows])
                    out.by_condition.append(found.assign(condition=kind).reset_index())
                out.accuracy.append(
                    {"pair": bars.pair, "horizon": horizon} | _accuracy(made, paid, move[rows])
                )
    return out


def _summaries(daily: pd.DataFrame, by: list[str], params: Params) -> pd.DataFrame:
    groups = daily.groupby(by, sort=False)
    confidence = skill.simultaneous(params.confidence, groups.ngroups)
    rows: list[dict[str, Any]] = []
    for key, part in groups:
        once = performance.summary(part, confidence, params.seed)
        twice = performance.summary(performance.at_spread(part, TWICE), confidence, params.seed)
        net = {f"{name}_2x": value for name, value in asdict(twice).items() if "net_" in name}
        rows.append(dict(zip(by, key, strict=True)) | asdict(once) | net)
    return pd.DataFrame(rows)


def mean_by_day(daily: pd.DataFrame) -> pd.DataFrame:
    """Equal-weighted portfolio of the cells: a row a day, as ``Backtest.daily`` has them."""
    cells = daily.groupby(["pair", "horizon"]).ngroups
    means = list(backtest.SUMMED)
    sums = daily.groupby("day", as_index=False)[[*means, "trades"]].sum()
    sums[means] /= cells
    return sums


def net_by_day(run: Run) -> pd.DataFrame:
    """(days, cells) net profit of every pair and horizon, columns (pair, horizon); 0 where a cell
    has no such day."""
    folder = run.need("backtest")
    return _net(pd.concat(read_parquet(path) for path in sorted(folder.glob("*.parquet"))))


def _net(daily: pd.DataFrame) -> pd.DataFrame:
    net = daily.pivot(index="day", columns=["pair", "horizon"], values="net")
    return net.sort_index(axis=1).fillna(0.0)


def trials(run: Run, net: pd.DataFrame) -> list[Trial]:
    """What the ledger holds of the cells' net profits, see `net_by_day`."""
    # A notebook knows its own parameters only; those that made the forecasts are on record.
    fitted = for_notebook("06_training", run.stages["06_training"]["params"])
    name = candidates.name_of(candidates.used(run))
    made = ledger.cells(net, "net", fitted, name, run.manifest["data_hash"])
    return candidates.searched(made, fitted)


def _portfolios(compared: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Every signal's mean over pairs, judged by horizon."""
    portfolios = [
        mean_by_day(part).assign(signal=name, horizon=horizon)
        for (name, horizon), part in compared.groupby(["signal", "horizon"], sort=False)
    ]
    return _summaries(pd.concat(portfolios), ["signal", "horizon"], params)


def _breakdown(daily: pd.DataFrame) -> pd.DataFrame:
    parts = ["gross", "spread", "slippage", "commission", "rollover", "net"]
    rows = {
        horizon: 1e4 * mean_by_day(part)[parts].mean() for horizon, part in daily.groupby("horizon")
    }
    return pd.DataFrame(rows).T.rename_axis(index="horizon")


def _by_condition(parts: list[pd.DataFrame], cells: int, days: int) -> pd.DataFrame:
    sums = pd.concat(parts).groupby(["condition", "label"], sort=False).sum()
    table = 1e4 * sums[["gross", "cost", "net"]] / (cells * days)
    whole = sums.groupby("condition")["turnover"].transform("sum")
    table["turnover"] = sums["turnover"] / np.maximum(whole, np.finfo(float).tiny)
    return table.rename_axis(["condition", "value"])


def _netted(made: dict[str, _Pair], daily: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cost of the fills of the equal-weighted portfolio at three levels of netting; exposures."""
    cells, days = daily.groupby(["pair", "horizon"]).ngroups, daily["day"].nunique()
    judged = slice(min(one.first for one in made.values()), max(one.last for one in made.values()))
    found = netting.net(
        {pair: one.position[judged] / cells for pair, one in made.items()},
        {pair: one.bought[judged] / cells for pair, one in made.items()},
        {pair: one.fill[judged] for pair, one in made.items()},
    )
    alone = daily[["spread", "slippage", "commission"]].to_numpy().sum() / cells
    paid = {
        "every cell by itself": alone,
        "horizons of a pair together": found.by_pair.sum(),
        "currencies of all pairs together": found.by_currency.sum(),
    }
    table = pd.DataFrame({"cost": 1e4 / days * pd.Series(paid)}).rename_axis("netting")
    table["saved"] = 1.0 - table["cost"] / table["cost"].iloc[0] if alone > 0 else 0.0
    return table, found.exposures()


def build(params: Params) -> Result:
    """Trade all pairs and horizons on their out-of-sample days and store the daily accounts."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars", "forecasts", "conditions"]) as stage:
        made = {pair: _pair(run, bars, params) for pair, bars in dataset.bars.items()}
        for pair, one in made.items():
            stage.write_parquet(f"backtest/{pair}.parquet", pd.concat(one.traded))
        daily = pd.concat([frame for one in made.values() for frame in one.traded])
        compared = pd.concat([frame for one in made.values() for frame in one.compared])
        accuracy = pd.DataFrame([row for one in made.values() for row in one.accuracy])
        cells = _summaries(daily, ["pair", "horizon"], params).merge(accuracy)
        beside = _portfolios(compared, params)
        netted, exposure = _netted(made, daily)
        stage.write_json("backtest/cells.json", cells.to_dict("records"))
        stage.write_json("backtest/comparators.json", beside.to_dict("records"))
        stage.write_json("backtest/netting.json", netted.reset_index().to_dict("records"))
        ledger.beside(run.folder).record(*trials(run, _net(daily)))
    portfolio = mean_by_day(daily)
    twice = performance.at_spread(portfolio, TWICE)
    curves = pd.DataFrame(
        {
            "day": portfolio["day"].to_numpy().astype("datetime64[D]"),
            "gross": 1e4 * portfolio["gross"],
            "net": 1e4 * portfolio["net"],
            "net_2x": 1e4 * twice["net"],
        }
    )
    return Result(
        cells=cells,
        daily=curves,
        breakdown=_breakdown(daily),
        comparators=beside,
        conditions=_by_condition(
            [part for one in made.values() for part in one.by_condition],
            len(cells),
            daily["day"].nunique(),
        ),
        netting=netted,
        exposure=exposure,
        identity=max(one.identity for one in made.values()),
    )
