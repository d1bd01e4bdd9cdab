from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from null_sums import coverage
from overlapping import DAY, innovations
from scipy import stats

from bqx.evaluation import skill
from bqx.evaluation.skill import agreement, interval, overlap, score, simultaneous


def scored(y, made, known, day, window=15, horizon=15, confidence=0.95):
    """A score, the ends of its intervals under names of their own."""
    settings = {"sigma": 1.0, "window": window, "horizon": horizon, "confidence": confidence}
    return SimpleNamespace(**score(y, made, known, day=day, **settings).row())


def ends(*given):
    gain = interval(*given)
    return gain.low, gain.high


def days(count):
    return np.repeat(np.arange(count), DAY)


def test_every_number_against_its_definition():
    rng = np.random.default_rng(0)
    y, known = rng.standard_normal((2, 5 * DAY))
    made = known + 0.3 * (y - known) + rng.standard_normal(5 * DAY)
    y[::100] = 0.0
    missing = np.arange(5 * DAY) % 7 == 0
    made[missing] = np.nan
    result = scored(y, made, known, days(5))
    y, made, known = y[~missing], made[~missing], known[~missing]
    spread = np.sum((y - y.mean()) ** 2)
    assert (result.rows, result.days) == (len(y), 5)
    assert result.r2 == pytest.approx(1 - np.sum((y - made) ** 2) / spread)
    assert result.known_r2 == pytest.approx(1 - np.sum((y - known) ** 2) / spread)
    assert result.mae == pytest.approx(np.mean(np.abs(y - made)))
    assert result.known_mae == pytest.approx(np.mean(np.abs(y - known)))
    assert result.skill == pytest.approx(1 - np.sum((y - made) ** 2) / np.sum((y - known) ** 2))
    assert result.ic == pytest.approx(stats.spearmanr(made - known, y - known).statistic)
    assert result.zeros == np.sum(y == 0) > 0
    used = y != 0
    assert result.direction == pytest.approx(np.mean((made > 0)[used] == (y > 0)[used]))
    assert result.martingale_direction == pytest.approx(np.mean((known > 0)[used] == (y > 0)[used]))
    assert result.effective_rows == pytest.approx(len(y) / overlap(15, 15))


def test_every_interval_is_that_of_its_days():
    """Student's where all days weigh the same, wider than the percentiles otherwise."""
    rng = np.random.default_rng(15)
    y = rng.standard_normal(30 * DAY)
    made = 0.1 * y + 0.3 * rng.standard_normal(30 * DAY)
    result = scored(y, made, np.zeros(30 * DAY), days(30), 15, 15, 0.9)
    off = np.abs(y - made).reshape(30, DAY).mean(axis=1)
    agreed = (np.sign(y) == np.sign(made)).reshape(30, DAY).mean(axis=1)
    ranks = stats.zscore(stats.rankdata(y)) * stats.zscore(stats.rankdata(made))
    daily = ranks.reshape(30, DAY).mean(axis=1)
    for name, values in (("mae", off), ("direction", agreed), ("ic", daily)):
        expected = stats.t.interval(0.9, 29, values.mean(), stats.sem(values))
        found = getattr(result, f"{name}_lo"), getattr(result, f"{name}_hi")
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        assert getattr(result, name) == pytest.approx(values.mean())
    assert result.ic_t == pytest.approx(stats.ttest_1samp(daily, 0).statistic)
    assert result.ic_p == pytest.approx(stats.ttest_1samp(daily, 0).pvalue)
    assert result.r2_lo < result.r2 < result.r2_hi <= 1
    # The mean of the target hardly differs from 0: R² and skill are nearly the same.
    np.testing.assert_allclose(
        (result.r2_lo, result.r2_hi), (result.skill_lo, result.skill_hi), atol=1e-3
    )


def test_the_martingale_itself_has_no_skill_and_no_interval():
    rng = np.random.default_rng(1)
    y, known = rng.standard_normal((2, 5 * DAY))
    result = scored(y, known.copy(), known, days(5), 60, 15)
    assert (result.skill, result.skill_lo, result.skill_hi) == (0.0, 0.0, 0.0)
    assert (result.dm, result.dm_p, result.ic) == (None, None, None)
    assert (result.r2, result.direction) == (result.known_r2, result.martingale_direction)


