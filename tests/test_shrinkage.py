import numpy as np
import pytest
from scipy import stats

from bqx.learning.shrinkage import BLOCK, weigh

ROWS = np.arange(12 * 1_440)


def overlapping(rng, noise=1.0):
    """Slow forecast and labels that overlap as BQX's do, unrelated."""
    shocks = rng.normal(size=len(ROWS) + 200)
    slow = np.convolve(shocks, np.exp(-np.arange(200) / 60), "valid")[: len(ROWS)]
    returns = rng.standard_t(5, size=len(ROWS) + 15) * noise
    label = np.convolve(returns, np.arange(1, 16), "valid")[: len(ROWS)]
    return slow / slow.std(), label / label.std()


def test_chance_rarely_leaves_the_martingale():
    passed = 0
    for seed in range(300):
        forecast, label = overlapping(np.random.default_rng(seed))
        evidence = weigh({15: forecast}, {15: label}, ROWS, tests=1)
        passed += evidence.t > evidence.critical
    # 5 % of 300 is 15; a binomial above 25 has a chance below 1 %.
    assert passed <= 25
    assert passed >= 4


def test_a_signal_keeps_the_share_that_the_regression_gives():
    forecast, noise = overlapping(np.random.default_rng(0))
    evidence = weigh({15: forecast}, {15: 0.3 * forecast + noise}, ROWS, tests=100)
    label = 0.3 * forecast + noise
    slope = np.polynomial.polynomial.polyfit(forecast, label, [1])[1]
    blocks = (forecast * label).reshape(-1, BLOCK).sum(axis=1)
    t = stats.ttest_1samp(blocks, 0).statistic
    assert evidence.t == pytest.approx(t)
    assert evidence.critical == pytest.approx(stats.t.ppf(1 - 0.05 / 100, len(blocks) - 1))
    assert evidence.betas[15] == pytest.approx(slope * (1 - 1 / t**2))


def test_shares_stay_between_nothing_and_all():
    forecast, noise = overlapping(np.random.default_rng(1))
    strong = weigh({15: forecast / 10}, {15: forecast + noise}, ROWS, tests=1)
    assert strong.betas[15] == 1.0
    label = {15: forecast + noise, 30: -forecast + noise}
    mixed = weigh({15: 3 * forecast, 30: 0.1 * forecast}, label, ROWS, tests=1)
    assert mixed.betas[30] == 0.0


def test_horizons_are_judged_together():
    rng = np.random.default_rng(5)
    forecasts, labels = {}, {}
    for horizon in (15, 30, 45, 60, 75):
        forecasts[horizon], noise = overlapping(rng)
        labels[horizon] = 0.12 * forecasts[horizon] + noise
    alone = [weigh({h: forecasts[h]}, {h: labels[h]}, ROWS, 100).t for h in forecasts]
    together = weigh(forecasts, labels, ROWS, 100)
    assert together.t > max(alone)
    assert all(0 < beta <= 0.3 for beta in together.betas.values())


def test_without_evidence_every_share_is_exactly_nothing():
    forecast, label = overlapping(np.random.default_rng(3))
    assert weigh({15: forecast, 30: -forecast}, {15: label, 30: label}, ROWS, 50).betas == {
        15: 0.0,
        30: 0.0,
    }


@pytest.mark.parametrize("rows", [np.arange(3), np.arange(1_440)])
def test_silent_forecasts_and_few_rows_give_nothing(rows):
    silent = weigh({15: 0.0 * rows}, {15: np.ones(len(rows))}, rows, 1)
    assert (silent.t, silent.betas) == (0.0, {15: 0.0})


def test_rows_without_a_label_do_not_count():
    forecast, noise = overlapping(np.random.default_rng(4))
    label = 0.3 * forecast + noise
    kept = np.ones(len(ROWS), dtype=bool)
    kept[5 * BLOCK : 9 * BLOCK] = False
    holes = weigh({15: forecast}, {15: np.where(kept, label, np.nan)}, ROWS, 1)
    cut = weigh({15: forecast[kept]}, {15: label[kept]}, ROWS[kept], 1)
    assert holes.betas[15] == pytest.approx(cut.betas[15], rel=0.05)
