"""Time and calendar: what the clock alone says about a bar, and the volatility it meets.

Hours, weekdays and dates are UTC; sessions and the FX week run on their local clocks, so that
they follow daylight saving.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import highest_share, tercile
from bqx.features.sources import CLOCK_RATE
from bqx.features.spec import Family, Output, Source
from bqx.market import sessions
from bqx.market.bars import Bars

_EDGE = 60
_MONTH_END_DAYS = 3
_FRIDAY, _WEEKEND_NEARS = 4, 16
_OPENINGS = (0, 8, 13)
_OVERLAP_ENDS, _QUIET = 16, 21

_FLAG = ("1", 0.0, 1.0)
_WAVE = ("1", -1.0, 1.0)
_DAYS = ("d", 0.0, 366.0)

_OUTPUTS = {
    alias: Output(*bounds, alias=alias, about=about)
    for alias, about, bounds in (
        ("session_tokyo", "Tokyo 9 to 18 local, Monday to Friday", _FLAG),
        ("session_london", "London 8 to 17 local, Monday to Friday", _FLAG),
        ("session_ny", "New York 8 to 17 local, Monday to Friday", _FLAG),
        ("session_overlap_ldn_ny", "London and New York both open", _FLAG),
        ("session_hour", "hour of the day, UTC", ("h", 0.0, 23.0)),
        ("session_is_open", "any of the three sessions open", _FLAG),
        (
            "session_minutes_to_close",
            "open minutes left in the FX week",
            ("min", 0.0, sessions.WEEK - 1.0),
        ),
        ("time_sin_hour", "hour of the day on a circle", _WAVE),
        ("time_cos_hour", "hour of the day on a circle", _WAVE),
        ("time_sin_minute", "minute of the day on a circle", _WAVE),
        ("time_cos_minute", "minute of the day on a circle", _WAVE),
        ("time_sin_dow", "day of the week on a circle", _WAVE),
        ("time_cos_dow", "day of the week on a circle", _WAVE),
        ("dow", "day of the week, Monday 0", ("d", 0.0, 6.0)),
        ("is_month_end", "one of the month's last three days", _FLAG),
        ("is_week_roll", "first or last open hour of the FX week", _FLAG),
        ("days_to_holiday_us", "days to the next", _DAYS),
        ("days_to_holiday_uk", "days to the next", _DAYS),
        ("days_to_holiday_jp", "days to the next", _DAYS),
        ("is_weekend_approach", "Friday from 16:00 UTC", _FLAG),
        (
            "minutes_since_market_open",
            "since 0:00, 8:00 or 13:00 UTC, the last",
            ("min", 0.0, 659.0),
        ),
        (
            "trading_session",
            "0 Asia from 0:00 UTC, 1 London from 8, 3 both from 13, 2 New York from 16, 4 quiet "
            "from 21",
            ("1", 0.0, 4.0),
        ),
    )
}

_COUNTRIES = {"us": "US", "uk": "GB", "jp": "JP"}


def calendar(minutes: NDArray[np.int64]) -> F:
    """Readings of the clock at epoch minutes (T,): (T, 22), see the outputs above."""
    hour, minute = minutes % sessions.DAY // 60, minutes % sessions.DAY
    day = minutes // sessions.DAY
    weekday = (day + 3) % 7
    tokyo, london, new_york = (sessions.in_session(minutes, name) for name in sessions.SESSIONS)
    left = sessions.minutes_to_close(minutes)
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    days_left = ((month + 1).astype("datetime64[D]") - day.astype("datetime64[D]")).astype(int)
    edge = (left < _EDGE) | (left >= sessions.WEEK - _EDGE)
    waves = [
        turn(2.0 * np.pi * phase / whole)
        for phase, whole in ((hour, 24), (minute, sessions.DAY), (weekday, 7))
        for turn in (np.sin, np.cos)
    ]
    ahead = [sessions.days_to_holiday(minutes, country) for country in _COUNTRIES.values()]
    opening = np.array(_OPENINGS)[np.searchsorted(_OPENINGS, hour, side="right") - 1]
    session = np.array([0, 1, 3, 2, 4])[np.digitize(hour, [*_OPENINGS[1:], _OVERLAP_ENDS, _QUIET])]
    open_now = (tokyo, london, new_york, london & new_york, hour, tokyo | london | new_york, left)
    dates = (*waves, weekday, days_left <= _MONTH_END_DAYS, edge, *ahead)
    near_weekend = (weekday == _FRIDAY) & (hour >= _WEEKEND_NEARS)
    columns = (*open_now, *dates, near_weekend, minute - 60 * opening, session)
    return np.column_stack(columns).astype(np.float64)


def _calendar(bars: Bars) -> F:
    return panels.shared(bars, "calendar", lambda: calendar(bars.minutes[panels.since(bars) :]))


CLOCK = Source("clock", "clock", "1", 0, _calendar)
"""Readings of the clock, the same for all pairs."""


@kernel
def volatility_state(x: F, first_minute: int, window: int, memory: int) -> F:
    """Tercile (0 calm, 1, 2 wild) of today's volatility within its own recent past: (T, 1).

    Volatility is the deviation of one-row log returns over ``window`` rows; it is placed among
    its ``memory`` last values, its own included.
    """
    volatility = mean_std(log_returns(x), window, first_minute, 1)[1]
    return tercile(highest_share(volatility, memory)).reshape(-1, 1)


FAMILIES = (
    Family(
        "", "time", panels.read, _OUTPUTS, ((),), (CLOCK,), "clock and calendar", laggable=False,
    ),
    Family(
        "session_vol_regime",
        "time",
        volatility_state,
        {"": Output("1", 0.0, 2.0, alias="session_vol_regime")},
        ((60, sessions.DAY),),
        (CLOCK_RATE,),
        "tercile of the 60-row volatility within its last 1,440 values",
        lookback=lambda window, memory: window + memory,
        laggable=False,
    ),
)  # fmt: skip
