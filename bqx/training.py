"""Fit each pair fold by fold: select, boost, and shrink every forecast towards the martingale.

Rounds are chosen on the last training rows, the share of the forecast that is kept on the
validation rows, and the model that forecasts the test rows is fitted on both.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx import conformal, lags, sessions, targets
from bqx.bars import Bars
from bqx.conformal import Reach
from bqx.errors import ParameterError
from bqx.features.fitting import Fits, fit
from bqx.folds import Fold, longest_run
from bqx.lags import Column
from bqx.models import MODELS, Estimator
from bqx.parallel import over_pairs
from bqx.params import Params
from bqx.selection import Selection, select
from bqx.shrinkage import Evidence, weigh
from bqx.targets import Target

Rows = NDArray[np.int64]
Series = NDArray[np.float64]

LEAST = 180
"""Fewest training rows."""
EXTREME = 4.0
"""Standard deviations at which training labels are cut off."""
STOPPING = 0.2
"""Last share of the training rows, by which the number of rounds is chosen."""
MODEL = "xgboost"


@dataclass(frozen=True)
class FoldFit:
    """What one fold taught: evidence, and a model a horizon for the rows that follow.

    ``columns`` : in the models' order; ``fits`` : what their fitted families learnt; ``reach`` :
    where the intervals of each horizon start from; ``trained_until`` : open of the last bar that
    it has seen.
    """

    number: int
    columns: tuple[Column, ...]
    fits: Fits
    evidence: Evidence
    models: dict[int, Estimator]
    reach: dict[int, Reach]
    trained_until: pd.Timestamp


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


def fits_of(bars: Bars, columns: Sequence[Column], fold: Fold) -> Fits:
    """What the fitted families among the columns learn from a fold's training rows.

    They read rows without a gap: the longest run, where test rows part the training rows.
    """
    features = tuple(dict.fromkeys(column.feature for column in columns))
    return fit(bars, features, longest_run(fold.train))


def _targets(bars: Bars, params: Params) -> dict[int, Target]:
    return {
        horizon: targets.make(bars, params.window(horizon), horizon) for horizon in params.horizons
    }


def _labels(made: Mapping[int, Target]) -> dict[int, Series]:
    return {horizon: target.label("innovation") for horizon, target in made.items()}


def _training_rows(
    bars: Bars, columns: Sequence[Column], fold: Fold, labels: Mapping[int, Series], params: Params
) -> Rows:
    """Every stride-th row of the fold's training part that has all labels and a full lookback."""
    complete = np.all([np.isfinite(label) for label in labels.values()], axis=0)
    reach = max(column.lookback for column in columns)
    rows = fold.train[complete[fold.train] & (fold.train >= reach - 1)][:: params.stride]
    if len(rows) < LEAST:
        raise ParameterError(
            f"{bars.pair} fold {fold.number}: too few rows to learn from, got {len(rows)} with a "
            f"stride of {params.stride} and a warm-up of {reach}; expected at least {LEAST}. Raise "
            "train_days, lower stride, or leave out a pair with such holes."
        )
    return rows


def _cut(labels: Mapping[int, Series], rows: Rows, scale: Mapping[int, float]) -> dict[int, Series]:
    return {
        horizon: np.clip(label[rows], -EXTREME * scale[horizon], EXTREME * scale[horizon])
        for horizon, label in labels.items()
    }


def _scale(labels: Mapping[int, Series], rows: Rows) -> dict[int, float]:
    return {horizon: float(np.std(label[rows])) for horizon, label in labels.items()}


