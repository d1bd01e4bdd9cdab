"""Notebook 11: models compared out of sample, on the same folds, rows and columns."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ParameterError
from bqx.evaluation import model_choice, skill
from bqx.evaluation.model_choice import Step
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts, fit_log, known_trials
from bqx.runs.run import Run
from bqx.runs.settled import settled
from bqx.runs.trials import Trial, count
from bqx.stages import candidates
from bqx.stages.bars import load

NAME = "11_models"


@dataclass(frozen=True)
class Comparison:
    """Models side by side.

    ``models`` : one row per model, the simpler first: skill over all cells with its interval, skill
        before shrinkage, R² of the target, seconds of all fits, kB of a pair's model, milliseconds
        of a forecast; ``cells`` : skill, pairs and horizons by model.
    ``steps`` : each model against the best of the simpler ones; ``honest`` : the simplest within
        the noise; ``documented`` : the documents' choice, None where they have no rule.
    ``trials`` : configurations of all cells tried on these bars; ``used`` : model of each fold,
        as chosen on its validation rows.
    """

    models: pd.DataFrame
    cells: pd.DataFrame
    steps: pd.DataFrame
    honest: str
    documented: str | None
    trials: int
    used: dict[int, str]

    def table(self) -> pd.DataFrame:
        """Models by what they add and cost, as text."""
        table, skill = self.models, "{:+.1f} [{:+.1f}, {:+.1f}]"
        ends = zip(*(1e4 * table[name] for name in ("skill", "skill_lo", "skill_hi")), strict=True)
        return pd.DataFrame(
            {
                "skill (bp) [interval]": [skill.format(*map(float, row)) for row in ends],
                "unshrunk (bp)": (1e4 * table["unshrunk_skill"]).map("{:+.1f}".format),
                "R²": table["r2"].map("{:.3f}".format),
                "seconds": table["seconds"].map("{:.1f}".format),
                "kB": table["kb"].map("{:,.0f}".format),
                "ms a row": table["milliseconds"].map("{:.3f}".format),
            },
            index=table.index,
        )


def build(params: Params) -> Comparison:
    """Compare what every model forecast out of sample, and store the comparison."""
    run = Run.open(params.folder, params)
    params = settled(run, NAME)
    pairs = tuple(load(run).bars)
    inputs = artefacts.roots(artefacts.BARS, artefacts.SPLIT, artefacts.FITS)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], inputs) as stage:
        scored = artefacts.FIT_ERRORS.read(stage)
        forecasts = {
            name: {p: artefacts.FIT_FORECASTS.read(stage, model=name, pair=p) for p in pairs}
            for name in params.models
        }
        compared = _compare(scored, _alike(forecasts), params, _trials(run), candidates.used(stage))
        artefacts.COMPARED.write(stage, _chosen(compared))
    cost = _cost(fit_log.fits(run.folder), params.models)
    return replace(compared, models=compared.models.join(cost))


def against(params: Params, benchmark: str) -> pd.DataFrame:
    """Skill of every model over another one of the run instead of the martingale, pairs by model.

    Raises ParameterError for a model that the run has not fitted.
    """
    run = Run.open(params.folder, params)
    names = settled(run).models
    if benchmark not in names:
        raise ParameterError(
            f"benchmark: not fitted in this run, got {benchmark!r}; expected one of "
            f"{', '.join(names)}. Name it under models and run 06_training again."
        )
    scored = artefacts.FIT_ERRORS.read(run).groupby(["model", "pair", "horizon"])["loss"].sum()
    skill = 1.0 - scored.div(scored.xs(benchmark, level="model"))
    return skill.groupby(["pair", "model"]).mean().unstack("model")[list(names)]


def searched(params: Params) -> pd.DataFrame:
    """Trials of the search by model, pair and fold: how many, how many were given up, and the best
    and the median share of the labels' power that their forecasts of inner parts explain."""
    trials = fit_log.trials(params.folder)
    return trials.groupby(["model", "pair", "fold"]).agg(
        trials=("score", "size"),
        pruned=("pruned", "sum"),
        best=("score", "max"),
        median=("score", "median"),
    )


