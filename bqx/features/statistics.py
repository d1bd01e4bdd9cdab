"""Moments and extremes of trailing windows."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features.rolling import extremes, power_sums
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def moments(x: F, first_minute: int, window: int) -> F:
    """Eight statistics of each window: (T, 8) mean, std, skew, kurt, min, max, range, z_score.

    Standard deviation with ddof 1; skewness and excess kurtosis bias-adjusted as in pandas.
    A flat window has deviation 0 and no skewness, kurtosis or score.
    """
    rows = len(x)
    out = np.full((rows, 8), np.nan)
    sums = power_sums(x, window, first_minute)
    top, bottom = extremes(x, x, window, first_minute)
    n = float(window)
    for row in range(rows):
        p1, p2, p3, p4, r = sums[row]
        if np.isnan(p1):
            continue
        d = p1 / n
        out[row, 0] = r + d
        out[row, 4] = bottom[row]
        out[row, 5] = top[row]
        out[row, 6] = top[row] - bottom[row]
        if top[row] == bottom[row]:
            out[row, 0] = x[row]
            out[row, 1] = 0.0
            continue
        m2 = p2 / n - d * d
        m3 = p3 / n - 3.0 * d * p2 / n + 2.0 * d * d * d
        m4 = p4 / n - 4.0 * d * p3 / n + 6.0 * d * d * p2 / n - 3.0 * d * d * d * d
        std = np.sqrt(m2 * n / (n - 1.0))
        out[row, 1] = std
        out[row, 2] = np.sqrt(n * (n - 1.0)) / (n - 2.0) * m3 / (m2 * np.sqrt(m2))
        excess = (n + 1.0) * m4 / (m2 * m2) - 3.0 * (n - 1.0)
        out[row, 3] = (n - 1.0) / ((n - 2.0) * (n - 3.0)) * excess
        out[row, 7] = ((x[row] - r) - d) / std
    return out


def _alias(metric: str) -> str:
    return metric + "_{0}"


FAMILIES = (
    Family(
        "moments",
        "statistics",
        moments,
        {
            "mean": Output("{u}", alias=_alias("mean")),
            "std": Output("{u}", 0.0, alias=_alias("std"), about="standard deviation, ddof 1"),
            "skew": Output("1", alias=_alias("skew"), about="skewness, bias-adjusted"),
            "kurt": Output("1", alias=_alias("kurt"), about="excess kurtosis, bias-adjusted"),
            "min": Output("{u}", alias=_alias("min")),
            "max": Output("{u}", alias=_alias("max")),
            "range": Output(
                "{u}",
                0.0,
                alias=_alias("range"),
                spanned_by=("{s}_moments_max_w{0}", "{s}_moments_min_w{0}"),
                about="max - min",
            ),
            "z_score": Output("1", alias=_alias("z_score"), about="(x - mean) / std"),
        },
        ((20,), (50,), (120,)),
        (RATE, BQX),
        "statistics of the trailing window, current row included",
    ),
)
