import io
import json
import pickle  # noqa: TID251
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import skops.io
import xgboost
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.preprocessing import FunctionTransformer

from bqx.errors import ArtefactError, ParameterError
from bqx.files import sha256
from bqx.learning import models
from bqx.learning.models import MODELS, Design, artefact, make
from bqx.learning.models.scaler import CLIP
from bqx.params import Params, rules

PARAMS = Params(horizons=(15, 30), rounds=100, depth=2, learning_rate=0.1, seed=1)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3_000, 6)).astype(np.float32)
STEP = np.where(X[:, 0] > 0, 0.5, -0.5)
Y = np.column_stack([STEP, -STEP]) + RNG.normal(size=(3_000, 2))
SMALL = {
    "forest": {"trees": 20, "deepest": 4, "tried": 1.0},
    "ridge": {"penalty": 0.1},
    "multi_horizon": {"epochs": 8, "batch": 250, "rate": 3e-3},
    "multi_task": {"epochs": 8, "batch": 250, "rate": 3e-3},
    "tft": {"epochs": 1, "hidden": 8, "heads": 2, "continuous": 4, "steps": 2},
}
LINES = ("ridge", "elasticnet", "ensemble", "stacking")
NETWORKS = ("multi_horizon", "multi_task")
# What the transformer learns, which takes it a while, stands in test_networks.
LEARNING = [name for name in MODELS if name not in ("martingale", "tft")]


def fresh(name, **settings):
    for package in getattr(MODELS[name], "EXTRA", ()):
        pytest.importorskip(package, reason=f"{package} is not installed: make torch")
    if name in ("ensemble", "stacking") and "members" not in settings:
        settings["members"] = (fresh("ridge"), fresh("forest"), fresh("xgboost", rounds=20))
    return make(name, PARAMS, **SMALL.get(name, {}) | settings)


@pytest.fixture(params=sorted(MODELS))
def model(request):
    # What networks have learnt does not matter where forecasts are only compared.
    return fresh(request.param, **{"epochs": 1} if request.param in NETWORKS else {})


def test_parameters_know_every_model_in_the_same_order():
    assert tuple(MODELS) == rules.MODELS


def files(folder):
    return {p.relative_to(folder): sha256(p) for p in folder.rglob("*") if p.is_file()}


def skill(forecast, y):
    return 1 - np.mean((y - forecast) ** 2) / np.mean(y**2)


@pytest.mark.parametrize("name", LEARNING)
def test_finds_a_step_and_not_noise(name):
    forecast = models.point(fresh(name).fit(X[:2_000], Y[:2_000]).predict(X[2_000:]))
    assert forecast.shape == (1_000, 2)
    assert forecast.dtype == np.float64
    # A line explains 2 / pi of a step, however well it is fitted.
    least = 0.5 if name in LINES else 0.6 if name in NETWORKS else 0.8
    for h, sign in enumerate((1, -1)):
        attainable = skill(sign * STEP[2_000:], Y[2_000:, h])
        assert skill(forecast[:, h], Y[2_000:, h]) > least * attainable


@pytest.mark.parametrize("name", LEARNING)
def test_the_choice_of_a_validation_part_is_kept_by_an_unfitted_copy(name):
    noise = RNG.normal(size=(2_000, 2))
    fit = fresh(name).fit(X[:2_000], noise, None, (X[2_000:], RNG.normal(size=(1_000, 2))))
    again = replace(fit)
    assert json.dumps(again.fit(X[:2_000], noise).settings()) == json.dumps(fit.settings())
    np.testing.assert_array_equal(again.predict(X[:50]), fit.predict(X[:50]))


def test_later_rows_stop_the_boosting_and_pull_the_lines_to_nothing():
    noise, later = RNG.normal(size=(2_000, 2)), (X[2_000:], RNG.normal(size=(1_000, 2)))
    assert 1 <= fresh("xgboost").fit(X[:2_000], noise, None, later).rounds < 30
    for name, most in (("ridge", 0.3), ("elasticnet", 0.35)):
        assert fresh(name, penalty=0.01).fit(X[:2_000], noise, None, later).penalty >= most


def test_what_is_saved_forecasts_the_same(model, tmp_path):
    x = X.copy()
    x[::7, 0] = np.nan
    fit = model.fit(x, Y)
    fit.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model")
    assert type(loaded) is type(fit)
    np.testing.assert_array_equal(loaded.predict(x), fit.predict(x))
    loaded.save(tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "model")


