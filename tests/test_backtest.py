"""Profit and loss against a trade-by-trade loop, and what a signal without information earns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import DATA

from bqx.errors import ParameterError
from bqx.market import bars, sessions, simulated
from bqx.params import Params
from bqx.trading import backtest, costs, signals
from bqx.trading.costs import Costs
from bqx.trading.rollover import Night

SUNDAY_OPEN = int(sessions.week_opens(28_452_000, 28_452_000)[0])
PARAMS = Params(slippage=0.2, commission=0.1)


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


def brute(walk: bars.Bars, signal: np.ndarray, horizon: int, paid: Costs) -> dict[str, np.ndarray]:
    """Every trade on its own, then what their sum holds and trades in each minute."""
    rows = len(walk)
    week = sessions.market_minutes(walk.minutes) // sessions.WEEK
    close = walk.frame["close"].to_numpy()
    real = ~np.isnan(close) & ~walk.frame["filled"].to_numpy()
    mid = walk.frame["open"].to_numpy() + walk.frame["spread"].to_numpy() / 2
    names = ("entered", "units", "gross", "spread", "slippage", "commission", "rollover")
    out = {name: np.zeros(rows) for name in names}

    def quote(row: int) -> int | None:
        return next((k for k in range(row, rows) if real[k]), None)

    profit = 0.0
    for t in range(rows):
        leave = t + 1 + horizon
        if signal[t] == 0 or leave >= rows or np.isnan(close[t : leave + 1]).any():
            continue
        last = quote(leave)
        if last is None or week[last] != week[t]:
            continue
        first = quote(t + 1)
        assert first is not None
        out["entered"][t] = signal[t]
        out["units"][first:last] += signal[t] / horizon / mid[first]
        profit += signal[t] / horizon * (mid[last] / mid[first] - 1)
    before, rate = 0.0, 0.0
    for t in range(rows):
        # Nights count for what was held in the minute before.
        if paid.nights[t] and abs(before) > 1e-12:
            night = paid.night.long if before > 0 else paid.night.short
            out["rollover"][t] = abs(before) * rate * paid.nights[t] * night
        if real[t]:
            rate = mid[t]
        change = abs(out["units"][t] - before) * rate
        if change > 1e-12:
            assert real[t]
            out["spread"][t] = change * paid.half_spread[t]
            out["slippage"][t] = change * paid.slippage[t]
            out["commission"][t] = change * paid.commission
        before = out["units"][t]
        ahead = quote(t + 1)
        if abs(before) > 1e-12 and ahead == t + 1:
            out["gross"][t] = before * (mid[ahead] - rate)
    return out | {"profit": np.array(profit)}


@settings(max_examples=80)
@given(
    first=st.sampled_from([0, 500, 1_380, 4_260, 7_050, 7_120, 7_190]),
    rows=st.integers(1, 160),
    horizon=st.integers(1, 30),
    hole=st.tuples(st.integers(0, 100), st.sampled_from([0, 5, 16, 25])),
    gaps=st.floats(0, 0.3),
    activity=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_trades_minutes_and_days_add_up_to_the_same(
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
    size = random.choice([-1.0, 1.0, 0.3, -1.7], rows)
    signal = size * (random.random(rows) < activity)
    paid = costs.make(walk, PARAMS)
    found = backtest.run(walk, signal, horizon, costs=paid)
    expected = brute(walk, signal, horizon, paid)

    for name in ("gross", "spread", "slippage", "commission", "rollover"):
        np.testing.assert_allclose(getattr(found, name), expected[name], atol=1e-15, err_msg=name)
    np.testing.assert_array_equal(found.entered, expected["entered"])
    # What is held while a bar is awaited is carried at the last rate.
    rate = np.where(found.quoted, paid.mid, np.nan)
    carried = pd.Series(rate).ffill().fillna(0.0).to_numpy()
    np.testing.assert_allclose(found.position, expected["units"] * carried, atol=1e-12)

    assert found.gross.sum() == pytest.approx(float(expected["profit"]), abs=1e-14)
    trades = np.nansum(found.entered * found.move) / horizon
    assert found.gross.sum() == pytest.approx(trades, abs=1e-14)
    np.testing.assert_allclose(
        found.net,
        found.gross - found.spread - found.slippage - found.commission + found.rollover,
        atol=1e-16,
    )
    daily = found.daily()
    for name in backtest.SUMMED:
        assert daily[name].sum() == pytest.approx(getattr(found, name).sum(), rel=1e-9, abs=1e-14)
    equity = daily["net"].cumsum().to_numpy()
    if len(equity):
        assert equity[-1] == pytest.approx(found.net.sum(), abs=1e-14)
    assert daily["trades"].sum() == np.count_nonzero(found.entered)
    np.testing.assert_array_equal(
        daily["day"], np.unique(sessions.trading_days(walk.minutes)[found.quoted])
    )
    assert found.position[-1] == 0.0
    last = sessions.minutes_to_close(walk.minutes) == 0
    np.testing.assert_array_equal(found.position[last], 0.0)


def test_labels_share_out_the_whole_account() -> None:
    walk = make(100, 300, seed=10)
    signal = np.random.default_rng(10).choice([-1.0, 0.0, 1.0], 300)
    found = backtest.run(walk, signal, 15, costs=costs.make(walk, PARAMS))
    labels = np.where(np.arange(300) % 7 < 3, "calm", "wild")
    by = found.by(labels)
    assert by.index.tolist() == ["calm", "wild"]
    for name in backtest.SUMMED:
        expected = getattr(found, name)
        assert by.loc["calm", name] == pytest.approx(expected[labels == "calm"].sum(), abs=1e-12)
        assert by[name].sum() == pytest.approx(expected.sum(), abs=1e-12)
    assert by["trades"].sum() == np.count_nonzero(found.entered)
    labels[labels == "wild"] = ""
    pd.testing.assert_frame_equal(found.by(labels), by.loc[["calm"]])


def test_one_trade_buys_at_the_ask_and_sells_at_the_bid() -> None:
    walk = make(100, 60, seed=1)
    signal = np.zeros(60)
    signal[20] = 1
    found = backtest.run(walk, signal, 1, costs=costs.make(walk, Params(slippage=0)))
    bid, spread = walk.frame["open"], walk.frame["spread"]
    ask_in, bid_out = bid.iloc[21] + spread.iloc[21], bid.iloc[22]
    assert np.flatnonzero(found.gross).tolist() == [21]
    assert np.flatnonzero(found.cost).tolist() == [21, 22]
    mid_in = bid.iloc[21] + spread.iloc[21] / 2
    assert found.net.sum() == pytest.approx((bid_out - ask_in) / mid_in, abs=1e-15)
    assert found.accuracy == (found.move[20] > 0)


def test_hand_made_account() -> None:
    """Two horizons' worth of one rate, up a cent, with a triple night between."""
    wednesday = 3 * sessions.DAY - 3
    flat = make(wednesday, 8, seed=0)
    flat.frame[["open", "high", "low", "close"]] = 1.0
    flat.frame.iloc[4:, :4] = 1.01
    flat.frame["spread"] = 0.0
    paid = replace(
        costs.make(flat, PARAMS), half_spread=np.full(8, 1e-4), slippage=np.full(8, 2e-5),
        commission=1e-5, night=Night(-7.5e-5, 2.5e-5),
    )  # fmt: skip
    found = backtest.run(flat, np.array([0, 2.0, 0, 0, 0, 0, 0, 0]), 3, costs=paid)
    np.testing.assert_allclose(found.position, [0, 0, 2 / 3, 2 / 3, 2.02 / 3, 0, 0, 0])
    np.testing.assert_allclose(found.gross, [0, 0, 0, 0.02 / 3, 0, 0, 0, 0])
    np.testing.assert_allclose(found.turnover, [0, 0, 2 / 3, 0, 0, 2.02 / 3, 0, 0])
    np.testing.assert_allclose(found.spread, 1e-4 * found.turnover)
    np.testing.assert_allclose(found.slippage, 2e-5 * found.turnover)
    np.testing.assert_allclose(found.commission, 1e-5 * found.turnover)
    np.testing.assert_allclose(found.rollover, [0, 0, 0, -3e-4 * 2 / 3, 0, 0, 0, 0])
    wed, thu = found.daily().to_dict("records")
    assert thu["day"] == wed["day"] + 1
    # 17:00 is row 3, and its minute ends at the open at which the rate has risen.
    assert (wed["gross"], thu["gross"]) == (0.0, pytest.approx(0.02 / 3))
    assert thu["rollover"] == pytest.approx(-2e-4)


