"""Indicators of open, high, low and close on the rate index: momentum, channels, ranges.

Source: J. Hutson for TRIX (1983); L. Williams for the ultimate and the awesome oscillator;
C. Keltner with true ranges after L. Raschke; R. Donchian; M. Chaikin; D. Dorsey for the mass
index (1992); E. Botes and D. Siepman for the vortex (2010); P. Martin for the ulcer index (1987).
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import products
from bqx.features.rolling.exponential import ema, ema_run_in, true_range, wilder, wilder_change
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F, extremes, largest, mean_std
from bqx.features.rolling.trailing import changes, total
from bqx.features.sources import RATE, RATE_BARS
from bqx.features.spec import Family, Output

YEAR = 252 * 1440
"""Market minutes of a year, which scale a deviation of one-minute returns."""

WIDTH = 2.0
"""Average true ranges between the middle of a Keltner channel and its sides."""


@kernel
def momentum(x: F, first_minute: int, rows: int) -> F:
    """Difference from ``rows`` rows ago: (T, 1)."""
    return changes(x, rows).reshape(-1, 1)


@kernel
def growth(x: F, rows: int) -> F:
    """Percent change over ``rows`` rows: (T,)."""
    out = np.full(len(x), np.nan)
    for row in range(rows, len(x)):
        out[row] = 100.0 * ((x[row] - x[row - rows]) / x[row - rows])
    return out


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
    for row in range(1, rows):
        close, low, before = ohlc[row, 3], ohlc[row, 2], ohlc[row - 1, 3]
        pressure[row] = close - (before if low > before or before != before else low)
    for window, weight in ((short, 4.0), (middle, 2.0), (long, 1.0)):
        bought, moved = total(pressure, window, first_minute), total(ranges, window, first_minute)
        for row in range(rows):
            pushed[row] += weight * (bought[row] / moved[row])
    return (100.0 * (pushed / 7.0)).reshape(-1, 1)


@kernel
def awesome(ohlc: F, first_minute: int, short: int, long: int) -> F:
    """Mean of the bars' middles over a short less that over a long window: (T, 1)."""
    middle = (ohlc[:, 1] + ohlc[:, 2]) / 2.0
    gap = products.mean(middle, short, first_minute) - products.mean(middle, long, first_minute)
    return gap.reshape(-1, 1)


@kernel
def keltner(ohlc: F, first_minute: int, n: int) -> F:
    """Two average true ranges around the exponential mean of closes: (T, 2) upper, lower."""
    rows = len(ohlc)
    out = np.empty((2, rows))
    middle = ema(ohlc[:, 3].copy(), n, first_minute)
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
    top, bottom = extremes(ohlc[:, 1].copy(), ohlc[:, 2].copy(), window)
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
    return growth(ema(ohlc[:, 1] - ohlc[:, 2], span, first_minute), rows).reshape(-1, 1)


@kernel
def mass_index(ohlc: F, first_minute: int, span: int, window: int) -> F:
    """Sum of the mean of high - low over its own mean: (T, 1); NaN where no bar has extent."""
    once = ema(ohlc[:, 1] - ohlc[:, 2], span, first_minute)
    ratio = once / ema(once, span, first_minute)
    return total(ratio, window, first_minute).reshape(-1, 1)


@kernel
def vortex(ohlc: F, first_minute: int, window: int) -> F:
    """Reach of highs over the lows before, and of lows under the highs before: (T, 2).

    Both over the sum of true ranges; NaN where it is 0.
    """
    rows = len(ohlc)
    out = np.empty((2, rows))
    up, down = np.full(rows, np.nan), np.full(rows, np.nan)
    for row in range(1, rows):
        up[row] = abs(ohlc[row, 1] - ohlc[row - 1, 2])
        down[row] = abs(ohlc[row, 2] - ohlc[row - 1, 1])
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


_LIST = "technical_ohlcv"


def _next(rows: int) -> int:
    return rows + 1


