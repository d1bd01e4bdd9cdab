"""Settings of a model by Optuna, inside the training rows of a fold and nothing else.

A trial is judged by forecasts of inner parts in order of time, each by a model that was fitted on
the rows before it, less those whose labels reach into it. The study lives in a file: a search that
was stopped goes on from the trials that it has finished.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from bqx.errors import ParameterError
from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.files import digest
from bqx.learning import samples
from bqx.learning.folds import Fold
from bqx.learning.models import Design, Model, Range, make, point, space
from bqx.learning.selection import Selection
from bqx.learning.weights import uniqueness
from bqx.params import Params

Rows = NDArray[np.int64]
Vector = NDArray[np.float64]
Settings = dict[str, Any]

PRIORITY = ("eurusd", "gbpusd", "usdjpy")
"""Pairs on which the documents tune for all."""
PARTS = 4
"""Inner parts; all but the first are forecast."""
FIRST_TRIALS = 5
"""Trials that none is pruned against."""


@dataclass(frozen=True, eq=False)
class Tried:
    """One finished trial.

    ``score`` : share of the labels' power that the forecasts explain, mean over inner parts and
    horizons; ``pruned`` : whether it was given up before the last part.
    ``rows`` : (n,) forecast rows; ``gains`` : (n, H) squared errors saved against the martingale.
    """

    settings: Settings
    score: float
    pruned: bool
    rows: Rows
    gains: Vector


def inner_parts(rows: Rows, horizon: int) -> list[tuple[Rows, Rows]]:
    """Places of ``rows`` to fit on and to forecast, part after part in order of time.

    No label of a row to fit on, ``horizon`` long, reaches a row to forecast.

    >>> [(a.tolist(), b.tolist()) for a, b in inner_parts(np.arange(0, 80, 10), 10)]
    [([0], [2, 3]), ([0, 1, 2], [4, 5]), ([0, 1, 2, 3, 4], [6, 7])]
    """
    parts = np.array_split(np.arange(len(rows)), PARTS)
    return [(np.flatnonzero(rows + horizon < rows[ahead[0]]), ahead) for ahead in parts[1:]]


@dataclass(frozen=True, eq=False)
class _Inner:
    """Rows to fit on, to stop on and to forecast, as places, and their columns."""

    early: Rows
    late: Rows
    ahead: Rows
    x: tuple[Design, Design, Design]

    def judge(self, model: Model, y: Vector, weight: Vector) -> tuple[Vector, float]:
        """Squared errors that a model saves row by row, and as a share of the labels' power."""
        seen, later, ahead = self.x
        model.fit(seen, y[self.early], weight=weight[self.early], validation=(later, y[self.late]))
        power = y[self.ahead] ** 2
        gain = power - (y[self.ahead] - point(model.predict(ahead))) ** 2
        return gain, float((gain.sum(axis=0) / power.sum(axis=0)).mean())


def suggested(space: Mapping[str, Range], trial: optuna.trial.BaseTrial) -> Settings:
    """Settings of a trial, each within its range."""
    return {
        name: trial.suggest_int(name, span.low, int(span.high), step=span.step or 1, log=span.log)
        if isinstance(span.low, int)
        else trial.suggest_float(name, span.low, span.high, log=span.log)
        for name, span in space.items()
    }


