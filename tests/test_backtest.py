"""Profit and loss against a trade-by-trade loop, and what a signal without information earns."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx import backtest, bars, costs, market, sessions, signals
from bqx.errors import ParameterError

SUNDAY_OPEN = int(sessions.week_opens(28_400_000, 28_400_000)[0])


def make(first: int, rows: int, seed: int, missing: np.ndarray | None = None) -> bars.Bars:
    """Bars of a random walk from row ``first`` of a week on, without the missing rows."""
    random = np.random.default_rng(seed)
    minutes = sessions.grid(SUNDAY_OPEN, SUNDAY_OPEN + 21 * sessions.DAY)[first : first + rows]
    close = 1.1 * np.exp(np.cumsum(random.normal(0, 1e-4, rows)))
    opened = np.concatenate(([1.1], close[:-1])) * np.exp(random.normal(0, 2e-5, rows))
    frame = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 1.0,
            "spread": random.uniform(5e-5, 4e-4, rows),
        },
        index=sessions.timestamps(minutes),
    )
    kept = frame if missing is None else frame[~missing]
    grid = bars.to_grid(kept, int(minutes[0]), int(minutes[-1]))
    return bars.Bars("eurusd", grid, 1.1)


def brute(
    walk: bars.Bars, signal: np.ndarray, horizon: int, half_cost: np.ndarray
) -> tuple[list[dict[str, float]], np.ndarray, np.ndarray]:
    """Every trade on its own: its row, sign and profit; the position; the cost of its changes."""
    rows = len(walk)
    week = sessions.market_minutes(walk.minutes) // sessions.WEEK
    opened, close, spread = (walk.frame[name].to_numpy() for name in ("open", "close", "spread"))
    real = ~np.isnan(close) & ~walk.frame["filled"].to_numpy()

    def quote(row: int) -> int | None:
        return next((k for k in range(row, rows) if real[k]), None)

    def rate(row: int) -> float:
        at = quote(row)
        assert at is not None
        return float(opened[at] + spread[at] / 2)

    trades, position, cost = [], np.zeros(rows), np.zeros(rows)
    for t in range(rows):
        leave = t + 1 + horizon
        if signal[t] == 0 or leave >= rows or np.isnan(close[t : leave + 1]).any():
            continue
        last = quote(leave)
        if last is None or week[last] != week[t]:
            continue
        steps = [rate(row + 1) / rate(row) - 1 for row in range(t + 1, leave)]
        trades.append({"row": t, "sign": signal[t], "gross": signal[t] * sum(steps) / horizon})
        position[t : t + horizon] += signal[t] / horizon
    for t in range(rows):
        change = abs(position[t] - (position[t - 1] if t else 0.0))
        if change > 1e-12:
            at = quote(t + 1)
            assert at is not None
            cost[t] = change * half_cost[at]
    return trades, position, cost


@settings(deadline=None, max_examples=80)
@given(
    first=st.sampled_from([0, 500, 7_050, 7_120, 7_190]),
    rows=st.integers(1, 160),
    horizon=st.integers(1, 30),
    hole=st.tuples(st.integers(0, 100), st.sampled_from([0, 5, 16, 25])),
    gaps=st.floats(0, 0.3),
    activity=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_minutes_days_and_single_trades_add_up_to_the_same(
    first: int,
    rows: int,
    horizon: int,
    hole: tuple[int, int],
    gaps: float,
    activity: float,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    missing = random.random(rows) < gaps
    missing[hole[0] : sum(hole)] = True
    missing[random.integers(0, rows)] = False
    walk = make(first, rows, seed, missing)
    signal = (random.choice([-1, 1], rows) * (random.random(rows) < activity)).astype(np.int8)
    half_cost = costs.half_cost(walk)
    found = backtest.run(walk, signal, horizon, half_cost)
    trades, position, cost = brute(walk, signal, horizon, half_cost)

    np.testing.assert_allclose(found.position, position, atol=1e-12)
    np.testing.assert_allclose(found.cost, cost, atol=1e-15)
    assert found.gross.sum() == pytest.approx(sum(one["gross"] for one in trades), abs=1e-14)
    entered = np.zeros(rows)
    for one in trades:
        entered[int(one["row"])] = one["sign"]
    np.testing.assert_array_equal(found.entered, entered)

    daily = found.daily()
    for name in ("gross", "cost", "net", "turnover"):
        assert daily[name].sum() == pytest.approx(getattr(found, name).sum(), rel=1e-9, abs=1e-14)
    assert daily["trades"].sum() == len(trades)
    np.testing.assert_allclose(daily["net"], daily["gross"] - daily["cost"], atol=1e-15)
    real = walk.frame["close"].notna() & ~walk.frame["filled"]
    np.testing.assert_array_equal(
        daily["day"], np.unique(sessions.trading_days(walk.minutes)[real.to_numpy()])
    )
    assert found.position[-1] == 0.0
    last = sessions.minutes_to_close(walk.minutes) == 0
    np.testing.assert_array_equal(found.position[last], 0.0)


def test_one_trade_buys_at_the_ask_and_sells_at_the_bid() -> None:
    walk = make(100, 60, seed=1)
    signal = np.zeros(60, np.int8)
    signal[20] = 1
    found = backtest.run(walk, signal, 1, costs.half_cost(walk))
    bid, spread = walk.frame["open"], walk.frame["spread"]
    ask_in, bid_out = bid.iloc[21] + spread.iloc[21], bid.iloc[22]
    assert np.flatnonzero(found.gross).tolist() == [20]
    assert np.flatnonzero(found.cost).tolist() == [20, 21]
    assert found.turnover.sum() == 2.0
    # The cost is a share of the close's mid, the trade is struck at the open's.
    assert found.net.sum() == pytest.approx((bid_out - ask_in) / ask_in, abs=2e-7)


def test_a_signal_that_takes_over_from_another_trades_nothing() -> None:
    walk = make(100, 200, seed=2)
    held = backtest.run(walk, signals.hold(200), 15, costs.half_cost(walk))
    assert held.position.max() == 1.0
    assert held.turnover.sum() == pytest.approx(2.0)
    np.testing.assert_allclose(held.position[14 : 200 - 17], 1.0)
    np.testing.assert_array_equal(held.cost[15 : 200 - 17], 0.0)


def test_orders_in_a_hole_wait_for_the_next_bar() -> None:
    missing = np.zeros(60, bool)
    missing[21:26] = True
    walk = make(100, 60, seed=3, missing=missing)
    signal = np.zeros(60, np.int8)
    signal[20] = -1
    half_cost = costs.half_cost(walk)
    found = backtest.run(walk, signal, 10, half_cost)
    mid = walk.frame["open"] + walk.frame["spread"] / 2
    assert found.cost[20] == pytest.approx(0.1 * half_cost[26])
    steps = mid.iloc[27:32].to_numpy() / mid.iloc[26:31].to_numpy() - 1
    assert found.gross.sum() == pytest.approx(-0.1 * steps.sum())
    assert not found.quoted[21:26].any()


def test_no_trade_spans_a_long_hole() -> None:
    missing = np.zeros(90, bool)
    missing[40:60] = True
    walk = make(100, 90, seed=7, missing=missing)
    found = backtest.run(walk, signals.hold(90), 10, costs.half_cost(walk))
    # The exit of the last entry before the hole is at row 39, of the last of all at row 89.
    np.testing.assert_array_equal(np.flatnonzero(found.entered), [*range(29), *range(60, 79)])
    np.testing.assert_array_equal(found.position[38:60], 0.0)
    assert np.isfinite(found.net).all()


def test_no_exit_waits_over_the_weekend() -> None:
    rows, close = 100, 7_200 - 7_150
    missing = np.zeros(rows, bool)
    missing[close - 5 : close + 4] = True
    walk = make(7_150, rows, seed=8, missing=missing)
    found = backtest.run(walk, signals.hold(rows), 10, costs.half_cost(walk))
    assert walk.frame["filled"].sum() == 9
    # The last bar before the weekend is row 44, so the last entry is ten minutes and one earlier.
    last = close - 6 - 11
    np.testing.assert_array_equal(
        np.flatnonzero(found.entered), [*range(last + 1), *range(close, rows - 11)]
    )


def test_the_past_does_not_depend_on_later_rates() -> None:
    walk = make(2_000, 400, seed=4)
    signal = np.random.default_rng(4).integers(-1, 2, 400).astype(np.int8)
    before = backtest.run(walk, signal, 15, costs.half_cost(walk))
    rates = [*bars.RATES, "spread"]
    walk.frame.iloc[200:, [walk.frame.columns.get_loc(name) for name in rates]] *= 1.5
    after = backtest.run(walk, signal, 15, costs.half_cost(walk))
    np.testing.assert_array_equal(after.position, before.position)
    np.testing.assert_array_equal(after.gross[:198], before.gross[:198])
    np.testing.assert_array_equal(after.cost[:199], before.cost[:199])
    assert (after.gross[198:202] != before.gross[198:202]).any()


@pytest.fixture(scope="module")
def null_bars() -> bars.Bars:
    return bars.align(market.simulate("null", pairs=("eurusd",), days=364).frames)["eurusd"]


def test_a_signal_without_information_loses_its_cost(null_bars: bars.Bars) -> None:
    """Within 1 % of the cost, at the spread and at twice the spread."""
    random = np.random.default_rng(5)
    signal = random.choice([-1, 1], len(null_bars)).astype(np.int8)
    once = backtest.run(null_bars, signal, 1, costs.half_cost(null_bars))
    twice = backtest.run(null_bars, signal, 1, costs.half_cost(null_bars, 2.0))
    assert once.net.sum() == pytest.approx(-once.cost.sum(), rel=0.01)
    np.testing.assert_array_equal(twice.gross, once.gross)
    np.testing.assert_allclose(twice.cost, 2 * once.cost)


@pytest.mark.parametrize("horizon", [15, 30, 75])
def test_momentum_on_a_martingale_earns_nothing_before_costs(
    null_bars: bars.Bars, horizon: int
) -> None:
    found = backtest.run(
        null_bars, signals.momentum(null_bars, horizon), horizon, costs.half_cost(null_bars)
    ).daily()
    error = found["gross"].std() * len(found) ** 0.5
    assert abs(found["gross"].sum()) < 3 * error
    assert found["net"].sum() < 0


def test_a_signal_and_its_opposite_lose_both_costs(null_bars: bars.Bars) -> None:
    signal = signals.momentum(null_bars, 30)
    half_cost = costs.half_cost(null_bars)
    one, other = (backtest.run(null_bars, side, 30, half_cost) for side in (signal, -signal))
    np.testing.assert_array_equal(one.gross, -other.gross)
    np.testing.assert_array_equal(one.cost, other.cost)


def test_the_planted_drift_is_earned() -> None:
    """A position on the known drift earns what the drift says, within the noise."""
    planted = market.simulate("planted", pairs=("eurusd",), days=60)
    assert planted.planted is not None
    walk = bars.align(planted.frames)["eurusd"]
    drift = planted.planted["eurusd"].reindex(walk.ts).to_numpy()
    signal = np.sign(drift).astype(np.int8)
    found = backtest.run(walk, signal, 1, costs.half_cost(walk))
    # The drift at t is that of minute t+1, and the position is held from its open to its end.
    expected = np.abs(drift[found.entered != 0]).sum()
    error = found.daily()["gross"].std() * 60**0.5
    assert found.gross.sum() == pytest.approx(expected, abs=3 * error)
    assert expected > 3 * error


@pytest.mark.parametrize("name", ["signal", "half_cost"])
def test_series_of_other_rows_are_refused(name: str) -> None:
    walk = make(0, 50, seed=6)
    signal, half_cost = signals.hold(50), costs.half_cost(walk)
    if name == "signal":
        signal = signal[:-1]
    else:
        half_cost = half_cost[:-1]
    with pytest.raises(ParameterError, match=f"{name} does not belong to the bars, got 49 rows"):
        backtest.run(walk, signal, 15, half_cost)
