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
from bqx.learning import bundle
from bqx.learning.folds import Fold
from bqx.learning.samples import cut, labels_of, scale_of, targets_of, training_rows
from bqx.learning.weights import uniqueness
from bqx.market import sessions
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs.run import Run
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

    ``shap`` : a row a pair, fold, horizon and column: model, first day of the test part, domain,
        and shap, the mean absolute SHAP value on test rows, in sigma.
    ``curves`` : a row a model, pair and share of the last fold's training rows: see
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
        spoken = self.shap[whole > 0].assign(share=self.shap["shap"] / whole)
        keys = list(dict.fromkeys([*cell, "start", "domain"]))
        shares = spoken.groupby(keys)["share"].sum().unstack("domain", fill_value=0.0)
        return shares.groupby(list(by)).mean()

    def top(self, pair: str, count: int = 15) -> pd.DataFrame:
        """SHAP values of a pair's most used columns in the last fold, columns by horizons."""
        part = self.shap[self.shap["pair"] == pair]
        last = part[part["fold"] == part["fold"].max()]
        table = last.pivot(index="column", columns="horizon", values="shap")
        order = table.mean(axis=1).sort_values(ascending=False, kind="stable").index[:count]
        return table.loc[order].rename_axis(columns="horizon (min)")

    def leading(self) -> pd.DataFrame:
        """Most used column of each pair in the last fold: its share of the absolute SHAP values
        over all horizons, and the horizons at which no other is used more."""
        last = self.shap[self.shap["fold"] == self.shap["fold"].max()]
        rows = []
        for pair, part in last.groupby("pair"):
            table = part.pivot(index="column", columns="horizon", values="shap")
            used = table.sum(axis=1)
            first = str(used.idxmax())
            leads = table.columns[table.idxmax() == first]
            rows.append(
                {"pair": pair, "column": first, "share": used[first] / max(used.sum(), TINY),
                 "leads at (min)": ", ".join(map(str, leads))}
            )  # fmt: skip
        return pd.DataFrame(rows).set_index("pair")

    def stability(self) -> pd.DataFrame:
        """How alike neighbouring folds read: a row a pair and fold, against the one before.

        ``jaccard`` : common columns among the `TOP` most used ones, as a share of all of them;
        ``overlap`` : absolute SHAP values that both give to the same columns, as a share;
        ``domains`` : the same for whole domains. 1 is the same in both folds.
        """
        rows = []
        for pair, part in self.shap.groupby("pair"):
            used = part.groupby(["fold", "column"])["shap"].sum().unstack("column", fill_value=0.0)
            told = part.groupby(["fold", "domain"])["shap"].sum().unstack("domain", fill_value=0.0)
            for before, fold in pairwise(used.index):
                one, other = (set(used.loc[f].nlargest(TOP).index) for f in (before, fold))
                rows.append(
                    {
                        "pair": pair,
                        "fold": fold,
                        "jaccard": len(one & other) / len(one | other),
                        "overlap": _overlap(used, before, fold),
                        "domains": _overlap(told, before, fold),
                    }
                )
        return pd.DataFrame(rows, columns=["pair", "fold", "jaccard", "overlap", "domains"])


def _overlap(values: pd.DataFrame, one: int, other: int) -> float:
    whole = values.loc[[one, other]].sum(axis=1)
    if (whole == 0).any():
        return float("nan")
    shares = values.loc[[one, other]].div(whole, axis=0)
    return float(shares.min(axis=0).sum())


def build(params: Params) -> Explanation:
    """Explain every fold's forecasts, measure learning curves, and store both."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    folds = selection.folds_of(params, dataset)
    found: dict[str, tuple[pd.DataFrame, pd.DataFrame, Explained]] = {}
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars", "selection", "candidates"]) as stage:
        used = candidates.used(run)
        tasks = {
            pair: (each, folds, _folders(run, pair, used), _last(run, pair, params, used), params)
            for pair, each in histories(run, dataset.bars).items()
        }
        over_pairs(_pair, tasks, params.workers, write=found.__setitem__, backend=params.backend)
        shap, curves = (
            pd.concat([found[pair][position] for pair in dataset.bars], ignore_index=True)
            for position in (0, 1)
        )
        stage.write_parquet("explanation/shap.parquet", shap)
        stage.write_parquet("explanation/curves.parquet", curves)
    return Explanation(shap, curves, {pair: found[pair][2] for pair in dataset.bars})


def _folders(run: Run, pair: str, used: Mapping[int, str]) -> dict[int, Path]:
    """Bundle of each fold's own model."""
    return {
        fold: run.folder / candidates.place(name, pair) / str(fold) for fold, name in used.items()
    }


def _last(run: Run, pair: str, params: Params, used: Mapping[int, str]) -> dict[str, Path]:
    """Bundle of every model in the last fold."""
    last = str(max(used))
    return {name: run.folder / candidates.place(name, pair) / last for name in params.models}


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
    there = fold.test[np.isfinite(bars.close[fold.test])]
    rows = there[:: -(-len(there) // EXPLAINED)]
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
    bars, parts = history.bars, []
    labels = labels_of(targets_of(bars, params))
    complete = np.all([np.isfinite(label[fold.validation]) for label in labels.values()], axis=0)
    later = fold.validation[complete][:: params.stride]
    for name, folder in models.items():
        packed = bundle.load(folder)
        train = training_rows(bars, packed.columns, fold, labels, params)
        scale = scale_of(labels, train)
        x, unseen = (history.matrix(packed.columns, rows, packed.fits) for rows in (train, later))
        y, truth = (cut(labels, rows, scale) for rows in (train, later))
        weight = uniqueness(train, max(labels))
        curve = learning(packed.model, x, y, weight=weight, validation=(unseen, truth))
        parts.append(curve.assign(model=name, pair=bars.pair))
    return pd.concat(parts)
