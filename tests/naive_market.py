"""Twins of volume, spread, events and realized volatility, written from the definitions.

Ranks compare values in single precision, as the definition says: what differs by rounding only
is equal.
"""

from collections.abc import Callable
from fractions import Fraction
from math import gamma, log, pi

import numpy as np
from naive import (
    NOTHING,
    Array,
    Outputs,
    ago,
    bqx,
    deviation,
    exponential,
    fit_weights,
    flat,
    highest,
    lowest,
    mean,
    ratio,
    shift,
    trailing,
    windows_of,
)

from bqx.market.bars import Bars

DAY = 1_440
MORE = 1 + 1e-9  # a bound that is met but for rounding is not passed


def volume(bars: Bars) -> Array:
    return bars.frame["volume"].to_numpy(np.float64)


def spread_of(bars: Bars) -> Array:
    return bars.frame["spread"].to_numpy(np.float64)


def returns_of(bars: Bars) -> Array:
    return np.log(bars.close / shift(bars.close, 1))


def change(x: Array, rows: int) -> Array:
    return x - ago(x, rows)


def total(x: Array, w: int) -> Array:
    return trailing(x, w, lambda windows: windows.sum(axis=1))


def z(x: Array, w: int) -> Array:
    def score(windows: Array) -> Array:
        middle, spread = windows.mean(axis=1), windows.std(axis=1, ddof=1)
        moving = spread > NOTHING * np.abs(middle)
        return np.where(moving, ratio(windows[:, -1] - middle, spread), np.nan)

    return trailing(x, w, score)


def slope(x: Array, w: int) -> Array:
    weights = fit_weights(w, 1)[1]
    return trailing(x, w, lambda windows: (windows - windows[:, -1:]) @ weights)


def flag(stands: Array, *known: Array) -> Array:
    return np.where(np.isnan(np.sum(known, axis=0)), np.nan, stands.astype(float))


def rank(windows: Array) -> tuple[Array, Array]:
    values = windows.astype(np.float32)
    now = values[:, -1:]
    return (values < now).sum(axis=1), (values == now).sum(axis=1)


def place(x: Array, w: int) -> Array:
    def average(windows: Array) -> Array:
        below, equal = rank(windows)
        return (2 * below + equal + 1) / 2 / w

    return trailing(x, w, average)


def third(x: Array) -> Array:
    place_ = place(x, DAY) * DAY
    state = np.where(place_ <= 480, 0.0, np.where(place_ <= 960, 1.0, 2.0))
    return np.where(np.isnan(place_), np.nan, state)


def correlation(x: Array, y: Array, w: int) -> Array:
    a, b = windows_of(x, w), windows_of(y, w)
    some = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1) & ~flat(a) & ~flat(b)
    a, b = a[some], b[some]
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    out = np.full(len(x), np.nan)
    out[some] = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return out


# --- volume ---------------------------------------------------------------------------------


def volume_levels(bars: Bars, w: int = 0) -> Outputs:
    v = volume(bars)
    if not w:
        return {"": v}
    top, bottom = highest(v, w), lowest(v, w)
    position = np.where(top == bottom, 0.5, (v - bottom) / np.where(top > bottom, top - bottom, 1))
    return {
        "mean": mean(v, w),
        "std": deviation(v, w, 1),
        "z": z(v, w),
        "sum": total(v, w),
        "double": flag(v > 2 * mean(v, w), mean(v, w)),
        "position": np.where(np.isnan(top), np.nan, position),
    }


def volume_ratio(bars: Bars, w: int) -> Outputs:
    v = volume(bars)
    return {"": np.where(mean(v, w) == 0, 1.0, ratio(v, mean(v, w)))}


def volume_spike(bars: Bars, w: int) -> Outputs:
    v = volume(bars)
    return {"": flag(v - mean(v, w) > 2 * MORE * deviation(v, w, 1), mean(v, w))}


def split(bars: Bars, w: int) -> tuple[Array, Array, Array]:
    v, rise = volume(bars), change(bars.close, 1)
    known = v + 0 * rise
    up, down = np.where(rise > 0, known, 0 * known), np.where(rise < 0, known, 0 * known)
    return total(up, w), total(down, w), total(known, w)


