"""Clocks of bar files, and the weekly close that shows whether a clock is the right one.

A clock is an IANA zone, a zone plus hours ('UTC+2', 'America/New_York+7'), or several of them in
force from a date on: ``(("2018-01-01", "UTC+2"), ("2018-03-26", "UTC+3"))``. The dates are those
of the file's own stamps. The FX week ends on Friday at 17:00 New York, so a wrong clock leaves
bars where the market is closed, by as many hours as it is wrong.
"""

import re
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import BarError, ParameterError
from bqx.market import sessions
from bqx.market.declared import Clock, option
from bqx.market.readers import weekends

NEW_YORK_UNTIL_2019: Clock = (("1900-01-01", "America/New_York"), ("2019-01-01", "Europe/London-5"))
"""HistData's clock: New York's, which from 2019 on changes on the European dates."""

SERVER_CLOCKS: tuple[Clock, ...] = (
    "UTC",
    "America/New_York",
    NEW_YORK_UNTIL_2019,
    "America/New_York+7",
    "Europe/Athens",
    *(f"UTC{sign}{hours}" for hours in range(1, 13) for sign in "+-"),
)
"""Clocks that feeds and brokers use, most common first, to be suggested for a wrong one."""

SHIFTED_SHARE = 0.05
"""Largest share of weekends off the clock that is taken for freak weeks of a feed."""

LONDON = "Europe/London"
_HALF_HOUR = 30
_APART = 5 * weekends.HOUR
"""London is ahead of New York by this, but for the weeks between their clock changes."""


def parse(clock: str) -> tuple[str, pd.Timedelta]:
    """Zone of a clock, and how far the clock is ahead of that zone.

    >>> parse("UTC+5:30")
    ('UTC', Timedelta('0 days 05:30:00'))

    Raises
    ------
    ParameterError : the zone is not an IANA zone.
    """
    zone, hours, minutes = clock, 0, 0
    # 'Etc/GMT+5' is itself a zone, with the opposite sign: zones come first.
    if not _is_zone(clock) and (match := re.fullmatch(r"(.+?)([+-]\d{1,2})(?::([0-5]\d))?", clock)):
        zone, hours = match[1], int(match[2])
        minutes = int(match[3] or 0) * (-1 if match[2].startswith("-") else 1)
    if not _is_zone(zone) or abs(hours) > weekends.FARTHEST:
        raise ParameterError(
            f"clock: unknown clock, got {clock!r}; expected an IANA zone or a zone plus at most "
            f"{weekends.FARTHEST} hours, such as 'America/New_York' or 'UTC+2'."
        )
    return zone, pd.Timedelta(hours=hours, minutes=minutes)


def to_utc(stamps: pd.DatetimeIndex, clock: Clock, where: str) -> pd.DatetimeIndex:
    """UTC times of the stamps of a file; NaT for wall times that do not tell one minute.

    In the hour that a clock change skips or repeats, a stamp has no time or two. Changes fall
    into the weekend, so that such bars are stray ones of a closed market and may be left out.

    Parameters
    ----------
    stamps : (T,) wall times without a zone.
    clock : see the module's docstring.
    where : file named in errors.

    Raises
    ------
    ParameterError : unknown zone, dates that do not ascend, or a stamp before the first date.
    BarError : a stamp without a time, or with two, while the market is open.
    """
    if isinstance(clock, str):
        return _localize(stamps, clock, where)
    starts = [_date(start) for start, _ in clock]
    if not starts or any(late <= early for early, late in pairwise(starts)):
        raise ParameterError(
            f"clock: the dates do not ascend, got {clock!r}; expected (date, clock) ranges in the "
            "order of time. Sort them."
        )
    if len(stamps) and stamps.min() < starts[0]:
        raise ParameterError(
            f"clock: no clock for {stamps.min()} of {where}, got ranges from {clock[0][0]}; "
            "expected one from the first bar on. Add an earlier range."
        )
    section = np.searchsorted(np.array(starts, "M8[ns]"), stamps.as_unit("ns").values, "right") - 1
    utc = np.full(len(stamps), np.datetime64("NaT", "ns"))
    for number, (_, name) in enumerate(clock):
        rows = section == number
        utc[rows] = _localize(stamps[rows], name, where).tz_localize(None).as_unit("ns").values
    return pd.DatetimeIndex(utc).tz_localize("UTC")


def choose(
    stamps: pd.DatetimeIndex, clocks: tuple[Clock, ...], where: str
) -> tuple[Clock, pd.DatetimeIndex, bool]:
    """The clock whose weekly closes and openings fit the stamps best; the first among equals.

    Returns
    -------
    The clock, the (T,) UTC times by it, and whether no clock that fits as well gives others.
    """
    if len(clocks) == 1:
        return clocks[0], to_utc(stamps, clocks[0], where), True
    times = [to_utc(stamps, clock, where) for clock in clocks]
    misfits = [_misfits(utc) for utc in times]
    best = int(np.argmin(misfits))
    equals = [utc for utc, misfit in zip(times, misfits, strict=True) if misfit == misfits[best]]
    return clocks[best], times[best], all(utc.equals(times[best]) for utc in equals)


