"""Signals: the sign and size of a price view, and when it is worth a trade."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bqx.market import bars, sessions
from bqx.trading import signals

WINDOWS = (15, 30, 45, 60, 75, 90)
HORIZONS = (15, 30, 45, 60, 75)
SUNDAY = int(sessions.week_opens(28_400_000, 28_400_000)[0])


def bqx(index: np.ndarray, window: int, row: int) -> float:
    return sum((index[row - k] - index[row]) / index[row] for k in range(1, window + 1))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("horizon", HORIZONS)
def test_move_is_the_one_that_made_the_innovation(window: int, horizon: int) -> None:
    """A steady drift in the minutes that the target speaks about is recovered from its BQX."""
    minutes, drift = min(window, horizon), 2e-7
    returns = np.random.default_rng(window).normal(0, 1e-4, 100 + horizon)
    returns[100:] = 0.0
    returns[100 + horizon - minutes :] = drift
    index = 100 * np.exp(np.cumsum(returns))
    now, end = 99, 99 + horizon
    frozen = np.concatenate((index[: now + 1], np.full(horizon, index[now])))
    innovation = np.array([bqx(index, window, end) - bqx(frozen, window, end)])
    move = signals.expected_move(innovation, window, horizon)
    # First order: the past moves, about 10 bp, enter as a factor.
    assert move[0] == pytest.approx(minutes * drift, rel=0.01)


def test_a_high_bqx_forecast_sells() -> None:
    move = signals.expected_move(np.array([0.01, -0.01, np.nan, 0.0]), 60, 30)
    np.testing.assert_array_equal(signals.side(move, np.zeros(4), np.zeros(4)), [-1, 1, 0, 0])


COST = st.floats(0, 0.005) | st.just(np.nan)


@given(st.lists(st.floats(-0.01, 0.01) | st.just(np.nan), min_size=1, max_size=40), COST, COST)
def test_holds_unless_the_move_beats_the_cost_of_its_side(
    moves: list[float], buy: float, sell: float
) -> None:
    move = np.array(moves)
    buys, sells = np.full(len(move), buy), np.full(len(move), sell)
    side = signals.side(move, buys, sells)
    assert side.dtype == np.int8
    for one, given_move in zip(side, moves, strict=True):
        expected = 1 if given_move > buy else -1 if -given_move > sell else 0
        assert one == expected
    np.testing.assert_array_equal(signals.side(-move, sells, buys), -side)


def walk(rows: int, first: int = 0) -> bars.Bars:
    minutes = sessions.grid(SUNDAY, SUNDAY + 21 * sessions.DAY)[first : first + rows]
    random = np.random.default_rng(3)
    sd = np.where(np.arange(rows) < rows // 2, 1e-4, 3e-4)
    close = 1.1 * np.exp(np.cumsum(random.normal(0, 1, rows) * sd))
    return bars.Bars("eurusd", pd.DataFrame({"close": close}, sessions.timestamps(minutes)), 1.1)


def test_volatility_is_the_annual_one_of_pandas() -> None:
    one = walk(3_000)
    returns = np.log(one.frame["close"]).diff()
    mean = (returns**2).ewm(span=60, min_periods=60).mean()
    expected = 100 * np.sqrt(252 * 1_440 * mean)
    found = signals.volatility(one)
    assert np.isnan(found[:60]).all()
    # The run-in starts from its oldest square, pandas weighs what there is.
    np.testing.assert_allclose(found[700:], expected.to_numpy()[700:], rtol=1e-6)


def test_the_weekend_gap_is_no_volatility() -> None:
    one = walk(1_000, first=sessions.WEEK - 500)
    calm = signals.volatility(one)[499:]
    one.frame.iloc[500:] *= 1.05
    np.testing.assert_allclose(signals.volatility(one)[499:], calm, rtol=1e-6)


def test_size_gives_the_target_volatility_up_to_the_largest() -> None:
    one = walk(4_000)
    size = signals.size(one, 6.0, 1.0)
    assert (size[:60] == 0).all()
    assert size.max() == 1.0
    below = (size > 0) & (size < 1.0)
    assert below.sum() > 1_000
    np.testing.assert_allclose(size[below] * signals.volatility(one)[below], 6.0)
    still = bars.Bars("eurusd", one.frame * 0 + 1.1, 1.1)
    np.testing.assert_array_equal(signals.size(still, 6.0, 1.0)[60:], 1.0)


def test_size_knows_nothing_of_later_rates() -> None:
    one = walk(2_000)
    whole = signals.size(one, 10.0, 5.0)
    np.testing.assert_array_equal(signals.size(one.rows(0, 1_500), 10.0, 5.0), whole[:1_500])


def test_a_late_entry_waits_for_the_minutes_that_the_forecast_speaks_of() -> None:
    for window in WINDOWS:
        for horizon in HORIZONS:
            wait = signals.delay(window, horizon, "late")
            assert horizon - wait == min(window, horizon)
            assert signals.delay(window, horizon, "next") == 0


def test_what_is_delayed_stays_in_its_week() -> None:
    minutes = sessions.grid(SUNDAY, SUNDAY + 14 * sessions.DAY)
    one = bars.Bars(
        "eurusd",
        pd.DataFrame(dict.fromkeys(bars.RATES, 1.1), index=sessions.timestamps(minutes)),
        1.1,
    ).rows(100, 2 * sessions.WEEK)
    series = np.arange(1.0, len(one) + 1)
    late = signals.delayed(series, one, 60, 0.0)
    turn = sessions.WEEK - 100  # the first row of the second week
    expected = np.concatenate((np.zeros(60), series[:-60]))
    expected[turn : turn + 60] = 0.0
    np.testing.assert_array_equal(late, expected)
    np.testing.assert_array_equal(signals.delayed(series, one, 0, 0.0), series)
