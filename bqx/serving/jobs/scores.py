"""What the forecasts of a training job are worth on its test rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bqx.evaluation import skill
from bqx.learning import samples
from bqx.learning.training import PairResult
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params

OF = {
    "r2": "r2",
    "mae": "mae",
    "directional_accuracy": "direction",
    "skill": "skill",
    "known_r2": "known_r2",
}
"""Values of a score behind the metrics, by name."""


def by_horizon(bars: Bars, result: PairResult, params: Params) -> dict[int, dict[str, Any]]:
    """Scores of a pair's forecasts by horizon, each beside the martingale's own."""
    day = sessions.trading_days(bars.minutes)
    out = {}
    for horizon, target in samples.targets_of(bars, params).items():
        rows = result.forecasts[result.forecasts["horizon"] == horizon]
        innovation = np.full(len(bars), np.nan)
        innovation[bars.ts.get_indexer(rows["ts_utc"])] = rows["forecast"]
        score = skill.score(
            target.label(params.target),
            target.from_innovation(innovation, params.target),
            target.martingale_of(params.target),
            sigma=1.0 if params.target == "scaled" else target.sigma,
            day=day,
            window=target.window,
            horizon=horizon,
            confidence=params.confidence,
            seed=params.seed,
        )
        out[horizon] = score.row()
    return out


def means(result: PairResult, scored: Mapping[int, Mapping[str, Any]]) -> dict[str, float]:
    """The metrics of a job: means over the horizons that have a value, NaN where none has."""
    errors = result.fits[-1].validated[["loss", "known_loss"]].sum()
    values = {name: _mean([row[key] for row in scored.values()]) for name, key in OF.items()}
    return values | {"validation_skill": float(1.0 - errors["loss"] / errors["known_loss"])}


def _mean(values: list[float | None]) -> float:
    finite = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
