import numpy as np
import pytest
from scipy.signal import lfilter

from bqx.learning.shrinkage import BLOCK, products, weigh

ROWS = np.arange(12 * 1_440)
PAIRS = ("eurusd", "usdjpy", "gbpusd", "audusd")
HORIZONS = (15, 30)


def overlapping(rng):
    """Slow forecasts and labels that overlap as BQX's do, unrelated: (n, H)."""
    forecasts, labels = [], []
    for _ in HORIZONS:
        slow = lfilter([1.0], [1.0, -np.exp(-1 / 60)], rng.normal(size=len(ROWS)))
        returns = rng.standard_t(5, size=len(ROWS) + 15)
        # The mean of the last 15 sums of returns is a triangle of them.
        sums = np.cumsum(np.cumsum(returns))
        label = sums[15:] - sums[:-15] - 15 * np.cumsum(returns)[:-15]
        forecasts.append(slow / slow.std())
        labels.append(label / label.std())
    return np.column_stack(forecasts), np.column_stack(labels)


def market(seed, slopes):
    """Products of pairs whose labels hold so much of the forecast, by pair and horizon."""
    rng = np.random.default_rng(seed)
    out = {}
    for pair, slope in zip(PAIRS, np.broadcast_to(slopes, (4, 2)), strict=True):
        forecast, noise = overlapping(rng)
        out[pair] = products(forecast, slope * forecast + noise, ROWS)
    return out


def test_the_share_is_the_slope_of_all_rows_and_shrinks_with_its_t():
    forecast, noise = overlapping(np.random.default_rng(0))
    label = 0.3 * forecast + noise
    evidence = weigh({"eurusd": products(forecast, label, ROWS)}, HORIZONS)["eurusd"]
    slope = np.sum(forecast * label) / np.sum(forecast**2)
    sums = (forecast * label).sum(axis=1).reshape(-1, BLOCK).sum(axis=1)
    off = sums - sums.mean()
    variance = (off @ off + 2 * off[1:] @ off[:-1]) / len(sums)
    t = sums.mean() / np.sqrt(variance / len(sums))
    assert evidence.t == pytest.approx(t)
    assert t > 10
    # Two horizons with one slope: what they depart from it is little.
    expected = slope * (1 - 1 / t**2)
    assert list(evidence.betas.values()) == pytest.approx([expected] * 2, rel=0.15)


def test_without_a_signal_little_is_kept_and_it_costs_next_to_nothing():
    """Forecasts that explain 1 % in sample and nothing beyond: what keeping them adds in error."""
    kept = []
    for seed in range(60):
        evidence = weigh(market(seed, 0.0), HORIZONS)
        kept.append([list(own.betas.values()) for own in evidence.values()])
    kept = np.array(kept)
    assert (kept >= 0).all()
    assert np.mean(kept.max(axis=(1, 2)) == 0.0) > 0.4
    # The loss of a share b of a unit forecast that says nothing is b², in units of the label.
    assert np.mean(kept**2) < 5e-4


def test_the_t_has_the_spread_of_a_t():
    t = [weigh(market(seed, 0.0), HORIZONS)[PAIRS[0]].t for seed in range(100)]
    assert np.std(t) == pytest.approx(1.0, abs=0.15)
    assert np.mean(t) == pytest.approx(0.0, abs=0.2)


def test_one_pair_of_its_own_departs_from_the_others():
    slopes = np.array([[0.5, 0.5], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1]])
    evidence = weigh(market(1, slopes), HORIZONS)
    first, *others = (own.betas[15] for own in evidence.values())
    assert first == pytest.approx(0.5, abs=0.1)
    assert max(others) < 0.2


def test_pairs_that_are_alike_keep_alike():
    evidence = weigh(market(2, 0.2), HORIZONS)
    assert np.ptp([own.betas[15] for own in evidence.values()]) < 0.06
    assert np.mean([own.betas[15] for own in evidence.values()]) == pytest.approx(0.2, abs=0.04)


def test_a_weak_signal_of_all_pairs_is_kept_where_each_alone_would_not():
    together, alone, kept = [], [], []
    for seed in range(20):
        of_all = market(seed, 0.025)
        evidence = weigh(of_all, HORIZONS)
        together.append(evidence[PAIRS[0]].t)
        kept.append(np.mean([own.betas[15] for own in evidence.values()]))
        alone += [weigh({pair: own}, HORIZONS)[pair].t for pair, own in of_all.items()]
    assert np.mean(together) > 1.7 * np.mean(alone)
    assert np.mean(kept) == pytest.approx(0.02, abs=0.007)


def test_shares_stay_between_nothing_and_all():
    forecast, noise = overlapping(np.random.default_rng(1))
    strong = weigh({"eurusd": products(forecast / 10, forecast + noise, ROWS)}, HORIZONS)
    assert set(strong["eurusd"].betas.values()) == {1.0}
    wrong = weigh({"eurusd": products(forecast, noise - forecast, ROWS)}, HORIZONS)
    assert set(wrong["eurusd"].betas.values()) == {0.0}


@pytest.mark.parametrize("rows", [np.arange(3), np.arange(1_440)])
def test_silent_forecasts_and_few_rows_give_nothing(rows):
    silent = products(np.zeros((len(rows), 2)), np.ones((len(rows), 2)), rows)
    evidence = weigh({"eurusd": silent}, HORIZONS)["eurusd"]
    assert (evidence.t, evidence.betas) == (0.0, {15: 0.0, 30: 0.0})


def test_rows_without_a_label_do_not_count():
    forecast, noise = overlapping(np.random.default_rng(4))
    label = 0.3 * forecast + noise
    kept = np.ones(len(ROWS), dtype=bool)
    kept[5 * BLOCK : 9 * BLOCK] = False
    holes = products(forecast, np.where(kept[:, None], label, np.nan), ROWS)
    cut = products(forecast[kept], label[kept], ROWS[kept])
    np.testing.assert_array_equal(holes.products, cut.products)
    assert weigh({"eurusd": holes}, HORIZONS) == weigh({"eurusd": cut}, HORIZONS)


def test_pairs_whose_rows_begin_at_other_times_are_added_up_at_the_same_times():
    first, second = market(5, 0.1)[PAIRS[0]], market(6, 0.1)[PAIRS[0]]
    forecast, noise = overlapping(np.random.default_rng(5))
    late = slice(2 * BLOCK, None)
    moved = products(forecast[late], (0.1 * forecast + noise)[late], ROWS[late])
    assert moved.first == 2
    np.testing.assert_allclose(moved.products, first.products[2:], rtol=1e-9)
    both = weigh({"eurusd": moved, "usdjpy": second}, HORIZONS)
    assert set(both) == {"eurusd", "usdjpy"}