def test_a_signal_that_takes_over_from_another_trades_only_what_the_rate_moved() -> None:
    walk = make(100, 200, seed=2)
    held = backtest.run(walk, np.ones(200), 15, costs=costs.make(walk, PARAMS))
    np.testing.assert_allclose(held.position[15 : 200 - 16], 1.0, atol=1e-3)
    assert held.turnover[1:16].sum() == pytest.approx(1.0)
    assert held.turnover[16 : 200 - 16].max() < 2e-3 / 15


def test_orders_in_a_hole_wait_for_the_next_bar() -> None:
    missing = np.zeros(60, bool)
    missing[21:26] = True
    walk = make(100, 60, seed=3, missing=missing)
    signal = np.zeros(60)
    signal[20] = -1
    paid = costs.make(walk, PARAMS)
    found = backtest.run(walk, signal, 10, costs=paid)
    assert np.flatnonzero(found.turnover).tolist() == [26, 31]
    assert found.cost[26] == pytest.approx(0.1 * paid.fill[26])
    assert found.gross.sum() == pytest.approx(-0.1 * (paid.mid[31] / paid.mid[26] - 1))
    assert not found.quoted[21:26].any()
    np.testing.assert_array_equal(found.position[:26], 0.0)


def test_an_exit_that_waits_past_five_pays_for_the_night() -> None:
    missing = np.zeros(60, bool)
    missing[25:33] = True  # 17:00 is row 30
    walk = make(sessions.DAY - 30, 60, seed=4, missing=missing)
    signal = np.zeros(60)
    signal[16] = 1  # leaves at row 27, filled at 33
    paid = costs.make(walk, PARAMS)
    found = backtest.run(walk, signal, 10, costs=paid)
    assert paid.nights[30] == 1
    held = found.position[29]
    assert held > 0.09
    assert found.rollover[30] == pytest.approx(held * paid.night.long)
    assert np.count_nonzero(found.rollover) == 1


