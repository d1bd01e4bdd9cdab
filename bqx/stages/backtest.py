"""Notebook 08: the forecasts traded where they cover their cost, beside signals without a model."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ParameterError
from bqx.evaluation import skill
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, PLACE_KEYS, Params, from_settings
from bqx.params.own_files import own_files
from bqx.runs import artefacts, known_trials
from bqx.runs.artefacts import Source
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.runs.trials import Trial, cells
from bqx.stages import candidates, promotion
from bqx.stages.accounts import Accounts, trade
from bqx.stages.bars import Dataset, load
from bqx.trading import backtest, costs, netting, performance

NAME = "08_backtest"

ENDS = ("", "_lo", "_hi")
"""What follows a value's name for the value and the ends of its interval."""

TWICE = 2.0
"""Multiple of the spread that was paid at which the same trades are judged once more."""


@dataclass(frozen=True)
class Result:
    """Profits of all cells.

    ``cells`` : one row per pair and horizon: ``performance.Performance`` with the reason where a
        value does not exist; ``net_..._2x``, the net values at twice the spread; ``break_even``,
        the accuracy that a trade on every row would need, beside ``forecast_accuracy``, that of the
        forecasts that are not 0; ``trades_break_even``, the one that the trades made needed,
        beside ``accuracy``, theirs. In bp: ``expected_move`` of the forecasts that are not 0,
        ``round_trip``, what entry and exit cost, and ``break_even_cost``, the dearest round trip
        at which trading every forecast would have paid. ``capacity``, in millions of the base
        currency, see `performance.capacity`.
    ``spreads`` : pips of each pair, where its bars bring none, see `costs.table`.
    ``daily`` : mean over cells by day: day, gross, net, net_2x, in bp of the notional, and the net
        Sharpe ratios of the last 60 days sharpe_60, sharpe_60_2x, NaN before.
    ``breakdown`` : mean a day over cells by horizon: gross, the parts of the cost, net, in bp.
    ``comparators`` : the forecast and the signals without a model, one row per signal and horizon.
    ``conditions`` : mean a day over cells by session, volatility and trend: gross, cost, net, in
        bp, and the share of the turnover.
    ``netting`` : what the portfolio of all cells pays for its fills at each level of netting.
    ``exposure`` : its mean absolute exposure by currency, gross and net, in notionals.
    ``promotion`` : which cells may be promoted and why not, see `promotion.decide`.
    ``identity`` : largest difference between a cell's summed trades, minutes and days.
    """

    cells: pd.DataFrame
    spreads: pd.DataFrame
    daily: pd.DataFrame
    breakdown: pd.DataFrame
    comparators: pd.DataFrame
    conditions: pd.DataFrame
    netting: pd.DataFrame
    exposure: pd.DataFrame
    promotion: pd.DataFrame
    identity: float

    def matrix(self, column: str) -> pd.DataFrame:
        """One column of the cells, pairs by horizons."""
        return _by_horizon(self.cells, "pair", column)

    def ratios(self) -> pd.DataFrame:
        """Sharpe and Sortino ratios with their intervals: gross, net, net at twice the spread."""
        cells = self.cells.set_index(["pair", "horizon"])
        columns = [(side, end) for side in ("gross", "net", "net_2x") for end in ENDS]
        tables = {}
        for name in ("sharpe", "sortino"):
            ratio_columns = [
                f"{side.removesuffix('_2x')}_{name}{end}{'_2x' * side.endswith('_2x')}"
                for side, end in columns
            ]
            tables[name] = cells[ratio_columns].set_axis(
                [side + end for side, end in columns], axis=1
            )
        table = pd.concat(tables, names=["ratio"]).astype(float)
        return table.reorder_levels(["pair", "horizon", "ratio"]).sort_index(sort_remaining=False)

    def beside(self, column: str) -> pd.DataFrame:
        """One column of the forecast and the comparators, signals by horizons."""
        table = _by_horizon(self.comparators, "signal", column)
        return table.loc[self.comparators["signal"].unique()]


def _by_horizon(rows: pd.DataFrame, index: str, column: str) -> pd.DataFrame:
    table = rows.pivot(index=index, columns="horizon", values=column).astype(float)
    return table.rename_axis(columns="horizon (min)")


