"""Notebook 11: models compared out of sample, on the same folds, rows and columns."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bqx.evaluation import model_choice, skill
from bqx.evaluation.model_choice import Step
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import fit_log, ledger
from bqx.runs.run import Run, read_parquet
from bqx.stages import candidates
from bqx.stages.bars import load

NAME = "11_models"


@dataclass(frozen=True)
class Comparison:
    """Models side by side.

    ``models`` : a row a model, the simpler first: skill over all cells with its interval, skill
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
        made, skill = self.models, "{:+.3f} [{:+.3f}, {:+.3f}]"
        ends = zip(*(made[name] for name in ("skill", "skill_lo", "skill_hi")), strict=True)
        return pd.DataFrame(
            {
                "skill [interval]": [skill.format(*map(float, row)) for row in ends],
                "unshrunk": made["unshrunk_skill"].map("{:+.3f}".format),
                "R²": made["r2"].map("{:.3f}".format),
                "seconds": made["seconds"].map("{:.1f}".format),
                "kB": made["kb"].map("{:,.0f}".format),
                "ms a row": made["milliseconds"].map("{:.3f}".format),
            },
            index=made.index,
        )


def build(params: Params) -> Comparison:
    """Compare what every model forecast out of sample, and store the comparison."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars", "candidates"]) as stage:
        scored = read_parquet(run.need(candidates.ERRORS))
        frames = {
            name: {pair: candidates.forecasts(run, name, pair) for pair in dataset.bars}
            for name in params.models
        }
        made = _compare(scored, frames, params, _trials(run), candidates.used(run))
        stage.write_json("models_compared/choice.json", _chosen(made))
    cost = _cost(fit_log.fits(run.folder), params.models)
    return replace(made, models=made.models.join(cost))


def _trials(run: Run) -> int:
    """Configurations tried on these bars: those of the cell with most, as all cells are judged
    together."""
    by_cell: dict[tuple[str, int], list[ledger.Trial]] = {}
    for trial in ledger.beside(run.folder).trials(run.manifest["data_hash"]):
        by_cell.setdefault((trial.pair, trial.horizon), []).append(trial)
    return max(ledger.count(trials) for trials in by_cell.values())


def _compare(
    scored: pd.DataFrame,
    frames: Mapping[str, Mapping[str, pd.DataFrame]],
    params: Params,
    trials: int,
    used: dict[int, str],
) -> Comparison:
    cell = ["model", "pair", "horizon"]
    sums = scored.drop(columns="day").groupby(cell).sum()
    cells = 1.0 - sums["loss"] / sums["known_loss"]
    r2 = (1.0 - sums["loss"] / sums["spread"]).groupby("model").mean()
    raw = (1.0 - sums["raw_loss"] / sums["known_loss"]).groupby("model").mean()
    # Every cell counts alike, whatever its volatility.
    whole = scored.groupby(cell)["known_loss"].transform("sum")
    share = scored[["loss", "known_loss"]].div(whole, axis=0)
    daily = share.assign(model=scored["model"], day=scored["day"]).groupby(["model", "day"]).sum()
    losses = {name: daily.loc[name, "loss"].to_numpy() for name in params.models}
    known = daily.loc[params.models[0], "known_loss"].to_numpy()
    best, steps = model_choice.honest(
        losses, known, trials, confidence=params.confidence, seed=params.seed
    )
    rows = []
    for name, loss in losses.items():
        gain = skill.interval(loss, known, params.confidence, params.seed)
        own = {"unshrunk_skill": raw[name], "r2": r2[name]}
        rows.append({"model": name, **gain.row("skill"), **own})
    return Comparison(
        models=pd.DataFrame(rows).set_index("model"),
        cells=cells.unstack("model")[list(params.models)],
        steps=pd.DataFrame([asdict(step) for step in steps], columns=list(Step.__annotations__)),
        honest=best,
        documented=model_choice.documented(r2.to_dict(), _alike(frames)),
        trials=trials,
        used=used,
    )


def _alike(frames: Mapping[str, Mapping[str, pd.DataFrame]]) -> float | None:
    """Mean correlation between the forecasts of the members that were compared."""
    members = [name for name in ("forest", "xgboost") if name in frames]
    found = [
        np.corrcoef(np.nan_to_num(frames[a][pair]["raw"]), np.nan_to_num(frames[b][pair]["raw"]))
        for a, b in combinations(members, 2)
        for pair in frames[a]
    ]
    return float(np.mean([each[0, 1] for each in found])) if found else None


def _chosen(made: Comparison) -> dict[str, Any]:
    return {
        "honest": made.honest,
        "documented": made.documented,
        "trials": made.trials,
        "steps": made.steps.to_dict("records"),
        "models": made.models.reset_index().to_dict("records"),
    }


def _cost(fits: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Seconds of all fits, kB of a model, and milliseconds of a forecast, by model."""
    if not len(fits):
        return pd.DataFrame(index=pd.Index(names, name="model"))
    grouped = fits[fits["model"].isin(names)].groupby("model")
    return grouped.agg(
        seconds=("seconds", "sum"), kb=("kb", "mean"), milliseconds=("milliseconds", "mean")
    )