def check(
    stamps: pd.DatetimeIndex, utc: pd.DatetimeIndex, clock: Clock | None, where: str
) -> weekends.Weekends:
    """What the weeks' ends show; BarError when they are not on Friday 17:00 New York on a clock.

    Up to 5 % of weekends may be off. So may, by one hour, the weeks between the American and the
    European clock changes: feeds that change on the other continent's dates are common.

    Parameters
    ----------
    stamps : (T,) ascending wall times without a zone.
    utc : (T,) those times in UTC.
    clock : the clock that they are read with; None where the file itself says that they are UTC.
    where : file named in the error.
    """
    sides = weekends.sides(utc)
    shift, close, tolerable, count = _shifts(sides)
    if (~tolerable).sum() <= SHIFTED_SHARE * count:
        return weekends.counted(utc, sides)
    sizes, times = np.unique(shift, return_counts=True)
    offset = int(sizes[np.argmax(times)])
    first = sessions.timestamps(close[:1])[0].tz_convert(sessions.NEW_YORK)
    mend = "Correct the times of the file."
    if clock:
        mend = _mend(stamps, clock, where, offset=offset, first=first)
    raise BarError(
        f"{where}: the weekly close is off by {offset / weekends.HOUR:+g} h in {len(shift)} of "
        f"{count} weeks, got the first at {first:%Y-%m-%d %H:%M} New York with "
        f"clock={clock or 'UTC'!r}; expected Friday 17:00 New York. {mend}"
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _date(text: str) -> pd.Timestamp:
    try:
        return pd.Timestamp(pd.to_datetime(text, format="%Y-%m-%d"))
    except ValueError as error:
        raise ParameterError(
            f"clock: a range starts on no date, got {text!r}; expected a date such as '2018-03-26'."
        ) from error


def _localize(stamps: pd.DatetimeIndex, clock: str, where: str) -> pd.DatetimeIndex:
    zone, ahead = parse(clock)
    wall = stamps - ahead
    utc = wall.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").tz_convert("UTC")
    unclear = np.asarray(utc.isna() & ~wall.isna())
    if unclear.any():
        near = wall[unclear].tz_localize(
            zone, ambiguous=np.zeros(unclear.sum(), dtype=bool), nonexistent="shift_forward"
        )
        is_open = sessions.is_open(sessions.epoch_minutes(near.tz_convert("UTC")))
        if is_open.any():
            raise BarError(
                f"{where}: a time that the clock {clock!r} skips or repeats, got "
                f"{stamps[unclear][is_open][0]} while the market is open; expected clock changes "
                "in the weekend. Pass the clock that the file was written with."
            )
    return utc


def _misfits(utc: pd.DatetimeIndex) -> int:
    """Weekends whose close is not the true one, or that have bars well before the opening."""
    close, opening, _ = weekends.sides(utc)
    return int(((np.abs(close) > weekends.TOLERANCE) | (opening < -weekends.TOLERANCE)).sum())


def _shifts(
    sides: tuple[NDArray[np.int64], ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], int]:
    """Weekends that are shifted as a whole, and the number of weekends in all.

    Of each shifted one: minutes to the nearest half hour, time of the close, and whether it is one
    hour off between the American and the European clock changes.
    """
    close, opening, last = sides
    is_shifted = (close > weekends.TOLERANCE) | (opening < -weekends.TOLERANCE)
    is_shifted &= opening - close >= -weekends.TOLERANCE
    close, opening, last = close[is_shifted], opening[is_shifted], last[is_shifted]
    shift = np.where(close > weekends.TOLERANCE, close, opening)
    shift = (np.round(shift / _HALF_HOUR) * _HALF_HOUR).astype(np.int64)
    apart = sessions.local_minutes(last, LONDON) - sessions.local_minutes(last, sessions.NEW_YORK)
    return shift, last, (apart != _APART) & (np.abs(shift) == weekends.HOUR), len(is_shifted)


def _mend(
    stamps: pd.DatetimeIndex, clock: Clock, where: str, *, offset: int, first: pd.Timestamp
) -> str:
    best, utc, _ = choose(stamps, (clock, *SERVER_CLOCKS), where)
    if best != clock and _misfits(utc) <= SHIFTED_SHARE * len(weekends.sides(utc)[0]):
        return f"Pass {option('clock', best)}."
    if not isinstance(clock, str):
        return "Correct the ranges of the clock."
    zone, ahead = parse(clock)
    hours, minutes = divmod(abs(int(ahead.total_seconds()) // 60 + offset), 60)
    sign = "-" if ahead + pd.Timedelta(minutes=offset) < pd.Timedelta(0) else "+"
    shifted = f"{zone}{sign}{hours}" + (f":{minutes:02d}" if minutes else "")
    weekend = (first - pd.Timedelta(days=6)).tz_localize(None)
    if weekend <= stamps[0]:
        return f"Pass {option('clock', shifted)}."
    ranges = ((f"{stamps[0]:%Y-%m-%d}", clock), (f"{weekend:%Y-%m-%d}", shifted))
    return (
        "Pass the clock that each range of dates was written with, such as "
        f"{option('clock', ranges)}."
    )