def ticks(bars: Bars, w: int) -> Outputs:
    up, down, whole = split(bars, w)
    return {
        "up": ratio(up, whole),
        "down": ratio(down, whole),
        "net": up - down,
        "imbalance": ratio(up - down, up + down),
    }


def weighted(x: Array, v: Array, w: int) -> Outputs:
    return {"": ratio(total(x * v, w), total(v + 0 * x, w))}


def volume_return(bars: Bars, w: int) -> Outputs:
    return weighted(bars.close / shift(bars.close, 1) - 1, volume(bars), w)


def rate_correlation(bars: Bars, w: int) -> Outputs:
    v, r = volume(bars), returns_of(bars)
    return {
        "level": correlation(bars.index, v, w),
        "return": correlation(r, v, w),
        "size": correlation(np.abs(r), v, w),
    }


def rate_divergence(bars: Bars, w: int) -> Outputs:
    return {"": z(change(volume(bars), 1), w) - z(returns_of(bars), w)}


def bqx_divergence(bars: Bars, w: int) -> Outputs:
    return {"": z(change(volume(bars), 1), w) - z(change(np.abs(bqx(bars)), 1), w)}


def volume_volatility(bars: Bars, w: int) -> Outputs:
    return {"": mean(volume(bars), w) * deviation(returns_of(bars), w, 1)}


def bqx_volume(bars: Bars, w: int) -> Outputs:
    v, x = volume(bars), bqx(bars)
    out = {name: np.full(len(x), np.nan) for name in ("surge", "drop")}
    at, ticks_at = windows_of(x, w), windows_of(v, w)
    for row in range(len(x)):
        now, then = at[row], ticks_at[row]
        if np.isfinite(now).all() and now.max() > now.min():
            middle, sigma = now.mean(), now.std(ddof=1)
            for name, those in (("surge", now > middle + sigma), ("drop", now < middle - sigma)):
                if those.any():
                    out[name][row] = then[those].mean()
    grown, busier = change(np.abs(x), w), change(v, w)
    size = np.abs(x)
    high = (size - mean(size, w) > MORE * deviation(size, w, 1)) & (
        v - mean(v, w) > MORE * deviation(v, w, 1)
    )
    return out | {
        "confirms": flag((grown > 0) & (busier > 0), grown, busier),
        "diverges": flag((grown > 0) & (busier < 0), grown, busier),
        "high": flag(high, mean(size, w), mean(v, w)),
    }


def per_volume(bars: Bars, w: int) -> Outputs:
    v, x = volume(bars), bqx(bars)
    return {"": ratio(total(x, w), total(v + 0 * x, w))}


# --- spread ---------------------------------------------------------------------------------


def spread_now(bars: Bars) -> Outputs:
    s, bid = spread_of(bars), bars.close
    ask = bid + s
    mid = (bid + ask) / 2
    return {
        "level": s,
        "pct": 100 * s / bid,
        "quoted": 100 * s / mid,
        "imbalance": -s / (bid + ask),
        "effective": 2 * 100 * (s / 2) / mid,
        "half": s / 2,
        "realized": 2 * 100 * np.abs(mid - ago(bid, 5)) / ago(mid, 5),
        "impact": 2 * 100 * np.abs(mid - shift(mid, 1)) / shift(mid, 1),
    }


def spread_levels(bars: Bars, w: int) -> Outputs:
    s = spread_of(bars)
    score = z(s, w)
    return {
        "mean": mean(s, w),
        "z": score,
        "max": highest(s, w),
        "std": deviation(s, w, 1),
        "range": highest(s, w) - lowest(s, w),
        "percentile": place(s, w),
        "spike": flag(score > 2 * MORE, mean(s, w)),
        "compression": flag(score < -0.5 * MORE, mean(s, w)),
        "double": flag(s > 2 * MORE * mean(s, w), mean(s, w)),
    }


def around_mid(bars: Bars, w: int) -> Outputs:
    s = spread_of(bars)
    mid = bars.close + s / 2
    slow = deviation(mid, w, 1)
    return {
        "std": slow,
        "toxicity": ratio(deviation(mid, 5, 1), slow) * ratio(mean(s, 5), mean(s, w)),
    }


