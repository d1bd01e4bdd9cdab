"""Twins of the features on clock buckets, from their definitions (see ``naive``).

Buckets are found by their timestamps, and each row looks its last complete one up.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from naive import (
    Array,
    Outputs,
    bqx,
    deviation,
    exponential,
    fit_weights,
    flat,
    mean,
    ratio,
    shift,
    trailing,
)
from numpy.typing import NDArray

from bqx.market.bars import Bars

DAY = 1_440
Rows = NDArray[np.int64]


def ends(bars: Bars, size: int) -> Rows:
    """Rows that complete a bucket: one before the clock shows a multiple of its size."""
    return np.flatnonzero(bars.minutes % size == size - 1)


def closes(x: Array, bars: Bars, size: int) -> Array:
    return x[ends(bars, size)]


def on_rows(values: Array, x: Array, bars: Bars, size: int, need: int) -> Array:
    """Value of the last bucket that is complete at each row, if ``need`` rows are known."""
    out = np.full(len(x), np.nan)
    last = np.searchsorted(ends(bars, size), np.arange(len(x)), side="right") - 1
    out[last >= 0] = values[last[last >= 0]]
    out[np.isnan(trailing(x, need, lambda w: w.sum(axis=1)))] = np.nan
    return out


def changes(y: Array, domain: str) -> Array:
    return np.log(y / shift(y, 1)) if domain == "rate" else y - shift(y, 1)


def volatility(move: Array, n: int) -> Array:
    """Deviation by the sums of moves and of their squares, oldest first."""

    def reading(windows: Array) -> Array:
        one = np.zeros(len(windows), dtype=windows.dtype)
        two = one.copy()
        for k in range(n):
            one = one + windows[:, k]
            two = two + windows[:, k] ** 2
        return np.asarray(np.sqrt(np.maximum(two - one**2 / n, 0) / (n - 1)))

    return trailing(move, n, reading)


def lean(y: Array, n: int) -> Array:
    """Correlation with time, 0 in a flat window."""
    time = np.arange(n) - (n - 1) / 2

    def reading(windows: Array) -> Array:
        centred = windows - windows.mean(axis=1, keepdims=True)
        below = np.sqrt((centred**2).sum(axis=1) * (time**2).sum())
        value = (centred * time).sum(axis=1) / np.where(flat(windows), 1, below)
        return np.where(flat(windows), 0, value)

    return trailing(y, n, reading)


def sign(x: Array) -> Array:
    return np.where(np.isnan(x), np.nan, np.where(np.abs(x) <= 1e-9, 0.0, np.sign(x)))


def strong(x: Array, n: int) -> Array:
    with np.errstate(divide="ignore"):
        t = np.abs(x) * np.sqrt((n - 2) / (1 - np.minimum(x**2, 1)))
    return np.where(np.isnan(x), np.nan, np.where(t > 2, sign(x), 0.0))


def tercile(x: Array, memory: int) -> Array:
    def reading(windows: Array) -> Array:
        count = (windows <= windows[:, -1:]).sum(axis=1)
        return np.where(3 * count <= memory, 0, np.where(3 * count <= 2 * memory, 1, 2))

    return trailing(x, memory, reading)


def series(bars: Bars, domain: str) -> Array:
    return bars.index if domain == "rate" else bqx(bars)


def single(domain: str, need: Callable[..., int], reading: Callable[..., Array]):  # type: ignore[no-untyped-def]
    """Twin of one reading of bucket closes."""

    def twin(bars: Bars, size: int, *n: int) -> Outputs:
        x = series(bars, domain)
        y = reading(closes(x, bars, size), domain, *n)
        return {"": on_rows(y, x, bars, size, need(*n) * size)}

    return twin


def ema(y: Array, span: int) -> Array:
    return exponential(y, Fraction(2, span + 1), 5 * span)


def wilder(y: Array, n: int) -> Array:
    return exponential(y, Fraction(1, n), 5 * (2 * n - 1))


def rsi(y: Array, _: str, n: int) -> Array:
    change = y - shift(y, 1)
    up, down = wilder(np.maximum(change, 0), n), wilder(np.maximum(-change, 0), n)
    return 100 * ratio(up, up + down)


def width(y: Array, domain: str, n: int) -> Array:
    reach = 4 * deviation(y, n, 0)
    return reach / mean(y, n) if domain == "rate" else reach


def atr(domain: str):  # type: ignore[no-untyped-def]
    def twin(bars: Bars, size: int, n: int) -> Outputs:
        x = series(bars, domain)
        top, bottom = (bars.ohlc[:, 1], bars.ohlc[:, 2]) if domain == "rate" else (x, x)
        at = ends(bars, size)
        high = trailing(top, size, lambda w: w.max(axis=1))[at]
        low = trailing(bottom, size, lambda w: w.min(axis=1))[at]
        before = shift(x[at], 1)
        reach = np.max([high - low, np.abs(high - before), np.abs(low - before)], axis=0)
        need = (5 * (2 * n - 1) + 1) * size
        return {"": on_rows(wilder(reach, n), x, bars, size, need)}

    return twin


def state(bars: Bars, size: int) -> Outputs:
    x, day = bars.index, DAY // size
    move = changes(closes(x, bars, size), "rate")
    limit = 3 * volatility(move, day)
    hits = np.sum([np.abs(shift(move, k) if k else move) > limit for k in range(12)], axis=0)
    regime = tercile(volatility(move, 20), day)
    trend = strong(lean(closes(x, bars, size), 10), 10)
    return {
        "return": on_rows(move, x, bars, size, 2 * size),
        "vol_regime": on_rows(regime, x, bars, size, (20 + day) * size),
        "trend_regime": on_rows(trend, x, bars, size, 10 * size),
        "jumps": on_rows(hits, x, bars, size, (day + 1) * size),
    }


def correlation(one: Array, other: Array, n: int) -> Array:
    def join(w: Array) -> Array:
        return np.asarray(w - w.mean(axis=1, keepdims=True))

    out = np.full(len(one), np.nan)
    for i in range(n - 1, len(one)):
        a, b = one[i - n + 1 : i + 1], other[i - n + 1 : i + 1]
        if np.isfinite(a + b).all() and np.ptp(a) > 0 and np.ptp(b) > 0:
            a, b = (join(v[None].astype(np.longdouble))[0] for v in (a, b))
            out[i] = (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
    return out


def shape(bars: Bars, size: int) -> Outputs:
    x = bqx(bars)
    y = closes(x, bars, size)
    weights = fit_weights(10, 1)[1]
    slope = trailing(y, 10, lambda w: ((w - w[:, -1:]) * weights).sum(axis=1))
    spread = trailing(y, 20, lambda w: np.where(flat(w), 0, w.std(axis=1, ddof=1)))
    return {
        "slope_10": on_rows(slope, x, bars, size, 10 * size),
        "z_20": on_rows(ratio(y - mean(y, 20), spread), x, bars, size, 20 * size),
        "range_20": on_rows(trailing(y, 20, lambda w: np.ptp(w, 1)), x, bars, size, 20 * size),
        "autocorr_20": on_rows(correlation(y, shift(y, 1), 20), x, bars, size, 21 * size),
    }


def joint(bars: Bars, size: int, n: int) -> Outputs:
    x = bqx(bars)
    one = changes(closes(bars.index, bars, size), "rate")
    two = changes(closes(x, bars, size), "bqx")
    share = ratio(deviation(two, n, 1), trailing(one, n, unless_flat)) ** 2
    need = (n + 1) * size
    return {
        "var_ratio": on_rows(share, x, bars, size, need),
        "correlation": on_rows(correlation(one, two, n), x, bars, size, need),
    }


def unless_flat(windows: Array) -> Array:
    return np.where(flat(windows), np.nan, windows.std(axis=1, ddof=1))


def per_bucket(column: str, each: bool):  # type: ignore[no-untyped-def]
    def twin(bars: Bars, size: int, n: int) -> Outputs:
        x = bars.frame[column].to_numpy()
        total = trailing(x, size * n, lambda w: w.sum(axis=1))[ends(bars, size)] / n
        value = total / size if each else total
        return {"": on_rows(value, x, bars, size, (n + 1) * size - 1)}

    return twin


def against(domain: str):  # type: ignore[no-untyped-def]
    def twin(bars: Bars, size: int) -> Outputs:
        x = series(bars, domain)
        y = closes(x, bars, size)
        day = DAY // size

        def row(values: Array, need: int) -> Array:
            return on_rows(values, x, bars, size, need * size)

        below = np.where(
            np.abs(mean(y, 10)) > 1e-9 * trailing(np.abs(y), 10, lambda w: w.max(axis=1)),
            mean(y, 10), np.nan,
        )  # fmt: skip
        minute, move = changes(x, domain), changes(y, domain)
        coarse = row(volatility(move, 20), 21)
        one, other = lean(x, 10), row(lean(y, 10), 10)
        known = ~np.isnan(one + other)
        regime, regimes = (
            tercile(volatility(minute, 20), DAY),
            row(tercile(volatility(move, 20), day), 20 + day),
        )
        both = ~np.isnan(regime + regimes)
        fine = deviation(minute, 20 * size, 1)
        return {
            "mean_ratio": mean(x, 10) / row(below, 10),
            "vol_ratio": ratio(volatility(minute, 20), coarse),
            "trend": np.where(known, sign(one) == sign(other), np.nan),
            "regime": np.where(both, regime == regimes, np.nan),
            "divergence": np.where(known, strong(one, 10) * strong(other, 10) < 0, np.nan),
            "dominance": ratio(coarse**2, coarse**2 + size * fine**2),
        }

    return twin


def cascade(bars: Bars, fine: int, coarse: int) -> Outputs:
    x = bars.index

    def row(reading: Callable[..., Array], size: int, n: int) -> Array:
        return on_rows(reading(closes(x, bars, size), n), x, bars, size, 8 * coarse)

    fine_lean, lead = row(lean, fine, 10), row(lean, coarse, 8)
    one, two, three = sign(lean(x, 10)), sign(fine_lean), sign(lead)
    opposite = strong(fine_lean, 10) * strong(lead, 8) < 0
    known = ~np.isnan(one + two + three)
    return {
        "mean_ratio": row(mean, fine, 10) / row(mean, coarse, 8),
        "trend": np.where(known, two == three, np.nan),
        "aligned": np.where(known, (one == two) & (two == three) & (one != 0), np.nan),
        "diverged": np.where(known, opposite, np.nan),
    }


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    **{("bucket_mean", d): single(d, lambda n: n, lambda y, _, n: mean(y, n))
       for d in ("rate", "bqx")},
    **{("bucket_vol", d): single(d, lambda n: n + 1, lambda y, d, n: volatility(changes(y, d), n))
       for d in ("rate", "bqx")},
    **{("bucket_ema", d): single(d, lambda n: 5 * n, lambda y, _, n: ema(y, n))
       for d in ("rate", "bqx")},
    **{("bucket_rsi", d): single(d, lambda n: 5 * (2 * n - 1) + 1, rsi) for d in ("rate", "bqx")},
    **{("bucket_macd", d): single(d, lambda f, s: 5 * s, lambda y, _, f, s: ema(y, f) - ema(y, s))
       for d in ("rate", "bqx")},
    **{("bucket_atr", d): atr(d) for d in ("rate", "bqx")},
    **{("bucket_width", d): single(d, lambda n: n, width) for d in ("rate", "bqx")},
    **{("against", d): against(d) for d in ("rate", "bqx")},
    ("bucket_state", "rate"): state,
    ("bucket_shape", "bqx"): shape,
    ("bucket_joint", "both"): joint,
    ("bucket_mean", "volume"): per_bucket("volume", False),
    ("bucket_mean", "spread"): per_bucket("spread", True),
    ("cascade", "rate"): cascade,
}  # fmt: skip
