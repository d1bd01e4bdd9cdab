"""Fit each pair fold by fold: select, learn, and shrink every forecast towards the martingale.

A model chooses its rounds or its penalty on the last training rows, the share of the forecast that
is kept is chosen on the validation rows, and the model that forecasts the test rows is fitted on
both.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.feature_store.history import History
from bqx.features.engine.fitting import Fits
from bqx.features.lags import Column
from bqx.files import peak_mb
from bqx.learning import conformal, samples
from bqx.learning.conformal import Reach
from bqx.learning.folds import Fold
from bqx.learning.models import Design, Estimator, make, point, reads, unfitted
from bqx.learning.selection import Selection, select
from bqx.learning.shrinkage import Evidence, weigh
from bqx.learning.targets import Target
from bqx.learning.weights import uniqueness
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.parallel import over_pairs
from bqx.params import Params

MODEL = "xgboost"
"""Estimator that is fitted where none is named."""


@dataclass(frozen=True)
class FoldFit:
    """What one fold taught: evidence, and a model of all horizons for the rows that follow.

    ``columns`` : in the model's order; ``fits`` : what their fitted families learnt; ``reach`` :
    where the intervals of each horizon start from; ``trained_until`` : open of the last bar that
    it has seen; ``rows`` : rows that the model was fitted on; ``seconds`` : of the fits;
    ``peak_mb`` : most memory of the process until then.
    ``validated`` : squared errors of the validation rows by day and horizon, of the share of the
    forecast that is kept (``loss``) and of the martingale (``known_loss``), in sigma squared.
    """

    number: int
    columns: tuple[Column, ...]
    fits: Fits
    evidence: Evidence
    model: Estimator
    reach: dict[int, Reach]
    trained_until: pd.Timestamp
    rows: int
    seconds: float
    peak_mb: float
    validated: pd.DataFrame


@dataclass(frozen=True)
class PairResult:
    """Fits of a pair and its out-of-sample forecasts.

    ``forecasts`` : ts_utc, fold, horizon, and in sigma: forecast (of the innovation), raw (the
        model's own before it was shrunk), reach (half-width of the forecast's interval) and naive
        (that of an interval without a model); a row for every scored row and horizon, NaN where
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
                sessions.trading_days(bars.minutes[rows]),
                params.selected,
                params.domain_share,
                params.forest_trees,
                params.forest_depth,
                params.seed,
                uniqueness(rows, max(labels)),
                params.ranked_by,
            )
        )
    return tuple(selections)


def _fit_fold(
    history: History,
    columns: tuple[Column, ...],
    fold: Fold,
    made: Mapping[int, Target],
    params: Params,
    tests: int,
    first: Estimator,
) -> FoldFit:
    bars, labels = history.bars, samples.labels_of(made)
    columns = reads(first, columns)
    train = samples.training_rows(bars, columns, fold, labels, params)
    validation = fold.validation[np.isfinite(bars.close[fold.validation])]
    scale = samples.scale_of(labels, train)
    y = samples.cut(labels, train, scale)
    fits = samples.fits_of(bars, columns, fold)
    x, later = (history.matrix(columns, rows, fits) for rows in (train, validation))
    start = time.perf_counter()
    weight = uniqueness(train, max(labels))

    early, late = samples.stopping_parts(train, max(labels))
    chosen = first.fit(x[early], y[early], weight[early], (x[late], y[late]))
    checked = unfitted(chosen).fit(Design(x), y, weight)
    unseen = dict(zip(labels, point(checked.predict(later)).T, strict=True))
    evidence = weigh(
        unseen,
        {horizon: label[validation] for horizon, label in labels.items()},
        validation,
        tests,
    )
    reach = {
        horizon: conformal.learn(
            bars.minutes, target.sigma, labels[horizon],
            evidence.betas[horizon] * unseen[horizon], train, validation, horizon, params.coverage,
        )
        for horizon, target in made.items()
    }  # fmt: skip
    complete = np.all([np.isfinite(label[validation]) for label in labels.values()], axis=0)
    thin = np.flatnonzero(complete)[:: params.stride]
    both = np.concatenate((x, later[thin]))
    seen = np.concatenate((train, validation[thin]))
    model = unfitted(chosen).fit(
        both, np.concatenate((y, samples.cut(labels, validation[thin], scale))),
        uniqueness(seen, max(labels)),
    )  # fmt: skip
    return FoldFit(
        number=fold.number,
        columns=columns,
        fits=fits,
        evidence=evidence,
        model=model,
        reach=reach,
        trained_until=bars.ts[fold.last_seen],
        rows=len(both),
        seconds=round(time.perf_counter() - start, 3),
        peak_mb=peak_mb(),
        validated=_validated(bars, validation, labels, unseen, evidence),
    )


