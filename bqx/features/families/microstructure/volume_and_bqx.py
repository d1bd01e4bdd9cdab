"""How volume goes with BQX."""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.microstructure.volume import LEVEL_COLUMN, VOLUME_COLUMN
from bqx.features.families.microstructure.volume_and_rate import WINDOWS, weighted_mean, with_level
from bqx.features.rolling.ago import changes, rise
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import mean_deviation, total, z_score
from bqx.features.sources import BQX
from bqx.features.spec import FLAG, SIGNED, Output, Source
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
    busier = z_score(changes(x[:, VOLUME_COLUMN].copy(), 1), window, first_minute, ROUNDING)
    further = z_score(changes(np.abs(x[:, LEVEL_COLUMN]), 1), window, first_minute, ROUNDING)
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
    momentum, volume = x[:, LEVEL_COLUMN].copy(), x[:, VOLUME_COLUMN].copy()
    mean, std = mean_deviation(momentum, window, first_minute)
    for row in range(window - 1, len(x)):
        if std[row] > 0.0:
            rows, width = slice(row - window + 1, row + 1), (STRONG + ROUNDING) * std[row]
            out[row] = _outside(momentum[rows], volume[rows], mean[row] + width, mean[row] - width)
    return out


@kernel
def per_volume(x: F, first_minute: int, window: int) -> F:
    """Sum of BQX over the sum of volume: (T, 1); NaN without volume."""
    ticks = total(x[:, VOLUME_COLUMN].copy(), window, first_minute)
    momentum = total(x[:, LEVEL_COLUMN].copy(), window, first_minute)
    return (momentum / np.where(ticks > 0.0, ticks, np.nan)).reshape(-1, 1)


@kernel
def agreement(x: F, first_minute: int, rows: int) -> F:
    """Whether |BQX| grew over some rows with more volume, and with less: (T, 2), 0 or 1."""
    out = np.full((len(x), 2), np.nan)
    grown = rise(np.abs(x[:, LEVEL_COLUMN]), rows)
    busier = rise(x[:, VOLUME_COLUMN].copy(), rows)
    for row in range(len(x)):
        if not (np.isnan(grown[row]) or np.isnan(busier[row])):
            out[row, 0] = grown[row] > 0.0 and busier[row] > 0.0
            out[row, 1] = grown[row] > 0.0 and busier[row] < 0.0
    return out


@kernel
def both_high(x: F, first_minute: int, window: int) -> F:
    """Whether volume and |BQX| both lie a deviation above their means: (T, 1), 0 or 1."""
    size, volume = np.abs(x[:, LEVEL_COLUMN]), x[:, VOLUME_COLUMN].copy()
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

_with_bqx = partial(family, table="volume", sources=BQX_VOLUME, laggable=False)
_correlation = partial(
    _with_bqx,
    "volume_correlation",
    with_level,
    title="Correlation of volume and BQX",
    formula="corr(V, B, {0})",
)


def _outside_mean(name: str, noun: str, mark: str) -> Output:
    return Output(
        "tick",
        0.0,
        alias=f"vol_during_bqx_{name}",
        title=f"Mean volume where BQX is {noun}",
        formula=f"mean(V if z(B, {{0}}) {mark}, {{0}})",
    )


def _grown(name: str, noun: str, mark: str) -> Output:
    return Output(
        *FLAG,
        alias=f"volume_{name}_bqx_flag",
        title=f"Flag of growing |BQX| with {noun} volume",
        formula=f"delta(|B|, {{0}}) > 0 and delta(V, {{0}}) {mark} 0",
    )


FAMILIES = (
    _with_bqx(
        "volume_mean",
        weighted_mean,
        Output("{u}", alias="vw_bqx_{0}min"),
        windows=WINDOWS,
        title="Mean BQX weighted by volume",
        formula="sum(B V, {0}) / sum(V, {0})",
    ),
    _correlation(Output(*SIGNED, alias="corr_bqx_vol_{0}min"), windows=WINDOWS[1:]),
    _correlation(Output(*SIGNED, alias="vol_bqx_corr_{0}"), windows=20),
    _with_bqx(
        "volume_divergence",
        divergence,
        Output("1", alias="vol_mom_div_{0}min"),
        windows=WINDOWS,
        title="Z-score of volume change less that of |BQX| change",
        formula="z(delta(V, 1), {0}) - z(delta(|B|, 1), {0})",
        lookback=lambda window: window + 1,
    ),
    _with_bqx(
        "volume",
        outside,
        {
            "surge": _outside_mean("surge", "high", "> 1"),
            "drop": _outside_mean("drop", "low", "< -1"),
        },
        windows=60,
        about="mean volume of rows where BQX lies a deviation beyond its trailing mean",
    ),
    _with_bqx(
        "per_volume",
        per_volume,
        Output("1/tick", alias="bqx_per_volume_{0}"),
        windows=20,
        title="BQX per tick",
        formula="sum(B, {0}) / sum(V, {0})",
    ),
    _with_bqx(
        "volume",
        agreement,
        {
            "confirms": _grown("confirms", "growing", ">"),
            "diverges": _grown("diverges", "shrinking", "<"),
        },
        windows=5,
        about="whether |BQX| grew over the last rows",
        lookback=lambda rows: rows + 1,
    ),
    _with_bqx(
        "volume",
        both_high,
        {"high": Output(*FLAG, alias="high_vol_high_bqx_flag")},
        windows=20,
        title="Flag of high volume at high |BQX|",
        formula="z(|B|, {0}) > 1 and z(V, {0}) > 1",
    ),
)
