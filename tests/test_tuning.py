import sys

import numpy as np
import optuna
import pytest
from learned import PAIR, PARAMS, learn
from small_models import need

from bqx.errors import ParameterError
from bqx.learning import tuning
from bqx.learning.models import MODELS, Range, make, model_class
from bqx.learning.models.xgb import XGBoost
from bqx.learning.weights import uniqueness
from bqx.runs import fit_log
from bqx.stages import models

RNG = np.random.default_rng(0)
ROWS = np.arange(0, 12_000, 5)
X = RNG.normal(size=(len(ROWS), 5)).astype(np.float32)
Y = np.column_stack([np.sign(X[:, 0]) * np.sign(X[:, 1])] * 2) + RNG.normal(size=(len(ROWS), 2))
FEW = PARAMS.model_copy(update={"trials": 6, "rounds": 40, "seed": 3})


def tune(folder, params=FEW, name="xgboost", x=X, record=None):
    heard = [] if record is None else record
    settings = tuning.tune(
        x, Y, ROWS, name=name, params=params, storage=folder / "studies.log", record=heard.append
    )
    return settings, heard


@pytest.fixture
def fast(monkeypatch):
    """Few and small trees, so that a trial takes a moment."""

    space = {"max_depth": Range(1, 4), "n_estimators": Range(5, 40, step=5)}
    monkeypatch.setattr(XGBoost, "SPACE", space | {"learning_rate": Range(0.19, 0.21)})


def test_finds_the_depth_that_an_interaction_needs(fast, tmp_path):
    settings, heard = tune(tmp_path)
    assert settings["max_depth"] >= 2
    assert len(heard) == 6
    best = max((t for t in heard if not t.pruned), key=lambda t: t.score)
    assert best.settings == settings
    assert best.score > 0.1


def test_scores_are_those_of_forecasts_of_later_rows(fast, tmp_path):
    _, heard = tune(tmp_path, FEW.model_copy(update={"trials": 1}))
    one, horizon = heard[0], max(FEW.horizons)
    weight = uniqueness(ROWS, horizon)
    scores, at = [], 0
    for before, part in tuning.inner_parts(ROWS, horizon):
        assert ROWS[before].max() + horizon < ROWS[part].min()
        cut = ROWS[before][int(len(before) * 0.8)]
        early = before[ROWS[before] < cut - horizon]
        late = before[ROWS[before] >= cut]
        model = make("xgboost", FEW, **one.settings).fit(
            X[early], Y[early], weight=weight[early], validation=(X[late], Y[late])
        )
        truth = Y[part]
        left = ((truth - model.predict(X[part])) ** 2).sum(axis=0) / (truth**2).sum(axis=0)
        scores.append(np.mean(1 - left))
        np.testing.assert_array_equal(one.rows[at : at + len(part)], ROWS[part])
        at += len(part)
    assert one.score == pytest.approx(np.mean(scores), rel=1e-6)
    assert one.gains.shape == (len(one.rows), 2)


def test_a_stopped_search_goes_on_and_repeats_nothing(fast, tmp_path):
    heard = []
    tune(tmp_path, FEW.model_copy(update={"trials": 3}), record=heard)
    settings, _ = tune(tmp_path, record=heard)
    assert len(heard) == 6
    again, none = tune(tmp_path)
    assert (again, none) == (settings, [])


def test_a_search_on_other_labels_columns_or_settings_begins_anew(fast, tmp_path, monkeypatch):
    """One journal, as of a run folder whose parameters have changed."""
    few = FEW.model_copy(update={"trials": 1})
    tune(tmp_path, few)
    assert tune(tmp_path, few)[1] == []
    assert len(tune(tmp_path, few, x=X[::-1].copy())[1]) == 1
    assert len(tune(tmp_path, few.model_copy(update={"learning_rate": 0.2}))[1]) == 1
    own = {"xgboost": {"subsample": 0.9}}
    assert len(tune(tmp_path, few.model_copy(update={"settings": own}))[1]) == 1
    monkeypatch.setattr(sys.modules[__name__], "Y", -Y)
    assert len(tune(tmp_path, few)[1]) == 1


