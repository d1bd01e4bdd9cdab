"""Select columns for every pair and fit it, fold by fold, several pairs at a time."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import samples
from bqx.learning.fold_fit import FoldFit, fit_fold
from bqx.learning.folds import Fold
from bqx.learning.models import make, model_class, point
from bqx.learning.selection import Selection, Settings, select
from bqx.learning.targets import Target
from bqx.learning.weights import uniqueness
from bqx.market import sessions
from bqx.parallel import over_pairs
from bqx.params import Params

MODEL = "xgboost"
"""Model that is fitted where none is named."""


@dataclass(frozen=True)
class PairResult:
    """Fits of a pair and its out-of-sample forecasts.

    ``forecasts`` : ts_utc, fold, horizon, and in sigma: forecast (of the innovation), raw (the
        model's own before it was shrunk), reach (half-width of the forecast's interval) and naive
        (that of an interval without a model); one row per scored row and horizon, NaN where
        there is no bar.
    """

    pair: str
    fits: tuple[FoldFit, ...]
    forecasts: pd.DataFrame


def select_pair(
    history: History, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> tuple[Selection, ...]:
    """Choose the columns of one pair on every fold, from its training rows alone.

    Parameters
    ----------
    history : of the pair.
    columns : candidates.
    folds : over the rows of the bars.
    params : horizons, target_window, stride, selected, domain_share, ranked_by, forest_trees,
        forest_depth and seed are read.

    Raises
    ------
    ParameterError : too few rows to learn from, or no column left.
    """
    bars = history.bars
    labels = samples.labels_of(samples.targets_of(bars, params))
    selections = []
    for fold in folds:
        rows = samples.training_rows(bars, columns, fold, labels, params)
        selections.append(
            select(
                history.matrix(columns, rows, samples.fits_of(bars, columns, fold)),
                samples.cut(labels, rows, samples.scale_of(labels, rows)),
                columns,
                day=sessions.trading_days(bars.minutes[rows]),
                weight=uniqueness(rows, max(labels)),
                settings=Settings.from_params(params),
            )
        )
    return tuple(selections)


def fit_pair(
    history: History,
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    selections: Sequence[Selection],
    params: Params,
    pairs: int,
    name: str = MODEL,
    settings: Sequence[Mapping[str, Any]] = (),
) -> PairResult:
    """Fit and forecast one pair on every fold.

    Nothing of a fold's fit depends on bars after its ``last_seen``.

    Parameters
    ----------
    history, columns, folds : as for `select_pair`.
    selections : of the folds.
    params : horizons, target_window, stride, coverage, rounds, depth, learning_rate and seed are
        read.
    pairs : pairs in the run; with the folds and the models that the validation rows choose from
        they make the family of tests.
    name : of the model; ``settings`` of each fold win over those of ``params``.

    Raises
    ------
    ParameterError : too few rows to learn from.
    """
    targets = samples.targets_of(history.bars, params)
    by_name = {column.name: column for column in columns}
    fits, forecasts = [], []
    for number, (fold, selection) in enumerate(zip(folds, selections, strict=True)):
        fit = fit_fold(
            history,
            [by_name[column] for column in selection.columns],
            fold,
            model=make(name, params, **(settings[number] if settings else {})),
            targets=targets,
            params=params,
            tests=pairs * len(folds) * params.candidates,
        )
        fits.append(fit)
        forecasts.append(_forecast(history, fit, fold, targets))
    return PairResult(history.bars.pair, tuple(fits), pd.concat(forecasts, ignore_index=True))


def _forecast(
    history: History, fit: FoldFit, fold: Fold, targets: Mapping[int, Target]
) -> pd.DataFrame:
    bars, rows = history.bars, fold.test
    x = history.matrix(fit.columns, rows, fit.fits)
    finite = np.isfinite(bars.close[rows])
    predicted = point(fit.model.predict(x))
    frames = []
    for number, (horizon, beta) in enumerate(fit.evidence.betas.items()):
        raw = np.where(finite, predicted[:, number], np.nan)
        target, calibration = targets[horizon], fit.calibration[horizon]
        score = np.abs(target.label("innovation")[rows] - beta * raw)
        width = calibration.track(score, bars.minutes[rows], target.sigma[rows], horizon)
        frame = pd.DataFrame(
            {
                "ts_utc": bars.ts[rows],
                "fold": fit.number,
                "horizon": horizon,
                "forecast": beta * raw,
                "raw": raw,
                "reach": np.where(finite, width, np.nan),
                "naive": np.where(finite, calibration.gaussian, np.nan),
            }
        )
        frames.append(frame[np.isin(rows, fold.scored)])
    return pd.concat(frames)


def select_all(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    params: Params,
    write: Callable[[str, tuple[Selection, ...]], None],
    done: Collection[str] = (),
) -> None:
    """`select_pair` for all pairs but those done, ``params.workers`` at a time.

    ``write(pair, selections)`` is called in this process as soon as a pair is ready.

    Raises
    ------
    BqxError : pairs failed; named once the others are written.
    """
    tasks = {
        pair: (history, columns, folds, params)
        for pair, history in histories.items()
        if pair not in done
    }
    over_pairs(select_pair, tasks, params.workers, write=write, backend=params.backend)


def fit_all(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    selections: Mapping[str, Sequence[Selection]],
    params: Params,
    write: Callable[[str, PairResult], None],
    done: Collection[str] = (),
    name: str = MODEL,
    settings: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """`fit_pair` for all pairs but those done, as `select_all`; all count in the family of tests.

    Raises
    ------
    BqxError : pairs failed; named once the others are written.
    """
    # Fits of other processes are read here, for which the class must be known.
    model_class(name)
    tasks = {}
    for pair, history in histories.items():
        if pair not in done:
            own = {
                "selections": selections[pair],
                "params": params,
                "pairs": len(histories),
                "name": name,
                "settings": (settings or {}).get(pair, ()),
            }
            tasks[pair] = (history, columns, folds, own)
    over_pairs(_fit_task, tasks, params.workers, write=write, backend=params.backend)


def _fit_task(
    history: History, columns: Sequence[Column], folds: Sequence[Fold], rest: dict[str, Any]
) -> PairResult:
    return fit_pair(history, columns, folds, **rest)
