"""Twins of sisters, triangles, factors, currency indices, the cross-section and interactions."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from naive import Array, Outputs, deviation, fit_weights, flat, ratio, shift, trailing
from naive_pairs import (
    DOLLARS,
    Series,
    centred,
    change,
    close,
    corr,
    flag,
    index,
    log_index,
    momentum,
    moves,
    ranks,
    returns,
    score,
    snap,
    together,
)

from bqx.market.bars import Bars
from bqx.market.pairs import CURRENCIES, PAIRS, SISTERS, base, pip, quote, triangle
from bqx.market.sessions import DAY

# --- triangles ------------------------------------------------------------------------------


def parity(bars: Bars, pair: str, x: Array) -> Array:
    """``x`` less its mean over a day, none where the parity error stays within the last digits."""
    sides = triangle(pair)
    names = (sides.direct, sides.first, sides.second)
    direct, first, second = (close(bars, name) for name in names)
    error = np.log(direct) - np.log(first) - np.log(second)
    digits = sum(pip(name) / 10 / close(bars, name) for name in names)
    reach = trailing(error, DAY, lambda w: w.max(axis=1) - w.min(axis=1))
    out = trailing(x, DAY, lambda w: w[:, -1] - w.mean(axis=1))
    return np.where(reach > digits, out, np.nan)


def error(bars: Bars, pair: str) -> Array:
    sides = triangle(pair)
    direct, first, second = (
        close(bars, name) for name in (sides.direct, sides.first, sides.second)
    )
    return parity(bars, pair, np.log(direct / (first * second)))


def error_bqx(bars: Bars, pair: str) -> Array:
    sides = triangle(pair)
    first, second = momentum(bars, sides.first), momentum(bars, sides.second)
    return parity(bars, pair, momentum(bars, sides.direct) - first - second)


def residual(x: Array) -> Outputs:
    return {
        "level": x,
        "z_20": score(x, 20),
        "change_5": change(x, 5),
        "vol_30": deviation(x, 30, 1),
    }


def aligned(bars: Bars) -> Outputs:
    one, other = error(bars, bars.pair), error_bqx(bars, bars.pair)
    return {"": flag(np.sign(one) == np.sign(other), one, other)}


def eurusd_triangle(bars: Bars, w: int) -> Outputs:
    x = error_bqx(bars, "eurusd")
    return {"resid": x, "resid_z": score(x, w)}


# --- sisters --------------------------------------------------------------------------------


def sister(rank: int) -> Callable[[Bars], Array]:
    return lambda bars: returns(bars, SISTERS[bars.pair][rank - 1])


def against(own: Array, other: Array, w: int) -> Outputs:
    def slope(x: Array, y: Array) -> Array:
        a, b = centred(x), centred(y)
        return np.where(flat(y), np.nan, ratio((a * b).sum(1), (b * b).sum(1)))

    return {"corr": corr(own, other, w), "beta": together([own, other], w, slope)}


def two_sisters(bars: Bars, series: Series) -> list[Array]:
    return [series(bars, pair) for pair in SISTERS[bars.pair][:2]]


def end_terms(x: Array, w: int) -> tuple[Array, Array]:
    weights = fit_weights(w, 2)

    def term(k: int) -> Array:
        def reading(windows: Array) -> Array:
            value = (windows - windows[:, -1:]) @ weights[k] * (w - 1) ** k
            return np.where(flat(windows), np.nan, value)

        return trailing(x, w, reading)

    return term(2), term(1)


def product(bars: Bars, w: int) -> Outputs:
    own = end_terms(momentum(bars, bars.pair), w)
    out: Outputs = {}
    for k, other in enumerate(two_sisters(bars, momentum), 1):
        out[f"quad_{k}"], out[f"lin_{k}"] = (
            a * b for a, b in zip(own, end_terms(other, w), strict=True)
        )
    return out


def volatility(bars: Bars, w: int) -> Outputs:
    own = deviation(moves(bars, bars.pair), w, 1)
    out: Outputs = {}
    for k, other in enumerate(two_sisters(bars, moves), 1):
        value = ratio(own, deviation(other, w, 1))
        out[f"ratio_{k}"] = value
        out[f"high_{k}"], out[f"low_{k}"] = flag(value > 1.5, value), flag(value < 0.67, value)
    return out


def drift(bars: Bars, w: int) -> Outputs:
    own = moves(bars, bars.pair)
    out: Outputs = {}
    for k, other in enumerate(two_sisters(bars, moves), 1):
        value = change(corr(own, other, w), w)
        out[f"change_{k}"], out[f"size_{k}"] = value, np.abs(value)
        out[f"decoupling_{k}"] = flag(value < -0.3, value)
    return out


FITS = {"leader_granger": np.array([3.0, 1.0])}
"""Fits of the catalog's fitted families that tests compute with: the fourth sister leads, then the
second."""


def leading(bars: Bars, lag: int) -> Outputs:
    out: Outputs = {}
    for k, place in enumerate(FITS["leader_granger"], 1):
        leader = SISTERS[bars.pair][int(place)]
        out[f"bqx_{k}"] = shift(momentum(bars, leader, 60), lag)
        out[f"quad_{k}"] = shift(end_terms(momentum(bars, leader), 60)[0], lag)
    return out


# --- factors and indices --------------------------------------------------------------------


def first_component(moments: Array, start: Array) -> tuple[Array, float]:
    """Leading eigenvector, on the side of ``start``, and its eigenvalue's share of the trace."""
    values, vectors = np.linalg.eigh(moments)
    share = values / np.trace(moments)
    side = vectors[:, -1] @ start / np.linalg.norm(start)
    told = share[-1] - share[-2] > 1e-6 and abs(side) > 1e-6
    return vectors[:, -1] * np.sign(side) if told else np.full(len(start), np.nan), share[-1]


