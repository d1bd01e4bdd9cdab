"""Nights against the wall clock of New York, and interest that a pair's two sides share."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bqx.market import bars, pairs, sessions, value_dates
from bqx.params import Params
from bqx.trading import rollover

# Weeks of winter, summer and those after New York's and London's clocks have changed.
WEEKS = ("2024-02-04", "2024-03-10", "2024-04-07", "2024-07-21", "2024-10-20", "2024-11-17")


def weeks_from(start: str, count: int, pair: str = "eurusd") -> bars.Bars:
    first = int(np.datetime64(start, "D").astype(np.int64)) * sessions.DAY
    minutes = sessions.grid(first, first + 7 * count * sessions.DAY)[: count * sessions.WEEK]
    frame = pd.DataFrame({"close": 1.1}, index=sessions.timestamps(minutes))
    return bars.Bars(pair, frame, 1.1)


@pytest.mark.parametrize("start", WEEKS)
@pytest.mark.parametrize(("pair", "triple"), [("eurusd", 2), ("eurchf", 2), ("usdcad", 3)])
def test_a_week_without_holidays_has_seven_nights_at_five_in_new_york(
    start: str, pair: str, triple: int
) -> None:
    one = weeks_from(start, 1, pair)
    nights = rollover.nights(one)
    rows = np.flatnonzero(nights)
    for row in rows:
        local = one.ts[row].tz_convert(ZoneInfo("America/New_York"))
        assert (local.hour, local.minute) == (17, 0)
        # What Friday's close rolls over stands at Sunday's open.
        assert nights[row] == (3 if local.weekday() == triple else 1)
    assert (nights.sum(), len(rows)) == (7, 5)


def test_three_nights_move_with_a_holiday() -> None:
    # Good Friday and Easter Monday 2024 close TARGET: what is traded on Wednesday before them
    # settles on Tuesday after.
    week = weeks_from("2024-03-24", 2)
    nights = rollover.nights(week)[:: sessions.DAY]
    # Into Monday 25 to Friday April 5.
    assert nights.tolist() == [1, 1, 5, 1, 0, 0, 1, 1, 3, 1]
    by_date = value_dates.nights("eurusd", sessions.trading_days(week.minutes[:: sessions.DAY]))
    np.testing.assert_array_equal(nights, by_date)


def test_nights_of_a_slice_are_the_slice_of_the_nights() -> None:
    whole = weeks_from("2024-03-03", 3)
    nights = rollover.nights(whole)
    assert nights.sum() >= 21
    for first, last in ((0, 1), (1, 1_441), (1_439, 1_441), (4_000, 12_345)):
        np.testing.assert_array_equal(rollover.nights(whole.rows(first, last)), nights[first:last])


@given(
    st.sampled_from(pairs.PAIRS),
    st.lists(st.floats(-5, 20), min_size=8, max_size=8),
    st.floats(0, 10),
)
def test_a_long_and_a_short_lose_the_markup(pair: str, rates: list[float], markup: float) -> None:
    interest = dict(zip(pairs.CURRENCIES, rates, strict=True))
    night = rollover.night(pair, interest, markup)
    assert 365 * (night.long + night.short) == pytest.approx(-markup / 100, abs=1e-12)
    carry = interest[pair[:3].upper()] - interest[pair[3:].upper()]
    assert 365 * night.carry == pytest.approx(carry / 100, abs=1e-12)
    assert 365 * (night.long - night.short) == pytest.approx(2 * carry / 100, abs=1e-12)


def test_the_currency_of_more_interest_earns_it() -> None:
    night = rollover.night("usdjpy", Params().interest, 0.0)
    assert night.long == pytest.approx((5.4 + 0.1) / 100 / 365)
    assert night.short == -night.long
