"""The synthetic market: the gates of real one-minute FX, the martingale, the planted signal."""

import numpy as np
import pandas as pd
import pytest

from bqx.errors import ParameterError
from bqx.market import bars, planted, sessions
from bqx.market import simulated as market
from bqx.market.pairs import CURRENCIES, PAIRS, TRIANGLES, base, pip, quote

CASES = (
    ("null", 0, "2024-01-07"), ("strong", 1, "2024-01-07"), ("null", 2, "2024-06-02"),
    ("lead", 3, "2024-01-07"),
)  # fmt: skip


class Simulated:
    """One simulated market with its bars on the grid and returns in basis points."""

    def __init__(self, mode, seed, start, days=42, pairs=PAIRS):
        self.market = market.simulate(mode, pairs, start, days=days, seed=seed)
        self.bars = bars.align(self.market.frames)
        self.minutes = self.bars[pairs[0]].minutes
        self.hour = sessions.local_minutes(self.minutes, "America/New_York") % 1_440 // 60
        self.week = sessions.market_minutes(self.minutes) // sessions.WEEK
        self.returns = pd.DataFrame({pair: self.step(pair, 1) for pair in pairs})

    def step(self, pair, minutes):
        """Log returns over consecutive blocks of minutes inside a week, basis points."""
        log, week = np.log(self.bars[pair].close[::minutes]), self.week[::minutes]
        return np.where(np.diff(week) == 0, np.diff(log), np.nan) * 1e4


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def simulated(request):
    return Simulated(*request.param)


@pytest.fixture(scope="module")
def momentum():
    return Simulated("strong", 0, "2024-01-07", days=90)


@pytest.fixture(scope="module")
def long_factors():
    minutes = sessions.grid(28_000_000, 28_000_000 + 200 * 1_440)
    return {mode: market.factors(minutes, mode, 5) for mode in planted.MODES}


def clean(values):
    return values[np.isfinite(values)]


def autocorrelation(series, lag):
    return pd.Series(series).autocorr(lag)


def test_frames_are_in_the_bar_schema(simulated):
    for pair, frame in simulated.market.frames.items():
        pd.testing.assert_frame_equal(bars.validate(frame, pair), frame, check_freq=False)
        assert np.isfinite(frame.to_numpy()).all()
        assert (frame["volume"] >= 1).all()


def test_a_few_minutes_are_missing_mostly_the_quiet_ones(simulated):
    stamps = sessions.timestamps(simulated.minutes)
    missing = pd.DataFrame(
        {pair: ~stamps.isin(frame.index) for pair, frame in simulated.market.frames.items()}
    )
    assert missing.mean().between(0.003, 0.01).all()
    hourly = missing.groupby(simulated.hour).mean().mean(axis=1)
    assert hourly[17] > 5 * hourly[9]
    assert hourly[18] > 2 * hourly[9]


def test_aligned_bars_lie_on_the_grid_of_open_minutes(momentum):
    assert momentum.market.planted is not None
    assert momentum.bars["audnzd"].ts.equals(pd.DatetimeIndex(momentum.market.planted.index))
    np.testing.assert_array_equal(
        momentum.minutes, sessions.grid(momentum.minutes[0], momentum.minutes[-1])
    )


def test_rates_are_whole_tenths_of_a_pip(simulated):
    for pair, frame in simulated.market.frames.items():
        tenths = frame[["open", "high", "low", "close", "spread"]].to_numpy() / (pip(pair) / 10)
        np.testing.assert_allclose(tenths, np.round(tenths), atol=1e-6)


def test_open_is_near_the_last_close_inside_a_week(simulated):
    for pair in PAIRS:
        frame = simulated.bars[pair].frame
        gap = np.log(frame["open"].to_numpy()[1:] / frame["close"].to_numpy()[:-1]) * 1e4
        inside = clean(gap[np.diff(simulated.week) == 0])
        assert inside.std() < 0.3 * simulated.returns[pair].std()