def component(bars: Bars, pairs: tuple[str, ...], start: Array,
              reading: Callable[[Array, float], list[float]], count: int) -> Array:  # fmt: skip
    """``reading`` of a window's factor moves under its own loadings, and of its share."""
    table = np.column_stack([returns(bars, pair) for pair in pairs])
    out = np.full((len(table), count), np.nan)
    for row in range(DAY - 1, len(table)):
        window = table[row + 1 - DAY : row + 1]
        if np.isfinite(window).all():
            loadings, share = first_component(np.cov(window.T), start)
            out[row] = reading(window @ loadings, share)
    return out


def factor(bars: Bars, w: int) -> Outputs:
    start = np.array([1.0 if base(p) == "USD" else -1.0 for p in DOLLARS])

    def reading(moved: Array, _: float) -> list[float]:
        level = np.cumsum(moved)[-60:]
        slope = np.polyfit(np.arange(20), level[-20:], 1)[0]
        return [moved.sum(), moved[-5:].sum(), moved[-15:].sum(), moved[-30:].std(ddof=1),
                (level[-1] - level.mean()) / level.std(ddof=1), slope]  # fmt: skip

    names = ("level", "change_5", "change_15", "vol_30", "z_60", "trend_20")
    return dict(zip(names, component(bars, DOLLARS, start, reading, 6).T, strict=True))


def indices(bars: Bars) -> Outputs:
    out: Outputs = {}
    for name in CURRENCIES:
        parts = [
            log_index(bars, p) * (1 if base(p) == name else -1)
            for p in PAIRS if name in (base(p), quote(p))
        ]  # fmt: skip
        assert len(parts) == 7
        out[name.lower()] = 100 * np.exp(np.mean(parts, axis=0))
    own = {"base": out[base(bars.pair).lower()], "quote": out[quote(bars.pair).lower()]}
    return out | own | {"differential": own["base"] - own["quote"]}


# --- cross-section --------------------------------------------------------------------------


def trend(bars: Bars, pair: str) -> tuple[Array, Array]:
    x = index(bars, pair)
    quad, lin = end_terms(x, 60)
    sigma = deviation(x, 60, 1)
    return quad / 59**2 / sigma, lin / 59 / sigma


