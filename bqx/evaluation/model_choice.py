"""Which model to use: by the documents' margins, and by what the rows out of sample support.

A more complex model displaces a simpler one only where it saves squared error beyond what the best
of all trials would by chance. So the simplest model within the noise stays, and without any
evidence that is the martingale forecast.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bqx.evaluation import skill

Series = NDArray[np.float64]

OVER_BOOSTING = 0.04
"""R² by which the documents want the transformer to beat boosting."""
OVER_BASE = 0.02
"""R² by which they want stacking to beat its best member."""
MOST_ALIKE = 0.85
"""Correlation of the members' forecasts from which they want none."""


@dataclass(frozen=True)
class Step:
    """A model against the best of the simpler ones.

    ``gain`` : its skill over that one, with its interval ``low, high`` (None below two days).
    ``wins`` : whether it displaces it.
    """

    model: str
    over: str
    gain: float | None
    low: float | None
    high: float | None
    wins: bool


def honest(
    losses: Mapping[str, Series],
    known: Series,
    trials: int,
    *,
    confidence: float,
    seed: int,
    base: str = "martingale",
) -> tuple[str, tuple[Step, ...]]:
    """The simplest model within the noise, and the steps that led to it.

    Parameters
    ----------
    losses : (d,) squared errors by block of days, by model, the simpler first.
    known : (d,) those of ``base``, the forecast that stays where nothing displaces it.
    trials : all that were tried on these rows; each interval holds together with so many others.
    confidence : of all intervals together.
    """
    best, standard, steps = base, known, []
    confidence = skill.simultaneous(confidence, max(trials, 1))
    for model, loss in losses.items():
        gain = skill.interval(loss, standard, confidence, seed)
        wins = gain.above_zero
        steps.append(Step(model, best, gain.value, gain.low, gain.high, wins))
        if wins:
            best, standard = model, loss
    return best, tuple(steps)


def documented(r2: Mapping[str, float], alike: float | None) -> str | None:
    """The documents' choice from R² by model; None where they name no rule for these models.

    Boosting, unless the transformer beats it by `OVER_BOOSTING`; stacking, or the ensemble, where
    its members' forecasts correlate below `MOST_ALIKE` and it gains `OVER_BASE` on the better one.
    Their first branch, boosting where it beats the forest by 0.03, has the outcome of their last
    one, so that the forest is never chosen.

    Parameters
    ----------
    alike : correlation of the members' forecasts, None where they are unknown.

    >>> documented({"forest": 0.50, "xgboost": 0.54}, None)
    'xgboost'
    >>> documented({"forest": 0.50, "xgboost": 0.40, "stacking": 0.55}, 0.9)
    'xgboost'
    >>> documented({"forest": 0.50, "xgboost": 0.54, "tft": 0.59}, None)
    'tft'
    """
    if not {"forest", "xgboost"} <= set(r2):
        return None
    chosen, best = "xgboost", max(r2["forest"], r2["xgboost"])
    if r2.get("tft", -np.inf) > r2["xgboost"] + OVER_BOOSTING:
        chosen, best = "tft", max(best, r2["tft"])
    for joined in ("ensemble", "stacking"):
        apart = alike is not None and alike < MOST_ALIKE
        if apart and r2.get(joined, -np.inf) > best + OVER_BASE:
            chosen, best = joined, r2[joined]
    return chosen
