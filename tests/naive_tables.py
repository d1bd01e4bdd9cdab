"""Twins of the BQX table, distributions, moving averages, lags, regression terms and derived."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from naive import (
    Array,
    Outputs,
    ago,
    bands,
    bqx,
    deviation,
    ema,
    fit_weights,
    flat,
    highest,
    kurtosis,
    lowest,
    mean,
    moments,
    ratio,
    shift,
    skewness,
    trailing,
    windows_of,
)

from bqx.market.bars import Bars

BINS = 10
EDGE = 1e-9
CANCELLED = 1e-10
DAY_ROWS = 1_440
REG_WINDOWS = (60, 90, 150, 240, 390, 630)
BQX_WINDOWS = (15, 30, 45, 60, 75)


def returns(bars: Bars) -> Array:
    return np.asarray(np.log(bars.index / shift(bars.index, 1)))


# --- distributions --------------------------------------------------------------------------


def entropy(windows: Array) -> Array:
    out = np.zeros(len(windows))
    for i, values in enumerate(windows):
        reach = values.max() - values.min()
        if reach == 0:
            continue
        place = np.floor((values - values.min()) / reach * BINS + EDGE).astype(int)
        shares = pd.Series(np.minimum(place, BINS - 1)).value_counts(normalize=True)
        out[i] = -(shares * np.log(shares)).sum()
    return out


def median_distance(windows: Array) -> Array:
    return np.asarray(np.median(np.abs(windows - np.median(windows, axis=1)[:, None]), axis=1))


def order(x: Array, w: int) -> Outputs:
    percentiles = {
        f"p{p}": trailing(x, w, lambda windows, p=p: np.percentile(windows, p, axis=1))
        for p in (5, 10, 25, 50, 75, 90, 95)
    }
    return {
        **percentiles,
        "range": highest(x, w) - lowest(x, w),
        "iqr": percentiles["p75"] - percentiles["p25"],
        "mad": trailing(x, w, median_distance),
        "entropy": trailing(x, w, entropy),
    }


def own_correlation(x: Array, w: int, lag: int) -> Array:
    def pearson(windows: Array) -> Array:
        a, b = windows[:, lag:], windows[:, :-lag]
        still = flat(a) | flat(b)
        a = a - a.mean(axis=1, keepdims=True)
        b = b - b.mean(axis=1, keepdims=True)
        size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        return np.where(still, np.nan, (a * b).sum(axis=1) / np.where(still, 1, size))

    return trailing(x, w, pearson)


def autocorrelation(x: Array, w: int) -> Outputs:
    return {f"lag{lag}": own_correlation(x, w, lag) for lag in (1, 5, 15)}


def moving(x: Array, w: int, reading: Callable[[Array], Array]) -> Array:
    return trailing(x, w, lambda windows: np.where(flat(windows), np.nan, reading(windows)))


def described(x: Array, w: int) -> Outputs:
    out = moments(x, w)
    jb = w / 6 * (out["skew"] ** 2 + out["kurt"] ** 2 / 4)
    return out | {"jb": jb, "cv": ratio(deviation(x, w, 1), mean(x, w))}


def described_bqx(x: Array, w: int) -> Outputs:
    return described(x, w) | {"cv": ratio(deviation(x, w, 1), mean(np.abs(x), w))}


def distribution(bars: Bars, w: int) -> Outputs:
    x = returns(bars)
    ordered = order(x, w)
    return {
        "skew": moving(x, w, skewness),
        "kurt": moving(x, w, kurtosis),
        "mad": ordered["mad"],
        "entropy": ordered["entropy"],
        "autocorr": own_correlation(x, w, 1),
    }


# --- bands ----------------------------------------------------------------------------------


def all_bands(x: Array, w: int) -> Outputs:
    out = bands(x, w)
    upper = out["upper"]
    return out | {"width": out["upper"] - out["lower"], "slope": upper - shift(upper, 5)}


def rate_bands(bars: Bars, w: int) -> Outputs:
    out = all_bands(bars.index, w)
    return out | {"bandwidth": out["bandwidth"] / out["middle"]}


# --- BQX table ------------------------------------------------------------------------------


def momentum(x: Array, w: int) -> Array:
    def summed(windows: Array) -> Array:
        now = windows[:, -1:]
        return np.asarray(((windows[:, :-1] - now) / now).sum(axis=1))

    return trailing(x, w + 1, summed)


def past(x: Array, w: int) -> Outputs:
    return {
        "max": shift(highest(x, w), 1),
        "min": shift(lowest(x, w), 1),
        "avg": shift(mean(x, w), 1),
        "stdev": shift(deviation(x, w, 1), 1),
    }


def backward(x: Array, w: int) -> Outputs:
    return {"return": momentum(x, w), "endpoint": (ago(x, w) - x) / x}


def risen(x: Array, w: int) -> Outputs:
    return {"return": np.log(x / ago(x, w)), "endpoint": (x - ago(x, w)) / x}


def spread(x: Array, w: int) -> Outputs:
    levels = past(x, w)
    return {"range": (levels["max"] - levels["min"]) / x, "volatility": levels["stdev"] / x}


# --- regression -----------------------------------------------------------------------------


def curve(x: Array, w: int) -> Outputs:
    """Least squares from the normal equations, about the last value; zeros in a flat window."""
    names = ("a2", "a1", "a0", "r2", "rmse", "last")
    out = {name: np.full(len(x), np.nan) for name in names}
    windows = windows_of(x, w)
    some = np.isfinite(windows).all(axis=1)
    last = windows[some][:, -1]
    y = windows[some] - last[:, None]
    still = flat(y)
    at = np.arange(w)
    a0, a1, a2 = fit_weights(w, 2) @ y.T
    resid = y - (a2[:, None] * at**2 + a1[:, None] * at + a0[:, None])
    squares, total = (resid**2).sum(axis=1), ((y - y.mean(1, keepdims=True)) ** 2).sum(axis=1)
    values = {
        "a2": a2,
        "a1": a1,
        "a0": a0,
        "rmse": np.sqrt(squares / w),
        "last": resid[:, -1],
        "r2": 1 - squares / np.where(still, 1, total),
    }
    for name, value in values.items():
        out[name][some] = np.where(still, np.nan if name == "r2" else 0, value)
    out["a0"][some] += last
    return out


def parabola(x: Array, w: int) -> Outputs:
    fit = {name: shift(value, 1) for name, value in curve(x, w).items()}
    a_term, b_term = fit["a2"] * (w - 1) ** 2, fit["a1"] * (w - 1)
    return {
        "a_coef": fit["a2"],
        "b_coef": fit["a1"],
        "c_coef": fit["a0"],
        "a_term": a_term,
        "b_term": b_term,
        "r2": np.where(np.isnan(fit["r2"]) & ~np.isnan(fit["a0"]), 0.0, fit["r2"]),
        "rmse": fit["rmse"],
        "yhat_end": a_term + b_term + fit["a0"],
        "resid_end": fit["last"],
    }


def terms(x: Array, w: int) -> Outputs:
    fit = curve(x, w)
    quadratic, linear = fit["a2"] * (w - 1) ** 2, fit["a1"] * (w - 1)
    return {
        "quadratic": quadratic,
        "linear": linear,
        "constant": fit["a0"],
        "residual": fit["last"],
        "r2": fit["r2"],
        "rmse": fit["rmse"],
        "prediction": quadratic + linear + fit["a0"],
    }


def together(a: Array, b: Array, rows: int) -> tuple[Array, Array]:
    """Rolling covariance (ddof 1) and correlation, NaN where a side stands still."""
    both = np.full((2, len(a)), np.nan)
    one, other = windows_of(a, rows), windows_of(b, rows)
    some = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    one, other = one[some], other[some]
    still = flat(one) | flat(other)
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    product = (one * other).sum(axis=1)
    size = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    both[0, some] = product / (rows - 1)
    both[1, some] = np.where(still, np.nan, product / np.where(still, 1, size))
    return both[0], both[1]


SHORT = {"quad": "quadratic", "lin": "linear", "const": "constant", "resid": "residual"}


def term_covariance(bars: Bars, w: int) -> Outputs:
    fit = terms(bqx(bars), w)
    pairs = (("quad", "lin"), ("quad", "const"), ("quad", "resid"),
             ("lin", "const"), ("lin", "resid"), ("const", "resid"))  # fmt: skip
    return {f"{a}_{b}": together(fit[SHORT[a]], fit[SHORT[b]], w)[0] for a, b in pairs}


def term_company(bars: Bars, w: int, rows: int) -> Outputs:
    fit = terms(bqx(bars), w)
    out = {}
    for a, b in (("quad", "lin"), ("resid", "quad"), ("resid", "lin")):
        covariance, correlation = together(fit[SHORT[a]], fit[SHORT[b]], rows)
        out |= {f"cov_{a}_{b}": covariance, f"corr_{a}_{b}": correlation}
    return out


# --- derived --------------------------------------------------------------------------------


def alignment(bars: Bars) -> Outputs:
    momenta = [momentum(bars.index, w) for w in BQX_WINDOWS]
    signs = [np.where(np.abs(m) > CANCELLED, np.sign(m), np.where(np.isnan(m), m, 0.0))
             for m in momenta]  # fmt: skip
    return {"": np.sum(signs, axis=0)}


def regime(bars: Bars, w: int, memory: int) -> Outputs:
    volatility = spread(bars.index, w)["volatility"]

    def tercile(windows: Array) -> Array:
        share = (windows <= windows[:, -1:]).mean(axis=1)
        return np.where(share <= 1 / 3, 0, np.where(share <= 2 / 3, 1, 2))

    return {"": trailing(volatility, memory, tercile)}


def strength(bars: Bars) -> Outputs:
    return {"": np.mean([parabola(bars.index, w)["r2"] for w in REG_WINDOWS], axis=0)}


def rate(twin: Callable[..., Outputs]) -> Callable[..., Outputs]:
    return lambda bars, *window: twin(bars.index, *window)


def of_bqx(twin: Callable[..., Outputs]) -> Callable[..., Outputs]:
    return lambda bars, *window: twin(bqx(bars), *window)


def all_of(*twins: Callable[..., Outputs]) -> Callable[..., Outputs]:
    return lambda x, w: {name: value for twin in twins for name, value in twin(x, w).items()}


def lags(x: Array) -> Outputs:
    return {f"w{lag}": shift(x, lag) for lag in range(1, 61)}


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    **{
        (name, source): through(twin)
        for name, twin in {
            "order": order,
            "autocorr": autocorrelation,
            "sma": lambda x, w: {"": mean(x, w)},
            "ema": lambda x, span: {"": ema(x, span)},
            "lag": lags,
            "terms": terms,
        }.items()
        for source, through in (("rate", rate), ("bqx", of_bqx))
    },
    ("moments", "rate"): rate(described),
    ("moments", "bqx"): of_bqx(described_bqx),
    ("distribution", "return"): distribution,
    ("lag", "return"): lambda bars: lags(returns(bars)),
    ("bollinger", "rate"): rate_bands,
    ("bollinger", "bqx"): of_bqx(all_bands),
    ("index", "rate"): lambda bars: {"": bars.index},
    ("backward", "bqx"): rate(backward),
    ("past", "bqx"): rate(past),
    ("aggregate", "bqx"): rate(all_of(backward, past, spread)),
    ("backward", "rate"): rate(risen),
    ("past", "rate"): rate(past),
    ("aggregate", "rate"): rate(all_of(risen, past, spread)),
    ("parabola", "rate"): rate(parabola),
    ("term_cov", "bqx"): term_covariance,
    ("term_company", "bqx"): term_company,
    ("momentum_alignment", "bqx"): alignment,
    ("volatility_regime", "bqx"): regime,
    ("trend_strength", "rate"): strength,
}
"""The twin of a family's kernels on a source."""
