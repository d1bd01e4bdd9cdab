import io
import json
import pickle  # noqa: TID251
import zipfile

import numpy as np
import pytest
import xgboost
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import ElasticNet, Ridge
from small_models import NETWORKS, RNG, STEP, X, Y, fresh, skill

from bqx.errors import ArtefactError, ParameterError
from bqx.files import sealed, sha256, write_json
from bqx.learning import models
from bqx.learning.models import MODELS, Design, trees
from bqx.learning.models.scaler import CLIP

LINES = ("ridge", "elasticnet", "ensemble", "stacking")
POOLED = ("pooled_ridge", "partial_ridge")
# What the transformer learns, which takes it a while, stands in test_networks.
LEARNING = [name for name in MODELS if name not in ("martingale", "tft")]


@pytest.mark.parametrize("name", LEARNING)
def test_finds_a_step_and_not_noise(name):
    forecast = models.point(fresh(name).fit(X[:2_000], Y[:2_000]).predict(X[2_000:]))
    assert forecast.shape == (1_000, 2)
    assert forecast.dtype == np.float64
    # A line explains 2 / pi of a step, however well it is fitted.
    least = 0.5 if name in LINES else 0.6 if name in NETWORKS else 0.8
    if name in POOLED:
        least = 0.4  # nothing chooses a penalty here, and the one they begin with is heavy
    for h, sign in enumerate((1, -1)):
        attainable = skill(sign * STEP[2_000:], Y[2_000:, h])
        assert skill(forecast[:, h], Y[2_000:, h]) > least * attainable


def test_later_rows_stop_the_boosting_and_pull_the_lines_to_nothing():
    noise, later = RNG.normal(size=(2_000, 2)), (X[2_000:], RNG.normal(size=(1_000, 2)))
    assert 1 <= fresh("xgboost").fit(X[:2_000], noise, validation=later).n_estimators < 30
    for name, most in (("ridge", 0.3), ("elasticnet", 0.35)):
        assert fresh(name, alpha=0.01).fit(X[:2_000], noise, validation=later).alpha >= most


@pytest.mark.parametrize("name", ["ridge", "elasticnet"])
def test_a_weight_of_two_is_the_row_twice_and_one_of_nothing_no_row(name):
    weight = RNG.integers(0, 3, len(X)).astype(np.float64)
    repeated = np.repeat(np.arange(len(X)), weight.astype(int))
    one = fresh(name).fit(X, Y, weight=weight).predict(X[:50])
    other = fresh(name).fit(X[repeated], Y[repeated]).predict(X[:50])
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_lines_agree_with_scikit_learn():
    z = (X - X.mean(axis=0, dtype=float)) / X.std(axis=0, dtype=float)
    z = np.clip(z, -CLIP, CLIP)
    ours = fresh("ridge", alpha=0.5).fit(X, Y).predict(X)
    peer = Ridge(alpha=0.5 * len(X), fit_intercept=False).fit(z, Y)
    np.testing.assert_allclose(ours, peer.predict(z), rtol=1e-5, atol=1e-7)
    ours = fresh("elasticnet", alpha=0.2).fit(X, Y)
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
    assert 0 < fresh("xgboost", n_estimators=1).fit(still, drift).predict(still[:1])[0, 0] < 0.25


def test_quantiles_ascend_and_hold_their_share():
    fit = fresh("xgboost_quantile").fit(X, Y)
    found = fit.predict(X)
    assert found.shape == (3_000, 2, 3)
    shares = (Y[:, :, None] < found).mean(axis=(0, 1))
    np.testing.assert_allclose(shares, (0.1, 0.5, 0.9), atol=0.03)


def test_boosting_on_a_shared_matrix_is_boosting_alone():
    shared = Design(X)
    for depth in (2, 3):
        together = fresh("xgboost", max_depth=depth).fit(shared, Y).predict(X)
        for h in range(2):
            alone = fresh("xgboost", max_depth=depth).fit(X, Y[:, [h]]).predict(X)
            np.testing.assert_array_equal(together[:, [h]], alone)
    assert shared.binned is shared.binned


def test_the_booster_is_xgboosts_own(tmp_path):
    fresh("xgboost", n_estimators=5).fit(X, Y).save(tmp_path / "model")
    booster = xgboost.Booster(model_file=tmp_path / "model" / "0.ubj")
    assert booster.num_boosted_rounds() == 5


