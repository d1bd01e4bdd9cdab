"""Skill against the martingale forecast, beside what the martingale forecast scores itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bqx.evaluation import inference
from bqx.evaluation.inference import Interval
from bqx.market import sessions

Series = NDArray[np.float64]
Rows = NDArray[np.int64]

EVERYTHING = "all"
"""Name of the condition that every row meets, and of its value."""
INTERVALS = ("r2", "mae", "direction", "ic", "skill", "bqx_skill")
"""Values of a score that have an interval."""
ABSENT = Interval()


@dataclass(frozen=True)
class Score:
    """A forecast beside the martingale forecast; None where a value does not exist.

    ``rows``, ``days`` : scored rows and the trading days they lie in.
    ``r2``, ``mae``, ``direction`` : of the forecast; ``known_r2``, ``known_mae``,
        ``martingale_direction`` : of the martingale forecast. A direction is the share of rows
        where the signs agree, rows left out where either is 0; None where all are.
    ``ic`` : information coefficient, the rank correlation of what forecast and target add to the
        martingale forecast, in sigma; ``ic_t``, ``ic_p`` : its test, see `inference.ic_test`.
    ``skill`` : 1 - MSE(forecast) / MSE(martingale) of errors in sigma, as models learn them;
        ``bqx_skill`` : that of errors in units of BQX, where a few volatile days decide.
    ``dm``, ``dm_p`` : Diebold-Mariano statistic of the errors in sigma, positive where the forecast
        is better, and its two-sided p-value; None where both forecasts always err alike.
    ``effective_rows`` : rows worth as much as ``rows`` overlapping ones.
    ``zeros`` : rows whose target is exactly 0.
    """

    rows: int
    days: int
    r2: Interval = ABSENT
    known_r2: float | None = None
    mae: Interval = ABSENT
    known_mae: float | None = None
    direction: Interval = ABSENT
    martingale_direction: float | None = None
    ic: Interval = ABSENT
    ic_t: float | None = None
    ic_p: float | None = None
    skill: Interval = ABSENT
    bqx_skill: Interval = ABSENT
    dm: float | None = None
    dm_p: float | None = None
    effective_rows: float = 0.0
    zeros: int = 0

    def row(self) -> dict[str, Any]:
        """Values by name, the ends of each interval under ``_lo`` and ``_hi``."""
        out: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values = value.row(field.name) if field.name in INTERVALS else {field.name: value}
            out |= values
        return out


def score(
    y: Series,
    forecast: Series,
    martingale: Series,
    *,
    sigma: Series | float,
    day: Rows,
    window: int,
    horizon: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> Score:
    """Score a forecast of a target of (window, horizon); rows with a NaN are left out.

    ``y``, ``forecast``, ``martingale`` : (n,) in order of time, all of one kind and in its unit;
    ``sigma`` : (n,) or one number, what a sigma is in that unit, see `targets.Target`; ``day`` :
    (n,) trading day of each row; ``window``, ``horizon`` : rows, labels whose sum apart share
    nothing; ``confidence`` : of the intervals, see `simultaneous` for many cells.
    """
    innovation, view = (y - martingale) / sigma, (forecast - martingale) / sigma
    gain = view * (2.0 * innovation - view)
    valid = np.isfinite(gain)
    if not valid.any():
        return Score(rows=0, days=0)
    columns = (y, forecast, martingale, innovation, view)
    target, predicted, martingale_part, innovation, view = (column[valid] for column in columns)
    present, position = np.unique(day[valid], return_inverse=True)
    block = sessions.joined_days(position, window + horizon)
    loss, known_loss = (target - predicted) ** 2, (target - martingale_part) ** 2
    spread = (target - target.mean()) ** 2
    products = _ranks(view) * _ranks(innovation)
    ratio = partial(_interval, block=block, confidence=confidence, seed=seed)
    return Score(
        rows=len(target),
        days=len(present),
        r2=ratio(spread - loss, spread, -np.inf, 1.0),
        known_r2=_ratio(spread - known_loss, spread),
        mae=ratio(np.abs(target - predicted), np.ones(len(target)), 0.0, np.inf),
        known_mae=float(np.abs(target - martingale_part).mean()),
        direction=ratio(*_agreement(target, predicted), 0.0, 1.0),
        martingale_direction=agreement(target, martingale_part),
        ic=ratio(products, np.full(len(target), products.any()), -1.0, 1.0),
        skill=ratio(gain[valid], innovation**2, -np.inf, 1.0),
        bqx_skill=ratio(known_loss - loss, known_loss, -np.inf, 1.0),
        **_tests(gain, window + horizon, products, block),
        effective_rows=len(target) / overlap(window, horizon),
        zeros=int((target == 0).sum()),
    )


def _tests(gain: Series, lag: int, products: Series, block: Rows) -> dict[str, float | None]:
    """Diebold-Mariano test of the (n,) gain, NaN where there is none, and that of the IC."""
    dm, dm_p = inference.diebold_mariano(gain, np.isfinite(gain), lag)
    ic_t, ic_p = inference.ic_test(products, block)
    return {"dm": dm, "dm_p": dm_p, "ic_t": ic_t, "ic_p": ic_p}


def by_condition(
    pair: str,
    y: Series,
    forecast: Series,
    *,
    conditions: Mapping[str, NDArray[np.str_]],
    horizon: int,
    **rest: Any,
) -> pd.DataFrame:
    """Scores under every condition and over all rows.

    Parameters
    ----------
    conditions : (n,) value of each kind of condition on each row, empty where it has none, as
        `conditions.label` gives them.
    y, forecast, horizon, rest : as for `score`.

    Returns
    -------
    DataFrame : one row per value of a condition: pair, horizon, condition, value and those of
        `Score`; ``all``, ``all`` first.
    """
    return pd.DataFrame(
        [
            {"pair": pair, "horizon": horizon, "condition": kind, "value": value}
            | score(np.where(rows, y, np.nan), forecast, horizon=horizon, **rest).row()
            for kind, value, rows in parts(conditions, len(y))
        ]
    )


def parts(
    conditions: Mapping[str, NDArray[np.str_]], rows: int
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Every kind of condition and its value with the (rows,) rows that meet it, all rows first."""
    yield EVERYTHING, EVERYTHING, np.ones(rows, dtype=np.bool_)
    for kind, values in conditions.items():
        for value in np.unique(values):
            if value:
                yield kind, str(value), values == value


