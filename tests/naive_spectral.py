"""Twins of the spectral features, from their definitions (see ``naive``)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from naive import Array, Outputs, bqx, fit_weights, trailing, windows_of
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.linalg import eigh, toeplitz

from bqx.market.bars import Bars

WINDOW, BINS = 128, 64
BANDS = {"2_4m": (32, 64), "5_15m": (9, 25), "20_60m": (3, 6)}
Mask = NDArray[np.bool_]


def hann() -> Array:
    at = np.arange(WINDOW, dtype=np.longdouble)
    return np.asarray((1 - np.cos(2 * np.longdouble(np.pi) * at / (WINDOW - 1))) / 2)


def uneven(windows: Array) -> Mask:
    """Windows without NaN that are not flat."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.ptp(windows, axis=1) > 0)


def transform(x: Array) -> tuple[Array, Mask]:
    """Fourier coefficients (n, 64) of the weighted windows that are neither cut nor flat."""
    windows = windows_of(x, WINDOW)
    some = uneven(windows)
    centred = windows[some] - windows[some].mean(axis=1, keepdims=True)
    turn = np.outer(np.arange(WINDOW), np.arange(1, BINS + 1)) % WINDOW
    angle = 8 * np.arctan(np.longdouble(1)) * turn / WINDOW
    weighted = centred * hann()
    return weighted @ np.cos(angle) - 1j * (weighted @ np.sin(angle)), some


def spread(values: Array, some: Mask) -> Array:
    out = np.full(len(some), np.nan)
    out[some] = values
    return out


def spectrum(x: Array) -> Outputs:
    coefficients, some = transform(x)
    power = np.abs(coefficients) ** 2
    share = power / power.sum(axis=1, keepdims=True)
    number = np.arange(1, BINS + 1)
    best = share.argmax(axis=1)
    each = np.arange(len(best))
    apart = np.abs(number - 1 - best[:, None]) > 2
    double = np.where(2 * best + 1 < BINS, share[each, np.minimum(2 * best + 1, BINS - 1)], 0)
    log = np.log(np.maximum(share, 1e-12))
    time = np.log(number / WINDOW)
    time = time - time.mean()
    both_sides = np.where(number < BINS, 2, 1) * power / (WINDOW * (hann() ** 2).sum())
    energy = {name: both_sides[:, a - 1 : b].sum(axis=1) for name, (a, b) in BANDS.items()}
    low, high = share[:, :6].sum(axis=1), share[:, 31:].sum(axis=1)
    values = {
        "dominant_freq": (best + 1) / WINDOW,
        "dominant_power": share.max(axis=1),
        "secondary_freq": (np.where(apart, share, -1).argmax(axis=1) + 1) / WINDOW,
        "harmonic_ratio": double / share.max(axis=1),
        "low_power": low,
        "high_power": high,
        "entropy": -(share * log).sum(axis=1),
        "edge_freq": ((share.cumsum(axis=1) >= 0.95).argmax(axis=1) + 1) / WINDOW,
        "power_trend": (log * time).sum(axis=1) / (time**2).sum(),
        "noise_ratio": high / low,
        "cyclic_strength": share.max(axis=1) * BINS,
        **{f"energy_{name}": np.sqrt(value) for name, value in energy.items()},
        "energy_ratio": energy["2_4m"] / energy["20_60m"],
    }
    out = {name: spread(value, some) for name, value in values.items()}

    def steady(windows: Array) -> Array:
        return np.asarray((np.abs(windows - windows[:, -1:]) <= 1).mean(axis=1))

    return out | {"freq_stability": trailing(spread(best, some), 10, steady)}


def coherence(bars: Bars) -> Outputs:
    one, some = transform(bars.index)
    two, other = transform(bqx(bars))
    both = some & other
    a, b = one[both[some]], two[both[other]]
    out = {}
    for name, (first, last) in BANDS.items():
        p, q = a[:, first - 1 : last], b[:, first - 1 : last]
        cross = np.abs((p * np.conj(q)).sum(axis=1)) ** 2
        below = (np.abs(p) ** 2).sum(axis=1) * (np.abs(q) ** 2).sum(axis=1)
        out[f"coherence_{name}"] = spread(cross / below, both)
    gap = np.abs(a).argmax(axis=1) - np.abs(b).argmax(axis=1)
    out["divergence"] = spread(np.abs(gap) > 2, both)
    return out | {"dominant_freq_gap": spread(gap / WINDOW, both)}


# --- wavelets -------------------------------------------------------------------------------

TAPS = (
    0.2303778133088964, 0.7148465705529154, 0.6308807679298587, -0.0279837694168599,
    -0.1870348117190931, 0.0308413818355607, 0.0328830116668852, -0.0105974017850690,
)  # fmt: skip
COUNT = 79


def trailing_long(x: Any, rows: int, reading: Callable[[Any], Any]) -> Any:
    """``naive.trailing`` that keeps extended precision."""
    before = np.full(rows - 1, np.nan, dtype=np.longdouble)
    windows = sliding_window_view(np.concatenate([before, x]), rows)
    out = np.full(len(x), np.nan, dtype=np.longdouble)
    whole = np.isfinite(windows).all(axis=1)
    out[whole] = reading(windows[whole])
    return out


def coefficients(x: Array) -> tuple[list[Any], Any]:
    low = np.array(TAPS, dtype=np.longdouble) / np.float64(np.array(TAPS).sum())
    high = np.array([(-1) ** k * low[7 - k] for k in range(8)])
    level = x.astype(np.longdouble)
    details = []
    for step in (1, 2, 4):
        # What both filters leave of a constant is rounding of the taps.
        now = level
        centred = trailing_long(
            now,
            7 * step + 1,
            lambda w: ((w - w[:, -1:])[:, ::-1][:, ::step] * high).sum(axis=1),  # noqa: B023
        )
        details.append(centred)
        level = now + trailing_long(
            now,
            7 * step + 1,
            lambda w: ((w - w[:, -1:])[:, ::-1][:, ::step] * low).sum(axis=1),  # noqa: B023
        )
    return details, level


