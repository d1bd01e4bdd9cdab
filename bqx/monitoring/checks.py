"""The checks of a served panel: every minute, every hour and every day, as plain functions.

Each gives one mapping with its verdict, what led to it, and its measurements; what it says depends
on what was known at the end of its period alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bqx.learning.baseline import BARS, Baseline
from bqx.learning.day_statistics import BINS, day_statistics, scaled
from bqx.learning.hours import mean_range
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.monitoring import bar_quality, change_points, drift, performance
from bqx.monitoring.captured import PairRows, Period
from bqx.monitoring.feed import Feed
from bqx.monitoring.panel import Day, Panel, Verdict
from bqx.monitoring.volatility import HOURS

Verdicts = dict[str, Any]

NO_FORECAST = "no forecast was captured"
QUIET, ALARM, UNJUDGED = "quiet", "alarm", "not judged"
LEAST_ROWS = 5
"""Fewest rows of an hour by which a column is judged."""
BEYOND = 3.0
"""Times the baseline's hourly extremes at which a column is broken rather than moved."""
SLOW, SLOWEST = 300.0, 500.0
"""P99 of an answer, ms, that the field's documents call drift, and that they alarm on."""
MOVED = 20
"""Most columns that a verdict lists."""
DAY_MINUTES = 24 * 60


def minutely(feed: Feed, end: int) -> Verdicts:
    """Whether bars still come, at an epoch minute: feeds that stand still, the newest bar's age."""
    frozen = bar_quality.frozen(feed.still, feed.ranges, feed.hours, end - 1)
    measured = {
        "frozen_pairs": float(len(frozen)),
        "newest_bar_age_minutes": _age(feed.newest, end),
        **_answers(feed.answers, end - 1, end),
    }
    return _verdict(_standstill(frozen) if feed.still else [NO_FORECAST], measured)


def hourly(period: Period, end: int) -> Verdicts:
    """Quality of bars and columns in the hour before an epoch minute."""
    pairs = {pair: rows.until(end) for pair, rows in period.pairs.items()}
    bars = {pair: rows.bars for pair, rows in pairs.items()}
    hours = {pair: rows.baseline.hours for pair, rows in pairs.items()}
    frozen = bar_quality.frozen_at_end(bars, hours)
    broken = {pair: broken_columns(rows, end - 60) for pair, rows in pairs.items()}
    reasons = [f"{pair}: {why}" for pair, columns in broken.items() for why in columns]
    reasons += _standstill(frozen)
    measured = {
        **bar_quality.measures(bars, 60),
        "frozen_pairs": float(len(frozen)),
        "broken_columns": float(sum(map(len, broken.values()))),
        "newest_bar_age_minutes": _age(max(map(_newest, bars.values())), end),
        **_answers(period.answers, end - 60, end),
    }
    return _verdict(reasons, measured)


def daily(period: Period, day: int) -> Verdicts:
    """Drift and performance of a trading day, see `sessions.trading_days`."""
    end = minutes_of_day(day)[1]
    pairs = {pair: rows.until(end) for pair, rows in period.pairs.items()}
    # Of a pair whose columns are not computed its bars are judged.
    verdict = of_pairs(Panel({pair: rows.baseline for pair, rows in pairs.items()}), pairs, day)
    return verdict | {"change_points": change_points.of_errors(pairs)}


def of_pairs(panel: Panel, pairs: Mapping[str, PairRows], day: int) -> Verdicts:
    """The verdict of a panel on a trading day of its pairs."""
    days = {
        pair: pair_day
        for pair, rows in pairs.items()
        if (pair_day := day_of(rows, day)) is not None
    }
    if not days:
        return unjudged("too few rows")
    return of_panel(panel.judge(days), panel.baselines, days)


def nothing(why: str, measured: dict[str, float] | None = None) -> Verdicts:
    """The verdict of a period in which a market was open and nothing was written down.

    ``measured`` : what that says all the same, such as how old the newest bar is at least.
    """
    return _verdict([why], measured or {})


def unjudged(why: str) -> Verdicts:
    """The verdict of a period of which nothing can be said."""
    return _verdict([], {}) | {"verdict": UNJUDGED, "sentence": f"Not judged: {why}."}


