"""Notebook 06: models a pair and fold, the one that is used, and what it adds to the martingale."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import conditions, skill
from bqx.learning import targets
from bqx.learning.conformal import Intervals
from bqx.market import planted, sessions
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs.run import Run, read_json, read_parquet
from bqx.stages import candidates, selection
from bqx.stages.bars import load

NAME = "06_training"

SHOWN = 200_000
"""Most points behind the calibration figure."""


@dataclass(frozen=True)
class Result:
    """Scores of all cells.

    ``cells`` : a row a pair and horizon: ``skill.Score``, the skill of the models' own forecasts
        before shrinkage, the market's attainable skill on the same rows where it is known, and
        how many labels the forecast's intervals caught.
    ``conditions`` : the same a row a pair, horizon, kind of condition and its value.
    ``shrinkage`` : mean share of the forecasts kept, pairs by horizons.
    ``calibration`` : (n, 2) forecast and realised innovation, of forecasts that are not 0.
    ``used`` : model of each fold; ``steps`` : each model of a fold against the best of the simpler
        ones, on the validation rows.
    """

    cells: pd.DataFrame
    conditions: pd.DataFrame
    shrinkage: pd.DataFrame
    calibration: NDArray[np.float64]
    used: dict[int, str]
    steps: pd.DataFrame


def build(params: Params) -> Result:
    """Fit every model, choose one on each fold's validation rows, and score what it forecasts."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    folds = selection.taught(run, params, dataset)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars", "selection"]) as stage:
        candidates.fit(run, stage, dataset, folds, selection.read(run, dataset), params)
        used = candidates.choose(run, stage, tuple(dataset.bars), params)
        for pair in dataset.bars:
            candidates.assemble(run, stage, pair, used)
        candidates.score(run, stage, dataset, params)
        met = {pair: conditions.label(bars, folds) for pair, bars in dataset.bars.items()}
        for pair, bars in dataset.bars.items():
            labels = pd.DataFrame(met[pair], index=bars.ts)[met[pair]["session"] != ""]
            stage.write_parquet(f"conditions/{pair}.parquet", labels)
        parts = [
            _score(run, bars, met[pair], params, len(dataset.bars))
            for pair, bars in dataset.bars.items()
        ]
        scores = pd.concat([frame for frame, _, _ in parts], ignore_index=True)
        whole = scores["condition"] == skill.EVERYTHING
        cells = scores[whole].drop(columns=["condition", "value"]).reset_index(drop=True)
        by_condition = scores[~whole].dropna(axis=1, how="all").reset_index(drop=True)
        errors = pd.concat([frame for _, frames, _ in parts for frame in frames])
        stage.write_json("forecasts/cells.json", cells.to_dict("records"))
        stage.write_parquet("forecasts/errors.parquet", errors.reset_index(drop=True))
        stage.write_json("forecasts/conditions.json", by_condition.to_dict("records"))
        if candidates.name_of(used) == candidates.CHOSEN:
            # What one model forecast alone is a trial already.
            gain = errors.assign(gain=errors["known_loss"] - errors["loss"])
            candidates.record(run, gain, candidates.CHOSEN, params)
    calibration = _thin([points for _, _, points in parts])
    shrinkage = _shrinkage(run, dataset.bars)
    return Result(cells, by_condition, shrinkage, calibration, used, candidates.steps(run))


def forecast_rows(run: Run, bars: Bars, column: str = "forecast") -> dict[int, NDArray[np.float64]]:
    """(T,) out-of-sample innovation forecasts by horizon, in sigma; NaN elsewhere.

    ``column`` is ``forecast``, or another of ``training.PairResult.forecasts``.
    """
    frame = read_parquet(run.folder / f"forecasts/{bars.pair}.parquet")
    out = {}
    for horizon, part in frame.groupby("horizon"):
        series = np.full(len(bars), np.nan)
        series[bars.ts.get_indexer(pd.DatetimeIndex(part["ts_utc"]))] = part[column]
        out[int(str(horizon))] = series
    return out


def conditions_of(run: Run, bars: Bars) -> pd.DataFrame:
    """(T,) value of every kind of condition, see `conditions.label`; None where it has none."""
    return read_parquet(run.need(f"conditions/{bars.pair}.parquet")).reindex(bars.ts)