def select_pair(
    bars: Bars, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> tuple[Selection, ...]:
    """Choose the columns of one pair on every fold, from its training rows alone.

    Parameters
    ----------
    bars : T rows of the pair.
    columns : candidates.
    folds : over the rows of the bars.
    params : horizons, target_window, stride, selected, domain_share, forest_trees, forest_depth
        and seed are read.

    Raises
    ------
    ParameterError : too few rows to learn from, or no column left.
    """
    labels = _labels(_targets(bars, params))
    selections = []
    for fold in folds:
        rows = _training_rows(bars, columns, fold, labels, params)
        selections.append(
            select(
                lags.matrix(bars, columns, rows, fits_of(bars, columns, fold)),
                np.column_stack(list(_cut(labels, rows, _scale(labels, rows)).values())),
                columns,
                sessions.trading_days(bars.minutes[rows]),
                params.selected,
                params.domain_share,
                params.forest_trees,
                params.forest_depth,
                params.seed,
            )
        )
    return tuple(selections)


def _fit_fold(
    bars: Bars,
    columns: tuple[Column, ...],
    fold: Fold,
    made: Mapping[int, Target],
    params: Params,
    tests: int,
) -> FoldFit:
    def model(rounds: int) -> Estimator:
        return MODELS[MODEL](rounds, params.depth, params.learning_rate, params.seed)

    labels = _labels(made)
    train = _training_rows(bars, columns, fold, labels, params)
    validation = fold.validation[np.isfinite(bars.close[fold.validation])]
    scale = _scale(labels, train)
    y = _cut(labels, train, scale)
    fits = fits_of(bars, columns, fold)
    x, later = (lags.matrix(bars, columns, rows, fits) for rows in (train, validation))

    split = train[int(len(train) * (1 - STOPPING))]
    early, late = train < split - max(labels), train >= split
    stopped = [
        model(params.rounds).fit(x[early], label[early], (x[late], label[late])).rounds
        for label in y.values()
    ]
    # One number for all horizons, since where a single one stops is mostly chance.
    rounds = int(np.median(stopped))
    unseen = {horizon: model(rounds).fit(x, label).predict(later) for horizon, label in y.items()}
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
    added = _cut(labels, validation[thin], scale)
    return FoldFit(
        number=fold.number,
        columns=columns,
        fits=fits,
        evidence=evidence,
        models={h: model(rounds).fit(both, np.concatenate((y[h], added[h]))) for h in labels},
        reach=reach,
        trained_until=bars.ts[fold.last_seen],
    )


def _forecast(bars: Bars, taught: FoldFit, fold: Fold, made: Mapping[int, Target]) -> pd.DataFrame:
    rows = fold.test
    x = lags.matrix(bars, taught.columns, rows, taught.fits)
    there = np.isfinite(bars.close[rows])
    parts = []
    for horizon, beta in taught.evidence.betas.items():
        raw = np.where(there, taught.models[horizon].predict(x), np.nan)
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
    bars: Bars,
    columns: Sequence[Column],
    folds: Sequence[Fold],
    selections: Sequence[Selection],
    params: Params,
    pairs: int,
) -> PairResult:
    """Fit and forecast one pair on every fold.

    Nothing of a fold's fit depends on bars after its ``last_seen``.

    Parameters
    ----------
    bars, columns, folds : as for `select_pair`.
    selections : of the folds.
    params : horizons, target_window, stride, rounds, depth, learning_rate and seed are read.
    pairs : pairs in the run; with the folds they make the family of tests.

    Raises
    ------
    ParameterError : too few rows to learn from.
    """
    made = _targets(bars, params)
    by_name = {column.name: column for column in columns}
    fits = tuple(
        _fit_fold(
            bars,
            tuple(by_name[name] for name in selection.columns),
            fold,
            made,
            params,
            pairs * len(folds),
        )
        for fold, selection in zip(folds, selections, strict=True)
    )
    parts = [_forecast(bars, taught, fold, made) for taught, fold in zip(fits, folds, strict=True)]
    return PairResult(bars.pair, fits, pd.concat(parts, ignore_index=True))


def select_all(
    bars: Mapping[str, Bars],
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
    tasks = {pair: (bars[pair], columns, folds, params) for pair in bars if pair not in done}
    over_pairs(select_pair, tasks, params.workers, write, params.backend)


def fit_all(
    bars: Mapping[str, Bars],
    columns: Sequence[Column],
    folds: Sequence[Fold],
    selections: Mapping[str, Sequence[Selection]],
    params: Params,
    write: Callable[[str, PairResult], None],
    done: Collection[str] = (),
) -> None:
    """`fit_pair` for all pairs but those done, as `select_all`; all count in the family of tests.

    Raises
    ------
    BqxError : pairs failed; named once the others are written.
    """
    tasks = {
        pair: (bars[pair], columns, folds, selections[pair], params, len(bars))
        for pair in bars
        if pair not in done
    }
    over_pairs(fit_pair, tasks, params.workers, write, params.backend)
