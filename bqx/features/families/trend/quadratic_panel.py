"""Quadratic trends of a pair against those of all pairs.

All need the 28 pairs: where one is absent, or its window meets a hole, there is no panel. Deviation
and share of positive signs run over the pairs that have the term, at least three: flat windows have
none. The principal component is that of the last 1,440 rows' second moments,
signed like the dollar vector (+1 where the dollar is the base, -1 where it is the quote); a flat
window counts as no trend. A sister that is absent
leaves its gap NaN.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.trend.quadratic_compared import (
    SLOTS,
    TERMS,
    rows,
)
from bqx.features.families.trend.terms_compared import WINDOWS, normalised, terms
from bqx.features.rolling import panels
from bqx.features.rolling.ago import changes, clean_rows
from bqx.features.rolling.component import component, projected
from bqx.features.rolling.multivariate import by_column
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import FLAG, Output, Source, read
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS, SISTERS, base, quote
from bqx.market.sessions import DAY

FEWEST = 3
"""Pairs that are not flat behind a statistic of the panel."""

SIGNED = (15, 60)
WINDOW = 15
"""Window of the terms compared with sisters and behind the component."""

_DOLLAR = np.array([float(base(p) == "USD") - float(quote(p) == "USD") for p in PAIRS])
_LONGEST = max(WINDOWS)
_ONE = [SLOTS.index((term, w)) for w in SIGNED for term in TERMS]


@kernel
def _gather(x: F, t: F, sums: F, signs: F) -> None:
    clean = clean_rows(x)[len(x) - len(t) :]
    for k in range(12):
        window = WINDOWS[k // 3]
        for row in range(len(t)):
            value = t[row, k]
            finite = value == value
            term = value if finite else 0.0
            number = 1.0 if finite else 0.0
            sums[0, k, row] += number if clean[row] >= window else np.nan
            sums[1, k, row] += term
            sums[2, k, row] += term * term
            signs[k, row] += 1.0 if term >= ROUNDING else 0.0


@kernel(nogil=True)
def _of_pairs(index: F, momentum: F, first_minute: int, since: int) -> tuple[F, F]:
    """Sums and numbers of signs over the pairs on the rows from ``since`` on, of rate and BQX (T,
    28): (2, 3, 12, n) and (2, 12, n).
    """
    count, pairs = index.shape
    sums, signs = np.zeros((2, 3, 12, count - since)), np.zeros((2, 12, count - since))
    for i in range(pairs):
        for domain in range(2):
            read = (momentum if domain else index)[:, i].copy()
            t = terms(read, first_minute, since)
            _gather(read, t, sums[domain], signs[domain])
    return sums, signs


@kernel(nogil=True)
def _trends_of(momentum: F, first_minute: int) -> F:
    series = by_column(momentum)
    out = np.empty((3 * len(series), len(momentum)))
    for i in range(len(series)):
        out[3 * i : 3 * i + 3] = normalised(series[i], first_minute, WINDOW).T
    return by_column(out)


@kernel(nogil=True)
def _with_flat(trends: F, momentum: F, term: int) -> F:
    """A term of every pair's trend: (T, 28), 0 of a flat window."""
    out = by_column(trends[:, term::3])
    for i in range(len(out)):
        clean = clean_rows(momentum[:, i].copy())
        for row in range(len(clean)):
            value = out[i, row]
            out[i, row] = 0.0 if value != value and clean[row] >= WINDOW else value
    return by_column(out)


def _moments(sums: F) -> F:
    count, total, squares = sums
    count = np.where(count < FEWEST, np.nan, count)
    spread = np.maximum(squares - total * total / count, 0.0)
    return np.asarray(np.sqrt(spread / (count - 1.0)))


def _share(sums: F, signs: F) -> F:
    count = sums[0]
    return signs / np.where(count < FEWEST, np.nan, count)


_trends = panels.Series(
    "parabolic",
    lambda bars: _trends_of(panels.momentum.every(bars), bars.first_market_minute),
    BQX_WINDOW + WINDOW,
    3 * len(PAIRS),
)
"""(T, 84) terms of every pair's BQX over 15 rows, the three of a pair side by side."""


def _term(name: str, place: int) -> panels.Series:
    """(T, 28) a term of every pair's BQX over 15 rows, 0 of a flat window."""

    def make(bars: Bars) -> F:
        return np.asarray(_with_flat(_trends.every(bars), panels.momentum.every(bars), place))

    return panels.Series(f"parabolic {name} or flat", make, BQX_WINDOW + WINDOW)


_WITH_FLAT = _term("curvature", 0), _term("slope", 1)


def _terms_of(names: Callable[[str], tuple[str, ...]]) -> panels.OfPairs:
    return panels.columns(
        lambda pair: [
            (_trends, [3 * PAIRS.index(p) + k for p in names(pair) for k in range(3)], [1.0])
        ]
    )


