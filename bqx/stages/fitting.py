"""Every model of a run fitted on the same folds, with what the fits cost."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from bqx.features import catalog
from bqx.features.lags import Column
from bqx.learning import bundle, training, tuning
from bqx.learning.fold_fit import FoldFit
from bqx.learning.folds import Fold
from bqx.learning.screening import Screen
from bqx.learning.selection import Selection
from bqx.learning.training import PairResult
from bqx.learning.tuning import Settings, Tried
from bqx.market import sessions
from bqx.params import Params
from bqx.runs import artefacts, fit_log, known_trials
from bqx.runs.run import Run, Stage
from bqx.runs.trials import cells
from bqx.stages.bars import Dataset
from bqx.stages.features import histories

ASKED = 20
"""Forecasts of a row that a model's latency is the median of."""


@dataclass(frozen=True)
class Work:
    """What every model of a run is fitted on.

    ``folds`` : with what all pairs have learnt together; ``selections`` : columns by pair and fold;
    ``screens`` : columns of pooled models by fold; ``params`` : as settled.
    """

    stage: Stage
    dataset: Dataset
    columns: tuple[Column, ...]
    folds: tuple[Fold, ...]
    selections: Mapping[str, Sequence[Selection]]
    screens: Sequence[Screen]
    params: Params

    @property
    def run(self) -> Run:
        """The run that the stage works in."""
        return self.stage.run


def fit(work: Work) -> None:
    """Fit every model, and store its folds' bundles, evidence, validation and forecasts.

    Models that an interrupted attempt has finished are kept; the pairs of a model belong together.
    """
    params, stage = work.params, work.stage
    histories_by_pair = histories(work.run, work.dataset.bars)
    for name in params.models:
        if all(
            stage.done(artefacts.FITS.path(model=name, pair=pair)) for pair in histories_by_pair
        ):
            continue
        settings: dict[str, Sequence[Settings]] = {}
        if params.trials:
            # A search that is finished gives its answer at once, from its own journal.
            settings = _tune(work, name)
            artefacts.FIT_SETTINGS.write(stage, settings, model=name)

        def write(pair: str, result: PairResult, name: str = name) -> None:
            _write(work, name, result)
            for fold_fit in result.fits:
                _track(work.run, pair, name, fold_fit)

        training.fit_all(
            histories_by_pair,
            work.columns,
            work.folds,
            selections=work.selections,
            screens=work.screens,
            params=params,
            write=write,
            name=name,
            settings=settings,
        )


def _write(work: Work, name: str, result: PairResult) -> None:
    names = {"model": name, "pair": result.pair}
    folder = work.stage.path(artefacts.FITS.path(**names))
    bars = work.dataset.bars[result.pair]
    for fold_fit in result.fits:
        bundle.bundle(bars, fold_fit, work.params, {}).save(folder / str(fold_fit.number))
    evidence = [asdict(fold_fit.evidence) | {"fold": fold_fit.number} for fold_fit in result.fits]
    validated = pd.concat(
        [fold_fit.validated.assign(fold=fold_fit.number) for fold_fit in result.fits]
    )
    # A folder that lacks a file must never count as finished.
    with work.stage.at_once():
        artefacts.FIT_EVIDENCE.write(work.stage, evidence, **names)
        artefacts.FIT_VALIDATED.write(work.stage, validated.reset_index(drop=True), **names)
        artefacts.FIT_FORECASTS.write(work.stage, result.forecasts, **names)
        work.stage.add(artefacts.FITS.path(**names))


def _track(run: Run, pair: str, name: str, fold_fit: FoldFit) -> None:
    """Add a fit to the run's `fit_log`."""
    row = np.zeros((1, len(fold_fit.columns)), np.float32)
    spent = []
    for _ in range(ASKED):
        start = time.perf_counter()
        fold_fit.model.predict(row)
        spent.append(time.perf_counter() - start)
    errors = fold_fit.validated[["loss", "known_loss"]].sum()
    fit_log.record(
        run.folder,
        {
            "model": name,
            "pair": pair,
            "fold": fold_fit.number,
            "settings": fold_fit.model.settings(),
            "data_hash": run.manifest["data_hash"],
            "catalog_hash": catalog.catalog_hash(catalog.FEATURES.values()),
            "columns": len(fold_fit.columns),
            "rows": fold_fit.rows,
            "trained_until": fold_fit.trained_until.isoformat(),
            "t": fold_fit.evidence.t,
            "validation_skill": 1.0 - float(errors["loss"] / errors["known_loss"]),
            "kept": {str(h): beta for h, beta in fold_fit.evidence.betas.items()},
            "aside": fold_fit.model.aside,
            "seconds": fold_fit.seconds,
            "peak_mb": fold_fit.peak_mb,
            "kb": sum(map(len, fold_fit.model.parts().values())) / 1024,
            "milliseconds": float(np.median(spent)) * 1e3,
        },
    )


def _tune(work: Work, name: str) -> dict[str, Sequence[Settings]]:
    """Settings of a model by pair and fold."""
    params, bars = work.params, work.dataset.bars
    searched = [pair for pair in tuning.PRIORITY if pair in bars]
    if params.tuned == "each" or not searched:
        searched = list(bars)
    settings, histories_by_pair = {}, histories(work.run, bars)
    for pair in searched:
        settings[pair] = tuning.tune_pair(
            histories_by_pair[pair],
            work.columns,
            work.folds,
            selections=work.selections[pair],
            params=params,
            name=name,
            storage=work.run.folder / ".tuning" / f"{pair}.log",
            record=_recorder(work, name, pair),
        )
    common = tuning.shared(settings)
    return {pair: settings.get(pair, common) for pair in bars}


def _recorder(work: Work, name: str, pair: str) -> Callable[[int, Tried], None]:
    """What records each trial of a search on a pair in the ledger."""
    day, span = sessions.trading_days(work.dataset.minutes), known_trials.span(work.run)

    def record_trial(fold: int, trial: Tried) -> None:
        columns = pd.MultiIndex.from_product([[pair], work.params.horizons])
        gain = pd.DataFrame(trial.gains, day[trial.rows], columns).groupby(level=0).sum()
        trials = cells(gain, "gain", work.params, name, span)
        search = {"fold": fold, "settings": trial.settings, "pruned": trial.pruned}
        known_trials.record(
            work.run.folder,
            *(replace(cell, parameters=cell.parameters | search) for cell in trials),
        )
        score = {"model": name, "pair": pair, "score": trial.score}
        fit_log.record_trial(work.run.folder, score | search)

    return record_trial
