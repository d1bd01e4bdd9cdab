"""Cumulative sums of a series, each over its last rows alone.

Source: E. S. Page, Continuous inspection schemes, Biometrika 41 (1954).
"""

from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.abreast import deviation_of, deviation_with
from bqx.features.rolling.sums import F, mean_std

DRIFT, ALARM = 0.5, 5.0
"""Allowance of a cumulative sum a row, and the level from which it is an alarm, in sigma."""

_ABREAST = 64


@kernel
def _higher(total: float, most: float, at: float, step: float, back: float) -> Any:
    """A sum one step further, the largest so far and how many rows back that is."""
    total += step
    return total, total if total > most else most, back if total > most else at


@kernel
def _sums(x: F, start: int, window: int, std: F, room: F) -> None:
    """Sums upwards and downwards over the windows that end at rows from ``start`` on.

    ``room`` (6 x 64) : the sums, the largest of each, and the rows back to these. Four rows back at
    a time, so that it is seldom read and written.
    """
    for i in range(0, window, 4):
        values, back = x[start - i - 3 :], float(i)
        for k in range(len(std)):
            drift = DRIFT * std[k]
            three, two, one, now = values[k], values[k + 1], values[k + 2], values[k + 3]
            up, most, risen = room[k], room[k + 128], room[k + 256]
            up, most, risen = _higher(up, most, risen, now - drift, back + 1.0)
            up, most, risen = _higher(up, most, risen, one - drift, back + 2.0)
            up, most, risen = _higher(up, most, risen, two - drift, back + 3.0)
            up, most, risen = _higher(up, most, risen, three - drift, back + 4.0)
            room[k], room[k + 128], room[k + 256] = up, most, risen
            down, least, fallen = room[k + 64], room[k + 192], room[k + 320]
            down, least, fallen = _higher(down, least, fallen, -(now + drift), back + 1.0)
            down, least, fallen = _higher(down, least, fallen, -(one + drift), back + 2.0)
            down, least, fallen = _higher(down, least, fallen, -(two + drift), back + 3.0)
            down, least, fallen = _higher(down, least, fallen, -(three + drift), back + 4.0)
            room[k + 64], room[k + 192], room[k + 320] = down, least, fallen


@kernel
def cumulative(x: F, first_minute: int, memory: int, window: int) -> F:
    """Cumulative sum of the last ``window`` values beyond the allowance: (T, 3).

    The larger of the sums upwards and (then negative) downwards, started from 0, in deviations
    (ddof 1) of the last ``memory`` values, not fewer than ``window``; whether it is an alarm; rows
    since it was 0. The allowance is that of the row itself, hence of order ``window`` a row, which
    is a multiple of four.
    """
    rows = len(x)
    out = np.full((rows, 3), np.nan)
    std = mean_std(x, memory, first_minute, 1)[1]
    # Rows side by side, so that one's additions need not wait for one another.
    room = np.empty(6 * _ABREAST)
    for start in range(memory - 1, rows, _ABREAST):
        deviations = std[start : start + _ABREAST]
        if not np.nanmax(deviations) > 0.0:
            continue
        room[:] = 0.0
        _sums(x, start, window, deviations, room)
        for i in range(len(deviations)):
            if deviations[i] > 0.0:
                _read(out[start + i], room[i:], deviations[i])
    return out


@kernel
def _read(out: F, room: F, deviation: float) -> None:
    """Three readings of the sums of one row."""
    most, least, risen, fallen = room[128], room[192], room[256], room[320]
    out[0] = (most if most >= least else -least) / deviation
    out[1] = abs(out[0]) > ALARM
    out[2] = risen if most >= least else fallen


def begin(memory: int, window: int) -> F:
    """State of `go_on` before any row: the last values, and that of the deviation."""
    return np.concatenate((np.full(window, np.nan), deviation_of(memory)))


@kernel
def go_on(x: F, minute: int, memory: int, window: int, state: F) -> F:
    """What `cumulative` gives of a row (1, P), from the states of the rows before: (3, P)."""
    out, std, values = np.full((3, x.shape[1]), np.nan), np.empty(x.shape[1]), state[:window]
    deviation_with(x[0], minute, memory, state[window:], std)
    values[minute % window] = x[0]
    for first in range(0, len(std), _ABREAST):
        room, deviations = np.zeros(6 * _ABREAST), std[first : first + _ABREAST]
        for back in range(window):
            _sums_of_row(values[(minute - back) % window, first:], back + 1.0, deviations, room)
        for i in range(len(deviations)):
            if deviations[i] > 0.0:
                _read(out[:, first + i], room[i:], deviations[i])
    return out


@kernel
def _sums_of_row(values: F, back: float, std: F, room: F) -> None:
    """Sums, as those of `_sums`, with the values of several series one row further back."""
    for k in range(len(std)):
        drift = DRIFT * std[k]
        room[k], room[k + 128], room[k + 256] = _higher(
            room[k], room[k + 128], room[k + 256], values[k] - drift, back
        )
        room[k + 64], room[k + 192], room[k + 320] = _higher(
            room[k + 64], room[k + 192], room[k + 320], -(values[k] + drift), back
        )


@kernel
def first_of_sums(x: F, first_minute: int, memory: int, window: int) -> F:
    """The cumulative sum alone: (T, 1)."""
    return cumulative(x, first_minute, memory, window)[:, :1]


@kernel
def first_goes_on(x: F, minute: int, memory: int, window: int, state: F) -> F:
    """The same of a row (1, P), from the states of the rows before: (1, P)."""
    return go_on(x, minute, memory, window, state)[:1]
