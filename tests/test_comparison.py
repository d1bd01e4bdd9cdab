"""Models side by side in a run: fitted, chosen, tuned or not, stopped and gone on."""

import shutil

import numpy as np
import pandas as pd
import pytest

from bqx.evaluation.explanation import SHARES
from bqx.learning import bundle, training
from bqx.learning.models import Range
from bqx.learning.models.xgb import XGBoost
from bqx.market import sessions
from bqx.params import Params
from bqx.runs import artefacts, fit_log, known_trials
from bqx.runs.run import Run, read_json, read_parquet
from bqx.stages import bars, candidates, explanation, lagging, models, selection
from bqx.stages import training as fitted
from bqx.stages.bars import load

SMALL = {
    "market": "strong", "pairs": ("eurusd", "gbpusd"), "days": 42, "horizons": (15, 30),
    "lags": (60,), "train_days": 14, "validation_days": 5, "test_days": 5, "step_days": 5,
    "selected": 12, "forest_trees": 10, "rounds": 20, "workers": 1,
    "models": ("martingale", "pooled_ridge", "xgboost"),
}  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Params:
    params = Params(**SMALL | {"out": str(tmp_path_factory.mktemp("models") / "run")})
    for stage in (bars, lagging, selection, fitted):
        stage.build(params)  # type: ignore[attr-defined]
    return params


@pytest.fixture(scope="module")
def used(given: Params) -> dict[int, str]:
    return candidates.used(run_of(given))


@pytest.fixture(scope="module")
def made(given: Params) -> models.Comparison:
    return models.build(given)


def run_of(params: Params) -> Run:
    return Run.open(params.folder, params)


def test_the_martingale_has_no_skill_and_a_named_model_that_of_the_comparison(
    given: Params, made: models.Comparison
) -> None:
    assert list(made.models.index) == ["martingale", "pooled_ridge", "xgboost"]
    assert made.models.loc["martingale", ["skill", "skill_lo", "skill_hi"]].tolist() == [0, 0, 0]
    named = given.model_copy(update={"model": "xgboost", "out": f"{given.out}-named"})
    shutil.copytree(given.folder, named.folder)
    result = fitted.build(named)
    assert set(result.used.values()) == {"xgboost"}
    known = result.scored.cells.set_index(["pair", "horizon"])["skill"].to_dict()
    found = models.build(named).cells["xgboost"].to_dict()
    assert found.keys() == known.keys()
    for cell, skill in known.items():
        assert found[cell] == pytest.approx(skill, abs=1e-9)


def test_a_fold_forecasts_and_is_served_by_the_model_that_its_validation_chose(
    given: Params, used: dict[int, str]
) -> None:
    run = run_of(given)
    steps = candidates.steps(run)
    assert list(steps["model"].unique()) == ["pooled_ridge", "xgboost"]
    for fold, name in used.items():
        won = steps[(steps["fold"] == fold) & steps["wins"]]["model"].tolist()
        assert name == ([*won] or ["martingale"])[-1]
    for pair in ("eurusd", "gbpusd"):
        made = read_parquet(given.folder / f"forecasts/{pair}.parquet")
        for fold, part in made.groupby("fold"):
            alone = artefacts.FIT_FORECASTS.read(run, model=used[fold], pair=pair)
            expected = alone[alone["fold"] == fold]
            pd.testing.assert_frame_equal(
                part.reset_index(drop=True), expected.reset_index(drop=True)
            )
        last = max(used)
        assert used[last] == bundle.load(given.folder / "models" / pair).model.NAME


def test_rows_out_of_sample_take_no_part_in_the_choice(given: Params, used: dict[int, str]) -> None:
    run, pairs = run_of(given), ("eurusd", "gbpusd")
    dataset = load(run)
    folds = selection.split_of(run, dataset).folds
    for pair in pairs:
        for name in given.models:
            held = artefacts.FIT_VALIDATED.read(run, model=name, pair=pair)
            for fold in folds:
                rows = dataset.bars[pair].minutes[fold.validation]
                days = held.loc[held["fold"] == fold.number, "day"]
                assert set(days) <= set(sessions.trading_days(rows))
                assert (held["loss"] >= 0).all()


def test_every_fit_has_its_costs_and_hashes(given: Params, made: models.Comparison) -> None:
    fits = fit_log.fits(given.folder)
    folds = fits["fold"].nunique()
    assert len(fits) == 3 * 2 * folds
    assert set(fits["data_hash"]) == {run_of(given).manifest["data_hash"]}
    assert (
        fits[["catalog_hash", "settings", "rows", "seconds", "peak_mb", "t", "validation_skill"]]
        .notna()
        .all()
        .all()
    )
    assert (made.models["milliseconds"] > 0).all()
    assert made.models.loc["xgboost", "kb"] > made.models.loc["pooled_ridge", "kb"]


