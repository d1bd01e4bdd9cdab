"""Screens of small markets: without a signal they name nothing, with one they name what carries it.

Every screen is of the core profile now, two pairs and five horizons over nine weeks, and counts its
own tests alone.
"""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from bqx.evaluation import column_screen, screening
from bqx.evaluation.column_screen import ALL
from bqx.feature_store.history import History
from bqx.features import catalog
from bqx.features.lags import Column
from bqx.learning import split
from bqx.market import bars, simulated
from bqx.params import Params

pytestmark = pytest.mark.studies

NULL, PLANTED = 120, 12
LEVEL = 0.05
GIVEN = Params(
    pairs=("eurusd", "usdjpy"), days=63, workers=1, lags=(), train_days=22, validation_days=10,
    test_days=8, step_days=8, stride=5,
)  # fmt: skip
MOMENTUM = (
    "z_score",
    "percent_b",
    "rsi",
    "stochastic",
    "cci",
    "williams",
    "b_norm",
    "slope",
    "roc",
)
"""Parts of the names of columns that say how far the rate has just moved."""


def screened(mode: str, seed: int) -> tuple[tuple[str, ...], str]:
    """Columns that a market's screen names, and the one that leads it."""
    made = simulated.simulate(mode, GIVEN.pairs, GIVEN.start, days=GIVEN.days, seed=seed)
    panel = bars.align(made.frames)
    columns = tuple(Column(f) for f in catalog.profile("core") if not f.fit_key)
    fold = split.make(GIVEN, panel["eurusd"].minutes, columns).folds[0]
    histories = {pair: History(own) for pair, own in panel.items()}
    tests = column_screen.screen_all(histories, columns, fold, GIVEN).tests
    tests["fdr"] = screening.false_discovery_rate(tests["p"].to_numpy())
    named = tests.loc[tests["fdr"] <= LEVEL, "column"].unique()
    best = tests[tests["scope"] == ALL].nsmallest(1, "p")["column"].item()
    return tuple(named), best


@pytest.fixture(scope="module")
def screens(studied: dict[str, Any]) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    found = {
        "null": [screened("null", 5_000 + seed) for seed in range(NULL)],
        "planted": [screened("planted", 6_000 + seed) for seed in range(PLANTED)],
        "strong": [screened("strong", 7_000 + seed) for seed in range(PLANTED)],
    }
    studied["screens"] = [
        {
            "market": mode,
            "screens": len(of_mode),
            "naming": sum(bool(named) for named, _ in of_mode),
            "columns": float(np.median([len(named) for named, _ in of_mode])),
            "momentum": sum(is_momentum(best) for _, best in of_mode),
        }
        for mode, of_mode in found.items()
    ]
    return found


def is_momentum(column: str) -> bool:
    return any(part in column for part in MOMENTUM)


def test_without_a_signal_one_screen_in_twenty_names_a_column(screens: dict[str, Any]) -> None:
    naming = sum(bool(named) for named, _ in screens["null"])
    # No more than 5 %, as far as so many screens can tell.
    assert stats.binomtest(naming, NULL, LEVEL, alternative="greater").pvalue > 0.05


def test_what_is_planted_leads(screens: dict[str, Any]) -> None:
    assert all(named for named, _ in screens["strong"])
    for named, best in screens["strong"]:
        assert is_momentum(best), best
        assert best in named
    assert sum(is_momentum(best) for _, best in screens["planted"]) >= 0.7 * PLANTED
