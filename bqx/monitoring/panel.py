"""One verdict for a day of the whole panel.

A statistic each for four things that may go wrong: volatility steps away, a column moves, columns
stop going along with each other, forecasts get worse. Each is one number for all
pairs and columns, and alarms where it lies beyond what the baseline's days, left out one by one,
make likely. Thresholds so know of the autocorrelation within days and of the columns' dependence;
together the statistics alarm on about one quiet day in a hundred (`SIZES`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bqx.errors import ParameterError
from bqx.evaluation.screening import false_discovery_rate
from bqx.learning.baseline import Baseline
from bqx.learning.day_statistics import DayStatistics
from bqx.monitoring import drift
from bqx.monitoring.usual import LEAST_DAYS, WHOLE, Usual
from bqx.monitoring.volatility import HOURS, Steps

Series = NDArray[np.float64]

SIZES = {
    "volatility_up": 0.005,
    "volatility_down": 0.001,
    "columns": 0.0005,
    "dependence": 0.0005,
    "skill": 0.001,
}
"""Share of quiet days on which a statistic may alarm."""
DISCOVERY = 0.05
"""Share of columns called drifted that may be quiet ones."""
LEAST_SHARE = 0.3
"""Least share of a day by which skill is judged: of the baseline's days by their rows; of a later
one by its hours, since a capture keeps a share of the rows of each."""
_USUAL = 1.0
"""Deviations of the farthest dependence of a day that are as good as none, where few columns have
neighbours."""


@dataclass(frozen=True)
class Day:
    """A day of a pair: statistics of its columns and those of the day before where there are any,
    hourly ranges of both, how its forecasts did (see `losses.of_days`), and the share of the day's
    hours that have any."""

    statistics: DayStatistics
    before: DayStatistics | None
    hours: pd.DataFrame
    performance: pd.DataFrame
    share: float


@dataclass(frozen=True)
class Verdict:
    """``statistics`` : one row per statistic: value, threshold, alarm, sentence; ``columns`` : one
    row per pair and column: how far it moved, and what fixed thresholds would have said."""

    statistics: pd.DataFrame
    columns: pd.DataFrame

    @property
    def alarm(self) -> bool:
        """Whether any statistic alarms."""
        return bool(self.statistics["alarm"].any())


class Panel:
    """Baselines of some pairs, and what their quiet days are like together."""

    def __init__(self, baselines: Mapping[str, Baseline]) -> None:
        self.baselines = dict(baselines)
        for pair, baseline in self.baselines.items():
            if len(baseline.days.days) < LEAST_DAYS:
                raise ParameterError(
                    f"{pair}: too short a baseline, got {len(baseline.days.days)} days; expected "
                    f"at least {LEAST_DAYS}. Train on more days (train_days)."
                )
        self._steps = Steps(*_mean_range({p: b.hours for p, b in self.baselines.items()}))
        self._usual = {pair: Usual(of.days, of.columns) for pair, of in self.baselines.items()}
        self._skill = _skill({p: b.performance for p, b in self.baselines.items()})
        self._farthest = {
            name: np.log([values[name] for values in self._by_day().values()])
            for name in ("columns", "dependence")
        }

    def _by_day(self) -> dict[int, dict[str, float]]:
        """Farthest score of each whole day of the baselines."""
        farthest: dict[int, dict[str, float]] = {}
        for pair, usual in self._usual.items():
            scores = usual.of_baseline()
            daily = self.baselines[pair].days
            rows = daily.rows.max(axis=1) + daily.missing.min(axis=1)
            for number in np.flatnonzero(rows >= WHOLE * np.median(rows)):
                day = farthest.setdefault(int(daily.days[number]), {})
                for name, values in _farthest({k: v[number] for k, v in scores.items()}).items():
                    day[name] = max(day.get(name, 1e-3), values)
        return farthest

    def judge(self, days: Mapping[str, Day]) -> Verdict:
        """Judge one day of the pairs that have rows of it."""
        scores = {
            pair: self._usual[pair].of(day.statistics, day.before) for pair, day in days.items()
        }
        rows = [*self._volatility(days), *self._columns(scores), *self._performance(days)]
        moved = [
            _moved(pair, self.baselines[pair], day.statistics, scores[pair])
            for pair, day in days.items()
        ]
        columns = pd.concat(moved, ignore_index=True)
        tested = columns["p"].notna()
        q = np.full(len(columns), np.nan)
        q[tested] = false_discovery_rate(columns.loc[tested, "p"].to_numpy())
        columns["drifted"] = np.nan_to_num(q, nan=1.0) <= DISCOVERY
        return Verdict(pd.DataFrame(rows), columns)

    def _volatility(self, days: Mapping[str, Day]) -> list[dict[str, object]]:
        hours, level = _mean_range({pair: day.hours for pair, day in days.items()})
        last = int(max(day.statistics.days[-1] for day in days.values()))
        grid = np.full((2, HOURS), np.nan)
        number = hours // HOURS
        if len(number):
            newest = number.max()
            for row in (0, 1):
                in_day = number == newest - 1 + row
                grid[row, hours[in_day] % HOURS] = level[in_day]
        step, usual = self._steps.step(*grid), self._steps.baseline
        deviation = usual.std(ddof=1) * np.sqrt(1 + 1 / len(usual))
        up, down = (
            stats.t.ppf(1 - SIZES[f"volatility_{way}"], len(usual) - 1) * deviation
            for way in ("up", "down")
        )
        factor = np.exp(step)
        out = [
            _row("volatility_up", factor, np.exp(up), bool(step > up)),
            _row("volatility_down", factor, np.exp(-down), bool(step < -down)),
        ]
        return [row | {"day": last} for row in out]

    def _columns(self, scores: Mapping[str, Mapping[str, Series]]) -> list[dict[str, object]]:
        farthest = [_farthest(of) for of in scores.values()]
        rows = []
        for name, usual in self._farthest.items():
            value = max(of[name] for of in farthest)
            t = stats.t.ppf(1 - SIZES[name], len(usual) - 1)
            spread = max(usual.std(ddof=1), 0.05) * np.sqrt(1 + 1 / len(usual))
            threshold = np.exp(usual.mean() + t * spread)
            rows.append(_row(name, value, threshold, bool(value > threshold)))
        return rows

    def _performance(self, days: Mapping[str, Day]) -> list[dict[str, object]]:
        today = _skill({pair: day.performance for pair, day in days.items()})
        usual = self._skill.to_numpy()
        share = sum(day.share for day in days.values()) / len(self.baselines)
        if len(usual) < LEAST_DAYS or not usual.std() or today.empty or share < LEAST_SHARE:
            return []
        t = stats.t.ppf(1 - SIZES["skill"], len(usual) - 1)
        # The skill of part of a day varies by so much more.
        threshold = usual.mean() - t * usual.std(ddof=1) * np.sqrt(1 / share + 1 / len(usual))
        value = float(today.iloc[-1])
        return [_row("skill", value, threshold, value < threshold)]


def _row(name: str, value: float, threshold: float, alarm: bool) -> dict[str, object]:
    return {"statistic": name, "value": value, "threshold": threshold, "alarm": alarm}


def _mean_range(hours: Mapping[str, pd.DataFrame]) -> tuple[NDArray[np.int64], Series]:
    """Market hours, and the mean of the pairs' log ranges in each."""
    frame = pd.concat(list(hours.values()), ignore_index=True)
    mean = frame.groupby("market_hour")["range"].mean().dropna()
    return mean.index.to_numpy(np.int64), mean.to_numpy()


