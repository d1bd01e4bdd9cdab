"""The whole path on small parameters: artefacts repeat, signals are found, noise is not."""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest import mock

import browser
import numpy as np
import pandas as pd
import pytest
from offline import foreign

import bqx.stages
from bqx import cli, params
from bqx.errors import ArtefactError, ParameterError
from bqx.features import catalog
from bqx.operations.panels import SIX
from bqx.params import Params
from bqx.report import claims, comparison, front_page, lines, verdict
from bqx.runs import artefacts, known_trials
from bqx.runs.ledger import LOG, Claim
from bqx.runs.run import Run, read_json, read_parquet
from bqx.runs.trials import count
from bqx.serving.registry_folder import beside
from bqx.stages import (
    backtest,
    bars,
    candidates,
    deployment,
    explanation,
    features,
    lagging,
    models,
    monitoring,
    promotion,
    quality,
    reconciliation,
    registry,
    screening,
    selection,
    system_panels,
    training,
)
from bqx.trading import benchmarks, performance
from bqx.workbench import Study

STAGES = (
    bars, features, reconciliation, lagging, selection, training, backtest, monitoring, quality,
    models,
    registry, deployment, explanation, screening,
)  # fmt: skip

SMALL = Params(pairs=("eurusd", "gbpusd"), forest_trees=30, workers=1)


def run_all(folder: Path, **changes: object) -> Run:
    given = SMALL.model_copy(update={"out": str(folder), **changes})
    # What a machine takes that does other things as well would decide what is approved.
    with mock.patch.object(registry, "latency", return_value=5.0):
        for stage in STAGES:
            stage.build(given)  # type: ignore[attr-defined]
    run = Run.open(folder, given)
    verdict.write(run)
    return run


def test_every_stage_is_run_here() -> None:
    modules = {path.stem for path in Path(bqx.stages.__file__).parent.glob("*.py")}
    named = {stage.NAME.partition("_")[2] for stage in STAGES}  # type: ignore[attr-defined]
    assert [stage.NAME for stage in STAGES] == list(params.NOTEBOOK_KEYS)  # type: ignore[attr-defined]
    assert named <= modules


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_all(tmp_path_factory.mktemp("planted"), market="strong")


