"""Three kinds of signal of known strength, and which estimators recover them."""

import numpy as np
import pytest

from bqx.learning.models import Design, make, point
from bqx.params import Params

PARAMS = Params(horizons=(15, 30), rounds=300, depth=3, learning_rate=0.1)
ROWS, COLUMNS = 16_000, 12
EARLY, LATE, LAST = slice(0, 9_000), slice(9_000, 11_000), slice(11_000, ROWS)


def market(kind: str, cross: bool = True):
    """Columns, labels of two horizons, and the forecast of an oracle."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(ROWS, COLUMNS))
    if kind == "momentum":
        signal = x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2]
    elif kind == "threshold":
        signal = np.where((x[:, 0] > 0.0) & (x[:, 1] > 0.0), 1.0, -1.0 / 3.0)
    else:
        signal, leader = lead(rng)
        own = np.cumsum(rng.normal(size=(ROWS, COLUMNS)), axis=0)
        own -= np.roll(own, 30, axis=0)
        x = np.column_stack([own[:, : COLUMNS - 5], leader if cross else own[:, -5:]])
    signal = signal / signal.std() * np.sqrt(0.15)
    noise = np.sqrt(0.85) * rng.normal(size=(ROWS, 2))
    return x.astype(np.float32), signal[:, None] + noise, signal[:, None]


def lead(rng):
    """What a pair's next five returns inherit from another's last five; that one's means."""
    other = rng.normal(size=ROWS + 20)
    past = np.lib.stride_tricks.sliding_window_view(other, 20)[:ROWS, ::-1]
    signal = past[:, :5] @ np.arange(5, 0, -1)
    return signal, np.column_stack([past[:, :w].mean(axis=1) for w in (1, 3, 5, 10, 20)])


def recovered(name: str, kind: str, cross: bool = True) -> float:
    """Share of the attainable skill that an estimator reaches on the last rows."""
    x, y, signal = market(kind, cross)
    few = {"n_estimators": 40, "min_samples_leaf": 40}
    model = make(name, PARAMS, **(few if name == "forest" else {}))
    parts = [Design(x[part]) for part in (EARLY, LATE, LAST)]
    ahead = point(model.fit(parts[0], y[EARLY], validation=(parts[1], y[LATE])).predict(parts[2]))
    truth = y[LAST]
    skill, best = (1 - np.sum((truth - f) ** 2) / np.sum(truth**2) for f in (ahead, signal[LAST]))
    assert best > 0.1
    return float(skill / best)


@pytest.mark.parametrize("kind", ["momentum", "threshold", "lead"])
def test_boosting_recovers_every_kind(kind: str) -> None:
    assert recovered("xgboost", kind) > 0.8


def test_lines_recover_what_is_linear_and_half_of_a_threshold() -> None:
    for name in ("ridge", "elasticnet"):
        assert recovered(name, "momentum") > 0.9
        assert recovered(name, "lead") > 0.9
        assert 0.3 < recovered(name, "threshold") < 0.5


def test_a_lead_is_seen_by_cross_pair_columns_alone() -> None:
    for name in ("ridge", "xgboost"):
        assert abs(recovered(name, "lead", cross=False)) < 0.05


def test_the_forest_finds_the_threshold() -> None:
    assert recovered("forest", "threshold") > 0.8
