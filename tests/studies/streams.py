"""Streams for the study of monitoring: a panel's days, altered in one way, as every detector reads
them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.learning import baseline, hours, losses, targets
from bqx.learning.baseline import Baseline
from bqx.learning.day_statistics import day_statistics
from bqx.market import planted, sessions
from bqx.market.bars import Bars
from bqx.monitoring.panel import Day

BASELINE_DAYS, LATER_DAYS = 84, 30
HORIZON = WINDOW = 15
START = 2_500
"""First row with columns: after every lookback."""
COLUMNS = tuple(
    Column(feature)
    for feature in catalog.profile("core")[::25]
    if feature.lookback < 2_000 and not feature.fit_key
)


@dataclass(frozen=True)
class Stream:
    """A pair's rows: ``bars``; ``rows`` of ``x``, its columns and those of bars; ``performance`` of
    its forecasts."""

    bars: Bars
    rows: np.ndarray
    x: np.ndarray
    performance: pd.DataFrame

    @cached_property
    def every(self) -> np.ndarray:
        """Trading day of each bar."""
        return sessions.trading_days(self.bars.minutes)

    @cached_property
    def day(self) -> np.ndarray:
        """Trading day of each row."""
        return self.every[self.rows]

    @cached_property
    def ranges(self) -> np.ndarray:
        """Log range of each bar."""
        return baseline.bar_columns(self.bars)[:, 0]


def days_of(bars: Bars) -> np.ndarray:
    """Whole trading days of bars whose columns are there, ascending."""
    day, count = np.unique(sessions.trading_days(bars.minutes[START:]), return_counts=True)
    return day[count > sessions.DAY // 2]


def stream(bars: Bars, forecast: np.ndarray, first: int = START) -> Stream:
    """The stream of a pair and (T,) forecasts of its innovation."""
    rows = np.arange(first, len(bars), baseline.STEP)
    rows = rows[np.isfinite(bars.close[rows])]
    x = np.concatenate((lags.matrix(bars, COLUMNS, rows), baseline.bar_columns(bars)[rows]), axis=1)
    target = targets.make(bars, WINDOW, HORIZON)
    performance = losses.of_days(target, bars.minutes, rows, forecast[rows])
    return Stream(bars, rows, x, performance)


def noise(bars: Bars, seed: int) -> np.ndarray:
    """Forecasts without information that wander as models' do."""
    rng = np.random.default_rng(seed)
    return 0.1 * pd.Series(rng.normal(size=len(bars))).ewm(span=60).mean().to_numpy() * 7.8


def oracle(bars: Bars, signal: pd.DataFrame) -> np.ndarray:
    """The forecast of one who knows what was planted, in sigma."""
    drift = signal[bars.pair].reindex(bars.ts).fillna(0.0).to_numpy()
    decay = signal["decay"].reindex(bars.ts).ffill().bfill().to_numpy()
    target = targets.make(bars, WINDOW, HORIZON)
    return planted.oracle(drift, decay, window=WINDOW, horizon=HORIZON) / target.sigma


def baseline_of(own: Stream, last: int) -> Baseline:
    """The baseline of a stream's days before one."""
    kept = own.day < last
    known = (own.every >= own.day[0]) & (own.every < last)
    performance = own.performance
    return baseline.of_columns(
        own.x[kept],
        own.bars.minutes[own.rows[kept]],
        (*COLUMNS, *baseline.BARS),
        hours=hours.of_bars(own.bars, known, own.ranges),
        performance=performance[performance["day"] < last],
    )


def day_of(own: Stream, known: Baseline, day: int) -> Day:
    """One day of a stream, as the daily check sees it."""
    before = own.day[own.day < day]
    statistics, earlier = (
        day_statistics(own.x[own.day == number], own.day[own.day == number], known.columns)
        for number in (day, int(before.max()))
    )
    kept = (own.every >= day - 3) & (own.every <= day)
    performance = own.performance
    return Day(
        statistics,
        earlier,
        hours.mean_range(own.bars.minutes[kept], own.ranges[kept]),
        performance[performance["day"] == day],
        1.0,
    )


def louder(bars: Bars, row: int, factor: float) -> Bars:
    """The bars with returns that are larger from a row on."""
    frame = bars.frame.copy()
    rates = ["open", "high", "low", "close"]
    values = np.log(frame[rates].to_numpy())
    close = pd.Series(values[:, 3]).ffill().to_numpy()
    before = np.concatenate(([close[0]], close[:-1]))
    steps = values - before[:, None]
    moved = np.nan_to_num(steps[:, 3]) * np.where(np.arange(len(bars)) >= row, factor, 1.0)
    path = close[0] + np.cumsum(moved)
    start = np.concatenate(([path[0]], path[:-1]))
    scale = np.where(np.arange(len(bars)) >= row, factor, 1.0)[:, None]
    frame[rates] = np.exp(start[:, None] + scale * steps)
    return Bars(bars.pair, frame, bars.baseline)


def shifted(own: Stream, day: int, column: int) -> Stream:
    """One column higher by one of its deviations from a day on."""
    x = own.x.copy()
    x[own.day >= day, column] += np.nanstd(x[own.day < day, column])
    return replace(own, x=x)


def constant(own: Stream, day: int, column: int) -> Stream:
    """One column broken from a day on: it keeps its last value."""
    x = own.x.copy()
    x[own.day >= day, column] = x[own.day < day, column][-1]
    return replace(own, x=x)


def apart(own: Stream, day: int, column: int) -> Stream:
    """One column from a day on that of the rows half a day earlier: its own distribution and
    memory, and none of its dependence."""
    x, later = own.x.copy(), np.flatnonzero(own.day >= day)
    x[later, column] = own.x[later - sessions.DAY // 2 // baseline.STEP, column]
    return replace(own, x=x)


def flipped(own: Stream, forecast: np.ndarray, day: int) -> Stream:
    """Forecasts of the opposite sign from a day on."""
    turned = np.where(own.every >= day, -forecast, forecast)
    target = targets.make(own.bars, WINDOW, HORIZON)
    performance = losses.of_days(target, own.bars.minutes, own.rows, turned[own.rows])
    return replace(own, performance=performance)
