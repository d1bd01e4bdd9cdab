"""Every estimator on real minutes of the majors, compared as a run compares them."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from judged import NAMES
from simulated import DATA

from bqx import params
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.stages import bars, features, lagging, models, selection, training

pytestmark = pytest.mark.studies

M1 = DATA / "m1"
REAL = Path(__file__).parents[2] / "params" / "real.yaml"
CHANGES = ("scheme=chronological", "stride=30")
"""One fold, of 70, 15 and 15 % of the days, and every thirtieth minute, so that all models fit into
half an hour."""


def own_skill(run: Run) -> pd.DataFrame:
    """Skill before shrinkage, pairs and horizons by model."""
    cell = ["pair", "horizon", "model"]
    sums = artefacts.FIT_ERRORS.read(run).groupby(cell)[["raw_loss", "known_loss"]].sum()
    return (1.0 - sums["raw_loss"] / sums["known_loss"]).unstack("model")[list(NAMES)]


@pytest.fixture(scope="module")
def compared(
    tmp_path_factory: pytest.TempPathFactory, studied: dict[str, Any]
) -> models.Comparison:
    if not M1.exists():
        pytest.skip(f"no real bars in {M1}")
    folder = Path(os.environ.get("BQX_STUDY", tmp_path_factory.mktemp("real"))) / "run"
    own = (f"bars={M1}", f"models=[{', '.join(NAMES)}]", f"out={folder}")
    given = params.load(REAL, (*own, *CHANGES))
    for stage in (bars, features, lagging, selection, training):
        stage.build(given)
    made = models.build(given)
    run = Run.open(given.folder, given)
    dataset = bars.load(run)
    studied["real"] = {
        "pairs": list(dataset.bars),
        "bars": bars.summary(dataset),
        "used": {str(fold): name for fold, name in made.used.items()},
        "honest": made.honest,
        "documented": made.documented,
        "trials": made.trials,
        "models": made.models.reset_index().to_dict("records"),
        "cells": own_skill(run).reset_index().to_dict("records"),
    }
    return made


def test_every_model_is_compared_on_every_pair_and_horizon(compared: models.Comparison) -> None:
    assert tuple(compared.cells) == NAMES
    assert len(compared.cells) == 6 * 5
    assert np.isfinite(compared.cells.to_numpy()).all()


def test_no_forecast_costs_more_than_noise_would(compared: models.Comparison) -> None:
    assert (compared.models["skill"] > -0.005).all()
