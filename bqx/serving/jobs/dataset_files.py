"""A pair's dataset as files: features, the parts of its folds, what they are, and their scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.files import write_json, write_parquet
from bqx.learning import samples, split
from bqx.learning.folds import Fold
from bqx.learning.models.scaler import Scaler
from bqx.market.bars import Bars
from bqx.params import Params

PARTS = {"train": "train", "val": "validation", "test": "test"}
"""Files of a fold, and the rows of it that each holds."""


def candidates(params: Params) -> tuple[Column, ...]:
    """Columns of a dataset, among which models choose."""
    plan = catalog.LISTS.plan(params.profile)
    return lags.grid(catalog.profile(params.profile), params.lags, params.strict61, plan)


def write(bars: Bars, folder: Path, params: Params) -> int:
    """Write a pair's files, and give the number of rows that its parts hold.

    ``features_N.parquet`` : N features on every row, without lags. ``{train,val,test}.parquet`` :
    all columns and the labels (innovations in sigma, ``innovation_H``) on rows that have them, in
    a folder ``fold_K`` each where there are several folds. ``feature_metadata.json`` : what the
    columns are. ``scaler.json`` : mean and deviation of the training rows.

    Raises ParameterError when not even one fold fits the bars.
    """
    columns = candidates(params)
    folds = split.make(params, bars.minutes, columns).folds
    labels = pd.DataFrame(samples.labels_of(samples.targets_of(bars, params)), index=bars.ts)
    labels = labels.add_prefix("innovation_")
    # A fitted family has values once it has learnt; the first fold's training rows are its own.
    now = [Column(f) for f in dict.fromkeys(c.feature for c in columns) if not f.fit_key]
    rows = np.arange(len(bars))
    write_parquet(folder / f"features_{len(now)}.parquet", _frame(bars, now, rows, folds[0]))
    total = 0
    for fold in folds:
        own = folder / f"fold_{fold.number}" if len(folds) > 1 else folder
        total += _write_fold(bars, columns, fold, labels=labels, folder=own)
    write_json(folder / "feature_metadata.json", _metadata(bars, columns, params))
    return total


def _write_fold(
    bars: Bars, columns: tuple[Column, ...], fold: Fold, *, labels: pd.DataFrame, folder: Path
) -> int:
    total = 0
    complete = np.isfinite(labels.to_numpy()).all(axis=1)
    for name, rows_of in PARTS.items():
        rows = getattr(fold, rows_of)
        rows = rows[complete[rows]]
        frame = _frame(bars, columns, rows, fold)
        if name == "train":
            scaler = Scaler.fit(frame.to_numpy())
            names = {"columns": [column.name for column in columns]}
            write_json(folder / "scaler.json", names | scaler.to_json())
        write_parquet(folder / f"{name}.parquet", frame.join(labels.iloc[rows]))
        total += len(rows)
    return total


def _frame(
    bars: Bars, columns: tuple[Column, ...] | list[Column], rows: NDArray[np.int64], fold: Fold
) -> pd.DataFrame:
    fits = samples.fits_of(bars, columns, fold)
    values = lags.matrix(bars, columns, rows, fits)
    return pd.DataFrame(values, index=bars.ts[rows], columns=[column.name for column in columns])


def _metadata(bars: Bars, columns: tuple[Column, ...], params: Params) -> dict[str, Any]:
    identities = catalog.identities(dict.fromkeys(column.feature for column in columns))
    return {
        "pair": bars.pair,
        "baseline": bars.baseline,
        "rows": len(bars),
        "horizons": params.horizons,
        "target_window": params.target_window,
        "columns": [
            {
                "name": column.name,
                "feature": column.feature.name,
                "lag": column.lag,
                "domain": column.domain,
                "unit": column.feature.unit,
                "lookback": column.lookback,
                "identity": identities[column.feature.name],
            }
            for column in columns
        ],
    }
