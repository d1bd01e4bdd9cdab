"""What is expected of the last row alone is what the backtest expects of it."""

import numpy as np
import pytest

from bqx.market import bars, sessions, simulated
from bqx.params import Params
from bqx.trading import costs, newest_signal, signals


@pytest.fixture(scope="module")
def market():
    frames = simulated.simulate("null", ("usdcad", "eurusd"), "2024-03-06", days=20, seed=3).frames
    return bars.align(frames)


def test_market_minutes_lead_back_to_minutes():
    grid = sessions.grid(28_000_000, 28_000_000 + 400 * sessions.DAY)
    np.testing.assert_array_equal(sessions.open_minutes(sessions.market_minutes(grid)), grid)


@pytest.mark.parametrize("pair", ["usdcad", "eurusd"])
@pytest.mark.parametrize("entry", ["late", "next"])
def test_costs_and_side_are_the_backtests(market, pair, entry):
    history, params = market[pair], Params(entry=entry, spread_multiple=1.5)
    priced = costs.make(history, params)
    rng = np.random.default_rng(0)
    sides = set()
    for horizon in (15, 75):
        buy, sell = priced.expected(horizon, signals.delay(15, horizon, entry))
        for row in rng.integers(700, len(history) - 100, 150).tolist():
            newest = newest_signal.Costs(history.rows(0, row + 1), params)
            expected = newest.expected(15, horizon)
            np.testing.assert_array_equal(expected, (buy[row], sell[row]))
            innovation = float(rng.normal(0, 2e-2))
            move = signals.expected_move(np.array([innovation]), 15, horizon)
            side = signals.side(move, buy[row : row + 1], sell[row : row + 1])[0]
            signal = newest.signal(
                window=15, horizon=horizon, innovation=innovation, half_width=1e-2
            )
            assert signal.side == newest_signal.NAMES[side]
            if side:
                assert signal.strength == min(abs(innovation) / 1e-2, 1.0)
            else:
                assert signal.strength == 0.0
            sides.add(signal.side)
    assert sides == {"BUY", "SELL", "HOLD"}


def test_without_a_known_cost_or_interval_nothing_is_claimed(market):
    history = market["eurusd"].rows(0, 900)
    known = newest_signal.Costs(history, Params())
    signal = known.signal(window=15, horizon=15, innovation=-1.0, half_width=np.nan)
    assert (signal.side, signal.strength) == ("BUY", None)
    frame = history.frame.copy()
    frame.iloc[-1:, :6] = np.nan
    unknown = newest_signal.Costs(bars.Bars("eurusd", frame, history.baseline), Params())
    signal = unknown.signal(window=15, horizon=15, innovation=-1.0, half_width=1.0)
    assert (signal.side, signal.cost) == ("HOLD", None)
