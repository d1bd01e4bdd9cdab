"""Notebook 09: drift of each fold's selected columns between its training and its test part."""

import numpy as np
import pandas as pd

from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning.folds import Fold
from bqx.learning.samples import fits_of
from bqx.learning.selection import Selection
from bqx.market import sessions
from bqx.monitoring.drift import drift
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages import selection
from bqx.stages.bars import load
from bqx.stages.features import histories
from bqx.stages.lagging import columns_of

NAME = "09_monitoring"


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
        frame = drift(
            history.matrix(members, train, fits),
            history.matrix(members, test, fits),
            chosen.columns,
            days_train=sessions.trading_days(bars.minutes[train]),
            seed=params.seed,
        )
        frames.append(frame.assign(pair=bars.pair, fold=fold.number))
    return pd.concat(frames, ignore_index=True)


def build(params: Params) -> pd.DataFrame:
    """Measure and store; one row per pair, fold and column: psi, threshold, drifted."""
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    dataset = load(run)
    drifts: dict[str, pd.DataFrame] = {}
    inputs = (artefacts.BARS, artefacts.COLUMNS, artefacts.SPLIT, artefacts.SELECTION)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], artefacts.roots(*inputs)) as stage:
        folds, chosen = selection.fitted_folds(stage, dataset), selection.read(stage, dataset)
        tasks = {
            pair: (history, columns_of(stage), folds, chosen[pair], params)
            for pair, history in histories(run, dataset.bars).items()
        }
        over_pairs(_pair, tasks, params.workers, write=drifts.__setitem__, backend=params.backend)
        frame = pd.concat([drifts[pair] for pair in dataset.bars], ignore_index=True)
        artefacts.DRIFT.write(stage, frame)
    return frame


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
