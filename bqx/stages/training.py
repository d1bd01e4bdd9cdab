"""Notebook 06: models per pair and fold, the one that is used, and what its forecasts add."""

from contextlib import ExitStack
from dataclasses import dataclass

import pandas as pd

from bqx.learning.models import model_class
from bqx.learning.screening import Screen
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.params.own_files import own_files
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
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


class Steps:
    """The notebook's work verb by verb: `fit`, `choose`, `shrink` and `score`, in this order.

    What was done counts when `score` is through, and an attempt that ends before goes on from the
    models that it has finished.
    """

    def __init__(self, params: Params) -> None:
        run = Run.open(params.folder, params)
        self.params = settled(run, NAME)
        self.dataset = load(run)
        inputs = (artefacts.BARS, artefacts.COLUMNS, artefacts.SPLIT, artefacts.SELECTION)
        files = (*artefacts.roots(*inputs), *own_files(self.params, ("models",)))
        self._open = ExitStack()
        self._stage = self._open.enter_context(run.stage(NAME, NOTEBOOK_KEYS[NAME], files))
        self._folds = selection.fitted_folds(self._stage, self.dataset)
        self._pooled: tuple[Screen, ...] = ()
        self.used: dict[int, str] = {}

    def fit(self) -> pd.DataFrame:
        """Fit every model on the training rows of every pair and fold.

        Returns one row per model and fold: the fits, and the skill of their own forecasts on the
        validation rows.
        """
        if any(model_class(name).POOLED for name in self.params.models):
            self._pooled = selection.screens(self._stage)
        fit(
            Work(
                self._stage,
                self.dataset,
                columns_of(self._stage),
                self._folds,
                selections=selection.read(self._stage, self.dataset),
                screens=self._pooled,
                params=self.params,
            )
        )
        return candidates.validated(self._stage, tuple(self.dataset.bars), self.params)

    def pooled(self) -> pd.DataFrame:
        """Columns that pooled models read: one row per column, its strength by fold, strongest
        first; empty where no model of the run is pooled.

        The strength is the mean square of its t over the horizons, about 1 by chance; NaN in a
        fold that does not read it.
        """
        by_fold = {
            f"fold {fold}": pd.Series(screen.strength, screen.columns)
            for fold, screen in enumerate(self._pooled)
        }
        table = pd.DataFrame(by_fold).rename_axis("column")
        return table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]

    def choose(self) -> pd.DataFrame:
        """Choose the model of each fold on its validation rows; returns how, see `Step`."""
        self.used = candidates.choose(self._stage, tuple(self.dataset.bars), self.params)
        return candidates.steps(self._stage)

    def shrink(self) -> pd.DataFrame:
        """Keep of each fold's forecasts what the validation rows of all pairs support.

        Returns the mean share that is kept, pairs by horizons.
        """
        for pair in self.dataset.bars:
            candidates.assemble(self._stage, pair, self.used)
        return _shrinkage(self._stage, self.dataset.bars)

    def score(self) -> Result:
        """Score what was kept on the rows out of sample, count the trials, and end the stage."""
        stage, params = self._stage, self.params
        candidates.score(stage, self.dataset, params)
        scored = scoring.score(stage, self.dataset, self._folds, params)
        if candidates.name_of(self.used) == candidates.CHOSEN:
            # What one model forecast alone is a trial already.
            errors = scored.errors
            gain = errors.assign(gain=errors["known_loss"] - errors["loss"])
            candidates.record(stage.run, gain, candidates.CHOSEN, params)
        self._open.close()
        shrinkage = _shrinkage(stage.run, self.dataset.bars)
        return Result(scored, shrinkage, self.used, candidates.steps(stage.run))


def build(params: Params) -> Result:
    """Fit every model, choose one on each fold's validation rows, and score what it forecasts."""
    steps = Steps(params)
    steps.fit()
    steps.choose()
    steps.shrink()
    return steps.score()


def remarks(result: Result, params: Params) -> list[str]:
    """What is to be said of skill and intervals on these bars, with what can be done."""
    return sentences.of_fits(result.scored.cells, result.scored.conditions, params.coverage)


def _shrinkage(source: Source, bars: dict[str, Bars]) -> pd.DataFrame:
    rows = {
        pair: pd.DataFrame(
            [fold["betas"] for fold in artefacts.EVIDENCE.read(source, pair=pair)]
        ).mean()
        for pair in bars
    }
    return pd.DataFrame(rows).T.rename_axis(index="pair", columns="horizon (min)")
