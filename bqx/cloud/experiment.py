"""Whether a canary forecasts better than what it is tried against: a decision by interval.

Losses of a day depend on each other, so a day is one observation: the canary's mean loss less that
of the other, of the requests that each answered. The interval of the mean over days holds at all
days together, not at one that was fixed before: an experiment may be looked at every day and ended
as soon as the interval leaves 0.

Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Time-uniform central limit theory
and asymptotic confidence sequences, Theorem 2.2.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
LEAST_DAYS = 20
"""Days before which nothing is decided: the interval rests on a normal approximation."""
PLANNED_DAYS = 60
"""Days at which the interval is narrowest beside one for a day fixed before."""

Choice = Literal["canary", "stable", "undecided"]


@dataclass(frozen=True)
class Decision:
    """``difference`` : mean over days of the canary's loss less the other's, with the ends of its
    interval, NaN before `LEAST_DAYS`; ``days`` : on which both answered."""

    choice: Choice
    difference: float
    low: float
    high: float
    days: int


def decide(
    days: NDArray[np.int64],
    is_canary: NDArray[np.bool_],
    losses: NDArray[np.float64],
    *,
    confidence: float = CONFIDENCE,
) -> Decision:
    """Decide between the two from (n,) losses of requests, NaN where no label is known yet."""
    known = np.isfinite(losses)
    days, is_canary, losses = days[known], is_canary[known], losses[known]
    daily = np.array(
        [
            losses[own & is_canary].mean() - losses[own & ~is_canary].mean()
            for day in np.unique(days)
            for own in [days == day]
            if (own & is_canary).any() and (own & ~is_canary).any()
        ]
    )
    if len(daily) < LEAST_DAYS:
        mean = float(daily.mean()) if len(daily) else float("nan")
        return Decision("undecided", mean, float("nan"), float("nan"), len(daily))
    mean, half_width = float(daily.mean()), _half_width(daily, 1.0 - confidence)
    low, high = mean - half_width, mean + half_width
    choice: Choice = "canary" if high < 0.0 else "stable" if low > 0.0 else "undecided"
    return Decision(choice, mean, low, high, len(daily))


def _half_width(daily: NDArray[np.float64], error: float) -> float:
    """Half-width of the interval at the last of some days, which holds at all of them."""
    log_error = -2.0 * np.log(error)
    rho = (log_error + np.log(log_error) + 1.0) / PLANNED_DAYS
    spread = len(daily) * rho + 1.0
    bound = 2.0 * spread / (len(daily) ** 2 * rho) * np.log(np.sqrt(spread) / error)
    return float(daily.std(ddof=1) * np.sqrt(bound))
