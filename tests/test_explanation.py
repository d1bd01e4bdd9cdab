from itertools import combinations
from math import factorial

import numpy as np
import pytest
from small_models import need

from bqx.evaluation.explanation import SHARES, learning
from bqx.learning.models import MODELS, make, point
from bqx.params import Params

PARAMS = Params(horizons=(15, 30), rounds=40, depth=3, learning_rate=0.2)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(1_200, 5)).astype(np.float32)
X[RNG.random(X.shape) < 0.03] = np.nan
# The first column matters most, the fourth to the second horizon alone, the fifth to nothing.
Z = np.nan_to_num(X).astype(np.float64)
Y = np.column_stack([Z[:, 0] + 0.5 * Z[:, 1], Z[:, 0] * (Z[:, 1] > 0) + 0.5 * Z[:, 3]])
Y += 0.3 * RNG.normal(size=Y.shape)
LATER = (X[800:], Y[800:])


# The transformer reads its columns at several times, and is explained like the other networks.
NAMES = [name for name in MODELS if name != "tft"]


def fitted(name):
    need(name)
    settings = {"n_estimators": 15} if name == "forest" else {}
    if name in ("ensemble", "stacking"):
        members = (make("ridge", PARAMS, alpha=0.01), make("xgboost", PARAMS))
        settings = {"members": members, "purge": 3}
    return make(name, PARAMS, **settings).fit(X, Y)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "martingale"])
def test_what_matters_is_seen_at_the_horizon_where_it_does(name):
    used = np.abs(fitted(name).contributions(X[:150])).mean(axis=0)
    assert used[:, 0].argmax() == 0
    assert used[3, 1] > 3 * used[3, 0]
    assert (used[4] < 0.2 * used[0]).all()


def shapley(model, row, before):
    """Shapley values of one row by all subsets of its columns, against some rows."""

    def worth(inside):
        filled = before.copy()
        filled[:, list(inside)] = row[list(inside)]
        return point(model.predict(filled)).mean(axis=0)

    every = range(len(row))
    out = np.zeros((len(row), 2))
    for column in every:
        rest = [c for c in every if c != column]
        for size in range(len(row)):
            share = factorial(size) * factorial(len(rest) - size) / factorial(len(row))
            for inside in combinations(rest, size):
                out[column] += share * (worth([*inside, column]) - worth(inside))
    return out


def test_sampled_values_are_those_of_all_subsets():
    model, x = fitted("forest"), X[:40]
    exact = np.stack([shapley(model, row, x) for row in x])
    sampled = np.mean([model.contributions(x, seed) for seed in range(6)], axis=0)
    scale = np.abs(exact).max()
    assert np.abs(sampled - exact).mean() < 0.04 * scale
    assert np.corrcoef(sampled.ravel(), exact.ravel())[0, 1] > 0.98


def test_a_line_is_explained_by_its_slopes():
    model, x = fitted("ridge"), X[:20]
    made = model.contributions(x)
    there = np.isfinite(x[:, 0])
    slope = model.coefficients[0, 0] / model.scaler.deviation[0]
    expected = slope * (x[there, 0] - model.scaler.mean[0])
    np.testing.assert_allclose(made[there, 0, 0], expected, rtol=1e-6, atol=1e-9)


def test_more_rows_teach_more_and_are_remembered_less():
    weight = np.ones(800)
    model = make("xgboost", PARAMS, min_samples_leaf=1e-3)
    found = learning(model, X[:800], Y[:800], weight=weight, validation=LATER)
    assert found["rows"].tolist() == [int(800 * share) for share in SHARES]
    assert found["unseen"].iloc[-1] > found["unseen"].iloc[0]
    assert (found["seen"] > found["unseen"]).all()
    gap = found["seen"] - found["unseen"]
    assert gap.iloc[-1] < gap.iloc[0]
    last = make("xgboost", PARAMS, min_samples_leaf=1e-3).fit(X[:800], Y[:800], weight=weight)
    wrong = (Y[800:] - last.predict(X[800:])) ** 2
    skill = np.mean(1 - wrong.sum(axis=0) / (Y[800:] ** 2).sum(axis=0))
    assert found["unseen"].iloc[-1] == pytest.approx(skill, abs=1e-12)
    nothing = learning(
        make("martingale", PARAMS), X[:800], Y[:800], weight=weight, validation=LATER
    )
    assert (nothing[["seen", "unseen"]] == 0).all(axis=None)
