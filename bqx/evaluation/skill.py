"""Skill against the martingale forecast, beside what the martingale forecast scores itself."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from bqx.evaluation import inference
from bqx.market import sessions

Series = NDArray[np.float64]
Rows = NDArray[np.int64]

EVERYTHING = "all"
"""Name of the condition that every row meets, and of its value."""


@dataclass(frozen=True)
class Score:
    """A forecast beside the martingale forecast; None where a value does not exist.

    Each ``lo`` and ``hi`` is the interval of the value before it, None below two blocks of days.

    ``rows``, ``days`` : scored rows and the trading days they lie in.
    ``r2``, ``mae``, ``direction`` : of the forecast; ``known_r2``, ``known_mae``,
        ``martingale_direction`` : of the martingale forecast. A direction is the share of rows
        where the signs agree, rows left out where either is 0; None where all are.
    ``ic`` : information coefficient, the rank correlation of what forecast and target add to the
        martingale forecast, whose own is 0; ``ic_t``, ``ic_p`` : its test, see `inference.ic_test`.
    ``skill`` : 1 - MSE(forecast) / MSE(martingale).
    ``dm``, ``dm_p`` : Diebold-Mariano statistic, positive where the forecast is better, and its
        two-sided p-value; None where both forecasts always err alike.
    ``effective_rows`` : rows worth as much as ``rows`` overlapping ones.
    ``zeros`` : rows whose target is exactly 0.
    """

    rows: int
    days: int
    r2: float | None = None
    r2_lo: float | None = None
    r2_hi: float | None = None
    known_r2: float | None = None
    mae: float | None = None
    mae_lo: float | None = None
    mae_hi: float | None = None
    known_mae: float | None = None
    direction: float | None = None
    direction_lo: float | None = None
    direction_hi: float | None = None
    martingale_direction: float | None = None
    ic: float | None = None
    ic_lo: float | None = None
    ic_hi: float | None = None
    ic_t: float | None = None
    ic_p: float | None = None
    skill: float | None = None
    skill_lo: float | None = None
    skill_hi: float | None = None
    dm: float | None = None
    dm_p: float | None = None
    effective_rows: float = 0.0
    zeros: int = 0


def score(
    y: Series,
    forecast: Series,
    martingale: Series,
    day: Rows,
    window: int,
    horizon: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> Score:
    """Score a forecast of a target of (window, horizon); rows with a NaN are left out.

    Parameters
    ----------
    y, forecast, martingale : (n,) in order of time, all of one kind and in its unit.
    day : (n,) trading day of each row.
    window, horizon : rows; labels ``window + horizon`` apart share nothing.
    confidence : of the two-sided intervals; see `simultaneous` for many cells.
    seed : of the bootstrap.
    """
    valid = np.isfinite(y) & np.isfinite(forecast) & np.isfinite(martingale)
    target, made, known = y[valid], forecast[valid], martingale[valid]
    rows = len(target)
    if rows == 0:
        return Score(rows=0, days=0)
    present, position = np.unique(day[valid], return_inverse=True)
    block = position // -(-(window + horizon) // sessions.DAY)
    loss, known_loss, off = (target - made) ** 2, (target - known) ** 2, np.abs(target - made)
    spread = (target - target.mean()) ** 2
    signed = (target != 0) & (made != 0)
    ranks = _ranks(made - known) * _ranks(target - known)
    # Each value is a ratio of two sums over rows; then its least and its largest value.
    ratios: dict[str, tuple[NDArray[Any], NDArray[Any], float, float]] = {
        "r2": (spread - loss, spread, -np.inf, 1.0),
        "mae": (off, np.ones(rows), 0.0, np.inf),
        "direction": (signed & (np.sign(target) == np.sign(made)), signed, 0.0, 1.0),
        "ic": (ranks, np.full(rows, ranks.any()), -1.0, 1.0),
        "skill": (known_loss - loss, known_loss, -np.inf, 1.0),
    }
    found: dict[str, float | None] = {}
    for name, (part, whole, least, largest) in ratios.items():
        parts, wholes = (
            np.bincount(block, weights=each).astype(np.float64) for each in (part, whole)
        )
        low, high = inference.interval(parts, wholes, confidence, seed)
        found[name] = _ratio(part, whole)
        found[f"{name}_lo"] = None if low is None else max(low, least)
        found[f"{name}_hi"] = None if high is None else min(high, largest)
    gain = np.zeros(len(y))
    gain[valid] = known_loss - loss
    found["dm"], found["dm_p"] = inference.diebold_mariano(gain, valid, window + horizon)
    found["ic_t"], found["ic_p"] = inference.ic_test(ranks, block)
    return Score(
        rows=rows,
        days=len(present),
        known_r2=_ratio(spread - known_loss, spread),
        known_mae=float(np.abs(target - known).mean()),
        martingale_direction=agreement(target, known),
        effective_rows=rows / overlap(window, horizon),
        zeros=int((target == 0).sum()),
        **found,
    )


def by_condition(
    pair: str,
    y: Series,
    forecast: Series,
    martingale: Series,
    day: Rows,
    conditions: Mapping[str, NDArray[np.str_]],
    window: int,
    horizon: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores under every condition and over all rows.

    Parameters
    ----------
    conditions : (n,) value of each kind of condition on each row, empty where it has none, as
        `conditions.label` gives them.
    y, forecast, martingale, day, window, horizon, confidence, seed : as for `score`.

    Returns
    -------
    DataFrame : a row a value of a condition: pair, horizon, condition, value and those of `Score`;
        ``all``, ``all`` first.
    """
    return pd.DataFrame(
        [
            {"pair": pair, "horizon": horizon, "condition": kind, "value": value}
            | asdict(
                score(
                    np.where(rows, y, np.nan), forecast, martingale, day, window, horizon,
                    confidence, seed,
                )
            )
            for kind, value, rows in parts(conditions, len(y))
        ]
    )  # fmt: skip


def parts(
    conditions: Mapping[str, NDArray[np.str_]], rows: int
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Every kind of condition and its value with the (rows,) rows that meet it, all rows first."""
    yield EVERYTHING, EVERYTHING, np.ones(rows, dtype=np.bool_)
    for kind, values in conditions.items():
        for value in np.unique(values):
            if value:
                yield kind, str(value), values == value


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> float | None:
    return float(part.sum() / whole.sum()) if whole.sum() > 0 else None


def _ranks(x: Series) -> Series:
    """Ranks less their mean, in standard deviations; 0 where all are the same."""
    ranks = stats.rankdata(x)
    ranks -= ranks.mean()
    return ranks / max(float(ranks.std()), np.finfo(np.float64).tiny)


def agreement(y: Series, forecast: Series) -> float | None:
    """Share of rows where the signs agree, without those where either is 0; None if all are."""
    used = (y != 0) & (forecast != 0)
    return _ratio(used & (np.sign(y) == np.sign(forecast)), used)


def interval(
    loss: Series, known_loss: Series, confidence: float, seed: int
) -> tuple[float, float] | tuple[None, None]:
    """Two-sided interval of skill from the squared errors summed by block; never above 1.

    Parameters
    ----------
    loss, known_loss : (b,) sums of squared errors of the forecast and of the martingale forecast.

    Returns None, None below two blocks or where the martingale forecast has no error.
    """
    low, high = inference.interval(known_loss - loss, known_loss, confidence, seed)
    return (None, None) if low is None or high is None else (low, min(high, 1.0))


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
