"""The whole pipeline on many markets without a signal: tests, intervals and promotion keep quiet.

Models are judged by their own forecasts, before the validation part can hold them back: what they
say is then pure noise, fitted as hard as ever.
"""

from dataclasses import dataclass

import joblib
import numpy as np
import pytest
from learned import PARAMS, make_folds, some_columns
from numpy.typing import NDArray
from scipy import stats

from bqx import (
    backtest,
    bars,
    costs,
    market,
    overfitting,
    performance,
    sessions,
    signals,
    skill,
    targets,
    training,
)
from bqx.history import History
from bqx.pairs import LIQUIDITY
from bqx.shrinkage import FAMILY_ERROR

pytestmark = pytest.mark.studies

SEEDS = 120
HORIZONS = (15, 30, 45, 60, 75)
GIVEN = PARAMS.model_copy(update={"horizons": HORIZONS, "days": 56, "step_days": 4})


@dataclass(frozen=True)
class Market:
    """What one market gave: p-values and skills by horizon, and daily net profits (d, horizons)."""

    p: tuple[float, ...]
    skill_lo: tuple[float, ...]
    skill_hi: tuple[float, ...]
    net: NDArray[np.float64]
    kept: int


def one(seed: int) -> Market:
    pair = LIQUIDITY[seed % len(LIQUIDITY)]
    given = GIVEN.model_copy(update={"pairs": (pair,), "seed": seed})
    frames = market.simulate("null", (pair,), given.start, given.days, seed).frames
    of = bars.align(frames)[pair]
    columns = some_columns()
    folds = make_folds(of, columns, given)
    selections = training.select_pair(History(of), columns, folds, given)
    result = training.fit_pair(History(of), columns, folds, selections, given, pairs=1)
    priced = costs.make(of, given)
    size = signals.size(of, given.target_volatility, given.largest_position)
    day = sessions.trading_days(of.minutes)
    p, low, high, net = [], [], [], []
    for horizon, part in result.forecasts.groupby("horizon"):
        raw = np.full(len(of), np.nan)
        raw[of.ts.get_indexer(part["ts_utc"])] = part["raw"]
        made = targets.make(of, 15, int(str(horizon)))
        found = skill.score(
            made.label("innovation"),
            raw,
            np.where(np.isnan(raw), np.nan, 0.0),
            day,
            15,
            made.horizon,
        )
        assert found.ic_p is not None
        assert found.skill_lo is not None
        assert found.skill_hi is not None
        p.append(found.ic_p)
        low.append(found.skill_lo)
        high.append(found.skill_hi)
        known = np.flatnonzero(np.isfinite(raw))
        rows = slice(int(known[0]), int(known[-1]) + 1)
        move = signals.expected_move(raw * made.sigma, 15, made.horizon)
        side = np.where(np.isfinite(raw), np.nan_to_num(np.sign(move)), 0.0)
        traded = backtest.run(
            of.rows(rows.start, rows.stop), (side * size)[rows], made.horizon,
            priced.rows(rows.start, rows.stop),
        )  # fmt: skip
        net.append(traded.daily()["net"].to_numpy())
    kept = sum(any(fit.evidence.betas.values()) for fit in result.fits)
    return Market(tuple(p), tuple(low), tuple(high), np.column_stack(net), kept)


@pytest.fixture(scope="module")
def markets() -> list[Market]:
    made = joblib.Parallel(n_jobs=2)(joblib.delayed(one)(seed) for seed in range(SEEDS))
    return list(made)


def test_the_information_coefficient_is_called_significant_as_often_as_it_says(
    markets: list[Market],
) -> None:
    rates = np.mean([np.array(each.p) < 0.05 for each in markets], axis=0)
    print(dict(zip(HORIZONS, rates.round(3).tolist(), strict=True)))
    assert (rates <= 0.09).all()
    assert 0.03 <= rates.mean() <= 0.07


def test_no_interval_of_skill_lies_above_zero_more_often_than_it_says(
    markets: list[Market],
) -> None:
    above = np.mean([np.array(each.skill_lo) > 0 for each in markets], axis=0)
    assert (above <= 0.05).all()


def test_hardly_a_market_lets_a_model_leave_the_martingale(markets: list[Market]) -> None:
    left = sum(each.kept > 0 for each in markets)
    print(f"{left} of {len(markets)} markets let a fold's model leave the martingale")
    assert left <= stats.binom.ppf(0.99, len(markets), FAMILY_ERROR)


def test_hardly_a_cell_is_promoted(markets: list[Market]) -> None:
    promoted = 0
    for each in markets:
        decisions = [
            overfitting.promote(each.net, cell, each.net.shape[1], each.skill_lo[cell])
            for cell in range(each.net.shape[1])
        ]
        promoted += any(decision.promoted for decision in decisions)
    print(f"{promoted} of {len(markets)} markets promoted a cell")
    assert promoted <= 0.05 * len(markets)


def test_net_sharpe_ratios_reach_zero_or_below(markets: list[Market]) -> None:
    low = [performance.sharpe_interval(net)[0] for each in markets for net in each.net.T]
    assert np.mean(np.array(low) > 0) <= 0.05
