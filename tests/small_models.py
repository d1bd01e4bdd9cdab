"""Small data and small models, for the tests of models."""

from typing import Any

import numpy as np
import pytest

from bqx.files import sha256
from bqx.learning.models import MODELS, Model, make, model_class
from bqx.params import Params

OWN = "tests/own_model.py:Marginal"
NAMES = (*MODELS, OWN)
NETWORKS = ("multi_horizon", "multi_task", "tft")
PARAMS = Params(horizons=(15, 30), rounds=100, depth=2, learning_rate=0.1, seed=1)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3_000, 6)).astype(np.float32)
STEP = np.where(X[:, 0] > 0, 0.5, -0.5)
Y = np.column_stack([STEP, -STEP]) + RNG.normal(size=(3_000, 2))
NET = {"epochs": 8, "batch_size": 250, "learning_rate": 3e-3}
TFT = {"epochs": 1, "hidden": 8, "heads": 2, "continuous": 4, "steps": 2}
SMALL: dict[str, dict[str, Any]] = {
    "forest": {"n_estimators": 20, "max_depth": 4, "max_features": 1.0},
    "ridge": {"alpha": 0.1},
    "multi_horizon": NET,
    "multi_task": NET,
    "tft": TFT,
}


def need(*models: str) -> None:
    """Skip the test where packages are not installed that models need."""
    for package in (package for name in models for package in model_class(name).EXTRA):
        pytest.importorskip(package, reason=f"{package} is not installed: make torch")


def fresh(name: str, **settings: Any) -> Model:
    """An unfitted model with few trees or epochs."""
    need(name)
    if name in ("ensemble", "stacking") and "members" not in settings:
        boosted = fresh("xgboost", n_estimators=20)
        settings["members"] = (fresh("ridge"), fresh("forest"), boosted)
    return make(name, PARAMS, **SMALL.get(name, {}) | settings)


def files(folder):
    """Hash of every file of a folder."""
    return {p.relative_to(folder): sha256(p) for p in folder.rglob("*") if p.is_file()}


def skill(forecast, y):
    return 1 - np.mean((y - forecast) ** 2) / np.mean(y**2)
