"""Trainings of 28 pairs at five horizons on this machine, beside what the documents ask for."""

import os
import time
from typing import Any

import pytest
from measure import Goal
from servers import keep
from test_models_speed import HORIZONS, columns_and_labels

from bqx.learning.models import make
from bqx.market.pairs import PAIRS
from bqx.parallel import over_pairs
from bqx.params import Params

pytestmark = pytest.mark.benchmarks

ROWS, COLUMNS, WORKERS = 180_000, 250, 2
LONGEST = 600.0
"""Seconds that all pairs may take to be measured, and not reckoned from one."""
DOCUMENTED = 15.0
"""Minutes of the documents, on an instance for each pair."""
SETTINGS: dict[str, dict[str, Any]] = {
    "as a run trains": {},
    "the documents' 500 trees of depth 8": {
        "n_estimators": 500,
        "max_depth": 8,
        "learning_rate": 0.05,
        "subsample": 0.8,
    },
}


def trained(seed: int, rows: int, settings: dict[str, Any]) -> float:
    """Seconds of the clock for one pair's training at all horizons."""
    x, y = columns_and_labels(rows, COLUMNS, 20, seed=seed)
    model = make("xgboost", Params(), **settings)
    start = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - start


@pytest.mark.parametrize("which", SETTINGS)
def test_28_pairs_at_five_horizons(which: str, rows: int, results: dict[str, Any]) -> None:
    rows, settings = min(rows, ROWS), SETTINGS[which]
    one = trained(0, rows, settings)
    spent, how = len(PAIRS) * one / WORKERS, f"28 times one's, over {WORKERS} processes"
    if spent < LONGEST:
        start = time.perf_counter()
        tasks = {pair: (number, rows, settings) for number, pair in enumerate(PAIRS)}
        over_pairs(trained, tasks, WORKERS, write=lambda pair, seconds: None)
        spent, how = time.perf_counter() - start, f"all of them, {WORKERS} processes"
    size = f"{COLUMNS} columns, {rows:,} rows"
    keep(results, f"a pair's {len(HORIZONS)} trainings, {size}, {which}", one, "s")
    Goal(
        f"28 x {len(HORIZONS)} trainings, {size}, {which}: {how}",
        spent / 60.0,
        DOCUMENTED,
        1e6,
        "minutes",
        f"the documents have 28 instances, this machine {os.cpu_count()} processors",
        more=False,
    ).check(results)
