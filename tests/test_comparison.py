"""Notebook 11: models side by side in a run, tuned or not, stopped and gone on."""

from pathlib import Path

import numpy as np
import pytest

from bqx import ledger, tracking, training, tuning
from bqx.params import Params
from bqx.stages import bars, models, selection
from bqx.stages import training as fitted
from bqx.store import Run, read_json, read_parquet

SMALL = {
    "market": "planted", "pairs": ("eurusd", "gbpusd"), "days": 42, "horizons": (15, 30),
    "lags": (60,), "train_days": 14, "validation_days": 5, "test_days": 5, "step_days": 5,
    "selected": 12, "forest_trees": 10, "rounds": 20, "workers": 1,
    "models": ("martingale", "ridge", "xgboost"),
}  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Params:
    params = Params(**SMALL | {"out": str(tmp_path_factory.mktemp("models") / "run")})
    for stage in (bars, selection, fitted):
        stage.build(params)  # type: ignore[attr-defined]
    return params


@pytest.fixture(scope="module")
def made(given: Params) -> models.Comparison:
    return models.build(given)


def run_of(params: Params) -> Run:
    return Run.open(params.folder, params)


def test_the_martingale_has_no_skill_and_the_served_model_that_of_notebook_06(
    given: Params, made: models.Comparison
) -> None:
    assert list(made.models.index) == ["martingale", "ridge", "xgboost"]
    assert made.models.loc["martingale", ["skill", "skill_lo", "skill_hi"]].tolist() == [0, 0, 0]
    known = {
        (cell["pair"], cell["horizon"]): cell["skill"]
        for cell in read_json(given.folder / "forecasts/cells.json")
    }
    found = made.cells["xgboost"].to_dict()
    assert found.keys() == known.keys()
    for cell, skill in known.items():
        assert found[cell] == pytest.approx(skill, abs=1e-9)


def test_every_fit_has_its_costs_and_hashes(given: Params, made: models.Comparison) -> None:
    fits = tracking.fits(given.folder)
    folds = fits["fold"].nunique()
    assert len(fits) == 3 * 2 * folds
    assert set(fits["data_hash"]) == {run_of(given).manifest["data_hash"]}
    assert fits[["catalog_hash", "settings", "rows", "seconds", "peak_mb", "t"]].notna().all().all()
    assert (made.models["milliseconds"] > 0).all()
    assert made.models.loc["xgboost", "kb"] > made.models.loc["ridge", "kb"]


def test_every_model_is_a_trial_and_the_choice_counts_them(
    given: Params, made: models.Comparison
) -> None:
    book = ledger.beside(given.folder)
    trials = book.trials(run_of(given).manifest["data_hash"])
    assert {trial.model for trial in trials} == {"martingale", "ridge", "xgboost"}
    assert made.trials == 3
    assert made.honest in made.models.index
    stored = read_json(given.folder / "models_compared/choice.json")
    assert stored["honest"] == made.honest
    assert made.documented is None


def test_what_was_finished_before_a_stop_is_not_fitted_again(
    given: Params, made: models.Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_of(given).outputs
    calls: list[str] = []
    real = training.fit_pair

    def stops(history, *rest):  # type: ignore[no-untyped-def]
        calls.append(history.bars.pair)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(history, *rest)

    monkeypatch.setattr(training, "fit_pair", stops)
    with pytest.raises(KeyboardInterrupt):
        models.build(given)
    assert calls == ["eurusd", "gbpusd"] * 2
    models.build(given)
    assert calls[4:] == ["gbpusd"]
    assert run_of(given).outputs == before


def test_a_tuned_run_records_every_trial_and_shares_its_settings(
    given: Params, made: models.Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        tuning.SPACES,
        "xgboost",
        lambda trial: {"depth": trial.suggest_int("depth", 1, 3), "rounds": 10},
    )
    tuned = given.model_copy(update={"models": ("xgboost",), "trials": 2})
    found = models.build(tuned)
    settings = read_json(tuned.folder / "models_compared/xgboost/settings.json")
    folds = len(settings["eurusd"])
    assert {fold["depth"] for fold in settings["gbpusd"]} <= {1, 2, 3}
    book = ledger.beside(tuned.folder)
    trials = book.trials(run_of(tuned).manifest["data_hash"])
    searched = [t for t in trials if "settings" in t.parameters]
    assert len(searched) >= 2 * folds * 2
    assert all(np.isfinite(t.values).all() for t in searched)
    assert found.trials > made.trials
    frame = read_parquet(Path(tuned.folder) / "models_compared/xgboost/eurusd.parquet")
    assert set(frame["horizon"]) == {15, 30}