def test_every_model_is_a_trial_and_the_choice_counts_them(
    given: Params, made: models.Comparison, used: dict[int, str]
) -> None:
    trials = known_trials.known(run_of(given)).trials
    names = {"martingale", "pooled_ridge", "xgboost", candidates.name_of(used)}
    assert {trial.model for trial in trials} == names
    assert made.trials == len(names)
    assert made.honest in made.models.index
    stored = read_json(given.folder / "models_compared/choice.json")
    assert stored["honest"] == made.honest
    assert made.documented is None


def test_every_fold_is_explained_by_the_model_that_it_uses(
    given: Params, used: dict[int, str]
) -> None:
    made = explanation.build(given)
    assert made.shap.groupby("fold")["model"].unique().map(list).to_dict() == {
        fold: [name] for fold, name in used.items()
    }
    for pair in ("eurusd", "gbpusd"):
        for fold, name in used.items():
            chosen = bundle.load(
                given.folder / artefacts.FIT.path(model=name, pair=pair, fold=fold)
            )
            part = made.shap[(made.shap["pair"] == pair) & (made.shap["fold"] == fold)]
            assert set(part["column"]) == {column.name for column in chosen.columns}
            assert set(part["horizon"]) == {15, 30}
            assert (part["shap"] > 0).any() == (name != "martingale")
    shares = made.by_domain(["pair", "horizon"])
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert set(made.curves["model"]) == set(given.models)
    assert len(made.curves) == len(given.models) * 2 * len(SHARES)
    pairs = made.stability()
    assert len(pairs) == 2 * (len(used) - 1)
    assert pairs["jaccard"].between(0, 1).all()
    first = made.shap[made.shap["fold"] == max(used)]
    twice = pd.concat([first, first.assign(fold=max(used) + 1)])
    same = explanation.Explanation(twice, made.curves, {}).stability()
    np.testing.assert_allclose(same[["jaccard", "overlap", "domains"]], 1.0)
    last = made.last["eurusd"]
    of_rows = last.at(30).abs().mean()
    of_fold = made.shap[(made.shap["pair"] == "eurusd") & (made.shap["fold"] == max(used))]
    of_fold = of_fold[of_fold["horizon"] == 30]
    np.testing.assert_allclose(of_rows, of_fold["shap"], rtol=1e-12)
    assert [name.partition(" (")[0] for name in of_rows.index] == list(of_fold["column"])
    assert last.columns.shape == last.at(15).shape
    top = made.top("eurusd", 5)
    assert top.shape == (5, 2)
    assert top.mean(axis=1).is_monotonic_decreasing
    leading = made.leading()
    assert leading.loc["eurusd", "column"] == made.top("eurusd", 1).index[0]
    assert leading["share"].between(1 / 12, 1).all()


def test_what_was_finished_before_a_stop_is_not_fitted_again(
    given: Params, made: models.Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run_of(given).outputs
    calls: list[str] = []
    real = training.learn_pair

    def stops(history, *rest, **settings):  # type: ignore[no-untyped-def]
        calls.append(history.bars.pair)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(history, *rest, **settings)

    monkeypatch.setattr(training, "learn_pair", stops)
    with pytest.raises(KeyboardInterrupt):
        fitted.build(given)
    assert calls == ["eurusd", "gbpusd"] * 2
    fitted.build(given)
    assert calls[4:] == ["eurusd", "gbpusd"]
    models.build(given)
    assert run_of(given).outputs == before


def test_a_tuned_run_records_every_trial_and_shares_its_settings(
    given: Params, made: models.Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"max_depth": Range(1, 3), "n_estimators": Range(9, 10)}
    monkeypatch.setattr(XGBoost, "SPACE", space)
    tuned = given.model_copy(update={"models": ("xgboost",), "trials": 2})
    fitted.build(tuned)
    found = models.build(tuned)
    settings = read_json(tuned.folder / "candidates/xgboost/settings.json")
    folds = len(settings["eurusd"])
    assert {fold["max_depth"] for fold in settings["gbpusd"]} <= {1, 2, 3}
    trials = known_trials.known(run_of(tuned)).trials
    searched = [t for t in trials if "settings" in t.parameters]
    assert len(searched) >= 2 * folds * 2
    assert all(np.isfinite(t.values).all() for t in searched)
    assert found.trials > made.trials
    frame = read_parquet(tuned.folder / "forecasts/eurusd.parquet")
    assert set(frame["horizon"]) == {15, 30}
