"""Spreads and the cost of a fill against the wall clock, minute by minute."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from bqx.errors import ParameterError
from bqx.market import bars, pairs, sessions, simulated
from bqx.params import Params
from bqx.trading import costs

# Weeks of winter, summer and the two in which only one of New York and London has changed.
WEEKS = ("2024-01-07", "2024-07-14", "2024-03-17", "2024-10-27")


def week(start: str) -> np.ndarray:
    first = int(np.datetime64(start, "D").astype(np.int64)) * sessions.DAY
    return sessions.grid(first, first + 7 * sessions.DAY)[: sessions.WEEK]


def flat_bars(pair: str, minutes: np.ndarray, rate: float, spread: float) -> bars.Bars:
    frame = pd.DataFrame(
        dict.fromkeys(bars.RATES, rate) | {"volume": 1.0, "spread": spread, "filled": False},
        index=sessions.timestamps(minutes),
    )
    return bars.Bars(pair, frame, rate)


@pytest.mark.parametrize("start", WEEKS)
def test_profile_follows_the_wall_clocks(start: str) -> None:
    minutes = week(start)[::7]
    shape = costs.profile(minutes)
    for minute, value in zip(sessions.timestamps(minutes), shape, strict=True):
        local = minute.tz_convert(ZoneInfo("America/New_York"))
        london = minute.tz_convert(ZoneInfo("Europe/London"))
        tight = (8 <= local.hour < 17 and local.weekday() < 5) or (
            8 <= london.hour < 17 and london.weekday() < 5
        )
        expected = costs.ACTIVE if tight else costs.QUIET
        assert value == (costs.ROLLOVER if local.hour == 17 else expected), minute


@pytest.mark.parametrize("start", WEEKS)
def test_profile_averages_one(start: str) -> None:
    assert costs.profile(week(start)).mean() == pytest.approx(1.0, abs=0.04)


def test_profile_of_a_slice_is_the_slice_of_the_profile() -> None:
    minutes = week("2024-01-07")
    whole = costs.profile(minutes)
    for first, last in ((0, 1), (59, 61), (1_234, 4_321), (7_199, 7_200)):
        np.testing.assert_array_equal(costs.profile(minutes[first:last]), whole[first:last])


def test_every_pair_has_an_average_spread_and_yen_pairs_count_in_hundredths() -> None:
    averages = {pair: costs.average_spread(pair) for pair in pairs.PAIRS}
    assert averages["eurusd"] == pytest.approx(0.00013)
    assert averages["usdjpy"] == pytest.approx(0.013)
    assert min(averages, key=lambda pair: averages[pair] / pairs.pip(pair)) in ("eurusd", "usdjpy")
    assert max(averages, key=lambda pair: averages[pair] / pairs.pip(pair)) == "gbpnzd"
    with pytest.raises(ParameterError, match="unknown pair"):
        costs.average_spread("usdeur")


def test_own_spread_is_charged_as_it_is() -> None:
    own = simulated.simulate("null", pairs=("eurusd",), days=8).frames["eurusd"]
    aligned = bars.align({"eurusd": own})["eurusd"]
    given = aligned.frame["spread"].to_numpy()
    assert not np.isnan(given).any()
    np.testing.assert_array_equal(costs.spread(aligned), given)


def test_table_fills_only_the_rows_without_a_spread() -> None:
    minutes = week("2024-01-07")[:300]
    lacking = flat_bars("gbpusd", minutes, 1.25, 0.0002)
    lacking.frame.iloc[100:200, lacking.frame.columns.get_loc("spread")] = np.nan
    spread = costs.spread(lacking)
    np.testing.assert_array_equal(spread[:100], 0.0002)
    np.testing.assert_array_equal(spread[200:], 0.0002)
    np.testing.assert_allclose(spread[100:200], 1.5e-4 * costs.profile(minutes[100:200]))


def series(made: costs.Costs) -> dict[str, np.ndarray]:
    return {name: value for name, value in vars(made).items() if isinstance(value, np.ndarray)}


def test_buying_pays_the_ask_and_selling_gets_the_bid() -> None:
    dear = flat_bars("usdjpy", week("2024-01-07")[:10], 150.0, 0.03)
    made = costs.make(dear, Params())
    np.testing.assert_allclose(made.mid, 150.015)
    np.testing.assert_allclose(made.mid * (1 + made.half_spread), 150.03)
    np.testing.assert_allclose(made.mid * (1 - made.half_spread), 150.0)


def test_every_part_has_its_unit() -> None:
    yen = flat_bars("usdjpy", week("2024-01-07")[:10], 149.985, 0.03)
    made = costs.make(yen, Params(slippage=0.3, commission=0.35))
    np.testing.assert_allclose(made.slippage, 0.003 / 150.0)
    assert made.commission == pytest.approx(35e-6)  # 35 a million
    np.testing.assert_allclose(made.fill, 0.015 / 150 + 0.003 / 150 + 35e-6)


def test_multiple_scales_the_spread_alone_and_nan_rows_have_none() -> None:
    tight = flat_bars("eurusd", week("2024-07-14")[:100], 1.1, np.nan)
    tight.frame.loc[tight.ts[40:50], list(bars.RATES)] = np.nan
    once, twice = (costs.make(tight, Params(spread_multiple=by)) for by in (1.0, 2.0))
    np.testing.assert_array_equal(twice.half_spread, 2 * once.half_spread)
    np.testing.assert_array_equal(twice.mid, once.mid)
    np.testing.assert_array_equal(twice.slippage, once.slippage)
    lost = (np.arange(100) >= 40) & (np.arange(100) < 50)
    np.testing.assert_array_equal(np.isnan(once.fill), lost)
    assert (once.half_spread[~lost] > 0).all()


def test_rows_cut_every_series() -> None:
    made = costs.make(flat_bars("eurusd", week("2024-01-07")[:100], 1.1, 1e-4), Params())
    cut = made.rows(20, 50)
    for name, whole in series(made).items():
        np.testing.assert_array_equal(series(cut)[name], whole[20:50])
    assert (cut.commission, cut.night) == (made.commission, made.night)


def test_the_expected_cost_is_the_one_that_the_table_then_charges() -> None:
    """A week of a pair without an own spread and with one rate: all that comes is known."""
    params = Params(slippage=0.2, commission=0.1)
    flat = flat_bars("audjpy", week("2024-01-07"), 97.0, np.nan)
    made = costs.make(flat, params)
    for horizon in (15, 75):
        buy, sell = made.expected(horizon)
        for t in range(0, sessions.WEEK - 1 - horizon, 97):
            fills = made.fill[t + 1] + made.fill[t + 1 + horizon]
            nights = made.nights[t + 2 : t + 2 + horizon].sum()
            # Half the spread moves the mid a little, and with it what a pip is worth.
            assert buy[t] == pytest.approx(fills, rel=1e-3)
            assert sell[t] == pytest.approx(fills - nights * made.night.short, rel=1e-3)
        assert np.isnan(buy[-1 - horizon :]).all()
        assert np.isnan(sell[-1 - horizon :]).all()


def test_a_late_entry_is_expected_at_the_spread_of_its_own_minute() -> None:
    params = Params(slippage=0.2, commission=0.1)
    made = costs.make(flat_bars("audjpy", week("2024-01-07"), 97.0, np.nan), params)
    buy, sell = made.expected(75, 60)
    for t in range(0, sessions.WEEK - 76, 89):
        fills = made.fill[t + 61] + made.fill[t + 76]
        nights = made.nights[t + 62 : t + 77].sum()
        assert buy[t] == pytest.approx(fills, rel=1e-3)
        assert sell[t] == pytest.approx(fills - nights * made.night.short, rel=1e-3)
    assert np.isnan(buy[-76:]).all()


def test_a_raw_account_has_the_narrower_spread_and_the_commission() -> None:
    flat = flat_bars("eurusd", week("2024-01-07")[:300], 1.1, np.nan)
    retail, raw = (costs.make(flat, Params(account=account)) for account in ("retail", "raw"))
    np.testing.assert_allclose(raw.half_spread / retail.half_spread, 0.3 / 1.3, rtol=1e-3)
    assert (retail.commission, raw.commission) == (0.0, pytest.approx(35e-6))
    both = costs.make(flat, Params(account="raw", commission=0.1))
    assert both.commission == pytest.approx(45e-6)
    # A spread that the bars bring is charged as it is.
    own = flat_bars("eurusd", week("2024-01-07")[:300], 1.1, 2e-4)
    np.testing.assert_array_equal(costs.spread(own, "raw"), 2e-4)


@pytest.mark.parametrize("account", costs.ACCOUNTS)
def test_the_table_of_spreads_is_what_a_pair_without_one_is_charged(account: str) -> None:
    table = costs.table(account)
    assert table.index.tolist() == list(pairs.PAIRS)
    assert (table["average"] >= 0.1 - 1e-9).all()
    minutes = week("2024-01-07")
    charged = costs.spread(flat_bars("gbpjpy", minutes, 185.0, np.nan), account) / 0.01
    found = sorted(set(np.round(charged, 9)))
    assert found == sorted(np.round([table.loc["gbpjpy", name] for name in costs.SESSIONS], 9))
    assert table.loc["gbpjpy", "commission"] == {"retail": 0.0, "raw": 0.35}[account]


def test_neither_entry_nor_exit_in_the_rollover_hour_looks_cheap() -> None:
    minutes = week("2024-01-07")
    free = Params(slippage=0, markup=0, interest=dict.fromkeys(pairs.CURRENCIES, 2.0))
    buy, _ = costs.make(flat_bars("eurusd", minutes, 1.1, np.nan), free).expected(30)
    half = 0.5 * 1.3e-4 / 1.1
    five = sessions.DAY  # Monday 17:00 New York
    np.testing.assert_allclose(buy[five - 62], 2 * costs.ACTIVE * half, rtol=1e-3)
    np.testing.assert_allclose(buy[five - 31], (costs.ACTIVE + costs.ROLLOVER) * half, rtol=1e-3)
    np.testing.assert_allclose(buy[five], 2 * costs.ROLLOVER * half, rtol=1e-3)
    np.testing.assert_allclose(buy[five + 58], (costs.ROLLOVER + costs.QUIET) * half, rtol=1e-3)
    np.testing.assert_allclose(buy[five + 59], 2 * costs.QUIET * half, rtol=1e-3)


def test_the_expected_cost_follows_the_bars_own_spread_without_seeing_the_next() -> None:
    minutes = week("2024-01-07")[2_050:2_850]  # a Tuesday while London or New York trades
    flat = flat_bars("eurusd", minutes, 1.1, 1e-4)
    flat.frame.iloc[500:, flat.frame.columns.get_loc("spread")] = 3e-4
    buy, _ = costs.make(flat, Params(slippage=0)).expected(15)
    np.testing.assert_allclose(buy[:500], 1e-4 / 1.1, rtol=1e-4)
    assert (np.diff(buy[499:784]) > 0).all()
    assert buy[783] == pytest.approx(3 * buy[499], rel=1e-3)
    cut, _ = costs.make(flat.rows(0, 700), Params(slippage=0)).expected(15)
    np.testing.assert_array_equal(cut[:684], buy[:684])


def test_bars_shorter_than_the_horizon_have_no_expected_cost() -> None:
    buy, sell = costs.make(
        flat_bars("eurusd", week("2024-01-07")[:10], 1.1, 1e-4), Params()
    ).expected(15)
    assert np.isnan(buy).all()
    assert np.isnan(sell).all()
