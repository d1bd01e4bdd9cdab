"""The documents' versions by their parameter files, from bars to profits, on small bars."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learned import PARAMS
from small_models import need

from bqx import params
from bqx.errors import ParameterError
from bqx.features.documents.groups import group_of
from bqx.features.families.learned import autoencoder
from bqx.learning.models import make, space
from bqx.learning.models.ensemble import Ensemble
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.stages import (
    backtest,
    bars,
    deployment,
    features,
    lagging,
    reconciliation,
    registry,
    selection,
    training,
)

FOLDER = Path(__file__).parents[1] / "params"
STAGES = (*(bars, features, reconciliation, lagging, selection, training, backtest),)
SERVED = (registry, deployment)
SMALL = (
    *("pairs=[eurusd]", "days=25", "workers=1", "backend=threads", "stride=15"),
    *("forest_trees=20", "rounds=20", "least_importance=0"),
    "settings={forest: {n_estimators: 5, max_depth: 5}, multi_task: {epochs: 1}}",
)
SHORT = ("train_days=8", "validation_days=2", "test_days=3", "step_days=3")
COLUMNS = {"v1": 769, "v2": 730, "v3": 3_425, "v4": 866}
"""Columns that the catalog has of 809, 730, 3,200 and 866."""


def of_file(version: str, *overrides: str) -> Params:
    return params.load(FOLDER / f"{version}.yaml", overrides)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An autoencoder of two passes."""
    train: Callable[..., Any] = autoencoder.train

    def short(parts: Any, rows: Any, reach: int, settings: autoencoder.Settings) -> Any:
        return train(parts, rows, reach, replace(settings, epochs=2, batch=256))

    monkeypatch.setattr(autoencoder, "train", short)


@pytest.mark.parametrize("version", COLUMNS)
def test_a_version_runs_from_bars_to_profits(version: str, tmp_path: Path, quick: None) -> None:
    folds = SHORT if version == "v2" else ()
    given = of_file(version, f"out={tmp_path}", *SMALL, *folds)
    need(*given.models)
    for stage in STAGES:
        stage.build(given)
    # A container's own code is not that of a quick autoencoder.
    for stage in SERVED if version in ("v1", "v3") else ():
        stage.build(given)
    run = Run.open(tmp_path, given)
    columns = {column.name: column for column in lagging.columns_of(run)}
    assert len(columns) == COLUMNS[version]
    for chosen in selection.read(run, bars.load(run))["eurusd"]:
        assert len(chosen.columns) == min(given.selected, chosen.candidates)
        domains = Counter(columns[name].domain for name in chosen.columns)
        if version == "v3":
            assert min(domains["rate"], domains["bqx"]) >= 100
        if version == "v4":
            assert domains["learned"] > 0
        if given.quotas:
            groups = Counter(group_of(columns[name].feature) for name in chosen.columns)
            assert groups["dual"] >= 15
            assert groups["rate"] >= 60
    for name in given.models:
        forecasts = artefacts.FIT_FORECASTS.read(run, model=name, pair="eurusd")
        assert np.isfinite(forecasts["forecast"]).mean() > 0.95
    assert len(artefacts.CELLS.read(run)) == len(given.horizons)


