"""Every model of a run fitted on the same folds, and which of them each fold uses.

A fold chooses on its own validation rows, over all pairs together; rows out of sample, on which the
forecasts are judged afterwards, take no part. The first and simplest model stays where no other
saves squared error beyond the noise.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import model_choice
from bqx.evaluation.model_choice import Step
from bqx.features import catalog
from bqx.learning import bundle, losses, training, tuning
from bqx.learning.fold_fit import FoldFit
from bqx.learning.folds import Fold
from bqx.learning.selection import Selection
from bqx.learning.training import PairResult
from bqx.learning.tuning import Settings, Tried
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.runs import fit_log, ledger
from bqx.runs.run import Run, Stage, read_json, read_parquet, write_json, write_parquet
from bqx.stages.bars import Dataset
from bqx.stages.features import histories
from bqx.stages.lagging import columns

FOLDER = "candidates"
CHOICE = f"{FOLDER}/choice.json"
ERRORS = f"{FOLDER}/errors.parquet"
ASKED = 20
"""Forecasts of a row that a model's latency is the median of."""
CHOSEN = "chosen"
"""Name of forecasts whose folds use different models."""


def fit(
    run: Run,
    stage: Stage,
    dataset: Dataset,
    folds: Sequence[Fold],
    chosen: Mapping[str, Sequence[Selection]],
    params: Params,
) -> None:
    """Fit every model, and store its folds' bundles, evidence, validation and forecasts.

    Pairs that an interrupted attempt has finished are kept.
    """
    for name in params.models:
        places = {pair: place(name, pair) for pair in dataset.bars}
        done = {pair for pair, relative in places.items() if stage.done(relative)}
        settings: dict[str, Sequence[Settings]] = {}
        if params.trials:
            # A search that is finished gives its answer at once, from its own journal.
            settings = _tune(run, dataset, folds, chosen, params, name)
            stage.write_json(f"{FOLDER}/{name.replace('/', '_')}/settings.json", settings)

        def write(
            pair: str,
            result: PairResult,
            name: str = name,
            places: dict[str, str] = places,
        ) -> None:
            folder = stage.path(places[pair])
            _write(folder, dataset.bars[pair], result, params)
            for each in result.fits:
                _track(run, pair, name, each)
            # Recorded at once, so that a folder that lacks a file never counts as finished.
            stage.add(places[pair])

        training.fit_all(
            histories(run, dataset.bars), columns(params), folds, selections=chosen,
            params=params, write=write, done=done, name=name, settings=settings,
        )  # fmt: skip


def place(name: str, pair: str) -> str:
    """Folder of a model's fits of a pair, relative to the run's."""
    return f"{FOLDER}/{name.replace('/', '_')}/{pair}"


def _write(folder: Path, bars: Bars, result: PairResult, params: Params) -> None:
    for each in result.fits:
        bundle.bundle(bars, each, params, {}).save(folder / str(each.number))
    evidence = [asdict(each.evidence) | {"fold": each.number} for each in result.fits]
    validated = pd.concat([each.validated.assign(fold=each.number) for each in result.fits])
    write_json(folder / "evidence.json", evidence)
    write_parquet(folder / "validated.parquet", validated.reset_index(drop=True))
    write_parquet(folder / "forecasts.parquet", result.forecasts)


def _track(run: Run, pair: str, name: str, fit: FoldFit) -> None:
    """Add a fit to the run's `tracking`."""
    row = np.zeros((1, len(fit.columns)), np.float32)
    spent = []
    for _ in range(ASKED):
        start = time.perf_counter()
        fit.model.predict(row)
        spent.append(time.perf_counter() - start)
    errors = fit.validated[["loss", "known_loss"]].sum()
    fit_log.record(
        run.folder,
        {
            "model": name,
            "pair": pair,
            "fold": fit.number,
            "settings": fit.model.settings(),
            "data_hash": run.manifest["data_hash"],
            "catalog_hash": catalog.catalog_hash(catalog.FEATURES.values()),
            "columns": len(fit.columns),
            "rows": fit.rows,
            "trained_until": fit.trained_until.isoformat(),
            "t": fit.evidence.t,
            "validation_skill": 1.0 - float(errors["loss"] / errors["known_loss"]),
            "kept": {str(h): beta for h, beta in fit.evidence.betas.items()},
            "seconds": fit.seconds,
            "peak_mb": fit.peak_mb,
            "kb": sum(map(len, fit.model.parts().values())) / 1024,
            "milliseconds": float(np.median(spent)) * 1e3,
        },
    )


def _tune(
    run: Run,
    dataset: Dataset,
    folds: Sequence[Fold],
    chosen: Mapping[str, Sequence[Selection]],
    params: Params,
    name: str,
) -> dict[str, Sequence[Settings]]:
    searched = [pair for pair in tuning.PRIORITY if pair in dataset.bars]
    if params.tuned == "each" or not searched:
        searched = list(dataset.bars)
    found, known = {}, histories(run, dataset.bars)
    for pair in searched:
        day = sessions.trading_days(dataset.minutes)

        def heard(fold: int, trial: Tried, pair: str = pair, day: NDArray[Any] = day) -> None:
            cells = pd.MultiIndex.from_product([[pair], params.horizons])
            gain = pd.DataFrame(trial.gains, day[trial.rows], cells).groupby(level=0).sum()
            made = ledger.cells(gain, "gain", params, name, run.manifest["data_hash"])
            own = {"fold": fold, "settings": trial.settings, "pruned": trial.pruned}
            ledger.beside(run.folder).record(
                *(replace(cell, parameters=cell.parameters | own) for cell in made)
            )

        found[pair] = tuning.tune_pair(
            known[pair], columns(params), folds, selections=chosen[pair], params=params, name=name,
            storage=run.folder / ".tuning" / f"{pair}.log", record=heard,
        )  # fmt: skip
    common = tuning.shared(found)
    return {pair: found.get(pair, common) for pair in dataset.bars}