def _skill(performance: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Skill of all pairs and horizons by day."""
    frames = [frame for frame in performance.values() if len(frame)]
    if not frames:
        return pd.Series(dtype=np.float64)
    summed = pd.concat(frames).groupby("day")[["loss", "known_loss", "rows"]].sum()
    whole = summed[summed["rows"] >= LEAST_SHARE * summed["rows"].median()]
    return 1.0 - whole["loss"] / whole["known_loss"]


def _farthest(scores: Mapping[str, Series]) -> dict[str, float]:
    """Largest distance of one day, of the columns by themselves and of dependence that is less."""
    alone = np.concatenate([scores[name] for name in ("mean", "spread")])
    return {
        "columns": float(np.nanmax(np.abs(alone), initial=1e-3)),
        "dependence": float(np.nanmax(-scores["dependence"], initial=_USUAL)),
    }


def _moved(
    pair: str, baseline: Baseline, day: DayStatistics, scores: Mapping[str, Series]
) -> pd.DataFrame:
    """One row per column: how far it moved, by which measure, and its indices."""
    names = list(scores)
    table = np.column_stack([np.nan_to_num(scores[name]) for name in names])
    worst = np.abs(table).argmax(axis=1)
    z = table[np.arange(len(table)), worst]
    days = len(baseline.days.days)
    # Each measure is one more chance.
    p = np.minimum(len(names) * 2 * stats.t.sf(np.abs(z), days - 1), 1.0)
    usual, later = baseline.days.counts.sum(axis=0), day.counts[0]
    index = drift.fixed(usual, later, np.abs(day.mean[0]))
    return pd.DataFrame(
        {
            "pair": pair,
            "column": baseline.columns["column"],
            "domain": baseline.columns["domain"],
            "measure": np.array(names)[worst],
            "deviations": z,
            "p": np.where(usual.sum(axis=1) > 0, p, np.nan),
            **index,
        }
    )
