"""Notebook 05: the split into folds, and columns chosen inside each training fold."""

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bqx.errors import ParameterError
from bqx.features.documents.statements import NEEDED, every
from bqx.features.engine.fitting import Fits
from bqx.features.lags import Column
from bqx.learning import pair_selection, samples, split
from bqx.learning.folds import Fold
from bqx.learning.screening import Screen
from bqx.learning.selection import Selection, jaccard, kuncheva
from bqx.learning.split import Split
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages.bars import Dataset, load
from bqx.stages.features import histories
from bqx.stages.lagging import columns_of

NAME = "05_selection"
SHARED = ("rate", "bqx")
"""Domains that ``domain_share`` is about."""


def usable_split(dataset: Dataset, columns: tuple[Column, ...], params: Params) -> Split:
    """The split of a run whose every pair has rows to learn from and to forecast in every fold.

    Raises ParameterError when not even one fold fits, or a part of one has no rows of a pair.
    """
    run_split = split.make(params, dataset.minutes, columns)
    for bars in dataset.bars.values():
        samples.check_rows(bars, columns, run_split.folds, params)
    return run_split


def split_of(source: Source, dataset: Dataset) -> Split:
    """The split of a run, as `build` has stored it."""
    return Split.from_json(artefacts.SPLIT.read(source), dataset.minutes)


def fitted_folds(source: Source, dataset: Dataset) -> tuple[Fold, ...]:
    """Folds of a run with what fitted families have learnt on them, as `build` has stored both."""
    return split_of(source, dataset).with_fits(artefacts.LEARNT.read(source))


def build(params: Params) -> dict[str, tuple[Selection, ...]]:
    """Split and select, for each pair and for pooled models; returns every pair's selections.

    Raises ParameterError for bars that leave a part of a fold without rows.
    """
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    dataset = load(run)
    inputs = artefacts.roots(artefacts.BARS, artefacts.COLUMNS)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], inputs) as stage:
        columns = columns_of(stage)
        run_split = usable_split(dataset, columns, params)
        artefacts.SPLIT.write(stage, run_split.to_json(dataset.minutes))

        def write(pair: str, selections: tuple[Selection, ...]) -> None:
            artefacts.SELECTION.write(stage, [asdict(s) for s in selections], pair=pair)

        done = {p for p in dataset.bars if stage.done(artefacts.SELECTION.path(pair=p))}
        if not stage.done(artefacts.LEARNT.path()):
            artefacts.LEARNT.write(stage, _learnt(dataset, columns, run_split.folds, params))
        histories_by_pair, folds = histories(run, dataset.bars), fitted_folds(stage, dataset)
        if len(done) < len(histories_by_pair) or not stage.done(artefacts.SCREENS.path()):
            pooled = pair_selection.select_all(
                histories_by_pair, columns, folds, params=params, write=write, done=done
            )
            artefacts.SCREENS.write(stage, [asdict(screen) for screen in pooled])
        chosen = read(stage, dataset)
        artefacts.STABILITY.write(stage, stability(chosen).to_dict("records"))
    return chosen


def _learnt(
    dataset: Dataset, columns: tuple[Column, ...], folds: tuple[Fold, ...], params: Params
) -> list[dict[str, Any]]:
    """What fitted families learn on each fold, once for all that reads the fold."""
    fits_by_pair: dict[str, tuple[Fits, ...]] = {}
    fitted = tuple(column for column in columns if column.feature.fit_key)
    if fitted:
        tasks = {pair: (bars, fitted, folds) for pair, bars in dataset.bars.items()}
        over_pairs(
            samples.own_fits,
            tasks,
            params.workers,
            write=fits_by_pair.__setitem__,
            backend=params.backend,
        )
    return [
        {
            "shared": fold.shared and fold.shared.to_json(),
            "own": {pair: fits[number].to_json() for pair, fits in sorted(fits_by_pair.items())},
        }
        for number, fold in enumerate(samples.share(dataset.bars, columns, folds))
    ]


def read(source: Source, dataset: Dataset) -> dict[str, tuple[Selection, ...]]:
    """Stored selections by pair."""
    return {
        pair: tuple(map(_selection, artefacts.SELECTION.read(source, pair=pair)))
        for pair in dataset.bars
    }


def screens(source: Source) -> tuple[Screen, ...]:
    """Stored columns of pooled models, fold by fold."""
    return tuple(
        Screen(**(row | {name: tuple(row[name]) for name in ("columns", "strength")}))
        for row in artefacts.SCREENS.read(source)
    )


def _selection(row: dict[str, Any]) -> Selection:
    lists = ("columns", "importance", "permutation", "shap")
    return Selection(**(row | {name: tuple(row[name]) for name in lists}))


