"""Feeds that stand still: how often pairs are called frozen that are not, and how soon those that
are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bqx.learning import hours
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.monitoring import bar_quality

BUSY = range(9, 21)
"""Hours of the market's day, which begins at 17:00 in New York, with London or New York awake."""


@dataclass(frozen=True, eq=False)
class Feeds:
    """Pairs' feeds by minute: (T,) ``minutes`` and their trading ``day``; (T, P) minutes for which
    a pair has been ``still``, and its mean log range of the newest ones, ``ranges``; ``hours`` of
    all days by pair."""

    pairs: list[str]
    minutes: np.ndarray
    day: np.ndarray
    still: np.ndarray
    ranges: np.ndarray
    hours: dict[str, pd.DataFrame]

    def known(self, before: int, days: int) -> dict[str, pd.DataFrame]:
        """Hours of the last trading days before one."""
        numbers = np.unique(self.day[self.day < before])[-days:]
        rows = np.flatnonzero((self.day >= numbers[0]) & (self.day < before))
        first, last = hours.market_hour(self.minutes[rows[[0, -1]]])
        return {p: of[of["market_hour"].between(first, last)] for p, of in self.hours.items()}

    def called(self, row: int, usual: dict[str, pd.DataFrame], alone: dict[int, int]) -> list[str]:
        """Pairs that are called frozen at a row; ``alone`` : minutes for which some have stood
        still instead of their own."""
        still = self.still[row].copy()
        still[list(alone)] = list(alone.values())
        return bar_quality.frozen(
            dict(zip(self.pairs, still.tolist(), strict=True)),
            dict(zip(self.pairs, self.ranges[row].tolist(), strict=True)),
            usual,
            int(self.minutes[row]),
        )


def feeds_of(bars: dict[str, Bars]) -> Feeds:
    """Feeds of bars on one grid."""
    minutes = next(iter(bars.values())).minutes
    every = np.ones(len(minutes), bool)
    ranges = {p: hours.log_ranges(p, hours.columns_of(own)) for p, own in bars.items()}
    newest = pd.DataFrame(ranges).rolling(bar_quality.RECENT, min_periods=1).mean()
    return Feeds(
        list(bars),
        minutes,
        sessions.trading_days(minutes),
        np.column_stack([hours.standstills(own) for own in bars.values()]),
        newest.to_numpy(),
        {pair: hours.of_bars(own, every, ranges[pair]) for pair, own in bars.items()},
    )


def quiet(feeds: Feeds, days: list[int], baseline: int) -> dict[str, Any]:
    """How often pairs are called frozen on some days, by the hours of the days before each: times
    that this begins, and those on days on which no pair was quoted for an hour."""
    begun: list[int] = []
    for day in days:
        usual = feeds.known(day, baseline)
        rows = np.flatnonzero((feeds.day == day) & (feeds.still >= bar_quality.STILL).any(axis=1))
        alarms = [row for row in rows.tolist() if feeds.called(row, usual, {})]
        begun += [day] * sum(row - 1 not in alarms for row in alarms)
    closed = feeds.day[(feeds.still >= 60).all(axis=1)]
    return {
        "days": len(days),
        "alarms": len(begun),
        "on_closed_days": int(np.isin(begun, closed).sum()),
    }


def stopped(feeds: Feeds, days: list[int], baseline: int, draws: int) -> dict[str, list[int]]:
    """Minutes in which a pair that stops while the others go on is called frozen, of pairs and
    minutes of some days drawn at random: in ``busy`` hours, and in the ``quiet`` ones."""
    rng = np.random.default_rng(draws)
    found: dict[str, list[int]] = {"busy": [], "quiet": []}
    for day in rng.choice(days, draws).tolist():
        usual = feeds.known(day, baseline)
        rows = np.flatnonzero(feeds.day == day)
        row, pair = int(rng.choice(rows[: -hours.LONGEST])), int(rng.integers(len(feeds.pairs)))
        hour = int(hours.market_hour(feeds.minutes[[row]])[0]) % hours.DAY
        minutes = next(
            m
            for m in range(1, hours.LONGEST + 1)
            if feeds.pairs[pair] in feeds.called(row + m - 1, usual, {pair: m})
        )
        found["busy" if hour in BUSY else "quiet"].append(minutes)
    return found
