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
from bqx.features.rolling.multivariate import by_column
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX_WINDOW, bqx
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY, PAIRS, base, quote

Build = Callable[[Bars], F]
Taken = tuple["Series", Sequence[int], Sequence[float]]

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

    ``make`` : (T, 28) from bars that have a panel, a row from ``reach`` bars. ``key`` names it in
    the panel. ``width`` : columns, where they are not one of every pair. ``whole`` : a series that
    has these columns, and their places: where the panel has it, they are read of it.
    """

    key: str
    make: Build
    reach: int = 1
    width: int = len(PAIRS)
    whole: tuple["Series", Sequence[int]] | None = None

    def every(self, bars: Bars) -> F:
        """(T, 28) of all pairs, NaN without a panel."""
        if bars.panel is None:
            return np.full((len(bars), self.width), np.nan)
        if self.whole and bars.panel.has(self.whole[0]._name):
            series, places = self.whole
            return series.every(bars).take(places, axis=1)
        return np.asarray(bars.panel.moving(self._name, self.reach, self.make, bars))

    @property
    def _name(self) -> str:
        return f"every {self.key}"

    def __call__(self, bars: Bars, pair: str) -> F:
        """(T,) of a pair."""
        if bars.panel is None:
            return np.full(len(bars), np.nan)
        place = PAIRS.index(pair)
        return np.asarray(
            bars.panel.derived(
                f"{self.key}:{pair}", lambda: np.ascontiguousarray(self.every(bars)[:, place])
            )
        )


@dataclass(frozen=True)
class OfPairs:
    """Build of a source for one pair or for several at once.

    ``make(bars, pairs, rows)`` gives the last rows of some pairs of the panel, (pairs, rows, ...),
    from the bars of any pair; fewer rows where no others are wanted.
    """

    make: Callable[[Bars, tuple[str, ...], int], F]

    def __call__(self, bars: Bars) -> F:
        """(T, ...) of the bars' pair."""
        return self.make(bars, (bars.pair,), len(bars))[0]


def own(series: Series) -> OfPairs:
    """A series: (T,)."""
    return OfPairs(
        lambda bars, pairs, rows: series.every(bars)[len(bars) - rows :].take(_places(pairs), 1).T
    )


def same(key: str, make: Build) -> OfPairs:
    """What ``make`` gives of any bars, the same for all pairs: (T, C)."""

    def of_pairs(bars: Bars, pairs: tuple[str, ...], rows: int) -> F:
        values = shared(bars, key, lambda: make(bars))
        recent = values[max(len(values) - rows, 0) :]
        return np.broadcast_to(recent, (len(pairs), *recent.shape))

    return OfPairs(of_pairs)


def columns(of: Callable[[str], Sequence[Taken]]) -> OfPairs:
    """Columns of series: (T, C).

    ``of`` : for a pair the series, the columns of each and their signs, one for all or one each.
    """

    @cache
    def places(pairs: tuple[str, ...]) -> list[tuple[Series, NDArray[np.int64], F]]:
        return [
            (each[0][0], np.array([at for _, at, _ in each]), np.array([turn for *_, turn in each]))
            for each in zip(*map(of, pairs), strict=True)
        ]

    def of_pairs(bars: Bars, pairs: tuple[str, ...], rows: int) -> F:
        parts = [
            series.every(bars)[len(bars) - rows :].take(at, axis=1).transpose(1, 0, 2)
            * signs[:, None]
            for series, at, signs in places(pairs)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    return OfPairs(of_pairs)


def _closes(bars: Bars) -> F:
    assert bars.panel is not None
    return bars.panel.closes


def _index(bars: Bars) -> F:
    assert bars.panel is not None
    return bars.panel.index


@kernel
def _returns(rates: F) -> F:
    out = by_column(rates)
    for k in range(len(out)):
        out[k] = log_returns(out[k], 1)
    return by_column(out)


@kernel
def _momentum(index: F, window: int) -> F:
    out = by_column(index)
    for k in range(len(out)):
        out[k] = bqx(out[k], window)
    return by_column(out)


@kernel
def _moves(momentum: F) -> F:
    out = np.full(momentum.shape, np.nan)
    rows, pairs = momentum.shape
    for row in range(1, rows):
        for k in range(pairs):
            out[row, k] = momentum[row, k] - momentum[row - 1, k]
    return out


def momentum_over(window: int) -> Series:
    """BQX of a window."""
    return Series(f"bqx{window}", lambda bars: _momentum(index.every(bars), window), window + 1)


closes = Series("close", _closes)
"""Closes, quote units."""

index = Series("index", _index)
"""Rate index, points."""

returns = Series("return", lambda bars: _returns(closes.every(bars)), 2)
"""One-row log returns."""

momentum = momentum_over(BQX_WINDOW)
"""BQX."""

moves = Series("move", lambda bars: _moves(momentum.every(bars)), BQX_WINDOW + 2)
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


def taken(series: Series, *pairs: str) -> Taken:
    """Of a series some pairs as they are, see `columns`."""
    return series, [PAIRS.index(pair) for pair in pairs], [1.0]


def beside(series: Series, others: Callable[[str], tuple[str, ...]]) -> OfPairs:
    """Build of a series of the pair itself, then of some others."""
    return columns(lambda pair: [taken(series, pair, *others(pair))])


def turned(series: Series, of_base: int, of_quote: int) -> OfPairs:
    """Build of a series of the pair itself, then of so many relatives of its base and quote."""

    def of(pair: str) -> list[Taken]:
        names, signs = [pair], [1.0]
        for which, count in ((True, of_base), (False, of_quote)):
            others, turns = relatives(pair, which)
            names += others[:count]
            signs += turns[:count]
        return [(series, [PAIRS.index(name) for name in names], signs)]

    return columns(of)


def in_dollars(pairs: Iterable[str]) -> tuple[float, ...]:
    """+1 for pairs that rise with the dollar, -1 for those that fall."""
    return tuple(1.0 if base(pair) == "USD" else -1.0 for pair in pairs)