def test_the_same_seed_gives_the_same_bytes(model, tmp_path):
    for name in ("one", "two"):
        replace(model).fit(X, Y).save(tmp_path / name)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_row_is_forecast_alike_alone_and_among_others(model):
    fit = model.fit(X, Y)
    batch = fit.predict(X[:50])
    assert [fit.predict(X[i : i + 1])[0].tolist() for i in range(50)] == batch.tolist()


@pytest.mark.parametrize("name", LEARNING)
def test_rows_of_little_weight_are_hardly_learnt(name):
    told = np.repeat(np.sign(X[:, [1]]).astype(np.float64), 2, axis=1)
    half = np.arange(len(X)) % 2 == 0
    told[half] *= -1
    fit = fresh(name).fit(X, told, np.where(half, 0.01, 1.0))
    assert np.corrcoef(models.point(fit.predict(X))[~half, 0], told[~half, 0])[0, 1] > 0.5


@pytest.mark.parametrize("name", ["ridge", "elasticnet"])
def test_a_weight_of_two_is_the_row_twice_and_one_of_nothing_no_row(name):
    weight = RNG.integers(0, 3, len(X)).astype(np.float64)
    repeated = np.repeat(np.arange(len(X)), weight.astype(int))
    one = fresh(name).fit(X, Y, weight).predict(X[:50])
    other = fresh(name).fit(X[repeated], Y[repeated]).predict(X[:50])
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_lines_agree_with_scikit_learn():
    z = (X - X.mean(axis=0, dtype=float)) / X.std(axis=0, dtype=float)
    z = np.clip(z, -CLIP, CLIP)
    ours = fresh("ridge", penalty=0.5).fit(X, Y).predict(X)
    peer = Ridge(alpha=0.5 * len(X), fit_intercept=False).fit(z, Y)
    np.testing.assert_allclose(ours, peer.predict(z), rtol=1e-5, atol=1e-7)
    ours = fresh("elasticnet", penalty=0.2).fit(X, Y)
    for h in range(2):
        most = np.abs(z.T @ Y[:, h]).max() / len(X) / 0.5
        peer = ElasticNet(alpha=0.2 * most, l1_ratio=0.5, fit_intercept=False, tol=1e-8)
        expected = peer.fit(z, Y[:, h]).predict(z)
        np.testing.assert_allclose(ours.predict(X)[:, h], expected, rtol=1e-2, atol=1e-4)


def test_no_label_drift_enters_where_nothing_is_known():
    still = np.zeros((3_000, 1), np.float32)
    drift = np.full((3_000, 2), 2.0)
    for name in ("martingale", "ridge", "elasticnet"):
        assert not fresh(name).fit(still, drift).predict(still[:1]).any()
    assert 0 < fresh("xgboost", rounds=1).fit(still, drift).predict(still[:1])[0, 0] < 0.25


def test_quantiles_ascend_and_hold_their_share():
    fit = fresh("xgboost_quantile").fit(X, Y)
    found = fit.predict(X)
    assert found.shape == (3_000, 2, 3)
    assert (np.diff(found, axis=2) >= 0).all()
    shares = (Y[:, :, None] < found).mean(axis=(0, 1))
    np.testing.assert_allclose(shares, (0.1, 0.5, 0.9), atol=0.03)
    np.testing.assert_array_equal(models.point(found), found[:, :, 1])


def test_boosting_on_a_shared_matrix_is_boosting_alone():
    shared = Design(X)
    for depth in (2, 3):
        together = fresh("xgboost", depth=depth).fit(shared, Y).predict(X)
        for h in range(2):
            alone = fresh("xgboost", depth=depth).fit(X, Y[:, [h]]).predict(X)
            np.testing.assert_array_equal(together[:, [h]], alone)
    assert len(shared._binned) == 1


def test_the_booster_is_xgboosts_own(tmp_path):
    fresh("xgboost", rounds=5).fit(X, Y).save(tmp_path / "model")
    booster = xgboost.Booster(model_file=tmp_path / "model" / "0.ubj")
    assert booster.num_boosted_rounds() == 5


def test_an_ensemble_prefers_the_member_that_knows():
    members = (fresh("martingale"), fresh("xgboost"), fresh("ridge"))
    mean = fresh("ensemble", members=members, gap=3).fit(X, Y)
    assert mean.weights.sum(axis=0) == pytest.approx(1)
    assert (mean.weights >= 0).all()
    assert mean.weights[1, 0] > 0.6
    stacked = fresh("stacking", members=members, gap=3).fit(X, Y)
    assert (stacked.weights[1] > stacked.weights[2]).all()


