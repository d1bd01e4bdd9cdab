"""The gate of promotion: formulas against an independent implementation, chance, and skill."""

from math import e

import numpy as np
import pandas as pd
import purgedcv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bqx.evaluation import overfitting
from bqx.evaluation.overfitting import deflated, independent, pbo, promote, promote_trial
from bqx.params import Params
from bqx.runs.ledger import Ledger
from bqx.runs.trials import BarSpan, cells


def profits(rng, days, trials, correlation=0.0):
    """Daily profits with fat tails, uneven volatility, and a common part."""
    common, own = rng.standard_t(4, (days, 1)), rng.standard_t(4, (days, trials))
    together = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    return 1e-3 * together * np.exp(0.5 * rng.standard_normal((days, 1)))


def best_of(daily):
    return int((daily.mean(axis=0) / daily.std(axis=0)).argmax())


@settings(max_examples=25, deadline=None)
@given(
    days=st.integers(20, 60),
    trials=st.integers(2, 6),
    seed=st.integers(0, 1_000),
    rounded=st.booleans(),
)
def test_pbo_is_purgedcvs(days, trials, seed, rounded):
    daily = np.random.default_rng(seed).standard_t(4, (days, trials))
    if rounded:
        # Ties, and a trial that never trades.
        daily = np.round(daily)
        daily[:, 0] = 0.0
    peer = purgedcv.probability_of_backtest_overfitting(daily.T, n_splits=10)
    assert pbo(daily) == pytest.approx(peer.pbo, abs=1.5 / 252)


def test_pbo_by_the_papers_steps():
    """A trial that is best on every half has none; one that is best by turns has all of it."""
    rng = np.random.default_rng(1)
    daily = 1e-3 * rng.standard_normal((40, 5))
    daily[:, 2] += 0.01
    assert pbo(daily) == 0.0
    turns = np.full((40, 3), -1.0) + 1e-3 * rng.standard_normal((40, 3))
    for trial in range(3):
        turns[trial * 12 : trial * 12 + 12, trial] = 1.0
    assert pbo(turns) > 0.5
    assert pbo(daily[:, :1]) is None
    assert pbo(daily[:19]) is None


def test_the_deflated_sharpe_ratio_by_its_formula():
    rng = np.random.default_rng(2)
    daily = profits(rng, 120, 30, 0.3) + 5e-4
    found = deflated(daily, 3, 200)
    x = daily[:, 3]
    ratio, third, fourth = (
        x.mean() / x.std(),
        stats.skew(x, bias=False),
        stats.kurtosis(x, bias=False, fisher=False),
    )
    n = independent(daily, 200)
    gamma = np.euler_gamma
    most = (1 - gamma) * stats.norm.ppf(1 - 1 / n) + gamma * stats.norm.ppf(1 - 1 / (n * e))
    benchmark = np.sqrt(1 / 119) * most
    z = (ratio - benchmark) * np.sqrt(119)
    z /= np.sqrt(1 - third * ratio + (fourth - 1) / 4 * ratio**2)
    assert found.sr_star == pytest.approx(benchmark)
    assert found.dsr == pytest.approx(stats.norm.cdf(z))


def test_the_number_of_independent_trials():
    rng = np.random.default_rng(3)
    assert independent(rng.standard_normal((5_000, 10)), 10) in (9, 10)
    same = np.repeat(rng.standard_normal((50, 1)), 10, axis=1)
    assert independent(same, 10) == independent(same, 500) == 1
    half = profits(rng, 20_000, 20, 0.5)
    assert 0.4 * 1_000 < independent(half, 1_000) < 0.6 * 1_000
    assert independent(same[:, :1], 7) == 7
    # Trials against each other are no more than they are.
    assert independent(np.column_stack([same[:, 0], -same[:, 0]]), 2) == 2


def test_chance_is_promoted_in_at_most_5_percent_of_the_cases():
    """400 searches of 20 and 140 trials without skill; each puts its best one forward."""
    rng = np.random.default_rng(4)
    promoted = naive = tries = 0
    for trials in (20, 140):
        for correlation in (0.0, 0.5, 0.9):
            for _ in range(67):
                daily = profits(rng, 80, trials, correlation)
                best = best_of(daily)
                promoted += promote(daily, best, trials, 1.0).promoted
                naive += stats.ttest_1samp(daily[:, best], 0, alternative="greater").pvalue < 0.05
                tries += 1
    assert tries > 400
    assert promoted / tries <= 0.05
    assert naive / tries > 0.4


def test_two_trials_without_skill_are_promoted_as_seldom():
    rng = np.random.default_rng(5)
    promoted = 0
    for _ in range(200):
        daily = profits(rng, 60, 2, 0.5)
        promoted += promote(daily, best_of(daily), 2, 1.0).promoted
    assert promoted / 200 <= 0.05


def test_skill_is_promoted():
    """A Sharpe ratio of 6 a year among 139 trials without skill, over a year."""
    rng = np.random.default_rng(6)
    promoted = 0
    for _ in range(40):
        daily = profits(rng, 250, 140, 0.3)
        daily[:, 7] += 6 / np.sqrt(252) * daily[:, 7].std()
        promoted += promote(daily, 7, 140, 0.001).promoted
    assert promoted / 40 > 0.8