def _trade_all(source: Source, dataset: Dataset, params: Params) -> dict[str, Accounts]:
    traded: dict[str, Accounts] = {}
    tasks = {pair: (source, bars, params) for pair, bars in dataset.bars.items()}
    over_pairs(trade, tasks, params.workers, write=traded.__setitem__, backend=params.backend)
    # Pairs arrive as they are ready, and sums depend on their order.
    return {pair: traded[pair] for pair in dataset.bars}


def _summaries(daily: pd.DataFrame, by: list[str], params: Params) -> pd.DataFrame:
    groups = daily.groupby(by, sort=False)
    confidence = skill.simultaneous(params.confidence, groups.ngroups)
    rows: list[dict[str, Any]] = []
    for key, account in groups:
        dearer = performance.at_spread(account, TWICE)
        once, twice = (
            asdict(performance.summary(priced_account, confidence, params.seed))
            for priced_account in (account, dearer)
        )
        net = {f"{name}_2x": value for name, value in twice.items() if "net_" in name}
        rows.append(dict(zip(by, key, strict=True)) | once | net)
    return pd.DataFrame(rows)


def mean_by_day(daily: pd.DataFrame) -> pd.DataFrame:
    """Equal-weighted portfolio of the cells: one row per day, as ``Backtest.daily`` has them."""
    cells = daily.groupby(["pair", "horizon"]).ngroups
    means = list(backtest.SUMMED)
    sums = daily.groupby("day", as_index=False)[[*means, "trades"]].sum()
    sums[means] /= cells
    return sums


def net_by_day(source: Source, pairs: Iterable[str]) -> pd.DataFrame:
    """(days, cells) net profit of every pair and horizon, columns (pair, horizon); 0 where a cell
    has no such day."""
    return _net(pd.concat(artefacts.ACCOUNT.read(source, pair=pair) for pair in pairs))


def _net(daily: pd.DataFrame) -> pd.DataFrame:
    net = daily.pivot(index="day", columns=["pair", "horizon"], values="net")
    return net.sort_index(axis=1).fillna(0.0)


def trials(run: Run, net: pd.DataFrame) -> list[Trial]:
    """What the ledger holds of the cells' net profits, see `net_by_day`."""
    params, name = settled(run), candidates.name_of(candidates.used(run))
    return candidates.searched(cells(net, "net", params, name, known_trials.span(run)), params)