def tick(bars: Bars, w: int = 1) -> Outputs:
    signs = np.sign(change(bars.close, 1))

    def latest(windows: Array) -> Array:
        return np.array([next((s for s in window[::-1] if s), 0.0) for window in windows])

    return {"direction": signs, "rule": trailing(signs, w, latest)}


# --- events ---------------------------------------------------------------------------------


def run_up_to(x: Array, rows: int, stands: Callable[[float, float], bool]) -> Array:
    """Values before the current one, counted back while ``stands(then, now)``, to ``rows``."""

    def back(windows: Array) -> Array:
        out = []
        for window in windows:
            past = window[::-1]
            out.append(next((k for k in range(rows) if not stands(past[k], past[0])), rows))
        return np.array(out)

    return trailing(x, rows, back)


def jumps(bars: Bars) -> Outputs:
    r = returns_of(bars)
    sigma = shift(deviation(r, 60, 1), 1)
    jump = flag(np.abs(r) > 3 * sigma, r, sigma)
    near = run_up_to(jump, 20, lambda then, now: then == 0)
    return {
        "flag_2_5_sigma": flag(np.abs(r) > 2.5 * sigma, r, sigma),
        "flag_3_sigma": jump,
        "count_20": total(jump, 20),
        "count_60": total(jump, 60),
        "since": run_up_to(jump, DAY, lambda then, now: then == 0),
        "direction": np.sign(r) * jump,
        "magnitude_z": ratio(np.abs(r), sigma),
        "decay_20": np.where(near == 20, 0.0, np.exp(-near / 20)),
    }


def garch(r: Array) -> Array:
    def recursion(windows: Array) -> Array:
        unconditional = windows.var(axis=1, ddof=1)
        omega = (1 - np.longdouble("0.05") - np.longdouble("0.90")) * unconditional
        variance = unconditional
        for k in range(windows.shape[1]):
            square = windows[:, k] ** 2
            variance = omega + np.longdouble("0.05") * square + np.longdouble("0.90") * variance
        return np.sqrt(variance)

    return trailing(r, DAY, recursion)


def volatility(bars: Bars) -> Outputs:
    r = returns_of(bars)
    short, long = deviation(r, 20, 1), deviation(r, 60, 1)
    state = third(short)
    return {
        "regime_20": state,
        "regime_60": third(long),
        "transition": flag(state != shift(state, 1), state, shift(state, 1)),
        "z_score_20": z(short, 100),
        "percentile_100": place(short, 100),
        "acceleration_20": short - 2 * shift(short, 20) + shift(short, 40),
        "expansion": flag(short > 1.25 * long, long),
        "compression": flag(short < 0.8 * long, long),
        "ewma_30": np.sqrt(exponential(r**2, Fraction(2, 31), 300)),
        "garch": garch(r),
    }


def line(x: Array, r: Array, w: int) -> tuple[Array, Array]:
    sigma = deviation(r, w, 1)
    score = slope(x, w) * np.sqrt(w) / (x * np.where(sigma == 0, np.inf, sigma))
    grade = np.sign(score) * (1.0 * (np.abs(score) > 0.3) + (np.abs(score) > 1))
    at = np.arange(w) - (w - 1) / 2

    def explained(windows: Array) -> Array:
        y = windows - windows.mean(axis=1, keepdims=True)
        value = ratio((y @ at) ** 2, (at @ at) * (y**2).sum(axis=1))
        return np.where(flat(windows), np.nan, value)

    return np.where(np.isnan(sigma), np.nan, grade), trailing(x, w, explained)


def trend(bars: Bars) -> Outputs:
    x, r = bars.index, returns_of(bars)
    net, step = change(x, 20), np.sign(change(x, 1))
    agreeing = [(windows_of(step, 20) == sign).sum(axis=1) / 20 for sign in (1, -1)]
    share = np.where(net > 0, agreeing[0], np.where(net < 0, agreeing[1], 0.5))
    regime, strength = line(x, r, 20)
    slow_regime, slow_strength = line(x, r, 60)
    return {
        "regime_20": regime,
        "regime_60": slow_regime,
        "strength_20": strength,
        "strength_60": slow_strength,
        "consistency_20": np.where(np.isnan(mean(r, 20)), np.nan, share),
        "reversal": flag(net * shift(net, 20) < 0, mean(r, 40)),
        "acceleration_20": change(slope(x, 20), 20),
        "sideways_20": flag(~(strength * MORE >= 0.25), mean(x, 20)),
    }


