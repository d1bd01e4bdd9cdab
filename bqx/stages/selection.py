"""Notebook 05: columns chosen inside each training fold."""

from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bqx.features.engine.fitting import Fits
from bqx.learning import folds, samples, targets, training
from bqx.learning.folds import Fold
from bqx.learning.selection import Selection, jaccard, kuncheva
from bqx.market import sessions
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs.run import Run, read_json
from bqx.stages.bars import Dataset, load
from bqx.stages.features import histories
from bqx.stages.lagging import columns

NAME = "05_selection"

SHARED = "selection/shared.json"
"""What the pairs have learnt together on each fold."""


def folds_of(params: Params, dataset: Dataset) -> tuple[Fold, ...]:
    """Folds of a run by its scheme, purged by the longest reach of any column or label.

    Raises ParameterError when not even one fits the bars.
    """
    minutes, horizon = dataset.minutes, max(params.horizons)
    lookback = max(
        *(column.lookback for column in columns(params)),
        *(targets.lookback(params.window(horizon)) for horizon in params.horizons),
    )
    if params.scheme == "combinatorial":
        return folds.combinatorial(
            minutes, params.groups, params.test_groups, params.embargo, horizon, lookback
        )
    split = params.split(len(np.unique(sessions.trading_days(minutes))))
    return folds.rolling_origin(minutes, *split, params.embargo, horizon, lookback)


def taught(run: Run, params: Params, dataset: Dataset) -> tuple[Fold, ...]:
    """`folds_of` a run with what its pairs have learnt together, as `build` has stored it."""
    held = read_json(run.folder / SHARED)
    return tuple(
        replace(fold, shared=each and Fits.from_json(each))
        for fold, each in zip(folds_of(params, dataset), held, strict=True)
    )


def build(params: Params) -> dict[str, tuple[Selection, ...]]:
    """Select and store; returns the selections of every pair's folds."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars"]) as stage:

        def write(pair: str, selections: tuple[Selection, ...]) -> None:
            stage.write_json(f"selection/{pair}.json", [asdict(each) for each in selections])

        done = {pair for pair in dataset.bars if stage.done(f"selection/{pair}.json")}
        if not stage.done(SHARED):
            shared = samples.share(dataset.bars, columns(params), folds_of(params, dataset))
            stage.write_json(SHARED, [each.shared and each.shared.to_json() for each in shared])
        training.select_all(
            histories(run, dataset.bars),
            columns(params),
            taught(run, params, dataset),
            params=params,
            write=write,
            done=done,
        )
        chosen = _read(run, dataset)
        stage.write_json("selection/stability.json", stability(chosen).to_dict("records"))
    return chosen


def read(run: Run, dataset: Dataset) -> dict[str, tuple[Selection, ...]]:
    """Stored selections by pair."""
    run.need("selection")
    return _read(run, dataset)


def _read(run: Run, dataset: Dataset) -> dict[str, tuple[Selection, ...]]:
    return {
        pair: tuple(_selection(held) for held in read_json(run.folder / f"selection/{pair}.json"))
        for pair in dataset.bars
    }


def _selection(held: dict[str, Any]) -> Selection:
    return Selection(
        columns=tuple(held["columns"]),
        importance=tuple(held["importance"]),
        permutation=tuple(held["permutation"]),
        shap=tuple(held["shap"]),
        share=held["share"],
        needed=held["needed"],
        candidates=held["candidates"],
        dropped=held["dropped"],
    )


def summary(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """A row a pair and fold: columns, candidates, dropped before the forest, share of the
    importance that the columns reach, and how many would reach 95 %."""
    return pd.DataFrame(
        [
            {"pair": pair, "fold": fold, "columns": len(each.columns),
             "candidates": each.candidates, "dropped": len(each.dropped),
             "share": round(each.share, 3), "needed for 95 %": each.needed}
            for pair, selections in chosen.items()
            for fold, each in enumerate(selections)
        ]
    )  # fmt: skip


def ranked(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """Cumulative importance of the last fold's columns: pair, rank, column, cumulative."""
    return pd.concat(
        pd.DataFrame(
            {
                "pair": pair,
                "rank": np.arange(1, len(last.columns) + 1),
                "column": last.columns,
                "cumulative": np.cumsum(last.importance),
            }
        )
        for pair, last in ((pair, selections[-1]) for pair, selections in chosen.items())
    )


def domains(params: Params, chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """Selected columns by domain, a row a pair, least over the folds."""
    domain = {column.name: column.domain for column in columns(params)}
    rows = [
        {"pair": pair, "columns": len(each.columns)}
        | {name: sum(domain[c] == name for c in each.columns) for name in ("rate", "bqx", "clock")}
        for pair, selections in chosen.items()
        for each in selections
    ]
    return pd.DataFrame(rows).groupby("pair").min()


def stability(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """Likeness of the columns of neighbouring folds: a row a pair and fold, against the one before.

    ``jaccard`` : common columns as a share of all; ``kuncheva`` : beyond those of chance.
    """
    rows = [
        {"pair": pair, "fold": fold, "jaccard": jaccard(one, other),
         "kuncheva": kuncheva(one, other)}
        for pair, selections in chosen.items()
        for fold, (one, other) in enumerate(pairwise(selections), 1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["pair", "fold", "jaccard", "kuncheva"])


def agreement(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """Rank correlation of the importance with what two other measures say of the chosen columns.

    A row a pair and fold: ``permutation`` on rows that the forest has not seen, and ``shap``.
    """
    rows = [
        {"pair": pair, "fold": fold}
        | {
            name: stats.spearmanr(each.importance, getattr(each, name)).statistic
            for name in ("permutation", "shap")
        }
        for pair, selections in chosen.items()
        for fold, each in enumerate(selections)
    ]
    return pd.DataFrame(rows)
