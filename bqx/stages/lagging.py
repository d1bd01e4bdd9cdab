"""Notebook 04: the grid of lagged columns, and the proof that a lag is a shift."""

import numpy as np
import pandas as pd

from bqx.features import catalog, lags
from bqx.features.engine.compute import compute
from bqx.features.lags import Column
from bqx.params import COLUMN_KEYS, NOTEBOOK_KEYS, Params
from bqx.params.own_files import own_files
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Run
from bqx.stages.bars import load

NAME = "04_lagging"


def build(params: Params) -> pd.DataFrame:
    """Store the grid; returns one row per column: name, feature, suffix, table, domain, lag and
    lookback."""
    run = Run.open(params.folder, params)
    catalog.adopt(params.own_features)
    columns = lags.candidates_of(params)
    ids = {feature.name: feature.identity for feature in catalog.own()}
    rows = [
        {
            "column": column.name,
            "feature": column.feature.name,
            "suffix": column.suffix,
            "table": column.feature.table,
            "domain": column.domain,
            "lag": column.lag,
            "lookback": column.lookback,
        }
        # What changes of a user's own makes later notebooks run again, as the package's code does.
        | ({"identity": ids[column.feature.name]} if column.feature.name in ids else {})
        for column in columns
    ]
    parameters = {key: getattr(params, key) for key in COLUMN_KEYS}
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], own_files(params, ("features",))) as stage:
        artefacts.COLUMNS.write(stage, {"parameters": parameters, "columns": rows})
    return pd.DataFrame(rows)


def columns_of(source: Source) -> tuple[Column, ...]:
    """Candidate columns of a run."""
    stored = artefacts.COLUMNS.read(source)
    catalog.adopt(Params(features=stored["parameters"]["features"]).own_features)
    return tuple(
        Column(catalog.FEATURES[row["feature"]], row["lag"], row["suffix"])
        for row in stored["columns"]
    )


def by_table(grid: pd.DataFrame) -> pd.DataFrame:
    """Number of columns by table and lag."""
    return grid.groupby(["table", "lag"], sort=False).size().unstack(fill_value=0)


def newest_bar(params: Params, probes: int = 20) -> pd.DataFrame:
    """Newest bar that causality columns read, found by perturbing bars one by one.

    For each of the last 65 bars of a slice, how many of the columns' last values change when that
    bar is moved by one percent. One row per distance in rows: ``distance``, ``changed``; none where
    no column's bars stand anywhere without a hole.
    """
    run = Run.open(params.folder, params)
    bars = next(iter(load(run).bars.values()))
    ruled = [c for c in columns_of(run) if c.lag == lags.CAUSALITY_LAG][:probes]
    holes = np.flatnonzero(np.isnan(bars.close))
    edges = np.r_[-1, holes, len(bars)]
    longest = int(np.argmax(np.diff(edges)))
    stop = int(edges[longest + 1])
    ruled = [c for c in ruled if c.lookback <= stop - edges[longest] - 1]
    if not ruled:
        return pd.DataFrame({"distance": [], "changed": []}, dtype=np.int64)
    features = tuple(dict.fromkeys(c.feature for c in ruled))
    lookback = max(c.lookback for c in ruled)
    probed = bars.rows(stop - lookback, stop)
    last = np.array([lookback - 1])
    before = lags.read(compute(probed, features), features, ruled, last)
    rows = []
    for distance in range(66):
        frame = probed.frame.copy()
        frame.iloc[-1 - distance, :4] *= 1.01
        moved = type(bars)(bars.pair, frame, bars.baseline)
        after = lags.read(compute(moved, features), features, ruled, last)
        rows.append({"distance": distance, "changed": int((after != before).sum())})
    return pd.DataFrame(rows)
