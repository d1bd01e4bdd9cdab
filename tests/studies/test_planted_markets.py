"""The whole pipeline on markets with three kinds of signal: which estimators recover how much.

Recovered is the squared error that a model's own forecasts save, of that which an oracle saves,
over all horizons.
"""

from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from judged import HORIZONS

from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.learning import folds, pair_selection, targets, training
from bqx.market import bars, planted, sessions, simulated
from bqx.market.bars import Bars
from bqx.params import Params

pytestmark = pytest.mark.studies

PAIRS = ("gbpusd", "eurusd", "usdjpy", "usdchf", "eurgbp")
NETWORKS = ("multi_horizon", "multi_task")
NAMES = ("ridge", "forest", "xgboost", *NETWORKS)
SEEDS = (1,)
GIVEN = Params(
    workers=1, pairs=PAIRS, days=273, lags=(60, 120), train_days=150, validation_days=20,
    test_days=25, step_days=25, stride=10, selected=40, rounds=300, depth=4,
)  # fmt: skip
KINDS = (("strong", False), ("threshold", False), ("lead", False), ("lead", True))
"""Kinds of signal, and whether features across pairs are in."""


def recovered(kind: str, cross: bool, seed: int) -> dict[str, float]:
    """Share of the attainable that each estimator reaches on the first pair."""
    made = simulated.simulate(kind, PAIRS, GIVEN.start, days=GIVEN.days, seed=seed)
    of = bars.align(made.frames)[PAIRS[0]]
    core = catalog.profile("core")
    others = [f for f in catalog.profile("full") if f.table.startswith("cross_pair")]
    columns = lags.grid((*core, *others) if cross else core, GIVEN.lags)
    days = len(np.unique(sessions.trading_days(of.minutes)))
    reach = max(column.lookback for column in columns)
    parts = folds.rolling_origin(
        of.minutes, *GIVEN.lengths(days), GIVEN.embargo, max(HORIZONS), reach
    )[-1:]
    selections = pair_selection.select_pair(History(of), columns, parts, GIVEN)
    drift = made.planted
    assert drift is not None
    return {
        name: _share(
            of,
            training.fit_pair(
                History(of), columns, parts, selections=selections, params=GIVEN, name=name
            ).forecasts,
            drift,
        )
        for name in NAMES
    }


def _share(of: Bars, forecasts: pd.DataFrame, known: pd.DataFrame) -> float:
    drift, decay = known[[of.pair, "decay"]].reindex(of.ts).to_numpy().T
    saved = attainable = 0.0
    for horizon, part in forecasts.groupby("horizon"):
        target = targets.make(of, 15, int(str(horizon)))
        best = (
            planted.oracle(drift, decay, window=target.window, horizon=target.horizon)
            / target.sigma
        )
        rows = of.ts.get_indexer(part["ts_utc"])
        y, raw, best = target.label("innovation")[rows], part["raw"].to_numpy(), best[rows]
        there = np.isfinite(y) & np.isfinite(raw) & np.isfinite(best)
        saved += float((y**2 - (y - raw) ** 2)[there].sum())
        attainable += float((y**2 - (y - best) ** 2)[there].sum())
    return saved / attainable


@pytest.fixture(scope="module")
def shares(studied: dict[str, Any]) -> dict[tuple[str, bool], dict[str, float]]:
    """Mean over the seeds by kind and estimator."""
    tasks = [(kind, cross, seed) for kind, cross in KINDS for seed in SEEDS]
    made = joblib.Parallel(n_jobs=2)(joblib.delayed(recovered)(*task) for task in tasks)
    frame = pd.DataFrame(made, pd.MultiIndex.from_tuples(tasks, names=["kind", "cross", "seed"]))
    mean = frame.groupby(level=["kind", "cross"]).mean()
    studied["planted"] = [
        {"kind": kind, "cross": cross} | mean.loc[(kind, cross)].to_dict() for kind, cross in KINDS
    ]
    return {key: mean.loc[key].to_dict() for key in KINDS}


Shares = dict[tuple[str, bool], dict[str, float]]


def test_momentum_is_recovered_by_lines_and_trees(shares: Shares) -> None:
    assert shares["strong", False]["ridge"] >= 0.8
    assert max(shares["strong", False][name] for name in ("forest", "xgboost")) >= 0.8


def test_trees_see_a_threshold_that_lines_miss(shares: Shares) -> None:
    found = shares["threshold", False]
    assert max(found["forest"], found["xgboost"]) >= found["ridge"] + 0.1


def test_a_lead_needs_features_across_pairs(shares: Shares) -> None:
    alone, together = shares["lead", False], shares["lead", True]
    for name in ("ridge", "forest", "xgboost"):
        assert together[name] >= alone[name] + 0.2


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_recover_most_of_momentum(shares: Shares, name: str) -> None:
    assert shares["strong", False][name] >= 0.6
