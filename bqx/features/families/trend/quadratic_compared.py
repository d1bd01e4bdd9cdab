"""Quadratic trends compared: over time, between their terms, windows, domains.

The trend of a window (see ``regression``) has three normalised terms: curvature
``t2 = a2 w^2 / sigma``, slope at the window's start ``t1 = a1 w / sigma``, and start level
``b = (b - mu) / sigma``. A term within 1e-9 of zero has no sign; a ratio to such a term is NaN, and
ratios end at 100. ``b`` is a combination of the other two (the fit runs through the mean), and so
``b / t2`` of the uncut ``t1 / t2``.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from bqx.features.declare import family
from bqx.features.families.trend.terms_compared import (
    LIMIT,
    WINDOWS,
    begin,
    begin_gaps,
    comparisons,
    gaps,
    gaps_go_on,
    goes_on,
)
from bqx.features.rolling.comoments import BOTH
from bqx.features.sources import BQX, RATE
from bqx.features.spec import FLAG, Output, read
from bqx.features.steps import Steps

TERMS = ("t2", "t1", "b")
SLOTS = tuple((term, w) for w in WINDOWS for term in TERMS)
"""Term and window of each column of ``terms``."""

_RATIOS = (("t1", "t2"), ("b", "t1"), ("b", "t2"))
_SPANS = ((5, 30), (15, 60))


def rows(count: int) -> Callable[[], int]:
    """A lookback that depends on no window."""
    return lambda: count


_NOUNS = {"t2": "curvature", "t1": "slope", "b": "start level"}
_TERMS = {"t2": "t2(x, {})", "t1": "t1(x, {})", "b": "b(x, {})"}


def _own(term: str, w: int, prefix: str = "") -> tuple[str, ...]:
    """What a term follows from: the other two, or the same term in another scale."""
    if term == "b":
        return tuple(f"{{s}}_parabolic_{prefix}{below}_w{w}" for below in ("t2", "t1"))
    if prefix or w == 5:
        return ()
    return (f"{{s}}_quadratic_{'a2' if term == 't2' else 'a1'}_norm_w{w}",)


def _changed(prefix: str, title: str, formula: str) -> dict[str, Any]:
    """Title and formula of a reading, or of its one-row change."""
    if not prefix:
        return {"title": title, "formula": formula}
    title = f"One-row change of the {title[0].lower()}{title[1:]}"
    return {"title": title, "formula": f"delta({formula}, 1)"}


def _levels(domain: str) -> Iterator[tuple[str, Output]]:
    """Terms and their one-row changes."""
    for prefix in ("", "d_"):
        for term, w in SLOTS:
            title = f"Normalised {_NOUNS[term]} of {{x}} over {w} rows"
            yield (
                f"{prefix}{term}_w{w}",
                Output(
                    "1",
                    alias=f"{prefix}{term}_{domain}_w{w}",
                    lookback=rows(w + bool(prefix)),
                    spanned_by=_own(term, w, prefix),
                    **_changed(prefix, title, _TERMS[term].format(w)),
                ),
            )


def _ratios(domain: str) -> Iterator[tuple[str, Output]]:
    """Quotients of two terms of a window."""
    for w in WINDOWS:
        for above, below in _RATIOS:
            name = f"ratio_{above}_{below}"
            # Five rates are hardly ever so straight that the cut parts the two.
            follows = (domain, above, below, w) == ("rate", "b", "t2", WINDOWS[0])
            yield (
                f"{name}_w{w}",
                Output(
                    "1",
                    -LIMIT,
                    LIMIT,
                    alias=f"{name}_{domain}_w{w}",
                    lookback=rows(w),
                    spanned_by=(f"{{s}}_parabolic_ratio_t1_t2_w{w}",) if follows else (),
                    title=f"Ratio of {_NOUNS[above]} to {_NOUNS[below]} of {{x}} over {w} rows",
                    formula=f"clip({above}(x, {w}) / {below}(x, {w}), 100)",
                ),
            )


def _across(domain: str) -> Iterator[tuple[str, Output]]:
    """Terms of a short window against those of a long one."""
    for kind, bound, noun, mark in (
        ("ratio", LIMIT, "Ratio", "/"),
        ("delta", np.inf, "Difference", "-"),
    ):
        for term, (short, long) in product(TERMS, _SPANS):
            formula = f"{term}(x, {short}) {mark} {term}(x, {long})"
            of = tuple(f"{{s}}_parabolic_{term}_w{w}" for w in (short, long))
            yield (
                f"{kind}_{term}_w{short}_w{long}",
                Output(
                    "1",
                    -bound,
                    bound,
                    alias=f"{kind}_{term}_{domain}_w{short}_w{long}",
                    lookback=rows(long),
                    spanned_by=of if kind == "delta" else (),
                    title=f"{noun} of the {_NOUNS[term]} of {{x}}, {short} and {long} rows",
                    formula=f"clip({formula}, 100)" if kind == "ratio" else formula,
                ),
            )


def _signs(domain: str) -> Iterator[tuple[str, Output]]:
    """Signs of a term over the windows, and of two terms of a window."""
    for term in TERMS:
        yield (
            f"signfrac_{term}",
            Output(
                *FLAG,
                alias=f"signfrac_{term}_{domain}_windows",
                lookback=rows(max(WINDOWS)),
                title=f"Share of four windows with positive {_NOUNS[term]} of {{x}}",
                formula=f"mean({term}(x, w) > 0, w in 5, 15, 30, 60)",
            ),
        )
    for w in WINDOWS:
        yield (
            f"agree_t2_t1_w{w}",
            Output(
                *FLAG,
                alias=f"agree_t2_t1_{domain}_w{w}",
                lookback=rows(w),
                title=f"Agreement of curvature and slope of {{x}} over {w} rows",
                formula=f"sign(t2(x, {w})) = sign(t1(x, {w}))",
            ),
        )


def _outputs(domain: str) -> dict[str, Output]:
    """Outputs of a domain, in the order of the columns of ``comparisons``."""
    return dict(reading for kind in (_levels, _ratios, _across, _signs) for reading in kind(domain))


_GAPS = {
    f"{prefix}gap_{term}_w{w}": Output(
        "1",
        alias=f"{prefix}gap_{term}_w{w}",
        lookback=rows(w + bool(prefix)),
        spanned_by=tuple(f"{s}_parabolic_{prefix}{term}_w{w}" for s in ("rate", "bqx")),
        **_changed(
            prefix,
            f"Gap of normalised {_NOUNS[term]}, rate less BQX, {w} rows",
            f"{term}(I, {w}) - {term}(B, {w})",
        ),
    )
    for prefix in ("", "d_")
    for term, w in SLOTS
}

_parabolic = partial(
    family,
    "parabolic",
    table="parabolic",
    about="quadratic trends of four trailing windows compared",
    laggable=False,
)

_steps = partial(Steps, last=read, rows=rows(max(WINDOWS) + 1), reads=rows(1), abreast=True)

FAMILIES = (
    _parabolic(comparisons, _outputs("rate"), sources=RATE, steps=_steps(goes_on, begin=begin)),
    _parabolic(comparisons, _outputs("bqx"), sources=BQX, steps=_steps(goes_on, begin=begin)),
    _parabolic(gaps, _GAPS, sources=BOTH, steps=_steps(gaps_go_on, begin=begin_gaps)),
)