# --- realized volatility --------------------------------------------------------------------


def root_mean(x: Array, w: int) -> Array:
    return np.sqrt(mean(x, w))


def ranges(gap: Array, high: Array, low: Array, close: Array, w: int) -> Outputs:
    satchell = mean(high * (high - close) + low * (low - close), w)
    k = 0.34 / (1.34 + (w + 1) / (w - 1))
    zhang = deviation(gap, w, 1) ** 2 + k * deviation(close, w, 1) ** 2 + (1 - k) * satchell
    return {
        "parkinson": root_mean((high - low) ** 2 / (4 * log(2)), w),
        "garman_klass": root_mean((high - low) ** 2 / 2 - (2 * log(2) - 1) * close**2, w),
        "rogers_satchell": np.sqrt(satchell),
        "yang_zhang": np.sqrt(zhang),
    }


def products(r: Array, w: int) -> Outputs:
    def pairs(windows: Array) -> Array:
        size = np.abs(windows)
        return pi / 2 * w / (w - 1) * (size[:, 1:] * size[:, :-1]).sum(axis=1)

    def triples(windows: Array) -> Array:
        size = np.abs(windows) ** (np.longdouble(4) / 3)
        moment = 2 ** (2 / 3) * gamma(7 / 6) / gamma(1 / 2)
        return (
            w * moment**-3 * w / (w - 2) * (size[:, 2:] * size[:, 1:-1] * size[:, :-2]).sum(axis=1)
        )

    rv, bv, tq = total(r**2, w), trailing(r, w, pairs), trailing(r, w, triples)
    noise = np.where(bv > 0, np.fmax(1, ratio(tq, bv**2)), 1)
    return {
        "bipower": bv,
        "quarticity": w / 3 * total(r**4, w),
        "jump_test": ratio(rv - bv, rv) / np.sqrt((pi**2 / 4 + pi - 5) / w * noise),
        "signed_jump": total(np.where(r > 0, r**2, np.where(r < 0, -(r**2), 0 * r)), w),
        "skewness": np.sqrt(w) * ratio(total(r**3, w), rv ** np.float64(1.5)),
    }


def high_state(v: Array) -> Array:
    def above(windows: Array) -> Array:
        values = windows.astype(np.float32).astype(np.float64)
        return values[:, -1] > np.quantile(values, 0.67, axis=1)

    return trailing(v, DAY, above)


def over_time(r: Array, w: int) -> Outputs:
    v = root_mean(r**2, w)
    state = high_state(v)
    flips = flag(state != shift(state, 1), state, shift(state, 1))
    return {
        "vol_of_vol": deviation(v, w, 1),
        "acceleration": v - 2 * shift(v, w) + shift(v, 2 * w),
        "ewma_ratio": np.sqrt(
            ratio(exponential(r**2, Fraction(1, 3), 50), exponential(r**2, Fraction(2, 21), 200))
        ),
        "high": state,
        "held": run_up_to(state, DAY, lambda then, now: then == now),
        "transition": mean(flips, DAY - 1),
    }


def rate_realized(bars: Bars, w: int) -> Outputs:
    o, h, l, c = bars.ohlc.T  # noqa: E741
    r = returns_of(bars)
    bars_ = ranges(np.log(o / shift(c, 1)), np.log(h / o), np.log(l / o), np.log(c / o), w)
    return bars_ | products(r, w) | over_time(r, w)


def bqx_realized(bars: Bars, w: int) -> Outputs:
    x = bqx(bars)
    opened = shift(x, 4)
    bars_ = ranges(
        opened - shift(x, 5), highest(x, 5) - opened, lowest(x, 5) - opened, x - opened, w
    )
    r = change(x, 1)
    return bars_ | products(r, w) | over_time(r, w)


