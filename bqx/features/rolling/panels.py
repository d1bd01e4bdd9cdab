"""Series of other pairs, read from the panel once for all pairs that share it.

Everything here, a pair's own series included, comes from the panel's closes. An absent pair is a
column of NaN, and so is every pair where there is no panel.
"""

from collections.abc import Callable, Iterable
from functools import cache

import numpy as np

from bqx.features.rolling.ago import changes
from bqx.features.rolling.multivariate import demeaned
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F, extremes
from bqx.features.sources import BQX_WINDOW, bqx
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY, PAIRS, base, pip, quote, triangle
from bqx.market.sessions import DAY

Series = Callable[[Bars, str], F]
Build = Callable[[Bars], F]

MAJORS = ("eurusd", "gbpusd", "audusd", "nzdusd", "usdjpy")
"""The five dollar pairs that the inventory of features names."""

DOLLAR_PAIRS = tuple(pair for pair in LIQUIDITY if "usd" in pair)
"""The seven pairs of the dollar, most liquid first."""


def shared(bars: Bars, key: str, make: Callable[[], F]) -> F:
    """What ``make`` gives, made once for the panel; without a panel made from NaN."""
    return bars.panel.derived(key, make) if bars.panel else make()


def since(bars: Bars) -> int:
    """First row whose features are wanted."""
    return bars.panel.since if bars.panel else 0


def closes(bars: Bars, pair: str) -> F:
    """(T,) closes, quote units."""
    if bars.panel is None:
        return np.full(len(bars), np.nan)
    rates = bars.panel.closes[:, PAIRS.index(pair)]
    return shared(bars, f"close:{pair}", lambda: np.ascontiguousarray(rates))


def index(bars: Bars, pair: str) -> F:
    """(T,) rate index, points."""
    baseline = np.nan if bars.panel is None else bars.panel.baselines[PAIRS.index(pair)]
    return shared(bars, f"index:{pair}", lambda: 100.0 * closes(bars, pair) / baseline)


def returns(bars: Bars, pair: str) -> F:
    """(T,) one-row log returns."""

    return shared(bars, f"return:{pair}", lambda: log_returns(closes(bars, pair), 1))


def momentum(bars: Bars, pair: str, window: int = BQX_WINDOW) -> F:
    """(T,) BQX."""
    return shared(bars, f"bqx{window}:{pair}", lambda: bqx(index(bars, pair), window))


def moves(bars: Bars, pair: str) -> F:
    """(T,) one-row changes of BQX."""
    return shared(bars, f"move:{pair}", lambda: changes(momentum(bars, pair), 1))


def level(bars: Bars, pair: str) -> F:
    """(T,) log of the rate index, 0 at the baseline."""
    return shared(bars, f"level:{pair}", lambda: np.log(index(bars, pair) / 100.0))


def stack(bars: Bars, series: Series, pairs: Iterable[str], signs: Iterable[float] = ()) -> F:
    """(T, C) a series of each pair, times its sign."""
    columns = [series(bars, pair) for pair in pairs]
    turns = list(signs) or [1.0] * len(columns)
    out = np.empty((len(bars), len(columns)))
    for k, (x, turn) in enumerate(zip(columns, turns, strict=True)):
        np.multiply(x, turn, out=out[:, k])
    return out


@cache
def relatives(pair: str, of_base: bool) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The six other pairs of a pair's base (or quote), most liquid first, and their signs.

    A sign is -1 where the shared currency stands on the other side, so that all turned series
    rise when the pair's own does for a reason of the shared currency.
    """
    side, currency = (base, base(pair)) if of_base else (quote, quote(pair))
    others = [p for p in LIQUIDITY if currency in (base(p), quote(p)) and p != pair]
    return tuple(others), tuple(1.0 if side(p) == currency else -1.0 for p in others)


def turned(series: Series, of_base: int, of_quote: int) -> Build:
    """Build of a series of the pair itself, then of so many relatives of its base and quote."""

    def build(bars: Bars) -> F:
        names, signs = [bars.pair], [1.0]
        for which, count in ((True, of_base), (False, of_quote)):
            others, turns = relatives(bars.pair, which)
            names += others[:count]
            signs += turns[:count]
        return stack(bars, series, names, signs)

    return build


def in_dollars(pairs: Iterable[str]) -> tuple[float, ...]:
    """+1 for pairs that rise with the dollar, -1 for those that fall."""
    return tuple(1.0 if base(pair) == "USD" else -1.0 for pair in pairs)


def _parity(bars: Bars, pair: str) -> F:
    """(2, T) log parity error, and whether one of the three rates was made from the others."""

    def make() -> F:
        sides = triangle(pair)
        names = (sides.direct, sides.first, sides.second)
        rates = [closes(bars, name) for name in names]
        digits = sum(pip(name) / 10.0 / rate for name, rate in zip(names, rates, strict=True))
        error = np.log(rates[0] / (rates[1] * rates[2]))
        top, bottom = extremes(error, error, DAY)
        return np.stack((error, top - bottom <= digits))

    return shared(bars, f"parity:{triangle(pair)}", make)


def _residual(bars: Bars, pair: str, x: F) -> F:
    built = _parity(bars, pair)[1] == 1.0
    return np.where(built, np.nan, demeaned(x, DAY, bars.first_market_minute))


def triangle_residual(bars: Bars, pair: str) -> F:
    """(T,) log parity error of a pair's triangle less its mean over 1,440 rows.

    NaN where the window's errors differ by no more than the last digits of the three rates do:
    there one rate was made from the others.
    """
    key = f"triangle:{triangle(pair)}"
    return shared(bars, key, lambda: _residual(bars, pair, _parity(bars, pair)[0]))


def triangle_momentum(bars: Bars, pair: str) -> F:
    """(T,) BQX of a triangle's direct pair less those of its legs, less its mean over 1,440 rows.

    NaN where ``triangle_residual`` is.
    """
    sides = triangle(pair)

    def make() -> F:
        rates = [momentum(bars, name) for name in (sides.direct, sides.first, sides.second)]
        return _residual(bars, pair, rates[0] - rates[1] - rates[2])

    return shared(bars, f"triangle bqx:{sides}", make)