def test_weights_know_only_forecasts_of_unseen_rows():
    # A member that remembers its rows looks perfect on them, and must earn nothing by it.
    noise = RNG.normal(size=(1_200, 2))
    memory = fresh("forest", trees=5, deepest=30, least=1, tried=1.0)
    joined = fresh("ensemble", members=(fresh("martingale"), memory), gap=3)
    fit = joined.fit(X[:1_200], noise)
    inside = skill(fit.members[1].predict(X[:1_200]), noise)
    assert inside > 0.3
    stacked = fresh("stacking", members=(fresh("martingale"), memory), gap=3)
    assert (stacked.fit(X[:1_200], noise).weights[1] < 0.2).all()


def test_no_label_of_a_part_is_seen_by_those_that_forecast_it():
    seen = []

    class Spy(type(fresh("ridge"))):
        def fit(self, x, y, weight=None, validation=None):
            seen.append(len(y))
            return super().fit(x, y, weight, validation)

    fresh("ensemble", members=(Spy(), Spy()), gap=15).fit(X, Y)
    assert seen == [3_000, 3_000] + [n for stop in (750, 1_500, 2_250) for n in [stop - 15] * 2]


def test_an_ensemble_of_one_or_of_few_rows_is_refused():
    with pytest.raises(ParameterError, match="got 1 members"):
        fresh("ensemble", members=(fresh("ridge"),)).fit(X, Y)
    with pytest.raises(ParameterError, match="80 rows with a gap of 15"):
        fresh("stacking", gap=15).fit(X[:80], Y[:80])


def test_other_types_of_columns_are_refused(model):
    with pytest.raises(ParameterError, match="got 2 dimensions of float64; expected a matrix of f"):
        model.fit(X, Y).predict(X.astype(np.float64))


@pytest.fixture
def folder(tmp_path):
    fresh("forest", trees=3).fit(X, Y).save(tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def plant(folder, content):
    """Exchange the forest and its hash in the manifest."""
    (folder / "forest.skops").write_bytes(content)
    rewrite(folder, files={"forest.skops": sha256(folder / "forest.skops")})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "float64"}, "another dtype, got float64; expected float32"),
        ({"model": "pickle"}, "got KeyError 'pickle'; expected a model of"),
        ({"files": {}}, "other files, got forest.skops"),
        ({"files": {"forest.skops": "0" * 64}}, "damaged or exchanged, got"),
        ({"files": 7}, "not a model"),
        ({"settings": {"trees": 3, "shape": 2}}, "cannot be read, got TypeError"),
    ],
)
def test_a_foreign_manifest_is_refused(folder, change, message):
    rewrite(folder, **change)
    with pytest.raises(ArtefactError, match=message):
        models.load(folder)


def archive(**members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as out:
        for name, content in members.items():
            out.writestr(name, content)
    return held.getvalue()


def objects():
    held = io.BytesIO()
    np.save(held, np.array([{}], dtype=object), allow_pickle=True)
    return held.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"a": 1}),
        pickle.dumps({"a": 1}, protocol=0),
        archive(inner=pickle.dumps([1])),
        archive(inner=objects()),
        pickle.dumps({"a": 1})[:-1],
    ],
    ids=["pickle", "protocol 0", "in an archive", "array of objects", "cut off"],
)
def test_a_pickle_is_refused_before_anything_is_parsed(folder, content, monkeypatch):
    plant(folder, content)
    monkeypatch.setattr(skops.io, "loads", None)
    with pytest.raises(ArtefactError, match="unsafe, got a pickle"):
        models.load(folder)


def test_a_type_that_is_not_trusted_is_refused(folder):
    plant(folder, skops.io.dumps(FunctionTransformer(func=sha256)))
    with pytest.raises(ArtefactError, match="cannot be read, got UntrustedTypesFoundException"):
        models.load(folder)


def test_a_stray_or_linked_file_is_refused(folder):
    (folder / "extra.py").write_text("print()")
    with pytest.raises(ArtefactError, match="other files, got extra.py"):
        models.load(folder)


def test_no_model_holds_a_pickle(model):
    assert not any(artefact._pickled(part) for part in model.fit(X, Y).parts().values())