def tune(
    x: NDArray[np.float32],
    y: Vector,
    rows: Rows,
    *,
    name: str,
    params: Params,
    storage: Path,
    record: Callable[[Tried], None],
    study: str = "",
) -> Settings:
    """Best settings of a model on training rows; empty where it has nothing to search.
    ``x``, ``y``, ``rows`` : (n, C) columns, (n, H) labels, (n,) rows of the grid.
    params : horizons, trials, ranges, tuning_seconds, seed and the model's own are read.
    storage : journal of the studies.
    record : called with every trial as soon as it is finished, for the ledger.
    study : what else tells this search from others in the journal.

    Raises ParameterError for too few rows.
    """
    ranges = space(name, params)
    if not ranges:
        return {}
    horizon = max(params.horizons)
    weight = uniqueness(rows, horizon)
    folds = _inner_folds(x, rows, horizon)

    def objective(trial: optuna.Trial) -> float:
        settings = suggested(ranges, trial)
        gains, scores = [], []
        for step, fold in enumerate(folds):
            gain, score = fold.judge(make(name, params, **settings), y, weight)
            gains.append(gain)
            scores.append(score)
            trial.report(float(np.mean(scores)), step)
            if trial.should_prune() and step + 1 < len(folds):
                break
        score, pruned = float(np.mean(scores)), len(scores) < len(folds)
        judged = np.concatenate([fold.ahead for fold in folds[: len(scores)]])
        record(Tried(settings, score, pruned, rows[judged], np.concatenate(gains)))
        if pruned:
            raise optuna.TrialPruned
        return score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searched = (study, name, params.seed, horizon, make(name, params).settings(), str(ranges))
    search = _study(storage, digest((*searched, _content(x, y, rows))), params.seed)
    if (left := params.trials - len(_finished(search))) > 0:
        search.optimize(objective, n_trials=left, timeout=params.tuning_seconds or None)
    return suggested(ranges, optuna.trial.FixedTrial(search.best_params))


def _content(*parts: NDArray[Any]) -> str:
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def _inner_folds(x: NDArray[np.float32], rows: Rows, horizon: int) -> list[_Inner]:
    """Inner parts with their columns, which are binned once for all trials."""
    folds = []
    for before, ahead in inner_parts(rows, horizon):
        if len(before) < samples.LEAST // PARTS:
            raise ParameterError(
                f"trials: too few rows to tune on, got {len(before)} before an inner part; "
                f"expected at least {samples.LEAST // PARTS}. Raise train_days or set trials to 0."
            )
        first, last = samples.stopping_parts(rows[before], horizon)
        early, late = before[first], before[last]
        columns = (Design(x[early]), Design(x[late]), Design(x[ahead]))
        folds.append(_Inner(early, late, ahead, columns))
    return folds


def _study(storage: Path, name: str, seed: int) -> optuna.Study:
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(storage))),
        study_name=name,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=FIRST_TRIALS),
        load_if_exists=True,
    )
    # A search that goes on draws other settings than those that it has drawn.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(_finished(study)))
    return study


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def tune_pair(
    history: History,
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    selections: Sequence[Selection],
    params: Params,
    name: str,
    storage: Path,
    record: Callable[[int, Tried], None],
) -> tuple[Settings, ...]:
    """`tune` on the training rows of each fold; ``record(fold, trial)`` hears of every trial."""
    bars = history.bars
    labels = samples.labels_of(samples.targets_of(bars, params))
    by_name = {column.name: column for column in columns}
    best = []
    for fold, selection in zip(folds, selections, strict=True):
        chosen = make(name, params).reads([by_name[column] for column in selection.columns])
        rows = samples.training_rows(bars, chosen, fold, labels, params)
        settings = tune(
            history.matrix(chosen, rows, samples.fits_of(bars, chosen, fold)),
            samples.cut(labels, rows, samples.scale_of(labels, rows)),
            rows,
            name=name,
            params=params,
            storage=storage,
            record=partial(record, fold.number),
            study=f"{bars.pair} {fold.number}",
        )
        best.append(settings)
    return tuple(best)


def shared(tuned: Mapping[str, Sequence[Settings]]) -> tuple[Settings, ...]:
    """Settings of each fold for pairs that were not tuned: the median of those that were.

    >>> shared({"eurusd": [{"max_depth": 2}], "gbpusd": [{"max_depth": 5}]})
    ({'max_depth': 3},)
    """
    return tuple(
        {
            name: type(fold[0][name])(np.median([settings[name] for settings in fold]))
            for name in fold[0]
        }
        for fold in zip(*tuned.values(), strict=True)
    )