def over(above: Array, below: Array) -> Array:
    return np.asarray(above / np.where(below > 0, below, np.nan))


def product(one: Array, other: Array) -> Array:
    """Correlation over 79 rows, NaN where either is flat."""
    out = np.full(len(one), np.nan)
    for row in range(COUNT - 1, len(one)):
        a, b = one[row - COUNT + 1 : row + 1], other[row - COUNT + 1 : row + 1]
        if np.isfinite(a + b).all() and np.ptp(a) > 0 and np.ptp(b) > 0:
            a, b = a - a.mean(), b - b.mean()
            out[row] = (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
    return out


def wavelet(x: Array) -> Outputs:
    details, smooth = coefficients(x)

    def square(w: Array) -> Array:
        return np.asarray((w**2).mean(axis=1))

    e1, e2, e3 = (trailing_long(d, COUNT, square) for d in details)
    rest = trailing_long(smooth, COUNT, lambda w: w.var(axis=1))
    whole = e1 + e2 + e3
    shares = [over(e, whole) for e in (e1, e2, e3)]
    entropy = -sum(s * np.log(np.where(s > 0, s, 1)) for s in shares)
    weights = fit_weights(COUNT, 1)[1]
    largest = trailing_long(details[0], COUNT, lambda w: np.abs(w).max(axis=1))
    before = np.concatenate([[np.nan], details[2][:-1]])
    return {
        "d1_energy": np.sqrt(e1),
        "d2_energy": np.sqrt(e2),
        "d3_energy": np.sqrt(e3),
        "a3_energy": np.sqrt(rest),
        "energy_ratio": over(e1, e3),
        "trend_strength": np.where(whole > 0, over(rest, rest + whole), np.nan),
        "entropy": entropy,
        "singularity": over(largest, trailing_long(details[0], COUNT, lambda w: w.std(1, ddof=1))),
        "largest_share": np.max(shares, axis=0),
        "coherence": product(details[2], before),
        "a3_slope": trailing_long(smooth, COUNT, lambda w: ((w - w[:, -1:]) * weights).sum(1)),
    }


def phase(bars: Bars) -> Outputs:
    one, two = (coefficients(x)[0][2] for x in (bars.index, bqx(bars)))
    out = np.full(len(one), np.nan)
    for row in range(COUNT - 1, len(one)):
        a, b = one[row - COUNT + 1 : row + 1], two[row - COUNT + 1 : row + 1]
        if np.isfinite(a + b).all() and np.ptp(a) > 0 and np.ptp(b) > 0:
            a, b = ((v - v.mean()) / np.sqrt(((v - v.mean()) ** 2).sum()) for v in (a, b))
            out[row] = 2 * np.arctan2(np.sqrt(((a - b) ** 2).sum()), np.sqrt(((a + b) ** 2).sum()))
    return {"phase_gap": out}


# --- singular spectrum ----------------------------------------------------------------------


def ssa(x: Array) -> Outputs:
    length, end = 60, 15
    windows = windows_of(x, WINDOW)
    some = uneven(windows)
    z = windows[some] - windows[some].mean(axis=1, keepdims=True)
    c = np.column_stack(
        [(z[:, : WINDOW - lag] * z[:, lag:]).sum(axis=1) / WINDOW for lag in range(length)]
    ).astype(np.float64)
    slope, bent = fit_weights(end, 1)[1], fit_weights(end, 2)[2]
    rows = []
    for window, lags in zip(z.astype(np.float64), c, strict=True):
        values, vectors = eigh(toeplitz(lags), subset_by_index=(length - 4, length - 1))
        l4, l3, l2, l1 = values / (length * lags[0])
        y = window[-length:]
        c3, c2, c1 = [(u @ y) * u for u in vectors.T[1:]]
        rest = y - (c1 + c2 + c3)
        told = {"c1": l1 - l2 > 1e-6, "c2": l2 - l3 > 1e-6, "sum": l3 - l4 > 1e-6}
        row = {
            "trend": (c1[-1], "c1"),
            "oscillation": (c2[-1] + c3[-1], "c1 sum"),
            "noise": (rest[-1], "sum"),
            "trend_share": (l1, ""),
            "oscillation_share": (l2 + l3, ""),
            "noise_deviation": (np.sqrt(max(lags[0] * (1 - l1 - l2 - l3), 0)), ""),
            "separability": (1 - l2 / l1, ""),
            "rest": (np.sqrt((rest**2).sum() / (y**2).sum()), "sum"),
            "slope": (slope @ c1[-end:], "c1"),
            "curvature": (bent @ c2[-end:], "c1 c2"),
        }
        rows.append(
            {
                name: value if all(map(told.get, of.split())) else np.nan
                for name, (value, of) in row.items()
            }
        )
    return {
        name: spread(np.array([row[name] for row in rows], dtype=np.float64), some)
        for name in rows[0]
    }


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("spectrum", "rate"): lambda bars: spectrum(bars.index),
    ("spectrum", "bqx"): lambda bars: spectrum(bqx(bars)),
    ("spectrum", "both"): coherence,
    ("wavelet", "rate"): lambda bars: wavelet(bars.index),
    ("wavelet", "bqx"): lambda bars: wavelet(bqx(bars)),
    ("wavelet", "both"): phase,
    ("ssa", "rate"): lambda bars: ssa(bars.index),
    ("ssa", "bqx"): lambda bars: ssa(bqx(bars)),
}
