"""What a pair's columns are like from day to day, and how far a day is from that."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.learning.baseline import WANDERING
from bqx.learning.day_statistics import DayStatistics, memory

Series = NDArray[np.float64]

LEAST_DAYS = 10
"""Fewest days of a baseline."""
WHOLE = 0.9
"""Share of a usual day's rows from which a day is a whole one: columns that follow the time of the
day go along with each other otherwise without some of its hours."""
_FLOOR = 0.03
"""Least deviation between days of a mean or a log deviation: below it differences mean nothing."""


def _measures(days: DayStatistics) -> dict[str, Series]:
    """(D, F) what is compared between days."""
    return {
        "mean": days.mean.copy(),
        "spread": np.log(np.maximum(days.deviation, 1e-3)),
        "dependence": np.arctanh(np.clip(days.correlation, -0.999, 0.999)),
    }


class Usual:
    """What the measures of a pair's columns are like from day to day.

    A measure that remembers its yesterday, such as the mean of a rate's own level, is compared by
    its change: it would leave the baseline by itself.
    """

    def __init__(self, days: DayStatistics, columns: pd.DataFrame) -> None:
        self._rows = np.maximum(np.median(days.rows, axis=0), 1.0)
        ends = [f"hour_{of}_{end}" for of in ("mean", "std") for end in ("lo", "hi")]
        self._hours = columns[ends].to_numpy(np.float64).T.reshape(2, 2, -1)
        self._values = _measures(days)
        self._wandering = {name: memory(of) > WANDERING for name, of in self._values.items()}
        for name, values in self._values.items():
            moving = self._wandering[name]
            values[1:, moving] = np.diff(values[:, moving], axis=0)
            values[0, moving] = np.nan

    def of_baseline(self) -> dict[str, Series]:
        """(D, F) distances of the baseline's own days, each from the others."""
        return {name: _distance(values, values, own=True) for name, values in self._values.items()}

    def of(self, day: DayStatistics, before: DayStatistics | None) -> dict[str, Series]:
        """(F,) distances of a day; NaN for the change of a measure without the day before.

        Where a day lacks rows, the least unusual counts of what the whole day may have been.
        """
        later = self._whole(day)
        earlier = None if before is None else _measures(before)
        scores = {}
        for name, values in self._values.items():
            moving = self._wandering[name]
            later[name][:, moving] -= np.nan if earlier is None else earlier[name][-1, moving]
            low, high = _distance(values, later[name], own=False)[[0, -1]]
            scores[name] = np.where((low < 0) & (high > 0), 0.0, np.where(low >= 0, low, high))
        return scores

    def _whole(self, day: DayStatistics) -> dict[str, Series]:
        """(2, F) least and largest measure of a day whose absent rows, such as those after a hole,
        were like those of some hour of the baseline; (1, F) where there is no saying, see `WHOLE`.
        """
        share = np.minimum(day.rows[0] / self._rows, 1.0)
        mean, deviation = day.mean[0], day.deviation[0]
        # What wanders may be beyond all hours of the baseline.
        moments = np.stack((mean, deviation))[:, None]
        both = np.concatenate((self._hours, moments), axis=1)
        (low, narrow), (high, wide) = np.fmin.reduce(both, 1), np.fmax.reduce(both, 1)
        away = np.stack((0.0 * mean, np.maximum(mean - low, high - mean)))
        absent = np.stack((narrow, wide)) ** 2 + share * away**2
        power = share * deviation**2 + (1.0 - share) * absent
        return {
            "mean": share * mean + (1.0 - share) * np.stack((low, high)),
            "spread": np.log(np.maximum(np.sqrt(power), 1e-3)),
            "dependence": np.where(share >= WHOLE, _measures(day)["dependence"], np.nan),
        }


def _distance(usual: Series, later: Series, *, own: bool) -> Series:
    """(L, F) distances of later values from the (D, F) usual ones, in deviations between these;
    ``own`` : they are the usual ones, and each is compared with the others."""
    finite = np.isfinite(usual)
    filled = np.where(finite, usual, 0.0)
    count, total, square = finite.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)
    less = filled if own else np.zeros_like(later)
    n = count - finite if own else count + np.zeros_like(later)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (total - less) / n
        variance = ((square - less**2) / n - centre**2) * n / (n - 1)
        deviation = np.sqrt(np.maximum(variance, _FLOOR**2) * (1 + 1 / n))
        distance = (later - centre) / deviation
    return np.where(n >= LEAST_DAYS - 2, distance, np.nan)
