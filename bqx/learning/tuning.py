"""Settings of an estimator by Optuna, inside the training rows of a fold and nothing else.

A trial is judged by forecasts of inner parts in order of time, each by a model that was fitted on
the rows before it, less those whose labels reach into it. The study lives in a file: a search that
was stopped goes on from the trials that it has finished.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from bqx.learning.models import Design, make, point
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


def _boosting(trial: optuna.trial.BaseTrial) -> Settings:
    # The documents' ranges, each widened to the cautious end that minute returns ask for.
    return {
        "depth": trial.suggest_int("depth", 2, 12),
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "bag": trial.suggest_float("bag", 0.5, 0.9),
        "rounds": trial.suggest_int("rounds", 100, 700, step=50),
        "leaf": trial.suggest_float("leaf", 1e-4, 0.1, log=True),
    }


def _bagging(trial: optuna.trial.BaseTrial) -> Settings:
    return {
        "trees": trial.suggest_int("trees", 50, 200, step=50),
        "deepest": trial.suggest_int("deepest", 3, 20),
        "least": trial.suggest_int("least", 5, 200, log=True),
        "tried": trial.suggest_float("tried", 0.05, 1.0, log=True),
    }


SPACES: dict[str, Callable[[optuna.trial.BaseTrial], Settings]] = {
    "xgboost": _boosting,
    "xgboost_quantile": _boosting,
    "forest": _bagging,
}
"""Ranges by estimator; lines choose their penalty in every fit and need no search."""


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
    return [(np.flatnonzero(rows + horizon < rows[part[0]]), part) for part in parts[1:]]


def tune(
    x: NDArray[np.float32],
    y: Vector,
    rows: Rows,
    name: str,
    params: Params,
    storage: Path,
    record: Callable[[Tried], None],
    study: str = "",
) -> Settings:
    """Best settings of an estimator on training rows; empty where it has nothing to search.

    Parameters
    ----------
    x : (n, C) columns of training rows; y : (n, H) their labels; rows : (n,) of the grid.
    name : of the estimator.
    params : horizons, trials, tuning_seconds, seed and the estimator's own are read.
    storage : journal of the studies.
    record : called with every trial as soon as it is finished, for the ledger.
    study : what else tells this search from others in the journal.

    Raises
    ------
    ParameterError : too few rows for the inner parts.
    """
    if name not in SPACES:
        return {}
    horizon = max(params.horizons)
    weight = uniqueness(rows, horizon)
    inner = []
    for before, part in inner_parts(rows, horizon):
        if len(before) < samples.LEAST // PARTS:
            raise ParameterError(
                f"trials: too few rows to tune on, got {len(before)} before an inner part; "
                f"expected at least {samples.LEAST // PARTS}. Raise train_days or set trials to 0."
            )
        early, late = samples.stopping_parts(rows[before], horizon)
        one, other = before[early], before[late]
        # Binned once for all trials.
        inner.append((one, Design(x[one]), other, Design(x[other]), part, Design(x[part])))

    def objective(trial: optuna.Trial) -> float:
        settings = SPACES[name](trial)
        scores: list[float] = []
        gains: list[Vector] = []
        for step, (one, seen, other, later, part, ahead) in enumerate(inner):
            model = make(name, params, **settings).fit(seen, y[one], weight[one], (later, y[other]))
            known = y[part] ** 2
            gains.append(known - (y[part] - point(model.predict(ahead))) ** 2)
            scores.append(float((gains[-1].sum(axis=0) / known.sum(axis=0)).mean()))
            trial.report(float(np.mean(scores)), step)
            if trial.should_prune() and step + 1 < len(inner):
                break
        score, pruned = float(np.mean(scores)), len(scores) < len(inner)
        judged = np.concatenate([part for *_, part, _ in inner[: len(scores)]])
        record(Tried(settings, score, pruned, rows[judged], np.concatenate(gains)))
        if pruned:
            raise optuna.TrialPruned
        return score

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    found = _study(storage, digest([study, name, params.seed, x.shape, rows]), params.seed)
    left = params.trials - len(_finished(found))
    if left > 0:
        found.optimize(objective, n_trials=left, timeout=params.tuning_seconds or None)
    return SPACES[name](optuna.trial.FixedTrial(found.best_params))


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
    found = []
    for fold, selection in zip(folds, selections, strict=True):
        chosen = tuple(by_name[each] for each in selection.columns)
        rows = samples.training_rows(bars, chosen, fold, labels, params)
        x = history.matrix(chosen, rows, samples.fits_of(bars, chosen, fold))
        y = samples.cut(labels, rows, samples.scale_of(labels, rows))

        def heard(trial: Tried, number: int = fold.number) -> None:
            record(number, trial)

        what = f"{bars.pair} {fold.number}"
        found.append(tune(x, y, rows, name, params, storage, heard, what))
    return tuple(found)


def shared(found: Mapping[str, Sequence[Settings]]) -> tuple[Settings, ...]:
    """Settings of each fold for pairs that were not tuned: the median of those that were.

    >>> shared({"eurusd": [{"depth": 2}], "gbpusd": [{"depth": 5}], "usdjpy": [{"depth": 3}]})
    ({'depth': 3},)
    """
    return tuple(
        {
            name: type(fold[0][name])(np.median([settings[name] for settings in fold]))
            for name in fold[0]
        }
        for fold in zip(*found.values(), strict=True)
    )
