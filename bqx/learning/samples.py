"""Rows and labels that a fold learns from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.features.engine.fitting import Fits, fit, pool
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.learning.folds import Fold, longest_run
from bqx.learning.targets import Target, make
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params

Rows = NDArray[np.int64]
Series = NDArray[np.float64]

LEAST = 180
"""Fewest training rows."""
EXTREME = 4.0
"""Standard deviations at which training labels are cut off."""
STOPPING = 0.2
"""Last share of the training rows, by which a model's own settings are chosen."""


def fits_of(bars: Bars, columns: Sequence[Column], fold: Fold) -> Fits:
    """What the fitted families among the columns learn from a fold's training rows.

    They read rows without a gap: the longest run, where test rows part the training rows. What
    all pairs share stands beside it, see `share`. What the fold knows is not learnt again.
    """
    parameters = fold.own[bars.pair].parameters if bars.pair in fold.own else None
    pair_fits = fit(bars, _features(columns), longest_run(fold.train), parameters)
    return pair_fits.beside(fold.shared)


def own_fits(bars: Bars, columns: Sequence[Column], folds: Sequence[Fold]) -> tuple[Fits, ...]:
    """What a pair's columns learn from the training rows of each fold, all pairs' left out."""
    return tuple(fit(bars, _features(columns), longest_run(fold.train)) for fold in folds)


def share(
    bars: Mapping[str, Bars], columns: Sequence[Column], folds: Sequence[Fold]
) -> tuple[Fold, ...]:
    """Folds with what the columns' families learn from the training rows of all pairs at once.

    Once for a run, before anything of a pair is fitted; folds as they were where no family does.

    Raises
    ------
    BqxError : what a family needs to learn is not installed.
    """
    features = _features(columns)
    if not any(feature.family.pool for feature in features):
        return tuple(folds)
    return tuple(
        replace(fold, shared=pool(bars, features, longest_run(fold.train))) for fold in folds
    )


def _features(columns: Sequence[Column]) -> tuple[Feature, ...]:
    return tuple(dict.fromkeys(column.feature for column in columns))


def targets_of(bars: Bars, params: Params) -> dict[int, Target]:
    """Targets by horizon."""
    return {horizon: make(bars, params.window(horizon), horizon) for horizon in params.horizons}


def label_days(days: Rows, params: Params) -> Rows:
    """Numbers of days, those that the longest label of the horizons joins as one."""
    longest = max(horizon + params.window(horizon) for horizon in params.horizons)
    return sessions.joined_days(days, longest)


def labels_of(targets: Mapping[int, Target]) -> dict[int, Series]:
    """(T,) innovations by horizon, in sigma."""
    return {horizon: target.label("innovation") for horizon, target in targets.items()}


def training_rows(
    bars: Bars, columns: Sequence[Column], fold: Fold, labels: Mapping[int, Series], params: Params
) -> Rows:
    """Every stride-th row of the fold's training rows that has all labels and a full lookback."""
    complete = np.all([np.isfinite(label) for label in labels.values()], axis=0)
    lookback = max(column.lookback for column in columns)
    rows = fold.train[complete[fold.train] & (fold.train >= lookback - 1)][:: params.stride]
    if len(rows) < LEAST:
        raise ParameterError(
            f"{bars.pair} fold {fold.number}: too few rows to learn from, got {len(rows)} with a "
            f"stride of {params.stride} and a warm-up of {lookback}; expected at least {LEAST}. "
            "Raise train_days, lower stride, or leave a pair with such holes out of pairs."
        )
    return rows


def check_rows(
    bars: Bars, columns: Sequence[Column], folds: Sequence[Fold], params: Params
) -> None:
    """Refuse bars that leave a part of a fold without rows to learn from, to weigh or to forecast.

    Raises ParameterError, which names the part and what can be done.
    """
    labels = labels_of(targets_of(bars, params))
    complete = np.all([np.isfinite(label) for label in labels.values()], axis=0)
    quoted = np.isfinite(bars.close)
    for fold in folds:
        training_rows(bars, columns, fold, labels, params)
        for name, rows, usable, what in (
            ("validation", fold.validation, complete, "labels"),
            ("test", fold.test, quoted, "bars"),
        ):
            if not usable[rows].any():
                first, last = bars.ts[rows[[0, -1]]]
                raise ParameterError(
                    f"{bars.pair} fold {fold.number}: no {name} rows, got no {what} from "
                    f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}; expected some. Leave "
                    f"{bars.pair} out of pairs, give its bars of that time, or raise {name}_days."
                )


def cut(labels: Mapping[int, Series], rows: Rows, scale: Mapping[int, float]) -> Series:
    """(n, H) labels at some rows, cut off where they are extreme."""
    return np.column_stack(
        [
            np.clip(label[rows], -EXTREME * scale[horizon], EXTREME * scale[horizon])
            for horizon, label in labels.items()
        ]
    )


def scale_of(labels: Mapping[int, Series], rows: Rows) -> dict[int, float]:
    """Standard deviation of each horizon's labels at some rows."""
    return {horizon: float(np.std(label[rows])) for horizon, label in labels.items()}


def stopping_parts(rows: Rows, horizon: int) -> tuple[slice, slice]:
    """Which of ascending training rows fit, and the last ones, by which settings are chosen."""
    split = int(len(rows) * (1 - STOPPING))
    return slice(int(np.searchsorted(rows, rows[split] - horizon))), slice(split, len(rows))
