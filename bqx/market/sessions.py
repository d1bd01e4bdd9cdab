"""The FX week, its minute grid, trading sessions and holidays.

The market is open from Sunday 17:00 to Friday 17:00 New York time, 7,200 minutes every week: the
clock changes fall into the weekend. The *market minute* numbers the open minutes consecutively,
so that it anchors windows at the same bars whatever slice of history is at hand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

DAY = 1_440
WEEK, YEAR = 5 * DAY, 252 * DAY
"""Minutes of a day; open minutes of an FX week and of a year of trading days."""

SESSIONS = {
    "tokyo": ("Asia/Tokyo", 9, 18),
    "london": ("Europe/London", 8, 17),
    "new_york": ("America/New_York", 8, 17),
}
"""Trading sessions: time zone, opening and closing hour on the local clock, Monday to Friday."""

NEW_YORK = "America/New_York"

YEARS = (1960, 2110)
"""First and last year whose changes of the clock are known; outside, the clock stays."""

# 1970-01-01 was a Thursday; the first Sunday 17:00 of the local epoch comes 5,340 minutes later.
_FIRST_OPEN = 3 * DAY + 17 * 60
_CALENDAR_WEEK = 7 * DAY

Minutes = NDArray[np.int64]


def epoch_minutes(ts: pd.DatetimeIndex) -> Minutes:
    """Whole minutes since 1970-01-01 UTC of a UTC index."""
    # `as_unit` copies even what has the unit.
    return (ts if ts.unit == "ns" else ts.as_unit("ns")).asi8 // 60_000_000_000


def timestamps(minutes: Minutes) -> pd.DatetimeIndex:
    """UTC index named ``ts_utc`` of epoch minutes."""
    import pandas as pd

    return pd.DatetimeIndex(
        np.asarray(minutes, dtype=np.int64) * 60_000_000_000, tz="UTC", name="ts_utc"
    ).as_unit("ns")


def timestamp(minute: int) -> datetime:
    """UTC time of an epoch minute."""
    return datetime.fromtimestamp(60 * int(minute), UTC)


def tomorrow() -> datetime:
    """A day from now, UTC: no bar that has come is later, by whatever clock it is timed."""
    return datetime.now(UTC) + timedelta(days=1)


def shown(minute: int) -> str:
    """UTC time of an epoch minute as messages show it, of years beyond the calendar's too."""
    return f"{str(np.datetime64(60 * int(minute), 's')).replace('T', ' ')}+00:00"


def local_minutes(minutes: Minutes, zone: str) -> Minutes:
    """Minutes since the local epoch on the wall clock of a time zone."""
    changes, offsets = _offsets(zone)
    epoch = np.asarray(minutes, dtype=np.int64)
    return epoch + offsets[np.searchsorted(changes, epoch, side="right")]


@cache
def _offsets(zone: str) -> tuple[Minutes, Minutes]:
    """Epoch minutes at which a zone's clock changes, and its offset before, between and after."""
    clock = ZoneInfo(zone)

    def offset(minute: int) -> int:
        shift = timestamp(minute).astimezone(clock).utcoffset()
        assert shift is not None
        return int(shift.total_seconds()) // 60

    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) // 60 for year in YEARS)
    changes, offsets = [], [offset(first)]
    # No zone of ours changes its clock twice within four weeks.
    for start in range(first, last, 4 * _CALENDAR_WEEK):
        after = offset(start + 4 * _CALENDAR_WEEK)
        if after != offsets[-1]:
            low, high = start, start + 4 * _CALENDAR_WEEK
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
            changes.append(high)
            offsets.append(after)
    return np.array(changes, np.int64), np.array(offsets, np.int64)


def _opening(weeks: Minutes) -> Minutes:
    """Epoch minutes of Sunday 17:00 New York of weeks since the local epoch's first."""
    wall = weeks * _CALENDAR_WEEK + _FIRST_OPEN
    # Five hours later in UTC, give or take the one by which the clock changed early that Sunday.
    return wall - (local_minutes(wall + 5 * 60, NEW_YORK) - (wall + 5 * 60))


