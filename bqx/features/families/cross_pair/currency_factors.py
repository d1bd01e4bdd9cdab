"""The dollar factor, and an index of each currency."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import panels
from bqx.features.rolling.component import component
from bqx.features.rolling.panels import DOLLAR_PAIRS
from bqx.features.rolling.row_sums import last_totals
from bqx.features.rolling.sums import F
from bqx.features.spec import Output, Source, read
from bqx.market.bars import Bars
from bqx.market.pairs import CURRENCIES, PAIRS, base, quote
from bqx.market.sessions import DAY


@kernel(nogil=True)
def path(x: F, loadings: F, first_minute: int, window: int, since: int) -> F:
    """Factor of returns under each row's loadings: (T, C), (T, C) -> (T, 6), NaN before row
    ``since``.

    Level (sum over the window), change over 5 and over 15 rows, deviation of its one-row moves
    over 30, and the level's score over 60 and slope over 20 rows.
    """
    rows, columns = x.shape
    out = np.full((rows, 6), np.nan)
    total = last_totals(x, window, first_minute, since)
    back = np.empty(60)
    for row in range(max(window - 1, since), rows):
        if np.isnan(loadings[row, 0]):
            continue
        level = 0.0
        for j in range(columns):
            level += loadings[row, j] * total[row - since, j]
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
    x = panels.stack(bars, panels.returns, DOLLAR_PAIRS)
    rising = np.array(panels.in_dollars(DOLLAR_PAIRS))
    first, since = bars.first_market_minute, panels.since(bars)
    fitted = component(x, DAY, first, rising, since, centred=True)
    return path(x, fitted[:, :-1], first, DAY, since)


_WITH = [[pair for pair in PAIRS if c in (base(pair), quote(pair))] for c in CURRENCIES]
_SIGNS = [
    [1.0 if base(pair) == currency else -1.0 for pair in pairs]
    for currency, pairs in zip(CURRENCIES, _WITH, strict=True)
]


def _strength(bars: Bars) -> F:
    """(T, 8) indices, 100 at the baseline: geometric mean against the seven others."""
    total = np.zeros((len(bars), len(CURRENCIES)))
    for pairs, signs in zip(zip(*_WITH, strict=True), zip(*_SIGNS, strict=True), strict=True):
        total += panels.stack(bars, panels.level, pairs, signs)
    return np.asarray(100.0 * np.exp(total / len(_WITH[0])))


strength = panels.Series("currencies", _strength, width=len(CURRENCIES))


def _indices(bars: Bars, pairs: tuple[str, ...], rows: int) -> F:
    sides = [[CURRENCIES.index(side(pair)) for side in (base, quote)] for pair in pairs]
    places = [[*range(len(CURRENCIES)), own, other, own] for own, other in sides]
    recent = strength.every(bars)[len(bars) - rows :]
    out = recent.take(places, axis=1).transpose(1, 0, 2)
    out[:, :, -1] -= recent.take([other for _, other in sides], axis=1).T
    return out


FACTOR = Source("dollar", "cross", "1", 2, panels.same("dollar factor", _factor))
"""Readings of the dollar factor, the same for all pairs."""

INDICES = Source("currency", "cross", "1", 1, panels.OfPairs(_indices))
"""Indices of the eight currencies, of the base and the quote, and the difference of these."""

_EIGHT = tuple(f"currency_index_{name.lower()}" for name in CURRENCIES)
_F = "f = pc1(r of seven dollar pairs, {0})"
_FACTOR = {
    name: Output(unit, *bounds, alias=f"usd_factor_{name}", title=title, formula=f"{formula}, {_F}")
    for name, unit, title, formula, *bounds in (
        ("level", "1", "Level of the dollar factor", "sum(f, {0})"),
        ("change_5", "1", "Five-row change of the dollar factor", "sum(f, 5)"),
        ("change_15", "1", "Fifteen-row change of the dollar factor", "sum(f, 15)"),
        ("vol_30", "1", "Volatility of the dollar factor", "std(f, 30)", 0.0),
        ("z_60", "1", "Z-score of the dollar factor over 60 rows", "z(cumsum(f), 60)"),
        ("trend_20", "1/bar", "Slope of the dollar factor over 20 rows", "slope(cumsum(f), 20)"),
    )
}


def _index(name: str, noun: str, formula: str, *of: str) -> Output:
    alias = f"{name}_index" if not of else f"{name}_currency_index"
    return Output("1", 0.0, alias=alias, spanned_by=of, title=f"Index of {noun}", formula=formula)


_MEAN = "100 exp(mean(ln(I[{0}, k] / 100), k in seven others))"
_INDICES = {
    **{
        name.lower(): _index(name.lower(), f"the {name}", _MEAN.format(name)) for name in CURRENCIES
    },
    "base": _index("base", "the base currency", _MEAN.format("base"), *_EIGHT),
    "quote": _index("quote", "the quote currency", _MEAN.format("quote"), *_EIGHT),
    "differential": Output(
        "1",
        alias="currency_index_differential",
        spanned_by=_EIGHT,
        title="Index of the base less that of the quote currency",
        formula="index(base) - index(quote)",
    ),
}

FAMILIES = (
    family(
        "factor",
        read,
        _FACTOR,
        table="cross_pair",
        sources=FACTOR,
        windows=DAY,
        about="first principal component of seven dollar pairs' log returns under the window's "
        "loadings, rising with the dollar, the same for all pairs",
        laggable=False,
    ),
    family(
        "index",
        read,
        _INDICES,
        table="currency",
        sources=INDICES,
        about="100 times the geometric mean of the rate indices against the seven other currencies",
        lookback=lambda: 1,
        laggable=False,
    ),
)
