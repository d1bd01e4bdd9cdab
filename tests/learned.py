"""A small planted market and what was learned from it, for several test files."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.learning import folds, pair_selection, training
from bqx.learning.folds import Fold
from bqx.learning.selection import Selection
from bqx.learning.training import PairResult
from bqx.market import bars, sessions, simulated
from bqx.market.bars import Bars
from bqx.params import Params

PAIR = "eurusd"
PARAMS = Params(
    workers=1,
    pairs=(PAIR,),
    days=42,
    horizons=(15, 45),
    lags=(60, 120),
    train_days=12,
    validation_days=8,
    test_days=4,
    step_days=4,
    selected=15,
    forest_trees=15,
    forest_depth=4,
    rounds=80,
    learning_rate=0.1,
)


@dataclass(frozen=True)
class Learned:
    history: History
    columns: tuple[Column, ...]
    folds: tuple[Fold, ...]
    selections: tuple[Selection, ...]
    result: PairResult

    @property
    def bars(self) -> Bars:
        return self.history.bars


def some_columns() -> tuple[Column, ...]:
    """Every third feature, so that tests stay fast, and the slow clock ones."""
    return lags.grid(catalog.profile("core")[::3], PARAMS.lags)


def make_folds(of: Bars, columns: tuple[Column, ...], params: Params = PARAMS) -> tuple[Fold, ...]:
    days = len(np.unique(sessions.trading_days(of.minutes)))
    return folds.rolling_origin(
        of.minutes,
        *params.lengths(days),
        params.embargo,
        max(params.horizons),
        max(c.lookback for c in columns),
    )


@cache
def learn(mode: str, seed: int) -> Learned:
    frames = simulated.simulate(mode, (PAIR,), PARAMS.start, days=PARAMS.days, seed=seed).frames
    history = History(bars.align(frames)[PAIR])
    columns = some_columns()
    parts = make_folds(history.bars, columns)
    selections = pair_selection.select_pair(history, columns, parts, PARAMS)
    result = training.fit_pair(history, columns, parts, selections=selections, params=PARAMS)
    return Learned(history, columns, parts, selections, result)
