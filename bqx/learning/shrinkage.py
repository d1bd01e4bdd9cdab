"""How much of a forecast is kept: what rows it has not seen say for it, and otherwise nothing.

A pair's forecasts must go with the labels, all horizons together, beyond what chance allows in the
whole family of pairs and folds. Where they do not, no share of them is kept, which leaves exactly
the martingale forecast. Where they do, each horizon keeps the share that the rows support.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Series = NDArray[np.float64]

FAMILY_ERROR = 0.05
"""Chance that a run without any signal lets a single pair and fold leave the martingale."""
BLOCK = 180
"""Rows whose products of forecast and label count as one observation: more than the minutes that
two labels share, so that blocks hardly depend on each other."""


@dataclass(frozen=True)
class Evidence:
    """What unseen rows say for the forecasts of one pair in one fold.

    ``t`` : statistic of all horizons together; ``critical`` : what it must exceed, NaN for a
    single block;
    ``betas`` : share of the forecast kept at each horizon, 0 to 1.
    """

    t: float
    critical: float
    betas: dict[int, float]


def _t(sums: NDArray[Any]) -> float:
    spread = float(np.std(sums, ddof=1)) if len(sums) > 1 else 0.0
    return float(np.mean(sums) / spread * np.sqrt(len(sums))) if spread > 0.0 else 0.0


def weigh(
    forecasts: Mapping[int, Series],
    labels: Mapping[int, Series],
    rows: NDArray[np.int64],
    tests: int,
) -> Evidence:
    """Weigh forecasts against labels that the model has not seen.

    The products of forecast and label are summed over blocks of three hours, and Student's t of
    the sums over all horizons is compared one-sidedly with its Bonferroni bound. A horizon keeps
    the regression slope of label on forecast, times ``1 - 1 / t²`` of its own t, between 0 and 1.

    Parameters
    ----------
    forecasts, labels : (n,) innovations by horizon; rows without a label are NaN.
    rows : (n,) ascending rows of the grid.
    tests : number of such tests in the run, among which `FAMILY_ERROR` is shared.
    """
    _, block = np.unique(rows // BLOCK, return_inverse=True)
    together = np.zeros(block.max() + 1)
    betas = {}
    for horizon, forecast in forecasts.items():
        label = labels[horizon]
        finite = np.isfinite(label)
        sums = np.bincount(block[finite], (forecast * label)[finite], len(together))
        power = float(np.sum(forecast[finite] ** 2))
        t = _t(sums)
        certain = max(1.0 - 1.0 / t**2, 0.0) if t > 0.0 else 0.0
        betas[horizon] = min(float(sums.sum()) / power * certain, 1.0) if certain else 0.0
        if power > 0.0:
            together += sums / np.sqrt(power * np.sum(label[finite] ** 2))
    t = _t(together)
    if len(together) < 2:
        return Evidence(0.0, float("nan"), dict.fromkeys(betas, 0.0))
    critical = float(stats.t.isf(FAMILY_ERROR / tests, len(together) - 1))
    return Evidence(t, critical, betas if t > critical else dict.fromkeys(betas, 0.0))