def test_first_open_of_a_week_shows_the_weekend_gap(simulated):
    for pair in PAIRS:
        frame = simulated.bars[pair].frame
        inside = np.abs(np.log(frame["close"] / frame["open"]).to_numpy())
        first = np.flatnonzero(np.diff(simulated.week)) + 1
        before = np.abs(
            np.log(frame["open"].to_numpy()[first] / frame["close"].to_numpy()[first - 1])
        )
        assert before.max() > 3 * inside[first].max()


def test_pairs_have_their_own_noise(simulated):
    calm = (simulated.hour >= 9) & (simulated.hour < 12)
    spread = pd.DataFrame({pair: one.frame["spread"] for pair, one in simulated.bars.items()})
    table = spread[calm].corr().to_numpy()
    assert np.abs(table[~np.eye(len(PAIRS), dtype=bool)]).mean() < 0.1


def test_range_of_a_bar_suits_its_return(simulated):
    for pair in PAIRS:
        frame = simulated.bars[pair].frame
        span = np.nanmean(np.log(frame["high"] / frame["low"])) * 1e4
        assert 1.5 < span / simulated.returns[pair].abs().mean() < 2.1


def test_size_tails_and_autocorrelation_of_returns(simulated):
    for pair in PAIRS:
        minute = simulated.returns[pair]
        assert 0.7 < minute.std() < 3
        assert minute.kurt() > 8
        assert pd.Series(simulated.step(pair, 5)).kurt() < minute.kurt()
        assert abs(autocorrelation(minute, 1)) < 0.05
        assert 0.015 < (minute == 0).mean() < 0.13


def test_volatility_clusters_and_decays_slowly(simulated):
    for pair in PAIRS:
        size = simulated.returns[pair].abs()
        one, five, sixty = (autocorrelation(size, lag) for lag in (1, 5, 60))
        assert 0.15 < one < 0.35
        assert one > five > sixty > 0.05


def test_volatility_peaks_in_the_new_york_morning(simulated):
    hourly = simulated.returns.groupby(simulated.hour[1:]).std()
    assert (hourly.max() / hourly.min() >= 2).all()
    assert hourly.idxmax().between(8, 10).all()


def test_each_centre_has_its_hump(simulated):
    hourly = simulated.returns.groupby(simulated.hour[1:]).std()
    east, west = (
        hourly[names].mean(axis=1) for names in (["audjpy", "nzdjpy"], ["eurgbp", "eurchf"])
    )
    assert east[20] > 1.25 * east[15]  # Tokyo morning
    assert west[4] > 1.2 * west[0]  # London morning


def test_correlations_of_dollar_pairs(simulated):
    table = simulated.returns[["eurusd", "audusd", "usdcad"]].corr()
    assert table.loc["eurusd", "audusd"] == pytest.approx(0.55, abs=0.2)
    assert table.loc["eurusd", "usdcad"] == pytest.approx(-0.50, abs=0.2)
    assert table.loc["audusd", "usdcad"] == pytest.approx(-0.65, abs=0.2)


def test_volume_follows_the_size_of_moves(simulated):
    for pair in PAIRS:
        volume = simulated.bars[pair].frame["volume"].to_numpy()
        move = simulated.returns[pair].abs().reset_index(drop=True)
        assert 0.3 < pd.Series(volume[1:]).corr(move) < 0.6
        hourly = pd.Series(volume).groupby(simulated.hour).median()
        assert hourly.min() > 6
        assert hourly.max() < 195


def test_spread_averages_the_table_and_jumps_at_the_rollover(simulated):
    for pair in PAIRS:
        spread = simulated.bars[pair].frame["spread"] / pip(pair)
        assert spread.mean() == pytest.approx(market.AVERAGE_SPREAD[pair], rel=0.1)
        hourly = spread.groupby(simulated.hour).median()
        assert hourly.idxmax() == 17
        assert hourly[17] / spread.median() > 2.5
        assert hourly[9] < 0.85 * hourly[1]
        assert spread.min() > 0
        assert 3 < spread.quantile(0.99) / spread.median() < 6


