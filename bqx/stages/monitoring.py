"""Notebook 09: what a monitor would have said of the test days, and drift fold by fold."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import baseline, losses
from bqx.learning.folds import Fold
from bqx.learning.samples import fits_of
from bqx.learning.selection import Selection
from bqx.market import sessions
from bqx.monitoring import change_points, checks
from bqx.monitoring.captured import PairRows
from bqx.monitoring.drift import drift
from bqx.monitoring.panel import Panel
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages import selection
from bqx.stages.bars import load
from bqx.stages.features import histories
from bqx.stages.lagging import columns_of

NAME = "09_monitoring"

Series = NDArray[np.float64]
BEFORE = 3 * sessions.DAY
"""Rows before a test part that its first day is compared with."""


@dataclass(frozen=True)
class Monitored:
    """``drift`` : one row per pair, fold and column: psi, threshold, drifted; ``days`` : what the
    daily check says of the last fold's test days, see `judged`."""

    drift: pd.DataFrame
    days: dict[str, Any]


def _pair(
    history: History,
    columns: tuple[Column, ...],
    folds: tuple[Fold, ...],
    selections: tuple[Selection, ...],
    params: Params,
) -> pd.DataFrame:
    bars, by_name = history.bars, {column.name: column for column in columns}
    frames = []
    for fold, chosen in zip(folds, selections, strict=True):
        members = [by_name[name] for name in chosen.columns]
        fits = fits_of(bars, members, fold)
        train, test = fold.train[:: params.stride], fold.test[:: params.stride]
        before, after = history.matrices(members, (train, test), fits)
        frame = drift(
            before,
            after,
            chosen.columns,
            days_train=sessions.trading_days(bars.minutes[train]),
            seed=params.seed,
        )
        frames.append(frame.assign(pair=bars.pair, fold=fold.number))
    return pd.concat(frames, ignore_index=True)


def build(params: Params) -> Monitored:
    """Judge the last fold's test days as those of a served panel, compare the columns of all folds,
    and store both."""
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    dataset = load(run)
    drifts: dict[str, pd.DataFrame] = {}
    inputs = (
        *(artefacts.BARS, artefacts.COLUMNS, artefacts.SPLIT, artefacts.SELECTION),
        artefacts.FORECASTS,
    )
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], artefacts.roots(*inputs)) as stage:
        folds, chosen = selection.fitted_folds(stage, dataset), selection.read(stage, dataset)
        columns, histories_by_pair = columns_of(stage), histories(run, dataset.bars)
        tasks = {
            pair: (history, columns, folds, chosen[pair], params)
            for pair, history in histories_by_pair.items()
        }
        over_pairs(_pair, tasks, params.workers, write=drifts.__setitem__, backend=params.backend)
        frame = pd.concat([drifts[pair] for pair in dataset.bars], ignore_index=True)
        artefacts.DRIFT.write(stage, frame)
        watched = {
            pair: (stage, history, columns, folds[-1], chosen[pair][-1], params)
            for pair, history in histories_by_pair.items()
        }
        rows: dict[str, PairRows] = {}
        over_pairs(watch, watched, params.workers, write=rows.__setitem__, backend=params.backend)
        days = judged({pair: rows[pair] for pair in dataset.bars}, dataset.minutes, folds[-1])
        artefacts.MONITORED.write(stage, days)
    return Monitored(frame, days)


def watch(
    source: Source,
    history: History,
    columns: tuple[Column, ...],
    fold: Fold,
    chosen: Selection,
    params: Params,
) -> PairRows:
    """A fold's test part of a pair as if it had been captured, with the baseline of the days before
    it; forecasts of earlier folds are the baseline's performance."""
    bars, by_name = history.bars, {column.name: column for column in columns}
    members = [by_name[name] for name in chosen.columns]
    fits = fits_of(bars, members, fold)
    forecasts = artefacts.FORECASTS.read(source, pair=bars.pair)
    earlier = forecasts[forecasts["fold"] < fold.number]
    window = max(map(params.window, params.horizons))
    pair_baseline = baseline.of_model(
        history,
        members,
        window=window,
        fits=fits,
        until=bars.ts[fold.last_seen],
        performance=losses.of_forecasts(bars, earlier, params.window)
        if len(earlier)
        else pd.DataFrame(),
    )
    first, stop = max(int(fold.test[0]) - BEFORE, 0), int(fold.test[-1]) + 1
    rows = baseline.forecast_rows(bars, np.arange(first, stop, baseline.STEP), window)
    later = forecasts[forecasts["fold"] == fold.number]
    return PairRows(
        bars=bars.rows(first, stop),
        baseline=pair_baseline,
        model=f"fold {fold.number}",
        rows=rows - first,
        x=history.matrix(members, rows, fits),
        innovations=_innovations(bars.ts[first:stop], later),
        windows={horizon: params.window(horizon) for horizon in params.horizons},
    )


