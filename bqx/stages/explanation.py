"""Notebook 13: what the forecasts read, how steadily, and how much more rows would teach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation.explanation import learning
from bqx.feature_store.history import History
from bqx.features.lags import Column
from bqx.learning import bundle
from bqx.learning.fold_fit import Lesson, lesson, lesson_rows
from bqx.learning.folds import Fold
from bqx.learning.samples import labels_of, targets_of
from bqx.market import sessions
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.run import Run, Stage
from bqx.runs.settled import settled
from bqx.stages import candidates, selection
from bqx.stages.bars import load
from bqx.stages.features import histories

NAME = "13_explanation"

EXPLAINED = 300
"""Most test rows of a fold behind its SHAP values."""
TINY = float(np.finfo(np.float64).tiny)
TOP = 10
"""Columns that count as the most used ones of a fold."""


@dataclass(frozen=True)
class Explained:
    """Test rows of a pair and fold, with what each column adds to their forecasts.

    ``columns`` : (n, C) values of the columns, named with their units.
    ``shap`` : (n, C, H) SHAP values, in sigma; ``horizons`` in minutes.
    """

    pair: str
    columns: pd.DataFrame
    shap: NDArray[np.float64]
    horizons: tuple[int, ...]

    def at(self, horizon: int) -> pd.DataFrame:
        """(n, C) SHAP values at one horizon."""
        return pd.DataFrame(
            self.shap[:, :, self.horizons.index(horizon)], columns=self.columns.columns
        )


@dataclass(frozen=True)
class Explanation:
    """What the forecasts read.

    ``shap`` : one row per pair, fold, horizon and column: model, first day of the test part,
        domain, and shap, the mean absolute SHAP value on test rows, in sigma.
    ``curves`` : one row per model, pair and share of the last fold's training rows: see
        ``explanation.learning``.
    ``last`` : the rows of the last fold behind ``shap``, by pair.
    """

    shap: pd.DataFrame
    curves: pd.DataFrame
    last: Mapping[str, Explained]

    def by_domain(self, by: Sequence[str]) -> pd.DataFrame:
        """Share of the absolute SHAP values by domain, columns; rows are what ``by`` names.

        Every pair, fold and horizon counts alike; those whose model reads nothing are left out.
        """
        cell = ["pair", "fold", "horizon"]
        whole = self.shap.groupby(cell)["shap"].transform("sum")
        used = self.shap[whole > 0].assign(share=self.shap["shap"] / whole)
        keys = list(dict.fromkeys([*cell, "start", "domain"]))
        shares = used.groupby(keys)["share"].sum().unstack("domain", fill_value=0.0)
        return shares.groupby(list(by)).mean()

    def top(self, pair: str, count: int = 15) -> pd.DataFrame:
        """SHAP values of a pair's most used columns in the last fold, columns by horizons."""
        pair_shap = self.shap[self.shap["pair"] == pair]
        last = pair_shap[pair_shap["fold"] == pair_shap["fold"].max()]
        table = last.pivot(index="column", columns="horizon", values="shap")
        order = table.mean(axis=1).sort_values(ascending=False, kind="stable").index[:count]
        return table.loc[order].rename_axis(columns="horizon (min)")

    def leading(self) -> pd.DataFrame:
        """Most used column of each pair in the last fold: its share of the absolute SHAP values
        over all horizons, and the horizons at which no other is used more."""
        last = self.shap[self.shap["fold"] == self.shap["fold"].max()]
        rows = []
        for pair, pair_shap in last.groupby("pair"):
            table = pair_shap.pivot(index="column", columns="horizon", values="shap")
            used = table.sum(axis=1)
            first = str(used.idxmax())
            leads = table.columns[table.idxmax() == first]
            share = used[first] / max(used.sum(), TINY)
            rows.append((pair, first, share, ", ".join(map(str, leads))))
        heads = ["pair", "column", "share", "leads at (min)"]
        return pd.DataFrame(rows, columns=heads).set_index("pair")

    def stability(self) -> pd.DataFrame:
        """How alike neighbouring folds read: one row per pair and fold, against the fold before.

        ``jaccard`` : common columns among the `TOP` most used ones, as a share of all of them;
        ``overlap`` : absolute SHAP values that both give to the same columns, as a share;
        ``domains`` : the same for whole domains. 1 is the same in both folds.
        """
        rows = []
        for pair, pair_shap in self.shap.groupby("pair"):
            columns, domains = (
                pair_shap.groupby(["fold", by])["shap"].sum().unstack(by, fill_value=0.0)
                for by in ("column", "domain")
            )
            for before, fold in pairwise(columns.index):
                earlier, later = (set(columns.loc[f].nlargest(TOP).index) for f in (before, fold))
                jaccard = len(earlier & later) / len(earlier | later)
                overlaps = [_overlap(table.loc[[before, fold]]) for table in (columns, domains)]
                rows.append((pair, fold, jaccard, *overlaps))
        return pd.DataFrame(rows, columns=["pair", "fold", "jaccard", "overlap", "domains"])


