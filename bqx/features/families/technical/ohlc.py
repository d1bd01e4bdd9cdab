"""Indicators of open, high, low and close on the rate index: momentum, channels, ranges.

Source: J. Hutson for TRIX (1983); L. Williams for the ultimate and the awesome oscillator;
C. Keltner with true ranges after L. Raschke; R. Donchian; M. Chaikin; D. Dorsey for the mass
index (1992); E. Botes and D. Siepman for the vortex (2010); P. Martin for the ulcer index (1987).
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import products
from bqx.features.rolling.ago import growth, rise
from bqx.features.rolling.exponential import ema, ema_run_in, true_range, wilder, wilder_change
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F, extremes, largest, mean_std
from bqx.features.rolling.trailing import total
from bqx.features.sources import RATE, RATE_BARS
from bqx.features.spec import CLOSE, HIGH, LOW, Output
from bqx.market.sessions import YEAR

WIDTH = 2.0
"""Average true ranges between the middle of a Keltner channel and its sides."""


@kernel
def momentum(x: F, first_minute: int, rows: int) -> F:
    """Difference from ``rows`` rows ago: (T, 1)."""
    return rise(x, rows).reshape(-1, 1)


@kernel
def trix(x: F, first_minute: int, span: int) -> F:
    """One-row percent change of an exponential mean taken three times: (T, 1)."""
    three = ema(ema(ema(x, span, first_minute), span, first_minute), span, first_minute)
    return growth(three, 1).reshape(-1, 1)


@kernel
def ultimate(ohlc: F, first_minute: int, short: int, middle: int, long: int) -> F:
    """Buying pressure over true range in three windows, weighted 4, 2, 1: (T, 1), 0 to 100.

    NaN where a window's true range is 0.
    """
    rows = len(ohlc)
    ranges, pressure, pushed = true_range(ohlc), np.empty(rows), np.zeros(rows)
    pressure[:1] = np.nan
    close, low, into = ohlc[:, CLOSE].copy(), ohlc[1:, LOW].copy(), pressure[1:]
    now = close[1:]
    for row in range(len(into)):
        before = close[row]
        into[row] = now[row] - (before if low[row] > before or before != before else low[row])
    for window, weight in ((short, 4.0), (middle, 2.0), (long, 1.0)):
        bought, moved = total(pressure, window, first_minute), total(ranges, window, first_minute)
        for row in range(rows):
            pushed[row] += weight * (bought[row] / moved[row])
    return (100.0 * (pushed / 7.0)).reshape(-1, 1)


@kernel
def awesome(ohlc: F, first_minute: int, short: int, long: int) -> F:
    """Mean of the bars' middles over a short less that over a long window: (T, 1)."""
    middle = (ohlc[:, HIGH] + ohlc[:, LOW]) / 2.0
    gap = products.mean(middle, short, first_minute) - products.mean(middle, long, first_minute)
    return gap.reshape(-1, 1)


@kernel
def keltner(ohlc: F, first_minute: int, n: int) -> F:
    """Two average true ranges around the exponential mean of closes: (T, 2) upper, lower."""
    rows = len(ohlc)
    out = np.empty((2, rows))
    middle = ema(ohlc[:, CLOSE].copy(), n, first_minute)
    ranges = wilder(true_range(ohlc), n, first_minute)
    for row in range(rows):
        out[0, row] = middle[row] + WIDTH * ranges[row]
        out[1, row] = middle[row] - WIDTH * ranges[row]
    return out.T


@kernel
def donchian(ohlc: F, first_minute: int, window: int) -> F:
    """Highest high, lowest low and their middle: (T, 3) upper, middle, lower."""
    rows = len(ohlc)
    out = np.empty((3, rows))
    top, bottom = extremes(ohlc[:, HIGH].copy(), ohlc[:, LOW].copy(), window)
    for row in range(rows):
        out[0, row], out[2, row] = top[row], bottom[row]
        out[1, row] = (top[row] + bottom[row]) / 2.0
    return out.T


@kernel
def historical_volatility(x: F, first_minute: int, window: int) -> F:
    """Deviation of one-row log returns, a year's: (T, 1); 0.07 is seven percent."""
    return (np.sqrt(float(YEAR)) * mean_std(log_returns(x), window, first_minute, 1)[1]).reshape(
        -1, 1
    )


@kernel
def chaikin_volatility(ohlc: F, first_minute: int, span: int, rows: int) -> F:
    """Percent change over ``rows`` rows of the exponential mean of high - low: (T, 1)."""
    return growth(ema(ohlc[:, HIGH] - ohlc[:, LOW], span, first_minute), rows).reshape(-1, 1)


@kernel
def mass_index(ohlc: F, first_minute: int, span: int, window: int) -> F:
    """Sum of the mean of high - low over its own mean: (T, 1); NaN where no bar has extent."""
    once = ema(ohlc[:, HIGH] - ohlc[:, LOW], span, first_minute)
    ratio = once / ema(once, span, first_minute)
    return total(ratio, window, first_minute).reshape(-1, 1)


@kernel
def vortex(ohlc: F, first_minute: int, window: int) -> F:
    """Reach of highs over the lows before, and of lows under the highs before: (T, 2).

    Both over the sum of true ranges; NaN where it is 0.
    """
    rows = len(ohlc)
    out = np.empty((2, rows))
    up, down = np.empty(rows), np.empty(rows)
    up[:1] = down[:1] = np.nan
    high, low = ohlc[:, HIGH].copy(), ohlc[:, LOW].copy()
    up[1:], down[1:] = np.abs(high[1:] - low[: rows - 1]), np.abs(low[1:] - high[: rows - 1])
    ranges = total(true_range(ohlc), window, first_minute)
    up, down = total(up, window, first_minute), total(down, window, first_minute)
    for row in range(rows):
        out[0, row], out[1, row] = up[row] / ranges[row], down[row] / ranges[row]
    return out.T


