"""What a run could have seen: the smallest skill that it would have claimed four times in five."""

from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq

from bqx.evaluation import claims

POWER = 0.8
"""Chance with which the smallest skill would have been claimed."""


def smallest_skill(
    bound: float, days: int, *, noise: float, signal: float, power: float = POWER
) -> float | None:
    """Skill, as a share of the innovation's variance in sigma, that a test rejects so often.

    A forecast of correlation ``r`` with every label has the skill ``r**2`` once it is scaled as it
    should be, and adds ``r * signal`` to the sum over days, whose standard deviation is ``noise``.
    As slow as the run's own forecasts are, as alike as its pairs and horizons are: both are those
    of the run's days.

    Parameters
    ----------
    bound : of `claims.statistic`, which is Student's t in another unit.
    noise : root of the summed squares of the sums by day about their mean.
    signal : what the sums of a forecast of correlation 1 would add up to.

    Returns None where so few days reject nothing, or without any forecast.
    """
    if bound * bound >= days or signal <= 0.0 or noise <= 0.0:
        return None
    freedom = days - 1
    student = bound * sqrt(freedom / (days - bound * bound))
    shift = brentq(lambda x: stats.nct.sf(student, freedom, x) - power, 0.0, 10.0 + 10.0 * student)
    correlation = shift * sqrt(days / freedom) * noise / signal
    return min(float(correlation * correlation), 1.0)


def statement(claimed: pd.DataFrame) -> dict[str, Any]:
    """The smallest skill that a run would have claimed: of all it has, in a fold, by horizon.

    Parameters
    ----------
    claimed : see `claims.claim`.

    Returns
    -------
    dict : ``power``, the chance; ``run``, all folds, pairs and horizons together; ``fold``, all
        pairs and horizons of a fold; ``horizons``, all pairs of a fold at one horizon, by horizon.
        Folds by their median. None where nothing would have been.
    """

    def median(rows: pd.DataFrame) -> float | None:
        columns = (rows[name] for name in ("bound", "days", "noise", "signal"))
        smallest = [
            smallest_skill(bound, days, noise=noise, signal=signal)
            for bound, days, noise, signal in zip(*columns, strict=True)
        ]
        values = [skill for skill in smallest if skill is not None]
        return float(np.median(values)) if values else None

    of_level = dict(list(claimed.groupby("level")))
    horizons = of_level[claims.HORIZON].groupby("horizon")
    return {
        "power": POWER,
        "run": median(of_level[claims.RUN]),
        "fold": median(of_level[claims.FOLD]),
        "horizons": {str(horizon): median(rows) for horizon, rows in horizons},
    }