@pytest.mark.parametrize(("row", "rolled"), [(18, False), (19, True), (28, True), (29, False)])
def test_only_what_was_held_into_five_rolls(row: int, rolled: bool) -> None:
    walk = make(sessions.DAY - 30, 60, seed=5)
    signal = np.zeros(60)
    signal[row] = -2.0  # in at row + 1, out at row + 11; 17:00 is row 30
    found = backtest.run(walk, signal, 10, costs=costs.make(walk, PARAMS))
    assert bool(found.rollover.any()) == rolled
    if rolled:
        assert np.flatnonzero(found.rollover).tolist() == [30]


@pytest.mark.parametrize("start", ["2024-03-03", "2024-03-10", "2024-10-27", "2024-11-03"])
def test_a_week_of_buying_and_one_of_selling_lose_the_markup_through_clock_changes(
    start: str,
) -> None:
    first = int(np.datetime64(start, "D").astype(np.int64)) * sessions.DAY
    minutes = sessions.grid(first, first + 8 * sessions.DAY)[: sessions.WEEK]
    frame = pd.DataFrame(
        dict.fromkeys(bars.RATES, 1.0) | {"volume": 1.0, "spread": 0.0, "filled": False},
        index=sessions.timestamps(minutes),
    )
    walk = bars.Bars("eurusd", frame, 1.0)
    free = Params(slippage=0, markup=2.0)
    paid = costs.make(walk, free)
    ones = np.ones(len(walk))
    long, short = (backtest.run(walk, side, 15, costs=paid) for side in (ones, -ones))
    # Friday's night falls into the weekend, over which nothing is held.
    held = paid.nights[1:].sum()
    assert 5 <= held <= 7
    assert long.rollover.sum() == pytest.approx(held * paid.night.long)
    assert long.carry.sum() == pytest.approx(held * paid.night.carry)
    assert long.carry.sum() == pytest.approx(-short.carry.sum())
    assert long.markup.sum() == pytest.approx(held * 0.01 / 365)
    assert (long.net + short.net).sum() == pytest.approx(-held * 0.02 / 365)
    nothing = backtest.run(walk, 0 * ones, 15, costs=paid)
    np.testing.assert_array_equal(nothing.rollover, 0.0)


def test_no_trade_spans_a_long_hole() -> None:
    missing = np.zeros(90, bool)
    missing[40:60] = True
    walk = make(100, 90, seed=7, missing=missing)
    found = backtest.run(walk, np.ones(90), 10, costs=costs.make(walk, PARAMS))
    # The exit of the last entry before the hole is at row 39, of the last of all at row 89.
    np.testing.assert_array_equal(np.flatnonzero(found.entered), [*range(29), *range(60, 79)])
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(found.move)),
                                  np.flatnonzero(found.entered))  # fmt: skip
    np.testing.assert_array_equal(found.position[39:61], 0.0)
    assert np.isfinite(found.net).all()


