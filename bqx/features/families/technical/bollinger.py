"""Bollinger bands: two standard deviations (ddof 0) around the trailing mean."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F, extremes, mean_std
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

WIDTH = 2.0
"""Standard deviations between the middle and a band."""

SLOPE_ROWS = 5
"""Rows over which the slope of the upper band is taken."""


@kernel
def bands(x: F, first_minute: int, window: int) -> F:
    """Bands of each window: (T, 4) upper, middle, lower, percent_b.

    ``percent_b`` is 0 on the lower band, 1 on the upper one, and 0.5 in a flat window.
    """
    rows = len(x)
    out = np.empty((4, rows))
    mean, std = mean_std(x, window, first_minute, 0)
    top, bottom = extremes(x, x, window)
    for row in range(rows):
        now = x[row]
        flat = top[row] == bottom[row]
        middle = now if flat else mean[row]
        half_width = 0.0 if flat else WIDTH * std[row]
        percent_b = 0.5 + (now - middle) / (2.0 * half_width)
        out[0, row], out[1, row], out[2, row] = middle + half_width, middle, middle - half_width
        out[3, row] = 0.5 if flat else percent_b
    return out.T


@kernel
def relative_bandwidth(x: F, first_minute: int, window: int) -> F:
    """Distance between the bands over the middle: (T, 1); 0.04 is four percent."""
    mean, std = mean_std(x, window, first_minute, 0)
    return (2.0 * WIDTH * std / mean).reshape(-1, 1)


@kernel
def bandwidth(x: F, first_minute: int, window: int) -> F:
    """Distance between the bands: (T, 1)."""
    std = mean_std(x, window, first_minute, 0)[1]
    return (2.0 * WIDTH * std).reshape(-1, 1)


@kernel
def place(x: F, first_minute: int, window: int) -> F:
    """``percent_b`` alone: (T, 1)."""
    return bands(x, first_minute, window)[:, 3:].copy()


@kernel
def slope(x: F, first_minute: int, window: int) -> F:
    """Change of the upper band over ``SLOPE_ROWS`` rows: (T, 1)."""
    upper = bands(x, first_minute, window)[:, 0]
    out = np.full((len(x), 1), np.nan)
    for row in range(SLOPE_ROWS, len(x)):
        out[row, 0] = upper[row] - upper[row - SLOPE_ROWS]
    return out


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
    Family(
        "bollinger",
        "bollinger",
        bands,
        {
            "upper": Output("{u}", alias="bb_upper_{0}", spanned_by=(_MEAN, _STD)),
            "middle": Output("{u}", alias="bb_middle_{0}", spanned_by=(_MEAN,)),
            "lower": Output("{u}", alias="bb_lower_{0}", spanned_by=(_MEAN, _STD)),
        },
        ((30,), (60,), (120,)),
        (RATE, BQX),
        "bands of the trailing window, current row included",
    ),
    Family(
        "bollinger",
        "bollinger",
        bandwidth,
        {"width": Output("{u}", 0.0, alias="bb_width_{0}", spanned_by=(_STD,))},
        ((20,), (30,), (60,), (120,)),
        (RATE,),
        "upper - lower",
    ),
    Family(
        "bollinger",
        "bollinger",
        bandwidth,
        {"width": Output("{u}", 0.0, alias="bb_width_{0}", spanned_by=(_STD,))},
        ((30,), (60,), (120,)),
        (BQX,),
        "upper - lower; that of 20 rows is the bandwidth",
    ),
    Family(
        "bollinger",
        "bollinger",
        place,
        {
            "percent_b": Output(
                "1",
                alias="bb_percent_b_{0}",
                spanned_by=tuple(
                    f"{{s}}_quadratic_{part}_w{{0}}"
                    for part in ("a2_norm", "a1_norm", "resid_norm")
                ),
            )
        },
        ((60,),),
        (RATE, BQX),
        "place between the lower band, 0, and the upper one, 1",
    ),
    Family(
        "bollinger",
        "bollinger",
        slope,
        {"slope": Output("{u}", alias="bb_slope_{0}")},
        ((20,), (60,)),
        (RATE, BQX),
        "change of the upper band over five rows",
        lookback=lambda w: w + SLOPE_ROWS,
    ),
)

_INVENTORY = ("upper", "middle", "lower", "bandwidth", "percent_b")
_LATER = {20: "bandwidth", 30: "width", 60: "width", 120: "width"}

PROFILES = {
    "v1": {
        "bollinger_percent_b" if output == "percent_b" else f"bollinger_{output}_20":
            f"rate_bollinger_{output}_w20"
        for output in ("upper", "lower", "middle", "width", "percent_b")
    },
    "v2": {
        f"{source}.bb_{output}_{w}": f"{source}_bollinger_{output}_w{w}"
        for source in ("rate", "bqx")
        for w in (20, 50)
        for output in _INVENTORY
    },
    "v3": {
        **{
            f"bb_{band}_{w}": f"bqx_bollinger_{band}_w{w}"
            for band in ("upper", "middle", "lower")
            for w in _LATER
        },
        **{f"bb_width_{w}": f"bqx_bollinger_{width}_w{w}" for w, width in _LATER.items()},
        **{f"bb_percent_b_{w}": f"bqx_bollinger_percent_b_w{w}" for w in (20, 60)},
        **{f"bb_slope_{w}": f"bqx_bollinger_slope_w{w}" for w in (20, 60)},
    },
}  # fmt: skip
"""Names in each list of the documents, with the feature that each one is."""
