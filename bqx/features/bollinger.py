"""Bollinger bands: two standard deviations (ddof 0) around the trailing mean."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features.rolling import extremes, mean_std
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]

WIDTH = 2.0
"""Standard deviations between the middle and a band."""


@njit(cache=True, error_model="numpy")
def bands(x: F, first_minute: int, window: int) -> F:
    """Bands of each window: (T, 4) upper, middle, lower, percent_b.

    ``percent_b`` is 0 on the lower band, 1 on the upper one, and 0.5 in a flat window.
    """
    rows = len(x)
    out = np.full((rows, 4), np.nan)
    mean, std = mean_std(x, window, first_minute, 0)
    top, bottom = extremes(x, x, window, first_minute)
    for row in range(rows):
        if np.isnan(mean[row]):
            continue
        flat = top[row] == bottom[row]
        middle = x[row] if flat else mean[row]
        reach = 0.0 if flat else WIDTH * std[row]
        out[row, 0] = middle + reach
        out[row, 1] = middle
        out[row, 2] = middle - reach
        out[row, 3] = 0.5 if flat else 0.5 + (x[row] - middle) / (2.0 * reach)
    return out


@njit(cache=True, error_model="numpy")
def relative_bandwidth(x: F, first_minute: int, window: int) -> F:
    """Distance between the bands over the middle: (T, 1); 0.04 is four percent."""
    mean, std = mean_std(x, window, first_minute, 0)
    return (2.0 * WIDTH * std / mean).reshape(-1, 1)


@njit(cache=True, error_model="numpy")
def bandwidth(x: F, first_minute: int, window: int) -> F:
    """Distance between the bands: (T, 1)."""
    std = mean_std(x, window, first_minute, 0)[1]
    return (2.0 * WIDTH * std).reshape(-1, 1)


_MEAN = "{s}_moments_mean_w{0}"
_STD = "{s}_moments_std_w{0}"
_WINDOWS = ((20,), (50,))

FAMILIES = (
    Family(
        "bollinger",
        "bollinger",
        bands,
        {
            "upper": Output("{u}", alias="bb_upper_{0}", spanned_by=(_MEAN, _STD)),
            "middle": Output("{u}", alias="bb_middle_{0}", spanned_by=(_MEAN,)),
            "lower": Output("{u}", alias="bb_lower_{0}", spanned_by=(_MEAN, _STD)),
            "percent_b": Output(
                "1", alias="bb_percent_b_{0}", spanned_by=("{s}_moments_z_score_w{0}",)
            ),
        },
        _WINDOWS,
        (RATE, BQX),
        "bands of the trailing window, current row included",
    ),
    Family(
        "bollinger",
        "bollinger",
        relative_bandwidth,
        {"bandwidth": Output("1", 0.0, alias="bb_bandwidth_{0}")},
        _WINDOWS,
        (RATE,),
        "(upper - lower) / middle",
    ),
    Family(
        "bollinger",
        "bollinger",
        bandwidth,
        {"bandwidth": Output("{u}", 0.0, alias="bb_bandwidth_{0}", spanned_by=(_STD,))},
        _WINDOWS,
        (BQX,),
        "upper - lower, because the middle crosses zero",
    ),
)
