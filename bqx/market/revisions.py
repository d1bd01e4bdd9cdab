"""Bars as they were known at a time: a late or corrected bar is a version beside the first.

A frame of versions is a bar frame, bars repeated, with a column ``known_at``: when that version
became known, never before the bar's end. Its rows may stand in any order of time; of versions of
one bar that became known at one time the last row counts.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import BarError

KNOWN = "known_at"

_MINUTE = pd.Timedelta(minutes=1)


def with_known(frame: pd.DataFrame, known_at: pd.Timestamp | None = None) -> pd.DataFrame:
    """Bars as versions that became known at a time, default at their ends as if none was late.

    Raises BarError when they became known before they ended.
    """
    ends = pd.DatetimeIndex(frame.index) + _MINUTE
    known = ends if known_at is None else pd.DatetimeIndex([known_at] * len(frame), tz="UTC")
    return frame.assign(**{KNOWN: checked(frame.index, known)})


def checked(ts: pd.DatetimeIndex, known: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The times at which bars became known; BarError when one was known before it ended."""
    early = known < ts + _MINUTE
    if early.any():
        row = int(early.argmax())
        raise BarError(
            f"known_at row {row + 1:,}: known before its end, got {known[row]} for the bar of "
            f"{ts[row]}; expected {ts[row] + _MINUTE} or later ({int(early.sum()):,} such rows)."
        )
    return known


def newest(
    ts: NDArray[np.int64], known: NDArray[np.int64], time: int | None = None
) -> NDArray[np.int64]:
    """Rows of the versions that count at a time, in the order of bars.

    Parameters
    ----------
    ts, known : (T,) times of bars and of their becoming known, in one unit and any order.
    time : what became known later is left out; default nothing is.
    """
    rows = np.arange(len(ts)) if time is None else np.flatnonzero(known <= time)
    # Stable, so that the last row stands last among versions of one time.
    rows = rows[np.lexsort((known[rows], ts[rows]))]
    bars = ts[rows]
    return rows[np.r_[bars[1:] != bars[:-1], np.ones(min(len(rows), 1), dtype=bool)]]


def as_of(versions: pd.DataFrame, time: pd.Timestamp | None = None) -> pd.DataFrame:
    """Bars as they were known at a time, default as they are known now.

    >>> ts = pd.DatetimeIndex(["2024-01-08 09:30"] * 2, tz="UTC")
    >>> known = pd.DatetimeIndex(["2024-01-08 09:31", "2024-01-08 12:00"], tz="UTC")
    >>> versions = pd.DataFrame({"close": [1.1, 1.2], "known_at": known}, index=ts)
    >>> as_of(versions, pd.Timestamp("2024-01-08 11:59", tz="UTC"))["close"].tolist()
    [1.1]
    """
    known = pd.DatetimeIndex(versions[KNOWN]).as_unit("ns").asi8
    ts = pd.DatetimeIndex(versions.index).as_unit("ns").asi8
    limit = None if time is None else time.as_unit("ns").value
    return versions.iloc[newest(ts, known, limit)].drop(columns=KNOWN)
