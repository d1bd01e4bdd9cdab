"""What one pair's forecasts are worth: scores by horizon and condition, errors and products."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import claims, conditions, skill
from bqx.learning.conformal import Intervals
from bqx.learning.folds import Fold
from bqx.learning.samples import label_days, targets_of
from bqx.market import planted, sessions
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.stage import Stage

Series = NDArray[np.float64]

SHOWN = 200_000
"""Most points behind the calibration figure, of all pairs."""


@dataclass(frozen=True)
class PairScores:
    """What one pair gives to a run's `scoring.Scoring`, ``products`` for `claims.claim`."""

    scores: pd.DataFrame
    errors: pd.DataFrame
    products: pd.DataFrame
    points: Series


def of_pair(
    stage: Stage, bars: Bars, folds: Sequence[Fold], params: Params, pairs: int
) -> tuple[pd.DataFrame, PairScores]:
    """Score the forecasts that a run has of a pair.

    ``pairs`` : of the run, which share its confidence, and the points that are kept.

    Returns
    -------
    Conditions of the rows that a fold tests, and what the forecasts are worth.
    """
    met = conditions.label(bars, folds)
    forecasts = artefacts.FORECASTS.read(stage, pair=bars.pair)
    scored = _Scores(bars, forecasts, _planted(stage, bars), met, params, pairs=pairs)
    horizons = params.horizons
    points = np.concatenate([scored.points(horizon) for horizon in horizons])
    return pd.DataFrame(met, index=bars.ts)[met["session"] != ""], PairScores(
        pd.concat([scored.score(horizon) for horizon in horizons], ignore_index=True),
        pd.concat([scored.errors(horizon) for horizon in horizons], ignore_index=True),
        pd.concat([scored.products(horizon) for horizon in horizons], ignore_index=True),
        points[:: math.ceil(max(len(points), 1) * pairs / SHOWN)],
    )


def _planted(stage: Stage, bars: Bars) -> tuple[Series, Series] | None:
    """(T,) drift and decay of a planted market, None without one."""
    if artefacts.PLANTED.path() not in stage.inputs:
        return None
    drift, decay = artefacts.PLANTED.read(stage)[[bars.pair, "decay"]].reindex(bars.ts).to_numpy().T
    return drift, decay


def on_rows(forecasts: pd.DataFrame, bars: Bars, column: str = "forecast") -> dict[int, Series]:
    """(T,) a column of ``training.PairResult.forecasts`` by horizon; NaN on other rows."""
    out = {}
    for horizon, rows in forecasts.groupby("horizon"):
        series = np.full(len(bars), np.nan)
        series[bars.ts.get_indexer(pd.DatetimeIndex(rows["ts_utc"]))] = rows[column]
        out[int(str(horizon))] = series
    return out


class _Scores:
    """What a pair's forecasts are worth at each horizon."""

    def __init__(
        self,
        bars: Bars,
        forecasts: pd.DataFrame,
        market: tuple[Series, Series] | None,
        met: Mapping[str, NDArray[np.str_]],
        params: Params,
        *,
        pairs: int,
    ) -> None:
        self.bars = bars
        self.met = met
        self.params = params
        self.planted = market
        self.confidence = skill.simultaneous(params.confidence, pairs * len(params.horizons))
        self.day = sessions.trading_days(bars.minutes)
        self.series = {
            name: on_rows(forecasts, bars, name)
            for name in ("fold", "forecast", "raw", "reach", "naive")
        }
        self.targets = targets_of(bars, params)

    def score(self, horizon: int) -> pd.DataFrame:
        """Scores over all rows and by condition."""
        target, params = self.targets[horizon], self.params
        y, martingale, forecast = self._of(horizon, "forecast")
        sigma = np.ones(len(y)) if params.target == "scaled" else target.sigma
        rows = np.flatnonzero(np.isfinite(self.series["forecast"][horizon]))
        span = slice(int(rows[0]), int(rows[-1]) + 1)
        frame = skill.by_condition(
            self.bars.pair,
            y[span],
            forecast[span],
            martingale=martingale[span],
            sigma=sigma[span],
            day=self.day[span],
            conditions={kind: values[span] for kind, values in self.met.items()},
            window=target.window,
            horizon=horizon,
            confidence=self.confidence,
            seed=params.seed,
        )
        frame = frame.merge(self._coverage(horizon), on=["condition", "value"])
        innovation, raw = target.label("innovation"), self.series["raw"][horizon]
        beside = {
            "unshrunk_skill": self._skill(horizon, raw),
            "unshrunk_ic": skill.information_coefficient(innovation, raw),
            "attainable": np.nan,
        }
        if self.planted is not None:
            oracle = planted.oracle(*self.planted, window=target.window, horizon=horizon)
            beside["attainable"] = self._skill(horizon, oracle / target.sigma)
        for name, value in beside.items():
            frame[name] = np.nan
            frame.loc[0, name] = value
        return frame

    def errors(self, horizon: int) -> pd.DataFrame:
        """Squared errors in sigma by day, of the forecast and of the martingale."""
        innovation = self.targets[horizon].label("innovation")
        squares = {
            "day": self.day,
            "loss": (innovation - self.series["forecast"][horizon]) ** 2,
            "known_loss": innovation**2,
        }
        sums = pd.DataFrame(squares)[self._valid(horizon)].groupby("day", as_index=False).sum()
        return sums.assign(pair=self.bars.pair, horizon=horizon)

    def products(self, horizon: int) -> pd.DataFrame:
        """What `claims.claim` needs of the models' own forecasts.

        Days are joined where a label reaches further than one.
        """
        innovation, raw = self.targets[horizon].label("innovation"), self.series["raw"][horizon]
        daily = claims.daily_products(
            innovation,
            raw,
            fold=self.series["fold"][horizon],
            day=label_days(self.day, self.params),
        )
        return daily.assign(pair=self.bars.pair, horizon=horizon)

    def points(self, horizon: int) -> Series:
        """(n, 2) forecast and realised innovation where the forecast is not 0."""
        innovation = self.series["forecast"][horizon]
        both = np.column_stack((innovation, self.targets[horizon].label("innovation")))
        return both[self._valid(horizon) & (innovation != 0)]

    def _of(self, horizon: int, column: str) -> tuple[Series, ...]:
        """Label, what the martingale forecasts of it, and what a column of forecasts does."""
        target, kind = self.targets[horizon], self.params.target
        forecast = target.from_innovation(self.series[column][horizon], kind)
        return target.label(kind), target.martingale_of(kind), forecast

    def _valid(self, horizon: int) -> NDArray[np.bool_]:
        return np.all(np.isfinite(self._of(horizon, "forecast")), axis=0)

    def _skill(self, horizon: int, forecast: Series) -> float:
        """Skill of forecasts of the innovation, in sigma."""
        innovation, valid = self.targets[horizon].label("innovation"), self._valid(horizon)
        loss = ((innovation - forecast)[valid] ** 2).sum()
        return float(1.0 - loss / (innovation[valid] ** 2).sum())

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

    def _level(self, horizon: int) -> Series:
        return self.targets[horizon].from_innovation(self.series["forecast"][horizon], "level")


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None
