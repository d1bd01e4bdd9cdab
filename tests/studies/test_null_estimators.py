"""Every estimator, tuned and stacked ones too, on markets without a signal: none may pass the gate.

The gate is that of promotion, with every estimator and horizon of a market as its trials.
"""

import tempfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from judged import HORIZONS, NAMES, Judged, judge
from learned import PARAMS, make_folds, some_columns

from bqx.evaluation import overfitting
from bqx.feature_store.history import History
from bqx.learning import pair_selection, training, tuning
from bqx.market import bars, simulated
from bqx.market.pairs import LIQUIDITY

pytestmark = pytest.mark.studies

MARKETS = 100
TUNED = "xgboost, tuned"
GIVEN = PARAMS.model_copy(
    update={
        "horizons": HORIZONS, "days": 70, "train_days": 20, "test_days": 16, "step_days": 16,
        "stride": 10, "trials": 4,
    }
)  # fmt: skip


def one(seed: int) -> dict[str, Judged]:
    """Every estimator judged on one market."""
    pair = LIQUIDITY[seed % len(LIQUIDITY)]
    given = GIVEN.model_copy(update={"pairs": (pair,), "seed": seed})
    frames = simulated.simulate(
        "null", (pair,), given.start, days=given.days, seed=1_000 + seed
    ).frames
    of = bars.align(frames)[pair]
    columns = some_columns()
    folds = make_folds(of, columns, given)[-1:]
    selections = pair_selection.select_pair(History(of), columns, folds, given)
    with tempfile.TemporaryDirectory() as folder:
        best = tuning.tune_pair(
            History(of),
            columns,
            folds,
            selections=selections,
            params=given,
            name="xgboost",
            storage=Path(folder) / "trials.log",
            record=lambda fold, trial: None,
        )
    made = {}
    for name in (*NAMES, TUNED):
        settings = best if name == TUNED else ()
        result = training.fit_pair(
            History(of),
            columns,
            folds,
            selections=selections,
            params=given,
            name=name.split(",")[0],
            settings=settings,
        )
        made[name] = judge(of, result.forecasts, given)
    return made


@pytest.fixture(scope="module")
def found() -> list[dict[str, Judged]]:
    return list(joblib.Parallel(n_jobs=2)(joblib.delayed(one)(seed) for seed in range(MARKETS)))


def test_no_estimator_passes_the_gate_more_than_five_times(
    found: list[dict[str, Judged]], studied: dict[str, Any]
) -> None:
    passed = dict.fromkeys(found[0], 0)
    skilled = dict.fromkeys(found[0], 0)
    for each in found:
        daily = np.column_stack([judged.net for judged in each.values()])
        for place, (name, judged) in enumerate(each.items()):
            cells = range(len(HORIZONS))
            passed[name] += any(
                overfitting.promote(
                    daily,
                    place * len(HORIZONS) + cell,
                    daily.shape[1],
                    judged.skill_lo[cell],
                    configurations=daily[:, cell :: len(HORIZONS)],
                ).promoted
                for cell in cells
            )
            skilled[name] += any(low > 0 for low in judged.skill_lo)
    studied["estimators"] = {"markets": len(found), "passed": passed, "skilled": skilled}
    assert max(passed.values()) <= 5
