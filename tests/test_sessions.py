"""The FX week against the standard library's wall clocks, minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bqx.market import sessions

NEW_YORK = ZoneInfo("America/New_York")
FIRST, LAST = 11_000_000, 32_000_000  # 1990-12 to 2030-11
CHANGES = ["2018-03-11", "2018-03-25", "2018-10-28", "2018-11-04", "2019-03-10", "2007-04-01"]


def minute(text: str) -> int:
    return int(pd.Timestamp(text, tz="UTC").timestamp() // 60)


def wall(epoch_minute: int, zone: str = "America/New_York") -> datetime:
    return datetime.fromtimestamp(epoch_minute * 60, UTC).astimezone(ZoneInfo(zone))


def is_open(epoch_minute: int) -> bool:
    """Open from Sunday 17:00 to Friday 17:00 New York, by the calendar."""
    now = wall(epoch_minute)
    day = now.isoweekday() % 7  # Sunday 0
    return (day == 0 and now.hour >= 17) or 1 <= day <= 4 or (day == 5 and now.hour < 17)


def around(day: str) -> np.ndarray:
    """Every seventh minute of the ten days around a day."""
    start = minute(day) - 5 * sessions.DAY
    return np.arange(start, start + 10 * sessions.DAY, 7)


@given(st.lists(st.integers(FIRST, LAST), min_size=1, max_size=30))
def test_open_by_the_wall_clock(minutes):
    got = sessions.is_open(np.array(minutes))
    np.testing.assert_array_equal(got, [is_open(m) for m in minutes])


@pytest.mark.parametrize("day", CHANGES)
def test_open_around_clock_changes(day):
    minutes = around(day)
    np.testing.assert_array_equal(sessions.is_open(minutes), [is_open(m) for m in minutes])


@given(st.integers(FIRST, LAST), st.integers(0, 30_000))
def test_the_grid_is_every_open_minute(first, length):
    got = sessions.grid(first, first + length)
    every = np.arange(first, first + length + 1)
    np.testing.assert_array_equal(got, every[sessions.is_open(every)])
    if len(got):
        np.testing.assert_array_equal(np.diff(sessions.market_minutes(got)), 1)


def test_every_week_of_forty_years_has_7200_minutes():
    opens = sessions.week_opens(FIRST, LAST)
    weeks = sessions.market_minutes(opens)
    np.testing.assert_array_equal(weeks % sessions.WEEK, 0)
    np.testing.assert_array_equal(np.diff(weeks), sessions.WEEK)
    ends = sessions.market_minutes(opens + sessions.WEEK - 1)
    np.testing.assert_array_equal(ends - weeks, sessions.WEEK - 1)
    assert not sessions.is_open(opens - 1).any()
    assert not sessions.is_open(opens + sessions.WEEK).any()
    assert {(wall(int(m)).weekday(), wall(int(m)).hour) for m in opens} == {(6, 17)}
    assert set(np.diff(opens) - 7 * sessions.DAY) == {-60, 0, 60}


def test_the_market_minute_does_not_depend_on_the_slice():
    minutes = sessions.grid(minute("2018-03-01"), minute("2018-03-20"))
    whole = sessions.market_minutes(minutes)
    for row in (0, 1, 5_000, len(minutes) - 1):
        assert sessions.market_minutes(minutes[row : row + 1])[0] == whole[row]


def test_a_closed_minute_has_no_market_minute():
    with pytest.raises(ValueError, match="the market is closed at 2018-03-10 12:00"):
        sessions.market_minutes(np.array([minute("2018-03-09 12:00"), minute("2018-03-10 12:00")]))


def test_a_bar_grows_older_while_the_market_is_open():
    last = minute("2018-03-09 21:59")
    bar = int(sessions.market_minutes(np.array([last - 3]))[0])
    for later in range(-5, 3 * sessions.DAY, 7):
        passed = len(sessions.grid(last - 2, last + later - 1))
        assert sessions.market_age(bar, 60.0 * (last + later) + 59.0) == passed
    assert sessions.market_age(bar, 60.0 * minute("2018-03-10 12:00")) == 3
    assert sessions.market_age(bar, 60.0 * minute("2018-03-11 21:03")) == 6


def test_minutes_to_close():
    times = ["2018-03-11 21:00", "2018-03-09 21:59", "2018-03-16 20:59", "2018-03-16 20:00"]
    got = sessions.minutes_to_close(np.array([minute(t) for t in times]))
    np.testing.assert_array_equal(got, [7199, 0, 0, 59])


def test_timestamps_and_epoch_minutes_are_inverse():
    minutes = np.array([0, 1, minute("2018-03-11 21:00"), FIRST, LAST])
    ts = sessions.timestamps(minutes)
    assert (ts.name, str(ts.tz)) == ("ts_utc", "UTC")
    np.testing.assert_array_equal(sessions.epoch_minutes(ts), minutes)
    np.testing.assert_array_equal(sessions.epoch_minutes(ts.as_unit("s")), minutes)


@given(
    st.lists(st.integers(FIRST, LAST), min_size=1, max_size=20),
    st.sampled_from(["tokyo", "london", "new_york"]),
)
def test_sessions_by_the_wall_clock(minutes, session):
    zone, start, end = sessions.SESSIONS[session]
    want = []
    for each in minutes:
        now = wall(each, zone)
        want.append(now.weekday() < 5 and start <= now.hour < end)
    np.testing.assert_array_equal(sessions.in_session(np.array(minutes), session), want)


@given(st.lists(st.integers(FIRST, LAST), min_size=1, max_size=20))
def test_a_trading_day_ends_at_17_new_york(minutes):
    want = []
    for each in minutes:
        now = wall(each)
        day = now.date() + timedelta(days=int(now.hour >= 17))
        want.append((day - date(1970, 1, 1)).days)
    np.testing.assert_array_equal(sessions.trading_days(np.array(minutes)), want)


def test_a_week_has_five_trading_days_of_1440_minutes():
    for opening in sessions.week_opens(minute("2018-03-01"), minute("2018-04-15")):
        days = sessions.trading_days(np.arange(opening, opening + sessions.WEEK))
        found, counts = np.unique(days, return_counts=True)
        np.testing.assert_array_equal(counts, 1440)
        np.testing.assert_array_equal(found - found[0], range(5))
        assert pd.Timestamp(int(found[0]), unit="D").day_name() == "Monday"


@pytest.mark.parametrize("country", ["US", "GB", "JP"])
def test_days_to_holiday_by_the_calendar(country):
    days = pd.date_range("2018-11-20", "2019-02-01", freq="D", tz="UTC")
    free = holidays.country_holidays(country, years=[2018, 2019, 2020])
    want = []
    for day in days:
        ahead = 0
        while (day + pd.Timedelta(days=ahead)).date() not in free:
            ahead += 1
        want.append(ahead)
    minutes = sessions.epoch_minutes(days) + np.arange(len(days)) % sessions.DAY
    np.testing.assert_array_equal(sessions.days_to_holiday(minutes, country), want)
