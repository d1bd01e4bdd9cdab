"""What the documents' longest list adds to the shortest start of it, on real minutes of majors."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated import DATA

from bqx import params
from bqx.evaluation import skill
from bqx.learning import samples
from bqx.market.bars import Bars
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.stages import bars, features, lagging, selection, training

pytestmark = pytest.mark.studies

M1 = DATA / "m1"
FILE = Path(__file__).parents[2] / "params" / "v3.yaml"
UNTIL = pd.Timestamp("2018-04-01", tz="UTC")
"""Thirteen weeks of bars, so that both profiles fit into an hour."""
CHANGES = (
    *("scheme=rolling", "train_days=30", "validation_days=8", "test_days=11", "step_days=11"),
    *("stride=40", "models=[pooled_ridge, forest, xgboost]"),
    "settings={forest: {n_estimators: 100, max_depth: 10}}",
)
"""Two folds on which both profiles are judged; boosting as shallow as the run's default."""
PROFILES = ("core", "v3")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    if not M1.exists():
        pytest.skip(f"no real bars in {M1}")
    folder = Path(os.environ.get("BQX_STUDY", tmp_path_factory.mktemp("profiles")))
    cut = folder / "bars"
    cut.mkdir(exist_ok=True)
    for path in M1.glob("*.parquet"):
        frame = pd.read_parquet(path)
        frame[frame["ts_utc"] < UNTIL].to_parquet(cut / path.name)
    done = {}
    for profile in PROFILES:
        own = (f"bars={cut}", f"profile={profile}", f"out={folder / profile}")
        given = params.load(FILE, (*own, *CHANGES))
        for stage in (bars, features, lagging, selection, training):
            stage.build(given)
        done[profile] = Run.open(given.folder, given)
    return done


def raw_skill(run: Run, name: str, dataset: dict[str, Bars]) -> float:
    """Skill of errors in units of BQX, every cell alike."""
    shares = []
    for pair, own in dataset.items():
        forecasts = artefacts.FIT_FORECASTS.read(run, model=name, pair=pair)
        targets = samples.targets_of(own, run.params)
        for horizon, part in forecasts.groupby("horizon"):
            target = targets[int(str(horizon))]
            rows = own.ts.get_indexer(pd.DatetimeIndex(part["ts_utc"]))
            label, sigma = target.label("innovation")[rows], target.sigma[rows]
            off = ((label - part["forecast"].to_numpy()) * sigma) ** 2
            complete = np.isfinite(off)
            shares.append((off[complete].sum(), ((label * sigma) ** 2)[complete].sum()))
    own_losses, known = np.array(shares).T
    return 1.0 - float((own_losses / known).mean())


def daily(run: Run) -> pd.DataFrame:
    """Squared errors by model and day, every cell alike, and those of the martingale forecast."""
    errors = artefacts.FIT_ERRORS.read(run)
    whole = errors.groupby(["model", "pair", "horizon"])["known_loss"].transform("sum")
    share = errors[["loss", "raw_loss", "known_loss"]].div(whole, axis=0)
    return share.groupby([errors["model"], errors["day"]]).sum()


def described(run: Run) -> dict[str, Any]:
    dataset = bars.load(run).bars
    losses, given = daily(run), run.params
    models = []
    for name in given.models:
        own = losses.loc[name]
        gain = skill.interval(
            own["loss"].to_numpy(), own["known_loss"].to_numpy(), given.confidence, given.seed
        )
        own_row = {"model": name, "raw": raw_skill(run, name, dataset)}
        own_row["unshrunk"] = 1.0 - float(own["raw_loss"].sum() / own["known_loss"].sum())
        models.append(own_row | gain.row("skill"))
    chosen = selection.read(run, bars.load(run))
    domain = {c.name: c.domain for c in lagging.columns_of(run)}
    counts = [
        pd.Series([domain[c] for c in one.columns]).value_counts()
        for own in chosen.values()
        for one in own
    ]
    stability = pd.DataFrame(artefacts.STABILITY.read(run))
    stages = {name: entry for name, entry in run.stages.items() if name != bars.NAME}
    return {
        "columns": len(domain),
        "models": models,
        "share": float(np.mean([one.share for own in chosen.values() for one in own])),
        "needed": float(np.mean([one.needed for own in chosen.values() for one in own])),
        "domains": pd.DataFrame(counts).fillna(0).mean().to_dict(),
        # A single fold has no neighbour.
        "jaccard": float(stability["jaccard"].mean()) if len(stability) else None,
        "kuncheva": float(stability["kuncheva"].mean()) if len(stability) else None,
        "minutes": {name: entry["seconds"] / 60 for name, entry in stages.items()},
        "mb": max(entry["peak_mb"] for entry in stages.values()),
    }


@pytest.fixture(scope="module")
def compared(runs: dict[str, Run], studied: dict[str, Any]) -> dict[str, Any]:
    core, v3 = (daily(runs[profile]) for profile in PROFILES)
    given = runs["v3"].params
    differences = []
    for name in given.models:
        gain = skill.interval(
            v3.loc[name]["loss"].to_numpy(),
            core.loc[name]["loss"].to_numpy(),
            given.confidence,
            given.seed,
        )
        own = skill.interval(
            v3.loc[name]["raw_loss"].to_numpy(),
            core.loc[name]["raw_loss"].to_numpy(),
            given.confidence,
            given.seed,
        )
        differences.append({"model": name, **gain.row("gain"), **own.row("unshrunk")})
    dataset = bars.load(runs["v3"])
    studied["profiles"] = {
        "bars": bars.summary(dataset),
        "pairs": list(dataset.bars),
        "folds": len(selection.split_of(runs["v3"], dataset).folds),
        "selected": given.selected,
        "differences": differences,
        **{profile: described(runs[profile]) for profile in PROFILES},
    }
    return dict(studied["profiles"])


def test_both_profiles_are_judged_on_the_same_rows(
    runs: dict[str, Run], compared: dict[str, Any]
) -> None:
    rows = [
        [artefacts.FIT_FORECASTS.read(run, model=name, pair=pair)["ts_utc"] for pair in pairs]
        for run in runs.values()
        for name, pairs in (("xgboost", compared["pairs"]),)
    ]
    for ours, theirs in zip(*rows, strict=True):
        assert ours.equals(theirs)


def test_no_forecast_costs_more_than_noise_would(compared: dict[str, Any]) -> None:
    for profile in PROFILES:
        assert all(row["skill"] > -0.005 for row in compared[profile]["models"])
