"""What every model of the register keeps, and a user's own with it."""

import inspect
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from small_models import NAMES, NETWORKS, OWN, files, fresh

from bqx.errors import ArtefactError, ParameterError
from bqx.identity import code_text
from bqx.identity.imported import module_hash
from bqx.learning import models
from bqx.learning.models import MODELS, Design, artefact, make, model_class, point
from bqx.params import Params

RNG = np.random.default_rng(7)
ROWS = 800
X = RNG.normal(size=(ROWS, 6)).astype(np.float32)
X[::7, 1] = np.nan
X[:, 5] = 3.0
Y = np.column_stack([np.sign(X[:, 0]), -np.sign(X[:, 0])]) + 0.5 * RNG.normal(size=(ROWS, 2))
WEIGHT = RNG.uniform(0.5, 1.5, ROWS)


def small(name):
    return fresh(name, **{"epochs": 1} if name in NETWORKS else {})


@cache
def fitted(name):
    return small(name).fit(X, Y, weight=WEIGHT)


@pytest.fixture(params=NAMES)
def name(request):
    small(request.param)  # skips without the packages of an extra
    return request.param


@pytest.fixture
def folder(name, tmp_path):
    fitted(name).save(tmp_path / "model")
    return tmp_path / "model"


def test_its_name_and_its_settings_are_those_that_it_declares(name):
    kind, settings = model_class(name), small(name).get_params()
    assert name == kind.NAME
    assert set(kind.SPACE) | set(kind.RUN_KEYS) <= set(settings)
    assert set(kind.RUN_KEYS.values()) <= set(Params.model_fields)
    for setting, span in kind.SPACE.items():
        assert span.low < span.high
        assert type(settings[setting]) is type(span.low)


def test_a_clone_of_scikit_learn_has_the_same_settings_and_forecasts(name):
    model = small(name)
    copy = clone(model)
    assert copy is not model
    assert repr(copy) == repr(model)
    assert all(f"{setting}=" in repr(model) for setting in model.get_params())
    forecasts = copy.fit(X, Y, weight=WEIGHT).predict(X[:20])
    np.testing.assert_array_equal(forecasts, fitted(name).predict(X[:20]))


def test_absent_values_and_a_constant_column_leave_forecasts_of_the_horizons(name):
    forecasts = fitted(name).predict(X)
    assert forecasts.dtype == np.float64
    assert forecasts.shape[:2] == (ROWS, 2)
    assert np.isfinite(forecasts).all()
    nothing = fitted(name).predict(np.full((3, 6), np.nan, np.float32))
    assert np.isfinite(nothing).all()
    np.testing.assert_array_equal(nothing[0], nothing[2])


def test_quantiles_ascend(name):
    forecasts = fitted(name).predict(X)
    if forecasts.ndim == 3:
        assert (np.diff(forecasts, axis=2) >= 0).all()
        np.testing.assert_array_equal(point(forecasts), forecasts[:, :, forecasts.shape[2] // 2])
    else:
        assert point(forecasts) is forecasts


def test_a_row_is_forecast_alike_alone_among_others_and_in_a_design(name):
    model = fitted(name)
    batch = model.predict(X[:70])
    assert [model.predict(X[i : i + 1])[0].tolist() for i in range(70)] == batch.tolist()
    np.testing.assert_array_equal(model.predict(Design(X))[:70], batch)
    order = RNG.permutation(70)
    np.testing.assert_array_equal(model.predict(X[:70][order]), batch[order])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("martingale", "tft")])
def test_rows_of_little_weight_are_hardly_learnt(name):
    told = np.repeat(np.sign(X[:, [0]]).astype(np.float64), 2, axis=1)
    half = np.arange(ROWS) % 2 == 0
    told[half] *= -1
    model = fresh(name).fit(X, told, weight=np.where(half, 0.01, 1.0))
    assert np.corrcoef(point(model.predict(X))[~half, 0], told[~half, 0])[0, 1] > 0.5


def test_the_choice_of_validation_rows_is_kept_by_an_unfitted_copy(name):
    noise = RNG.normal(size=(ROWS, 2))
    early, late = slice(0, 600), slice(600, None)
    model = small(name).fit(X[early], noise[early], validation=(X[late], noise[late]))
    again = model.unfitted()
    again.fit(X[early], noise[early])
    assert json.dumps(again.settings()) == json.dumps(model.settings())
    np.testing.assert_array_equal(again.predict(X[:20]), model.predict(X[:20]))