def _innovations(ts: pd.DatetimeIndex, forecasts: pd.DataFrame) -> dict[int, Series]:
    out = {}
    for horizon, horizon_forecasts in forecasts.groupby("horizon"):
        out[int(str(horizon))] = np.full(len(ts), np.nan)
        places = ts.get_indexer(pd.DatetimeIndex(horizon_forecasts["ts_utc"]))
        out[int(str(horizon))][places] = horizon_forecasts["forecast"]
    return out


def judged(rows: dict[str, PairRows], minutes: NDArray[np.int64], fold: Fold) -> dict[str, Any]:
    """What the daily check says of every test day of a fold; ``minutes`` : of the grid's rows."""
    numbers, counts = np.unique(sessions.trading_days(minutes[fold.test]), return_counts=True)
    verdicts = []
    try:
        panel = Panel({pair: pair_rows.baseline for pair, pair_rows in rows.items()})
    except ParameterError as error:
        return {"fold": fold.number, "sentence": f"Not judged: {error}", "days": []}
    for day in numbers[counts > sessions.DAY // 2].tolist():
        verdict = checks.of_pairs(panel, rows, day)
        verdicts.append({"day": str(np.datetime64(day, "D"))} | verdict)
    changes = change_points.of_errors(rows)
    return {
        "fold": fold.number,
        "sentence": _said(verdicts),
        "change_points": changes,
        "days": verdicts,
    }


def _said(verdicts: list[dict[str, Any]]) -> str:
    """The verdict in one line."""
    alarms = [of for of in verdicts if of["verdict"] == checks.ALARM]
    if not alarms:
        return f"Quiet: none of the {len(verdicts)} test days raised an alarm."
    first = alarms[0]
    return (
        f"{len(alarms)} of the {len(verdicts)} test days raised an alarm, the first on "
        f"{first['day']}: {first['reasons'][0]}."
    )


def statistics(days: dict[str, Any]) -> pd.DataFrame:
    """One row per day and statistic: value, threshold, alarm."""
    frames = [
        pd.DataFrame(of["statistics"]).assign(day=of["day"])
        for of in days["days"]
        if of.get("statistics")
    ]
    columns = ["day", "statistic", "value", "threshold", "alarm"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame([], columns)


def moved(days: dict[str, Any]) -> pd.DataFrame:
    """What moved on the day that moved most: pair, column, domain, measure, deviations, indices."""
    busiest: dict[str, Any] = max(days["days"], key=lambda of: len(of.get("moved", [])), default={})
    frame = pd.DataFrame(busiest.get("moved", []))
    return frame.assign(day=busiest["day"]) if len(frame) else pd.DataFrame()


def fixed(days: dict[str, Any]) -> pd.DataFrame:
    """Share of columns that each fixed threshold calls drifted, beside ours: one row per threshold,
    the mean and the ends over days, and the share of days on which it calls any."""
    rows = {
        of["day"]: of["fixed"] | {"bqx": of["measurements"]["drifted_features_share"]}
        for of in days["days"]
        if "fixed" in of
    }
    shares = pd.DataFrame(rows)
    return pd.DataFrame(
        {
            "mean": shares.mean(axis=1),
            "lo": shares.min(axis=1),
            "hi": shares.max(axis=1),
            "days with any": (shares > 0).mean(axis=1),
        }
    ).rename_axis("threshold")


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per pair: columns compared over all folds, share drifted, largest index."""
    return frame.groupby("pair").agg(
        columns=("feature", "size"), drifted=("drifted", "mean"), largest=("psi", "max")
    )


def by_fold(frame: pd.DataFrame) -> pd.DataFrame:
    """Share of columns drifted, pairs by folds."""
    return frame.pivot_table(index="pair", columns="fold", values="drifted", aggfunc="mean")


def sentence(run: Run) -> str:
    """Drift of the whole run in words."""
    frame = artefacts.DRIFT.read(run)
    worst = by_fold(frame).stack()
    pair, fold = worst.idxmax()
    return (
        f"{frame['drifted'].mean():.1%} of the selected columns drifted from a training part to "
        "its test part, beyond what days of the training part differ among themselves; most in "
        f"{pair}, fold {fold}: {np.max(worst):.1%}."
    )
