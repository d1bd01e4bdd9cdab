"""Notebook 06: models per pair and fold, the one that is used, and what its forecasts add."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import conditions, skill
from bqx.learning.conformal import Intervals
from bqx.learning.samples import targets_of
from bqx.market import planted, sessions
from bqx.market.bars import Bars
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Run, Stage
from bqx.runs.settled import settled
from bqx.stages import candidates, selection
from bqx.stages.bars import load
from bqx.stages.fitting import Work, fit
from bqx.stages.lagging import columns_of

NAME = "06_training"

SHOWN = 200_000
"""Most points behind the calibration figure."""


@dataclass(frozen=True)
class Result:
    """Scores of all cells.

    ``cells`` : one row per pair and horizon: ``skill.Score``, the skill of the models' own
        forecasts before shrinkage, the market's attainable skill on the same rows where it is
        known, and the share of labels in the forecast's intervals.
    ``conditions`` : the same, one row per pair, horizon, kind of condition and its value.
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
        frames, errors, points = [], [], []
        for bars in dataset.bars.values():
            met = conditions.label(bars, folds)
            labels = pd.DataFrame(met, index=bars.ts)[met["session"] != ""]
            artefacts.CONDITIONS.write(stage, labels, pair=bars.pair)
            scored = _Scores(stage, bars, met, params, pairs=len(dataset.bars))
            for horizon in params.horizons:
                frames.append(scored.score(horizon))
                errors.append(scored.errors(horizon))
                points.append(scored.points(horizon))
        scores = pd.concat(frames, ignore_index=True)
        whole = scores["condition"] == skill.EVERYTHING
        cells = scores[whole].drop(columns=["condition", "value"]).reset_index(drop=True)
        by_condition = scores[~whole].dropna(axis=1, how="all").reset_index(drop=True)
        losses = pd.concat(errors)
        artefacts.SCORES.write(stage, cells.to_dict("records"))
        artefacts.ERRORS.write(stage, losses.reset_index(drop=True))
        artefacts.SCORES_BY_CONDITION.write(stage, by_condition.to_dict("records"))
        if candidates.name_of(used) == candidates.CHOSEN:
            # What one model forecast alone is a trial already.
            gain = losses.assign(gain=losses["known_loss"] - losses["loss"])
            candidates.record(run, gain, candidates.CHOSEN, params)
    shrinkage = _shrinkage(run, dataset.bars)
    return Result(cells, by_condition, shrinkage, _thin(points), used, candidates.steps(run))


def forecast_rows(
    source: Source, bars: Bars, column: str = "forecast"
) -> dict[int, NDArray[np.float64]]:
    """(T,) out-of-sample innovation forecasts by horizon, in sigma; NaN elsewhere.

    ``column`` is ``forecast``, or another of ``training.PairResult.forecasts``.
    """
    frame = artefacts.FORECASTS.read(source, pair=bars.pair)
    out = {}
    for horizon, rows in frame.groupby("horizon"):
        series = np.full(len(bars), np.nan)
        series[bars.ts.get_indexer(pd.DatetimeIndex(rows["ts_utc"]))] = rows[column]
        out[int(str(horizon))] = series
    return out


def conditions_of(source: Source, bars: Bars) -> pd.DataFrame:
    """(T,) value of every kind of condition, see `conditions.label`; None where it has none."""
    return artefacts.CONDITIONS.read(source, pair=bars.pair).reindex(bars.ts)


