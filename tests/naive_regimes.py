"""Twins of hidden states, run lengths, cumulative sums and error correction (see ``naive``)."""

from collections.abc import Callable

import numpy as np
from naive import Array, Outputs, bqx, deviation, shift, windows_of
from numpy.typing import NDArray
from scipy.special import gammaln

from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS

DAY = 1_440
STATES = ("calm", "trend", "shock")

# --- parameters -----------------------------------------------------------------------------


def model(sigma: float) -> Array:
    """A model with long states: start, transitions, means, variances."""
    matrix = np.array([[0.94, 0.05, 0.01], [0.06, 0.91, 0.03], [0.02, 0.13, 0.85]])
    start = np.linalg.matrix_power(matrix, 1 << 30)[0]
    mean = np.array([0.0, 0.1, -0.2]) * sigma
    return np.concatenate([start, matrix.ravel(), mean, (np.array([0.5, 1.0, 2.5]) * sigma) ** 2])


SIGMA = {"rate": 6e-5, "bqx": 9e-4}
FITS = {
    "rate_hmm": model(SIGMA["rate"]),
    "bqx_hmm": model(SIGMA["bqx"]),
    "both_hmm": np.concatenate([model(SIGMA["rate"]), model(SIGMA["bqx"])]),
    "rate_bocpd": np.array([SIGMA["rate"] ** 2]),
    "bqx_bocpd": np.array([SIGMA["bqx"] ** 2]),
}
"""Fits of the catalog's fitted families that tests compute with."""


