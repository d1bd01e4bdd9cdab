"""How volume goes with the rate.

An up row is one whose close lies above the close before; a row without a change is neither.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.microstructure.volume import RATE_VOLUME
from bqx.features.rolling.comoments import correlation_over
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import changes, deviation, total, totals, z_score
from bqx.features.spec import Family, Output


@kernel
def split(x: F, first_minute: int, window: int) -> F:
    """Sums of volume on up rows, on down rows, and on all: (T, 3)."""
    rows = len(x)
    volumes = np.full((rows, 3), np.nan)
    for row in range(1, rows):
        rise, volume = x[row, 0] - x[row - 1, 0], x[row, 1]
        if not (np.isnan(rise) or np.isnan(volume)):
            volumes[row, 0] = volume if rise > 0.0 else 0.0
            volumes[row, 1] = volume if rise < 0.0 else 0.0
            volumes[row, 2] = volume
    return totals(volumes, window, first_minute)


@kernel
def ticks(x: F, first_minute: int, window: int) -> F:
    """Shares of volume on up rows and on down rows: (T, 2); NaN without volume."""
    sums = split(x, first_minute, window)
    out = np.empty((len(x), 2))
    for row in range(len(x)):
        whole = sums[row, 2] if sums[row, 2] > 0.0 else np.nan
        out[row, 0], out[row, 1] = sums[row, 0] / whole, sums[row, 1] / whole
    return out


@kernel
def flow(x: F, first_minute: int, window: int) -> F:
    """Volume on up rows minus down rows, and that over both: (T, 2)."""
    sums = split(x, first_minute, window)
    out = np.empty((len(x), 2))
    for row in range(len(x)):
        net, both = sums[row, 0] - sums[row, 1], sums[row, 0] + sums[row, 1]
        out[row, 0], out[row, 1] = net, net / (both if both > 0.0 else np.nan)
    return out


def net(x: F, first_minute: int, window: int) -> F:
    """Volume on up rows minus down rows: (T, 1)."""
    return flow(x, first_minute, window)[:, :1]


@kernel
def weighted_mean(x: F, first_minute: int, window: int) -> F:
    """Mean of the first column weighted by the second: (T, 1); NaN without weight."""
    out, weight = np.empty(len(x)), np.empty(len(x))
    for row in range(len(x)):
        out[row], weight[row] = x[row, 0] * x[row, 1], x[row, 1]
    out, weight = total(out, window, first_minute), total(weight, window, first_minute)
    for row in range(len(x)):
        out[row] = out[row] / weight[row] if weight[row] > 0.0 else np.nan
    return out.reshape(-1, 1)


@kernel
def weighted_return(x: F, first_minute: int, window: int) -> F:
    """Mean simple return weighted by volume: (T, 1); NaN without volume."""
    simple = changes(x[:, 0].copy(), 1)
    simple[1:] /= x[:-1, 0]
    return weighted_mean(np.column_stack((simple, x[:, 1])), first_minute, window)


@kernel
def with_level(x: F, first_minute: int, window: int) -> F:
    """Correlation of the two columns: (T, 1)."""
    return correlation_over(x[:, 0].copy(), x[:, 1].copy(), window, first_minute).reshape(-1, 1)


@kernel
def with_return(x: F, first_minute: int, window: int) -> F:
    """Correlation of volume with log returns: (T, 1)."""
    returns = log_returns(x[:, 0].copy())
    return correlation_over(returns, x[:, 1].copy(), window, first_minute).reshape(-1, 1)


@kernel
def with_size(x: F, first_minute: int, window: int) -> F:
    """Correlation of volume with the size of log returns: (T, 1)."""
    returns = np.abs(log_returns(x[:, 0].copy()))
    return correlation_over(returns, x[:, 1].copy(), window, first_minute).reshape(-1, 1)


@kernel
def divergence(x: F, first_minute: int, window: int) -> F:
    """Score of the change of volume minus score of the log return: (T, 1)."""
    busier = z_score(changes(x[:, 1].copy(), 1), window, first_minute, ROUNDING)
    risen = z_score(log_returns(x[:, 0].copy()), window, first_minute, ROUNDING)
    return (busier - risen).reshape(-1, 1)


@kernel
def by_volatility(x: F, first_minute: int, window: int) -> F:
    """Mean volume times the deviation of log returns: (T, 1)."""
    out = total(x[:, 1].copy(), window, first_minute)
    std = deviation(log_returns(x[:, 0].copy()), window, first_minute)
    for row in range(len(x)):
        out[row] = out[row] / window * std[row]
    return out.reshape(-1, 1)


def _with_close_before(window: int) -> int:
    return window + 1


WINDOWS = ((5,), (15,), (30,), (60,), (120,))
_ONE = (RATE_VOLUME,)
_UP, _DOWN = "volume on up rows over all", "volume on down rows over all"


def _ticks(suffix: str) -> dict[str, Output]:
    return {
        "up": Output("1", 0.0, 1.0, alias="uptick_ratio_" + suffix, about=_UP),
        "down": Output("1", 0.0, 1.0, alias="downtick_ratio_" + suffix, about=_DOWN),
    }


FAMILIES = (
    Family(
        "ticks", "volume", ticks, _ticks("{0}min"), WINDOWS, _ONE, "volume by direction",
        lookback=_with_close_before, laggable=False,
    ),
    Family(
        "ticks", "volume", ticks, _ticks("{0}"), ((20,),), _ONE, "volume by direction",
        lookback=_with_close_before, laggable=False,
    ),
    Family(
        "ticks",
        "volume",
        flow,
        {
            "net": Output("tick", alias="cum_vol_delta_{0}min", about="up minus down volume"),
            "imbalance": Output(
                "1", -1.0, 1.0, alias="vol_imbalance_{0}min", about="up minus down over both"
            ),
        },
        ((15,), (30,), (60,)),
        _ONE,
        "volume by direction",
        lookback=_with_close_before,
        laggable=False,
    ),
    Family(
        "ticks", "volume", net, {"net": Output("tick", alias="net_flow_{0}")}, ((20,),), _ONE,
        "up minus down volume", lookback=_with_close_before, laggable=False,
    ),
    Family(
        "vwap", "volume", weighted_mean, {"": Output("{u}", 0.0, alias="vwap_{0}min")}, WINDOWS,
        _ONE, "mean close weighted by volume", laggable=False,
    ),
    Family(
        "vwap", "volume", weighted_mean, {"": Output("{u}", 0.0, alias="vol_weighted_price_{0}")},
        ((20,),), _ONE, "mean close weighted by volume", laggable=False,
    ),
    Family(
        "volume_return", "volume", weighted_return,
        {"": Output("1", -1.0, alias="volume_weighted_return")}, ((60,),), _ONE,
        "mean simple return weighted by volume", lookback=_with_close_before,
    ),
    Family(
        "volume_correlation", "volume", with_level,
        {"level": Output("1", -1.0, 1.0, alias="corr_rate_vol_{0}min")}, ((15,), (30,), (60,)),
        _ONE, "correlation of volume with the close", laggable=False,
    ),
    Family(
        "volume_correlation", "volume", with_level,
        {"level": Output("1", -1.0, 1.0, alias="vol_price_corr_{0}")}, ((20,),), _ONE,
        "correlation of volume with the close", laggable=False,
    ),
    Family(
        "volume_correlation", "volume", with_return,
        {"return": Output("1", -1.0, 1.0, alias="vol_return_corr_{0}")}, ((20,),), _ONE,
        "correlation of volume with log returns", lookback=_with_close_before, laggable=False,
    ),
    Family(
        "volume_correlation", "volume", with_size,
        {"size": Output("1", -1.0, 1.0, alias="volume_price_correlation_{0}min")}, ((60,),), _ONE,
        "correlation of volume with the size of log returns", lookback=_with_close_before,
    ),
    Family(
        "volume_divergence", "volume", divergence,
        {"": Output("1", alias="vol_rate_mom_div_{0}min")}, WINDOWS, _ONE,
        "score of the change of volume minus score of the log return",
        lookback=_with_close_before, laggable=False,
    ),
    Family(
        "volume_volatility", "volume", by_volatility,
        {"": Output("tick", 0.0, alias="vol_x_volatility_{0}min")}, WINDOWS[1:], _ONE,
        "mean volume times the deviation of log returns",
        lookback=_with_close_before, laggable=False,
    ),
)  # fmt: skip
