"""What a model's columns and forecasts were like before it was served: the baseline of monitoring.

Neighbouring minutes hardly differ, so a day is what counts as a drawing here: beside each column's
statistics stand those of each of its days, by which a later day is judged. The bars themselves are
columns too, of the domain ``bars``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.feature_store.history import History
from bqx.features.engine.fitting import Fits
from bqx.features.lags import Column
from bqx.files import read_parquet, sha256, write_parquet
from bqx.learning import dependence, hours, losses, targets
from bqx.learning.baseline_files import FILES, path_of
from bqx.learning.day_statistics import (
    BINS,
    DayStatistics,
    Matrix,
    day_statistics,
    memory,
    scaled,
)
from bqx.market import sessions
from bqx.market.bars import Bars

if TYPE_CHECKING:
    from bqx.learning.bundle import Bundle

DAYS = 120
"""Most trading days that are kept, the newest."""
STEP = 5
"""Minutes from one row to the next of those that the statistics read."""
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
BARS = ("bar_range", "bar_return", "bar_spread")
"""Columns that are made of bars: log of the range in bp, log return in bp, log of the spread in
bp."""
DOMAIN = "bars"
WANDERING = 0.5
"""Correlation of daily means with those of the day before from which a column wanders, as a rate
does, and is not cut off."""


def bar_columns(bars: Bars) -> Matrix:
    """(T, 3) columns of `BARS`; NaN where a bar is absent or carried."""
    close = bars.close
    spread = np.where(bars.spread > 0, bars.spread, np.nan)
    returns = 1e4 * np.diff(np.log(close), prepend=np.nan)
    columns = np.column_stack(
        [
            hours.log_ranges(bars.pair, hours.columns_of(bars)),
            returns,
            np.log(1e4 * spread / close),
        ]
    )
    columns[bars.frame["filled"].to_numpy(bool)] = np.nan
    return columns.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Baseline:
    """Statistics of a pair's columns and forecasts in the days before its model was served.

    ``columns`` : one row per column: column, domain, lookback (bars), rows, missing (share), mean,
    std, min, max, percentiles ``p01``.. ``p99``, ``decile_1``.. ``decile_9``, its neighbours and
    their weights, see `dependence.of`, extremes over the hours:
    ``hour_mean_lo`` and ``_hi``, ``hour_std_lo`` and ``_hi`` of values as in ``days``; and
    ``wanders``, whether its level does.
    ``days`` : by day.
    ``hours`` : one row per market hour, see `hours.of_bars`.
    ``performance`` : one row per day and horizon, see `bqx.learning.losses.of_days`; of days
    that the model had not learnt from, none where there were no such forecasts.
    """

    columns: pd.DataFrame
    days: DayStatistics
    hours: pd.DataFrame
    performance: pd.DataFrame

    def save(self, bundle: Path) -> dict[str, str]:
        """Write four Parquet files into a bundle's folder and return their hashes by name."""
        frames = (self.columns, self._day_rows(), self.hours, self.performance)
        paths = [path_of(bundle, name) for name in FILES]
        for path, frame in zip(paths, frames, strict=True):
            write_parquet(path, frame)
        return {name: sha256(path) for name, path in zip(FILES, paths, strict=True)}

    def _day_rows(self) -> pd.DataFrame:
        daily = self.days
        shape = daily.missing.shape
        values = {
            "day": np.repeat(daily.days, shape[1]),
            "column": np.tile(self.columns["column"].to_numpy(), shape[0]),
            "missing": daily.missing.ravel(),
            "mean": daily.mean.ravel(),
            "deviation": daily.deviation.ravel(),
            "correlation": daily.correlation.ravel(),
        }
        for k in range(BINS):
            values[f"decile_{k}"] = daily.counts[..., k].ravel().astype(np.int32)
        return pd.DataFrame(values)


def read(bundle: Path) -> Baseline:
    """Read what `Baseline.save` wrote."""
    columns, rows, hours, performance = (read_parquet(path_of(bundle, name)) for name in FILES)
    days = rows["day"].unique()
    if "neighbour_1" not in columns:  # an older bundle's: dependence is not judged
        columns = pd.concat([columns, dependence.none(len(columns))], axis=1)
        rows["correlation"] = np.nan
    shape = (len(days), len(columns))
    counts = rows[[f"decile_{k}" for k in range(BINS)]].to_numpy(np.float64)
    names = ("missing", "mean", "deviation", "correlation")
    missing, mean, deviation, correlation = (
        rows[name].to_numpy(np.float64).reshape(shape) for name in names
    )
    return Baseline(
        columns,
        DayStatistics(
            days.astype(np.int64),
            counts.reshape(*shape, BINS),
            missing,
            mean,
            deviation,
            correlation,
        ),
        hours,
        performance,
    )


def of(
    bars: Bars,
    rows: NDArray[np.int64],
    x: Matrix,
    *,
    columns: Sequence[Column],
    performance: pd.DataFrame,
) -> Baseline:
    """The baseline of some rows of a pair's bars.

    Parameters
    ----------
    rows : (n,) ascending, see `rows_of`; x : (n, F) their columns.
    """
    bar_values = bar_columns(bars)
    first, last = (sessions.trading_days(bars.minutes[rows[[0, -1]]])).tolist()
    day = sessions.trading_days(bars.minutes)
    within = (day >= first) & (np.arange(len(bars)) <= rows[-1]) & (day <= last)
    return of_columns(
        np.concatenate((x, bar_values[rows]), axis=1),
        bars.minutes[rows],
        (*columns, *BARS),
        hours=hours.of_bars(bars, within, bar_values[:, 0]),
        performance=performance,
    )


