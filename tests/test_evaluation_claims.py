"""Claims of information: bounds by enumeration, sizes, family error, and what is found."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from null_sums import daily_products, market
from scipy import stats

from bqx.evaluation import claims
from bqx.evaluation.claims import claim, statistic, step_down


def test_the_statistic_is_students_with_the_variance_about_zero():
    sums = np.random.default_rng(0).standard_normal((26, 3)) * [1.0, 100.0, 1e-6]
    own = statistic(sums)
    for x, t in zip(sums.T, own, strict=True):
        students = stats.ttest_1samp(x, 0).statistic
        # The same test: one is a rising function of the other.
        assert t == pytest.approx(students / np.sqrt((25 + students**2) / 26))
    assert statistic(np.zeros((5, 1))).item() == 0.0


def test_the_bound_is_the_quantile_over_all_signs():
    sums = np.random.default_rng(1).standard_normal((11, 1)) + 0.3
    signs = np.array(list(product((-1.0, 1.0), repeat=11)))
    every = signs @ sums[:, 0] / np.sqrt((sums**2).sum())
    for level in (0.05, 0.01):
        bound = step_down(sums, level, 0).bound.item()
        assert (every > bound).mean() == pytest.approx(level, rel=0.15)


def test_too_few_days_can_claim_nothing():
    certain = np.ones((4, 1))
    assert not step_down(certain, 0.05, 0).rejected.any()
    assert step_down(np.ones((6, 1)), 0.05, 0).rejected.all()


def test_flips_too_few_for_a_level_claim_nothing():
    """By exact signs the chance of so much is 1 in 15,000, of which 10,000 flips may see none."""
    sums = np.ones((14, 1))
    for seed in range(5):
        assert not step_down(sums, 1e-6, seed).rejected.any()
    assert step_down(sums, 1e-3, 0).rejected.all()


def test_step_down_is_holms_beyond_it_where_columns_agree():
    """Romano and Wolf reject what Holm rejects, and more where columns go together."""
    rng = np.random.default_rng(2)
    common = rng.standard_normal((60, 1))
    sums = 0.95 * common + 0.3 * rng.standard_normal((60, 40)) + np.linspace(0.0, 0.6, 40)
    tested = step_down(sums, 0.05, 0)
    p = np.array([stats.ttest_1samp(x, 0, alternative="greater").pvalue for x in sums.T])
    order = np.argsort(p)
    holm = np.zeros(40, bool)
    for rank, column in enumerate(order):
        if p[column] > 0.05 / (40 - rank):
            break
        holm[column] = True
    assert tested.rejected[holm].all()
    assert tested.rejected.sum() > holm.sum() > 0
    assert (tested.t[tested.rejected] > tested.bound[tested.rejected]).all()
    assert (tested.t[~tested.rejected] <= tested.bound[~tested.rejected]).all()


def test_a_step_is_the_largest_of_what_is_left():
    rng = np.random.default_rng(3)
    sums = rng.standard_normal((30, 5)) + np.array([2.0, 0.0, 0.0, 0.0, 0.0])
    tested = step_down(sums, 0.05, 7)
    alone = step_down(sums[:, 1:], 0.05, 7)
    assert tested.rejected.tolist() == [True, False, False, False, False]
    np.testing.assert_array_equal(tested.bound[1:], alone.bound)
    assert tested.bound[0] > tested.bound[1]


@pytest.mark.parametrize("memory", [30, 1_440])
def test_the_t_is_a_t_and_its_sizes_are_what_they_say(memory):
    """On days of unequal volatility; the study has more memories, sizes and parts."""
    rng = np.random.default_rng(memory)
    days, parts = 20, 400
    sums = daily_products(days * parts, memory, rng, volatility=0.5).reshape(parts, days).T
    t = statistic(sums)
    assert t.std() == pytest.approx(1.0, abs=3 / np.sqrt(2 * parts))
    flipped = [step_down(sums[:, [part]], 0.05, part) for part in range(parts)]
    assert np.mean([test.rejected.item() for test in flipped]) == pytest.approx(0.05, abs=0.033)


@pytest.mark.parametrize("memory", [30, 1_440])
def test_the_family_error_of_null_markets(memory):
    """Any claim of any fold, pair, horizon or cell at all."""
    rng = np.random.default_rng(10 + memory)
    claimed = 0
    for seed in range(200):
        null = market(16, 2, rng, memory=memory, pairs=2, horizons=(15,))
        claimed += claim(null, seed)["claimed"].any()
    # Two and a half standard errors; the study holds it to 3 to 7 %.
    assert 0.05 - 0.039 < claimed / 200 < 0.05 + 0.039


def test_what_is_there_is_claimed_by_fold_pair_and_horizon():
    rng = np.random.default_rng(5)
    frame = market(60, 2, rng, memory=60, skill=0.01)
    found = claim(frame, 0)
    assert list(found["level"].unique()) == list(claims.LEVELS)
    assert len(found) == 1 + 2 * (1 + 3 + 2 + 6)
    assert found["claimed"].mean() > 0.9
    # One pair alone knows something: the others are not claimed along with it.
    frame.loc[frame["pair"] != "p0", "product"] = market(60, 2, rng, memory=60, pairs=3).loc[
        frame["pair"] != "p0", "product"
    ]
    one = claim(frame, 0)
    by_pair = one[one["level"] == "pair"].groupby("pair")["claimed"].mean()
    assert by_pair["p0"] == 1.0
    assert by_pair[["p1", "p2"]].max() == 0.0


def test_nothing_is_claimed_in_a_run_or_fold_that_is_not():
    rng = np.random.default_rng(6)
    for seed in range(40):
        found = claim(market(12, 2, rng, memory=30, skill=2e-4), seed)
        of_run, rest = found.iloc[0], found.iloc[1:]
        if not of_run["claimed"]:
            assert not rest["claimed"].any()
        unclaimed = rest[(rest["level"] == "fold") & ~rest["claimed"]]["fold"]
        assert not rest[rest["fold"].isin(unclaimed)]["claimed"].any()


def test_the_unit_of_a_label_and_silent_cells_change_nothing():
    rng = np.random.default_rng(7)
    frame = market(30, 1, rng, memory=60, skill=0.005)
    larger = frame.copy()
    # Labels of a pair in a unit ten times as small: forecasts in sigma stay as they are.
    of = larger["pair"] == "p1"
    larger.loc[of, "product"] *= 10.0
    larger.loc[of, "label"] *= 100.0
    silent = frame[frame["pair"] == "p0"].assign(pair="silent", product=0.0, power=0.0)
    whole = claim(pd.concat([frame, silent]), 0)
    plain = claim(frame, 0)
    assert whole["t"].iloc[0] == pytest.approx(plain["t"].iloc[0])
    assert not whole[whole["pair"] == "silent"]["claimed"].any()
    cells = [claim(x, 0).query("level == 'cell'")["t"].to_numpy() for x in (frame, larger)]
    np.testing.assert_allclose(*cells)


def test_claims_are_the_same_again():
    frame = market(20, 2, np.random.default_rng(8), memory=60)
    pd.testing.assert_frame_equal(claim(frame, 3), claim(frame.copy(), 3))
