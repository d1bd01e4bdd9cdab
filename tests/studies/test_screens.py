"""Screens of small markets: without a signal they name nothing, with one they name what carries it.

Every screen is of the core profile now, two pairs and five horizons over nine weeks, and counts its
own tests alone.
"""

from dataclasses import dataclass
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
ALIKE = 0.3
"""Least absolute rank correlation with the planted drift of a column that carries it."""


@dataclass(frozen=True)
class Looked:
    """Columns that a market's screen names, the one that leads it, and how closely that one goes
    with the drift that was planted, 0 where there is none."""

    named: tuple[str, ...]
    leader: str
    alike: float


def screened(mode: str, seed: int) -> Looked:
    """The screen of a market."""
    made = simulated.simulate(mode, GIVEN.pairs, GIVEN.start, days=GIVEN.days, seed=seed)
    panel = bars.align(made.frames)
    columns = tuple(Column(f) for f in catalog.profile("core") if not f.fit_key)
    fold = split.make(GIVEN, panel["eurusd"].minutes, columns).folds[0]
    histories = {pair: History(own) for pair, own in panel.items()}
    tests = column_screen.screen_all(histories, columns, fold, GIVEN).tests
    tests["fdr"] = screening.false_discovery_rate(tests["p"].to_numpy())
    named = tests.loc[tests["fdr"] <= LEVEL, "column"].unique()
    leader = tests[tests["scope"] == ALL].nsmallest(1, "p")["column"].item()
    alike = 0.0
    if made.planted is not None:
        own = panel["eurusd"]
        rows = column_screen.rows_of(fold, columns, GIVEN.stride)
        column = next(c for c in columns if c.name == leader)
        values = histories["eurusd"].matrix((column,), rows)[:, 0]
        drift = made.planted["eurusd"].reindex(own.ts).to_numpy()[rows]
        whole = np.isfinite(values) & np.isfinite(drift)
        alike = abs(float(stats.spearmanr(values[whole], drift[whole]).statistic))
    return Looked(tuple(named), leader, alike)


@pytest.fixture(scope="module")
def screens(studied: dict[str, Any]) -> dict[str, list[Looked]]:
    found = {
        "null": [screened("null", 5_000 + seed) for seed in range(NULL)],
        "planted": [screened("planted", 6_000 + seed) for seed in range(PLANTED)],
        "strong": [screened("strong", 7_000 + seed) for seed in range(PLANTED)],
    }
    studied["screens"] = [summary(mode, of_mode) for mode, of_mode in found.items()]
    return found


def summary(mode: str, looked: list[Looked]) -> dict[str, Any]:
    """What the page says of the screens of a kind of market."""
    return {
        "market": mode,
        "screens": len(looked),
        "naming": sum(bool(own.named) for own in looked),
        "columns": float(np.median([len(own.named) for own in looked])),
        "planted": sum(own.alike >= ALIKE for own in looked),
        "alike": float(np.median([own.alike for own in looked])),
    }


def test_without_a_signal_one_screen_in_twenty_names_a_column(
    screens: dict[str, list[Looked]],
) -> None:
    naming = sum(bool(own.named) for own in screens["null"])
    # No more than 5 %, as far as so many screens can tell.
    assert stats.binomtest(naming, NULL, LEVEL, alternative="greater").pvalue > 0.05


def test_what_is_planted_leads(screens: dict[str, list[Looked]]) -> None:
    for own in screens["strong"]:
        assert own.leader in own.named
        assert own.alike >= ALIKE, own.leader
    assert sum(bool(own.named) for own in screens["planted"]) >= 0.8 * PLANTED
    assert all(own.alike >= ALIKE for own in screens["planted"] if own.named)
