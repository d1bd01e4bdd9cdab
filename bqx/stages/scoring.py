"""What a run's forecasts are worth: scores by cell and condition, and claims of information."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import claims, conditions, skill
from bqx.learning.conformal import Intervals
from bqx.learning.folds import Fold
from bqx.learning.samples import targets_of
from bqx.market import planted, sessions
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.runs import artefacts
from bqx.runs.artefacts import Source
from bqx.runs.run import Stage
from bqx.stages.bars import Dataset

SHOWN = 200_000
"""Most points behind the calibration figure."""

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Scoring:
    """Scores of a run.

    ``cells`` : one row per pair and horizon: ``skill.Score``; of the models' own forecasts before
        shrinkage ``unshrunk_skill`` and ``unshrunk_ic``; ``attainable``, the market's own skill on
        the same rows where it is known; and the share of labels in the forecast's intervals.
    ``conditions`` : the same, one row per pair, horizon, kind of condition and its value.
    ``errors`` : squared errors in sigma by day, pair and horizon.
    ``claims`` : what is claimed of the models' own forecasts, see `claims.claim`.
    ``calibration`` : (n, 2) forecast and realised innovation, of forecasts that are not 0.
    """

    cells: pd.DataFrame
    conditions: pd.DataFrame
    errors: pd.DataFrame
    claims: pd.DataFrame
    calibration: Series


def score(stage: Stage, dataset: Dataset, folds: Sequence[Fold], params: Params) -> Scoring:
    """Score the forecasts that a stage has written, and store what was found."""
    frames, errors, products, points = [], [], [], []
    for bars in dataset.bars.values():
        met = conditions.label(bars, folds)
        labels = pd.DataFrame(met, index=bars.ts)[met["session"] != ""]
        artefacts.CONDITIONS.write(stage, labels, pair=bars.pair)
        scored = _Scores(stage, bars, met, params, pairs=len(dataset.bars))
        for horizon in params.horizons:
            frames.append(scored.score(horizon))
            errors.append(scored.errors(horizon))
            products.append(scored.products(horizon))
            points.append(scored.points(horizon))
    scores = pd.concat(frames, ignore_index=True)
    whole = scores["condition"] == skill.EVERYTHING
    cells = scores[whole].drop(columns=["condition", "value"]).reset_index(drop=True)
    by_condition = scores[~whole].dropna(axis=1, how="all").reset_index(drop=True)
    losses = pd.concat(errors, ignore_index=True)
    summed = pd.concat(products, ignore_index=True)
    claimed = claims.claim(summed, params.seed, 1.0 - params.confidence)
    artefacts.SCORES.write(stage, cells.to_dict("records"))
    artefacts.ERRORS.write(stage, losses)
    artefacts.PRODUCTS.write(stage, summed)
    artefacts.CLAIMS.write(stage, _plain(claimed))
    artefacts.SCORES_BY_CONDITION.write(stage, by_condition.to_dict("records"))
    return Scoring(cells, by_condition, losses, claimed, _thin(points))


def read_claims(source: Source) -> pd.DataFrame:
    """What was claimed, as `score` has stored it."""
    frame = pd.DataFrame(artefacts.CLAIMS.read(source))
    return frame.astype({"fold": "Int64", "horizon": "Int64"})


def forecast_rows(source: Source, bars: Bars, column: str = "forecast") -> dict[int, Series]:
    """(T,) out-of-sample innovation forecasts by horizon, in sigma; NaN elsewhere.

    ``column`` is ``forecast``, or another of ``training.PairResult.forecasts``.
    """
    return on_rows(artefacts.FORECASTS.read(source, pair=bars.pair), bars, column)


def on_rows(forecasts: pd.DataFrame, bars: Bars, column: str = "forecast") -> dict[int, Series]:
    """(T,) a column of ``training.PairResult.forecasts`` by horizon; NaN on other rows."""
    out = {}
    for horizon, rows in forecasts.groupby("horizon"):
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
            name: forecast_rows(stage, bars, name)
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
        longest = max(h + self.params.window(h) for h in self.params.horizons)
        daily = claims.daily_products(
            innovation,
            raw,
            fold=self.series["fold"][horizon],
            day=self.day // -(-longest // sessions.DAY),
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


def _planted(stage: Stage, bars: Bars) -> tuple[Series, Series] | None:
    """(T,) drift and decay of a planted market, None without one."""
    if artefacts.PLANTED.path() not in stage.inputs:
        return None
    drift, decay = artefacts.PLANTED.read(stage)[[bars.pair, "decay"]].reindex(bars.ts).to_numpy().T
    return drift, decay


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def _thin(points: list[Series]) -> Series:
    joined = np.concatenate(points)
    return joined[:: max(1, len(joined) // SHOWN)]


def _plain(frame: pd.DataFrame) -> list[dict[str, object]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