def _overlap(values: pd.DataFrame) -> float:
    """What the two rows of a table share, NaN where one of them is all zeros."""
    whole = values.sum(axis=1)
    if (whole == 0).any():
        return float("nan")
    return float(values.div(whole, axis=0).min(axis=0).sum())


def build(params: Params) -> Explanation:
    """Explain every fold's forecasts, measure learning curves, and store both."""
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    dataset = load(run)
    tables: dict[str, tuple[pd.DataFrame, pd.DataFrame, Explained]] = {}
    inputs = (artefacts.BARS, artefacts.SPLIT, artefacts.SELECTION, artefacts.FITS)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], artefacts.roots(*inputs)) as stage:
        folds, used = selection.split_of(stage, dataset).folds, candidates.used(stage)
        tasks = {
            pair: (history, folds, *_bundles(stage, pair, params, used), params)
            for pair, history in histories(run, dataset.bars).items()
        }
        over_pairs(_pair, tasks, params.workers, write=tables.__setitem__, backend=params.backend)
        shap, curves = (
            pd.concat([tables[pair][position] for pair in dataset.bars], ignore_index=True)
            for position in (0, 1)
        )
        artefacts.SHAP.write(stage, shap)
        artefacts.CURVES.write(stage, curves)
    return Explanation(shap, curves, {pair: tables[pair][2] for pair in dataset.bars})


def _bundles(
    stage: Stage, pair: str, params: Params, used: Mapping[int, str]
) -> tuple[dict[int, Path], dict[str, Path]]:
    """Bundle of each fold's own model, and of every model in the last fold."""
    last = max(used)
    return (
        {f: artefacts.FIT.at(stage, model=m, pair=pair, fold=f) for f, m in used.items()},
        {m: artefacts.FIT.at(stage, model=m, pair=pair, fold=last) for m in params.models},
    )


def _pair(
    history: History,
    folds: Sequence[Fold],
    folders: Mapping[int, Path],
    models: Mapping[str, Path],
    params: Params,
) -> tuple[pd.DataFrame, pd.DataFrame, Explained]:
    explained = [_fold(history, fold, folders[fold.number], params) for fold in folds]
    shap = pd.concat([used for used, _ in explained])
    return shap, _curves(history, folds[-1], models, params), explained[-1][1]


def _fold(
    history: History, fold: Fold, folder: Path, params: Params
) -> tuple[pd.DataFrame, Explained]:
    bars, packed = history.bars, bundle.load(folder)
    quoted = fold.test[np.isfinite(bars.close[fold.test])]
    rows = quoted[:: -(-len(quoted) // EXPLAINED)]
    x = history.matrix(packed.columns, rows, packed.fits)
    shap = packed.model.contributions(x, params.seed)
    used = np.abs(shap).mean(axis=0)
    named = pd.DataFrame(
        {
            "column": [column.name for column in packed.columns],
            "domain": [column.domain for column in packed.columns],
        }
    )
    start = sessions.timestamps(bars.minutes[fold.test[:1]])[0].strftime("%Y-%m-%d")
    by_horizon = [
        named.assign(shap=used[:, position], horizon=horizon)
        for position, horizon in enumerate(packed.horizons)
    ]
    table = pd.concat(by_horizon).assign(
        pair=bars.pair, fold=fold.number, start=start, model=packed.model.NAME
    )
    units = [f"{column.name} ({column.feature.unit})" for column in packed.columns]
    values = pd.DataFrame(x, columns=units)
    return table, Explained(bars.pair, values, shap, tuple(packed.horizons))


def _curves(
    history: History, fold: Fold, models: Mapping[str, Path], params: Params
) -> pd.DataFrame:
    bars, curves = history.bars, []
    labels = labels_of(targets_of(bars, params))
    lessons: dict[tuple[Column, ...], Lesson] = {}
    for name, folder in models.items():
        packed = bundle.load(folder)
        columns = tuple(packed.columns)
        if columns not in lessons:
            rows = lesson_rows(bars, columns, fold, labels, params)
            lessons[columns] = lesson(rows, history.matrices(columns, rows, packed.fits), labels)
        fold_lesson = lessons[columns]
        unseen = fold_lesson.later_x, fold_lesson.later_y
        curve = learning(
            packed.model, fold_lesson.x, fold_lesson.y, weight=fold_lesson.weight, validation=unseen
        )
        curves.append(curve.assign(model=name, pair=bars.pair))
    return pd.concat(curves)
