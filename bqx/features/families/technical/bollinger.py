"""Bollinger bands: two standard deviations (ddof 0) around the trailing mean."""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.sums import F, mean_std
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Output

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
    for row in range(rows):
        flat = std[row] == 0.0
        middle = x[row] if flat else mean[row]
        half_width = WIDTH * std[row]
        percent_b = 0.5 + (x[row] - middle) / (2.0 * half_width)
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
_PARABOLA = tuple(f"{{s}}_quadratic_{name}_w{{0}}" for name in ("a2_norm", "a1_norm", "resid_norm"))


def _band(name: str, noun: str, formula: str, *of: str) -> Output:
    return Output(
        "{u}", alias=f"bb_{name}_{{0}}", spanned_by=of, title=f"{noun} of {{x}}", formula=formula
    )


def _width(name: str, about: str = "", *of: str) -> dict[str, Output]:
    relative = not of
    return {
        name: Output(
            "1" if relative else "{u}",
            0.0,
            alias=f"bb_{name}_{{0}}",
            spanned_by=of,
            about=about,
            title="Bollinger band width of {x}" + (" over the middle" if relative else ""),
            formula="4 std0(x, {0})" + (" / mean(x, {0})" if relative else ""),
        )
    }


def _percent_b(*of: str) -> dict[str, Output]:
    return {
        "percent_b": Output(
            "1",
            alias="bb_percent_b_{0}",
            spanned_by=of,
            about="0 on the lower band, 1 on the upper one",
            title="Place of {x} between its Bollinger bands",
            formula="0.5 + (x[t] - mean(x, {0})) / (4 std0(x, {0}))",
        )
    }


_BANDS = {
    "upper": _band("upper", "Upper Bollinger band", "mean(x, {0}) + 2 std0(x, {0})", _MEAN, _STD),
    "middle": _band("middle", "Middle of the Bollinger bands", "mean(x, {0})", _MEAN),
    "lower": _band("lower", "Lower Bollinger band", "mean(x, {0}) - 2 std0(x, {0})", _MEAN, _STD),
}
_SLOPE = Output(
    "{u}",
    alias="bb_slope_{0}",
    title="Five-row change of the upper Bollinger band of {x}",
    formula="delta(mean(x, {0}) + 2 std0(x, {0}), 5)",
)
_BOTH = (RATE, BQX)

_bollinger = partial(
    family,
    "bollinger",
    table="bollinger",
    about="bands of the trailing window, current row included",
)

FAMILIES = (
    _bollinger(
        bands, _BANDS | _percent_b("{s}_moments_z_score_w{0}"), sources=_BOTH, windows=(20, 50)
    ),
    _bollinger(relative_bandwidth, _width("bandwidth"), sources=RATE, windows=(20, 50)),
    _bollinger(
        bandwidth,
        _width("bandwidth", "upper - lower, because the middle crosses zero", _STD),
        sources=BQX,
        windows=(20, 50),
    ),
    _bollinger(bands, _BANDS, sources=_BOTH, windows=(30, 60, 120)),
    _bollinger(bandwidth, _width("width", "", _STD), sources=RATE, windows=(20, 30, 60, 120)),
    _bollinger(
        bandwidth,
        _width("width", "that of 20 rows is the bandwidth", _STD),
        sources=BQX,
        windows=(30, 60, 120),
    ),
    _bollinger(place, _percent_b(*_PARABOLA), sources=_BOTH, windows=60),
    _bollinger(
        slope, {"slope": _SLOPE}, sources=_BOTH, windows=(20, 60), lookback=lambda w: w + SLOPE_ROWS
    ),
)

_LATER = {20: "bandwidth", 30: "width", 60: "width", 120: "width"}

PROFILES = {
    "v1": {
        "bollinger_percent_b": "rate_bollinger_percent_b_w20",
        **{
            f"bollinger_{output}_20": f"rate_bollinger_{output}_w20"
            for output in ("upper", "lower", "middle", "width")
        },
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
}
"""Names in each list of the documents, with the feature that each one is."""
