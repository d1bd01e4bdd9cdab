"""The smallest skill that would have been claimed: by simulation, and where there is none."""

import numpy as np
import pytest
from null_sums import market
from scipy import stats

from bqx.evaluation import claims, power


def test_with_many_days_it_is_the_textbooks():
    smallest = power.smallest_skill(1.645, 10**9, noise=2.0, signal=400.0)
    assert smallest == pytest.approx(((1.645 + stats.norm.ppf(0.8)) * 2.0 / 400.0) ** 2, rel=1e-6)


@pytest.mark.parametrize("days", [12, 60])
def test_a_forecast_of_that_skill_is_rejected_four_times_in_five(days):
    rng = np.random.default_rng(days)
    bound = claims.step_down(rng.standard_normal((days, 1)), 0.01, 0).bound.item()
    root = np.sqrt(power.smallest_skill(bound, days, noise=np.sqrt(days), signal=100.0 * days))
    sums = rng.standard_normal((days, 20_000)) + 100.0 * root
    assert (claims.statistic(sums) > bound).mean() == pytest.approx(0.8, abs=0.04)


def test_nothing_without_forecasts_or_with_few_days():
    assert power.smallest_skill(2.0, 30, noise=0.0, signal=0.0) is None
    assert power.smallest_skill(2.0, 4, noise=1.0, signal=100.0) is None
    # No skill is above 1.
    assert power.smallest_skill(2.0, 30, noise=1.0, signal=1e-3) == 1.0


def test_a_run_claims_what_its_statement_says():
    """A null run states the smallest skill; what has it is claimed four times in five."""
    rng = np.random.default_rng(1)
    null = claims.claim(market(24, 2, rng, memory=60, pairs=2), 0)
    stated = power.statement(null)
    assert set(stated["horizons"]) == {"15", "75"}
    assert stated["run"] < stated["fold"] < min(stated["horizons"].values()) < 0.02
    claimed = [
        claims.claim(market(24, 2, rng, memory=60, pairs=2, skill=stated["run"]), 0)["claimed"][0]
        for _ in range(40)
    ]
    assert 0.8 - 0.2 < np.mean(claimed) <= 1.0


def test_a_silent_run_states_nothing():
    null = market(24, 2, np.random.default_rng(2), memory=60).assign(product=0.0, power=0.0)
    stated = power.statement(claims.claim(null, 0))
    assert stated["run"] is stated["fold"] is stated["horizons"]["15"] is None
