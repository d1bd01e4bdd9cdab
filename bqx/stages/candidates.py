"""Models of a run side by side, and which of them each fold uses.

A fold chooses on its own validation rows, over all pairs together; rows out of sample, on which the
forecasts are judged afterwards, take no part. The first and simplest model stays where no other
saves squared error beyond the noise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from bqx.evaluation import model_choice
from bqx.evaluation.model_choice import Step
from bqx.learning import bundle, losses
from bqx.market.bars import Bars
from bqx.parallel import over_pairs
from bqx.params import Params
from bqx.runs import artefacts, known_trials
from bqx.runs.artefacts import Source
from bqx.runs.run import Run, Stage
from bqx.runs.trials import Trial, cells
from bqx.stages.bars import Dataset

CHOSEN = "chosen"
"""Name of forecasts whose folds use different models."""


def choose(stage: Stage, pairs: Sequence[str], params: Params) -> dict[int, str]:
    """Model of each fold, stored with the steps that led to it."""
    used: dict[int, str] = {}
    steps: list[dict[str, Any]] = []
    for number, of_fold in _validation_losses(stage, pairs, params).groupby("fold"):
        fold = int(str(number))
        name, compared = _simplest(of_fold, params)
        used[fold] = name if params.model == CHOSEN else params.model
        steps += [{"fold": fold} | asdict(step) for step in compared]
    artefacts.CHOICE.write(stage, {"used": used, "steps": steps})
    return used


def validated(source: Source, pairs: Sequence[str], params: Params) -> pd.DataFrame:
    """Models before one is chosen: one row per model and fold, the number of its fits, and the
    skill of their own forecasts on validation rows, mean over pairs and horizons."""
    losses = _validation_losses(source, pairs, params)
    cells = losses.groupby(["model", "fold", "pair", "horizon"])[["loss", "known_loss"]].sum()
    skill = (1.0 - cells["loss"] / cells["known_loss"]).rename("validation_skill")
    by_fold = skill.groupby(["model", "fold"]).mean()
    fits = losses.groupby(["model", "fold"])["pair"].nunique().rename("fits")
    return pd.concat([fits, by_fold], axis=1).loc[list(params.models)]


def _validation_losses(source: Source, pairs: Sequence[str], params: Params) -> pd.DataFrame:
    return pd.concat(
        artefacts.FIT_VALIDATED.read(source, model=name, pair=pair).assign(model=name, pair=pair)
        for name in params.models
        for pair in pairs
    )


def _simplest(validated: pd.DataFrame, params: Params) -> tuple[str, tuple[Step, ...]]:
    """The simplest model within the noise of a fold's validation days, all cells alike."""
    cell = ["model", "pair", "horizon"]
    share = validated["loss"] / validated.groupby(cell)["known_loss"].transform("sum")
    daily = share.groupby([validated["model"], validated["day"]]).sum().unstack("day")
    first, *rest = params.models
    later = {name: daily.loc[name].to_numpy() for name in rest}
    return model_choice.honest(
        later,
        daily.loc[first].to_numpy(),
        len(rest),
        confidence=params.confidence,
        seed=params.seed,
        base=first,
    )


def used(source: Source) -> dict[int, str]:
    """Model of each fold."""
    by_fold = artefacts.CHOICE.read(source)["used"]
    return {int(fold): str(name) for fold, name in by_fold.items()}


def steps(source: Source) -> pd.DataFrame:
    """Each model of a fold against the best of the simpler ones: ``model_choice.Step``, fold."""
    rows = artefacts.CHOICE.read(source)["steps"]
    return pd.DataFrame(rows, columns=["fold", *Step.__annotations__])


def name_of(models: Mapping[int, str]) -> str:
    """Name of forecasts by the model of each fold: the one that all use, else `CHOSEN`."""
    names = set(models.values())
    return names.pop() if len(names) == 1 else CHOSEN


def assemble(stage: Stage, pair: str, models: Mapping[int, str]) -> None:
    """Write a pair's forecasts, evidence and served bundle by the model of each fold."""
    forecasts, evidence = {}, {}
    for name in set(models.values()):
        forecasts[name] = artefacts.FIT_FORECASTS.read(stage, model=name, pair=pair)
        rows = artefacts.FIT_EVIDENCE.read(stage, model=name, pair=pair)
        evidence[name] = {row["fold"]: row for row in rows}
    chosen = [forecasts[name][forecasts[name]["fold"] == fold] for fold, name in models.items()]
    artefacts.FORECASTS.write(stage, pd.concat(chosen, ignore_index=True), pair=pair)
    artefacts.EVIDENCE.write(
        stage, [evidence[name][fold] for fold, name in models.items()], pair=pair
    )
    last = max(models)
    served = bundle.load(artefacts.FIT.at(stage, model=models[last], pair=pair, fold=last))
    served.save(stage.path(artefacts.MODEL.path(pair=pair)))
    stage.add(artefacts.MODEL.path(pair=pair))


def score(stage: Stage, dataset: Dataset, params: Params) -> None:
    """Store squared errors by day of every model, and record each as a trial."""
    made: dict[str, dict[str, pd.DataFrame]] = {}
    tasks = {pair: (stage, bars, params) for pair, bars in dataset.bars.items()}
    over_pairs(_errors, tasks, params.workers, write=made.__setitem__, backend=params.backend)
    scored = pd.concat(
        [made[pair][name] for name in params.models for pair in dataset.bars], ignore_index=True
    )
    artefacts.FIT_ERRORS.write(stage, scored)
    for name, errors in scored.groupby("model"):
        gain = errors.assign(gain=errors["known_loss"] - errors["loss"])
        record(stage.run, gain, str(name), params)


def _errors(source: Source, bars: Bars, params: Params) -> dict[str, pd.DataFrame]:
    """Squared errors of a pair's forecasts by each model."""
    return {
        name: losses.out_of_sample(
            bars, artefacts.FIT_FORECASTS.read(source, model=name, pair=bars.pair), params
        ).assign(model=name)
        for name in params.models
    }


def record(run: Run, gain: pd.DataFrame, name: str, params: Params) -> None:
    """Record the gain of a model by day, pair and horizon in the ledger."""
    daily = gain.pivot(index="day", columns=["pair", "horizon"], values="gain")
    trials = cells(daily, "gain", params, name, known_trials.span(run))
    known_trials.record(run.folder, *searched(trials, params))


def searched(trials: Sequence[Trial], params: Params) -> list[Trial]:
    """Trials with how their settings were searched, where they were."""
    search = {"trials": params.trials, "tuned": params.tuned} if params.trials else {}
    return [replace(trial, parameters=trial.parameters | search) for trial in trials]
