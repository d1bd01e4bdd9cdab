"""Adaptive conformal intervals: a loop twin, coverage by group, delay, a break, and a peer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapie.regression import TimeSeriesRegressor
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from bqx.learning import targets
from bqx.learning.conformal import PACE, Intervals, calibrate, gaussian, track
from bqx.market import simulated
from bqx.market.bars import Bars, align, validate

COVERAGE = 0.9


def twin(
    score: NDArray[np.float64], group: NDArray[np.int64], start: NDArray[np.float64], horizon: int
) -> list[float]:
    out: list[float] = []
    for row in range(len(score)):
        width = start[group[row]]
        for earlier in range(row - horizon + 1):
            if group[earlier] != group[row] or np.isnan(score[earlier]):
                continue
            missed = score[earlier] > out[earlier]
            width *= np.exp(PACE / horizon * (0.9 if missed else -0.1))
        out.append(width)
    return out


@given(
    st.lists(st.one_of(st.floats(0.0, 9.0), st.just(float("nan"))), min_size=1, max_size=60),
    st.integers(1, 7),
    st.integers(0, 2**32 - 1),
)
def test_tracks_as_its_loop_twin(scores: list[float], horizon: int, seed: int) -> None:
    score = np.array(scores)
    group = np.random.default_rng(seed).integers(0, 3, len(score))
    start = np.array([1.0, 2.0, 0.5])
    found = track(score, group, start, horizon, COVERAGE)
    np.testing.assert_allclose(found, twin(score, group, start, horizon), rtol=1e-12)


@pytest.mark.parametrize("horizon", [1, 15, 75])
def test_no_label_is_used_before_it_is_known(horizon: int) -> None:
    rng = np.random.default_rng(horizon)
    score, group = rng.exponential(1.0, 800), np.zeros(800, dtype=np.int64)
    score[400] = 0.0
    before = track(score, group, np.ones(1), horizon, COVERAGE)
    changed = score.copy()
    changed[400:] = 1e6
    after = track(changed, group, np.ones(1), horizon, COVERAGE)
    np.testing.assert_array_equal(after[: 400 + horizon], before[: 400 + horizon])
    assert after[400 + horizon] > before[400 + horizon]


def test_every_group_holds_its_coverage_whatever_it_starts_from() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(rng.integers(0, 4, 300), 100)
    score = np.abs(rng.standard_t(4, len(group))) * np.array([0.3, 1.0, 2.0, 5.0])[group]
    reach = track(score, group, np.ones(4), 15, COVERAGE)
    for number in range(4):
        assert np.mean((score <= reach)[group == number]) == pytest.approx(COVERAGE, abs=0.02)


def test_starts_from_the_quantile_of_a_group_or_of_all() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1, 2], [405, 400, 50])
    score = rng.exponential(1.0, 855) * np.array([1.0, 3.0, 9.0])[group]
    score[:5] = np.nan
    start = calibrate(score, group, 4, horizon=20, coverage=COVERAGE)
    assert start[0] == np.quantile(score[5:405], COVERAGE)
    assert start[1] == np.quantile(score[405:805], COVERAGE)
    assert start[2] == start[3] == np.nanquantile(score, COVERAGE)
    nothing = np.full(9, np.nan)
    start = calibrate(nothing, np.zeros(9, int), 1, horizon=3, coverage=COVERAGE)
    assert np.isnan(start).all()


@pytest.fixture(scope="module")
def bars() -> Bars:
    frames = simulated.simulate("null", ("eurusd",), days=70, seed=11).frames
    return align({"eurusd": validate(frames["eurusd"], "null market")})["eurusd"]


def after_a_break(bars: Bars, row: int) -> Bars:
    """The bars with all moves from a row on doubled."""
    frame = bars.frame.copy()
    rates = ["open", "high", "low", "close"]
    known = frame["close"].iloc[:row].dropna().iloc[-1]
    frame.loc[frame.index[row:], rates] = known * (frame[rates].iloc[row:] / known) ** 2
    return Bars(bars.pair, frame, bars.baseline)


@pytest.mark.parametrize("horizon", [15, 45, 75])
def test_coverage_returns_after_volatility_doubles(bars: Bars, horizon: int) -> None:
    within, later = [], []
    for row in range(30_000, 60_000, 3_000):
        made = targets.make(after_a_break(bars, row), 15, horizon)
        score = np.abs(made.label("innovation"))
        group = np.zeros(len(score), dtype=np.int64)
        start = calibrate(score[:25_000], group[:25_000], 1, horizon=horizon, coverage=COVERAGE)
        part = slice(25_000, row + 1_500)
        inside = score[part] <= track(score[part], group[part], start, horizon, COVERAGE)
        inside = np.where(np.isfinite(score[part]), inside, np.nan)
        within.append(np.nanmean(inside[-1_500:-1_000]))
        later.append(np.nanmean(inside[-1_000:]))
    assert np.mean(within) > 0.85
    assert np.mean(later) > 0.85


def test_what_intervals_are_worth() -> None:
    labels = np.array([0.0, 1.0, 3.0, np.nan, -2.0])
    made = Intervals(labels, np.zeros(5), np.array([1.0, 1.0, 1.0, 1.0, np.nan]), COVERAGE)
    assert made.share == pytest.approx(2 / 3)
    assert made.width == 2.0
    assert made.score == pytest.approx(2.0 + 2.0 / 0.1 * 2.0 / 3)
    nothing = Intervals(labels[:1], np.full(1, np.nan), np.ones(1), COVERAGE)
    assert nothing.share is nothing.width is nothing.score is None


def test_a_naive_interval_is_the_normal_one() -> None:
    score = np.abs(np.random.default_rng(2).normal(0.0, 3.0, 200_000))
    assert gaussian(score, COVERAGE) == pytest.approx(1.645 * 3.0, rel=0.01)


def test_agrees_with_mapie() -> None:
    """MAPIE moves the level (Gibbs and Candès), we the half-width: alike coverage and width."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1_300, 1))
    y = x[:, 0] + rng.standard_t(5, 1_300)
    fitted = LinearRegression().fit(x[:200], y[:200])
    peer = TimeSeriesRegressor(fitted, method="aci", cv="prefit").fit(x[200:500], y[200:500])
    inside, width = [], []
    for row in range(500, 1_300):
        one = slice(row, row + 1)
        _, interval = peer.predict(x[one], confidence_level=COVERAGE)
        low, high = interval[0, :, 0]
        inside.append(low <= y[row] <= high)
        width.append(high - low)
        peer.adapt_conformal_inference(x[one], y[one], gamma=0.01)
    score = np.abs(y - fitted.predict(x))
    group = np.zeros(1_300, dtype=np.int64)
    start = calibrate(score[200:500], group[200:500], 1, horizon=1, coverage=COVERAGE)
    reach = track(score[500:], group[500:], start, 15, COVERAGE)
    made = Intervals(y[500:], fitted.predict(x)[500:], reach, COVERAGE)
    assert made.share == pytest.approx(np.mean(inside), abs=0.02)
    assert made.width == pytest.approx(np.mean(width), rel=0.1)