def of_panel(
    judged: Verdict, baselines: Mapping[str, Baseline], days: Mapping[str, Day]
) -> Verdicts:
    """A day's verdict as a mapping."""
    alarms = judged.statistics[judged.statistics["alarm"]]
    reasons = [SENTENCES[row.statistic].format(row) for row in alarms.itertuples()]
    moved = judged.columns[judged.columns["drifted"]]
    farthest = judged.columns["deviations"].abs().nlargest(MOVED).index
    measured = {
        "panel_drift": float(judged.alarm),
        "drifted_columns": float(len(moved)),
        "drifted_features_share": float(judged.columns["drifted"].mean()),
        **performance.measured(
            pd.concat([day.performance for day in days.values()], ignore_index=True),
            pd.concat([baselines[pair].performance for pair in days], ignore_index=True),
            sum(day.share for day in days.values()) / len(days),
        ),
    }
    return _verdict(reasons, measured) | {
        "statistics": judged.statistics.to_dict("records"),
        "moved": judged.columns.loc[farthest].drop(columns="p").to_dict("records"),
        "fixed": drift.by_fixed_thresholds(judged.columns),
        "domains": judged.columns.groupby("domain")["drifted"].mean().to_dict(),
    }


SENTENCES = {
    "volatility_up": "volatility rose by a factor of {0.value:.2f}, expected at most "
    "{0.threshold:.2f}",
    "volatility_down": "volatility fell by a factor of {0.value:.2f}, expected at least "
    "{0.threshold:.2f}",
    "columns": "a column moved by {0.value:.1f} deviations between days, expected at most "
    "{0.threshold:.1f}",
    "dependence": "columns no longer go along with each other ({0.value:.1f} deviations, expected "
    "at most {0.threshold:.1f})",
    "skill": "skill fell to {0.value:.2%}, expected at least {0.threshold:.2%}",
}
"""What an alarm says, by statistic."""