def of_columns(
    x: Matrix,
    minutes: NDArray[np.int64],
    columns: Sequence[Column | str],
    *,
    hours: pd.DataFrame,
    performance: pd.DataFrame,
) -> Baseline:
    """The baseline of rows whose columns are at hand.

    Parameters
    ----------
    x : (n, F) columns; minutes : (n,) epoch minutes, ascending.
    columns : (F,) what they are; a name alone is of the domain ``bars``.
    """
    frame = _described(x, columns)
    day = sessions.trading_days(minutes)
    frame["wanders"] = False
    alone = pd.concat([frame, dependence.none(len(frame))], axis=1)
    frame["wanders"] = memory(day_statistics(x, day, alone).mean) > WANDERING
    kept = dependence.thinned(len(x))
    neighbours = dependence.chosen(scaled(x[kept], frame), day[kept])
    frame = pd.concat([frame, neighbours], axis=1)
    days = day_statistics(x, day, frame)
    frame = pd.concat([frame, _hourly(x, minutes, frame)], axis=1)
    return Baseline(frame, days, hours, performance)


def of_model(
    history: History,
    columns: Sequence[Column],
    *,
    window: int,
    fits: Fits,
    until: pd.Timestamp,
    performance: pd.DataFrame,
) -> Baseline:
    """The baseline of a model that was trained until a bar; ``window`` : its targets' longest."""
    rows = rows_of(history.bars, until, window)
    x = history.matrix(columns, rows, fits)
    return of(history.bars, rows, x, columns=columns, performance=performance)


def attached(packed: "Bundle", history: History, forecasts: pd.DataFrame) -> "Bundle":
    """A bundle with the baseline of its columns, and of its forecasts of rows that it has not
    learnt from: ``forecast`` by ``ts_utc`` and ``horizon``, in sigma."""
    statistics = of_model(
        history,
        packed.columns,
        window=max(map(packed.window_of, packed.horizons)),
        fits=packed.fits,
        until=pd.Timestamp(packed.trained_until),
        performance=losses.of_forecasts(history.bars, forecasts, packed.window_of),
    )
    return replace(packed, baseline_statistics=statistics)


def rows_of(bars: Bars, until: pd.Timestamp, window: int) -> NDArray[np.int64]:
    """Rows of the newest `DAYS` trading days up to a bar, every `STEP`-th of those that a server
    forecasts, see `forecast_rows`."""
    last = int(bars.ts.searchsorted(until, side="right"))
    day = sessions.trading_days(bars.minutes[:last])
    first = int(np.searchsorted(day, np.unique(day)[-DAYS:][0]))
    return forecast_rows(bars, np.arange(first, last, STEP), window)


def forecast_rows(bars: Bars, rows: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Those of some rows that have a bar, long enough after a hole for a forecast: what a server
    captures lacks the others too, which may be the only ones of their hour."""
    sigma = targets.make(bars, window, 1).sigma[rows]
    return rows[np.isfinite(bars.close[rows]) & np.isfinite(sigma)]


def _described(x: Matrix, columns: Sequence[Column | str]) -> pd.DataFrame:
    rows = []
    shares = [*(p / 100 for p in PERCENTILES), *(k / BINS for k in range(1, BINS))]
    names = [*(f"p{p:02d}" for p in PERCENTILES), *(f"decile_{k}" for k in range(1, BINS))]
    for values, column in zip(x.T, columns, strict=True):
        present = values[np.isfinite(values)].astype(np.float64)
        has_values = len(present) > 0
        quantiles = np.quantile(present, shares) if has_values else np.zeros(len(shares))
        rows.append(
            {
                "column": column if isinstance(column, str) else column.name,
                "domain": DOMAIN if isinstance(column, str) else column.feature.domain,
                "lookback": 2 if isinstance(column, str) else column.lookback,
                "rows": len(present),
                "missing": 1.0 - len(present) / max(len(values), 1),
                "mean": present.mean() if has_values else 0.0,
                "std": present.std() if has_values else 0.0,
                "min": present.min() if has_values else 0.0,
                "max": present.max() if has_values else 0.0,
                **dict(zip(names, quantiles, strict=True)),
            }
        )
    return pd.DataFrame(rows)


def _hourly(x: Matrix, minutes: NDArray[np.int64], columns: pd.DataFrame) -> pd.DataFrame:
    """(F rows) extremes of the columns, scaled as those of days, over the hours that have rows."""
    frame = pd.DataFrame(scaled(x, columns)).groupby(minutes // 60)
    mean, deviation, rows = frame.mean(), frame.std(ddof=0), frame.count()
    full = rows.to_numpy() >= np.maximum(rows.to_numpy().max() // 2, 2)
    mean, deviation = mean.where(full), deviation.where(full)
    return pd.DataFrame(
        {
            "hour_mean_lo": mean.min().to_numpy(),
            "hour_mean_hi": mean.max().to_numpy(),
            "hour_std_lo": deviation.min().to_numpy(),
            "hour_std_hi": deviation.max().to_numpy(),
        }
    )