def cross_section(bars: Bars) -> Outputs:
    def total(pair: str) -> Array:
        return snap(trailing(returns(bars, pair), 60, lambda windows: windows.sum(axis=1)))

    tables = {
        "return": [total(p) for p in PAIRS],
        "bqx": [snap(momentum(bars, p)) for p in PAIRS],
        "a1": [trend(bars, p)[1] for p in PAIRS],
        "a2": [trend(bars, p)[0] for p in PAIRS],
        "vol": [deviation(returns(bars, p), 60, 1) for p in PAIRS],
        "ect": [error(bars, p) for p in PAIRS],
    }
    out: Outputs = {}
    frames, placed = {}, {}
    own = PAIRS.index(bars.pair)
    for name, columns in tables.items():
        frame = pd.DataFrame(np.column_stack(columns), columns=list(PAIRS))
        frame = frame.where(frame.notna().all(axis=1))
        frames[name] = frame
        places = np.full(frame.shape, np.nan)
        for row in np.flatnonzero(frame.notna().all(axis=1)):
            places[row] = ranks(frame.to_numpy()[row])
        placed[name], rank = pd.DataFrame(places), places[:, own]
        out[f"rank_{name}"], out[f"pct_{name}"] = rank / 28, (rank - 1) / 27
        out[f"dispersion_{name}"] = frame.std(axis=1).to_numpy()
        known = frame[bars.pair].to_numpy()
        out[f"breadth_positive_{name}"] = flag((frame > 0).mean(axis=1).to_numpy(), known)
        out[f"synchrony_{name}"] = flag(np.sign(frame).mean(axis=1).abs().to_numpy(), known)
    out["breadth_high_vol"] = flag(
        frames["vol"].gt(frames["vol"].median(axis=1), axis=0).mean(axis=1).to_numpy(),
        out["rank_vol"],
    )
    spearman = placed["return"].corrwith(placed["bqx"], axis=1)
    out["rank_correlation_idx_bqx"] = spearman.to_numpy()
    out["dispersion_ratio_bqx_idx"] = ratio(out["dispersion_bqx"], out["dispersion_return"])
    risen = flag((frames["bqx"] < 0).mean(axis=1).to_numpy(), out["rank_bqx"])
    out["breadth_agreement_idx_bqx"] = 1 - np.abs(out["breadth_positive_return"] - risen)
    start = np.array([{"USD": 1.0}.get(base(p), 0.0) - (quote(p) == "USD") for p in PAIRS])
    found = component(bars, PAIRS, start, lambda m, s: [m.sum(), m[-5:].sum(), s], 3)
    return out | dict(zip(("pc1_level", "pc1_change_5", "pc1_share"), found.T, strict=True))


def gaps(bars: Bars) -> Outputs:
    own = {"bqx": momentum(bars, bars.pair), "a2": trend(bars, bars.pair)[0]}
    out: Outputs = {}
    for k, pair in enumerate(SISTERS[bars.pair][:2], 1):
        out[f"bqx_{k}"] = own["bqx"] - momentum(bars, pair)
        out[f"a2_{k}"] = own["a2"] - trend(bars, pair)[0]
    return out


def _sister_twins(rank: int) -> dict[tuple[str, str], Callable[..., Outputs]]:
    series, key = sister(rank), f"sister{rank}"
    return {
        ("return_lag", key): lambda bars, lag: {"": shift(series(bars), lag)},
        ("vol", key): lambda bars, w: {"": deviation(series(bars), w, 1)},
        ("against", key): lambda bars, w: against(returns(bars, bars.pair), series(bars), w),
    }


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("eurusd_triangle", "bqx"): eurusd_triangle,
    ("resid", "triangle"): lambda bars: residual(error(bars, bars.pair)),
    ("resid", "triangle_bqx"): lambda bars: residual(error_bqx(bars, bars.pair)),
    ("aligned", "triangle"): aligned,
    **{key: twin for rank in range(1, 6) for key, twin in _sister_twins(rank).items()},
    ("factor", "dollar"): factor,
    ("index", "currency"): indices,
    ("xs", "panel"): cross_section,
    ("gap", "panel"): gaps,
    ("product", "sisters"): product,
    ("volatility", "sisters"): volatility,
    ("drift", "sisters"): drift,
    ("granger", "leader"): leading,
}
"""The twin of a family's kernels on a source."""