def test_mid_rates_close_the_triangles_within_half_spreads(simulated):
    frames = simulated.market.frames
    mid = {pair: frame["close"] + frame["spread"] / 2 for pair, frame in frames.items()}
    half = {pair: frame["spread"] / 2 / mid[pair] for pair, frame in frames.items()}
    for triangle in TRIANGLES:
        direct, first, second = triangle.direct, triangle.first, triangle.second
        residual = (np.log(mid[direct]) - np.log(mid[first]) - np.log(mid[second])).dropna()
        summed = (half[direct] + half[first] + half[second]).dropna()
        assert (residual.abs() < summed).mean() >= 0.999


def test_no_arbitrage_around_a_triangle_can_be_traded(simulated):
    frames = simulated.market.frames
    bid = {pair: frame["close"] for pair, frame in frames.items()}
    ask = {pair: frame["close"] + frame["spread"] for pair, frame in frames.items()}
    for triangle in TRIANGLES:
        direct, first, second = triangle.direct, triangle.first, triangle.second
        into = (bid[first] * bid[second] / ask[direct] - 1).dropna()
        out = (bid[direct] / (ask[first] * ask[second]) - 1).dropna()
        assert max(into.clip(lower=0).mean(), out.clip(lower=0).mean()) < 1e-7


def test_log_rates_without_noise_have_rank_seven(long_factors):
    log = long_factors["null"].log
    rates = np.column_stack(
        [log[:, CURRENCIES.index(base(p))] - log[:, CURRENCIES.index(quote(p))] for p in PAIRS]
    )
    values = np.linalg.svd(rates[::50], compute_uv=False)
    assert values[6] > 1e-3 * values[0]
    assert values[7] < 1e-10 * values[0]


def test_weekend_gaps_have_a_fat_tail():
    opens = sessions.week_opens(20_000_000, 28_000_000)
    gap = market.factors(opens, "null", 0).gap[1:]
    size = np.abs(gap[:, CURRENCIES.index("EUR")] - gap[:, CURRENCIES.index("USD")])
    assert 3e-4 < np.median(size) < 12e-4
    assert 0.01 < (size > 6 * np.median(size)).mean() < 0.2


def test_gaps_lie_at_weekly_openings_only(long_factors):
    moved = (long_factors["null"].gap != 0).any(axis=1)
    minute = sessions.market_minutes(long_factors["null"].minutes) % sessions.WEEK
    np.testing.assert_array_equal(moved, minute == 0)


def t_statistic(x, y):
    """T statistic of the slope of y on x through the origin, robust to changing variance."""
    slope = np.sum(x * y) / np.sum(x * x)
    return slope * np.sum(x * x) / np.sqrt(np.sum((x * (y - slope * x)) ** 2))


def test_null_returns_cannot_be_forecast_from_their_past(long_factors):
    drawn = long_factors["null"]
    assert not drawn.drift.any()
    returns = np.diff(drawn.log, axis=0) - drawn.gap[1:]
    for column in range(len(CURRENCIES)):
        past, future = returns[:-1, column], returns[1:, column]
        smooth = pd.Series(past).ewm(alpha=1 / 120).mean().to_numpy()
        for known in (past, smooth, np.abs(past), np.sign(smooth)):
            assert abs(t_statistic(known, future)) < 4


def test_null_bids_cannot_be_forecast_from_the_clock():
    # A mid without a trend would make the bid step back when the spread widens at 17:00.
    drawn = Simulated("null", 4, "2024-01-07", 180, ("eurusd", "gbpnzd", "nzdchf"))
    for pair in drawn.bars:
        grouped = drawn.returns[pair].groupby(drawn.hour[1:])
        assert (grouped.mean() / (grouped.std() / np.sqrt(grouped.count()))).abs().max() < 4
        rollover = drawn.returns[pair][(drawn.minutes[1:] - drawn.minutes[0]) % 1_440 <= 3]
        assert abs(rollover.mean()) < 4 * rollover.std() / np.sqrt(rollover.count())


@pytest.mark.parametrize("mode", planted.SIGNALS)
def test_all_modes_share_their_shocks(long_factors, mode):
    null, drawn = long_factors["null"], long_factors[mode]
    shocks = np.diff(null.log, axis=0)
    np.testing.assert_allclose(np.diff(drawn.log, axis=0) - drawn.drift[:-1], shocks, atol=1e-12)
    np.testing.assert_array_equal(null.sigma, drawn.sigma)