def bucket_realized(bars: Bars, w: int) -> Outputs:
    utc = bars.minutes // 5
    frame = bars.frame.reset_index(drop=True)
    rows: dict[int, list[int]] = {}
    for row, bucket in enumerate(utc):
        rows.setdefault(int(bucket), []).append(row)
    whole = [those for those in rows.values() if len(those) == 5]
    o, h, l, c = (  # noqa: E741
        np.array([reading(frame[name].to_numpy()[those]) for those in whole])
        for name, reading in (
            ("open", lambda five: five[0]),
            ("high", np.max),
            ("low", np.min),
            ("close", lambda five: five[-1]),
        )
    )
    broken = np.array([frame["close"].iloc[those].isna().any() for those in whole])
    o, h, l, c = (np.where(broken, np.nan, each) for each in (o, h, l, c))  # noqa: E741
    found = ranges(np.log(o / shift(c, 1)), np.log(h / o), np.log(l / o), np.log(c / o), w)
    found |= products(np.log(c / shift(c, 1)), w)
    names = ["parkinson", "garman_klass", "rogers_satchell", "yang_zhang"]
    names += ["bipower", "quarticity", "jump_test"]
    last = np.array([those[-1] for those in whole])
    latest = np.searchsorted(last, np.arange(len(bars)), side="right") - 1
    out = {}
    for name in names:
        # A row reads five minutes a bucket, up to four of the open bucket, and a close before.
        reach = 5 * w + 4 + (name not in names[:3])
        known = (latest >= 0) & np.isfinite(mean(bars.close, reach))
        out[name] = np.where(known, found[name][np.maximum(latest, 0)], np.nan)
    return out


def both_realized(bars: Bars, w: int) -> Outputs:
    r, x = returns_of(bars), change(bqx(bars), 1)
    one, other = high_state(root_mean(r**2, w)), high_state(root_mean(x**2, w))
    tests = products(r, w)["jump_test"], products(x, w)["jump_test"]
    return {
        "alignment": flag(one == other, one, other),
        "ratio": ratio(root_mean(x**2, w), root_mean(r**2, w)),
        "jumps": flag((tests[0] > 3) & (tests[1] > 3), mean(r, w), mean(x, w)),
    }


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("volume", "rate"): volume_levels,
    ("volume_ratio", "rate"): volume_ratio,
    ("volume_trend", "rate"): lambda bars, w: {"": slope(volume(bars), w)},
    ("volume_spike", "rate"): volume_spike,
    ("volume_change", "rate"): lambda bars, rows: {"": change(volume(bars), rows)},
    ("volume_regime", "rate"): lambda bars, w, _: {"": third(mean(volume(bars), w))},
    ("ticks", "rate"): ticks,
    ("vwap", "rate"): lambda bars, w: weighted(bars.index, volume(bars), w),
    ("volume_return", "rate"): volume_return,
    ("volume_correlation", "rate"): rate_correlation,
    ("volume_divergence", "rate"): rate_divergence,
    ("volume_volatility", "rate"): volume_volatility,
    ("volume_mean", "bqx"): lambda bars, w: weighted(bqx(bars), volume(bars), w),
    ("volume_correlation", "bqx"): lambda b, w: {"": correlation(bqx(b), volume(b), w)},
    ("volume_divergence", "bqx"): bqx_divergence,
    ("volume", "bqx"): bqx_volume,
    ("per_volume", "bqx"): per_volume,
    ("", "spread"): spread_now,
    ("change", "spread"): lambda bars, rows: {"": change(spread_of(bars), rows)},
    ("level", "spread"): spread_levels,
    ("trend", "spread"): lambda bars, w: {"": slope(spread_of(bars), w)},
    ("regime", "spread"): lambda bars, w, _: {"": third(mean(spread_of(bars), w))},
    ("mid", "spread"): around_mid,
    ("tick", "spread"): tick,
    ("jump", "rate"): jumps,
    ("volatility", "rate"): volatility,
    ("trend_state", "rate"): trend,
    ("realized", "rate"): rate_realized,
    ("realized", "bqx"): bqx_realized,
    ("realized_5m", "rate"): bucket_realized,
    ("realized", "cross"): both_realized,
}
"""The twin of a family's kernels on a source."""
