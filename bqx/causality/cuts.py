"""Rows to cut bars at: every hour of the week, and the edges where leaks like to hide."""

import numpy as np
from numpy.typing import NDArray

from bqx.market import sessions
from bqx.market.bars import Bars

Rows = NDArray[np.int64]

BUCKETS = (5, 15, 30, 60)
"""Minutes of the resampled bars at whose ends cuts are made."""

EARLY = 300
"""First rows, in which what has just begun may be mistaken."""

CLOCKS = (sessions.NEW_YORK, "Europe/London")
"""Places whose clock changes are cut at."""

HOURS = sessions.WEEK // 60
"""Hours of the week."""


def turns(bars: Bars) -> Rows:
    """Rows after which a week, a session, a hole, a fill, a month or a clock's summer begins or
    ends."""
    minutes = bars.minutes
    offsets = [sessions.local_minutes(minutes, zone) - minutes for zone in CLOCKS]
    month = bars.ts.year * 12 + bars.ts.month
    state = np.column_stack(
        [
            sessions.market_minutes(minutes) // sessions.WEEK,
            *(sessions.in_session(minutes, name) for name in sessions.SESSIONS),
            np.isnan(bars.close),
            bars.frame["filled"],
            month,
            *offsets,
        ]
    )
    changed = np.diff(state, axis=0) != 0
    # Months and clocks change rarely among so many sessions: they come first.
    rare = np.flatnonzero(changed[:, -1 - len(offsets) :].any(axis=1))
    return np.concatenate([rare, np.setdiff1d(np.flatnonzero(changed.any(axis=1)), rare)])


def cuts(bars: Bars, count: int, first: int = 0, *, seed: int = 0, met: Rows | None = None) -> Rows:
    """Rows to cut at, from ``first`` on, in ascending order.

    Up to a third at turns (see `turns`; half of these at month ends and clock changes where there
    are enough), a twelfth at the ends of buckets and one row before, a twelfth in Friday's last
    hour, a twelfth in the first 300 rows; the rest takes the hours of the week in turn. ``met`` :
    (120,) how often each hour was cut at before, counted on here.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(min(first, max(len(bars) - 2, 0)), len(bars) - 1)
    of_week = sessions.market_minutes(bars.minutes) % sessions.WEEK
    ends = np.concatenate([np.flatnonzero(bars.minutes % b == b - 1) for b in BUCKETS])
    friday = np.flatnonzero(of_week >= sessions.WEEK - 60)
    edges = turns(bars)
    sixth = max(count // 6, 1)
    forced = [
        _some(edges[: 2 * sixth], rows, sixth, rng),
        _some(edges[2 * sixth :], rows, count // 3 - sixth, rng),
        _some(ends, rows, count // 12, rng),
        _some(friday, rows, count // 12, rng),
        rng.permutation(rows[rows < EARLY])[: count // 12],
    ]
    chosen = np.unique(np.concatenate(forced)).astype(np.int64)
    chosen = np.sort(rng.permutation(chosen)[:count])
    free = rng.permutation(np.setdiff1d(rows, chosen))
    hour = of_week // 60
    met = np.zeros(HOURS, np.int64) if met is None else met
    met += np.bincount(hour[chosen], minlength=HOURS)
    # How many of its hour stand before a row: the first of every hour come before the second.
    order = np.argsort(hour[free], kind="stable")
    begins = np.searchsorted(hour[free][order], np.arange(HOURS))
    nth = np.empty(len(free), np.int64)
    nth[order] = np.arange(len(free)) - begins[hour[free][order]]
    free = free[np.argsort(nth + met[hour[free]], kind="stable")][: count - len(chosen)]
    met += np.bincount(hour[free], minlength=HOURS)
    return np.sort(np.append(chosen, free)).astype(np.int64)


def _some(edges: Rows, rows: Rows, count: int, rng: np.random.Generator) -> Rows:
    """The edges, the row before or the row after them: ``count`` of them."""
    shifted = edges + rng.integers(-1, 2, len(edges))
    return rng.permutation(np.intersect1d(shifted, rows))[:count]