@pytest.mark.parametrize("mode", ["planted", "strong", "threshold"])
def test_drift_of_a_pair_is_the_filter_of_its_own_returns(long_factors, mode):
    drawn = long_factors[mode]
    one, other = CURRENCIES.index("GBP"), CURRENCIES.index("JPY")
    log, gap = (table[:5_000, one] - table[:5_000, other] for table in (drawn.log, drawn.gap))
    minutes = drawn.minutes[:5_000]
    busy = sessions.in_session(minutes, "london") | sessions.in_session(minutes, "new_york")
    turned = np.where(busy | (mode != "threshold"), 1.0, -1.0)
    share = planted.WEAK if mode == "planted" else planted.STRONG
    mean, expected = 0.0, []
    for value, sign in zip(np.diff(log, prepend=0.0) - gap, turned, strict=True):
        mean += (value - mean) / planted.MEMORY
        expected.append(sign * share * mean)
    drift = drawn.drift[:5_000, one] - drawn.drift[:5_000, other]
    np.testing.assert_allclose(drift, expected, rtol=1e-9, atol=1e-15)


def test_drift_of_a_follower_is_the_filter_of_its_leader(long_factors):
    drawn = long_factors["lead"]
    returns = np.diff(drawn.log[:5_000], axis=0, prepend=0.0) - drawn.gap[:5_000]
    means = pd.DataFrame(returns).ewm(alpha=1 / planted.LED_MEMORY, adjust=False).mean()
    # pandas starts from the first value itself, the filter from nothing.
    means -= np.outer((1 - 1 / planted.LED_MEMORY) ** np.arange(1, 5_001), returns[0])
    for column, name in enumerate(CURRENCIES):
        pair, led = planted.FOLLOWS.get(name), np.zeros(5_000)
        if pair:
            one, other = CURRENCIES.index(base(pair)), CURRENCIES.index(quote(pair))
            led = planted.LED * (means[one] - means[other])
        np.testing.assert_allclose(drawn.drift[:5_000, column], led, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("ahead", [1, 15, 60])
@pytest.mark.parametrize("mode", planted.SIGNALS)
def test_drift_decays_as_stated(long_factors, mode, ahead):
    drawn = long_factors[mode]
    returns = np.diff(drawn.log, axis=0) - drawn.gap[1:]
    sigma = drawn.sigma[:-ahead]
    expected = oracle_path(drawn.drift, drawn.decay, ahead)[:-ahead] / sigma
    future = returns[ahead - 1 :] / sigma
    assert np.sum(expected * future) / np.sum(expected**2) == pytest.approx(1.0, abs=0.12)


def oracle_path(drift, decay, ahead):
    """Log return expected of the minute ``ahead`` of each row, step by step."""
    out = drift.copy()
    for step in range(ahead - 1):
        out[: len(out) - step] *= decay[step:, None]
    return out


@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (15, 75), (60, 15), (90, 75), (30, 31)])
def test_oracle_equals_bqx_on_the_expected_path(window, horizon):
    rng = np.random.default_rng(3)
    past, drift, decay = rng.normal(0, 1e-8, 200), 1e-6, 0.99
    future = drift * decay ** np.arange(horizon)
    index = 100 * np.exp(np.cumsum(np.concatenate((past, future))))
    stopped = np.concatenate((index[:200], np.full(horizon, index[199])))

    def bqx(path):
        return sum((path[-1 - k] - path[-1]) / path[-1] for k in range(1, window + 1))

    expected = planted.oracle(np.array([drift]), np.array([decay]), window=window, horizon=horizon)[
        0
    ]
    assert bqx(index) - bqx(stopped) == pytest.approx(expected, rel=1e-3)


def attainable(simulated, pair, horizon):
    drift, decay = simulated.market.planted[[pair, "decay"]].to_numpy().T
    return planted.attainable_skill(
        simulated.bars[pair].index, drift, decay, window=15, horizon=horizon
    )


