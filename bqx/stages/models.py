"""Notebook 11: models compared on the same folds, rows and columns, and which of them to use."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx import choice, ledger, sessions, skill, targets, tracking, training, tuning
from bqx.bars import Bars
from bqx.choice import Step
from bqx.folds import Fold
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.selection import Selection
from bqx.stages import selection
from bqx.stages.bars import Dataset, load
from bqx.stages.features import histories
from bqx.stages.lagging import columns
from bqx.stages.training import track
from bqx.store import Run, Stage, read_parquet
from bqx.training import PairResult
from bqx.tuning import Settings, Tried

NAME = "11_models"


@dataclass(frozen=True)
class Comparison:
    """Models side by side.

    ``models`` : a row a model, the simpler first: skill over all cells with its interval, skill
        before shrinkage, R² of the target, seconds of all fits, kB of a pair's model, milliseconds
        of a forecast; ``cells`` : skill, pairs and horizons by model.
    ``steps`` : each model against the best of the simpler ones; ``honest`` : the simplest within
        the noise; ``documented`` : the documents' choice, None where they have no rule.
    ``trials`` : configurations of all cells tried on these bars.
    """

    models: pd.DataFrame
    cells: pd.DataFrame
    steps: pd.DataFrame
    honest: str
    documented: str | None
    trials: int


def build(params: Params) -> Comparison:
    """Fit each model, score it, choose, and store forecasts, scores and the choice."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars", "selection", "forecasts"]) as stage:
        folds, chosen = selection.folds_of(params, dataset), selection.read(run, dataset)
        for name in params.models:
            # Notebook 06 has fitted the model that is served, with the same parameters.
            if name != training.MODEL or params.trials:
                _fit(run, stage, dataset, folds, chosen, params, name)
        frames = {name: _frames(run, dataset, params, name) for name in params.models}
        scored = pd.concat(
            [_score(bars, frames[name][pair], params, name)
             for name in params.models for pair, bars in dataset.bars.items()]
        )  # fmt: skip
        _record_scores(run, scored, params)
        made = _compare(scored, frames, params, _trials(run))
        stage.write_json("models_compared/choice.json", _chosen(made))
        stage.write_parquet("models_compared/errors.parquet", scored.reset_index(drop=True))
    cost = _cost(tracking.fits(run.folder), params.models)
    return replace(made, models=made.models.join(cost))


def _fit(
    run: Run,
    stage: Stage,
    dataset: Dataset,
    folds: Sequence[Fold],
    chosen: Mapping[str, Sequence[Selection]],
    params: Params,
    name: str,
) -> None:
    paths = {pair: f"models_compared/{name}/{pair}.parquet" for pair in dataset.bars}
    done = {pair for pair, path in paths.items() if stage.done(path)}
    settings: dict[str, Sequence[Settings]] = {}
    if params.trials:
        # A search that is finished gives its answer at once, from its own journal.
        settings = _tune(run, dataset, folds, chosen, params, name)
        stage.write_json(f"models_compared/{name}/settings.json", settings)

    def write(pair: str, result: PairResult) -> None:
        for fit in result.fits:
            track(run, pair, name, fit)
        stage.write_parquet(paths[pair], result.forecasts)

    training.fit_all(
        histories(run, dataset.bars), columns(params), folds, chosen, params, write, done, name,
        settings,
    )  # fmt: skip


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
            known[pair], columns(params), folds, chosen[pair], params, name,
            run.folder / ".tuning" / f"{pair}.log", heard,
        )  # fmt: skip
    common = tuning.shared(found)
    return {pair: found.get(pair, common) for pair in dataset.bars}


def _frames(run: Run, dataset: Dataset, params: Params, name: str) -> dict[str, pd.DataFrame]:
    """Forecasts of a model by pair."""
    ours = name != training.MODEL or params.trials
    place = f"models_compared/{name}" if ours else "forecasts"
    return {pair: read_parquet(run.folder / place / f"{pair}.parquet") for pair in dataset.bars}


def _score(bars: Bars, forecasts: pd.DataFrame, params: Params, name: str) -> pd.DataFrame:
    """Squared errors by day of a model on one pair: day, horizon, loss, raw, known and spread."""
    day = sessions.trading_days(bars.minutes)
    parts = []
    for horizon, made in forecasts.groupby("horizon"):
        minutes = int(str(horizon))
        target = targets.make(bars, params.window(minutes), minutes)
        rows = bars.ts.get_indexer(pd.DatetimeIndex(made["ts_utc"]))
        y, known = target.label(params.target)[rows], target.martingale_of(params.target)[rows]
        errors = {"known_loss": (y - known) ** 2}
        for column, loss in (("forecast", "loss"), ("raw", "raw_loss")):
            series = np.full(len(bars), np.nan)
            series[rows] = made[column]
            errors[loss] = (y - target.from_innovation(series, params.target)[rows]) ** 2
        frame = pd.DataFrame({"day": day[rows], "y": y} | errors).dropna()
        frame["spread"] = (frame["y"] - frame["y"].mean()) ** 2
        sums = frame.drop(columns="y").groupby("day", as_index=False).sum()
        parts.append(sums.assign(model=name, pair=bars.pair, horizon=minutes))
    return pd.concat(parts)


def _record_scores(run: Run, scored: pd.DataFrame, params: Params) -> None:
    for name, part in scored.groupby("model"):
        gain = part.assign(gain=part["known_loss"] - part["loss"])
        daily = gain.pivot(index="day", columns=["pair", "horizon"], values="gain")
        trials = ledger.cells(daily, "gain", params, str(name), run.manifest["data_hash"])
        # The served model is in the ledger already, by notebook 06.
        if name != training.MODEL or params.trials:
            own = {"trials": params.trials, "tuned": params.tuned} if params.trials else {}
            trials = [replace(t, parameters=t.parameters | own) for t in trials]
            ledger.beside(run.folder).record(*trials)


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
    best, steps = choice.honest(losses, known, trials, params.confidence, params.seed)
    rows = []
    for name, loss in losses.items():
        low, high = skill.interval(loss, known, params.confidence, params.seed)
        rows.append(
            {"model": name, "skill": 1.0 - loss.sum() / known.sum(), "skill_lo": low,
             "skill_hi": high, "unshrunk_skill": raw[name], "r2": r2[name]}
        )  # fmt: skip
    return Comparison(
        models=pd.DataFrame(rows).set_index("model"),
        cells=cells.unstack("model")[list(params.models)],
        steps=pd.DataFrame([asdict(step) for step in steps], columns=list(Step.__annotations__)),
        honest=best,
        documented=choice.documented(r2.to_dict(), _alike(frames)),
        trials=trials,
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
