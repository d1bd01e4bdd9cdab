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

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.ago import changes
from bqx.features.rolling.comoments import BOTH
from bqx.features.rolling.quadratic import fit
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import zone
from bqx.features.sources import BQX, RATE
from bqx.features.spec import BQX_COLUMN, FLAG, RATE_COLUMN, Output

WINDOWS = (5, 15, 30, 60)
TERMS = ("t2", "t1", "b")
SLOTS = tuple((term, w) for w in WINDOWS for term in TERMS)
"""Term and window of each column of ``terms``."""

LIMIT = 100.0
"""Largest ratio of two terms."""

_RATIOS = (("t1", "t2"), ("b", "t1"), ("b", "t2"))
_SPANS = ((5, 30), (15, 60))


@kernel
def normalised(x: F, first_minute: int, window: int) -> F:
    """Normalised terms of the trend over a window: (T, 3)."""
    out = np.empty((3, len(x)))
    w = float(window)
    fitted = fit(x, window, first_minute)
    for row in range(len(x)):
        scale = w / fitted[row, 3]
        out[0, row] = fitted[row, 0] * w * scale
        out[1, row] = fitted[row, 1] * scale
        out[2, row] = fitted[row, 2] / fitted[row, 3]
    return out.T


@kernel
def terms(x: F, first_minute: int) -> F:
    """Normalised terms of the trends over 5, 15, 30 and 60 rows: (T, 12), see ``SLOTS``."""
    out = np.empty((12, len(x)))
    for i, window in enumerate(WINDOWS):
        out[3 * i : 3 * i + 3] = normalised(x, first_minute, window).T
    return out.T


@kernel
def quotient(above: float, below: float) -> float:
    """Quotient, NaN where there is nothing to divide by."""
    return above / below if abs(below) >= ROUNDING else np.nan


@kernel
def limited(value: float) -> float:
    """Value within the limit; NaN stays."""
    return LIMIT if value > LIMIT else -LIMIT if value < -LIMIT else value


@kernel
def sign(value: float) -> float:
    """-1, 0 or 1; NaN stays."""
    return zone(value, -ROUNDING, ROUNDING)


@kernel
def comparisons(x: F, first_minute: int) -> F:
    """Terms, their changes, ratios and signs within a domain: (T, 55), see the outputs."""
    rows = len(x)
    out = np.empty((55, rows))
    t = terms(x, first_minute)
    out[:12] = t.T
    for k in range(12):
        out[12 + k] = changes(t[:, k], 1)
    for i in range(4):
        w = float(WINDOWS[i])
        for row in range(rows):
            t2, t1, b = t[row, 3 * i], t[row, 3 * i + 1], t[row, 3 * i + 2]
            turn = quotient(t1, t2)
            # b = -(t2 mean(u^2) + t1 mean(u)) with u = x / w.
            start = -(w - 1.0) / (2.0 * w) * ((2.0 * w - 1.0) / (3.0 * w) + turn)
            out[24 + 3 * i, row], out[25 + 3 * i, row] = limited(turn), limited(quotient(b, t1))
            out[26 + 3 * i, row] = limited(start)
            apart = sign(t2) - sign(t1)
            out[51 + i, row] = 1.0 if apart == 0.0 else 0.0 * apart
    for k in range(3):
        for j in range(2):
            for row in range(rows):
                short, long = t[row, 3 * j + k], t[row, 3 * j + 6 + k]
                out[36 + 2 * k + j, row] = limited(quotient(short, long))
                out[42 + 2 * k + j, row] = short - long
        for row in range(rows):
            # Half the sum of the signs and of their sizes counts those that are positive.
            up = 0.0
            for i in range(4):
                side = sign(t[row, 3 * i + k])
                up += 0.5 * (side + abs(side))
            out[48 + k, row] = 0.25 * up
    return out.T


@kernel
def gaps(both: F, first_minute: int) -> F:
    """Terms of the rate index less those of BQX, and their change: (T, 24)."""
    out = np.empty((24, len(both)))
    out[:12] = (
        terms(both[:, RATE_COLUMN].copy(), first_minute)
        - terms(both[:, BQX_COLUMN].copy(), first_minute)
    ).T
    for k in range(12):
        out[12 + k] = changes(out[k], 1)
    return out.T


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

FAMILIES = (
    _parabolic(comparisons, _outputs("rate"), sources=RATE),
    _parabolic(comparisons, _outputs("bqx"), sources=BQX),
    _parabolic(gaps, _GAPS, sources=BOTH),
)