def choose(run: Run, stage: Stage, pairs: Sequence[str], params: Params) -> dict[int, str]:
    """Model of each fold, stored with the steps that led to it."""
    validated = pd.concat(
        read_parquet(run.folder / place(name, pair) / "validated.parquet").assign(
            model=name, pair=pair
        )
        for name in params.models
        for pair in pairs
    )
    used: dict[int, str] = {}
    steps: list[dict[str, Any]] = []
    for number, part in validated.groupby("fold"):
        fold = int(str(number))
        name, compared = _simplest(part, params)
        used[fold] = name if params.model == CHOSEN else params.model
        steps += [{"fold": fold} | asdict(step) for step in compared]
    stage.write_json(CHOICE, {"used": used, "steps": steps})
    return used


def _simplest(validated: pd.DataFrame, params: Params) -> tuple[str, tuple[Step, ...]]:
    """The simplest model within the noise of a fold's validation days, all cells alike."""
    cell = ["model", "pair", "horizon"]
    share = validated["loss"] / validated.groupby(cell)["known_loss"].transform("sum")
    daily = share.groupby([validated["model"], validated["day"]]).sum().unstack("day")
    first, *rest = params.models
    later = {name: daily.loc[name].to_numpy() for name in rest}
    return model_choice.honest(
        later, daily.loc[first].to_numpy(), len(rest),
        confidence=params.confidence, seed=params.seed, base=first,
    )  # fmt: skip


def used(run: Run) -> dict[int, str]:
    """Model of each fold."""
    held = read_json(run.need(CHOICE))["used"]
    return {int(fold): str(name) for fold, name in held.items()}


def steps(run: Run) -> pd.DataFrame:
    """Each model of a fold against the best of the simpler ones: ``choice.Step`` and the fold."""
    held = read_json(run.need(CHOICE))["steps"]
    return pd.DataFrame(held, columns=["fold", *Step.__annotations__])


def name_of(models: Mapping[int, str]) -> str:
    """Name of forecasts by the model of each fold: the one that all use, else `CHOSEN`."""
    names = set(models.values())
    return names.pop() if len(names) == 1 else CHOSEN


def forecasts(run: Run, name: str, pair: str) -> pd.DataFrame:
    """Forecasts of a model out of sample, see ``training.PairResult``."""
    return read_parquet(run.folder / place(name, pair) / "forecasts.parquet")


def assemble(run: Run, stage: Stage, pair: str, models: Mapping[int, str]) -> None:
    """Write a pair's forecasts, evidence and served bundle by the model of each fold."""
    made = {name: forecasts(run, name, pair) for name in set(models.values())}
    evidence = {
        name: {each["fold"]: each for each in read_json(
            run.folder / place(name, pair) / "evidence.json"
        )}
        for name in made
    }  # fmt: skip
    parts = [made[name][made[name]["fold"] == fold] for fold, name in models.items()]
    stage.write_parquet(f"forecasts/{pair}.parquet", pd.concat(parts, ignore_index=True))
    stage.write_json(
        f"forecasts/{pair}.json", [evidence[name][fold] for fold, name in models.items()]
    )
    last = max(models)
    served = bundle.load(run.folder / place(models[last], pair) / str(last))
    served.save(stage.path(f"models/{pair}"))
    stage.add(f"models/{pair}")


def score(run: Run, stage: Stage, dataset: Dataset, params: Params) -> None:
    """Store squared errors by day of every model, and record each as a trial."""
    scored = pd.concat(
        [
            losses.out_of_sample(bars, forecasts(run, name, pair), params).assign(model=name)
            for name in params.models
            for pair, bars in dataset.bars.items()
        ],
        ignore_index=True,
    )
    stage.write_parquet(ERRORS, scored)
    for name, part in scored.groupby("model"):
        gain = part.assign(gain=part["known_loss"] - part["loss"])
        record(run, gain, str(name), params)


def record(run: Run, gain: pd.DataFrame, name: str, params: Params) -> None:
    """Record the gain of a model by day, pair and horizon in the ledger."""
    daily = gain.pivot(index="day", columns=["pair", "horizon"], values="gain")
    trials = ledger.cells(daily, "gain", params, name, run.manifest["data_hash"])
    ledger.beside(run.folder).record(*searched(trials, params))


def searched(trials: Sequence[ledger.Trial], params: Params) -> list[ledger.Trial]:
    """Trials with how their settings were searched, where they were."""
    own = {"trials": params.trials, "tuned": params.tuned} if params.trials else {}
    return [replace(trial, parameters=trial.parameters | own) for trial in trials]
