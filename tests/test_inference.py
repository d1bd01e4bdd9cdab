import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from arch.bootstrap import CircularBlockBootstrap, IIDBootstrap
from overlapping import DAY, innovations
from scipy import stats
from scipy.signal import lfilter

from bqx.evaluation import inference
from bqx.evaluation.inference import Interval, bootstrap, diebold_mariano, ic_test
from bqx.evaluation.skill import overlap
from bqx.learning import targets
from bqx.market import bars, sessions

HORIZONS = (15, 30, 45, 60, 75)
# Sunday 8 January 2023, 17:00 New York.
START = int(np.datetime64("2023-01-08T22:00", "m").astype(np.int64))


def test_diebold_mariano_is_statsmodels_mean_over_its_hac_error():
    rng = np.random.default_rng(10)
    label, slow = innovations(4, 15, 75, rng)
    gain = label**2 - (label - 3 * slow) ** 2
    for lag in (90, 150):
        fit = sm.OLS(gain, np.ones(len(gain))).fit(cov_type="HAC", cov_kwds={"maxlags": lag})
        statistic, p_value = diebold_mariano(gain, np.ones(len(gain), dtype=bool), lag)
        n, h = len(gain), lag + 1
        few = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
        assert statistic == pytest.approx(few * fit.tvalues[0], rel=1e-9)
        assert p_value == pytest.approx(2 * stats.t.sf(abs(statistic), n - 1), rel=1e-9)


def test_diebold_mariano_says_nothing_of_fewer_rows_than_labels_overlap():
    gain = np.random.default_rng(13).standard_normal(31)
    assert diebold_mariano(gain, np.ones(31, dtype=bool), 30) == (None, None)
    assert None not in diebold_mariano(gain, np.ones(31, dtype=bool), 29)


def test_diebold_mariano_keeps_absent_rows_in_their_place():
    rng = np.random.default_rng(11)
    gain = rng.standard_normal(500)
    valid = rng.random(500) < 0.8
    off = np.where(valid, gain - gain[valid].mean(), 0.0)
    variance = sum(
        max(0.0, 1 - abs(i - j) / 31) * off[i] * off[j] for i in range(500) for j in range(500)
    )
    statistic, _ = diebold_mariano(np.where(valid, gain, 0.0), valid, 30)
    n, h = valid.sum(), 31
    few = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    assert statistic == pytest.approx(few * gain[valid].sum() / np.sqrt(variance))


@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (15, 75), (75, 75)])
def test_diebold_mariano_rejects_chance_about_as_often_as_it_says(window, horizon):
    """Twenty days of overlapping labels; counted as independent rows most would be rejected."""
    rng = np.random.default_rng(12)
    tries, count = 100, 20
    label, slow = innovations(count * tries, window, horizon, rng)
    # Without the slow series' own square both forecasts err alike in the mean.
    gain = (2 * label * slow).reshape(tries, count * DAY)
    valid = np.ones(count * DAY, dtype=bool)
    rejected = naive = 0
    for one in gain:
        rejected += diebold_mariano(one, valid, window + horizon)[1] < 0.05
        naive += diebold_mariano(one, valid, 0)[1] < 0.05
    assert rejected / tries < 0.05 + 3 * np.sqrt(0.05 * 0.95 / tries)
    assert naive / tries > 0.4


def test_the_bootstrap_is_archs_over_days():
    """The same distribution: days drawn as wholes, and rows drawn in blocks of a day."""
    rng = np.random.default_rng(20)
    label, slow = innovations(60, 15, 75, rng, volatility=0.4)
    known = label**2
    gain = known - (label - 3 * slow) ** 2
    part, whole = (x.reshape(60, DAY).sum(axis=1) for x in (gain, known))
    ours = bootstrap(part, whole, 0)
    peer = IIDBootstrap(part, whole, seed=1)
    days = peer.apply(lambda p, w: p.sum() / w.sum(), 4_000).ravel()
    assert stats.ks_2samp(ours, days).pvalue > 0.01
    rows = CircularBlockBootstrap(DAY, gain, known, seed=2)
    free = rows.apply(lambda g, k: g.sum() / k.sum(), 400).ravel()
    assert ours.mean() == pytest.approx(free.mean(), abs=0.1 * ours.std())
    assert ours.std() == pytest.approx(free.std(), rel=0.2)