def day_of(rows: PairRows, day: int) -> Day | None:
    """A pair's day; None where fewer than a fifth of its hours have rows."""
    minutes = rows.bars.minutes
    ranges = rows.bar_columns
    row_days = sessions.trading_days(minutes[rows.rows])
    wide = np.concatenate((rows.x, ranges[rows.rows]), axis=1)
    forecast_hours = len(np.unique(minutes[rows.rows[row_days == day]] // 60))
    if forecast_hours < 5:
        return None
    earlier = row_days[row_days < day]
    of_day, before = (
        day_statistics(
            wide[row_days == number], row_days[row_days == number], rows.baseline.columns
        )
        if number is not None
        else None
        for number in (day, earlier.max() if len(earlier) else None)
    )
    assert of_day is not None
    recent = sessions.trading_days(minutes)
    kept = (recent >= day - 3) & (recent <= day)
    performance = rows.performance
    return Day(
        of_day,
        before,
        mean_range(minutes[kept], ranges[kept, BARS.index("bar_range")]),
        performance[performance["day"] == day],
        forecast_hours / HOURS,
    )


def minutes_of_day(day: int) -> tuple[int, int]:
    """First epoch minute of a trading day, and the one after its last."""
    around = np.arange((day - 2) * DAY_MINUTES, (day + 2) * DAY_MINUTES)
    minutes = around[sessions.is_open(around) & (sessions.trading_days(around) == day)]
    return (int(minutes[0]), int(minutes[-1]) + 1) if len(minutes) else (0, 0)


def broken_columns(rows: PairRows, first: int) -> list[str]:
    """What is wrong with columns from an epoch minute on: no value though their bars are there, one
    value though they always moved, or far outside what any hour of the baseline was like."""
    kept = rows.bars.minutes[rows.rows] >= first
    columns = rows.baseline.columns.iloc[: rows.x.shape[1]]
    x = rows.x[kept]
    if len(x) < LEAST_ROWS or not np.isfinite(rows.x).any():
        return []
    values = scaled(x, columns)
    counts = np.isfinite(values).sum(axis=0)
    filled = np.where(np.isfinite(values), values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(counts, 1)
    deviation = np.sqrt(np.maximum((filled**2).sum(axis=0) / np.maximum(counts, 1) - mean**2, 0.0))
    low, high = (columns[f"hour_std_{end}"].to_numpy() for end in ("lo", "hi"))
    least, most = (columns[f"hour_mean_{end}"].to_numpy() for end in ("lo", "hi"))
    width = most - least
    judged = counts >= LEAST_ROWS
    faults = {
        "no value": (counts == 0) & (columns["rows"].to_numpy() > 0) & _complete(rows, columns),
        "one value": (judged & (deviation < 1e-9) & (low > 1e-6)) | _stuck(rows, columns),
        "another scale": judged & ((deviation > BEYOND * high) | (BEYOND * deviation < low)),
        "another level": judged
        & ~columns["wanders"].to_numpy(bool)
        & ((mean < least - width) | (mean > most + width)),
    }
    names_of = columns["column"].to_numpy()
    seen: set[str] = set()
    out = []
    for fault, which in faults.items():
        for name in names_of[which]:
            if name not in seen:
                seen.add(name)
                out.append(f"{name} has {fault}")
    return out


def _stuck(rows: PairRows, columns: pd.DataFrame) -> NDArray[np.bool_]:
    """(C,) whether a column kept one value for an hour longer than twice as far as it looks back.

    One such as a maximum may keep its value for as long as it looks back, and longer where a rate
    comes back to where it was; what takes few values, some of its deciles alike, for ever.
    """
    deciles = columns[[f"decile_{k}" for k in range(1, BINS)]].to_numpy()
    stuck = (np.diff(deciles, axis=1) > 0).all(axis=1)
    since = np.searchsorted(rows.rows, rows.rows[-1] - 2 * columns["lookback"].to_numpy() - 60)
    for column in np.flatnonzero(stuck):
        values = rows.x[since[column] :, column]
        stuck[column] = since[column] > 0 and len(values) >= LEAST_ROWS and not np.ptp(values)
    return stuck


def _complete(rows: PairRows, columns: pd.DataFrame) -> NDArray[np.bool_]:
    """(C,) whether all bars that a column reads at the last row are there, as far as is known."""
    missing = np.isnan(rows.bars.close)
    since = len(missing) - 1 - int(np.flatnonzero(missing)[-1]) if missing.any() else len(missing)
    # The rows of the hour reach back further than the last one.
    return np.minimum(columns["lookback"].to_numpy() + 60, len(missing)) <= since


def _standstill(frozen: Sequence[str]) -> list[str]:
    return [f"{', '.join(frozen)}: the feed stands still"] if frozen else []


def _newest(bars: Bars) -> int:
    """Epoch minute of a pair's newest bar, the one before its first row where it has none."""
    present = bars.minutes[np.isfinite(bars.close)]
    return int(present[-1]) if len(present) else int(bars.minutes[0]) - 1


def _age(newest: int, end: int) -> float:
    """Open minutes from the end of the newest bar of any pair to a time."""
    since = np.arange(newest + 1, end)
    return float(sessions.is_open(since).sum()) if len(since) else 0.0


def _answers(answers: pa.Table, first: int, end: int) -> dict[str, float | None]:
    """Of the answers from an epoch minute to another; None, which replaces what was measured of
    answers before, where there are none."""
    at, status, ms = (answers[name].to_numpy() for name in ("at", "status", "ms"))
    own = (at >= 60_000_000_000 * first) & (at < 60_000_000_000 * end)
    if not own.any():
        return {"latency_p99_ms": None, "error_rate": None}
    return {
        "latency_p99_ms": float(np.quantile(ms[own], 0.99)),
        "error_rate": float((status[own] >= 500).mean()),
    }


def _verdict(reasons: list[str], measured: Mapping[str, float | None]) -> Verdicts:
    verdict = ALARM if reasons else QUIET
    sentence = f"Alarm: {'; '.join(reasons[:3])}" if reasons else "Quiet"
    if len(reasons) > 3:
        sentence += f"; and {len(reasons) - 3} more"
    return {
        "verdict": verdict,
        "sentence": f"{sentence}.",
        "reasons": reasons,
        "measurements": dict(measured),
    }