def _validated(
    bars: Bars,
    rows: NDArray[np.int64],
    labels: Mapping[int, NDArray[np.float64]],
    unseen: Mapping[int, NDArray[np.float64]],
    evidence: Evidence,
) -> pd.DataFrame:
    """Squared errors of forecasts of validation rows: day, horizon, loss, known_loss."""
    day = sessions.trading_days(bars.minutes[rows])
    parts = []
    for horizon, forecast in unseen.items():
        label = labels[horizon][rows]
        loss = (label - evidence.betas[horizon] * forecast) ** 2
        frame = pd.DataFrame({"day": day, "loss": loss, "known_loss": label**2}).dropna()
        parts.append(frame.groupby("day", as_index=False).sum().assign(horizon=horizon))
    return pd.concat(parts, ignore_index=True)


def _forecast(
    history: History, taught: FoldFit, fold: Fold, made: Mapping[int, Target]
) -> pd.DataFrame:
    bars, rows = history.bars, fold.test
    x = history.matrix(taught.columns, rows, taught.fits)
    there = np.isfinite(bars.close[rows])
    predicted = point(taught.model.predict(x))
    parts = []
    for place, (horizon, beta) in enumerate(taught.evidence.betas.items()):
        raw = np.where(there, predicted[:, place], np.nan)
        target, reach = made[horizon], taught.reach[horizon]
        score = np.abs(target.label("innovation")[rows] - beta * raw)
        width = reach.track(score, bars.minutes[rows], target.sigma[rows], horizon)
        part = pd.DataFrame(
            {
                "ts_utc": bars.ts[rows],
                "fold": taught.number,
                "horizon": horizon,
                "forecast": beta * raw,
                "raw": raw,
                "reach": np.where(there, width, np.nan),
                "naive": np.where(there, reach.naive, np.nan),
            }
        )
        parts.append(part[np.isin(rows, fold.scored)])
    return pd.concat(parts)


def fit_pair(
    history: History,
    columns: Sequence[Column],
    folds: Sequence[Fold],
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
    made = samples.targets_of(history.bars, params)
    by_name = {column.name: column for column in columns}
    fits = tuple(
        _fit_fold(
            history,
            tuple(by_name[name] for name in selection.columns),
            fold,
            made,
            params,
            pairs * len(folds) * params.candidates,
            make(name, params, **(settings[place] if settings else {})),
        )
        for place, (fold, selection) in enumerate(zip(folds, selections, strict=True))
    )
    parts = [
        _forecast(history, taught, fold, made) for taught, fold in zip(fits, folds, strict=True)
    ]
    return PairResult(history.bars.pair, fits, pd.concat(parts, ignore_index=True))


def select_all(
    histories: Mapping[str, History],
    columns: Sequence[Column],
    folds: Sequence[Fold],
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
    tasks = {
        pair: (
            history,
            columns,
            folds,
            selections[pair],
            params,
            len(histories),
            name,
            (settings or {}).get(pair, ()),
        )
        for pair, history in histories.items()
        if pair not in done
    }
    over_pairs(fit_pair, tasks, params.workers, write=write, backend=params.backend)