FAMILIES = (
    Family(
        "momentum",
        _LIST,
        momentum,
        {"": Output("{u}", alias="momentum_{0}", spanned_by=("{s}_index", "{s}_lag_w{0}"))},
        ((10,), (20,)),
        (RATE,),
        "difference from as many rows ago",
        lookback=_next,
        laggable=False,
    ),
    Family(
        "trix",
        _LIST,
        trix,
        {"": Output("%", alias="trix")},
        ((15,),),
        (RATE,),
        "one-row change of an exponential mean taken three times",
        lookback=lambda n: 3 * (ema_run_in(n) - 1) + 2,
        laggable=False,
    ),
    Family(
        "ultimate",
        _LIST,
        ultimate,
        {"": Output("%", 0.0, 100.0, alias="ultimate_oscillator")},
        ((7, 14, 28),),
        (RATE_BARS,),
        "buying pressure over true range in three windows",
        lookback=lambda short, middle, long: long + 1,
        laggable=False,
    ),
    Family(
        "awesome",
        _LIST,
        awesome,
        {"": Output("{u}", alias="awesome_oscillator")},
        ((5, 34),),
        (RATE_BARS,),
        "short less long mean of (high + low) / 2",
        laggable=False,
    ),
    Family(
        "keltner",
        _LIST,
        keltner,
        {
            "upper": Output("{u}", alias="keltner_channel_upper"),
            "lower": Output(
                "{u}",
                alias="keltner_channel_lower",
                spanned_by=("{s}_keltner_upper_w{0}", "{s}_ema_w{0}"),
            ),
        },
        ((20,),),
        (RATE_BARS,),
        "exponential mean of closes and two average true ranges (Wilder)",
        lookback=wilder_change,
        laggable=False,
    ),
    Family(
        "donchian",
        _LIST,
        donchian,
        {
            "upper": Output("{u}", alias="donchian_channel_upper"),
            "middle": Output(
                "{u}",
                alias="donchian_channel_middle",
                spanned_by=("{s}_donchian_upper_w{0}", "{s}_donchian_lower_w{0}"),
            ),
            "lower": Output("{u}", alias="donchian_channel_lower"),
        },
        ((20,),),
        (RATE_BARS,),
        "highest high and lowest low, current row included",
        laggable=False,
    ),
    Family(
        "historical_volatility",
        _LIST,
        historical_volatility,
        {"": Output("1", 0.0, alias="historical_volatility_{0}")},
        ((20,),),
        (RATE,),
        "deviation of one-row log returns times the root of 252 x 1,440",
        lookback=_next,
        laggable=False,
    ),
    Family(
        "chaikin_volatility",
        _LIST,
        chaikin_volatility,
        {"": Output("%", -100.0, alias="chaikin_volatility")},
        ((10, 10),),
        (RATE_BARS,),
        "change of the exponential mean of high - low",
        lookback=lambda span, rows: ema_run_in(span) + rows,
        laggable=False,
    ),
    Family(
        "mass_index",
        _LIST,
        mass_index,
        {"": Output("1", 0.0, alias="mass_index")},
        ((9, 25),),
        (RATE_BARS,),
        "sum of the exponential mean of high - low over its own exponential mean",
        lookback=lambda span, window: 2 * (ema_run_in(span) - 1) + window,
        laggable=False,
    ),
    Family(
        "vortex",
        _LIST,
        vortex,
        {
            "plus": Output("1", 0.0, alias="vortex_indicator_plus"),
            "minus": Output("1", 0.0, alias="vortex_indicator_minus"),
        },
        ((14,),),
        (RATE_BARS,),
        "reach of highs and lows past the bar before, over true range",
        lookback=_next,
        laggable=False,
    ),
    Family(
        "ulcer",
        _LIST,
        ulcer,
        {"": Output("%", 0.0, alias="ulcer_index")},
        ((14,),),
        (RATE,),
        "root mean square of falls below the trailing maximum",
        lookback=lambda window: 2 * window - 1,
        laggable=False,
    ),
)
