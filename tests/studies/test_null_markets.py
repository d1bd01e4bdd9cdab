"""The whole pipeline on many markets without a signal: tests, intervals and promotion keep quiet.

Models are judged by their own forecasts, before the validation part can hold them back: what they
say is then pure noise, fitted as hard as ever.
"""

from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from judged import HORIZONS, Judged, judge
from learned import PARAMS, make_folds, some_columns

from bqx.evaluation import overfitting
from bqx.feature_store.history import History
from bqx.learning import pair_selection, targets, training
from bqx.market import bars, simulated
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY
from bqx.trading import performance

pytestmark = pytest.mark.studies

SEEDS = 120
GIVEN = PARAMS.model_copy(update={"horizons": HORIZONS, "days": 56, "step_days": 4})


def one(seed: int) -> tuple[Judged, float]:
    """A market judged, and the skill that keeping by shrinkage has cost there."""
    pair = LIQUIDITY[seed % len(LIQUIDITY)]
    given = GIVEN.model_copy(update={"pairs": (pair,), "seed": seed})
    of = bars.align(
        simulated.simulate("null", (pair,), given.start, days=given.days, seed=seed).frames
    )[pair]
    columns = some_columns()
    folds = make_folds(of, columns, given)
    selections = pair_selection.select_pair(History(of), columns, folds, given)
    result = training.fit_pair(History(of), columns, folds, selections=selections, params=given)
    return judge(of, result.forecasts, given), _cost(of, result.forecasts)


def _cost(of: Bars, forecasts: pd.DataFrame) -> float:
    """Share of the labels' power by which what is kept of the forecasts misses them more."""
    lost = power = 0.0
    for horizon, part in forecasts.groupby("horizon"):
        label = targets.make(of, 15, int(str(horizon))).label("innovation")
        y = label[of.ts.get_indexer(part["ts_utc"])]
        off = y - part["forecast"].to_numpy()
        finite = np.isfinite(off)
        lost += float((off[finite] ** 2 - y[finite] ** 2).sum())
        power += float((y[finite] ** 2).sum())
    return lost / power


@pytest.fixture(scope="module")
def markets(studied: dict[str, Any]) -> list[tuple[Judged, float]]:
    studied["markets"] = SEEDS
    return list(joblib.Parallel(n_jobs=2)(joblib.delayed(one)(seed) for seed in range(SEEDS)))


def test_the_information_coefficient_is_called_significant_as_often_as_it_says(
    markets: list[tuple[Judged, float]], studied: dict[str, Any]
) -> None:
    rates = np.mean([np.array(each.p) < 0.05 for each, _ in markets], axis=0)
    studied["significant"] = dict(zip(map(str, HORIZONS), rates.tolist(), strict=True))
    assert (rates <= 0.09).all()
    assert 0.03 <= rates.mean() <= 0.07


def test_no_interval_of_skill_lies_above_zero_more_often_than_it_says(
    markets: list[tuple[Judged, float]], studied: dict[str, Any]
) -> None:
    above = np.mean([np.array(each.skill_lo) > 0 for each, _ in markets], axis=0)
    studied["above"] = dict(zip(map(str, HORIZONS), above.tolist(), strict=True))
    assert (above <= 0.05).all()


def test_keeping_costs_next_to_nothing(
    markets: list[tuple[Judged, float]], studied: dict[str, Any]
) -> None:
    cost = studied["cost"] = float(np.mean([cost for _, cost in markets]))
    assert cost < 2e-4


def test_hardly_a_cell_is_promoted(
    markets: list[tuple[Judged, float]], studied: dict[str, Any]
) -> None:
    promoted = sum(
        any(
            overfitting.promote(each.net, cell, len(HORIZONS), each.skill_lo[cell]).promoted
            for cell in range(len(HORIZONS))
        )
        for each, _ in markets
    )
    studied["promoted"] = promoted
    assert promoted <= 0.05 * len(markets)


def test_net_sharpe_ratios_reach_zero_or_below(markets: list[tuple[Judged, float]]) -> None:
    low = [performance.sharpe_interval(net)[0] for each, _ in markets for net in each.net.T]
    assert np.mean(np.array(low) > 0) <= 0.05
