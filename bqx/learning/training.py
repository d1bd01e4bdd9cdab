"""Fit every pair, fold by fold, several pairs at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import pooled, samples
from bqx.learning.fold_fit import FoldFit, Learnt, keep, learn_fold
from bqx.learning.folds import Fold
from bqx.learning.models import Vector, make, model_class
from bqx.learning.screening import Screen
from bqx.learning.selection import Selection
from bqx.learning.shrinkage import Evidence, weigh
from bqx.learning.targets import Target
from bqx.market.bars import Bars
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


def learn_pair(
    history: History,
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    selections: Sequence[Selection],
    params: Params,
    name: str = MODEL,
    settings: Sequence[Mapping[str, Any]] = (),
) -> tuple[Learnt, ...]:
    """Fit one pair by itself on every fold, and forecast its validation and test rows.

    Nothing of a fold's fit depends on bars after its ``last_seen``.

    Parameters
    ----------
    history, columns, folds : as for `pair_selection.select_pair`.
    selections : of the folds.
    params : horizons, target_window, stride, rounds, depth, learning_rate and seed are read.
    name : of the model; ``settings`` of each fold win over those of ``params``.

    Raises
    ------
    ParameterError : too few rows to learn from.
    """
    targets = samples.targets_of(history.bars, params)
    by_name = {column.name: column for column in columns}
    return tuple(
        learn_fold(
            history,
            [by_name[column] for column in selection.columns],
            fold,
            model=make(name, params, **(settings[number] if settings else {})),
            targets=targets,
            params=params,
        )
        for number, (fold, selection) in enumerate(zip(folds, selections, strict=True))
    )


def keep_pair(
    bars: Bars,
    folds: Sequence[Fold],
    learnt: Sequence[Learnt],
    evidence: Sequence[Evidence],
    params: Params,
) -> PairResult:
    """What is kept of a pair's forecasts, given the evidence of its folds.

    ``params`` : horizons, target_window and coverage are read.
    """
    targets = samples.targets_of(bars, params)
    fits, forecasts = [], []
    for fold, fold_learnt, weighed in zip(folds, learnt, evidence, strict=True):
        fit = keep(bars, fold_learnt, weighed, targets=targets, coverage=params.coverage)
        fits.append(fit)
        forecasts.append(_forecast(bars, fit, fold_learnt.ahead, fold, targets))
    return PairResult(bars.pair, tuple(fits), pd.concat(forecasts, ignore_index=True))


def weigh_all(learnt: Mapping[str, Sequence[Learnt]], params: Params) -> dict[str, list[Evidence]]:
    """Evidence of every pair's folds, from the validation rows of all pairs."""
    evidence: dict[str, list[Evidence]] = {pair: [] for pair in learnt}
    for number in range(len(next(iter(learnt.values())))):
        products = {pair: folds[number].products for pair, folds in learnt.items()}
        for pair, fold_evidence in weigh(products, params.horizons).items():
            evidence[pair].append(fold_evidence)
    return evidence


def fit_pair(
    history: History,
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    selections: Sequence[Selection],
    params: Params,
    name: str = MODEL,
    settings: Sequence[Mapping[str, Any]] = (),
) -> PairResult:
    """`learn_pair`, `weigh_all` and `keep_pair` for a pair that has no others beside it."""
    learnt = learn_pair(
        history,
        columns,
        folds,
        selections=selections,
        params=params,
        name=name,
        settings=settings,
    )
    (evidence,) = weigh_all({history.bars.pair: learnt}, params).values()
    return keep_pair(history.bars, folds, learnt, evidence, params)


def _forecast(
    bars: Bars, fit: FoldFit, ahead: Vector, fold: Fold, targets: Mapping[int, Target]
) -> pd.DataFrame:
    rows = fold.test
    finite = np.isfinite(bars.close[rows])
    frames = []
    for number, (horizon, beta) in enumerate(fit.evidence.betas.items()):
        raw = np.where(finite, ahead[:, number], np.nan)
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


def fit_all(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    *,
    selections: Mapping[str, Sequence[Selection]],
    screens: Sequence[Screen],
    params: Params,
    write: Callable[[str, PairResult], None],
    name: str = MODEL,
    settings: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Fit a model for all pairs, weigh its forecasts together, and write what is kept of each.

    ``params.workers`` pairs at a time. A pooled model reads the columns of ``screens``, one for
    each fold, the others those of ``selections``.

    Raises
    ------
    BqxError : pairs failed.
    """
    # Fits of other processes are read here, for which the class must be known.
    if model_class(name).POOLED:
        learnt = pooled.learn_all(
            histories, columns, folds, screens=screens, params=params, name=name
        )
    else:
        args = {
            pair: {
                "selections": selections[pair],
                "params": params,
                "name": name,
                "settings": (settings or {}).get(pair, ()),
            }
            for pair in histories
        }
        tasks = {pair: (history, columns, folds, args[pair]) for pair, history in histories.items()}
        learnt = {}
        over_pairs(
            _learn_task, tasks, params.workers, write=learnt.__setitem__, backend=params.backend
        )
    # Pairs arrive as they are ready, and sums depend on their order.
    ordered = {pair: learnt[pair] for pair in histories}
    evidence = weigh_all(ordered, params)
    kept = {
        pair: (histories[pair].bars, folds, by_fold, evidence[pair], params)
        for pair, by_fold in ordered.items()
    }
    over_pairs(keep_pair, kept, params.workers, write=write, backend=params.backend)


def _learn_task(
    history: History, columns: Sequence[Column], folds: Sequence[Fold], rest: dict[str, Any]
) -> tuple[Learnt, ...]:
    return learn_pair(history, columns, folds, **rest)
