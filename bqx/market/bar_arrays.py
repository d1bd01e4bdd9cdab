"""Bars as plain arrays: the rules that they obey, and the grid of minutes.

What `bqx.market.bars` does to frames is done here; a server, which answers in milliseconds, has no
frames.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.market import sessions

RATES = ("open", "high", "low", "close")
COLUMNS = (*RATES, "volume", "spread")
CLOSED_SHARE = 0.01
"""Largest share of bars outside the FX week that is taken for stray bars, not a wrong clock."""

CLOSE, VOLUME, SPREAD = (COLUMNS.index(name) for name in ("close", "volume", "spread"))
FILLED = len(COLUMNS)
"""Column of the grid that says whether a bar was carried, 1 or 0."""

JUMP = 1.4
"""Factor from bar to bar of a week that no rate of the eight currencies ever made."""
STRAY_SPREAD = 0.01
"""Spread of a bar, share of the rate, beyond which it is a stray tick of the ask."""

ASCENDING, WHOLE = "ascending times", "whole minutes"
MEND, MENDS = "Drop the rows or fix the feed.", {ASCENDING: "Sort the rows by their time."}
"""What a user does about rows that break a rule, and about those that break some."""
OFF_THE_MINUTE = "Set each time to the minute at which its bar opens, or fetch the bars again."
"""What a user does where more than a few times are off the minute."""
Rule = tuple[NDArray[np.bool_], str, str]
"""Rows that break a rule, what is wrong with one of them, and the rule."""


def jumps(minutes: NDArray[np.int64], close: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows (T,) after a change within a week that no rate ever made; ``minutes`` ascend."""
    out = np.zeros(len(minutes), dtype=bool)
    ratio = close[1:] / close[:-1]
    out[1:] = ((ratio > JUMP) | (ratio < 1 / JUMP)) & (np.diff(minutes) < sessions.WEEK)
    return out


def check(
    stamps: NDArray[np.int64],
    columns: NDArray[np.float64],
    where: str,
    lines: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Which bars are those of the open market, after all have been checked.

    Parameters
    ----------
    stamps : (T,) bar opens, nanoseconds since 1970 UTC; columns : (6, T), as `COLUMNS`.
    where, lines : see `bars.validate`.

    Raises BarError as `bars.validate` does.
    """
    minutes = stamps // 60_000_000_000
    is_open = sessions.is_open(minutes)
    for broken, what, rule in _rules(stamps, columns, ~is_open):
        if broken.any():
            row = int(np.argmax(broken))
            line = f"row {row + 1:,}" if lines is None else f"line {lines[row]:,}"
            values = dict(zip(COLUMNS, columns[:, row].tolist(), strict=True))
            import pandas as pd

            raise BarError(
                f"{where} {line} ({pd.Timestamp(stamps[row], tz='UTC')}): {what.format(**values)}; "
                f"expected {rule} ({int(broken.sum()):,} such rows). {_mend(rule, broken)}"
            )
    return is_open


def _mend(rule: str, broken: NDArray[np.bool_]) -> str:
    # Of times that are all off the minute, dropping the rows would leave none.
    if rule == WHOLE and broken.mean() > CLOSED_SHARE:
        return OFF_THE_MINUTE
    return MENDS.get(rule, MEND)


def _rules(
    stamps: NDArray[np.int64], columns: NDArray[np.float64], closed: NDArray[np.bool_]
) -> Iterator[Rule]:
    """The rules of bars in their order; each stands on those above it."""
    step = np.diff(stamps, prepend=stamps[0] - 1)
    yield step < 0, "the time is before the row above", ASCENDING
    yield step == 0, "the time repeats the row above", "one bar a minute"
    yield stamps % 60_000_000_000 > 0, "the time has seconds", WHOLE
    rates = columns[: len(RATES)]
    values = "open {open:.8g}, high {high:.8g}, low {low:.8g}, close {close:.8g}"
    yield ~np.logical_and.reduce(np.isfinite(rates) & (rates > 0)), values, "positive rates"
    high, low = rates[1], rates[2]
    yield high < low, "high {high:.8g} is below low {low:.8g}", "high >= low"
    yield high < rates.max(axis=0), values, "high as the largest rate"
    yield low > rates.min(axis=0), values, "low as the smallest rate"
    for name, column in (("volume", columns[VOLUME]), ("spread", columns[SPREAD])):
        yield column < 0, f"{name} {{{name}:.8g}}", f"{name} >= 0"
        yield np.isinf(column), f"{name} {{{name}:.8g}}", "a finite one"
    week = "bars between Sunday 17:00 and Friday 17:00 New York"
    if closed.mean() > CLOSED_SHARE:
        rule = f"{week}, so the clock of the file seems to be another one"
        yield closed, "the market is closed", rule


def on_grid(
    minutes: NDArray[np.int64],
    columns: NDArray[np.float64],
    grid: NDArray[np.int64],
    max_fill: int,
) -> NDArray[np.float64]:
    """(7, n) bars on the minutes of a grid, see `bars.to_grid`; `FILLED` is the last column.

    Parameters
    ----------
    minutes : (T,) ascending epoch minutes of bars; columns : (6, T), as `COLUMNS`.
    grid : (n,) epoch minutes, see `sessions.grid`.
    """
    out = np.full((FILLED + 1, len(grid)), np.nan)
    rows = np.searchsorted(grid, minutes)
    there = (rows < len(grid)) & (grid[np.minimum(rows, len(grid) - 1)] == minutes)
    out[:FILLED, rows[there]] = columns[:, there]
    missing = np.isnan(out[CLOSE])
    position = np.arange(len(grid))
    before = np.maximum.accumulate(np.where(missing, -1, position))
    after = np.minimum.accumulate(np.where(missing, len(grid), position)[::-1])[::-1]
    fill = missing & (before >= 0) & (after < len(grid)) & (after - before - 1 <= max_fill)
    volume = np.nan if np.isnan(out[VOLUME]).all() else 0.0
    out[: len(RATES), fill] = out[CLOSE, before[fill]]
    out[VOLUME, fill] = volume
    out[SPREAD, fill] = out[SPREAD, before[fill]]
    out[FILLED] = fill
    return out