def test_no_exit_waits_over_the_weekend() -> None:
    rows, close = 100, 7_200 - 7_150
    missing = np.zeros(rows, bool)
    missing[close - 5 : close + 4] = True
    walk = make(7_150, rows, seed=8, missing=missing)
    found = backtest.run(walk, np.ones(rows), 10, costs=costs.make(walk, PARAMS))
    assert walk.frame["filled"].sum() == 9
    # The last bar before the weekend is row 44, so the last entry is ten minutes and one earlier.
    last = close - 6 - 11
    np.testing.assert_array_equal(
        np.flatnonzero(found.entered), [*range(last + 1), *range(close, rows - 11)]
    )


def test_the_past_does_not_depend_on_later_rates() -> None:
    walk = make(2_000, 400, seed=4)
    signal = np.random.default_rng(4).integers(-1, 2, 400).astype(float)
    before = backtest.run(walk, signal, 15, costs=costs.make(walk, PARAMS))
    rates = [*bars.RATES, "spread"]
    walk.frame.iloc[200:, [walk.frame.columns.get_loc(name) for name in rates]] *= 1.5
    after = backtest.run(walk, signal, 15, costs=costs.make(walk, PARAMS))
    np.testing.assert_array_equal(after.position[:200], before.position[:200])
    # The minute of row 199 ends at the open of row 200.
    np.testing.assert_array_equal(after.gross[:199], before.gross[:199])
    np.testing.assert_array_equal(after.cost[:200], before.cost[:200])
    assert (after.gross[199:201] != before.gross[199:201]).any()


@pytest.fixture(scope="module")
def null_bars() -> bars.Bars:
    return bars.align(simulated.simulate("null", pairs=("eurusd",), days=364).frames)["eurusd"]


def test_a_zero_signal_loses_exactly_nothing(null_bars: bars.Bars) -> None:
    paid = costs.make(null_bars, PARAMS)
    for nothing in (0.0, np.nan):
        found = backtest.run(null_bars, np.full(len(null_bars), nothing), 15, costs=paid)
        for name in backtest.SUMMED:
            assert not getattr(found, name).any()
        assert found.accuracy is found.break_even is None
        assert len(found.daily()) == 260


def test_a_random_signal_of_constant_turnover_loses_its_cost(null_bars: bars.Bars) -> None:
    """Within 1 %, at the spread and at twice the spread."""
    once, twice = (
        costs.make(null_bars, Params(commission=0.1, spread_multiple=by)) for by in (1.0, 2.0)
    )
    # An entry every other minute that leaves before the next: a turnover of 2 each time.
    signal = np.zeros(len(null_bars))
    signal[::2] = np.random.default_rng(5).choice([-1.0, 1.0], len(signal[::2]))
    cheap, dear = (backtest.run(null_bars, signal, 1, costs=paid) for paid in (once, twice))
    rows, fill = np.flatnonzero(cheap.entered), once.fill
    assert cheap.net.sum() == pytest.approx(-(fill[rows + 1] + fill[rows + 2]).sum(), rel=0.01)
    assert dear.net.sum() == pytest.approx(-dear.cost.sum(), rel=0.01)
    np.testing.assert_array_equal(dear.gross, cheap.gross)
    np.testing.assert_allclose(dear.spread, 2 * cheap.spread)
    np.testing.assert_array_equal(dear.slippage, cheap.slippage)


def test_long_plus_short_lose_twice_the_cost(null_bars: bars.Bars) -> None:
    signal = np.random.default_rng(6).choice([-1.5, 0.0, 0.5], len(null_bars))
    paid = costs.make(null_bars, PARAMS)
    one, other = (backtest.run(null_bars, side, 30, costs=paid) for side in (signal, -signal))
    np.testing.assert_array_equal(one.gross, -other.gross)
    fills = one.spread + one.slippage + one.commission
    np.testing.assert_array_equal(fills, other.spread + other.slippage + other.commission)
    markup = one.rollover + other.rollover
    held = np.abs(one.position[np.flatnonzero(one.rollover) - 1])
    nights = paid.nights[np.flatnonzero(one.rollover)]
    assert markup.sum() == pytest.approx(-(held * nights).sum() * 0.01 / 365, rel=1e-3)
    assert (one.net + other.net).sum() == pytest.approx(-2 * fills.sum() + markup.sum())


def test_the_planted_drift_is_earned() -> None:
    """A position on the known drift earns what the drift says, within the noise."""
    planted = simulated.simulate("strong", pairs=("eurusd",), days=60)
    assert planted.planted is not None
    walk = bars.align(planted.frames)["eurusd"]
    drift = planted.planted["eurusd"].reindex(walk.ts).to_numpy()
    found = backtest.run(walk, np.sign(drift), 1, costs=costs.make(walk, PARAMS))
    # The drift at t is that of minute t+1, and the position is held from its open to its end.
    expected = np.abs(drift[found.entered != 0]).sum()
    error = found.daily()["gross"].std() * 60**0.5
    assert found.gross.sum() == pytest.approx(expected, abs=3 * error)
    assert expected > 3 * error


