"""What groups of columns add to a forecast: alone, and to all the others.

Every forecast is fitted anew on the columns that are left, the same way and on the same rows, so
that the difference of two is what the columns between them are worth.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.evaluation import inference, skill
from bqx.evaluation.inference import Interval

Matrix = NDArray[np.float32]
Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]
Fit = Callable[[Matrix, Vector, Matrix], Vector]
"""From (n, C) training columns, (n, H) labels and (m, C) test columns to (m, H) forecasts."""

ALL, SELECTED = "all candidates", "selected"


@dataclass(frozen=True, eq=False)
class PairRows:
    """Training and test rows of a pair, labels in sigma.

    ``x``, ``y`` : (n, C) and (n, H) of the training rows, labels finite; ``later_x``, ``later_y`` :
    (m, C) and (m, H) of the test rows; ``day`` : (m,) their trading days; ``selected`` : (C,)
    columns that selection chose on the training rows.
    """

    x: Matrix
    y: Vector
    later_x: Matrix
    later_y: Vector
    day: NDArray[np.int64]
    selected: Mask


def losses(pairs: Mapping[str, PairRows], columns: Callable[[PairRows], Mask], fit: Fit) -> Vector:
    """(D,) squared errors by day of forecasts from some columns, over all pairs and horizons.

    Days are those that any pair has, ascending. Without a column the forecast is 0.
    """
    days = np.unique(np.concatenate([rows.day for rows in pairs.values()]))
    total = np.zeros(len(days))
    for rows in pairs.values():
        mask = columns(rows)
        forecast = np.zeros_like(rows.later_y)
        if mask.any():
            forecast = fit(rows.x[:, mask], rows.y, rows.later_x[:, mask])
        # An absent label counts for nothing; an absent forecast would be a perfect one.
        errors = np.where(np.isfinite(rows.later_y), (rows.later_y - forecast) ** 2, 0.0).sum(
            axis=1
        )
        total += np.bincount(np.searchsorted(days, rows.day), errors, minlength=len(days))
    return total


def _always(mask: Mask) -> Callable[[PairRows], Mask]:
    return lambda rows: mask


def difference(
    better: Vector, worse: Vector, known: Vector, *, confidence: float, seed: int
) -> Interval:
    """Skill that one forecast has over another, with its interval over days.

    Parameters
    ----------
    better, worse, known : (D,) losses by day of both, and of the martingale forecast.
    """
    ends = inference.interval(worse - better, known, confidence, seed)
    value = float((worse.sum() - better.sum()) / known.sum())
    return Interval(value, ends.low, ends.high)


def ablate(
    pairs: Mapping[str, PairRows],
    groups: Mapping[str, Mask],
    fit: Fit,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Skill of all columns, of the selected ones, and of each group alone and taken away.

    Parameters
    ----------
    groups : (C,) columns of each group by its name.
    confidence : of the intervals; those of the groups hold together, see `skill.simultaneous`.

    Returns
    -------
    DataFrame : one row per set, `ALL` and `SELECTED` first: ``columns`` (mean over pairs),
        ``skill`` of the set alone, and ``adds``, what all columns have over those without the set
        (of `SELECTED` what they have over all), each with its interval.
    """
    any_pair = next(iter(pairs.values()))
    every = np.ones(any_pair.x.shape[1], np.bool_)
    known_loss, whole = (losses(pairs, _always(columns), fit) for columns in (~every, every))
    chosen = losses(pairs, lambda rows: rows.selected, fit)
    count = float(np.mean([rows.selected.sum() for rows in pairs.values()]))
    out = [
        {"set": ALL, "columns": len(every)}
        | skill.interval(whole, known_loss, confidence, seed).row("skill"),
        {"set": SELECTED, "columns": count}
        | skill.interval(chosen, known_loss, confidence, seed).row("skill")
        | difference(chosen, whole, known_loss, confidence=confidence, seed=seed).row("adds"),
    ]
    together = skill.simultaneous(confidence, max(len(groups), 1))
    for name, mask in groups.items():
        alone, without = (losses(pairs, _always(columns), fit) for columns in (mask, ~mask))
        out.append(
            {"set": name, "columns": int(mask.sum())}
            | skill.interval(alone, known_loss, together, seed).row("skill")
            | difference(whole, without, known_loss, confidence=together, seed=seed).row("adds")
        )
    return pd.DataFrame(out)