def is_open(minutes: Minutes) -> NDArray[np.bool_]:
    """Whether the market is open during each epoch minute."""
    return (local_minutes(minutes, NEW_YORK) - _FIRST_OPEN) % _CALENDAR_WEEK < WEEK


def market_minutes(minutes: Minutes) -> Minutes:
    """Market-minute numbers of epoch minutes at which the market is open.

    Consecutive over the weekend; a week starts at each multiple of 7,200.

    Raises ValueError when the market is closed at one of them.
    """
    since = local_minutes(minutes, NEW_YORK) - _FIRST_OPEN
    week, minute = since // _CALENDAR_WEEK, since % _CALENDAR_WEEK
    if (minute >= WEEK).any():
        closed = timestamp(np.asarray(minutes)[int(np.argmax(minute >= WEEK))])
        raise ValueError(f"minutes: the market is closed at {closed}; expected open minutes")
    return week * WEEK + minute


def market_age(market_minute: int, now: float) -> int:
    """Whole minutes of an open market from the end of one until now, in seconds since 1970.

    Over a weekend a bar does not grow older.
    """
    since = int(local_minutes(np.array([int(now) // 60]), NEW_YORK)[0]) - _FIRST_OPEN
    week, minute = divmod(since, _CALENDAR_WEEK)
    return max(week * WEEK + min(minute, WEEK) - market_minute - 1, 0)


def open_minutes(market: Minutes) -> Minutes:
    """Epoch minutes of market-minute numbers: the inverse of `market_minutes`."""
    return _opening(market // WEEK) + market % WEEK


def week_opens(first: int, last: int) -> Minutes:
    """Epoch minutes of the Sunday 17:00 New York openings of weeks that meet [first, last]."""
    local = local_minutes(np.array([first, last], dtype=np.int64), NEW_YORK) - _FIRST_OPEN
    return _opening(np.arange(local[0] // _CALENDAR_WEEK, local[1] // _CALENDAR_WEEK + 1))


def grid(first: int, last: int) -> Minutes:
    """All open epoch minutes from ``first`` to ``last``, both included."""
    opens = week_opens(first, last)
    minutes = (opens[:, None] + np.arange(WEEK)).ravel()
    return minutes[(minutes >= first) & (minutes <= last)]


def in_session(minutes: Minutes, session: str) -> NDArray[np.bool_]:
    """Whether each epoch minute falls into a session on its local clock, Monday to Friday."""
    zone, start, end = SESSIONS[session]
    local = local_minutes(minutes, zone)
    hour = local % DAY // 60
    weekday = (local // DAY + 3) % 7
    return (hour >= start) & (hour < end) & (weekday < 5)


def minutes_to_close(minutes: Minutes) -> Minutes:
    """Open minutes left in the week after each one: 7,199 at the open, 0 at the last minute."""
    return WEEK - 1 - market_minutes(minutes) % WEEK


def trading_days(minutes: Minutes) -> Minutes:
    """Trading day of each minute as days since 1970-01-01; a day ends at 17:00 New York."""
    return (local_minutes(minutes, NEW_YORK) + 7 * 60) // DAY


def joined_days(days: Minutes, longest: int) -> Minutes:
    """Numbers of days, several as one where a label of so many minutes reaches beyond one.

    >>> joined_days(np.arange(4), 1_440).tolist(), joined_days(np.arange(4), 1_441).tolist()
    ([0, 1, 2, 3], [0, 0, 1, 1])
    """
    return days // -(-longest // DAY)


@cache
def _holidays(country: str, year: int) -> Minutes:
    # Few who need the sessions need the calendars of all countries.
    import holidays

    days = holidays.country_holidays(country, years=year)
    return np.array(sorted(days), "datetime64[D]").astype(np.int64)


def days_to_holiday(minutes: Minutes, country: str) -> Minutes:
    """Calendar days from each UTC date to the country's next public holiday, 0 on the day.

    ``country`` is an ISO code known to the holidays package.
    """
    days = np.asarray(minutes) // DAY
    years = days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    holidays = np.concatenate(
        [_holidays(country, year) for year in range(int(years.min()), int(years.max()) + 2)]
    )
    return holidays[np.searchsorted(holidays, days)] - days