def test_versions_have_the_settings_that_their_documents_name() -> None:
    need("tft", "multi_task")
    v1, v2, v3, v4 = (of_file(version) for version in COLUMNS)
    assert (v1.selected, v2.selected, v3.selected, v4.selected) == (70, 195, 250, 280)
    assert list(v2.quotas.values()) == [70, 60, 20, 25, 20]
    assert v3.domain_share * v3.selected == 100
    assert (v2.embargo, v2.least_importance) == (120, 0.001)
    # 60, 30 and 7 days are so many weeks of five trading days.
    weeks = np.array([60, 30, 7]) / 7
    lengths = (v2.train_days + v2.validation_days, v2.test_days, v2.step_days)
    assert lengths == tuple(np.round(5 * weeks).astype(int))
    assert not v2.expanding
    forests = [make("forest", given).get_params() for given in (v1, v2)]
    assert [(f["n_estimators"], f["max_depth"]) for f in forests] == [(100, 10), (200, 15)]
    boosting = make("xgboost", v2).get_params()
    assert (boosting["n_estimators"], boosting["max_depth"], boosting["subsample"]) == (500, 8, 0.8)
    ranges = {name: (r.low, r.high, r.log) for name, r in space("xgboost", v2).items()}
    assert ranges == {
        "max_depth": (6, 12, False),
        "learning_rate": (0.01, 0.1, True),
        "subsample": (0.7, 0.9, False),
        "n_estimators": (300, 700, False),
        "min_child_weight": (1, 10, False),
    }
    assert make("ensemble", v2).get_params()["shares"] == [0.40, 0.35, 0.25]
    assert make("tft", v2).get_params()["continuous"] == 16
    assert make("multi_task", v4).get_params()["batch_size"] == 512


def test_an_ensemble_of_set_shares_is_the_weighted_mean_of_its_members() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(400, 5)).astype(np.float32)
    y = (x[:, :2] + draw.normal(size=(400, 2))).astype(np.float64)
    names = ["ridge", "forest"]
    members = [make(name, PARAMS).fit(x, y) for name in names]
    joined = make("ensemble", PARAMS, members=names, shares=[0.75, 0.25]).fit(x, y)
    expected = 0.75 * members[0].predict(x) + 0.25 * members[1].predict(x)
    np.testing.assert_allclose(joined.predict(x), expected, rtol=1e-12)
    again = Ensemble.from_settings(joined.settings())
    again.restore(joined.parts())
    np.testing.assert_array_equal(again.predict(x), joined.predict(x))


def test_a_member_that_reads_the_past_stands_beside_one_that_does_not() -> None:
    need("tft")
    draw = np.random.default_rng(1)
    own = {"epochs": 1, "steps": 2, "hidden": 8, "continuous": 4, "heads": 1}
    transformer = make("tft", PARAMS, **own)
    x = draw.normal(size=(300, 6)).astype(np.float32)
    y = draw.normal(size=(300, 2))
    joined = make(
        "ensemble", PARAMS, members=[transformer, make("ridge", PARAMS)], shares=[0.0, 1.0]
    ).fit(x, y)
    now = np.ascontiguousarray(x[:, 3:])
    np.testing.assert_array_equal(joined.predict(x), make("ridge", PARAMS).fit(now, y).predict(now))
    assert joined.past == 2


def test_a_setting_that_no_model_has_is_named() -> None:
    with pytest.raises(ParameterError, match="settings: forest has no such setting, got 'trees'"):
        make("forest", PARAMS.model_copy(update={"settings": {"forest": {"trees": 3}}}))
    with pytest.raises(ParameterError, match="ranges: forest has no such setting, got 'trees'"):
        space("forest", PARAMS.model_copy(update={"ranges": {"forest": {"trees": (1, 3)}}}))


@pytest.mark.parametrize("shares", [[0.5], [0.5, 0.6], [1.5, -0.5]])
def test_shares_that_do_not_add_up_are_refused(shares: list[float]) -> None:
    model = make("ensemble", PARAMS, members=["ridge", "forest"], shares=shares)
    with pytest.raises(ParameterError, match="shares of ensemble do not add up"):
        model.fit(np.ones((50, 2), np.float32), np.ones((50, 1)))


@pytest.mark.parametrize(
    "text",
    [
        "quotas={rates: 3}",
        "quotas={rate: 0}",
        "settings={woods: {max_depth: 3}}",
        "settings={forest: {max_depth: .nan}}",
        "ranges={xgboost: {max_depth: [3]}}",
        "ranges={xgboost: {max_depth: [6, 3]}}",
    ],
)
def test_what_is_no_quota_setting_or_range_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=text.partition("=")[0]):
        of_file("v1", text)
