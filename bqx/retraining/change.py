"""Since when a served version does worse than it did: where what it has learnt has ended.

Its gain over the martingale, day by day since its training, is split where the mean of the later
days falls most below that of the earlier ones, in standard errors. What lies before such a day
tells a challenger of a market that is no more.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.learning import samples
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.retraining import forecasts

Series = NDArray[np.float64]

BEFORE, AFTER = 15, 8
"""Fewest days of each side."""
WORSE = -3.0
"""t of the fall from which it counts: the least of all splits is beyond it by chance in a few of a
hundred looks, and what is then trained has to pass the gate like any other."""
STRIDE = 5
"""Minutes between the rows that are looked at."""


@dataclass(frozen=True)
class Change:
    """``day`` : first trading day after it, days since 1970-01-01; ``t`` : of the fall."""

    day: int
    t: float

    def __str__(self) -> str:
        return f"{np.datetime64(self.day, 'D')} (t {self.t:.1f})"


def of(champion: Bundle, bars: Bars, params: Params) -> Change | None:
    """The change of a served version's gain on bars after its training, None where there is none
    beyond chance."""
    trained = int(champion.trained_until.timestamp()) // 60 + max(champion.horizons)
    first = max(champion.lookback - 1, int(np.searchsorted(bars.minutes, trained, side="right")))
    rows = np.arange(first, len(bars), STRIDE)
    if not len(rows):
        return None
    kept = forecasts.of(champion, bars, rows) * forecasts.betas(champion)
    labels = samples.labels_of(samples.targets_of(bars, params))
    label = np.column_stack([labels[h][rows] for h in params.horizons])
    forecast = kept[:, [champion.horizons.index(h) for h in params.horizons]]
    gain = pd.DataFrame(label**2 - (label - forecast) ** 2).mean(axis=1, skipna=False)
    daily = gain.groupby(sessions.trading_days(bars.minutes[rows])).mean().dropna()
    return split(daily.index.to_numpy(np.int64), daily.to_numpy())


def split(days: NDArray[np.int64], gains: Series) -> Change | None:
    """The day at which (D,) gains fall most, None where they do not beyond chance."""
    falls = [
        (_fall(gains[:place], gains[place:]), place)
        for place in range(BEFORE, len(gains) - AFTER + 1)
    ]
    t, place = min(falls, default=(0.0, 0))
    return Change(int(days[place]), float(t)) if t < WORSE else None


def _fall(before: Series, after: Series) -> float:
    error = np.sqrt(before.var(ddof=1) / len(before) + after.var(ddof=1) / len(after))
    return float((after.mean() - before.mean()) / error) if error > 0.0 else 0.0
