"""Quadratic trends compared: over time, between their terms, windows, domains.

The trend of a window (see ``regression``) has three normalised terms: curvature
``t2 = a2 w^2 / sigma``, slope at the window's start ``t1 = a1 w / sigma``, and start level
``b = (b - mu) / sigma``. A term within 1e-9 of zero has no sign; a ratio to such a term is NaN, and
ratios end at 100. ``b`` is a combination of the other two (the fit runs through the mean), and so
``b / t2`` of ``t1 / t2``, which it follows to the end.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.families.trend.quadratic import fit
from bqx.features.rolling.comoments import BOTH
from bqx.features.rolling.trailing import changes
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]

WINDOWS = (5, 15, 30, 60)
TERMS = ("t2", "t1", "b")
SLOTS = tuple((term, w) for w in WINDOWS for term in TERMS)
"""Term and window of each column of ``terms``."""

NOTHING = 1e-9
"""Below this a normalised term is the rounding of the bars."""

LIMIT = 100.0
"""Largest ratio of two terms."""

_RATIOS = (("t1", "t2"), ("b", "t1"), ("b", "t2"))
_SPANS = ((5, 30), (15, 60))


@kernel
def normalised(x: F, first_minute: int, window: int) -> F:
    """Normalised terms of the trend over a window: (T, 3)."""
    out = np.empty((3, len(x)))
    w = float(window)
    fitted = fit(x, first_minute, window)
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
def ratio(above: float, below: float) -> float:
    """Quotient within the limit; NaN where there is nothing to divide by."""
    quotient = above / below
    quotient = LIMIT if quotient > LIMIT else -LIMIT if quotient < -LIMIT else quotient
    return quotient if abs(below) >= NOTHING else np.nan


@kernel
def sign(value: float) -> float:
    """-1, 0 or 1; NaN stays."""
    side = 1.0 if value >= NOTHING else -1.0 if value <= -NOTHING else 0.0
    return side if value == value else np.nan


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
            turn = ratio(t1, t2)
            out[24 + 3 * i, row], out[25 + 3 * i, row] = turn, ratio(b, t1)
            # b = -(t2 mean(u^2) + t1 mean(u)) with u = x / w.
            out[26 + 3 * i, row] = -(w - 1.0) / (2.0 * w) * ((2.0 * w - 1.0) / (3.0 * w) + turn)
            apart = sign(t2) - sign(t1)
            out[51 + i, row] = 1.0 if apart == 0.0 else 0.0 * apart
    for k in range(3):
        for j in range(2):
            for row in range(rows):
                short, long = t[row, 3 * j + k], t[row, 3 * j + 6 + k]
                out[36 + 2 * k + j, row] = ratio(short, long)
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
    out[:12] = (terms(both[:, 0].copy(), first_minute) - terms(both[:, 1].copy(), first_minute)).T
    for k in range(12):
        out[12 + k] = changes(out[k], 1)
    return out.T


def rows(count: int) -> Callable[[], int]:
    """A lookback that depends on no window."""
    return lambda: count


def _own(term: str, w: int, prefix: str = "") -> tuple[str, ...]:
    """What a term follows from: the other two, or the same term in another scale."""
    if term == "b":
        return tuple(f"{{s}}_parabolic_{prefix}{other}_w{w}" for other in ("t2", "t1"))
    if prefix or w == 5:
        return ()
    return (f"{{s}}_quadratic_{'a2' if term == 't2' else 'a1'}_norm_w{w}",)


def _outputs(domain: str) -> dict[str, Output]:
    out: dict[str, Output] = {}
    for term, w in SLOTS:
        out[f"{term}_w{w}"] = Output(
            "1", alias=f"{term}_{domain}_w{w}", lookback=rows(w), spanned_by=_own(term, w),
            about=f"{term} over {w} rows",
        )  # fmt: skip
    for term, w in SLOTS:
        out[f"d_{term}_w{w}"] = Output(
            "1", alias=f"d_{term}_{domain}_w{w}", lookback=rows(w + 1),
            spanned_by=_own(term, w, "d_"), about=f"one-row change of {term} over {w} rows",
        )  # fmt: skip
    for w in WINDOWS:
        for above, below in _RATIOS:
            out[f"ratio_{above}_{below}_w{w}"] = Output(
                "1", -LIMIT, LIMIT, alias=f"ratio_{above}_{below}_{domain}_w{w}", lookback=rows(w),
                spanned_by=(f"{{s}}_parabolic_ratio_t1_t2_w{w}",) if (above, below) == ("b", "t2")
                else (),
                about=f"{above} / {below} over {w} rows",
            )  # fmt: skip
    for kind, bound, mark in (("ratio", LIMIT, "/"), ("delta", np.inf, "-")):
        for term in TERMS:
            for short, long in _SPANS:
                out[f"{kind}_{term}_w{short}_w{long}"] = Output(
                    "1", -bound, bound, alias=f"{kind}_{term}_{domain}_w{short}_w{long}",
                    lookback=rows(long),
                    spanned_by=tuple(f"{{s}}_parabolic_{term}_w{w}" for w in (short, long))
                    if kind == "delta" else (),
                    about=f"{term} over {short} rows {mark} over {long}",
                )  # fmt: skip
    for term in TERMS:
        out[f"signfrac_{term}"] = Output(
            "1", 0.0, 1.0, alias=f"signfrac_{term}_{domain}_windows", lookback=rows(max(WINDOWS)),
            about=f"share of the four windows whose {term} is positive",
        )  # fmt: skip
    for w in WINDOWS:
        out[f"agree_t2_t1_w{w}"] = Output(
            "1", 0.0, 1.0, alias=f"agree_t2_t1_{domain}_w{w}", lookback=rows(w),
            about="1 where curvature and slope have one sign",
        )  # fmt: skip
    return out


_GAPS = {
    f"{prefix}gap_{term}_w{w}": Output(
        "1", alias=f"{prefix}gap_{term}_w{w}", lookback=rows(w + bool(prefix)),
        spanned_by=tuple(f"{s}_parabolic_{prefix}{term}_w{w}" for s in ("rate", "bqx")),
        about=f"{term} of the rate index less that of BQX" + (", one-row change" if prefix else ""),
    )
    for prefix in ("", "d_")
    for term, w in SLOTS
}  # fmt: skip

_ABOUT = "quadratic trends of four trailing windows compared"

FAMILIES = (
    Family(
        "parabolic",
        "parabolic",
        comparisons,
        _outputs("rate"),
        ((),),
        (RATE,),
        _ABOUT,
        laggable=False,
    ),
    Family(
        "parabolic",
        "parabolic",
        comparisons,
        _outputs("bqx"),
        ((),),
        (BQX,),
        _ABOUT,
        laggable=False,
    ),
    Family("parabolic", "parabolic", gaps, _GAPS, ((),), (BOTH,), _ABOUT, laggable=False),
)