def summary(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """One row per pair and fold: columns, candidates, dropped before the forest, share of the
    importance that the columns reach, and how many would reach 95 %."""
    return pd.DataFrame(
        [
            {
                "pair": pair,
                "fold": fold,
                "columns": len(selection.columns),
                "candidates": selection.candidates,
                "dropped": len(selection.dropped),
                "share": round(selection.share, 3),
                "needed for 95 %": selection.needed,
            }
            for pair, selections in chosen.items()
            for fold, selection in enumerate(selections)
        ]
    )


def statement(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """The one number of the documents that only a run can recompute, as in notebook 03: how many
    columns reach 95 % of the importance, the median over pairs and folds."""
    (documented,) = (entry for entry in every() if entry.row == NEEDED)
    needed = float(
        np.median([selection.needed for selections in chosen.values() for selection in selections])
    )
    row = {"statement": documented.statement, "stated": documented.stated, "recomputed": needed}
    why = "importance is spread over near copies of the same few things"
    return pd.DataFrame([row | {"difference": needed - documented.stated, "cause": why}])


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
    """Selected columns by domain, one row per pair, least over the folds."""
    columns = columns_of(Run.open(params.folder, params))
    domain = {column.name: column.domain for column in columns}
    rows = [
        {"pair": pair, "columns": len(selection.columns)}
        | {
            name: sum(domain[column] == name for column in selection.columns)
            for name in ("rate", "bqx", "clock")
        }
        for pair, selections in chosen.items()
        for selection in selections
    ]
    return pd.DataFrame(rows).groupby("pair").min()


def short_of_share(params: Params, chosen: dict[str, tuple[Selection, ...]]) -> list[str]:
    """Pairs and domains of which fewer columns were chosen than ``domain_share`` says, though the
    forest saw more; none where quotas or a least importance stand before the share."""
    if params.quotas or params.least_importance:
        return []
    columns = columns_of(Run.open(params.folder, params))
    names = {name: {c.name for c in columns if c.domain == name} for name in SHARED}
    short = []
    for pair, selections in chosen.items():
        for fold, selection in enumerate(selections):
            count = len(selection.columns)
            share = min(params.domain_share * count, count // 2)
            for domain, candidates in names.items():
                least = min(share, len(candidates.difference(selection.dropped)))
                if len(candidates.intersection(selection.columns)) < least:
                    short.append(f"{pair}, fold {fold}: {domain}")
    return short


def stability(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """Likeness of the columns of neighbouring folds: one row per pair and fold but the first.

    ``jaccard`` : common columns as a share of all; ``kuncheva`` : beyond those of chance.
    """
    rows = [
        (pair, fold, jaccard(before, selection), kuncheva(before, selection))
        for pair, selections in chosen.items()
        for fold, (before, selection) in enumerate(pairwise(selections), 1)
    ]
    return pd.DataFrame(rows, columns=["pair", "fold", "jaccard", "kuncheva"])


def agreement(chosen: dict[str, tuple[Selection, ...]]) -> pd.DataFrame:
    """Rank correlation of the importance with what two other measures say of the chosen columns.

    One row per pair and fold: ``permutation`` on rows that the forest has not seen, and ``shap``.
    """
    rows = [
        {"pair": pair, "fold": fold}
        | {
            name: stats.spearmanr(selection.importance, getattr(selection, name)).statistic
            for name in ("permutation", "shap")
        }
        for pair, selections in chosen.items()
        for fold, selection in enumerate(selections)
    ]
    return pd.DataFrame(rows)


def last_columns(params: Params) -> tuple[Column, ...]:
    """Columns that the last fold of the first pair has chosen."""
    run = Run.open(params.folder, params)
    columns = {column.name: column for column in columns_of(run)}
    chosen = next(iter(read(run, load(run)).values()))[-1]
    return tuple(columns[name] for name in chosen.columns)


def without(params: Params, domain: str, pair: str = "") -> pd.DataFrame:
    """Columns that the last fold would choose without a domain, beside those that it has chosen.

    Nothing is stored. One row per column of either choice: its importance with and without, NaN
    where it is not chosen.

    Raises ParameterError for an unknown domain, or the only one.
    """
    run = Run.open(params.folder, params)
    params, dataset = settled(run), load(run)
    columns = columns_of(run)
    left = tuple(column for column in columns if column.domain != domain)
    domains = dict.fromkeys((*SHARED, *(column.domain for column in columns)))
    if not left or domain not in domains:
        raise ParameterError(
            f"domain: cannot be left out, got {domain!r}; expected one of {', '.join(domains)}, "
            "and not the only one."
        )
    pair = pair or next(iter(dataset.bars))
    history = histories(run, dataset.bars)[pair]
    last = fitted_folds(run, dataset)[-1:]
    free = params.model_copy(update={"domain_share": 0.0, "quotas": {}})
    chosen = {
        "with": read(run, dataset)[pair][-1],
        "without": pair_selection.select_pair(history, left, last, free)[0],
    }
    table = pd.DataFrame(
        {k: pd.Series(selection.importance, selection.columns) for k, selection in chosen.items()}
    )
    order = table.sort_values(["without", "with"], ascending=False, kind="stable")
    return order.rename_axis("column").rename(columns={"without": f"without {domain}"})