def test_break_even_is_the_accuracy_that_earns_the_cost() -> None:
    """Of trades with one absolute move, the share that must be right."""
    walk = make(100, 400, seed=9)
    steps = np.cumsum(np.random.default_rng(9).choice([-1e-3, 1e-3], 400))
    walk.frame[list(bars.RATES)] = np.tile(np.exp(steps)[:, None], 4)
    walk.frame["spread"] = 0.0
    paid = replace(costs.make(walk, Params(slippage=0)), half_spread=np.full(400, 1e-4))
    signal = np.zeros(400)
    signal[::2] = 1.0
    found = backtest.run(walk, signal, 1, costs=paid)
    assert found.break_even == pytest.approx(0.5 + 2e-4 / 2e-3, rel=1e-3)
    won = found.move[found.entered != 0] > 0
    assert found.accuracy == won.mean()
    assert (found.net.sum() > 0) == (found.accuracy > found.break_even)


@pytest.mark.parametrize("path", sorted((DATA / "m1").glob("*.parquet")), ids=lambda p: p.stem)
def test_real_bars_cost_what_they_cost(path: Path) -> None:
    frame = bars.validate(pd.read_parquet(path).set_index("ts_utc"), path.name)
    walk = bars.Bars(path.stem, bars.to_grid(frame), bars.baseline(frame))
    paid = costs.make(walk, Params(markup=30.0, interest=dict.fromkeys(Params().interest, 1.0)))
    random = np.random.default_rng(0)
    signal = np.repeat(random.normal(size=len(walk) // 40 + 1), 40)[: len(walk)]
    found = backtest.run(walk, signal, 45, costs=paid)
    daily = found.daily()
    assert (found.net <= found.gross + 1e-18).all()
    assert (daily["net"] < daily["gross"]).all()
    assert abs(daily["net"].sum() - found.net.sum()) < 1e-12
    assert found.gross.sum() == pytest.approx(np.nansum(found.entered * found.move) / 45, abs=1e-10)
    mid, week = paid.mid, sessions.market_minutes(walk.minutes) // sessions.WEEK
    for row in random.choice(np.flatnonzero(found.entered), 200):
        first, last = (row + k + np.argmax(found.quoted[row + k :]) for k in (1, 46))
        assert week[last] == week[row]
        assert found.move[row] == pytest.approx(mid[last] / mid[first] - 1, abs=1e-15)


@pytest.mark.parametrize("name", ["signal", "costs"])
def test_series_of_other_rows_are_refused(name: str) -> None:
    walk = make(0, 50, seed=6)
    signal, paid = np.ones(50), costs.make(walk, PARAMS)
    if name == "signal":
        signal = signal[:-1]
    else:
        paid = paid.rows(0, 49)
    with pytest.raises(ParameterError, match=f"{name} does not belong to the bars, got 49 rows"):
        backtest.run(walk, signal, 15, costs=paid)


def test_a_late_entry_is_the_move_of_the_minutes_that_the_forecast_speaks_of() -> None:
    """By loops: entered at t + 1 + h - w and left at t + 1 + h, a w-th of the size each."""
    walk, window, horizon = make(100, 400, seed=30), 15, 75
    signal = np.random.default_rng(30).choice([-1.0, 0.0, 0.5], 400)
    paid = costs.make(walk, PARAMS)
    wait = signals.delay(window, horizon, "late")
    late = signals.delayed(signal, walk, wait, 0.0)
    found = backtest.run(walk, late, horizon - wait, costs=paid)
    profit = 0.0
    for t, size in enumerate(signal):
        if size and t + 1 + horizon < 400:
            entry, leave = paid.mid[t + 1 + horizon - window], paid.mid[t + 1 + horizon]
            profit += size / window * (leave / entry - 1.0)
    assert found.gross.sum() == pytest.approx(profit, abs=1e-14)
    # It is held a fifth of the minutes that an entry at once is.
    once = np.zeros(400)
    once[50] = 1.0
    for delayed, minutes in ((60, 15), (0, 75)):
        one = backtest.run(
            walk, signals.delayed(once, walk, delayed, 0.0), minutes, costs=paid
        ).position
        assert np.flatnonzero(one).tolist() == list(range(51 + delayed, 51 + delayed + minutes))
