"""Notebook 06: models per pair and fold, the one that is used, and what its forecasts add."""

from dataclasses import dataclass

import pandas as pd

from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.stages import candidates, scoring, selection
from bqx.stages import remarks as sentences
from bqx.stages.bars import load
from bqx.stages.fitting import Work, fit
from bqx.stages.lagging import columns_of
from bqx.stages.scoring import Scoring

NAME = "06_training"


@dataclass(frozen=True)
class Result:
    """What was fitted, and what it is worth.

    ``scored`` : see `scoring.Scoring`.
    ``shrinkage`` : mean share of the forecasts kept, pairs by horizons.
    ``used`` : model of each fold; ``steps`` : each model of a fold against the best of the simpler
        ones, on the validation rows.
    """

    scored: Scoring
    shrinkage: pd.DataFrame
    used: dict[int, str]
    steps: pd.DataFrame


def build(params: Params) -> Result:
    """Fit every model, choose one on each fold's validation rows, and score what it forecasts."""
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    dataset = load(run)
    inputs = (artefacts.BARS, artefacts.COLUMNS, artefacts.SPLIT, artefacts.SELECTION)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], artefacts.roots(*inputs)) as stage:
        folds, chosen = selection.fitted_folds(stage, dataset), selection.read(stage, dataset)
        screens = selection.screens(stage)
        fit(
            Work(
                stage,
                dataset,
                columns_of(stage),
                folds,
                selections=chosen,
                screens=screens,
                params=params,
            )
        )
        used = candidates.choose(stage, tuple(dataset.bars), params)
        for pair in dataset.bars:
            candidates.assemble(stage, pair, used)
        candidates.score(stage, dataset, params)
        scored = scoring.score(stage, dataset, folds, params)
        if candidates.name_of(used) == candidates.CHOSEN:
            # What one model forecast alone is a trial already.
            errors = scored.errors
            gain = errors.assign(gain=errors["known_loss"] - errors["loss"])
            candidates.record(run, gain, candidates.CHOSEN, params)
    shrinkage = _shrinkage(run, dataset.bars)
    return Result(scored, shrinkage, used, candidates.steps(run))


def remarks(result: Result, params: Params) -> list[str]:
    """What is to be said of skill and intervals on these bars, with what can be done."""
    return sentences.of_fits(result.scored.cells, result.scored.conditions, params.coverage)


def _shrinkage(run: Run, bars: dict[str, Bars]) -> pd.DataFrame:
    rows = {
        pair: pd.DataFrame(
            [fold["betas"] for fold in artefacts.EVIDENCE.read(run, pair=pair)]
        ).mean()
        for pair in bars
    }
    return pd.DataFrame(rows).T.rename_axis(index="pair", columns="horizon (min)")
