"""How volume goes with the rate.

An up row is one whose close lies above the close before; a row without a change is neither.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.microstructure.volume import LEVEL_COLUMN, RATE_VOLUME, VOLUME_COLUMN
from bqx.features.rolling.ago import changes
from bqx.features.rolling.comoments import correlation_over
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import deviation, total, totals, z_score
from bqx.features.spec import FLAG, SIGNED, Output


@kernel
def split(x: F, first_minute: int, window: int) -> F:
    """Sums of volume on up rows, on down rows, and on all: (T, 3)."""
    volumes = np.empty((3, len(x)))
    rises, ticks = changes(x[:, LEVEL_COLUMN].copy(), 1), x[:, VOLUME_COLUMN].copy()
    for row in range(len(x)):
        rise, volume = rises[row], ticks[row]
        nothing = 0.0 if rise == rise and volume == volume else np.nan
        volumes[0, row] = volume if rise > 0.0 else nothing
        volumes[1, row] = volume if rise < 0.0 else nothing
        volumes[2, row] = volume + nothing
    return totals(volumes.T, window, first_minute)


@kernel
def ticks(x: F, first_minute: int, window: int) -> F:
    """Shares of volume on up rows and on down rows: (T, 2); NaN without volume."""
    sums = split(x, first_minute, window)
    out = np.empty((2, len(x)))
    for row in range(len(x)):
        whole = sums[row, 2] if sums[row, 2] > 0.0 else np.nan
        out[0, row], out[1, row] = sums[row, 0] / whole, sums[row, 1] / whole
    return out.T


@kernel
def flow(x: F, first_minute: int, window: int) -> F:
    """Volume on up rows minus down rows, and that over both: (T, 2)."""
    sums = split(x, first_minute, window)
    out = np.empty((2, len(x)))
    for row in range(len(x)):
        net, both = sums[row, 0] - sums[row, 1], sums[row, 0] + sums[row, 1]
        out[0, row], out[1, row] = net, net / (both if both > 0.0 else np.nan)
    return out.T


@kernel
def net(x: F, first_minute: int, window: int) -> F:
    """Volume on up rows minus down rows: (T, 1)."""
    return flow(x, first_minute, window)[:, :1]


@kernel
def weighted_mean(x: F, first_minute: int, window: int) -> F:
    """Mean of the first column weighted by the second: (T, 1); NaN without weight."""
    out, weight = np.empty(len(x)), np.empty(len(x))
    for row in range(len(x)):
        out[row], weight[row] = x[row, LEVEL_COLUMN] * x[row, VOLUME_COLUMN], x[row, VOLUME_COLUMN]
    out, weight = total(out, window, first_minute), total(weight, window, first_minute)
    for row in range(len(x)):
        out[row] = out[row] / weight[row] if weight[row] > 0.0 else np.nan
    return out.reshape(-1, 1)


@kernel
def weighted_return(x: F, first_minute: int, window: int) -> F:
    """Mean simple return weighted by volume: (T, 1); NaN without volume."""
    simple = changes(x[:, LEVEL_COLUMN].copy(), 1)
    simple[1:] /= x[:-1, LEVEL_COLUMN]
    return weighted_mean(np.column_stack((simple, x[:, VOLUME_COLUMN])), first_minute, window)


@kernel
def with_level(x: F, first_minute: int, window: int) -> F:
    """Correlation of the two columns: (T, 1)."""
    return correlation_over(
        x[:, LEVEL_COLUMN].copy(), x[:, VOLUME_COLUMN].copy(), window, first_minute
    ).reshape(-1, 1)


@kernel
def with_return(x: F, first_minute: int, window: int) -> F:
    """Correlation of volume with log returns: (T, 1)."""
    returns = log_returns(x[:, LEVEL_COLUMN].copy())
    return correlation_over(returns, x[:, VOLUME_COLUMN].copy(), window, first_minute).reshape(
        -1, 1
    )


@kernel
def with_size(x: F, first_minute: int, window: int) -> F:
    """Correlation of volume with the size of log returns: (T, 1)."""
    returns = np.abs(log_returns(x[:, LEVEL_COLUMN].copy()))
    return correlation_over(returns, x[:, VOLUME_COLUMN].copy(), window, first_minute).reshape(
        -1, 1
    )


@kernel
def divergence(x: F, first_minute: int, window: int) -> F:
    """Score of the change of volume minus score of the log return: (T, 1)."""
    busier = z_score(changes(x[:, VOLUME_COLUMN].copy(), 1), window, first_minute, ROUNDING)
    risen = z_score(log_returns(x[:, LEVEL_COLUMN].copy()), window, first_minute, ROUNDING)
    return (busier - risen).reshape(-1, 1)


@kernel
def by_volatility(x: F, first_minute: int, window: int) -> F:
    """Mean volume times the deviation of log returns: (T, 1)."""
    out = total(x[:, VOLUME_COLUMN].copy(), window, first_minute)
    std = deviation(log_returns(x[:, LEVEL_COLUMN].copy()), window, first_minute)
    for row in range(len(x)):
        out[row] = out[row] / window * std[row]
    return out.reshape(-1, 1)


def _with_close_before(window: int) -> int:
    return window + 1


WINDOWS = (5, 15, 30, 60, 120)

_with_rate = partial(family, table="volume", sources=RATE_VOLUME, laggable=False)
_ticks = partial(_with_rate, "ticks", about="volume by direction", lookback=_with_close_before)
_vwap = partial(
    _with_rate,
    "vwap",
    weighted_mean,
    title="Mean rate index weighted by volume",
    formula="sum(x V, {0}) / sum(V, {0})",
)
_correlation = partial(_with_rate, "volume_correlation")
_with_close = partial(
    _correlation,
    with_level,
    title="Correlation of volume and the rate index",
    formula="corr(V, x, {0})",
)


def _shares(suffix: str) -> dict[str, Output]:
    return {
        side: Output(
            *FLAG,
            alias=f"{side}tick_ratio_{suffix}",
            title=f"Share of volume on {side} rows",
            formula=f"sum(V if delta(x, 1) {mark} 0, {{0}}) / sum(V, {{0}})",
        )
        for side, mark in (("up", ">"), ("down", "<"))
    }


_NET = Output(
    "tick", title="Volume on up rows less down rows", formula="sum(V sign(delta(x, 1)), {0})"
)
_IMBALANCE = Output(
    *SIGNED,
    alias="vol_imbalance_{0}min",
    title="Imbalance of volume on up and down rows",
    formula="sum(V sign(delta(x, 1)), {0}) / sum(V |sign(delta(x, 1))|, {0})",
)

FAMILIES = (
    _ticks(ticks, _shares("{0}min"), windows=WINDOWS),
    _ticks(ticks, _shares("{0}"), windows=20),
    _ticks(
        flow,
        {"net": replace(_NET, alias="cum_vol_delta_{0}min"), "imbalance": _IMBALANCE},
        windows=(15, 30, 60),
    ),
    _ticks(net, {"net": replace(_NET, alias="net_flow_{0}")}, windows=20),
    _vwap(Output("{u}", 0.0, alias="vwap_{0}min"), windows=WINDOWS),
    _vwap(Output("{u}", 0.0, alias="vol_weighted_price_{0}"), windows=20),
    _with_rate(
        "volume_return",
        weighted_return,
        Output("1", -1.0, alias="volume_weighted_return"),
        windows=60,
        title="Mean simple return weighted by volume",
        formula="sum(V delta(x, 1) / x[t-1], {0}) / sum(V, {0})",
        lookback=_with_close_before,
        laggable=True,
    ),
    _with_close({"level": Output(*SIGNED, alias="corr_rate_vol_{0}min")}, windows=(15, 30, 60)),
    _with_close({"level": Output(*SIGNED, alias="vol_price_corr_{0}")}, windows=20),
    _correlation(
        with_return,
        {"return": Output(*SIGNED, alias="vol_return_corr_{0}")},
        windows=20,
        title="Correlation of volume and log returns",
        formula="corr(V, r, {0})",
        lookback=_with_close_before,
    ),
    _correlation(
        with_size,
        {"size": Output(*SIGNED, alias="volume_price_correlation_{0}min")},
        windows=60,
        title="Correlation of volume and the size of log returns",
        formula="corr(V, |r|, {0})",
        lookback=_with_close_before,
        laggable=True,
    ),
    _with_rate(
        "volume_divergence",
        divergence,
        Output("1", alias="vol_rate_mom_div_{0}min"),
        windows=WINDOWS,
        title="Z-score of volume change less that of the log return",
        formula="z(delta(V, 1), {0}) - z(r, {0})",
        lookback=_with_close_before,
    ),
    _with_rate(
        "volume_volatility",
        by_volatility,
        Output("tick", 0.0, alias="vol_x_volatility_{0}min"),
        windows=WINDOWS[1:],
        title="Mean volume times the deviation of log returns",
        formula="mean(V, {0}) std(r, {0})",
        lookback=_with_close_before,
    ),
)
