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
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.stages import remarks as sentences
from bqx.stages.bars import load

NAME = "10_quality"

COMPARED = 4_000
"""Most rows on which columns are compared with each other."""


@dataclass(frozen=True)
class Quality:
    """What was found.

    ``features`` : one row per pair and feature, see `quality.features`.
    ``coverage`` : one row per pair; ``gaps`` : per hole; ``duplicates`` : per pair and couple.
    """

    features: pd.DataFrame
    coverage: pd.DataFrame
    gaps: pd.DataFrame
    duplicates: pd.DataFrame

    @property
    def summary(self) -> dict[str, Any]:
        """The report in a few numbers."""
        return quality.summary(self.features, self.coverage.to_dict("records"))


def _pair(folder: str, bars: Bars) -> tuple[pd.DataFrame, pd.DataFrame]:
    store = Store(folder)
    judged, sampled = [], []
    members: list[Feature] = []
    step = max(len(bars) // COMPARED, 1)
    for table in store.tables(bars.pair):
        features = store.features(table)
        values = store.read(bars.pair, features).to_numpy()
        judged.append(quality.features(values[max(warm_up(features) - 1, 0) :], features))
        # A view would keep the whole table.
        sampled.append(values[::step].copy())
        members.extend(features)
    couples = quality.duplicates(np.column_stack(sampled), members)
    return pd.concat(judged).assign(pair=bars.pair), couples.assign(pair=bars.pair)


def remarks(quality: Quality) -> list[str]:
    """What is to be said of the bars, with what can be done."""
    return sentences.of_quality(quality.coverage)


def build(params: Params) -> Quality:
    """Read the store pair by pair and table by table, judge, and write what was found."""
    run = Run.open(params.folder, params)
    bars = load(run).bars
    by_pair: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    inputs = artefacts.roots(artefacts.BARS, artefacts.FEATURES)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], inputs) as stage:
        folder = str(artefacts.FEATURES.at(stage))
        tasks = {pair: (folder, pair_bars) for pair, pair_bars in bars.items()}
        over_pairs(_pair, tasks, params.workers, write=by_pair.__setitem__, backend=params.backend)
        result = Quality(
            pd.concat([by_pair[pair][0] for pair in bars], ignore_index=True),
            pd.DataFrame([quality.coverage(pair_bars) for pair_bars in bars.values()]),
            pd.concat([quality.gaps(pair_bars) for pair_bars in bars.values()], ignore_index=True),
            pd.concat([by_pair[pair][1] for pair in bars], ignore_index=True),
        )
        stage.note(catalog_hash=catalog.catalog_hash(catalog.FEATURES.values()))
        for name in ("features", "coverage", "gaps", "duplicates"):
            artefacts.QUALITY.write(stage, getattr(result, name), name=name)
    return result
