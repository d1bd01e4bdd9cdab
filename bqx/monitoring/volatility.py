"""Whether a day's volatility stepped away from that of the day before it.

Volatility wanders by itself: day follows day, and hour follows hour. A step at the start of a day
is therefore measured hour by hour, with the weights that their autocovariance in the baseline makes
best (generalised least squares), and is judged by how far such steps went in the baseline, where
none was planted.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import toeplitz

Series = NDArray[np.float64]

HOURS = 24
LEAST = 12
"""Fewest hours of a day by which it is judged."""


class Steps:
    """Steps of the log volatility of a panel's days.

    Parameters
    ----------
    hours : (N,) market hours; level : (N,) mean log range of the panel in each, the baseline's.
    """

    def __init__(self, hours: NDArray[np.int64], level: Series) -> None:
        self._season = np.zeros(HOURS)
        by_hour = pd.Series(level).groupby(hours % HOURS).mean()
        self._season[by_hour.index] = by_hour.to_numpy()
        grid = np.full((hours[-1] // HOURS - hours[0] // HOURS + 1, HOURS), np.nan)
        grid[hours // HOURS - hours[0] // HOURS, hours % HOURS] = level
        grid -= self._season
        lags = 2 * HOURS
        flat = grid.ravel()
        covariance = np.array(
            [np.nanmean(flat[: len(flat) - lag] * flat[lag:]) for lag in range(lags)]
        )
        # Few days tell little of long lags: they are shrunk, which keeps the matrix positive.
        self._covariance = toeplitz(covariance * (1 - np.arange(lags) / (4 * lags)))
        self._covariance += 0.02 * covariance[0] * np.eye(lags)
        steps = [self._step(*grid[day - 1 : day + 1]) for day in range(1, len(grid))]
        self.baseline = np.array([step for step in steps if np.isfinite(step)])
        """(D,) steps of the baseline's days."""

    def step(self, before: Series, day: Series) -> float:
        """Step at the start of a day, in log volatility; NaN for too few hours.

        Parameters
        ----------
        before, day : (24,) mean log range by hour of the day, NaN where there is none.
        """
        return self._step(before - self._season, day - self._season)

    def _step(self, before: Series, day: Series) -> float:
        values = np.concatenate((before, day))
        finite = np.isfinite(values)
        if finite[HOURS:].sum() < LEAST:
            return np.nan
        stepped = np.repeat((0.0, 1.0), HOURS)[finite]
        weights = np.linalg.solve(self._covariance[np.ix_(finite, finite)], stepped)
        return float(weights @ values[finite] / (weights @ stepped))