def learn(x: Array, rounds: int) -> list[Array]:
    """Baum-Welch by the book on rows without holes: after each round, states as they were found."""
    found = []
    size = np.abs(x)
    ranked = np.sort(size)
    half, most = ranked[len(x) // 2], ranked[9 * len(x) // 10]
    group = (size > half).astype(int) + (size > most)
    states = np.eye(3)[group]
    chain = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    floor = 1e-3 * (x**2).mean()
    for _ in range(rounds):
        weight = states.sum(axis=0)
        mean = states.T @ x / weight
        variance = np.maximum((states * (x[:, None] - mean) ** 2).sum(axis=0) / weight, floor)
        matrix = (chain / chain.sum(axis=1, keepdims=True) + 1e-5) / (1 + 3e-5)
        start = np.linalg.matrix_power(matrix, 10_000)[0]
        density = np.exp(-0.5 * (x[:, None] - mean) ** 2 / variance) / np.sqrt(variance)
        ahead, behind = density.copy(), np.ones_like(density)
        for i in range(len(x)):
            ahead[i] *= ahead[i - 1] @ matrix if i else start
            ahead[i] /= ahead[i].sum()
        chain = np.zeros((3, 3))
        for i in range(len(x) - 2, -1, -1):
            later = density[i + 1] * behind[i + 1]
            both = ahead[i][:, None] * matrix * later
            chain += both / both.sum()
            behind[i] = matrix @ later
            behind[i] /= behind[i].sum()
        states = ahead * behind
        states /= states.sum(axis=1, keepdims=True)
        found.append(np.concatenate([start, matrix.ravel(), mean, variance]))
    return found


# --- series ---------------------------------------------------------------------------------


def returns(bars: Bars) -> Array:
    return np.log(bars.index / shift(bars.index, 1))


def velocity(bars: Bars) -> Array:
    return bqx(bars) - shift(bqx(bars), 1)


# --- hidden states --------------------------------------------------------------------------


def filtered(x: Array, rows: int, fit: Array) -> Array:
    """(T, 3) forward probabilities of each window, from the start distribution on."""
    start, matrix, mean, variance = fit[:3], fit[3:12].reshape(3, 3), fit[12:15], fit[15:]
    windows = windows_of(x, rows)
    p = np.tile(start.astype(np.longdouble), (len(x), 1))
    for k in range(rows):
        now = windows[:, k, None]
        logs = -0.5 * (now - mean) ** 2 / variance - 0.5 * np.log(variance)
        p = p @ matrix * np.exp(logs - logs.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
    return p.astype(float)


def likeliest(p: Array) -> NDArray[np.int64]:
    return np.where(np.isnan(p[:, 0]), -1, np.argmax(p, axis=1))


def duration(p: Array, cap: int) -> Array:
    state = likeliest(p)
    out = np.full(len(p), np.nan)
    for row in range(cap - 1, len(p)):
        last = state[row - cap + 1 : row + 1]
        if (last >= 0).all():
            other = np.flatnonzero(last != last[-1])
            out[row] = cap if len(other) == 0 else cap - 1 - other[-1]
    return out


def hidden(bars: Bars, rows: int, domain: str) -> Outputs:
    fit = FITS[f"{domain}_hmm"]
    p = filtered(returns(bars) if domain == "rate" else velocity(bars), rows, fit)
    matrix = fit[3:12].reshape(3, 3)
    ahead = np.array([row[k] for row, k in zip(p @ matrix, likeliest(p), strict=True)])
    return dict(zip(STATES, p.T, strict=True)) | {
        "duration": duration(p, DAY),
        "transition": 1.0 - ahead,
        "entropy": -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1),
        "persistence": p @ np.diag(matrix),
    }


def meeting(bars: Bars, rows: int) -> Outputs:
    one = filtered(returns(bars), rows, FITS["rate_hmm"])
    two = filtered(velocity(bars), rows, FITS["bqx_hmm"])
    soon = (duration(one, 5) < 5) & (duration(two, 5) < 5)
    both = np.isfinite(duration(one, 5) + duration(two, 5))
    return {
        "agreement": (one * two).sum(axis=1),
        "transition_lag": duration(one, DAY) - duration(two, DAY),
        "double_transition": np.where(both, soon, np.nan),
    }


# --- run lengths ----------------------------------------------------------------------------


def student(x: Array, freedom: Array) -> Array:
    """Density of Student's distribution."""
    size = np.exp(gammaln((freedom + 1.0) / 2.0) - gammaln(freedom / 2.0))
    spread = (1.0 + x**2 / freedom) ** (-(freedom + 1.0) / 2.0)
    return size / np.sqrt(freedom * np.pi) * spread


def run_lengths(bars: Bars, rows: int, domain: str) -> Outputs:
    """Adams and MacKay's recursion from each row that a market minute divisible by 20 opens."""
    x = returns(bars) if domain == "rate" else velocity(bars)
    z = x / np.sqrt(FITS[f"{domain}_bocpd"][0])
    out = np.full((4, len(x)), np.nan)
    for start in range(-bars.first_market_minute % 20, len(x), 20):
        # Posterior mean, weight, shape and scale of a run from each row of the detection on.
        mean, weight, shape, scale = (np.zeros(0) for _ in range(4))
        w = np.zeros(0)
        for i, now in enumerate(z[start : start + rows + 19]):
            mean, weight = np.append(mean, 0.0), np.append(weight, 1.0)
            shape, scale = np.append(shape, 1.0), np.append(scale, 1.0)
            width = np.sqrt(scale * (weight + 1.0) / (shape * weight))
            density = student((now - mean) / width, 2.0 * shape) / width
            likely = int(np.argmax(w)) if i else 0
            w = np.append(w * (1.0 - 1.0 / 250.0), 1.0 / 250.0 if i else 1.0) * density
            w /= w.sum()
            scale += 0.5 * weight * (now - mean) ** 2 / (weight + 1.0)
            mean = (weight * mean + now) / (weight + 1.0)
            weight, shape = weight + 1.0, shape + 0.5
            row = start + i
            whole = row >= rows + 18 and np.isfinite(x[row - rows - 18 : row + 1]).all()
            if i >= rows - 1 and whole:
                length = np.minimum(np.arange(i + 1, 0, -1), rows)
                out[:, row] = w @ length, w[-1], w[likely], w[likely + 1 :].sum()
    return dict(zip(("run_length", "hazard_rate", "growth_prob", "decay_prob"), out, strict=True))


# --- cumulative sums ------------------------------------------------------------------------


def cumulative(x: Array, memory: int, rows: int) -> tuple[Array, Array, Array]:
    spread = deviation(x, memory, 1)
    spread = np.where(spread > 0, spread, np.nan)
    z = (windows_of(x, rows) / spread[:, None]).astype(float)
    sums, ages = [], []
    for sign in (1.0, -1.0):
        total, age = np.zeros(len(x)), np.zeros(len(x))
        for k in range(rows):
            total = np.where(np.isnan(z[:, k]), np.nan, np.maximum(total + sign * z[:, k] - 0.5, 0))
            age = np.where(total > 0, age + 1, 0)
        sums.append(total)
        ages.append(age)
    up = sums[0] >= sums[1]
    known = np.isfinite(sums[0])
    value = np.where(up, sums[0], -sums[1])
    return (
        np.where(known, value, np.nan),
        np.where(known, np.abs(value) > 5.0, np.nan),
        np.where(known, np.where(up, *ages), np.nan),
    )


def curvature(bars: Bars) -> Array:
    """Quadratic term of the least-squares parabola over 60 rows."""
    weights = np.linalg.pinv(np.vander(np.arange(60.0) - 29.5, 3))[0]
    windows = windows_of(bars.index, 60)
    flat = windows.max(axis=1) == windows.min(axis=1)
    value = ((windows - windows[:, :1]) * weights).sum(axis=1).astype(float)
    return np.where(flat, np.nan, value)


def sums_of_rate(bars: Bars, memory: int, rows: int) -> Outputs:
    out = dict(zip(("returns", "alarm", "reset"), cumulative(returns(bars), memory, rows),
                   strict=True))  # fmt: skip
    return out | {"a2": cumulative(curvature(bars), memory, rows)[0]}


def sums_of_bqx(bars: Bars, memory: int, rows: int) -> Outputs:
    out = dict(zip(("velocity", "alarm", "reset"), cumulative(velocity(bars), memory, rows),
                   strict=True))  # fmt: skip
    return out | {"momentum": cumulative(bqx(bars), memory, rows)[0]}


# --- error correction -----------------------------------------------------------------------


def levels(bars: Bars, domain: str, pairs: tuple[str, ...]) -> Array:
    """(T, C) log closes, or BQX."""
    if bars.panel is None:
        return np.full((len(bars), len(pairs)), np.nan)
    columns = []
    for pair in pairs:
        close = bars.panel.closes[:, PAIRS.index(pair)]
        if domain == "rate":
            columns.append(np.log(close / bars.panel.baselines[PAIRS.index(pair)]))
        else:
            past = windows_of(close, 16)
            columns.append(((past[:, :-1] - past[:, -1:]) / past[:, -1:]).sum(axis=1).astype(float))
    return np.column_stack(columns)


def fitted(x: Array, rows: int) -> Outputs:
    """Least squares of column 0 on the others, window by window."""
    out = {name: np.full(len(x), np.nan) for name in ("last", "z", "half")}
    out |= {f"w{j}": np.full(len(x), np.nan) for j in range(x.shape[1])}
    for row in range(rows - 1, len(x)):
        window = x[row - rows + 1 : row + 1]
        if not np.isfinite(window).all() or (window.max(axis=0) == window.min(axis=0)).any():
            continue
        centre = window.mean(axis=0)
        slopes = np.linalg.lstsq(window[:, 1:] - centre[1:], window[:, 0] - centre[0])[0]
        vector = np.append(1.0, -slopes)
        rest = (window - centre) @ vector
        out["last"][row] = rest[-1]
        out["z"][row] = rest[-1] / rest.std(ddof=1)
        for j, weight in enumerate(vector / np.linalg.norm(vector)):
            out[f"w{j}"][row] = weight
        if row >= rows and np.isfinite(x[row - rows]).all():
            rest = np.append((x[row - rows] - centre) @ vector, rest)
            phi = rest[:-1] @ rest[1:] / (rest[:-1] @ rest[:-1])
            if 0.0 < phi < 1.0:
                out["half"][row] = -np.log(2.0) / np.log(phi)
    return out


def parity_known(bars: Bars, rows: int) -> NDArray[np.bool_]:
    """Rows whose triangle is not made of its legs' rounding."""
    if bars.panel is None:
        return np.zeros(len(bars), bool)
    closes = {p: bars.panel.closes[:, PAIRS.index(p)] for p in ("eurusd", "eurgbp", "gbpusd")}
    error = windows_of(np.log(closes["eurusd"] / closes["eurgbp"] / closes["gbpusd"]), rows)
    digits = sum(1e-5 / close for close in closes.values())
    return np.asarray(error.max(axis=1) - error.min(axis=1) > digits)


def ect(bars: Bars, rows: int, domain: str) -> Outputs:
    def of(*pairs: str) -> Outputs:
        return fitted(levels(bars, domain, pairs), rows)

    majors = of("eurusd", "gbpusd", "audusd")
    error = majors["last"]
    speed = error - shift(error, 20)
    triangle = of("eurusd", "gbpusd", "eurgbp")["last"]
    return {
        "triangle": np.where(parity_known(bars, DAY), triangle, np.nan),
        "cluster": of("audusd", "nzdusd")["last"],
        "cross": of("eurusd", "audusd")["last"],
        "majors": error,
        "velocity": speed,
        "accel": speed - shift(speed, 20),
        "half_life": majors["half"],
        "weight_eur": majors["w0"],
        "weight_gbp": majors["w1"],
        "weight_aud": majors["w2"],
        "z_score": majors["z"],
        "inbound": np.where(np.isnan(speed), np.nan, np.abs(error) < np.abs(shift(error, 20))),
    }


def across(bars: Bars, rows: int) -> Outputs:
    a, b = ect(bars, rows, "rate"), ect(bars, rows, "bqx")

    def same_sign(name: str) -> Array:
        known = np.isfinite(a[name] + b[name])
        return np.where(known, np.sign(a[name]) == np.sign(b[name]), np.nan)

    one, two = windows_of(shift(a["majors"], 1), 20), windows_of(b["majors"], 20)
    one, two = one - one.mean(axis=1, keepdims=True), two - two.mean(axis=1, keepdims=True)
    together = (one * two).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    return {
        "alignment": same_sign("majors"),
        "divergence": np.abs(a["majors"] - b["majors"]),
        "lead_lag": together.astype(float),
        "z_gap": a["z_score"] - b["z_score"],
        "velocity_alignment": same_sign("velocity"),
        "joint_inbound": a["inbound"] * b["inbound"],
    }


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    **{("hmm", s): lambda bars, rows, s=s: hidden(bars, rows, s) for s in ("rate", "bqx")},
    **{("bocpd", s): lambda bars, rows, s=s: run_lengths(bars, rows, s) for s in ("rate", "bqx")},
    **{("ect", s): lambda bars, rows, s=s: ect(bars, rows, s) for s in ("rate", "bqx")},
    ("hmm", "both"): meeting,
    ("cusum", "rate"): sums_of_rate,
    ("cusum", "bqx"): sums_of_bqx,
    ("ect", "both"): across,
}
