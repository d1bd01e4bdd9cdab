"""Spreads and half costs against the wall clock, minute by minute."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from bqx import bars, costs, market, pairs, sessions
from bqx.errors import ParameterError

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
    own = market.simulate("null", pairs=("eurusd",), days=8).frames["eurusd"]
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


def test_buying_pays_the_ask_and_selling_gets_the_bid() -> None:
    dear = flat_bars("usdjpy", week("2024-01-07")[:10], 150.0, 0.03)
    np.testing.assert_allclose(costs.mid(dear), 150.015)
    half = costs.half_cost(dear)
    np.testing.assert_allclose(costs.mid(dear) * (1 + half), 150.03)
    np.testing.assert_allclose(costs.mid(dear) * (1 - half), 150.0)


def test_mid_takes_any_rate_of_the_bar() -> None:
    own = market.simulate("null", pairs=("eurusd",), days=3).frames["eurusd"]
    aligned = bars.align({"eurusd": own})["eurusd"]
    for rate in bars.RATES:
        expected = aligned.frame[rate] + aligned.frame["spread"] / 2
        np.testing.assert_array_equal(costs.mid(aligned, rate), expected.to_numpy())


def test_multiple_scales_the_cost_and_nan_rows_have_none() -> None:
    tight = flat_bars("eurusd", week("2024-07-14")[:100], 1.1, np.nan)
    tight.frame.loc[tight.ts[40:50], list(bars.RATES)] = np.nan
    once, twice = costs.half_cost(tight), costs.half_cost(tight, 2.0)
    np.testing.assert_array_equal(twice, 2 * once)
    np.testing.assert_array_equal(np.isnan(once), (np.arange(100) >= 40) & (np.arange(100) < 50))
    assert (once[:40] > 0).all()
