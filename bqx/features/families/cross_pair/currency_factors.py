"""The dollar factor, and an index of each currency."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.component import component
from bqx.features.rolling.panels import DAY, DOLLAR_PAIRS, read
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import totals
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars
from bqx.market.pairs import CURRENCIES, PAIRS, base, quote

ITERATIONS = 64
"""Steps of the power method."""


@kernel
def path(x: F, loadings: F, first_minute: int, window: int) -> F:
    """Factor of returns under each row's loadings: (T, C), (T, C) -> (T, 6).

    Level (sum over the window), change over 5 and over 15 rows, deviation of its one-row moves
    over 30, and the level's score over 60 and slope over 20 rows.
    """
    rows, columns = x.shape
    out = np.full((rows, 6), np.nan)
    total = totals(x, window, first_minute)
    back = np.empty(60)
    for row in range(window - 1, rows):
        if np.isnan(loadings[row, 0]):
            continue
        level = 0.0
        for j in range(columns):
            level += loadings[row, j] * total[row, j]
        out[row, 0] = level
        # The level of k rows ago less that of now, and the moves between.
        gap = squares = mean_move = 0.0
        for k in range(60):
            back[k] = gap
            if k == 5:
                out[row, 1] = -gap
            if k == 15:
                out[row, 2] = -gap
            move = 0.0
            for j in range(columns):
                move += loadings[row, j] * x[row - k, j]
            if k < 30:
                mean_move += move / 30.0
                squares += move * move
            gap -= move
        out[row, 3] = np.sqrt(max(squares - 30.0 * mean_move * mean_move, 0.0) / 29.0)
        mean = back.mean()
        variance = ((back - mean) ** 2).sum() / 59.0
        if variance > 0.0:
            out[row, 4] = -mean / np.sqrt(variance)
        slope = 0.0
        for k in range(20):
            slope += (9.5 - k) * back[k]
        out[row, 5] = slope / 665.0
    return out


def _factor(bars: Bars) -> F:
    def make() -> F:
        x = panels.stack(bars, panels.returns, DOLLAR_PAIRS)
        rising = np.array(panels.in_dollars(DOLLAR_PAIRS))
        first, since = bars.first_market_minute, panels.since(bars)
        fitted = component(x, DAY, first, rising, ITERATIONS, since, centred=True)
        return path(x, fitted[:, :-1], first, DAY)

    return panels.shared(bars, "dollar factor", make)


def strength(bars: Bars, currency: str) -> F:
    """(T,) index of a currency, 100 at the baseline: geometric mean against the seven others."""

    def make() -> F:
        pairs = [pair for pair in PAIRS if currency in (base(pair), quote(pair))]
        signs = [1.0 if base(pair) == currency else -1.0 for pair in pairs]
        total = np.zeros(len(bars))
        for pair, sign in zip(pairs, signs, strict=True):
            total += sign * panels.level(bars, pair)
        return 100.0 * np.exp(total / len(pairs))

    return panels.shared(bars, f"currency:{currency}", make)


def _indices(bars: Bars) -> F:
    sides = [strength(bars, side(bars.pair)) for side in (base, quote)]
    indices = [strength(bars, currency) for currency in CURRENCIES]
    return np.column_stack([*indices, *sides, sides[0] - sides[1]])


FACTOR = Source("dollar", "cross", "1", 2, _factor)
"""Readings of the dollar factor, the same for all pairs."""

INDICES = Source("currency", "cross", "1", 1, _indices)
"""Indices of the eight currencies, of the base and the quote, and the difference of these."""

_EIGHT = tuple(f"currency_index_{name.lower()}" for name in CURRENCIES)

FAMILIES = (
    Family(
        "factor",
        "cross_pair",
        read,
        {
            "level": Output(
                "1", alias="usd_factor_level", about="sum of its moves over the window"
            ),
            "change_5": Output("1", alias="usd_factor_change_5"),
            "change_15": Output("1", alias="usd_factor_change_15"),
            "vol_30": Output("1", 0.0, alias="usd_factor_vol_30", about="deviation of its moves"),
            "z_60": Output("1", alias="usd_factor_z_60", about="score of the level over 60 rows"),
            "trend_20": Output("1/bar", alias="usd_factor_trend_20", about="slope of the level"),
        },
        ((DAY,),),
        (FACTOR,),
        "first principal component of seven dollar pairs' log returns under the window's loadings, "
        "rising with the dollar, the same for all pairs",
        laggable=False,
    ),
    Family(
        "index",
        "currency",
        read,
        {
            **{
                name.lower(): Output("1", 0.0, alias=f"{name.lower()}_index") for name in CURRENCIES
            },
            "base": Output("1", 0.0, alias="base_currency_index", spanned_by=_EIGHT),
            "quote": Output("1", 0.0, alias="quote_currency_index", spanned_by=_EIGHT),
            "differential": Output(
                "1", alias="currency_index_differential", spanned_by=_EIGHT, about="base less quote"
            ),
        },
        ((),),
        (INDICES,),
        "100 times the geometric mean of the rate indices against the seven other currencies",
        lookback=lambda: 1,
        laggable=False,
    ),
)