def aside(params: Params) -> pd.DataFrame:
    """Scores of what models learn beside the forecast, on validation rows: mean over pairs and
    folds, one row per model and score; empty where none does."""
    fits = fit_log.fits(params.folder)
    scores = pd.DataFrame(list(fits["aside"]), index=fits["model"]) if "aside" in fits else fits[:0]
    mean = scores.groupby(level="model").mean().stack()
    return mean.rename_axis(["model", "score"]).rename("mean over pairs and folds").to_frame()


def _trials(run: Run) -> int:
    """Configurations tried on these bars: those of the cell with most, as all cells are judged
    together."""
    by_cell: dict[tuple[str, int], list[Trial]] = {}
    for trial in known_trials.known(run).trials:
        by_cell.setdefault((trial.pair, trial.horizon), []).append(trial)
    return max(count(trials) for trials in by_cell.values())


def _compare(
    scored: pd.DataFrame,
    alike: float | None,
    params: Params,
    trials: int,
    used: dict[int, str],
) -> Comparison:
    cell = ["model", "pair", "horizon"]
    sums = scored.drop(columns="day").groupby(cell).sum()
    cells = 1.0 - sums["loss"] / sums["known_loss"]
    r2 = (1.0 - sums["target_loss"] / sums["spread"]).groupby("model").mean()
    raw = (1.0 - sums["raw_loss"] / sums["known_loss"]).groupby("model").mean()
    # Every cell counts alike, whatever its volatility.
    whole = scored.groupby(cell)["known_loss"].transform("sum")
    share = scored[["loss", "known_loss"]].div(whole, axis=0)
    daily = share.assign(model=scored["model"], day=scored["day"]).groupby(["model", "day"]).sum()
    losses = {name: daily.loc[name, "loss"].to_numpy() for name in params.models}
    known_loss = daily.loc[params.models[0], "known_loss"].to_numpy()
    best, steps = model_choice.honest(
        losses, known_loss, trials, confidence=params.confidence, seed=params.seed
    )
    rows = []
    for name, loss in losses.items():
        gain = skill.interval(loss, known_loss, params.confidence, params.seed)
        measures = {"unshrunk_skill": raw[name], "r2": r2[name]}
        rows.append({"model": name, **gain.row("skill"), **measures})
    return Comparison(
        models=pd.DataFrame(rows).set_index("model"),
        cells=cells.unstack("model")[list(params.models)],
        steps=pd.DataFrame([asdict(step) for step in steps], columns=list(Step.__annotations__)),
        honest=best,
        documented=model_choice.documented(r2.to_dict(), alike),
        trials=trials,
        used=used,
    )


def _alike(forecasts: Mapping[str, Mapping[str, pd.DataFrame]]) -> float | None:
    """Mean correlation between the forecasts of the members that were compared."""
    members = [forecasts[name] for name in ("forest", "xgboost") if name in forecasts]
    correlations = [
        np.corrcoef(np.nan_to_num(a[pair]["raw"]), np.nan_to_num(b[pair]["raw"]))[0, 1]
        for a, b in combinations(members, 2)
        for pair in a
    ]
    return float(np.mean(correlations)) if correlations else None


def _chosen(compared: Comparison) -> dict[str, Any]:
    return {
        "honest": compared.honest,
        "documented": compared.documented,
        "trials": compared.trials,
        "steps": compared.steps.to_dict("records"),
        "models": compared.models.reset_index().to_dict("records"),
    }


def _cost(fits: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Seconds of all fits, kB of a model, and milliseconds of a forecast, by model."""
    if not len(fits):
        return pd.DataFrame(index=pd.Index(names, name="model"))
    grouped = fits[fits["model"].isin(names)].groupby("model")
    return grouped.agg(
        seconds=("seconds", "sum"), kb=("kb", "mean"), milliseconds=("milliseconds", "mean")
    )
