"""Time and calendar: what the clock alone says about a bar, and the volatility it meets.

Hours, weekdays and dates are UTC; sessions and the FX week run on their local clocks, so that
they follow daylight saving.
"""

from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import panels
from bqx.features.rolling.abreast import deviation_of, deviation_with, size_of_deviation
from bqx.features.rolling.abreast_ranks import tercile_with, thirds_of
from bqx.features.rolling.returns import log_returns, returns_from
from bqx.features.rolling.standing import tercile
from bqx.features.rolling.sums import F, mean_std
from bqx.features.sources import CLOCK_RATE
from bqx.features.spec import FLAG, SIGNED, Output, Source, read
from bqx.features.steps import Steps
from bqx.market import sessions
from bqx.market.bars import Bars

_EDGE = 60
_MONTH_END_DAYS = 3
_FRIDAY, _WEEKEND_NEARS = 4, 16
_OPENINGS = (0, 8, 13)
_OVERLAP_ENDS, _QUIET = 16, 21

_COUNTRIES = {"us": "US", "uk": "GB", "jp": "JP"}

_HOUR, _DAY_OF_WEEK, _DAYS = ("h", 0.0, 23.0), ("d", 0.0, 6.0), ("d", 0.0, 366.0)


def _session(name: str, city: str, hours: str) -> tuple[Any, ...]:
    return (f"session_{name}", *FLAG, f"{city} session", f"{city} {hours} local, Monday to Friday")


def _wave(name: str, turn: str, noun: str, formula: str) -> tuple[Any, ...]:
    title = f"{noun} on a circle, {'sine' if turn == 'sin' else 'cosine'}"
    return (f"time_{turn}_{name}", *SIGNED, title, f"{turn}(2 pi {formula})")


_READINGS = (
    _session("tokyo", "Tokyo", "9 to 18"),
    _session("london", "London", "8 to 17"),
    _session("ny", "New York", "8 to 17"),
    ("session_overlap_ldn_ny", *FLAG, "London and New York both open", "London and New York"),
    ("session_hour", *_HOUR, "Hour of the day, UTC", "minute of the day // 60"),
    ("session_is_open", *FLAG, "Any of three sessions open", "Tokyo or London or New York"),
    (
        "session_minutes_to_close",
        "min",
        0.0,
        sessions.WEEK - 1.0,
        "Open minutes left in the FX week",
        "minutes to Friday 17:00 New York",
    ),
    *(
        _wave(name, turn, noun, formula)
        for name, noun, formula in (
            ("hour", "Hour of the day", "hour / 24"),
            ("minute", "Minute of the day", "minute / 1440"),
            ("dow", "Day of the week", "weekday / 7"),
        )
        for turn in ("sin", "cos")
    ),
    ("dow", *_DAY_OF_WEEK, "Day of the week", "weekday, Monday 0, UTC"),
    ("is_month_end", *FLAG, "One of the month's last three days", "days left in the month <= 3"),
    (
        "is_week_roll",
        *FLAG,
        "First or last open hour of the FX week",
        "minutes from the week's open or to its close < 60",
    ),
    *(
        (
            f"days_to_holiday_{name}",
            *_DAYS,
            f"Days to the next {country} holiday",
            f"next {country} holiday - date",
        )
        for name, country in _COUNTRIES.items()
    ),
    ("is_weekend_approach", *FLAG, "Friday afternoon", "Friday from 16:00 UTC"),
    (
        "minutes_since_market_open",
        "min",
        0.0,
        659.0,
        "Minutes since the last market open",
        "minutes since 0:00, 8:00 or 13:00 UTC, the last",
    ),
    (
        "trading_session",
        "1",
        0.0,
        4.0,
        "Trading session by UTC hour",
        "0 from 0:00, 1 from 8, 3 from 13, 2 from 16, 4 from 21 UTC",
        "0 Asia, 1 London, 3 both, 2 New York, 4 quiet",
    ),
)
_OUTPUTS = {
    name: Output(unit, lo, hi, alias=name, title=title, formula=formula, about="; ".join(about))
    for name, unit, lo, hi, title, formula, *about in _READINGS
}

_AHEAD = 256
"""Open minutes whose readings are made together for those who ask for a minute at a time."""


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
    since, rows = panels.since(bars), len(bars)
    if not 0 < rows - since <= _AHEAD:
        return calendar(bars.minutes[since:])
    first = bars.first_market_minute
    market = range(first + since, first + rows)
    return np.array([_ahead(minute // _AHEAD)[minute % _AHEAD] for minute in market])


@lru_cache(maxsize=2)
def _ahead(part: int) -> F:
    """Readings of a part of the open market's clock: one minute alone takes nearly as long."""
    return calendar(sessions.open_minutes(np.arange(part * _AHEAD, (part + 1) * _AHEAD)))


CLOCK = Source("clock", "clock", "1", 0, panels.same("calendar", _calendar))
"""Readings of the clock, the same for all pairs."""


@kernel
def volatility_state(x: F, first_minute: int, window: int, memory: int) -> F:
    """Tercile (0 calm, 1, 2 wild) of today's volatility within its own recent past: (T, 1).

    Volatility is the deviation of one-row log returns over ``window`` rows; it is placed among
    its ``memory`` last values, its own included.
    """
    volatility = mean_std(log_returns(x), window, first_minute, 1)[1]
    return tercile(volatility, memory).reshape(-1, 1)


def _begin(window: int, memory: int) -> F:
    """State of `_goes_on`: the value before, and those of the deviation and its rank."""
    return np.concatenate((np.array([np.nan]), deviation_of(window), thirds_of(memory)))


@kernel
def _goes_on(x: F, minute: int, window: int, memory: int, state: F) -> F:
    """What `volatility_state` gives of a row (1, P), from the states of the rows before: (1, P)."""
    out, size = np.empty(x.shape), 1 + size_of_deviation(window)
    deviation_with(returns_from(state[0], x[0]), minute, window, state[1:size], out[0])
    tercile_with(out[0].copy(), minute, memory, state[size:], out[0])
    state[0] = x[0]
    return out


_time = partial(family, table="time", laggable=False)

FAMILIES = (
    _time("", read, _OUTPUTS, sources=CLOCK, about="clock and calendar"),
    _time(
        "session_vol_regime",
        volatility_state,
        Output("1", 0.0, 2.0, alias="session_vol_regime"),
        sources=CLOCK_RATE,
        windows=((60, sessions.DAY),),
        about="tercile of the 60-row volatility within its last 1,440 values",
        title="Volatility regime of the hour within a day",
        formula="tercile(std(r, {0}), {1})",
        lookback=lambda window, memory: window + memory,
        steps=Steps(
            _goes_on,
            read,
            rows=lambda window, memory: window + memory,
            reads=lambda window, memory: 1,
            begin=_begin,
            abreast=True,
        ),
    ),
)