def test_the_leaves_of_a_forest_are_given_in_rows_or_as_a_share_of_them():
    shares = fresh("forest", min_samples_leaf=0.01).fit(X, Y)
    rows = fresh("forest", min_samples_leaf=30).fit(X, Y)
    np.testing.assert_array_equal(rows.predict(X), shares.predict(X))
    assert len(fresh("forest", min_samples_leaf=1).fit(X, Y).stored[0]) > len(rows.stored[0])


def test_a_forest_is_scikit_learns_up_to_its_draws_and_bins():
    settings = {"n_estimators": 100, "max_depth": 4, "min_samples_leaf": 30, "max_features": 0.5}
    own = fresh("forest", **settings).fit(X[:2_000], Y[:2_000]).predict(X[2_000:])
    peer = RandomForestRegressor(**settings, max_samples=0.5, random_state=0)
    other = peer.fit(X[:2_000], Y[:2_000]).predict(X[2_000:])
    for h in range(2):
        assert np.corrcoef(own[:, h], other[:, h])[0, 1] > 0.97
        assert own[:, h].std() == pytest.approx(other[:, h].std(), rel=0.1)


def test_an_ensemble_prefers_the_member_that_knows():
    members = (fresh("martingale"), fresh("xgboost"), fresh("ridge"))
    mean = fresh("ensemble", members=members, purge=3).fit(X, Y)
    assert mean.weights.sum(axis=0) == pytest.approx(1)
    assert (mean.weights >= 0).all()
    assert mean.weights[1, 0] > 0.6
    stacked = fresh("stacking", members=members, purge=3).fit(X, Y)
    assert (stacked.weights[1] > stacked.weights[2]).all()


def test_weights_know_only_forecasts_of_unseen_rows():
    # A member that remembers its rows looks perfect on them, and must earn nothing by it.
    noise = RNG.normal(size=(1_200, 2))
    memory = fresh("forest", n_estimators=5, max_depth=30, min_samples_leaf=1e-3, max_features=1.0)
    joined = fresh("ensemble", members=(fresh("martingale"), memory), purge=3)
    fit = joined.fit(X[:1_200], noise)
    inside = skill(fit.members[1].predict(X[:1_200]), noise)
    assert inside > 0.3
    stacked = fresh("stacking", members=(fresh("martingale"), memory), purge=3)
    assert (stacked.fit(X[:1_200], noise).weights[1] < 0.2).all()


def test_no_label_of_a_part_is_seen_by_those_that_forecast_it():
    seen = []

    class Spy(type(fresh("ridge"))):
        def fit(self, X, y, **rest):
            seen.append(len(y))
            return super().fit(X, y, **rest)

    fresh("ensemble", members=(Spy(), Spy()), purge=15).fit(X, Y)
    assert seen == [3_000, 3_000] + [n for stop in (750, 1_500, 2_250) for n in [stop - 15] * 2]


def test_an_ensemble_of_one_or_of_few_rows_is_refused():
    with pytest.raises(ParameterError, match="got 1 members"):
        fresh("ensemble", members=(fresh("ridge"),)).fit(X, Y)
    with pytest.raises(ParameterError, match="80 rows with a purge of 15"):
        fresh("stacking", purge=15).fit(X[:80], Y[:80])


@pytest.fixture
def folder(tmp_path):
    fresh("forest", n_estimators=3).fit(X, Y).save(tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder, **changes):
    path = folder / "model.json"
    write_json(path, sealed(json.loads(path.read_text()) | changes))


def plant(folder, content):
    """Exchange the first booster and its hash in the manifest."""
    (folder / "0.ubj").write_bytes(content)
    files = json.loads((folder / "model.json").read_text())["files"]
    rewrite(folder, files=files | {"0.ubj": sha256(folder / "0.ubj")})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "float64"}, "another dtype, got float64; expected float32"),
        ({"model": "pickle"}, "cannot be read, models: not there, got 'pickle'"),
        ({"files": {}}, "other files, got 0.ubj"),
        ({"files": {"0.ubj": "0" * 64, "1.ubj": ""}}, "damaged or exchanged, got"),
        ({"files": 7}, "not a model"),
        ({"settings": {"n_estimators": 3, "shape": 2}}, "cannot be read, got TypeError"),
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
    monkeypatch.setattr(trees, "of", None)
    with pytest.raises(ArtefactError, match="unsafe, got a pickle"):
        models.load(folder)


def test_a_stray_or_linked_file_is_refused(folder):
    (folder / "extra.py").write_text("print()")
    with pytest.raises(ArtefactError, match="other files, got extra.py"):
        models.load(folder)


def test_a_forecast_of_another_shape_is_told():
    with pytest.raises(ParameterError, match=r"models: a forecast of another shape, got \(3,\)"):
        models.point(np.zeros(3))
