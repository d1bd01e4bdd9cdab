"""Screening the whole catalog: six pairs, five horizons and a year, in CPU time."""

import time
from typing import Any

import numpy as np
import pytest
from measure import Goal, panel

from bqx.evaluation import column_screen, conditions
from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.learning import samples
from bqx.learning.folds import Fold
from bqx.market import sessions
from bqx.market.pairs import LIQUIDITY
from bqx.params import Params

pytestmark = pytest.mark.benchmarks

MAJORS = LIQUIDITY[:6]
GIVEN = Params(workers=1, stride=5, lags=())
CORES, MINUTES = 2, 3


class Computed(History):
    """Columns that were computed before the clock starts, as a run's are published by then."""

    def matrix(self, columns: Any, rows: Any, fits: Any = None) -> Any:
        """Those of all columns at the rows."""
        return MATRICES[self.bars.pair]


MATRICES: dict[str, Any] = {}


def test_the_whole_catalog_in_three_minutes_on_two_cores(
    rows: int, results: dict[str, Any]
) -> None:
    made = {pair: own for pair, own in panel(rows).items() if pair in MAJORS}
    columns = tuple(Column(f) for f in catalog.profile("full") if not f.fit_key)
    every, nothing = np.arange(rows), np.empty(0, np.int64)
    fold = Fold(
        0, train=every, validation=nothing, test=nothing, scored=nothing, last_seen=rows - 1
    )
    looked_at = column_screen.rows_of(fold, columns, GIVEN.stride)
    minutes = next(iter(made.values())).minutes[looked_at]
    _, day = np.unique(sessions.trading_days(minutes), return_inverse=True)
    names = np.array(conditions.SESSIONS)
    block = day * len(names) + (conditions.session(minutes)[:, None] == names).argmax(axis=1)
    spent, computing, screens = 0.0, 0.0, {}
    for pair, own in made.items():
        start = time.process_time()
        MATRICES[pair] = lags.matrix(own, columns, looked_at)
        computing += time.process_time() - start
        history = Computed(own)
        start = time.process_time()
        screens[pair] = column_screen.screen_pair(history, columns, fold, looked_at, block, GIVEN)
        spent += time.process_time() - start
        del MATRICES[pair]
    start = time.process_time()
    screen = column_screen.assemble(screens, columns, GIVEN.horizons, looked_at)
    spent += time.process_time() - start
    assert len(screen.tests) == 7 * len(columns) * len(samples.targets_of(own, GIVEN))
    results["times"] = [
        (f"{len(columns):,} columns x {len(made)} pairs x 5 horizons x {rows:,} minutes, screened",
         spent, "s of CPU"),
        ("computing the columns before, where no notebook has published them", computing,
         "s of CPU"),
    ]  # fmt: skip
    Goal(
        "screening the whole catalog, six pairs, five horizons, a year",
        found=spent / CORES / 60,
        goal=MINUTES,
        floor=MINUTES,
        unit="min on 2 cores",
        more=False,
    ).check(results)