def _score(
    run: Run, bars: Bars, met: Mapping[str, NDArray[np.str_]], params: Params, pairs: int
) -> tuple[pd.DataFrame, list[pd.DataFrame], NDArray[np.float64]]:
    """Scores over all rows and by condition, squared errors by day, calibration points."""
    confidence = skill.simultaneous(params.confidence, pairs * len(params.horizons))
    day = sessions.trading_days(bars.minutes)
    scores, errors, points = [], [], []
    made = {name: forecast_rows(run, bars, name) for name in ("forecast", "raw", "reach", "naive")}
    for horizon, innovation in made["forecast"].items():
        target = targets.make(bars, params.window(horizon), horizon)
        y, known = target.label(params.target), target.martingale_of(params.target)
        forecast, unshrunk = (
            target.from_innovation(made[name][horizon], params.target)
            for name in ("forecast", "raw")
        )
        rows = np.flatnonzero(np.isfinite(innovation))
        span = slice(int(rows[0]), int(rows[-1]) + 1)
        frame = skill.by_condition(
            bars.pair, y[span], forecast[span], martingale=known[span], day=day[span],
            conditions={kind: values[span] for kind, values in met.items()},
            window=target.window, horizon=horizon, confidence=confidence, seed=params.seed,
        )  # fmt: skip
        caught = _caught(
            target, innovation, made["reach"][horizon], made["naive"][horizon], met, params.coverage
        )
        frame = frame.merge(caught, on=["condition", "value"])
        valid = np.isfinite(y) & np.isfinite(forecast) & np.isfinite(known)
        frame["unshrunk_skill"] = np.nan
        frame["attainable"] = np.nan
        frame.loc[0, "unshrunk_skill"] = _skill(y, unshrunk, known, valid)
        frame.loc[0, "attainable"] = _attainable(run, bars, target, known, y, valid, params)
        scores.append(frame)
        losses = pd.DataFrame(
            {"day": day, "loss": (y - forecast) ** 2, "known_loss": (y - known) ** 2}
        )[valid]
        sums = losses.groupby("day", as_index=False).sum()
        errors.append(sums.assign(pair=bars.pair, horizon=horizon))
        spoken = valid & (innovation != 0)
        points.append(np.column_stack((innovation, target.label("innovation")))[spoken])
    return pd.concat(scores), errors, np.concatenate(points)


def _caught(
    target: targets.Target,
    innovation: NDArray[np.float64],
    reach: NDArray[np.float64],
    naive: NDArray[np.float64],
    met: Mapping[str, NDArray[np.str_]],
    coverage: float,
) -> pd.DataFrame:
    """Coverage of the forecast's intervals by condition, their width and score over naive ones'."""
    level, made = target.label("level"), target.from_innovation(innovation, "level")
    out = []
    for kind, value, rows in skill.parts(met, len(level)):
        label = np.where(rows, level, np.nan)
        ours, plain = (
            Intervals(label, forecast, width * target.sigma, coverage)
            for forecast, width in ((made, reach), (target.martingale, naive))
        )
        out.append(
            {
                "condition": kind,
                "value": value,
                "coverage": ours.share,
                "naive_coverage": plain.share,
                "width_ratio": _ratio(ours.width, plain.width),
                "score_ratio": _ratio(ours.score, plain.score),
            }
        )
    return pd.DataFrame(out)


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _attainable(
    run: Run,
    bars: Bars,
    target: targets.Target,
    known: NDArray[np.float64],
    y: NDArray[np.float64],
    valid: NDArray[np.bool_],
    params: Params,
) -> float | None:
    """Skill of the planted market's own forecast on the scored rows, None without one."""
    path = run.folder / "bars" / "planted.parquet"
    if not path.exists():
        return None
    drift, decay = read_parquet(path)[[bars.pair, "decay"]].reindex(bars.ts).to_numpy().T
    oracle = planted.oracle(drift, decay, window=target.window, horizon=target.horizon)
    best = target.from_innovation(oracle / target.sigma, params.target)
    return _skill(y, best, known, valid)


def _skill(
    y: NDArray[np.float64],
    made: NDArray[np.float64],
    known: NDArray[np.float64],
    valid: NDArray[np.bool_],
) -> float:
    return float(1.0 - ((y - made)[valid] ** 2).sum() / ((y - known)[valid] ** 2).sum())


def _shrinkage(run: Run, bars: dict[str, Bars]) -> pd.DataFrame:
    rows = {
        pair: pd.DataFrame(
            [fold["betas"] for fold in read_json(run.folder / f"forecasts/{pair}.json")]
        ).mean()
        for pair in bars
    }
    return pd.DataFrame(rows).T.rename_axis(index="pair", columns="horizon (min)")


def _thin(points: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    joined = np.concatenate(points)
    return joined[:: max(1, len(joined) // SHOWN)]
