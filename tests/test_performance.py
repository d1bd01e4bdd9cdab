"""Sharpe ratios from days: definitions, intervals that cover, and when there is none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bqx.trading import performance


def frame(net: np.ndarray, cost: float = 1e-4, trades: int | np.ndarray = 10) -> pd.DataFrame:
    days = len(net)
    return pd.DataFrame(
        {
            "day": np.arange(days),
            "gross": net + cost,
            "spread": 0.7 * cost,
            "cost": cost,
            "net": net,
            "turnover": np.linspace(1.0, 3.0, days),
            "trades": trades,
        }
    )


def profits(days: int, seed: int = 0, mean: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1e-3, days)


def test_numbers_against_pandas() -> None:
    daily = frame(profits(60, mean=2e-4))
    found = performance.summary(daily)
    assert found.net_sharpe == pytest.approx(daily["net"].mean() / daily["net"].std() * 252**0.5)
    assert found.gross_sharpe == pytest.approx(
        daily["gross"].mean() / daily["gross"].std() * 252**0.5
    )
    for name in ("gross", "net"):
        profit = daily[name]
        downside = (profit.clip(upper=0) ** 2).mean() ** 0.5
        expected = profit.mean() / downside * 252**0.5
        assert getattr(found, f"{name}_sortino") == pytest.approx(expected)
        low, high = (getattr(found, f"{name}_sharpe_{end}") for end in ("lo", "hi"))
        assert low < getattr(found, f"{name}_sharpe") < high
    net = daily["net"]
    assert found.profit_factor == pytest.approx(net[net > 0].sum() / -net[net < 0].sum())
    summed = pd.concat([pd.Series([0.0]), daily["net"].cumsum()])
    assert found.drawdown == pytest.approx((summed.cummax() - summed).max())
    assert found.hit_rate == pytest.approx((daily["net"] > 0).mean())
    assert found.turnover == pytest.approx(2.0)
    assert (found.days, found.trades, found.reason) == (60, 600, None)


def test_days_without_trades_count_for_the_sharpe_ratio_but_not_for_the_hit_rate() -> None:
    net = np.where(np.arange(40) % 2 == 0, np.abs(profits(40)), 0.0)
    found = performance.summary(frame(net, trades=(np.arange(40) % 2 == 0).astype(int)))
    assert found.hit_rate == 1.0
    assert found.days == 40
    assert found.net_sharpe == pytest.approx(net.mean() / net.std(ddof=1) * 252**0.5)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_drawdown_is_the_worst_stretch(daily: list[float]) -> None:
    worst = max(
        -sum(daily[first:last])
        for first in range(len(daily) + 1)
        for last in range(first, len(daily) + 1)
    )
    assert performance.drawdown(np.array(daily)) == pytest.approx(worst, abs=1e-12)
    assert -performance.underwater(np.array(daily)).min() == pytest.approx(worst, abs=1e-12)


def test_interval_of_many_normal_days_is_the_large_sample_one() -> None:
    daily = profits(800, seed=5, mean=1e-4)
    ratio = daily.mean() / daily.std(ddof=1)
    error = np.sqrt((1 + ratio**2 / 2) / 800)
    low, high = performance.sharpe_interval(daily)
    assert low == pytest.approx((ratio - 1.96 * error) * 252**0.5, abs=0.12)
    assert high == pytest.approx((ratio + 1.96 * error) * 252**0.5, abs=0.12)


@pytest.mark.parametrize("days", [6, 12, 30])
@pytest.mark.parametrize("shape", ["normal", "fat tails", "few days traded", "losing"])
def test_interval_covers_as_often_as_it_says(days: int, shape: str) -> None:
    random = np.random.default_rng(days)
    draws: dict[str, np.ndarray] = {
        "normal": random.normal(0, 1, (200, days)),
        "fat tails": random.standard_t(3, (200, days)),
        "few days traded": random.normal(0, 1, (200, days)) * (random.random((200, days)) < 0.5),
        "losing": random.normal(-0.5, 1, (200, days)),
    }
    truth = -0.5 * 252**0.5 if shape == "losing" else 0.0
    samples = [sample for sample in draws[shape] if np.count_nonzero(sample) >= 3]
    covered = 0
    for sample in samples:
        low, high = performance.sharpe_interval(sample)
        covered += low <= truth <= high
    # 95 % less what 200 draws leave open (three binomial standard errors).
    assert covered / len(samples) >= 0.904


def test_interval_of_the_sortino_ratio_covers_the_true_one() -> None:
    """Thirty days of fat tails around a mean, against the ratio of two million days."""
    random = np.random.default_rng(11)
    truth = performance.sortino(0.3 + random.standard_t(5, 2_000_000))
    assert truth is not None
    covered = 0
    for sample in 0.3 + random.standard_t(5, (200, 30)):
        low, high = performance.sortino_interval(sample, performance.sharpe_interval(sample))
        assert low is not None
        assert high is not None
        covered += low <= truth <= high
    assert covered / 200 >= 0.904


def test_resampled_ratios_are_those_of_numpy() -> None:
    daily = profits(40, seed=3, mean=2e-4)
    draws = performance._draws(40, 0)
    assert draws.shape == (performance.RESAMPLES, 40)
    drawn = daily[draws]
    expected = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1)
    np.testing.assert_allclose(performance._ratios(daily, draws), expected, rtol=1e-9)
    same = performance._ratios(np.full(40, 0.1), draws)
    assert np.isnan(same).all()


def test_no_losing_day_leaves_the_sortino_ratio_and_profit_factor_open() -> None:
    found = performance.summary(frame(np.abs(profits(30)), cost=0.0))
    assert found.net_sharpe is not None
    assert found.net_sortino is found.net_sortino_lo is found.profit_factor is None
    one = performance.summary(frame(np.where(np.arange(30) == 3, -1.0, np.abs(profits(30))), 0.0))
    assert one.net_sortino is not None
    assert one.net_sortino_lo is one.net_sortino_hi is None
    assert found.drawdown == 0.0
    assert performance.profit_factor(np.array([1.0, -2.0, 3.0])) == 2.0
    assert performance.sortino(np.zeros(0)) is None


@given(st.lists(st.floats(-0.01, 0.01), min_size=2, max_size=30), st.floats(0, 0.01))
def test_break_even_earns_nothing(moves: list[float], cost: float) -> None:
    move = np.array([*moves, np.nan])
    share = performance.break_even(cost, move)
    size = np.nanmean(np.abs(move))
    if size == 0:
        assert share is None
    else:
        assert share is not None
        assert (2 * share - 1) * size == pytest.approx(cost, abs=1e-12)


def test_twice_the_spread_costs_the_spread_once_more() -> None:
    daily = frame(profits(20), cost=1e-4)
    twice = performance.at_spread(daily, 2.0)
    np.testing.assert_allclose(twice["net"], daily["net"] - daily["spread"])
    np.testing.assert_allclose(twice["spread"], 2 * daily["spread"])
    np.testing.assert_allclose(twice["net"], twice["gross"] - twice["cost"], atol=1e-15)
    pd.testing.assert_frame_equal(performance.at_spread(daily, 1.0), daily)


def test_interval_widens_with_confidence_and_repeats_with_the_seed() -> None:
    daily = profits(25, seed=2)
    wide, narrow = (performance.sharpe_interval(daily, level) for level in (0.99, 0.9))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert performance.sharpe_interval(daily, seed=4) == performance.sharpe_interval(daily, seed=4)


def test_interval_is_never_narrower_than_the_small_sample_one() -> None:
    for seed in range(20):
        daily = profits(8, seed)
        ratio = daily.mean() / daily.std(ddof=1)
        reach = stats.t.ppf(0.975, 7) * np.sqrt((1 + ratio**2 / 2) / 8)
        low, high = performance.sharpe_interval(daily)
        assert low <= (ratio - reach) * 252**0.5 + 1e-9
        assert high >= (ratio + reach) * 252**0.5 - 1e-9


def test_the_unit_of_profit_does_not_matter() -> None:
    daily = profits(30, seed=7)
    once, scaled = (performance.summary(frame(daily * unit, cost=0.0)) for unit in (1.0, 1e4))
    assert once.net_sharpe == pytest.approx(scaled.net_sharpe)
    assert once.net_sharpe_lo == pytest.approx(scaled.net_sharpe_lo)
    assert once.drawdown is not None
    assert scaled.drawdown == pytest.approx(1e4 * once.drawdown)


@pytest.mark.parametrize(
    ("daily", "reason"),
    [
        (frame(np.zeros(0)), "no trades in 0 days"),
        (frame(np.zeros(30), cost=0.0, trades=0), "no trades in 30 days"),
        (frame(profits(4)), "trades on 4 of 4 days, fewer than 5"),
        (
            frame(np.where(np.arange(30) < 2, 1e-3, 0.0), trades=(np.arange(30) < 2).astype(int)),
            "trades on 2 of 30 days, fewer than 5",
        ),
        (frame(np.full(10, 1e-4)), "the net profit is the same on all 10 days"),
    ],
)
def test_what_does_not_exist_is_none_with_a_reason(daily: pd.DataFrame, reason: str) -> None:
    found = performance.summary(daily)
    assert found.reason == reason
    assert found.gross_sharpe is found.net_sharpe is None
    assert found.net_sharpe_lo is found.net_sharpe_hi is None
    assert found.hit_rate is found.drawdown is found.profit_factor is found.net_sortino is None
    assert (found.days, found.trades) == (len(daily), daily["trades"].sum())


def test_a_rolling_ratio_is_that_of_its_days() -> None:
    net = profits(130, seed=40)
    net[100:] = 0.0
    rolling = performance.rolling_sharpe(net, 25)
    assert np.isnan(rolling[:24]).all()
    for last in (24, 60, 110):
        assert rolling[last] == performance.sharpe(net[last - 24 : last + 1])
    # Days that are all the same have no ratio.
    assert np.isnan(rolling[124:]).all()
    assert np.isnan(performance.rolling_sharpe(net[:10], 25)).all()


def test_capacity_is_what_the_largest_orders_leave() -> None:
    turnover = np.concatenate((np.zeros(500), np.full(995, 0.02), np.full(5, 5.0)))
    assert performance.capacity(turnover, 1.0) == pytest.approx(50.0)
    assert performance.capacity(turnover, 2.0) == pytest.approx(100.0)
    assert performance.capacity(np.zeros(5), 1.0) is None