def test_a_perfect_forecast_has_skill_1():
    y = np.random.default_rng(2).standard_normal(5 * DAY)
    result = scored(y, y.copy(), np.zeros(5 * DAY), days(5), 15, 15)
    assert (result.r2, result.mae, result.direction, result.skill) == (1.0, 0.0, 1.0, 1.0)
    assert result.skill_lo == pytest.approx(1.0)
    assert result.skill_hi == 1.0


def test_the_direction_of_a_martingale_that_is_0_does_not_exist():
    rng = np.random.default_rng(3)
    y, made = rng.standard_normal((2, 3 * DAY))
    result = scored(y, made, np.zeros(3 * DAY), days(3), 15, 75)
    assert result.martingale_direction is None
    assert result.direction == pytest.approx(0.5, abs=0.02)
    assert agreement(np.array([1.0, -1.0, 0.0, 2.0]), np.array([2.0, 3.0, 1.0, 0.0])) == 0.5


def test_no_rows_no_score():
    y = np.full(10, np.nan)
    result = scored(y, y, y, np.zeros(10, dtype=np.int64), 15, 15)
    assert vars(result) == skill.Score(rows=0, days=0).row()
    assert result.skill is result.skill_lo is result.dm is None


def test_one_day_has_skill_but_no_interval():
    rng = np.random.default_rng(4)
    y, made = rng.standard_normal((2, DAY))
    result = scored(y, made, np.zeros(DAY), days(1), 15, 15)
    assert result.skill < 0
    assert (result.skill_lo, result.skill_hi) == (None, None)


def test_blocks_are_as_long_as_a_label_reaches():
    rng = np.random.default_rng(5)
    y, made = rng.standard_normal((2, 12 * DAY))
    nought, day = np.zeros(12 * DAY), days(12)
    long = scored(y, made, nought, day, 1_000, 1_000)
    pairs = scored(y, made, nought, day // 2, 15, 15)
    assert (long.skill_lo, long.skill_hi) == (pairs.skill_lo, pairs.skill_hi)
    assert (long.days, pairs.days) == (12, 6)


def test_same_seed_same_interval():
    rng = np.random.default_rng(6)
    loss, known = rng.random((2, 9)) + 1.0
    assert interval(loss, known, 0.95, 7) == interval(loss, known, 0.95, 7)


@settings(max_examples=50, deadline=None)
@given(
    known=st.lists(st.floats(0.01, 100.0), min_size=2, max_size=12),
    seed=st.integers(0, 1_000),
    unit=st.floats(1e-6, 1e6),
)
def test_an_interval_holds_its_estimate_whatever_the_unit(known, seed, unit):
    known = np.array(known)
    loss = known * (1.0 + np.random.default_rng(seed).uniform(-0.2, 0.2, len(known)))
    gain = interval(loss, known, 0.95, seed)
    assert gain.low <= gain.value == 1 - loss.sum() / known.sum() <= gain.high <= 1
    np.testing.assert_allclose(ends(loss * unit, known * unit, 0.95, seed), (gain.low, gain.high))
    wider = interval(loss, known, 0.99, seed)
    assert wider.low <= gain.low <= gain.high <= wider.high


def test_the_interval_of_equal_days_is_students():
    loss = 100.0 - np.random.default_rng(8).standard_normal(20)
    low, high = ends(loss, np.full(20, 100.0), 0.95, 0)
    gain = 1 - loss / 100.0
    expected = stats.t.interval(0.95, 19, gain.mean(), stats.sem(gain))
    np.testing.assert_allclose((low, high), expected, rtol=1e-9)


def test_one_day_that_gains_among_many_that_do_not_is_no_skill():
    known = np.full(40, 1.0)
    loss = known.copy()
    loss[7] = 0.5
    low, high = ends(loss, known, 0.95, 0)
    assert low < 0 < high


@pytest.mark.parametrize(("count", "volatility"), [(5, 0.3), (8, 0.5), (20, 0.3), (30, 0.5)])
@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (60, 75)])
def test_the_interval_covers_the_truth_as_often_as_it_says(window, horizon, count, volatility):
    """Overlapping labels, a slow forecast without skill, few days of unequal volatility."""
    rng = np.random.default_rng(9)
    tries, size = 200, 0.1
    pool = 400
    label, slow = innovations(pool, window, horizon, rng)
    slow *= size * label.std() / slow.std()
    known = (label**2).reshape(pool, DAY).sum(axis=1)
    loss = ((label - slow) ** 2).reshape(pool, DAY).sum(axis=1)
    truth = -(size**2)
    missed = 0
    for _ in range(tries):
        picked = rng.integers(0, pool, count)
        weight = np.exp(2 * volatility * rng.standard_normal(count))
        low, high = ends(loss[picked] * weight, known[picked] * weight, 0.95, 0)
        missed += not low <= truth <= high
    # Three standard errors above 5 %, and not so wide that it says nothing.
    assert 0.005 < missed / tries < 0.05 + 3 * np.sqrt(0.05 * 0.95 / tries)


