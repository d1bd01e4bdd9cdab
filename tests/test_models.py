import numpy as np
import pytest
import xgboost

from bqx.models import MODELS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3_000, 6)).astype(np.float32)
Y = np.where(X[:, 0] > 0, 0.5, -0.5) + RNG.normal(size=3_000)


@pytest.fixture(params=sorted(MODELS))
def model(request):
    return MODELS[request.param](rounds=100, depth=2, learning_rate=0.1, seed=1)


def skill(forecast, y):
    return 1 - np.mean((y - forecast) ** 2) / np.mean(y**2)


def test_finds_a_step_and_not_noise(model):
    forecast = model.fit(X[:2_000], Y[:2_000]).predict(X[2_000:])
    attainable = skill(np.where(X[2_000:, 0] > 0, 0.5, -0.5), Y[2_000:])
    assert skill(forecast, Y[2_000:]) > 0.8 * attainable
    assert forecast.dtype == np.float64


def test_later_rows_stop_it(model):
    noise = RNG.normal(size=2_000)
    fit = model.fit(X[:2_000], noise, (X[2_000:], RNG.normal(size=1_000)))
    assert 1 <= fit.rounds < 30
    assert len(fit.predict(X[:5])) == 5


def test_a_stopped_fit_is_the_fit_with_that_many_rounds(model):
    fit = model.fit(X[:2_000], Y[:2_000], (X[2_000:], Y[2_000:]))
    again = type(model)(fit.rounds, 2, 0.1, 1).fit(X[:2_000], Y[:2_000])
    np.testing.assert_array_equal(fit.predict(X), again.predict(X))


def test_what_is_saved_forecasts_the_same(model, tmp_path):
    x = X.copy()
    x[::7, 0] = np.nan
    fit = model.fit(x, Y)
    fit.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(x), fit.predict(x))
    assert loaded.rounds == fit.rounds
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


def test_the_same_seed_gives_the_same_bytes(model, tmp_path):
    for name in ("one", "two"):
        type(model)(20, 2, 0.1, 1).fit(X, Y).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_row_is_forecast_alike_alone_and_among_others(model):
    fit = model.fit(X, Y)
    batch = fit.predict(X[:50])
    assert [fit.predict(X[i : i + 1])[0] for i in range(50)] == batch.tolist()


def test_no_label_drift_enters_where_nothing_is_known(model):
    fit = type(model)(1, 2, 0.1, 1).fit(X[:, :1] * 0, np.full(3_000, 2.0))
    assert 0 < fit.predict(X[:1, :1] * 0)[0] < 0.25


def test_the_file_is_xgboosts_own(tmp_path):
    MODELS["xgboost"](5, 2, 0.1, 1).fit(X, Y).save(tmp_path / "model.ubj")
    booster = xgboost.Booster(model_file=tmp_path / "model.ubj")
    assert booster.num_boosted_rounds() == 5
    assert booster.attr("depth") == "2"