def test_the_bootstrap_of_nothing_is_nan():
    drawn = bootstrap(np.array([1.0, 0.0]), np.array([2.0, 0.0]), 0)
    assert set(drawn[np.isfinite(drawn)]) == {0.5}
    assert np.isnan(drawn).mean() == pytest.approx(0.25, abs=0.03)
    assert inference.interval(np.ones(2), np.array([2.0, 0.0]), 0.95, 0) == Interval(1.0)
    assert inference.interval(np.ones(1), np.ones(1), 0.95, 0) == Interval(1.0)
    assert inference.interval(np.ones(2), np.zeros(2), 0.95, 0) == Interval()


def test_the_ic_test_is_students_over_days():
    rng = np.random.default_rng(21)
    products = rng.standard_normal(6 * DAY)
    sums = products.reshape(6, DAY).sum(axis=1)
    expected = stats.ttest_1samp(sums, 0.0)
    found = ic_test(products, np.repeat(np.arange(6), DAY))
    np.testing.assert_allclose(found, (expected.statistic, expected.pvalue), rtol=1e-9)
    assert ic_test(products, np.zeros(6 * DAY, dtype=np.int64)) == (None, None)
    assert ic_test(np.zeros(9), np.repeat([0, 1, 2], 3)) == (None, None)


def ranks(x):
    """Standardised ranks where there are no ties."""
    out = np.empty(len(x))
    out[np.argsort(x)] = np.arange(len(x))
    return (out - out.mean()) / out.std()


def null_bars(minutes, weeks, rng):
    """A martingale with fat tails and volatility that differs by day and by minute."""
    volatility = 1e-4 * np.exp(
        0.3 * np.repeat(rng.standard_normal(5 * weeks), DAY)
        + 0.4 * np.sin(2 * np.pi * np.arange(len(minutes)) / DAY)
    )
    closes = 1.1 * np.exp(np.cumsum(volatility * rng.standard_t(5, len(minutes))))
    frame = pd.DataFrame(
        dict.fromkeys(bars.RATES, closes) | {"volume": 1.0, "spread": 1e-4},
        index=sessions.timestamps(minutes),
    )
    return bars.Bars("eurusd", frame, float(closes[0]))


def test_the_ic_test_rejects_chance_as_often_as_it_says():
    """200 null markets of eight weeks, in parts of two; two signals that know nothing."""
    decays = {"fast": 0.0, "slow": 0.98}
    rejected = dict.fromkeys(((name, h) for name in decays for h in HORIZONS), 0)
    naive, tries = rejected.copy(), 0
    minutes = sessions.grid(START, START + 9 * 10_080)[: 8 * sessions.WEEK]
    day = sessions.trading_days(minutes)
    for seed in range(200):
        rng = np.random.default_rng(1_000 + seed)
        one = null_bars(minutes, 8, rng)
        labels = [targets.make(one, 15, h).label("innovation") for h in HORIZONS]
        there = np.flatnonzero(np.isfinite(labels).all(axis=0))
        block = day[there]
        fortnight = (block - block[0]) // 14
        signals = [
            lfilter([1.0], [1.0, -phi], rng.standard_normal(len(one)))[there]
            for phi in decays.values()
        ]
        for part in np.unique(fortnight):
            rows = fortnight == part
            _, days = np.unique(block[rows], return_inverse=True)
            made = dict(zip(decays, (ranks(signal[rows]) for signal in signals), strict=True))
            for horizon, label in zip(HORIZONS, labels, strict=True):
                truth = ranks(label[there][rows])
                for name in decays:
                    products = made[name] * truth
                    rejected[name, horizon] += ic_test(products, days)[1] < 0.05
                    t = products.mean() * np.sqrt(len(products))
                    naive[name, horizon] += abs(t) > 1.96
            tries += 1
    assert tries == 800
    assert all(0.03 <= count / tries <= 0.07 for count in rejected.values()), rejected
    assert all(naive["slow", horizon] / tries > 0.4 for horizon in HORIZONS)


@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (75, 75)])
def test_the_ic_test_finds_what_there_is(window, horizon):
    """As often as a test on rows that share nothing, could one know their number."""
    rng = np.random.default_rng(22)
    tries, count = 100, 40
    true = 2.8 / np.sqrt(count * DAY / overlap(window, horizon))
    found = 0
    for _ in range(tries):
        label, slow = innovations(count, window, horizon, rng)
        signal = true * label / label.std() + slow / slow.std()
        products = ranks(signal) * ranks(label)
        t, p_value = ic_test(products, np.repeat(np.arange(count), DAY))
        found += p_value < 0.05 and t > 0
    # 80 % of all, had the variance been known.
    assert found / tries > 0.7