def _panel(bars: Bars) -> F:
    """Statistics of the panel on the rows wanted: (T, 40)."""
    first_minute, panel, since = bars.first_market_minute, bars.panel, panels.since(bars)
    if panel is None or np.isnan(panel.baselines).any():
        return np.full((len(bars) - since, 40), np.nan)
    # Rows behind the first one whose statistics are wanted.
    start = max(since - (_LONGEST - 1), 0)
    read = (series.every(bars)[start:] for series in (panels.index, panels.momentum))
    sums, signs = _of_pairs(*read, first_minute + start, since - start)
    components = []
    late = max(since - 1, 0)
    for series in _WITH_FLAT:
        z = series.every(bars)
        fitted = component(z, DAY, first_minute, _DOLLAR, late, centred=False)
        leading = projected(z[late:], fitted[late:])
        components += [each[since - late :] for each in (leading, changes(leading, 1))]
    statistics = [
        *(_moments(sums[d]) for d in range(2)),
        *(_share(sums[d][:, _ONE], signs[d][_ONE]) for d in range(2)),
        np.array(components),
    ]
    return np.concatenate(statistics).T


_twice, _both = _terms_of(lambda pair: (pair, pair)), _terms_of(lambda pair: SISTERS[pair][:2])


def _above_sisters(bars: Bars, pairs: tuple[str, ...], rows: int) -> F:
    return _twice.make(bars, pairs, rows) - _both.make(bars, pairs, rows)


PANEL_TRENDS = Source("panel", "cross", "1", 1, panels.same("of parabolic", _panel))
"""Statistics over all pairs of the trends' terms; lookbacks count bars."""

SISTER_TRENDS = Source("sister", "cross", "1", BQX_WINDOW + WINDOW, panels.OfPairs(_above_sisters))
"""Terms of the pair's BQX trend less those of its two sisters."""


_NOUNS = {"t2": "curvature", "t1": "slope", "b": "start level"}
_SERIES = {"rate": ("the rate index", "I", 0), "bqx": ("BQX", "B", BQX_WINDOW)}


def _across_pairs() -> Iterator[tuple[str, Output]]:
    """Deviation and share of positive signs across pairs."""
    for domain, (noun, x, behind) in _SERIES.items():
        for term, w in SLOTS:
            yield (
                f"std_{term}_{domain}_w{w}",
                Output(
                    "1",
                    0.0,
                    alias=f"panel_std_{term}_{domain}_w{w}",
                    lookback=rows(w + behind),
                    title=f"Dispersion of the {_NOUNS[term]} of {noun} across pairs, {w} rows",
                    formula=f"std({term}({x}[p], {w}), p in 28 pairs)",
                ),
            )
    for domain, (noun, x, behind) in _SERIES.items():
        for w in SIGNED:
            for term in TERMS:
                yield (
                    f"signfrac_{term}_{domain}_w{w}",
                    Output(
                        *FLAG,
                        alias=f"panel_signfrac_{term}_{domain}_w{w}",
                        lookback=rows(w + behind),
                        title=f"Share of pairs with positive {_NOUNS[term]} of {noun}, {w} rows",
                        formula=f"mean({term}({x}[p], {w}) > 0, p in 28 pairs)",
                    ),
                )


def _components() -> Iterator[tuple[str, Output]]:
    """Principal components of two terms, and their one-row changes."""
    for term in TERMS[:2]:
        noun, formula = _NOUNS[term], f"pc1({term}(B[p], {WINDOW}), p in 28 pairs, {DAY})"
        for prefix, start, text in (
            ("", "First", formula),
            ("d_", "One-row change of the first", f"delta({formula}, 1)"),
        ):
            yield (
                f"{prefix}pc1_{term}_bqx_w{WINDOW}",
                Output(
                    "1",
                    alias=f"{prefix}pc1_{term}_bqx_w{WINDOW}",
                    lookback=rows(DAY - 1 + WINDOW + BQX_WINDOW + bool(prefix)),
                    title=f"{start} principal component of BQX {noun} across pairs",
                    formula=text,
                ),
            )


_SISTERS = {
    f"{number}_gap_{term}_w{WINDOW}": Output(
        "1",
        alias=f"gap_{term}_bqx_sister{number}_w{WINDOW}",
        spanned_by=tuple(f"{{s}}_parabolic_{number}_gap_{of}_w{WINDOW}" for of in TERMS[:2])
        if term == "b"
        else (),
        title=f"Gap of BQX {_NOUNS[term]} to sister {number}",
        formula=f"{term}(B, {WINDOW}) - {term}(B[sister{number}], {WINDOW})",
    )
    for number in (1, 2)
    for term in TERMS
}

_parabolic = partial(
    family,
    "parabolic",
    read,
    table="parabolic",
    about="quadratic trends against those of other pairs",
    laggable=False,
)

FAMILIES = (
    _parabolic({**dict(_across_pairs()), **dict(_components())}, sources=PANEL_TRENDS),
    _parabolic(_SISTERS, sources=SISTER_TRENDS, lookback=rows(1)),
)
