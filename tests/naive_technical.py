"""Twins of technical indicators and Fibonacci levels, written from the definitions."""

from collections.abc import Callable

import numpy as np
from naive import (
    Array,
    Outputs,
    ago,
    bqx,
    bqx_bars,
    bqx_line,
    deviation,
    ema,
    flat,
    highest,
    lowest,
    mean,
    percent_of_deviation,
    rate_bars,
    ratio,
    shift,
    trailing,
    true_range,
    wilder,
    windows_of,
)

from bqx.market.bars import Bars

Hlc = tuple[Array, Array, Array]

DAY = 1440


def volume_of(bars: Bars) -> Array:
    return bars.frame["volume"].to_numpy(np.float64)


def score(x: Array) -> Array:
    """Deviations from the mean of 60 values, NaN where all are one."""

    def reading(windows: Array) -> Array:
        std = windows.std(axis=1, ddof=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = (windows[:, -1] - windows.mean(axis=1)) / std
        return np.where(flat(windows), np.nan, value)

    return trailing(x, 60, reading)


def score_of_moving(values: Array, x: Array) -> Array:
    still = trailing(x, 60, lambda windows: flat(windows).astype(float))
    return np.where(still == 0, score(values), np.nan)


def zone(x: Array, low: float, high: float) -> Array:
    """Outside the thresholds by more than rounding."""
    return np.array(
        [np.nan if np.isnan(v) else 1.0 if v - high > 1e-9 else -1.0 if low - v > 1e-9 else 0.0
         for v in x]
    )  # fmt: skip


# --- oscillators ----------------------------------------------------------------------------


def rsi(x: Array, n: int) -> Outputs:
    change = x - shift(x, 1)
    up, down = wilder(np.maximum(change, 0), n), wilder(np.maximum(-change, 0), n)
    value = 100 * ratio(up, up + down)
    return {
        "": value,
        "delta_5": value - shift(value, 5),
        "z_60": score_of_moving(value, x),
        "zone": zone(value, 30, 70),
    }


def macd(x: Array, fast: int, slow: int, signal: int = 9) -> Outputs:
    line = ema(x, fast) - ema(x, slow)
    slower = ema(line, signal)
    gap = line - slower
    before = shift(gap, 1)
    cross = np.where((before <= 0) & (gap > 0), 1.0, np.where((before >= 0) & (gap < 0), -1.0, 0.0))
    cross[np.isnan(gap) | np.isnan(before)] = np.nan
    return {
        "line": line,
        "signal": slower,
        "histogram": gap,
        "histogram_delta_1": gap - before,
        "histogram_z_60": score_of_moving(gap, x),
        "cross": cross,
    }


def _roc(value: Array, x: Array, w: int) -> Outputs:
    return {
        "": value,
        "delta_5": value - shift(value, 5),
        "z_60": score(value),
        "sign": np.sign(x - ago(x, w)),
    }


def rate_roc(bars: Bars, w: int) -> Outputs:
    x = bars.index
    return _roc(100 * (x - ago(x, w)) / ago(x, w), x, w)


def bqx_roc(bars: Bars, w: int) -> Outputs:
    x = bqx(bars)
    return _roc(percent_of_deviation(x - ago(x, w), x), x, w)


# --- place in the range ---------------------------------------------------------------------


def stochastic(hlc: Hlc, w: int, smooth: int = 3) -> Outputs:
    high, low, close = hlc
    top, bottom = highest(high, w), lowest(low, w)
    k = 100 * ratio(close - bottom, top - bottom)
    d = mean(k, smooth)
    r = -100 * ratio(top - close, top - bottom)
    return {
        "k": k,
        "d": d,
        "williams_r": r,
        "kd_diff": k - d,
        "k_delta_5": k - shift(k, 5),
        "zone": zone(k, 20, 80),
        "williams_r_delta_5": r - shift(r, 5),
        "williams_r_z_60": score(r),
        "williams_r_zone": zone(r, -80, -20),
    }


def cci(hlc: Hlc, w: int) -> Outputs:
    def index(windows: Array) -> Array:
        centre = windows.mean(axis=1, keepdims=True)
        absolute = np.abs(windows - centre).mean(axis=1)
        value = ratio(windows[:, -1] - centre[:, 0], np.longdouble("0.015") * absolute)
        return np.where(flat(windows), np.nan, value)

    value = trailing((hlc[0] + hlc[1] + hlc[2]) / 3.0, w, index)
    return {
        "": value,
        "delta_5": value - shift(value, 5),
        "z_60": score(value),
        "zone": zone(value, -100, 100),
    }


# --- true range and direction ---------------------------------------------------------------


def atr(hlc: Hlc, n: int, long: int | None, percent: Callable[[Array], Array]) -> Outputs:
    reach = true_range(hlc)
    value = wilder(reach, n)
    if long is not None:
        return {"ratio": ratio(value, wilder(reach, long))}
    return {"": value, "pct": percent(value), "z_60": score(value)}


def rate_atr(bars: Bars, n: int, long: int | None = None) -> Outputs:
    return atr(rate_bars(bars), n, long, lambda value: 100 * value / bars.index)


def bqx_atr(bars: Bars, n: int, long: int | None = None) -> Outputs:
    x = bqx(bars)
    return atr(bqx_line(bars), n, long, lambda value: percent_of_deviation(value, x))


def directional(hlc: Hlc, n: int) -> Outputs:
    high, low, _ = hlc
    rise, fall = high - shift(high, 1), shift(low, 1) - low
    unknown = np.isnan(rise) | np.isnan(fall)
    up = np.where((rise > fall) & (rise > 0), rise, 0.0)
    down = np.where((fall > rise) & (fall > 0), fall, 0.0)
    up[unknown] = down[unknown] = np.nan
    reach = wilder(true_range(hlc), n)
    plus, minus = 100 * ratio(wilder(up, n), reach), 100 * ratio(wilder(down, n), reach)
    movement = 100 * ratio(np.abs(plus - minus), plus + minus)
    index = wilder(movement, n)
    return {
        "adx": index,
        "plus_di": plus,
        "minus_di": minus,
        "di_diff": plus - minus,
        "dx": movement,
        "adx_delta_5": index - shift(index, 5),
    }


# --- open, high, low, close, volume ---------------------------------------------------------


def added(x: Array, rows: int) -> Array:
    return trailing(x, rows, lambda windows: windows.sum(axis=1))


def momentum(bars: Bars, rows: int) -> Outputs:
    return {"": bars.index - ago(bars.index, rows)}


def trix(bars: Bars, span: int) -> Outputs:
    three = ema(ema(ema(bars.index, span), span), span)
    before = shift(three, 1)
    return {"": 100 * (three - before) / before}


def ultimate(bars: Bars, *windows: int) -> Outputs:
    _, low, close = rate_bars(bars)
    pressure = close - np.minimum(low, shift(close, 1))
    reach = true_range(rate_bars(bars))
    a, b, c = (ratio(added(pressure, w), added(reach, w)) for w in windows)
    return {"": 100 * (4 * a + 2 * b + c) / 7}


def awesome(bars: Bars, short: int, long: int) -> Outputs:
    high, low, _ = rate_bars(bars)
    middle = (high + low) / 2
    return {"": mean(middle, short) - mean(middle, long)}


def keltner(bars: Bars, n: int) -> Outputs:
    middle, reach = ema(bars.index, n), 2 * wilder(true_range(rate_bars(bars)), n)
    return {"upper": middle + reach, "lower": middle - reach}


def donchian(bars: Bars, w: int) -> Outputs:
    high, low, _ = rate_bars(bars)
    top, bottom = highest(high, w), lowest(low, w)
    return {"upper": top, "middle": (top + bottom) / 2, "lower": bottom}


def historical_volatility(bars: Bars, w: int) -> Outputs:
    returns = np.log(bars.index / shift(bars.index, 1))
    return {"": deviation(returns, w, 1) * np.sqrt(252 * 1440)}


def chaikin_volatility(bars: Bars, span: int, rows: int) -> Outputs:
    high, low, _ = rate_bars(bars)
    extent = ema(high - low, span)
    return {"": 100 * ratio(extent - shift(extent, rows), shift(extent, rows))}


def mass_index(bars: Bars, span: int, w: int) -> Outputs:
    high, low, _ = rate_bars(bars)
    once = ema(high - low, span)
    return {"": added(ratio(once, ema(once, span)), w)}


def vortex(bars: Bars, w: int) -> Outputs:
    high, low, _ = rate_bars(bars)
    reach = added(true_range(rate_bars(bars)), w)
    return {
        "plus": ratio(added(np.abs(high - shift(low, 1)), w), reach),
        "minus": ratio(added(np.abs(low - shift(high, 1)), w), reach),
    }


def ulcer(bars: Bars, w: int) -> Outputs:
    top = highest(bars.index, w)
    return {"": np.sqrt(mean((100 * (bars.index - top) / top) ** 2, w))}


def placed(bars: Bars) -> Array:
    high, low, close = rate_bars(bars)
    place = np.where(high == low, 0.0, ratio((close - low) - (high - close), high - low))
    return place * volume_of(bars)


def accumulation(bars: Bars, rows: int) -> Outputs:
    close, volume = windows_of(bars.index, rows), windows_of(volume_of(bars), rows)
    whole = np.isfinite(close).all(axis=1) & np.isfinite(volume).all(axis=1)
    out = {name: np.full(len(bars), np.nan) for name in ("obv", "vpt", "nvi", "pvi")}
    for row in np.flatnonzero(whole):
        x, v = close[row], volume[row]
        change, gain = np.diff(x), x[1:] / x[:-1]
        out["obv"][row] = (np.sign(change) * v[1:]).sum()
        out["vpt"][row] = (v[1:] * (change / x[:-1])).sum()
        out["nvi"][row] = 1000 * gain[np.diff(v) < 0].prod()
        out["pvi"][row] = 1000 * gain[np.diff(v) > 0].prod()
    return {**out, "adl": added(placed(bars), rows)}


def chaikin_flow(bars: Bars, w: int) -> Outputs:
    return {"": ratio(added(placed(bars), w), added(volume_of(bars), w))}


def force(bars: Bars, span: int) -> Outputs:
    return {"": ema((bars.index - shift(bars.index, 1)) * volume_of(bars), span)}


def ease(bars: Bars, w: int) -> Outputs:
    high, low, _ = rate_bars(bars)
    volume = volume_of(bars)
    middle = (high + low) / 2
    distance = middle - shift(middle, 1)
    moves = np.where((volume == 0) & ~np.isnan(distance), 0.0,
                     ratio(distance * (high - low), volume))  # fmt: skip
    return {"": mean(moves, w)}


def flow_index(bars: Bars, w: int) -> Outputs:
    # In whole ticks of 1e-6: a sum of three rates that did not change has not changed.
    high, low, close = (bars.frame[name].to_numpy() * 1e6 for name in ("high", "low", "close"))
    ticks = np.rint(high) + np.rint(low) + np.rint(close)
    move = ticks - shift(ticks, 1)
    flow = sum(rate_bars(bars)) / 3.0 * volume_of(bars)
    up, down = np.where(move > 0, flow, 0.0), np.where(move < 0, flow, 0.0)
    up[np.isnan(move + flow)] = down[np.isnan(move + flow)] = np.nan
    rising, falling = added(up, w), added(down, w)
    return {"": 100 * ratio(rising, rising + falling)}


# --- Fibonacci ------------------------------------------------------------------------------

RETRACEMENTS = {"236": 0.236, "382": 0.382, "500": 0.5, "618": 0.618, "786": 0.786}
EXTENSIONS = {"1272": 1.272, "1618": 1.618, "2618": 2.618}


def levels(top: Array, bottom: Array) -> Outputs:
    reach = top - bottom
    return {f"ret_{name}": top - reach * p for name, p in RETRACEMENTS.items()} | {
        f"ext_{name}": top + reach * (q - 1) for name, q in EXTENSIONS.items()
    }


def fibonacci(hlc: Hlc, w: int) -> Outputs:
    x = hlc[2]
    top, bottom = highest(hlc[0], w), lowest(hlc[1], w)
    known = ~np.isnan(top) & ~np.isnan(bottom)
    line = {k: v.astype(float) for k, v in levels(
        top.astype(np.longdouble), bottom.astype(np.longdouble)).items()}  # fmt: skip
    away = {name: np.asarray(x.astype(np.longdouble) - top + (top - bottom) * p, float)
            for name, p in RETRACEMENTS.items()}  # fmt: skip
    reach = top - bottom
    pivot = (top + bottom + x) / 3
    near = 1e-9 * reach

    def flag(condition: Array) -> Array:
        return np.where(known, condition.astype(float), np.nan)

    return {
        "high": top,
        "low": bottom,
        **line,
        "pivot": pivot,
        "resistance": 2 * pivot - bottom,
        "support": 2 * pivot - top,
        **{f"from_{name}": away[name] for name in ("382", "500", "618")},
        "from_pivot": x - pivot,
        "above_618": flag(away["618"] > near),
        "below_382": flag(away["382"] < -near),
        "at_500": flag(np.abs(away["500"]) < 0.02 * reach - near),
        "range": reach,
        "range_norm": ratio(np.where(reach == 0, np.nan, reach), deviation(x, w, 1)),
    }


def last_swing(x: Array) -> tuple[int, float] | None:
    """Rows since the last peak of five rows, and its value; newest first."""
    for age in range(2, len(x) - 2):
        c = len(x) - 1 - age
        if x[c - 2] < x[c - 1] < x[c] > x[c + 1] > x[c + 2]:
            return age, x[c]
    return None


def swing(bars: Bars, rows: int) -> Outputs:
    high, low, close = rate_bars(bars)
    strength_unit = mean(true_range(rate_bars(bars)), 20)
    names = [f"from_ret_{n}" for n in RETRACEMENTS] + [f"from_ext_{n}" for n in EXTENSIONS]
    out = {n: np.full(len(bars), np.nan) for n in (*names, "nearest", "place", "age", "strength")}
    for row in range(rows - 1, len(bars)):
        window = slice(row - rows + 1, row + 1)
        if np.isnan(high[window]).any():
            continue
        peak, dip = last_swing(high[window]), last_swing(-low[window])
        if peak is None or dip is None:
            continue
        top, bottom = np.longdouble(peak[1]), -np.longdouble(dip[1])
        away = {n: float(close[row] - level) for n, level in levels(top, bottom).items()}
        for n, value in away.items():
            out[f"from_{n}"][row] = value
        out["nearest"][row] = min(map(abs, away.values()))
        if top != bottom:
            out["place"][row] = np.clip((close[row] - bottom) / (top - bottom), -0.5, 1.5)
        out["age"][row] = min(peak[0], dip[0])
        if strength_unit[row] > 0:
            fading = np.exp(-out["age"][row] / 60 / 24)
            out["strength"][row] = (top - bottom) / strength_unit[row] * fading
    return out


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("rsi", "rate"): lambda bars, n: rsi(bars.index, n),
    ("rsi", "bqx"): lambda bars, n: rsi(bqx(bars), n),
    ("macd", "rate"): lambda bars, *spans: macd(bars.index, *spans),
    ("macd", "bqx"): lambda bars, *spans: macd(bqx(bars), *spans),
    ("roc", "rate"): rate_roc,
    ("roc", "bqx"): bqx_roc,
    ("stochastic", "rate"): lambda bars, *rows: stochastic(rate_bars(bars), *rows),
    ("stochastic", "bqx"): lambda bars, *rows: stochastic(bqx_line(bars), *rows),
    ("cci", "rate"): lambda bars, w: cci(rate_bars(bars), w),
    ("cci", "bqx"): lambda bars, w: cci(bqx_line(bars), w),
    ("directional", "rate"): lambda bars, n: directional(rate_bars(bars), n),
    ("directional", "bqx"): lambda bars, n: directional(bqx_bars(bars), n),
    ("atr", "rate"): rate_atr,
    ("atr", "bqx"): bqx_atr,
    ("momentum", "rate"): momentum,
    ("trix", "rate"): trix,
    ("ultimate", "rate"): ultimate,
    ("awesome", "rate"): awesome,
    ("keltner", "rate"): keltner,
    ("donchian", "rate"): donchian,
    ("historical_volatility", "rate"): historical_volatility,
    ("chaikin_volatility", "rate"): chaikin_volatility,
    ("mass_index", "rate"): mass_index,
    ("vortex", "rate"): vortex,
    ("ulcer", "rate"): ulcer,
    ("accumulation", "rate"): accumulation,
    ("chaikin_flow", "rate"): chaikin_flow,
    ("force", "rate"): force,
    ("ease", "rate"): ease,
    ("flow_index", "rate"): flow_index,
    ("fibonacci", "rate"): lambda bars, w: fibonacci(rate_bars(bars), w),
    ("fibonacci", "bqx"): lambda bars, w: fibonacci(bqx_line(bars), w),
    ("swing", "rate"): swing,
}
"""The twin of a family's kernels on a source."""
