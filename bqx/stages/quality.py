"""Notebook 10: quality of the bars and of the published features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bqx.feature_store.store import Store
from bqx.features import catalog
from bqx.features.engine.compute import warm_up
from bqx.features.spec import Feature
from bqx.market.bars import Bars
from bqx.monitoring import quality
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs.run import Run
from bqx.stages.bars import load
from bqx.stages.features import FOLDER

NAME = "10_quality"

COMPARED = 4_000
"""Most rows on which columns are compared with each other."""


@dataclass(frozen=True)
class Quality:
    """What was found.

    ``features`` : a row a pair and feature, see `quality.features`.
    ``coverage`` : a row a pair; ``gaps`` : a row a hole; ``duplicates`` : a row a pair and couple.
    """

    features: pd.DataFrame
    coverage: pd.DataFrame
    gaps: pd.DataFrame
    duplicates: pd.DataFrame

    @property
    def summary(self) -> dict[str, Any]:
        """The report in a few numbers."""
        return quality.summary(self.features, self.coverage.to_dict("records"))


def _pair(place: str, bars: Bars) -> tuple[pd.DataFrame, pd.DataFrame]:
    store = Store(place)
    found, some = [], []
    members: list[Feature] = []
    step = max(len(bars) // COMPARED, 1)
    for table in store.tables(bars.pair):
        features = store.features(table)
        values = store.read(bars.pair, features).to_numpy()
        found.append(quality.features(values[max(warm_up(features) - 1, 0) :], features))
        some.append(values[::step])
        members.extend(features)
    together = quality.duplicates(np.column_stack(some), members)
    return pd.concat(found).assign(pair=bars.pair), together.assign(pair=bars.pair)


def build(params: Params) -> Quality:
    """Read the store pair by pair and table by table, judge, and write what was found."""
    run = Run.open(params.folder, params)
    bars = load(run).bars
    found: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars", FOLDER]) as stage:
        tasks = {pair: (str(run.folder / FOLDER), each) for pair, each in bars.items()}
        over_pairs(_pair, tasks, params.workers, write=found.__setitem__, backend=params.backend)
        result = Quality(
            pd.concat([found[pair][0] for pair in bars], ignore_index=True),
            pd.DataFrame([quality.coverage(each) for each in bars.values()]),
            pd.concat([quality.gaps(each) for each in bars.values()], ignore_index=True),
            pd.concat([found[pair][1] for pair in bars], ignore_index=True),
        )
        stage.note(catalog_hash=catalog.catalog_hash(catalog.FEATURES.values()))
        for name in ("features", "coverage", "gaps", "duplicates"):
            stage.write_parquet(f"quality/{name}.parquet", getattr(result, name))
    return result
