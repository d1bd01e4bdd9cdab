"""Series of other pairs, read from the panel once for all pairs that share it.

Everything here, a pair's own series included, comes from the panel's closes. An absent pair is a
column of NaN, and so is every pair where there is no panel.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.ago import changes
from bqx.features.rolling.multivariate import demeaned
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F, extremes
from bqx.features.sources import BQX_WINDOW, bqx
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY, PAIRS, base, pip, quote, triangle
from bqx.market.sessions import DAY

Build = Callable[[Bars], F]
OfPair = Callable[[Bars, str], F]

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


@dataclass(frozen=True)
class Series:
    """A series of every pair of the panel, made once: ``every(bars)`` is (T, 28), in the order of
    ``PAIRS``, and ``series(bars, pair)`` (T,) one of them.

    ``make`` : (T, 28) from bars that have a panel. ``key`` names it in the panel.
    """

    key: str
    make: Build

    def every(self, bars: Bars) -> F:
        """(T, 28) of all pairs, NaN without a panel."""
        if bars.panel is None:
            return np.full((len(bars), len(PAIRS)), np.nan)
        return bars.panel.derived(f"every {self.key}", lambda: self.make(bars))

    def __call__(self, bars: Bars, pair: str) -> F:
        """(T,) of a pair."""
        if bars.panel is None:
            return np.full(len(bars), np.nan)
        place = PAIRS.index(pair)
        return bars.panel.derived(
            f"{self.key}:{pair}", lambda: np.ascontiguousarray(self.every(bars)[:, place])
        )


def of_each(series: OfPair) -> Build:
    """(T, 28) from what makes (T,) of a pair."""
    return lambda bars: np.column_stack([series(bars, pair) for pair in PAIRS])


def _closes(bars: Bars) -> F:
    assert bars.panel is not None
    return bars.panel.closes


def _index(bars: Bars) -> F:
    assert bars.panel is not None
    return bars.panel.index


@kernel
def _returns(rates: F) -> F:
    out = np.empty(rates.shape)
    for k in range(rates.shape[1]):
        out[:, k] = log_returns(rates[:, k].copy(), 1)
    return out


@kernel
def _momentum(index: F, window: int) -> F:
    out = np.empty(index.shape)
    for k in range(index.shape[1]):
        out[:, k] = bqx(index[:, k].copy(), window)
    return out


@kernel
def _moves(momentum: F) -> F:
    out = np.empty(momentum.shape)
    for k in range(momentum.shape[1]):
        out[:, k] = changes(momentum[:, k].copy(), 1)
    return out


def momentum_over(window: int) -> Series:
    """BQX of a window."""
    return Series(f"bqx{window}", lambda bars: _momentum(index.every(bars), window))


closes = Series("close", _closes)
"""Closes, quote units."""

index = Series("index", _index)
"""Rate index, points."""

returns = Series("return", lambda bars: _returns(closes.every(bars)))
"""One-row log returns."""

momentum = momentum_over(BQX_WINDOW)
"""BQX."""

moves = Series("move", lambda bars: _moves(momentum.every(bars)))
"""One-row changes of BQX."""

level = Series("level", lambda bars: np.log(index.every(bars) / 100.0))
"""Log of the rate index, 0 at the baseline."""


@cache
def _places(pairs: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([PAIRS.index(pair) for pair in pairs])


def stack(
    bars: Bars, series: Series, pairs: Sequence[str], signs: Sequence[float] | F | None = None
) -> F:
    """(T, C) a series of each pair, times its sign."""
    out = series.every(bars).take(_places(tuple(pairs)), axis=1)
    if signs is not None:
        out *= signs
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

    @cache
    def columns(pair: str) -> tuple[tuple[str, ...], F]:
        names, signs = [pair], [1.0]
        for which, count in ((True, of_base), (False, of_quote)):
            others, turns = relatives(pair, which)
            names += others[:count]
            signs += turns[:count]
        return tuple(names), np.array(signs)

    return lambda bars: stack(bars, series, *columns(bars.pair))


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
