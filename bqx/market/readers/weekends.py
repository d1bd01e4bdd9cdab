"""The weeks' ends of bars: where they lie, and which end of its minute a bar's time is."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.market import sessions
from bqx.market.declared import Stamped, option

TOLERANCE = 15
"""Minutes past a weekly close, or before an opening, that are no sign of a wrong clock."""

HOUR = 60
FARTHEST = 14
"""Hours that a clock may be from its zone."""
_WEEKEND = (40 * HOUR, 80 * HOUR)
_ASTRAY = 2 * FARTHEST * HOUR
"""Minutes that clocks may be apart; a hole in midweek lies farther from the week's ends."""
_MARGIN = 3 * sessions.WEEK
_MANY = 5
"""Weeks that close on the same minute, from which it is no chance."""


class Weekends(NamedTuple):
    """What the weeks' ends of bars show.

    ``fitting`` : weekly closes and openings at the true time.
    ``at_end`` : weekends whose last bar is timed when the market has closed, so at its own end.
    ``at_open`` : weekends with a bar timed at the week's opening, or a minute before its close.
    ``begun`` : of these, those with a bar timed at the opening, when none has yet ended.
    """

    fitting: int
    at_end: int
    at_open: int
    begun: int

    @property
    def prove_open(self) -> bool:
        """Whether times are those at which bars open.

        A last bar timed a minute before the close shows it only by many weeks: of a single week
        of bars stamped at their end, the last one may be missing.
        """
        return self.at_open > 4 * self.at_end and (self.begun > 0 or self.at_open >= _MANY)


def sides(utc: pd.DatetimeIndex) -> tuple[NDArray[np.int64], ...]:
    """Weekends of the bars: minutes from the true close and opening, and the time of the close.

    Where the first or the last bar falls into a weekend, that weekend shows one side, given twice.
    """
    minutes = np.sort(sessions.epoch_minutes(utc.dropna()))
    if len(minutes) == 0:
        return (np.empty(0, np.int64),) * 3
    opens = sessions.week_opens(int(minutes[0]) - _MARGIN, int(minutes[-1]) + _MARGIN)
    closes = opens + sessions.WEEK

    def off(times: NDArray[np.int64], marks: NDArray[np.int64]) -> NDArray[np.int64]:
        nearest = np.searchsorted((marks[1:] + marks[:-1]) // 2, times)
        return np.asarray(times - marks[nearest])

    gap = np.diff(minutes)
    fridays = np.flatnonzero((gap >= _WEEKEND[0]) & (gap <= _WEEKEND[1]))
    last = minutes[fridays] + 1
    close, opening = off(last, closes), off(minutes[fridays + 1], opens)
    near = np.minimum(np.abs(close), np.abs(opening)) <= _ASTRAY
    last, close, opening = last[near], close[near], opening[near]
    for end, marks, sign in ((minutes[:1], opens, -1), (minutes[-1:] + 1, closes, 1)):
        side = off(end, marks)
        if 0 < sign * side[0] < sessions.DAY:
            last = np.append(last, end)
            close, opening = np.append(close, side), np.append(opening, side)
    return close, opening, last


def counted(utc: pd.DatetimeIndex, ends: tuple[NDArray[np.int64], ...]) -> Weekends:
    """Count what the weeks' ends, see `sides`, show of ascending times."""
    close, opening, _ = ends
    minutes = sessions.epoch_minutes(utc)
    opens = sessions.week_opens(int(minutes[0]) - _MARGIN, int(minutes[-1]) + _MARGIN)
    first, last = minutes[0] - opens, minutes[-1] + 1 - (opens + sessions.WEEK)
    is_fitting = (np.abs(close) <= TOLERANCE) | (np.abs(opening) <= TOLERANCE)
    fitting = int(is_fitting.sum())
    fitting += int(((first >= 0) & (first <= TOLERANCE)).any())
    fitting += int(((last <= 0) & (last >= -TOLERANCE)).any())
    at_open = (close == 0) | (opening == 0)
    at_end = (close == 1) & ~at_open
    opened = int((first == 0).any())
    edges = opened + int((last == 0).any())
    begun = int((opening == 0).sum()) + opened
    return Weekends(fitting, int(at_end.sum()), int(at_open.sum()) + edges, begun)


def stamped(
    utc: pd.DatetimeIndex, ends: Weekends, said: Stamped, where: str
) -> tuple[Stamped, str]:
    """Which end of its minute a bar's time is, and what shows it: proven, declared, not proven.

    Parameters
    ----------
    utc : (T,) ascending bar opens, as what was said has it.
    ends : what their weeks' ends show.
    said : what was declared.
    where : file named in errors.

    Raises
    ------
    BarError : the weeks' ends show the other end of the minute than what was said, or the end
        where nothing was said.
    """
    if said == "close":
        _check_close(utc, ends, where)
    elif ends.at_end > ends.at_open:
        raise BarError(
            f"{where}: bars stamped at their end, got {_weeks(ends.at_end)} whose last bar is "
            "timed Friday 17:00 New York, when the market is closed; expected the time at which "
            f"bars open. Pass {option('stamped', 'close')}."
        )
    if said:
        return said, "declared"
    return "open", "proven" if ends.prove_open else "not proven"


def _check_close(utc: pd.DatetimeIndex, ends: Weekends, where: str) -> None:
    if ends.at_end > ends.at_open:
        raise BarError(
            f"{where}: not stamped at their end, got {_weeks(ends.at_end)} whose last bar then "
            "ends a minute after Friday 17:00 New York; expected none. Leave "
            f"{option('stamped', 'close')} out."
        )
    written = utc + pd.Timedelta(minutes=1)
    shown = counted(written, sides(written))
    if shown.prove_open:
        raise BarError(
            f"{where}: not stamped at their end, got {_weeks(shown.at_open)} that then begin at "
            "Sunday 16:59 or end at Friday 16:59 New York, a minute early; expected 17:00. Leave "
            f"{option('stamped', 'close')} out."
        )


def _weeks(count: int) -> str:
    return f"{count} week{'s' * (count != 1)}"
