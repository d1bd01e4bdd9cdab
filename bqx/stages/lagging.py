"""Notebook 04: the grid of lagged columns, and the proof that a lag is a shift."""

import numpy as np
import pandas as pd

from bqx.features import catalog, lags
from bqx.features.engine.compute import compute
from bqx.features.lags import Column
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs.run import Run
from bqx.stages.bars import load

NAME = "04_lagging"


def columns(params: Params) -> tuple[Column, ...]:
    """Candidate columns of a run."""
    plan = catalog.LISTS.plan(params.profile)
    return lags.grid(catalog.profile(params.profile), params.lags, params.strict61, plan)


def build(params: Params) -> pd.DataFrame:
    """Store the grid; returns a row a column: name, feature, table, domain, lag, lookback."""
    run = Run.open(params.folder, params)
    grid = pd.DataFrame(
        [
            {"column": c.name, "feature": c.feature.name, "table": c.feature.table,
             "domain": c.domain, "lag": c.lag, "lookback": c.lookback}
            for c in columns(params)
        ]
    )  # fmt: skip
    with run.stage(NAME, NOTEBOOK_KEYS[NAME]) as stage:
        stage.write_json("lags.json", grid.to_dict("records"))
    return grid


def by_table(grid: pd.DataFrame) -> pd.DataFrame:
    """Number of columns by table and lag."""
    return grid.groupby(["table", "lag"], sort=False).size().unstack(fill_value=0)


def newest_bar(params: Params, probes: int = 20) -> pd.DataFrame:
    """Newest bar that causality columns read, found by perturbing bars one by one.

    For each of the last 65 bars of a slice, how many of the columns' last values change when that
    bar is moved by one percent. A row a distance in rows: ``distance``, ``changed``.
    """
    bars = next(iter(load(Run.open(params.folder, params)).bars.values()))
    chosen = [c for c in columns(params) if c.lag == lags.CAUSALITY_LAG][:probes]
    features = tuple(dict.fromkeys(c.feature for c in chosen))
    reach = max(c.lookback for c in chosen)
    stop = next(
        t for t in range(len(bars), 0, -1) if not np.isnan(bars.close[max(t - reach, 0) : t]).any()
    )
    part = bars.rows(stop - reach, stop)
    last = np.array([reach - 1])
    before = lags.read(compute(part, features), features, chosen, last)
    rows = []
    for distance in range(66):
        frame = part.frame.copy()
        frame.iloc[-1 - distance, :4] *= 1.01
        moved = type(bars)(bars.pair, frame, bars.baseline)
        after = lags.read(compute(moved, features), features, chosen, last)
        rows.append({"distance": distance, "changed": int((after != before).sum())})
    return pd.DataFrame(rows)