@pytest.fixture(scope="module")
def null(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_all(tmp_path_factory.mktemp("null"), market="null")


def test_the_same_parameters_give_the_same_bytes(planted: Run, null: Run, tmp_path: Path) -> None:
    again = run_all(tmp_path / "again", market="strong", workers=2)
    assert again.outputs == planted.outputs
    assert len(again.outputs) > 50
    told = comparison.page([planted.folder, again.folder, null.folder])
    assert "| market" in told
    same, other = told.split("\n## ")[1:]
    zero = "+0.0 bp [+0.0 bp, +0.0 bp]"
    assert same.count(zero) == len(SMALL.horizons)
    assert "They forecast other labels" in other


def test_half_of_the_planted_skill_is_recovered_at_every_horizon(planted: Run) -> None:
    cells = pd.DataFrame(read_json(planted.folder / "forecasts/cells.json"))
    by_horizon = cells.groupby("horizon")[["skill", "attainable"]].mean()
    assert (by_horizon["attainable"] > 0.02).all()
    assert (by_horizon["skill"] > 0.5 * by_horizon["attainable"]).all()


def test_the_panels_of_the_system_show_what_the_run_found(planted: Run) -> None:
    with mock.patch.object(system_panels, "ASKED", 3):
        panels = system_panels.build(planted.params)
    assert set(panels) <= {panel.title for panel in SIX}
    days = panels["R² and skill, 24 hours"]
    cells = pd.DataFrame(read_json(planted.folder / "forecasts/cells.json"))
    assert days["skill"].mean() == pytest.approx(cells["skill"].mean(), abs=0.05)
    assert days["R²"].mean() == pytest.approx(cells["r2"].mean(), abs=0.1)
    drifted = artefacts.DRIFT.read(planted).groupby("fold")["drifted"].mean()
    assert set(panels["Drift"]["columns"]) == set(drifted)
    latency = panels["Latency"]
    assert (latency["P50"] <= latency["P99"]).all()
    assert latency["P99"].iloc[-1] > 0
    assert (panels["Error rate"]["errors"] == 0).all()
    assert "99 of 100 answers took at most" in system_panels.sentence(panels)


def test_trials_are_the_same_from_a_notebook_that_knows_its_own_parameters_only(
    planted: Run,
) -> None:
    own = params.for_notebook("08_backtest", {"out": str(planted.folder)})
    net = backtest.net_by_day(planted, planted.params.pairs)
    found = [
        [trial.name for trial in backtest.trials(Run.open(planted.folder, given), net)]
        for given in (planted.params, own)
    ]
    assert found[0] == found[1]
    recorded = {trial.name for trial in known_trials.known(planted).trials}
    assert set(found[0]) <= recorded


def test_every_cell_is_a_trial_in_the_ledger(planted: Run) -> None:
    trials = known_trials.copy(planted.folder).read().trials
    cells = {(cell["pair"], cell["horizon"]) for cell in read_json(
        planted.folder / "forecasts/cells.json"
    )}  # fmt: skip
    assert {(trial.pair, trial.horizon) for trial in trials} == cells
    # A gain for each model and for what is traded, and the profit of that.
    traded = candidates.name_of(candidates.used(planted))
    names = {*SMALL.models, traded}
    assert count(trials) == len(names) * len(cells)
    made = Counter((trial.model, trial.measure) for trial in trials)
    assert made == {(name, "gain"): 10 for name in names} | {(traded, "net"): 10}
    errors = read_parquet(planted.folder / "forecasts/errors.parquet")
    saved = (errors["known_loss"] - errors["loss"]).groupby([errors["pair"], errors["horizon"]])
    earned = backtest.net_by_day(planted, planted.params.pairs)
    for trial in trials:
        if trial.model == traded:
            of = saved.sum() if trial.measure == "gain" else earned.sum()
            assert trial.values.sum() == pytest.approx(of[trial.pair, trial.horizon])


def test_nothing_is_found_where_there_is_nothing(null: Run) -> None:
    written = read_json(null.folder / "verdict.json")
    assert len(written["cells"]) == 2 * 5
    for cell in [*written["cells"], *written["horizons"]]:
        assert cell["skill_lo"] <= 0 <= cell["skill_hi"]
        assert cell["net_sharpe"] is None or cell["net_sharpe_lo"] <= 0
    assert not any(row["claimed"] for row in [*written["cells"], *written["horizons"]])
    assert not written["information"]["claimed"]
    assert written["information"]["smallest_skill"] > 0
    for row in written["horizons"]:
        assert row["t"] <= row["bound"]
        assert row["smallest_skill"] > written["information"]["smallest_skill_of_a_fold"]


def test_what_is_planted_is_claimed_and_the_lines_say_what_the_json_holds(planted: Run) -> None:
    written = read_json(planted.folder / "verdict.json")
    answer = written["information"]
    assert answer["claimed"]
    assert answer["t"] > answer["bound"]
    assert answer["skill_lo"] > answer["smallest_skill"]
    assert written["lines"] == list(lines.lines(written))
    assert written["lines"][0].startswith("Information: yes")
    folds = pd.DataFrame(written["folds"])
    assert answer["folds_claimed"] == folds["claimed"].sum() == len(folds)
    claims = pd.DataFrame(read_json(planted.folder / "forecasts/claims.json"))
    products = read_parquet(planted.folder / "forecasts/products.parquet")
    # A cell's t by its own days.
    row = claims[claims["level"] == "cell"].iloc[3]
    key = (int(row["fold"]), row["pair"], int(row["horizon"]))
    days = products.set_index(["fold", "pair", "horizon"]).loc[[key], "product"]
    assert row["t"] == pytest.approx(days.sum() / np.sqrt((days**2).sum()))


def test_every_cell_is_traded_beside_signals_without_a_model(planted: Run) -> None:
    result = backtest.build(planted.params)
    assert result.identity < 1e-12
    assert len(result.cells) == 2 * 5
    own = ["forecast", "every forecast", *benchmarks.NAMES, "forecast, entered at once"]
    assert sorted(result.beside("net_sharpe").index) == sorted(own)
    earned = result.comparators.pivot(index="horizon", columns="signal", values="gross_sharpe")
    assert (earned["forecast"] > 0).all()
    assert (earned["known part only"] < 0).all()
    by_day = backtest.net_by_day(planted, planted.params.pairs)
    assert by_day.shape == (result.cells["days"].max(), 10)
    stored = pd.DataFrame(read_json(planted.folder / "backtest/cells.json"))
    for _, cell in stored.iterrows():
        daily = by_day[cell["pair"], cell["horizon"]].to_numpy()
        assert performance.sharpe(daily) == pytest.approx(cell["net_sharpe"], rel=1e-9)
    mean = 1e4 * by_day.mean(axis=1).cumsum().iloc[-1]
    assert result.daily["net"].sum() == pytest.approx(mean, rel=1e-9)
    for _, part in result.conditions.groupby("condition"):
        assert part["turnover"].sum() == pytest.approx(1.0)
    sessions = result.conditions.loc["session"]
    assert sessions["net"].sum() == pytest.approx(result.daily["net"].mean(), rel=1e-9)
    alone, by_pair, by_currency = result.netting["cost"]
    parts = result.breakdown[["spread", "slippage", "commission"]].sum(axis=1)
    assert alone == pytest.approx(parts.mean(), rel=1e-9)
    assert alone >= by_pair >= by_currency > 0


def test_a_window_shorter_than_the_horizon_is_entered_late_and_shown_both_ways(
    planted: Run,
) -> None:
    compared = pd.DataFrame(read_json(planted.folder / "backtest/comparators.json"))
    horizons = compared.groupby("signal")["horizon"].apply(set)
    assert horizons["forecast, entered at once"] == {30, 45, 60, 75}
    turnover = compared.pivot(index="horizon", columns="signal", values="turnover")
    late, early = turnover["every forecast"], turnover["forecast, entered at once"]
    assert late.notna().all()
    assert early.notna().sum() == 4
    cells = pd.DataFrame(read_json(planted.folder / "backtest/cells.json"))
    for name in ("expected_move", "round_trip", "break_even_cost", "capacity"):
        assert (cells[name] > 0).all()
    # A planted signal that pays: trading every forecast would have paid more than nothing.
    assert set(read_json(planted.folder / "verdict.json")["tradable"]) >= {"cells", "tradable"}


def test_verdict_has_a_cell_for_every_pair_and_horizon_and_says_why_values_lack(null: Run) -> None:
    written = read_json(null.folder / "verdict.json")
    assert set(written["run"]) >= {"catalog_hash", "data_hash", "features", "seconds", "peak_mb"}
    for cell in written["cells"]:
        absent = {name for name, value in cell.items() if value is None}
        assert set(cell) == {*verdict.CELL, "why"}
        assert set(cell["why"]) == absent


def test_raw_r2_of_the_null_market_is_the_known_one(null: Run) -> None:
    for cell in read_json(null.folder / "verdict.json")["cells"]:
        assert cell["known_r2"] == pytest.approx(0.5, abs=0.05)
        assert cell["r2"] == pytest.approx(cell["known_r2"], abs=0.02)
        assert cell["martingale_direction"] == pytest.approx(0.75, abs=0.03)


def test_container_live_and_batch_agree_to_the_bit_for_what_is_approved(planted: Run) -> None:
    deployed = deployment.build(planted.params)
    approved = [row["pair"] for row in artefacts.REGISTERED.read(planted) if row["horizons"]]
    assert approved
    assert deployed.bundles.index.tolist() == approved
    assert set(deployed.bundles["status"]) == {"approved"}
    assert deployed.standing.startswith("Approved and deployed: ")
    assert set(deployed.parity["pair"]) == set(approved)
    assert (deployed.parity["difference"] == 0).all()
    assert len(deployed.latency) == deployment.ASKED
    assert deployed.canary["in the end"].str.contains("answers|rolled back at (?:10|50)").all()
    assert deployed.canary["errors"].iloc[0] == 0 < deployed.canary["errors"].iloc[1]
    rows = artefacts.DEPLOYED.read(planted)
    assert [(row["pair"], row["status"]) for row in rows] == [(p, "approved") for p in approved]


def test_every_pair_has_a_version_with_a_reasoned_status(planted: Run, null: Run) -> None:
    for run in (planted, null):
        rows = read_json(run.folder / "verdict.json")["registry"]
        assert [row["pair"] for row in rows] == ["eurusd", "gbpusd"]
        for row in rows:
            assert row["status"] == ("approved" if row["horizons"] else "rejected")
            assert bool(row["reasons"]) == (row["status"] == "rejected")
            store = beside(run.folder, run.params.market)
            (version,) = store.versions(row["pair"])
            assert (version.number, version.status) == (1, row["status"])
            assert version.facts["data_hash"] == run.manifest["data_hash"]
    assert {row["status"] for row in read_json(null.folder / "registry.json")} == {"rejected"}


def test_what_is_not_approved_is_deployed_for_its_page_alone_and_says_so(null: Run) -> None:
    asked = deployment.build(null.params.model_copy(update={"serve_pair": "gbpusd"}))
    assert "gbpusd version 1 is rejected, NOT approved" in asked.standing
    assert "asked for (serve_pair)" in asked.standing
    assert asked.bundles.index.tolist() == ["gbpusd"]
    assert (asked.parity["difference"] == 0).all()
    assert [row["status"] for row in artefacts.DEPLOYED.read(null)] == ["rejected"]


def test_a_registered_version_keeps_its_status(null: Run) -> None:
    assert registry.build(null.params).log["status"].tolist() == ["pending", "rejected"] * 2


@pytest.mark.parametrize("stage", [training, monitoring, models, explanation, backtest])
def test_a_notebook_that_is_given_another_split_refuses(null: Run, stage: ModuleType) -> None:
    before = null.outputs
    with pytest.raises(
        ParameterError, match=rf"{stage.NAME}: train_days is settled by 05_selection, got 5; exp"
    ):
        stage.build(null.params.model_copy(update={"train_days": 5}))
    assert null.outputs == before


def test_selections_are_paired_with_the_training_rows_that_they_were_made_on(
    null: Run, tmp_path: Path
) -> None:
    run = Run.open(tmp_path / "run", null.params)
    shutil.copytree(null.folder, run.folder, dirs_exist_ok=True)
    given = null.params.model_copy(update={"out": str(run.folder), "train_days": 16})
    selection.build(given)
    with pytest.raises(ArtefactError, match="stale, got one made from an earlier s"):
        run.need("candidates")
    with pytest.raises(ParameterError, match="train_days is settled by 05_selection, got 20; exp"):
        training.build(null.params.model_copy(update={"out": str(run.folder), "train_days": 20}))
    of_cell = params.for_notebook("09_monitoring", {"out": str(run.folder), "workers": 1})
    with pytest.raises(ArtefactError, match="forecasts: stale, got one made from an earlier s"):
        monitoring.build(of_cell)


def test_every_test_day_is_judged_however_few_rows_lie_before_the_first(
    null: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open(tmp_path / "run", null.params)
    shutil.copytree(null.folder, run.folder, dirs_exist_ok=True)
    monkeypatch.setattr(monitoring, "BEFORE", 1_000_000)
    monitoring.build(null.params.model_copy(update={"out": str(run.folder)}))
    days = [[day["day"] for day in artefacts.MONITORED.read(of)["days"]] for of in (run, null)]
    assert days[0] == days[1] != []


def test_promotion_is_decided_once_and_read_afterwards(
    planted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*rest: object) -> None:
        raise AssertionError("decided again")

    monkeypatch.setattr("bqx.evaluation.overfitting.promote_trial", fail)
    written = verdict.write(planted)
    decided = {(r["pair"], r["horizon"]): r for r in artefacts.PROMOTION.read(planted)}
    for cell in written["cells"]:
        row = decided[cell["pair"], cell["horizon"]]
        assert (cell["promoted"], cell["pbo"]) == (row["promoted"], row["pbo"])
        assert row["promoted"] == (not row["reasons"])
        assert all(not reason["passed"] for reason in row["reasons"])


def test_a_ledger_that_was_thinned_promotes_nothing_and_says_so(
    planted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "ledger"
    shutil.copytree(known_trials.place(), ledger)
    shutil.copytree(planted.folder, tmp_path / "run")
    monkeypatch.setenv(known_trials.PLACE, str(ledger))
    run = Run.open(
        tmp_path / "run", planted.params.model_copy(update={"out": str(tmp_path / "run")})
    )
    assert "counts at least" not in front_page.pages(run)["details"]
    assert verdict.write(run)["ledger"] == {"faults": []}
    lines = (ledger / LOG).read_text().splitlines(keepends=True)
    (ledger / LOG).write_text("".join(lines[:3] + lines[4:]))
    written = verdict.write(run)
    assert any("line 4: altered" in fault for fault in written["ledger"]["faults"])
    assert not any(cell["promoted"] for cell in written["cells"])
    pages = front_page.pages(run)
    assert "counts at least" in pages["details"]
    assert "The ledger of trials is not whole, so nothing is promoted" in pages["details"]
    assert "Nothing was claimed before this run" in pages["index"]
    decided = backtest.build(run.params).promotion
    assert not decided["promoted"].any()
    rules = [{reason["rule"] for reason in reasons} for reasons in decided["reasons"]]
    assert all(promotion.THINNED in of_cell for of_cell in rules)


def test_a_claim_stands_beside_the_verdict(planted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    known = known_trials.known(planted)
    span, hour = known_trials.span(planted), "2024-01-01T10:00:00+00:00"
    same = claims._hash(planted.params)
    claim = Claim(span, same, "skill", 15, 0.001, trials=4, run="run", time=hour)
    high, low = replace(claim, bound=0.9), replace(claim, bound=-0.9)
    claimed = replace(known, claims=[(claim, 0), (high, 7), (low, 0)])
    with monkeypatch.context() as patch:
        patch.setattr(known_trials, "known", lambda run: claimed)
        verdict.write(planted)
        page = front_page.pages(planted)["index"]
    verdict.write(planted)
    said = "Claimed on 2024-01-01 10:00 UTC: skill of at least"
    assert f"{said} 0.001 at 15 minutes" in page
    assert "-0.9 at 15 minutes" in page
    assert "after 4 trials on bars that overlap them. It is **kept**." in page
    assert "It is **broken**, but does not count: 7 of its trials had been" in page


def test_nothing_is_promoted_in_a_run_without_a_claim(null: Run) -> None:
    for row in artefacts.PROMOTION.read(null):
        assert not row["promoted"]
        assert row["reasons"][0]["rule"] == promotion.INFORMATION
        assert row["configurations"] == 1


def test_a_stage_without_its_inputs_names_the_notebook(tmp_path: Path) -> None:
    given = SMALL.model_copy(update={"out": str(tmp_path / "empty")})
    with pytest.raises(ArtefactError, match="01_bars"):
        features.build(given)


def test_bars_that_are_held_are_not_read_twice(null: Run, planted: Run) -> None:
    held = bars.load(null)
    assert bars.load(null) is held
    assert bars.load(planted) is not held
    assert Study.of_run(null.folder).bars is held.bars


def test_a_changed_artefact_is_refused(null: Run, tmp_path: Path) -> None:
    path = null.folder / "selection" / "eurusd.json"
    kept = path.read_bytes()
    try:
        path.write_bytes(kept.replace(b"0", b"1", 1))
        with pytest.raises(ArtefactError, match=r"selection/eurusd\.json"):
            training.build(null.params)
    finally:
        path.write_bytes(kept)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], int]:
    folder = tmp_path_factory.mktemp("published")
    small = {
        "market": "null", "pairs": "[eurusd]", "days": 42, "train_days": 14, "validation_days": 5,
        "test_days": 5, "step_days": 5, "selected": 20, "forest_trees": 10, "rounds": 20,
    }  # fmt: skip
    overrides = [f"{key}={value}" for key, value in small.items()]
    file = str(params.root() / "params" / "ci.yaml")
    return lambda: cli.main(["run", file, "--set", *overrides, "--out", str(folder)])


def test_run_publishes_a_book_that_needs_no_other_host(
    published: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert published() == 0
    index = Path(capsys.readouterr().out.split()[-1])
    assert foreign(index.parent) == []
    text = index.read_text(encoding="utf-8")
    assert "What this run found" in text
    assert "Information: none claimed" in text
    assert "Tradable: no, since no information is claimed" in text
    assert "Promoted: none of 5 cells, since nothing is tradable" in text
    if browser.CHROMIUM:
        _check_pages(index.parent)
    assert published() == 0
    assert capsys.readouterr().out.count("kept") == 14


READABLE = 4.5
"""Least contrast of a text, by the accessibility guidelines of the W3C, level AA."""


def _check_pages(book: Path) -> None:
    chapters = (book / "notebooks" / f"{name}.html" for name in ("08_backtest", "14_screening"))
    for page in (*(book / f"{name}.html" for name in ("index", "catalog", "details")), *chapters):
        for width in (1280, 390):
            said = browser.ask(page, width, "bqx slope")
            assert said["window"] == width
            assert said["width"] <= width, page.name
            assert said["faults"] == []
            assert said["silent"] == 0, (page.name, "images without an alternative text")
            assert all(name.startswith("file:") for name in said["fetched"])
        grounds = set()
        for theme in ("light", "dark"):
            said = browser.ask(page, 1280, theme=theme)
            grounds.add(said["theme"])
            assert said["faintest"][0] >= READABLE, (page.name, theme, said["faintest"])
        assert len(grounds) == 2, "no dark mode"
    shown, of = map(
        int, browser.ask(book / "catalog.html", 1280, "bqx slope")["shown"].split(" of ")
    )
    assert of == len(catalog.FEATURES)
    assert 0 < shown < 200


def test_a_run_screens_all_columns_and_counts_them(planted: Run, null: Run) -> None:
    found, nothing = screening.read(planted), screening.read(null)
    assert found.facts["columns"] == len(lagging.columns_of(planted))
    assert len(found.leading(10)) == 10
    assert found.named
    assert found.named[0].startswith(("rate_", "bqx_"))
    assert nothing.named == ()
    assert "none named" in nothing.sentence()
    assert list(found.decay(5)) == list(SMALL.horizons)
    assert list(found.by_pair(5)) == ["all pairs", "eurusd", "gbpusd"]
    assert (found.tests["fdr"].dropna() >= found.tests["p"].dropna()).all()
    (recorded,) = {s.name: s for s in known_trials.copy(planted.folder).read().screens}.values()
    assert np.isfinite(recorded.p).sum() == found.facts["tests"]
    # Looked at again, the same tests are no more than before.
    assert screening.build(planted.params).facts["earlier"] == found.facts["earlier"]


def test_a_tear_sheet_of_a_run_reads_its_own_bars(
    planted: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["feature", "rate_rsi_w14_lag60", str(planted.folder)]) == 0
    shown = capsys.readouterr().out
    assert "60 minutes earlier" in shown
    assert "of eurusd, gbpusd: training and validation rows" in shown


def test_a_domain_is_short_of_its_share_only_where_the_forest_saw_more(
    planted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns, chosen = selection.columns_of(planted), selection.build(planted.params)
    assert not selection.short_of_share(planted.params, chosen)
    rate = {column.name: column for column in columns if column.domain == "rate"}
    alone = {
        pair: tuple(
            replace(own, columns=tuple(name for name in own.columns if name in rate))
            for own in selections
        )
        for pair, selections in chosen.items()
    }
    short = selection.short_of_share(planted.params, alone)
    assert len(short) == sum(map(len, chosen.values()))
    assert short[0] == "eurusd, fold 0: bqx"
    monkeypatch.setattr(selection, "columns_of", lambda run: tuple(rate.values()))
    assert not selection.short_of_share(planted.params, alone)
    # What a cell to try leaves out need not be there.
    assert selection.without(planted.params, "bqx")["without bqx"].notna().any()


def test_cells_to_try_change_one_thing_and_store_nothing(planted: Run) -> None:
    before = planted.outputs
    trials = len(known_trials.copy(planted.folder).read().entries)
    without = selection.without(planted.params, "bqx")
    assert without["with"].notna().sum() == SMALL.selected
    assert not any(name.startswith("bqx_") for name in without["without bqx"].dropna().index)
    with pytest.raises(ParameterError, match="domain: cannot be left out, got 'none'"):
        selection.without(planted.params, "none")
    dearer = backtest.again(planted.params, spread_multiple=2.0)
    assert (dearer["trades, changed"] < dearer["trades"]).all()
    same = backtest.again(planted.params)
    pd.testing.assert_series_equal(
        same["net Sharpe"], same["net Sharpe, changed"], check_names=False
    )
    # What was stored does not depend on what the asker would have traded at.
    asked = planted.params.model_copy(update={"spread_multiple": 3.0})
    pd.testing.assert_frame_equal(backtest.again(asked), same)
    stored = pd.DataFrame(read_json(planted.folder / "verdict.json")["horizons"])
    np.testing.assert_allclose(same["net Sharpe"], stored["net_sharpe"])
    with pytest.raises(ParameterError, match="'spread' is no parameter of trading"):
        backtest.again(planted.params, spread=2.0)
    against = models.against(planted.params, "ridge")
    assert (against["ridge"] == 0.0).all()
    with pytest.raises(ParameterError, match="benchmark: not fitted in this run, got 'forest'"):
        models.against(planted.params, "forest")
    study = Study.of_run(planted.folder)
    assert study.params.selected == SMALL.selected
    assert study.published == str(planted.folder.resolve() / artefacts.FEATURES.path())
    alone = Study.of(study.bars).features("rate_rsi_w14")
    pd.testing.assert_frame_equal(study.features("rate_rsi_w14"), alone)
    one = study.only(study.pairs[1])
    assert one.pairs == study.pairs[1:2]
    with pytest.raises(ParameterError, match="pair: not in the study, got 'nzdchf'"):
        study.only("nzdchf")
    assert (
        study.fit("ridge", *selection.last_columns(planted.params)[:5]).score()["skill"].max() > 0
    )
    assert planted.outputs == before
    assert len(known_trials.copy(planted.folder).read().entries) == trials


def test_training_goes_verb_by_verb(null: Run) -> None:
    steps = training.Steps(null.params)
    fitted = steps.fit()
    assert list(fitted.index.get_level_values("model").unique()) == list(SMALL.models)
    assert (fitted["fits"] == len(SMALL.pairs)).all()
    assert steps.pooled().empty
    chosen = steps.choose()
    assert set(chosen["fold"]) == set(steps.used)
    kept = steps.shrink()
    assert kept.stack().between(0, 1).all()
    pd.testing.assert_frame_equal(steps.score().shrinkage, kept)