def test_what_is_saved_forecasts_the_same_and_is_saved_again_as_the_same_bytes(
    name, folder, tmp_path
):
    loaded = models.load(folder)
    assert type(loaded) is type(fitted(name))
    np.testing.assert_array_equal(loaded.predict(X), fitted(name).predict(X))
    loaded.save(tmp_path / "again")
    assert files(tmp_path / "again") == files(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_same_rows_give_the_same_bytes(name, folder, tmp_path):
    fitted(name).unfitted().fit(X, Y, weight=WEIGHT).save(tmp_path / "again")
    assert files(tmp_path / "again") == files(folder)


def test_a_changed_byte_is_refused_before_anything_is_parsed(name, folder, monkeypatch):
    monkeypatch.setattr(model_class(name), "restore", None)
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name == artefact.MANIFEST:
            continue
        content = path.read_bytes()
        for place in {0, len(content) // 2, len(content) - 1}:
            changed = bytearray(content)
            changed[place] ^= 1
            path.write_bytes(changed)
            with pytest.raises(ArtefactError, match="damaged or exchanged"):
                models.load(folder)
        path.write_bytes(content)


def test_nothing_stored_is_a_pickle(name):
    assert not any(artefact._pickled(content) for content in fitted(name).parts().values())


def test_other_types_of_columns_are_refused(name):
    with pytest.raises(ParameterError, match="got 2 dimensions of float64; expected a matrix of f"):
        fitted(name).predict(X.astype(np.float64))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tft"])
def test_contributions_add_up_to_what_is_forecast(name):
    model, rows = fitted(name), X[:40]
    values = model.contributions(rows)
    assert values.shape == (40, 6, 2)
    forecast, told = point(model.predict(rows)), values.sum(axis=1)
    if name == "xgboost_quantile":
        # Crossing levels are put in order afterwards, which no column is behind.
        assert np.corrcoef(told[:, 0], forecast[:, 0])[0, 1] > 0.99
    else:
        np.testing.assert_allclose(told - told[0], forecast - forecast[0], atol=2e-5)


@pytest.mark.parametrize("name", ["ridge", "tft"])
def test_the_code_of_a_registered_model_is_code_that_the_register_reaches(name, monkeypatch):
    before = module_hash("bqx.learning.training")
    path = inspect.getfile(model_class(name))
    real = code_text.module
    monkeypatch.setattr(code_text, "module", lambda p: ("other", ()) if p == path else real(p))
    assert module_hash.__wrapped__("bqx.learning.training") != before


# --- The register ---------------------------------------------------------------------------------


def test_parameters_take_every_registered_model_and_a_users_own_in_order_of_complexity():
    every = Params(models=(OWN, *reversed(MODELS))).models
    assert every == NAMES
    for wrong in ((), ("ridge", "ridge"), ("rigde",), ("own.py",), ("own.py:2",)):
        with pytest.raises(ValueError, match="models"):
            Params(models=wrong)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rigde", "models: not there, got 'rigde'; expected one of martingale, pooled_ridge"),
        ("absent.py:Model", "models: not there, got 'absent.py:Model'"),
        ("../outside.py:Model", "models: not there"),
        ("tests/own_model.py:Absent", "got Absent that is absent; expected a class that inherits"),
        ("tests/own_model.py:Nothing", "got Nothing that is something else"),
    ],
)
def test_a_model_that_is_not_there_is_refused(name, message):
    with pytest.raises(ParameterError, match=message):
        make(name, Params())


def test_a_module_with_an_error_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ParameterError, match=r"broken\.py cannot be imported, got ZeroDivision"):
        model_class("broken.py:Model")


def test_a_users_model_whose_code_has_changed_is_fitted_again(tmp_path, monkeypatch):
    code = model_class(OWN).__module__
    content = Path("tests/own_model.py").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(content)
    mine = make("mine.py:Marginal", Params()).fit(X, Y)
    assert type(mine).__module__ != code
    mine.save(tmp_path / "model")
    assert type(models.load(tmp_path / "model")) is type(mine)
    (tmp_path / "mine.py").write_text(content.replace("share: float = 1.0", "share: float = 0.5"))
    with pytest.raises(ArtefactError, match="fitted by other code"):
        models.load(tmp_path / "model")
    (tmp_path / "mine.py").write_text(content + "\nraise SystemExit('it was run')\n")
    with pytest.raises(ArtefactError, match="fitted by other code"):
        models.load(tmp_path / "model")
    (tmp_path / "mine.py").unlink()
    with pytest.raises(ArtefactError, match="cannot be read, models: not there"):
        models.load(tmp_path / "model")