@pytest.mark.parametrize("planted", [False, True])
def test_the_interval_covers_the_skill_of_slow_forecasts_in_sigma(planted):
    """The study has more days and memories, and holds all to 93 to 97 %."""
    rng = np.random.default_rng(17)
    assert coverage(300, 14, 480, rng, planted=planted) == pytest.approx(0.95, abs=0.038)


def test_both_units_of_skill():
    """In sigma all days weigh the same; in units of BQX a volatile one decides."""
    rng = np.random.default_rng(18)
    innovation, noise = rng.standard_normal((2, 4 * DAY))
    view = 0.3 * innovation + 0.1 * noise
    # Where it is volatile the forecast knows nothing.
    sigma = np.repeat([1.0, 1.0, 1.0, 10.0], DAY)
    view[3 * DAY :] = 0.3 * noise[3 * DAY :]
    known = rng.standard_normal(4 * DAY)
    result = score(
        known + sigma * innovation,
        known + sigma * view,
        known,
        sigma=sigma,
        day=days(4),
        window=15,
        horizon=15,
    )
    expected = 1 - ((innovation - view) ** 2).sum() / (innovation**2).sum()
    raw = 1 - (sigma**2 * (innovation - view) ** 2).sum() / (sigma**2 * innovation**2).sum()
    assert result.skill.value == pytest.approx(expected)
    assert result.bqx_skill.value == pytest.approx(raw)
    assert result.skill.value > 0.2 > 0.0 > result.bqx_skill.value


@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (15, 75), (75, 45), (75, 75)])
def test_overlapping_rows_are_worth_fewer(window, horizon):
    rng = np.random.default_rng(13)
    label, _ = innovations(2_000, window, horizon, rng)
    label /= label.std()
    # The variance of a day's mean against that of one row.
    worth = 1 / np.var(label.reshape(2_000, DAY).mean(axis=1))
    assert worth == pytest.approx(DAY / overlap(window, horizon), rel=0.12)


def test_simultaneous_intervals():
    assert simultaneous(0.95, 1) == 0.95
    assert simultaneous(0.95, 140) == pytest.approx(1 - 0.05 / 140)


def test_a_family_of_null_cells_is_all_covered_about_as_often_as_it_says():
    rng = np.random.default_rng(14)
    families, cells, count = 50, 20, 12
    each = simultaneous(0.95, cells)
    known = np.exp(0.6 * rng.standard_normal((families, cells, count)))
    loss = known * (1 + 0.02 * rng.standard_normal((families, cells, count)))
    broken = 0
    for family in range(families):
        broken += any(
            not low <= 0 <= high
            for low, high in (
                ends(loss[family, cell], known[family, cell], each, 0) for cell in range(cells)
            )
        )
    assert broken / families < 0.05 + 3 * np.sqrt(0.05 * 0.95 / families)
