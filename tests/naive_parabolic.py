"""Twins of the parabolic comparisons, from their definitions (see ``naive``)."""

from collections.abc import Callable

import numpy as np
from naive import Array, Outputs, bqx, quadratic, shift, trailing
from naive_panels import first_component

from bqx.market import pairs
from bqx.market.bars import Bars

WINDOWS = (5, 15, 30, 60)
TERMS = ("t2", "t1", "b")
SMALL = 1e-9
LIMIT = 100.0


def trends(x: Array) -> Outputs:
    out = {}
    for w in WINDOWS:
        fitted = quadratic(x, w)
        out[f"t2_w{w}"] = fitted["a2_norm"] * w**2
        out[f"t1_w{w}"] = fitted["a1_norm"] * w
        out[f"b_w{w}"] = fitted["b_norm"]
    return out


def over(above: Array, below: Array) -> Array:
    return np.clip(above / np.where(np.abs(below) < SMALL, np.nan, below), -LIMIT, LIMIT)


def sign(x: Array) -> Array:
    return np.where(np.isnan(x), np.nan, np.where(np.abs(x) < SMALL, 0.0, np.sign(x)))


def alike(a: Array, b: Array) -> Array:
    return np.where(np.isnan(a + b), np.nan, sign(a) == sign(b))


def comparisons(x: Array) -> Outputs:
    t = trends(x)
    out = dict(t)
    out |= {f"d_{name}": value - shift(value, 1) for name, value in t.items()}
    for w in WINDOWS:
        for above, below in (("t1", "t2"), ("b", "t1"), ("b", "t2")):
            out[f"ratio_{above}_{below}_w{w}"] = over(t[f"{above}_w{w}"], t[f"{below}_w{w}"])
        out[f"agree_t2_t1_w{w}"] = alike(t[f"t2_w{w}"], t[f"t1_w{w}"])
    for term in TERMS:
        for short, long in ((5, 30), (15, 60)):
            one, other = t[f"{term}_w{short}"], t[f"{term}_w{long}"]
            out[f"ratio_{term}_w{short}_w{long}"] = over(one, other)
            out[f"delta_{term}_w{short}_w{long}"] = one - other
        signs = np.array([sign(t[f"{term}_w{w}"]) for w in WINDOWS])
        positive = np.where(np.isnan(signs), np.nan, signs > 0)
        out[f"signfrac_{term}"] = positive.mean(axis=0)
    return out


def gaps(bars: Bars) -> Outputs:
    rate, other = trends(bars.index), trends(bqx(bars))
    out = {f"gap_{name}": rate[name] - other[name] for name in rate}
    return out | {f"d_{name}": value - shift(value, 1) for name, value in out.items()}


def of_pair(bars: Bars, pair: str) -> Bars:
    """Bars whose close, all that is read here, is that of a pair of the panel."""
    assert bars.panel is not None
    column = pairs.PAIRS.index(pair)
    frame = bars.frame.assign(close=bars.panel.closes[:, column])
    return Bars(pair, frame, float(bars.panel.baselines[column]))


def enough(values: Array, whole: Array, reading: Callable[[Array], float]) -> Array:
    """``reading`` of the known values of each row whose windows are whole, at least three."""
    out = np.full(len(values), np.nan)
    for row in np.flatnonzero(whole.all(axis=1)):
        known = values[row][~np.isnan(values[row])]
        if len(known) >= 3:
            out[row] = reading(known)
    return out


def whole(series: Outputs, w: int) -> Array:
    """(T, pairs) whether the windows of all pairs are without holes."""
    windows = [trailing(x, w, lambda rows: rows.sum(axis=1)) for x in series.values()]
    return ~np.isnan(np.column_stack(windows))


def principal(values: Array, start: Array, memory: int) -> Array:
    """Score of each row on the first principal component of the rows up to it."""
    out = np.full(len(values), np.nan)
    known = ~np.isnan(values.sum(axis=1))
    for row in range(memory - 1, len(values)):
        if not known[row - memory + 1 : row + 1].all():
            continue
        window = values[row - memory + 1 : row + 1]
        out[row] = first_component(window.T @ window, start)[0] @ values[row]
    return out


def panel(bars: Bars) -> Outputs:
    each = {p: of_pair(bars, p) for p in pairs.PAIRS}
    series = {
        "rate": {p: b.index for p, b in each.items()},
        "bqx": {p: bqx(b) for p, b in each.items()},
    }
    fitted = {d: {p: trends(x) for p, x in xs.items()} for d, xs in series.items()}
    out = {}
    for domain, of in fitted.items():
        for w in WINDOWS:
            there = whole(series[domain], w)
            for term in TERMS:
                values = np.column_stack([t[f"{term}_w{w}"] for t in of.values()])
                out[f"std_{term}_{domain}_w{w}"] = enough(
                    values, there, lambda v: float(v.std(ddof=1))
                )
                out[f"signfrac_{term}_{domain}_w{w}"] = enough(
                    values, there, lambda v: float((v >= SMALL).mean())
                )
    start = np.array([float(p[:3] == "usd") - float(p[3:] == "usd") for p in each])
    there = whole(series["bqx"], 15)
    for term in TERMS[:2]:
        values = np.column_stack([t[f"{term}_w15"] for t in fitted["bqx"].values()])
        values = np.where(np.isnan(values) & there, 0.0, values)
        one = principal(values, start, 1_440)
        out[f"pc1_{term}_bqx_w15"] = one
        out[f"d_pc1_{term}_bqx_w15"] = one - shift(one, 1)
    return out


def sisters(bars: Bars) -> Outputs:
    own = trends(bqx(of_pair(bars, bars.pair)))
    out = {}
    for number, name in enumerate(pairs.SISTERS[bars.pair][:2], start=1):
        other = trends(bqx(of_pair(bars, name)))
        for term in TERMS:
            out[f"{number}_gap_{term}_w15"] = own[f"{term}_w15"] - other[f"{term}_w15"]
    return out


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("parabolic", "rate"): lambda bars: comparisons(bars.index),
    ("parabolic", "bqx"): lambda bars: comparisons(bqx(bars)),
    ("parabolic", "both"): gaps,
    ("parabolic", "panel"): panel,
    ("parabolic", "sister"): sisters,
}