class _Scores:
    """What a pair's forecasts are worth at each horizon."""

    def __init__(
        self,
        stage: Stage,
        bars: Bars,
        met: Mapping[str, NDArray[np.str_]],
        params: Params,
        *,
        pairs: int,
    ) -> None:
        self.bars = bars
        self.met = met
        self.params = params
        self.planted = _planted(stage, bars)
        self.confidence = skill.simultaneous(params.confidence, pairs * len(params.horizons))
        self.day = sessions.trading_days(bars.minutes)
        self.series = {
            name: forecast_rows(stage, bars, name) for name in ("forecast", "raw", "reach", "naive")
        }
        self.targets = targets_of(bars, params)

    def score(self, horizon: int) -> pd.DataFrame:
        """Scores over all rows and by condition."""
        target, params = self.targets[horizon], self.params
        y, martingale, forecast = self._of(horizon, "forecast")
        rows = np.flatnonzero(np.isfinite(self.series["forecast"][horizon]))
        span = slice(int(rows[0]), int(rows[-1]) + 1)
        frame = skill.by_condition(
            self.bars.pair,
            y[span],
            forecast[span],
            martingale=martingale[span],
            day=self.day[span],
            conditions={kind: values[span] for kind, values in self.met.items()},
            window=target.window,
            horizon=horizon,
            confidence=self.confidence,
            seed=params.seed,
        )
        frame = frame.merge(self._coverage(horizon), on=["condition", "value"])
        frame["unshrunk_skill"] = np.nan
        frame["attainable"] = np.nan
        frame.loc[0, "unshrunk_skill"] = self._skill(horizon, self._of(horizon, "raw")[2])
        if self.planted is not None:
            oracle = planted.oracle(*self.planted, window=target.window, horizon=horizon)
            best = target.from_innovation(oracle / target.sigma, params.target)
            frame.loc[0, "attainable"] = self._skill(horizon, best)
        return frame

    def errors(self, horizon: int) -> pd.DataFrame:
        """Squared errors by day, of the forecast and of the martingale."""
        y, martingale, forecast = self._of(horizon, "forecast")
        losses = pd.DataFrame(
            {"day": self.day, "loss": (y - forecast) ** 2, "known_loss": (y - martingale) ** 2}
        )[self._valid(horizon)]
        sums = losses.groupby("day", as_index=False).sum()
        return sums.assign(pair=self.bars.pair, horizon=horizon)

    def points(self, horizon: int) -> NDArray[np.float64]:
        """(n, 2) forecast and realised innovation where the forecast is not 0."""
        innovation = self.series["forecast"][horizon]
        both = np.column_stack((innovation, self.targets[horizon].label("innovation")))
        return both[self._valid(horizon) & (innovation != 0)]

    def _of(self, horizon: int, column: str) -> tuple[NDArray[np.float64], ...]:
        """Label, what the martingale forecasts of it, and what a column of forecasts does."""
        target, kind = self.targets[horizon], self.params.target
        forecast = target.from_innovation(self.series[column][horizon], kind)
        return target.label(kind), target.martingale_of(kind), forecast

    def _valid(self, horizon: int) -> NDArray[np.bool_]:
        return np.all(np.isfinite(self._of(horizon, "forecast")), axis=0)

    def _skill(self, horizon: int, forecast: NDArray[np.float64]) -> float:
        y, martingale, _ = self._of(horizon, "forecast")
        losses = [((y - f)[self._valid(horizon)] ** 2).sum() for f in (forecast, martingale)]
        return float(1.0 - losses[0] / losses[1])

    def _coverage(self, horizon: int) -> pd.DataFrame:
        """Coverage of the forecast's intervals by condition; width and score over naive ones'."""
        target, share = self.targets[horizon], self.params.coverage
        level = target.label("level")
        forecasts = (
            (self._level(horizon), self.series["reach"][horizon]),
            (target.martingale, self.series["naive"][horizon]),
        )
        out = []
        for kind, value, rows in skill.parts(self.met, len(level)):
            label = np.where(rows, level, np.nan)
            ours, naive = (
                Intervals(label, forecast, half_width * target.sigma, share)
                for forecast, half_width in forecasts
            )
            out.append(
                {
                    "condition": kind,
                    "value": value,
                    "coverage": ours.share,
                    "naive_coverage": naive.share,
                    "width_ratio": _ratio(ours.width, naive.width),
                    "score_ratio": _ratio(ours.score, naive.score),
                }
            )
        return pd.DataFrame(out)

    def _level(self, horizon: int) -> NDArray[np.float64]:
        return self.targets[horizon].from_innovation(self.series["forecast"][horizon], "level")


def _planted(stage: Stage, bars: Bars) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """(T,) drift and decay of a planted market, None without one."""
    if artefacts.PLANTED.path() not in stage.inputs:
        return None
    drift, decay = artefacts.PLANTED.read(stage)[[bars.pair, "decay"]].reindex(bars.ts).to_numpy().T
    return drift, decay


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def _shrinkage(run: Run, bars: dict[str, Bars]) -> pd.DataFrame:
    rows = {
        pair: pd.DataFrame(
            [fold["betas"] for fold in artefacts.EVIDENCE.read(run, pair=pair)]
        ).mean()
        for pair in bars
    }
    return pd.DataFrame(rows).T.rename_axis(index="pair", columns="horizon (min)")


def _thin(points: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    joined = np.concatenate(points)
    return joined[:: max(1, len(joined) // SHOWN)]
