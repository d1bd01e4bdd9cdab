"""Singular spectrum analysis of trailing windows: 128 rows, vectors of 60 (Toeplitz form).

The lag covariances of the window about its mean (sums over 128) fill a 60 by 60 Toeplitz matrix.
Its eigenvectors are even or odd, so it falls into two problems of 30 by 30; the two leading pairs
of each come from eight steps of orthogonal iteration from cosines, which for drifting series are
nearly the eigenvectors, and a last rotation. The three largest of the four are the trend and the
oscillatory pair. A component at the newest row is the projection of the last 60 rows times the
eigenvector's last element: the end of the reconstructed series, where it needs no average.

Source: R. Vautard and M. Ghil, Physica D 35 (1989); A. Cantoni and P. Butler, Linear Algebra and
its Applications 13 (1976), for the even and odd halves.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

F = NDArray[np.float64]

WINDOW, LENGTH, STEPS = 128, 60, 8
END = 15
"""Rows at the end of a component over which slope and curvature are taken."""

_HALF = LENGTH // 2
_TIME = np.arange(END) - (END - 1) / 2.0
_SLOPE = _TIME / (_TIME**2).sum()
_BENT = _TIME**2 - (_TIME**2).mean()
_BENT = _BENT / (_BENT**2).sum()
_START = np.array([
    np.cos(np.pi * k * (np.arange(_HALF) + 0.5) / LENGTH) for k in (0, 2, 1, 3)
]).reshape(2, 2, _HALF)  # fmt: skip


@njit(cache=True, error_model="numpy")
def _dot(a: F, b: F) -> float:
    s0 = s1 = s2 = 0.0
    for i in range(0, _HALF, 3):
        s0 += a[i] * b[i]
        s1 += a[i + 1] * b[i + 1]
        s2 += a[i + 2] * b[i + 2]
    return s0 + s1 + s2


@njit(cache=True, error_model="numpy")
def _turn(matrix: F, v: F, w: F, new_v: F, new_w: F) -> None:
    new_v[:] = 0.0
    new_w[:] = 0.0
    for j in range(_HALF):
        a, b = v[j], w[j]
        for i in range(_HALF):
            new_v[i] += matrix[j, i] * a
            new_w[i] += matrix[j, i] * b


@njit(cache=True, error_model="numpy")
def _leading(matrix: F, start: F, values: F, vectors: F, room: F) -> None:
    """Two leading eigenvalues of a half and their vectors, larger first."""
    v, w, a, b = room[0], room[1], room[2], room[3]
    v[:], w[:] = start[0], start[1]
    for step in range(STEPS + 1):
        norm = np.sqrt(_dot(v, v))
        for i in range(_HALF):
            v[i] /= norm
        side = _dot(v, w)
        for i in range(_HALF):
            w[i] -= side * v[i]
        norm = np.sqrt(_dot(w, w))
        for i in range(_HALF):
            w[i] /= norm
        _turn(matrix, v, w, a, b)
        if step < STEPS:
            v[:], w[:] = a, b
    p, q, r = _dot(v, a), _dot(v, b), _dot(w, b)
    reach = np.sqrt(0.25 * (p - r) ** 2 + q * q)
    values[0], values[1] = 0.5 * (p + r) + reach, 0.5 * (p + r) - reach
    turn = 0.5 * np.arctan2(2.0 * q, p - r)
    c, s = np.cos(turn), np.sin(turn)
    for i in range(_HALF):
        vectors[0, i] = c * v[i] + s * w[i]
        vectors[1, i] = c * w[i] - s * v[i]


@njit(cache=True, error_model="numpy")
def _covariances(z: F, c: F) -> None:
    """Lag covariances of a window that is followed by zeros."""
    c[:] = 0.0
    for i in range(WINDOW):
        for lag in range(LENGTH):
            c[lag] += z[i] * z[i + lag]
    for lag in range(LENGTH):
        c[lag] /= WINDOW


@njit(cache=True, error_model="numpy")
def ssa(x: F, first_minute: int) -> F:
    """Components at the newest row, their shares, and how well they part: (T, 10)."""
    rows = len(x)
    out = np.full((rows, 10), np.nan)
    z = np.zeros(WINDOW + LENGTH)
    c = np.empty(LENGTH)
    half, room = np.empty((_HALF, _HALF)), np.empty((4, _HALF))
    values, vectors = np.empty(4), np.empty((4, _HALF))
    known = 0
    u = np.empty(LENGTH)
    for row in range(rows):
        known = 0 if np.isnan(x[row]) else known + 1
        if known < WINDOW:
            continue
        centre = 0.0
        for i in range(WINDOW):
            z[i] = x[row - WINDOW + 1 + i] - x[row]
            centre += z[i]
        centre /= WINDOW
        for i in range(WINDOW):
            z[i] -= centre
        _covariances(z, c)
        if not (c[0] > 0.0 and c[0] < np.inf):
            continue
        for side in range(2):
            flip = 1.0 - 2.0 * side
            for i in range(_HALF):
                for j in range(_HALF):
                    half[i, j] = c[abs(i - j)] + flip * c[LENGTH - 1 - i - j]
            _leading(half, _START[side], values[2 * side : 2 * side + 2],
                     vectors[2 * side : 2 * side + 2], room)  # fmt: skip
        square = 0.0
        for i in range(WINDOW - LENGTH, WINDOW):
            square += z[i] * z[i]
        order = np.argsort(-values)
        left = square
        ends = np.zeros(3)
        for place in range(3):
            which = order[place]
            flip = 1.0 if which < 2 else -1.0
            score = 0.0
            for i in range(_HALF):
                value = vectors[which, i] * np.sqrt(0.5)
                u[i], u[LENGTH - 1 - i] = value, flip * value
                score += value * (z[WINDOW - LENGTH + i] + flip * z[WINDOW - 1 - i])
            ends[place] = score * u[LENGTH - 1]
            left -= score * score
            total = 0.0
            if place < 2:
                for i in range(END):
                    weight = _SLOPE[i] if place == 0 else _BENT[i]
                    total += weight * u[LENGTH - END + i]
                out[row, 8 + place] = score * total
        one, two, three = values[order[0]], values[order[1]], values[order[2]]
        out[row, 0] = ends[0]
        out[row, 1] = ends[1] + ends[2]
        out[row, 2] = z[WINDOW - 1] - ends[0] - ends[1] - ends[2]
        out[row, 3] = one / (LENGTH * c[0])
        out[row, 4] = (two + three) / (LENGTH * c[0])
        out[row, 5] = np.sqrt(max(c[0] - (one + two + three) / LENGTH, 0.0))
        out[row, 6] = 1.0 - two / one
        out[row, 7] = np.sqrt(max(left, 0.0) / square)
    return out


def _outputs(domain: str) -> dict[str, Output]:
    def out(name: str, about: str, lo: float = -np.inf, hi: float = np.inf,
            unit: str = "1") -> Output:  # fmt: skip
        return Output(unit, lo, hi, alias=f"ssa_{name}_{domain}", about=about)

    return {
        "trend": out("trend_component", "first component at the newest row", unit="{u}"),
        "oscillation": out("oscillatory_component", "second and third", unit="{u}"),
        "noise": out("noise_component", "what is left about the window's mean", unit="{u}"),
        "trend_share": out("trend_variance_explained", "of the first component", 0.0, 1.0),
        "oscillation_share": out("osc_variance_explained", "of second and third", 0.0, 1.0),
        "noise_deviation": out("noise_variance", "root of the variance left", 0.0, unit="{u}"),
        "separability": out("separability", "1 less second eigenvalue over first", 0.0, 1.0),
        "rest": out("reconstruction_error", "share of the last 60 rows' size not reconstructed",
                    0.0, 1.0),
        "slope": out("comp1_slope", "slope of the first component's last 15 rows",
                     unit="{u}/bar"),
        "curvature": out("comp2_curvature", "quadratic term of the second's last 15 rows",
                         unit="{u}/bar^2"),
    }  # fmt: skip


_ABOUT = "singular spectrum of the last 128 rows"


def rows() -> int:
    """Rows behind a decomposition."""
    return WINDOW


FAMILIES = (
    Family(
        "ssa",
        "spectral",
        ssa,
        _outputs("idx"),
        ((),),
        (RATE,),
        _ABOUT,
        lookback=rows,
        laggable=False,
    ),
    Family(
        "ssa",
        "spectral",
        ssa,
        _outputs("bqx"),
        ((),),
        (BQX,),
        _ABOUT,
        lookback=rows,
        laggable=False,
    ),
)
