"""How volume goes with BQX."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.microstructure.volume_and_rate import WINDOWS, weighted_mean, with_level
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import changes, mean_deviation, total, z_score
from bqx.features.sources import BQX
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars

STRONG = 1.0
"""Deviations beyond the trailing mean from which BQX, or volume, is taken to stand out."""


def _with_volume(bars: Bars) -> F:
    return np.column_stack([BQX.build(bars), bars.volume])


BQX_VOLUME = Source("bqx", "bqx", "1", BQX.lookback, _with_volume)
"""BQX over 15 minutes and volume."""


@kernel
def divergence(x: F, first_minute: int, window: int) -> F:
    """Score of the change of volume minus score of the change of |BQX|: (T, 1)."""
    busier = z_score(changes(x[:, 1].copy(), 1), window, first_minute, ROUNDING)
    further = z_score(changes(np.abs(x[:, 0]), 1), window, first_minute, ROUNDING)
    return (busier - further).reshape(-1, 1)


@kernel(fastmath={"reassoc", "nsz"})
def _outside(x: F, y: F, high: float, low: float) -> tuple[float, float]:
    # Sums of ticks are whole numbers, so that they may add several abreast.
    above = below = count_above = count_below = 0.0
    for i in range(len(x)):
        over, under = 1.0 if x[i] > high else 0.0, 1.0 if x[i] < low else 0.0
        above += over * y[i]
        below += under * y[i]
        count_above += over
        count_below += under
    return (
        above / count_above if count_above > 0.0 else np.nan,
        below / count_below if count_below > 0.0 else np.nan,
    )


@kernel
def outside(x: F, first_minute: int, window: int) -> F:
    """Mean volume of rows where BQX lies a deviation above, and below, its mean: (T, 2).

    NaN where the window has no such row.
    """
    out = np.full((len(x), 2), np.nan)
    momentum, volume = x[:, 0].copy(), x[:, 1].copy()
    mean, std = mean_deviation(momentum, window, first_minute)
    for row in range(window - 1, len(x)):
        if std[row] > 0.0:
            rows, width = slice(row - window + 1, row + 1), (STRONG + ROUNDING) * std[row]
            out[row] = _outside(momentum[rows], volume[rows], mean[row] + width, mean[row] - width)
    return out


@kernel
def per_volume(x: F, first_minute: int, window: int) -> F:
    """Sum of BQX over the sum of volume: (T, 1); NaN without volume."""
    ticks = total(x[:, 1].copy(), window, first_minute)
    momentum = total(x[:, 0].copy(), window, first_minute)
    return (momentum / np.where(ticks > 0.0, ticks, np.nan)).reshape(-1, 1)


@kernel
def agreement(x: F, first_minute: int, rows: int) -> F:
    """Whether |BQX| grew over some rows with more volume, and with less: (T, 2), 0 or 1."""
    out = np.full((len(x), 2), np.nan)
    for row in range(rows, len(x)):
        grown = abs(x[row, 0]) - abs(x[row - rows, 0])
        busier = x[row, 1] - x[row - rows, 1]
        if not (np.isnan(grown) or np.isnan(busier)):
            out[row, 0] = grown > 0.0 and busier > 0.0
            out[row, 1] = grown > 0.0 and busier < 0.0
    return out


@kernel
def both_high(x: F, first_minute: int, window: int) -> F:
    """Whether volume and |BQX| both lie a deviation above their means: (T, 1), 0 or 1."""
    size, volume = np.abs(x[:, 0]), x[:, 1].copy()
    mean, std = mean_deviation(size, window, first_minute)
    usual, spread = mean_deviation(volume, window, first_minute)
    for row in range(len(x)):
        if np.isnan(std[row] + spread[row]):
            mean[row] = np.nan
        else:
            far = size[row] - mean[row] > (STRONG + ROUNDING) * std[row]
            busy = volume[row] - usual[row] > (STRONG + ROUNDING) * spread[row]
            mean[row] = far and busy
    return mean.reshape(-1, 1)


SAME = {"vol_bqx_corr_60": "bqx_volume_correlation_w60"}
"""Names in the documents of features that are declared under another one."""

_ONE = (BQX_VOLUME,)
_FLAG = ("1", 0.0, 1.0)

FAMILIES = (
    Family(
        "volume_mean", "volume", weighted_mean, {"": Output("{u}", alias="vw_bqx_{0}min")},
        WINDOWS, _ONE, "mean BQX weighted by volume", laggable=False,
    ),
    Family(
        "volume_correlation", "volume", with_level,
        {"": Output("1", -1.0, 1.0, alias="corr_bqx_vol_{0}min")}, WINDOWS[1:], _ONE,
        "correlation of volume with BQX", laggable=False,
    ),
    Family(
        "volume_correlation", "volume", with_level,
        {"": Output("1", -1.0, 1.0, alias="vol_bqx_corr_{0}")}, ((20,),), _ONE,
        "correlation of volume with BQX", laggable=False,
    ),
    Family(
        "volume_divergence", "volume", divergence, {"": Output("1", alias="vol_mom_div_{0}min")},
        WINDOWS, _ONE, "score of the change of volume minus score of the change of |BQX|",
        lookback=lambda window: window + 1, laggable=False,
    ),
    Family(
        "volume",
        "volume",
        outside,
        {
            "surge": Output("tick", 0.0, alias="vol_during_bqx_surge", about="where BQX is high"),
            "drop": Output("tick", 0.0, alias="vol_during_bqx_drop", about="where BQX is low"),
        },
        ((60,),),
        _ONE,
        "mean volume of rows where BQX lies a deviation beyond its trailing mean",
        laggable=False,
    ),
    Family(
        "per_volume", "volume", per_volume, {"": Output("1/tick", alias="bqx_per_volume_{0}")},
        ((20,),), _ONE, "sum of BQX over the sum of volume", laggable=False,
    ),
    Family(
        "volume",
        "volume",
        agreement,
        {
            "confirms": Output(*_FLAG, alias="volume_confirms_bqx_flag", about="volume grew too"),
            "diverges": Output(*_FLAG, alias="volume_diverges_bqx_flag", about="volume shrank"),
        },
        ((5,),),
        _ONE,
        "whether |BQX| grew over the last rows",
        lookback=lambda rows: rows + 1,
        laggable=False,
    ),
    Family(
        "volume", "volume", both_high,
        {"high": Output(*_FLAG, alias="high_vol_high_bqx_flag")}, ((20,),), _ONE,
        "whether volume and |BQX| both lie a deviation above their trailing means",
        laggable=False,
    ),
)  # fmt: skip