@kernel
def ulcer(x: F, first_minute: int, window: int) -> F:
    """Root mean square of percent falls below the trailing maximum: (T, 1)."""
    top = largest(x, window)
    for row in range(len(x)):
        fall = 100.0 * (x[row] - top[row]) / top[row]
        top[row] = fall * fall
    return np.sqrt(products.mean(top, window, first_minute)).reshape(-1, 1)


def _next(rows: int) -> int:
    return rows + 1


def _keltner(side: str, mark: str, *of: str) -> Output:
    return Output(
        "{u}",
        alias=f"keltner_channel_{side.lower()}",
        spanned_by=of,
        title=f"{side} Keltner channel",
        formula=f"ema(C, {{0}}) {mark} 2 wilder(TR, {{0}})",
    )


def _donchian(side: str, formula: str, *of: str) -> Output:
    return Output(
        "{u}",
        alias=f"donchian_channel_{side.lower()}",
        spanned_by=of,
        title=f"{side} of the Donchian channel",
        formula=formula,
    )


def _vortex(sign: str, formula: str) -> Output:
    return Output(
        "1",
        0.0,
        alias=f"vortex_indicator_{sign}",
        title=f"Vortex indicator, {sign} side",
        formula=f"sum({formula}, {{0}}) / sum(TR, {{0}})",
    )


_indicator = partial(family, table="technical_ohlcv", sources=RATE_BARS, laggable=False)

FAMILIES = (
    _indicator(
        "momentum",
        momentum,
        Output("{u}", alias="momentum_{0}", spanned_by=("{s}_index", "{s}_lag_w{0}")),
        sources=RATE,
        windows=(10, 20),
        title="Change of the rate index",
        formula="x[t] - x[t-{0}]",
        lookback=_next,
    ),
    _indicator(
        "trix",
        trix,
        Output("%", alias="trix"),
        sources=RATE,
        windows=15,
        title="TRIX, change of a triple exponential mean",
        formula="100 (e[t] - e[t-1]) / e[t-1], e = ema(ema(ema(x, {0}), {0}), {0})",
        lookback=lambda n: 3 * (ema_run_in(n) - 1) + 2,
    ),
    _indicator(
        "ultimate",
        ultimate,
        Output("%", 0.0, 100.0, alias="ultimate_oscillator"),
        windows=((7, 14, 28),),
        about="buying pressure over true range in three windows",
        title="Ultimate oscillator",
        formula="100 (4 q({0}) + 2 q({1}) + q({2})) / 7, q(w) = sum(BP, w) / sum(TR, w)",
        lookback=lambda short, middle, long: long + 1,
    ),
    _indicator(
        "awesome",
        awesome,
        Output("{u}", alias="awesome_oscillator"),
        windows=((5, 34),),
        title="Awesome oscillator",
        formula="mean((H + L) / 2, {0}) - mean((H + L) / 2, {1})",
    ),
    _indicator(
        "keltner",
        keltner,
        {
            "upper": _keltner("Upper", "+"),
            "lower": _keltner("Lower", "-", "{s}_keltner_upper_w{0}", "{s}_ema_w{0}"),
        },
        windows=20,
        about="exponential mean of closes and two average true ranges (Wilder)",
        lookback=wilder_change,
    ),
    _indicator(
        "donchian",
        donchian,
        {
            "upper": _donchian("Upper", "max(H, {0})"),
            "middle": _donchian(
                "Middle",
                "(max(H, {0}) + min(L, {0})) / 2",
                "{s}_donchian_upper_w{0}",
                "{s}_donchian_lower_w{0}",
            ),
            "lower": _donchian("Lower", "min(L, {0})"),
        },
        windows=20,
        about="highest high and lowest low, current row included",
    ),
    _indicator(
        "historical_volatility",
        historical_volatility,
        Output("1", 0.0, alias="historical_volatility_{0}"),
        sources=RATE,
        windows=20,
        title="Annualised volatility of log returns",
        formula="sqrt(252 * 1440) std(r, {0})",
        lookback=_next,
    ),
    _indicator(
        "chaikin_volatility",
        chaikin_volatility,
        Output("%", -100.0, alias="chaikin_volatility"),
        windows=((10, 10),),
        title="Chaikin volatility, change of the mean bar range",
        formula="100 (e[t] - e[t-{1}]) / e[t-{1}], e = ema(H - L, {0})",
        lookback=lambda span, rows: ema_run_in(span) + rows,
    ),
    _indicator(
        "mass_index",
        mass_index,
        Output("1", 0.0, alias="mass_index"),
        windows=((9, 25),),
        title="Mass index of bar ranges",
        formula="sum(ema(H - L, {0}) / ema(ema(H - L, {0}), {0}), {1})",
        lookback=lambda span, window: 2 * (ema_run_in(span) - 1) + window,
    ),
    _indicator(
        "vortex",
        vortex,
        {"plus": _vortex("plus", "|H[t] - L[t-1]|"), "minus": _vortex("minus", "|L[t] - H[t-1]|")},
        windows=14,
        about="reach of highs and lows past the bar before, over true range",
        lookback=_next,
    ),
    _indicator(
        "ulcer",
        ulcer,
        Output("%", 0.0, alias="ulcer_index"),
        sources=RATE,
        windows=14,
        title="Ulcer index, depth of falls below the trailing maximum",
        formula="sqrt(mean((100 (x - max(x, {0})) / max(x, {0}))^2, {0}))",
        lookback=lambda window: 2 * window - 1,
    ),
)
