"""Signals: the sign and size of a price view, and when it is worth a trade."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bqx import bars, sessions, signals

WINDOWS = (15, 30, 45, 60, 75, 90)
HORIZONS = (15, 30, 45, 60, 75)


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
    np.testing.assert_array_equal(signals.signal(move, 0.0), [-1, 1, 0, 0])


@given(
    st.lists(st.floats(-0.01, 0.01) | st.just(np.nan), min_size=1, max_size=40),
    st.floats(0, 0.005) | st.just(np.nan),
)
def test_signal_holds_unless_the_move_beats_the_cost(moves: list[float], cost: float) -> None:
    move = np.array(moves)
    signal = signals.signal(move, np.full(len(move), cost))
    assert signal.dtype == np.int8
    for one, given_move in zip(signal, moves, strict=True):
        expected = 1 if given_move > cost else -1 if -given_move > cost else 0
        assert one == expected
    np.testing.assert_array_equal(signals.signal(-move, cost), -signal)


def test_momentum_is_the_sign_of_the_last_move() -> None:
    minutes = sessions.grid(28_400_000, 28_403_000)[:400]
    close = 1.1 + np.round(np.cumsum(np.random.default_rng(3).normal(0, 1e-4, 400)), 4)
    close[150:170] = np.nan
    frame = pd.DataFrame({"close": close}, index=sessions.timestamps(minutes))
    expected = np.sign(frame["close"] - frame["close"].shift(30)).fillna(0)
    found = signals.momentum(bars.Bars("eurusd", frame, 1.1), 30)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, expected)
    assert {-1, 0, 1} == set(found[30:].tolist())


def test_momentum_of_a_history_shorter_than_the_horizon_is_nothing() -> None:
    frame = pd.DataFrame(
        {"close": [1.0, 1.1]}, index=sessions.timestamps(sessions.grid(28_400_000, 28_403_000)[:2])
    )
    np.testing.assert_array_equal(signals.momentum(bars.Bars("eurusd", frame, 1.0), 15), [0, 0])


def test_hold_is_always_long() -> None:
    np.testing.assert_array_equal(signals.hold(3), np.array([1, 1, 1], dtype=np.int8))