def _interval(
    part: NDArray[Any],
    whole: NDArray[Any],
    least: float,
    largest: float,
    *,
    block: Rows,
    confidence: float,
    seed: int,
) -> Interval:
    """Ratio of two sums over rows with its interval, which lies between two bounds."""
    parts, wholes = (np.bincount(block, weights=x).astype(np.float64) for x in (part, whole))
    ends = inference.interval(parts, wholes, confidence, seed)
    return replace(ends, value=_ratio(part, whole)).within(least, largest)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> float | None:
    return float(part.sum() / whole.sum()) if whole.sum() > 0 else None


def information_coefficient(innovation: Series, forecast: Series) -> float | None:
    """Rank correlation of labels and forecasts, both in sigma; None where either is constant.

    Parameters
    ----------
    innovation, forecast : (n,), rows with a NaN are left out.
    """
    valid = np.isfinite(innovation) & np.isfinite(forecast)
    products = _ranks(innovation[valid]) * _ranks(forecast[valid])
    return float(products.mean()) if products.any() else None


def _ranks(x: Series) -> Series:
    """Ranks less their mean, in standard deviations; 0 where all are the same."""
    ranks = stats.rankdata(x)
    ranks -= ranks.mean()
    return ranks / max(float(ranks.std()), np.finfo(np.float64).tiny)


def agreement(y: Series, forecast: Series) -> float | None:
    """Share of rows where the signs agree, without those where either is 0; None if all are."""
    return _ratio(*_agreement(y, forecast))


def _agreement(y: Series, forecast: Series) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows where the signs agree, and those where both have one."""
    signed = (y != 0) & (forecast != 0)
    return signed & (np.sign(y) == np.sign(forecast)), signed


def interval(loss: Series, known_loss: Series, confidence: float, seed: int) -> Interval:
    """Skill with its two-sided interval, never above 1, from squared errors summed by block.

    Parameters
    ----------
    loss, known_loss : (b,) sums of squared errors of the forecast and of the martingale forecast.

    There are no ends below two blocks or where the martingale forecast has no error.
    """
    ends = inference.interval(known_loss - loss, known_loss, confidence, seed)
    return replace(ends, value=float(1.0 - loss.sum() / known_loss.sum())).within(-np.inf, 1.0)


def overlap(window: int, horizon: int) -> float:
    """Rows of overlapping labels that tell a mean as much as one independent row.

    The innovation weighs the last ``min(window, horizon)`` returns before t+h by window,
    window - 1, ...; on a martingale its autocorrelations add up to this.

    >>> round(overlap(15, 75), 1), round(overlap(75, 75), 1)
    (11.6, 56.6)
    """
    weights = np.arange(window - min(window, horizon) + 1, window + 1, dtype=np.float64)
    return float(weights.sum() ** 2 / (weights**2).sum())


def simultaneous(confidence: float, cells: int) -> float:
    """Confidence of each of many intervals that all hold together with ``confidence``.

    Bonferroni's, since pairs and horizons depend on each other in unknown ways.

    >>> round(simultaneous(0.95, 140), 5)
    0.99964
    """
    return 1.0 - (1.0 - confidence) / cells