def test_two_searches_find_the_same(fast, tmp_path):
    one, first = tune(tmp_path / "a")
    other, second = tune(tmp_path / "b")
    assert one == other
    assert [t.score for t in first] == [t.score for t in second]


def test_what_lies_after_the_training_rows_is_not_asked_for(fast, tmp_path):
    learned, few = learn("strong", 1), FEW.model_copy(update={"trials": 2})
    heard = []
    found = tuning.tune_pair(
        learned.history,
        learned.columns,
        learned.folds[:1],
        selections=learned.selections[:1],
        params=few,
        name="xgboost",
        storage=tmp_path / "studies.log",
        record=lambda number, trial: heard.append((number, trial)),
    )
    assert len(found) == 1
    assert {number for number, _ in heard} == {0}
    assert all(np.isin(trial.rows, learned.folds[0].train).all() for _, trial in heard)
    assert learned.bars.pair == PAIR


def test_time_ends_a_search(fast, tmp_path):
    brief = FEW.model_copy(update={"trials": 500, "tuning_seconds": 1})
    settings, heard = tune(tmp_path, brief)
    assert 1 <= len(heard) < 500
    assert settings


def test_lines_need_no_search_and_few_rows_are_refused(tmp_path):
    assert tune(tmp_path, name="ridge") == ({}, [])
    with pytest.raises(ParameterError, match="too few rows to tune on"):
        tuning.tune(
            X[:40],
            Y[:40],
            ROWS[:40],
            name="xgboost",
            params=FEW,
            storage=tmp_path / "studies.log",
            record=lambda _: None,
        )


@pytest.mark.parametrize("name", [name for name in MODELS if model_class(name).SPACE])
def test_every_setting_of_a_space_is_one_of_the_estimator(name):
    need(name)
    drawn = optuna.create_study().ask()
    settings = tuning.suggested(model_class(name).SPACE, drawn)
    assert make(name, FEW, **settings).settings().items() >= settings.items()


def test_scores_of_a_search_are_kept_and_shown(tmp_path):
    out = PARAMS.model_copy(update={"out": str(tmp_path)})
    assert models.searched(out).empty
    for fold, score in ((0, 0.01), (0, 0.03), (1, -0.02)):
        row = {"model": "xgboost", "pair": PAIR, "fold": fold, "score": score}
        fit_log.record_trial(tmp_path, row | {"pruned": score < 0, "settings": {"max_depth": 2}})
    shown = models.searched(out)
    assert shown.loc[("xgboost", PAIR, 0)].tolist() == [2, 0, 0.03, 0.02]
    assert shown.loc[("xgboost", PAIR, 1), "pruned"] == 1


@pytest.mark.parametrize("name", ["multi_horizon", "multi_task", "tft"])
def test_networks_have_the_documents_ranges(name):
    ranges = model_class(name).SPACE
    assert (ranges["learning_rate"].low, ranges["learning_rate"].high) == (1e-4, 1e-2)
    assert (ranges["dropout"].low, ranges["dropout"].high) == (0.1, 0.3)
    assert (ranges["batch_size"].low, ranges["batch_size"].high) == (128, 512)
    if name == "tft":
        assert (ranges["hidden"].low, ranges["hidden"].high) == (64, 256)
        assert (ranges["heads"].low, ranges["heads"].high) == (1, 4)


def test_a_network_is_searched_as_trees_are(tmp_path):
    need("multi_horizon")
    few = PARAMS.model_copy(update={"trials": 1, "settings": {"multi_horizon": {"epochs": 1}}})
    settings, heard = tune(tmp_path, few, "multi_horizon")
    assert set(settings) == {"learning_rate", "dropout", "batch_size"}
    assert len(heard) == 1
