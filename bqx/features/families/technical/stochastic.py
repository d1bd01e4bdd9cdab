"""Place of the close within trailing ranges, on bars of the rate index and on BQX.

BQX has no bars of its own: rolling extremes read the series itself. Beside an indicator stand its
change over five rows, its score over 60 rows and its zone: 1 above the upper threshold, -1 below
the lower one, else 0.

Source: G. Lane for the stochastic; L. Williams for %R; D. Lambert (1980) for CCI.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import products
from bqx.features.rolling.ago import changes
from bqx.features.rolling.exponential import DELTA, SCORE_ROWS, readings, score
from bqx.features.rolling.sums import F, extremes
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import zone
from bqx.features.sources import BQX_LINE, RATE_BARS
from bqx.features.spec import CLOSE, HIGH, LOW, SIGNED, Output

_BACK = SCORE_ROWS - 1


@kernel
def place(ohlc: F, window: int, first_minute: int) -> tuple[F, F]:
    """Close within the trailing range, from the bottom and from the top: two (T,), percent.

    NaN in a flat range.
    """
    rows = len(ohlc)
    k, r = np.empty(rows), np.empty(rows)
    close = ohlc[:, CLOSE]
    top, bottom = extremes(ohlc[:, HIGH], ohlc[:, LOW], window)
    for row in range(rows):
        extent = top[row] - bottom[row]
        extent = extent if extent > 0.0 else np.nan
        k[row] = 100.0 * ((close[row] - bottom[row]) / extent)
        r[row] = -100.0 * ((top[row] - close[row]) / extent)
    return k, r


@kernel
def smooth_mean(x: F, rows: int) -> F:
    """Mean of the last few values: (T,)."""
    out = np.empty(len(x))
    out[: rows - 1] = np.nan
    into = out[rows - 1 :]
    into[:] = 0.0
    for i in range(rows):
        values = x[rows - 1 - i :]
        for row in range(len(into)):
            into[row] += values[row]
    for row in range(len(into)):
        into[row] /= rows
    return out


@kernel
def stochastic(ohlc: F, first_minute: int, window: int, smooth: int) -> F:
    """Close within the trailing range: (T, 3) %K, %D (mean of ``smooth`` %K), Williams %R."""
    out = np.empty((3, len(ohlc)))
    out[0], out[2] = place(ohlc, window, first_minute)
    out[1] = smooth_mean(out[0], smooth)
    return out.T


@kernel
def williams(ohlc: F, first_minute: int, window: int) -> F:
    """Williams %R: (T, 1), -100 to 0."""
    return place(ohlc, window, first_minute)[1].reshape(-1, 1)


@kernel
def stochastic_readings(ohlc: F, first_minute: int, window: int, smooth: int) -> F:
    """Stochastic and Williams %R with what they did: (T, 9), see the outputs below."""
    out = np.empty((9, len(ohlc)))
    k, r = place(ohlc, window, first_minute)
    out[0], out[1], out[2] = k, smooth_mean(k, smooth), r
    out[3], out[4], out[6] = k - out[1], changes(k, DELTA), changes(r, DELTA)
    out[7] = score(r, r, SCORE_ROWS, first_minute)
    for row in range(len(ohlc)):
        out[5, row] = zone(k[row], 20.0 - ROUNDING, 80.0 + ROUNDING)
        out[8, row] = zone(r[row], -80.0 - ROUNDING, -20.0 + ROUNDING)
    return out.T


@kernel
def channel_index(ohlc: F, window: int, first_minute: int) -> F:
    """Commodity channel index of the typical price: (T,); NaN in a flat window.

    The mean deviation has to be summed over the whole window in every row: four sums side by side.
    """
    rows = len(ohlc)
    out = np.full(rows, np.nan)
    typical = np.empty(rows)
    for row in range(rows):
        typical[row] = (ohlc[row, HIGH] + ohlc[row, LOW] + ohlc[row, CLOSE]) / 3.0
    mean = products.mean(typical, window, first_minute)
    same = 0
    for row in range(1, rows):
        same = same + 1 if typical[row] == typical[row - 1] else 0
        if same >= window - 1 or np.isnan(mean[row]):
            continue
        centre = mean[row]
        a = b = c = d = 0.0
        k = row - window + 1
        while k + 3 <= row:
            a += abs(typical[k] - centre)
            b += abs(typical[k + 1] - centre)
            c += abs(typical[k + 2] - centre)
            d += abs(typical[k + 3] - centre)
            k += 4
        while k <= row:
            a += abs(typical[k] - centre)
            k += 1
        out[row] = (typical[row] - centre) / (0.015 * ((a + b) + (c + d)) / window)
    return out


@kernel
def cci(ohlc: F, first_minute: int, window: int) -> F:
    """Commodity channel index: (T, 1)."""
    return channel_index(ohlc, window, first_minute).reshape(-1, 1)


@kernel
def cci_readings(ohlc: F, first_minute: int, window: int) -> F:
    """Commodity channel index, its change, score and zone (-100, 100): (T, 4)."""
    value = channel_index(ohlc, window, first_minute)
    return readings(value, value, -100.0, 100.0, first_minute)


def _window(window: int, smooth: int) -> int:
    return window


def _delta(window: int, smooth: int = 0) -> int:
    return window + DELTA


def _score(window: int, smooth: int = 0) -> int:
    return window + _BACK


_NAMES = "{{s}}_stochastic_{}_w{{0}}_{{1}}"
_K, _R = (
    "100 (C[t] - min(L, {0})) / (max(H, {0}) - min(L, {0}))",
    "100 (C[t] - max(H, {0})) / (max(H, {0}) - min(L, {0}))",
)
_D = Output("%", 0.0, 100.0, title="Stochastic %D of {x}", formula="mean(%K({0}), {1})")
_WILLIAMS = Output("%", -100.0, 0.0, alias="williams_r_{0}", title="Williams %R of {x}", formula=_R)
_STOCHASTIC = {
    "k": Output(
        "%",
        0.0,
        100.0,
        alias="stoch_k_{0}",
        lookback=_window,
        title="Stochastic %K of {x}",
        formula=_K,
    ),
    "d": _D,
    "williams_r": replace(_WILLIAMS, lookback=_window, spanned_by=(_NAMES.format("k"),)),
}
_MORE = {
    "kd_diff": Output(
        "%",
        -100.0,
        100.0,
        alias="stoch_kd_diff",
        spanned_by=(_NAMES.format("k"), _NAMES.format("d")),
        title="Stochastic %K less %D of {x}",
        formula="%K({0}) - mean(%K({0}), {1})",
    ),
    "k_delta_5": Output(
        "%",
        -100.0,
        100.0,
        alias="stoch_k_{0}_delta_5",
        lookback=_delta,
        title="Five-row change of stochastic %K of {x}",
        formula="delta(%K({0}), 5)",
    ),
    "zone": Output(
        *SIGNED,
        alias="stoch_zone",
        lookback=_window,
        title="Zone of stochastic %K of {x}",
        formula="1 if %K({0}) > 80, -1 if %K({0}) < 20, else 0",
    ),
    "williams_r_delta_5": Output(
        "%",
        -100.0,
        100.0,
        alias="williams_r_{0}_delta_5",
        lookback=_delta,
        spanned_by=(_NAMES.format("k_delta_5"),),
        title="Five-row change of Williams %R of {x}",
        formula="delta(%R({0}), 5)",
    ),
    "williams_r_z_60": Output(
        "1",
        alias="williams_r_{0}_z_60",
        lookback=_score,
        title="Z-score of Williams %R of {x} over 60 rows",
        formula="z(%R({0}), 60)",
    ),
    "williams_r_zone": Output(
        *SIGNED,
        alias="williams_r_{0}_zone",
        lookback=_window,
        spanned_by=(_NAMES.format("zone"),),
        title="Zone of Williams %R of {x}",
        formula="1 if %R({0}) > -20, -1 if %R({0}) < -80, else 0",
    ),
}
_CCI = Output(
    "1",
    alias="cci_{0}",
    title="Commodity channel index of {x}",
    formula="(P[t] - mean(P, {0})) / (0.015 mean(|P - mean(P, {0})|, {0})), P = (H + L + C) / 3",
)
_CCI_READINGS = {
    "": _CCI,
    "delta_5": Output(
        "1",
        alias="cci_{0}_delta_5",
        lookback=_delta,
        title="Five-row change of the commodity channel index of {x}",
        formula="delta(CCI({0}), 5)",
    ),
    "z_60": Output(
        "1",
        alias="cci_{0}_z_60",
        lookback=_score,
        title="Z-score of the commodity channel index of {x} over 60 rows",
        formula="z(CCI({0}), 60)",
    ),
    "zone": Output(
        *SIGNED,
        alias="cci_{0}_zone",
        title="Zone of the commodity channel index of {x}",
        formula="1 if CCI({0}) > 100, -1 if CCI({0}) < -100, else 0",
    ),
}

_technical = partial(family, table="technical", sources=(RATE_BARS, BQX_LINE))
_stochastic = partial(
    _technical,
    "stochastic",
    about="close within the trailing range",
    lookback=lambda w, smooth=1: w + smooth - 1,
)
_cci = partial(_technical, "cci", about="commodity channel index")

FAMILIES = (
    _stochastic(
        stochastic_readings,
        {**_STOCHASTIC, "d": replace(_D, alias="stoch_d_{1}"), **_MORE},
        windows=((14, 3),),
    ),
    _stochastic(
        stochastic, {**_STOCHASTIC, "d": replace(_D, alias="stoch_d_{0}_{1}")}, windows=((21, 3),)
    ),
    _stochastic(williams, {"williams_r": _WILLIAMS}, windows=(7, 28)),
    _cci(cci_readings, _CCI_READINGS, windows=20),
    _cci(cci, _CCI, windows=(14, 30, 50)),
)
