"""Notebook 06: a model a pair, horizon and fold, and what it adds to the martingale forecast."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx import bundle, market, sessions, skill, targets, training
from bqx.bars import Bars
from bqx.conformal import Intervals
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.stages import selection
from bqx.stages.bars import load
from bqx.stages.lagging import columns
from bqx.store import Run, read_json, read_parquet
from bqx.training import PairResult

NAME = "06_training"

SHOWN = 200_000
"""Most points behind the calibration figure."""


@dataclass(frozen=True)
class Result:
    """Scores of all cells.

    ``cells`` : a row a pair and horizon: ``skill.Score``, the skill of the models' own forecasts
        before shrinkage, the market's attainable skill on the same rows where it is known, and
        how many labels the forecast's intervals caught.
    ``shrinkage`` : mean share of the forecasts kept, pairs by horizons.
    ``calibration`` : (n, 2) forecast and realised innovation, of forecasts that are not 0.
    """

    cells: pd.DataFrame
    shrinkage: pd.DataFrame
    calibration: NDArray[np.float64]


def build(params: Params) -> Result:
    """Fit, forecast out of sample, score, and store forecasts, models and scores."""
    run = Run.open(params.folder, params)
    dataset = load(run)
    inputs = ["bars", "selection"]
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], inputs) as stage:

        def write(pair: str, result: PairResult) -> None:
            bundle.bundle(dataset.bars[pair], result.fits[-1], params, {}).save(
                stage.path(f"models/{pair}")
            )
            stage.add(f"models/{pair}")
            stage.write_json(
                f"forecasts/{pair}.json",
                [asdict(fit.evidence) | {"fold": fit.number} for fit in result.fits],
            )
            stage.write_parquet(f"forecasts/{pair}.parquet", result.forecasts)

        done = {
            pair
            for pair in dataset.bars
            if all(
                stage.done(path)
                for path in (
                    f"models/{pair}", f"forecasts/{pair}.json", f"forecasts/{pair}.parquet",
                )
            )
        }  # fmt: skip
        training.fit_all(
            dataset.bars,
            columns(params),
            selection.folds_of(params, dataset),
            selection.read(run, dataset),
            params,
            write,
            done,
        )
        parts = [_score(run, bars, params, len(dataset.bars)) for bars in dataset.bars.values()]
        cells = pd.DataFrame([row for rows, _, _ in parts for row in rows])
        errors = pd.concat([frame for _, frames, _ in parts for frame in frames])
        stage.write_json("forecasts/cells.json", cells.to_dict("records"))
        stage.write_parquet("forecasts/errors.parquet", errors.reset_index(drop=True))
    return Result(cells, _shrinkage(run, dataset.bars), _thin([c for _, _, c in parts]))


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


def _score(
    run: Run, bars: Bars, params: Params, pairs: int
) -> tuple[list[dict[str, Any]], list[pd.DataFrame], NDArray[np.float64]]:
    """Cells, squared errors by day, and calibration points of one pair."""
    confidence = skill.simultaneous(params.confidence, pairs * len(params.horizons))
    day = sessions.trading_days(bars.minutes)
    cells, errors, points = [], [], []
    raw, reach, naive = (forecast_rows(run, bars, name) for name in ("raw", "reach", "naive"))
    for horizon, innovation in forecast_rows(run, bars).items():
        target = targets.make(bars, params.window(horizon), horizon)
        y, known = target.label(params.target), target.martingale_of(params.target)
        made = target.from_innovation(innovation, params.target)
        rows = np.flatnonzero(np.isfinite(innovation))
        span = slice(int(rows[0]), int(rows[-1]) + 1)
        score = skill.score(
            y[span], made[span], known[span], day[span], target.window, horizon, confidence,
            params.seed,
        )  # fmt: skip
        valid = np.isfinite(y) & np.isfinite(made) & np.isfinite(known)
        unshrunk = target.from_innovation(raw[horizon], params.target)
        cells.append(
            {"pair": bars.pair, "horizon": horizon}
            | asdict(score)
            | {
                "unshrunk_skill": _skill(y, unshrunk, known, valid),
                "attainable": _attainable(run, bars, target, known, y, valid, params),
            }
            | _caught(target, innovation, reach[horizon], naive[horizon], params.coverage)
        )
        losses = pd.DataFrame(
            {"day": day, "loss": (y - made) ** 2, "known_loss": (y - known) ** 2}
        )[valid]
        sums = losses.groupby("day", as_index=False).sum()
        errors.append(sums.assign(pair=bars.pair, horizon=horizon))
        spoken = valid & (innovation != 0)
        points.append(np.column_stack((innovation, target.label("innovation")))[spoken])
    return cells, errors, np.concatenate(points)


def _caught(
    target: targets.Target,
    innovation: NDArray[np.float64],
    reach: NDArray[np.float64],
    naive: NDArray[np.float64],
    coverage: float,
) -> dict[str, float | None]:
    """Coverage of the forecast's intervals, and their width and score beside the naive ones'."""
    level, made = target.label("level"), target.from_innovation(innovation, "level")
    ours, plain = (
        Intervals(level, forecast, width * target.sigma, coverage)
        for forecast, width in ((made, reach), (target.martingale, naive))
    )
    return {
        "coverage": ours.share,
        "naive_coverage": plain.share,
        "width_ratio": _ratio(ours.width, plain.width),
        "score_ratio": _ratio(ours.score, plain.score),
    }


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
    facts = read_json(run.folder / "bars" / "dataset.json")["market"]
    drift = read_parquet(path)[bars.pair].reindex(bars.ts).to_numpy()
    oracle = market.oracle(drift, facts["decay"], target.window, target.horizon)
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