@pytest.mark.parametrize("horizon", [15, 30, 45, 60, 75])
def test_attainable_skill_of_momentum(momentum, horizon):
    skill = [attainable(momentum, pair, horizon) for pair in PAIRS]
    assert min(skill) > 0.03
    assert max(skill) < 0.15
    assert 0.05 < np.mean(skill) < 0.12


def test_attainable_skill_is_zero_without_a_drift(simulated):
    index = simulated.bars["eurusd"].index
    assert planted.attainable_skill(index, *np.zeros((2, len(index))), window=15, horizon=30) == 0.0


@pytest.mark.parametrize(("window", "horizon"), [(15, 15), (60, 15), (15, 75)])
def test_attainable_skill_agrees_with_a_loop(window, horizon):
    rng = np.random.default_rng(8)
    rows, first = 1_200, sessions.WEEK - 500
    returns = rng.normal(0, 1e-4, rows)
    returns[500] = 0.05  # the weekend
    index, drift = 100 * np.exp(np.cumsum(returns)), rng.normal(0, 1e-5, rows)
    index[900:910] = np.nan
    decay = np.full(rows, 0.99)
    oracle = planted.oracle(drift, decay, window=window, horizon=horizon)
    naive, better = [], []
    for t in range(rows - horizon):
        if (first + t) // sessions.WEEK != (first + t + horizon) // sessions.WEEK:
            continue
        oldest = t + horizon - window
        if oldest < 0 or np.isnan(index[min(t, oldest) : t + horizon + 1]).any():
            continue
        label = index[: t + horizon + 1]
        stopped = np.concatenate((index[: t + 1], np.full(horizon, index[t])))
        error = sum(label[-1 - k] / label[-1] - 1 for k in range(1, window + 1)) - sum(
            stopped[-1 - k] / stopped[-1] - 1 for k in range(1, window + 1)
        )
        naive.append(error**2)
        better.append((error - oracle[t]) ** 2)
    skill = planted.attainable_skill(
        index, drift, decay, window=window, horizon=horizon, first_market_minute=first
    )
    assert skill == pytest.approx(1 - sum(better) / sum(naive), rel=1e-6)


def test_same_seed_same_market_whatever_pairs_are_asked_for():
    every = market.simulate("strong", start="2024-03-05", days=4, seed=9)
    some = market.simulate("strong", ("usdjpy", "eurgbp"), start="2024-03-05", days=4, seed=9)
    other = market.simulate("strong", ("usdjpy",), start="2024-03-05", days=4, seed=10)
    assert list(some.frames) == ["usdjpy", "eurgbp"]
    for pair, frame in some.frames.items():
        pd.testing.assert_frame_equal(frame, every.frames[pair])
    pd.testing.assert_frame_equal(some.planted, every.planted[["usdjpy", "eurgbp", "decay"]])
    assert not other.frames["usdjpy"]["close"].equals(some.frames["usdjpy"]["close"])


def test_modes():
    null = market.simulate("null", ("eurusd",), days=2)
    assert (null.mode, null.planted) == ("null", None)
    for mode in planted.SIGNALS:
        made = market.simulate(mode, ("eurusd",), days=2)
        assert made.mode == mode
        assert list(made.planted) == ["eurusd", "decay"]


def test_rates_start_near_the_stated_dollar_values():
    rates = {p: f["close"].iloc[0] for p, f in market.simulate("null", days=1).frames.items()}
    assert rates["eurusd"] == pytest.approx(1.095, rel=1e-3)
    assert rates["usdjpy"] == pytest.approx(144.9, rel=1e-3)
    assert rates["eurgbp"] == pytest.approx(rates["eurusd"] / rates["gbpusd"], rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"mode": "Null"},
            r"market: unknown mode, got 'Null'; expected one of null, planted",
        ),
        ({"pairs": ("usdeur",)}, r"pair: unknown pair, got 'usdeur'"),
        ({"start": "7 Jan"}, r"start: not a date, got '7 Jan'; expected YYYY-MM-DD"),
        ({"start": "2024-01-06", "days": 1}, r"days: the market is closed, got 1"),
        ({"days": 0}, r"days: the market is closed, got 0"),
        ({"seed": -1}, r"seed: negative, got -1; expected 0 or more"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        market.simulate(**{"mode": "null", **arguments})