def test_a_decision_says_what_stands_against_it():
    rng = np.random.default_rng(7)
    daily = profits(rng, 250, 20)
    daily[:, 0] += 0.5 * daily[:, 0].std()
    good = promote(daily, 0, 20, 0.001)
    assert good.promoted
    assert good.reasons == ()
    assert good.sharpe > good.benchmark > 0
    assert (good.trials, good.configurations, good.pbo) == (20, 1, None)
    (low,) = promote(daily, 0, 20, -0.001).reasons
    assert (low.value, low.sign, low.bound, low.passed) == (-0.001, ">", 0.0, False)
    assert str(low) == "lower end of the skill's interval: -0.001, expected > 0"
    (absent,) = promote(daily, 0, 20, None).reasons
    assert str(absent) == "lower end of the skill's interval: does not exist, 250 days"
    worse = promote(daily, 3, 20, 0.001)
    assert not worse.promoted
    assert str(worse.reasons[0]).startswith("deflated Sharpe ratio: 0.")
    # More trials raise the bar.
    assert promote(daily, 0, 20_000, 0.001).deflated < good.deflated


def test_few_days_or_no_trades_are_not_promoted():
    daily = np.column_stack([np.linspace(1.0, 2.0, 30), np.zeros(30)])
    few = promote(daily[: overfitting.FEWEST_DAYS - 1], 0, 2, 0.1)
    assert few.deflated is few.pbo is None
    assert [str(reason) for reason in few.reasons] == [
        "deflated Sharpe ratio: does not exist, 19 days"
    ]
    # One good day of many is no Sharpe ratio.
    daily = np.zeros((60, 1))
    daily[: overfitting.FEWEST_DAYS - 1, 0] = np.linspace(1.0, 2.0, overfitting.FEWEST_DAYS - 1)
    assert promote(daily, 0, 1, 0.1).deflated is None
    daily[overfitting.FEWEST_DAYS - 1] = 1.5
    assert promote(daily, 0, 1, 0.1).deflated is not None
    daily = np.column_stack([np.linspace(1.0, 2.0, 30), np.zeros(30)])
    none = promote(daily, 1, 2, 0.1)
    assert none.deflated is None
    assert not none.promoted
    assert str(none.reasons[0]) == "deflated Sharpe ratio: does not exist, no trades"


def family(rng, good, days=750, cells=30, ratio=5.0):
    """Daily profits of cells that share half their variance, some with a yearly Sharpe ratio."""
    daily = profits(rng, days, cells, 0.5)
    daily[:, good] += ratio / np.sqrt(252) * daily[:, good].std(axis=0)
    return daily


def promoted(daily, skill_lo=1e-4):
    return [promote(daily, cell, daily.shape[1], skill_lo).promoted for cell in range(len(daily.T))]


def test_breadth_is_no_overfitting():
    """Thirty equally good cells over three years are all promoted, and so is one among nothing."""
    rng = np.random.default_rng(9)
    for _ in range(5):
        assert all(promoted(family(rng, np.arange(30))))
        assert np.flatnonzero(promoted(family(rng, [4]))).tolist() == [4]
        # Half are good, and the others lose their costs.
        daily = family(rng, np.arange(15))
        daily[:, 15:] -= 0.5 * daily[:, 15:].std(axis=0)
        assert np.flatnonzero(promoted(daily)).tolist() == list(range(15))


def test_of_thirty_cells_of_nothing_none_is_promoted_in_95_of_100_markets():
    rng = np.random.default_rng(10)
    count = 0
    for _ in range(100):
        daily = family(rng, [])
        count += any(
            promote(daily, int(cell), 30, 1e-4).promoted
            for cell in np.argsort(daily.mean(axis=0) / daily.std(axis=0))[-3:]
        )
    assert count <= 5


def test_the_best_of_many_configurations_of_a_cell_is_seen_through():
    """The probability of overfitting is that of one cell's configurations."""
    rng = np.random.default_rng(11)
    tried = profits(rng, 250, 40)
    best = best_of(tried)
    chosen = promote(tried, best, 40, 0.01, configurations=tried)
    assert chosen.configurations == 40
    assert chosen.pbo > 0.2
    assert "probability of backtest overfitting" in [reason.rule for reason in chosen.reasons]
    alone = promote(tried, best, 40, 0.01)
    assert (alone.pbo, alone.configurations) == (None, 1)


def test_every_trial_of_the_ledger_counts(tmp_path):
    rng = np.random.default_rng(8)
    daily = profits(rng, 250, 12)
    daily[:, 5] += 0.4 * daily[:, 5].std()
    columns = pd.MultiIndex.from_product([["eurusd", "gbpusd", "usdjpy"], [15, 30, 45, 60]])
    net = pd.DataFrame(daily, index=np.arange(19_000, 19_250), columns=columns)
    held = Ledger(tmp_path)
    span = BarSpan("files", 0, 1, "ab")
    made = cells(net, "net", Params(), "xgboost", span)
    held.record(*made)
    alone = promote_trial(held.read().trials, made[5], 0.01)
    assert alone == promote(daily[:, order(held, made)], order(held, made).index(5), 12, 0.01)
    assert (alone.configurations, alone.pbo) == (1, None)
    assert alone.promoted
    searched = [
        trial
        for depth in range(1, 12)
        for trial in cells(net, "gain", Params(depth=depth), "xgboost", span)
    ]
    held.record(*searched)
    after = promote_trial(held.read().trials, made[5], 0.01)
    assert after.trials == 11 * 12
    assert after.deflated < alone.deflated
    # What else was traded of the same pair and horizon is what it was chosen from.
    others = profits(rng, 250, 12)
    for depth in (12, 13):
        worse = pd.DataFrame(others, net.index, columns)
        held.record(*cells(worse, "net", Params(depth=depth - 1), "forest", span))
        others = profits(rng, 250, 12)
    among = promote_trial(held.read().trials, made[5], 0.01)
    assert among.configurations == 3
    assert among.pbo < 0.05
    assert among.promoted


def order(held, made):
    names = [trial.name for trial in made]
    return [names.index(trial.name) for trial in held.read().trials]