def _portfolios(compared: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Every signal's mean over pairs, judged by horizon."""
    portfolios = [
        mean_by_day(accounts).assign(signal=name, horizon=horizon)
        for (name, horizon), accounts in compared.groupby(["signal", "horizon"], sort=False)
    ]
    return _summaries(pd.concat(portfolios), ["signal", "horizon"], params)


def _breakdown(daily: pd.DataFrame) -> pd.DataFrame:
    names = ["gross", "spread", "slippage", "commission", "carry", "markup", "rollover", "net"]
    rows = {
        horizon: 1e4 * mean_by_day(accounts)[names].mean()
        for horizon, accounts in daily.groupby("horizon")
    }
    return pd.DataFrame(rows).T.rename_axis(index="horizon")


def _by_condition(parts: list[pd.DataFrame], cells: int, days: int) -> pd.DataFrame:
    sums = pd.concat(parts).groupby(["condition", "label"], sort=False).sum()
    table = 1e4 * sums[["gross", "cost", "net"]] / (cells * days)
    whole = sums.groupby("condition")["turnover"].transform("sum")
    table["turnover"] = sums["turnover"] / np.maximum(whole, np.finfo(float).tiny)
    return table.rename_axis(["condition", "value"])


def _netted(
    accounts: Mapping[str, Accounts], daily: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cost of the fills of the equal-weighted portfolio at three levels of netting; exposures."""
    cells, days = daily.groupby(["pair", "horizon"]).ngroups, daily["day"].nunique()
    judged = slice(
        min(account.first for account in accounts.values()),
        max(account.last for account in accounts.values()),
    )
    netted = netting.net(
        {pair: account.position[judged] / cells for pair, account in accounts.items()},
        {pair: account.bought[judged] / cells for pair, account in accounts.items()},
        {pair: account.fill[judged] for pair, account in accounts.items()},
    )
    alone = daily[["spread", "slippage", "commission"]].to_numpy().sum() / cells
    paid = {
        "every cell by itself": alone,
        "horizons of a pair together": netted.by_pair.sum(),
        "currencies of all pairs together": netted.by_currency.sum(),
    }
    table = pd.DataFrame({"cost": 1e4 / days * pd.Series(paid)}).rename_axis("netting")
    table["saved"] = 1.0 - table["cost"] / table["cost"].iloc[0] if alone > 0 else 0.0
    return table, netted.exposures()


def _curves(daily: pd.DataFrame) -> pd.DataFrame:
    """Mean over cells by day, see `Result.daily`."""
    portfolio = mean_by_day(daily)
    twice = performance.at_spread(portfolio, TWICE)
    return pd.DataFrame(
        {
            "day": portfolio["day"].to_numpy().astype("datetime64[D]"),
            "gross": 1e4 * portfolio["gross"],
            "net": 1e4 * portfolio["net"],
            "net_2x": 1e4 * twice["net"],
            "sharpe_60": performance.rolling_sharpe(portfolio["net"].to_numpy()),
            "sharpe_60_2x": performance.rolling_sharpe(twice["net"].to_numpy()),
        }
    )


def again(params: Params, **changes: Any) -> pd.DataFrame:
    """Trade the stored forecasts at changed parameters, and store nothing.

    Parameters
    ----------
    changes : parameters of trading by name, such as ``spread_multiple``.

    Returns one row per horizon: trades, turnover and net Sharpe ratio of the mean over pairs, as
    stored and with the changes.

    Raises ParameterError for a parameter that is none of the notebook's, or a wrong value.
    """
    run = Run.open(params.folder, params)
    known = [key for key in NOTEBOOK_KEYS[NAME] if key not in PLACE_KEYS]
    traded = run.stages.get(NAME, {"params": {}})["params"]
    at = {key: traded[key] for key in known if key in traded}
    stored, dataset = from_settings(settled(run).model_dump() | at), load(run)
    if unknown := changes.keys() - set(known):
        raise ParameterError(
            f"changes: {min(unknown)!r} is no parameter of trading, got a change to it; expected "
            f"some of {', '.join(known)}."
        )
    changed = from_settings(stored.model_dump() | changes)
    tables = {}
    for name, values in (("", stored), (", changed", changed)):
        accounts = _trade_all(run, dataset, values)
        daily = pd.concat([frame for account in accounts.values() for frame in account.traded])
        by_horizon = [
            mean_by_day(account).assign(horizon=horizon)
            for horizon, account in daily.groupby("horizon")
        ]
        rows = _summaries(pd.concat(by_horizon), ["horizon"], values).set_index("horizon")
        shown = rows[["trades", "turnover", "net_sharpe"]].astype(float)
        tables[name] = shown.rename(columns={"net_sharpe": "net Sharpe"}).add_suffix(name)
    return pd.concat(tables.values(), axis=1)


def build(params: Params) -> Result:
    """Trade all pairs and horizons on their out-of-sample days, store the daily accounts, and
    decide which cells may be promoted."""
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    dataset = load(run)
    inputs = (artefacts.BARS, artefacts.SPLIT, artefacts.FORECASTS, artefacts.CONDITIONS)
    files = (*artefacts.roots(*inputs), *own_files(params, ("signal",)))
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], files) as stage:
        accounts = _trade_all(stage, dataset, params)
        for pair, account in accounts.items():
            artefacts.ACCOUNT.write(stage, pd.concat(account.traded), pair=pair)
        daily = pd.concat([frame for account in accounts.values() for frame in account.traded])
        compared = pd.concat([frame for account in accounts.values() for frame in account.compared])
        accuracy = pd.DataFrame([row for account in accounts.values() for row in account.accuracy])
        cells = _summaries(daily, ["pair", "horizon"], params).merge(accuracy)
        beside = _portfolios(compared, params)
        netted, exposure = _netted(accounts, daily)
        artefacts.CELLS.write(stage, cells.to_dict("records"))
        artefacts.COMPARATORS.write(stage, beside.to_dict("records"))
        artefacts.NETTING.write(stage, netted.reset_index().to_dict("records"))
        candidate_trials = trials(run, _net(daily))
        known_trials.record(run.folder, *candidate_trials)
        decided = promotion.decide(run, stage, candidate_trials)
    by_condition = [frame for account in accounts.values() for frame in account.by_condition]
    return Result(
        cells=cells,
        spreads=costs.table(params.account, dataset.bars),
        daily=_curves(daily),
        breakdown=_breakdown(daily),
        comparators=beside,
        conditions=_by_condition(by_condition, len(cells), daily["day"].nunique()),
        netting=netted,
        exposure=exposure,
        promotion=decided,
        identity=max(account.identity for account in accounts.values()),
    )
