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

from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import FLAG, Output

WINDOW, LENGTH, STEPS = 128, 60, 8
END = 15
"""Rows at the end of a component over which slope and curvature are taken."""

_HALF = LENGTH // 2
_LANES = 8
_STEP = 5
_TIME = np.arange(END) - (END - 1) / 2.0
_SLOPE = _TIME / (_TIME**2).sum()
_BENT = _TIME**2 - (_TIME**2).mean()
_BENT = _BENT / (_BENT**2).sum()
_WAVES = np.array([[0], [2], [1], [3]]) * np.pi
_START = np.cos(_WAVES * (np.arange(_HALF) + 0.5) / LENGTH).reshape(2, 2, _HALF)

# Eight windows are decomposed at a time, one a lane. Arrays are flat, the lane last; products are
# added five at a time; the number of lanes is an argument, since loops over a known number are
# unrolled and then not turned into vector instructions.


@kernel
def _covariances(x: F, row: int, z: F, c: F) -> None:
    """Window that ends at a row, about its mean and followed by zeros, and its lag covariances."""
    centre = 0.0
    for i in range(WINDOW):
        z[i] = x[row - WINDOW + 1 + i] - x[row]
        centre += z[i]
    centre /= WINDOW
    for i in range(WINDOW):
        z[i] -= centre
    c[:] = 0.0
    for i in range(0, WINDOW, 4):
        one, two, three, four = z[i], z[i + 1], z[i + 2], z[i + 3]
        later = z[i : i + len(c) + 3]
        for lag in range(len(c)):
            c[lag] += (one * later[lag] + two * later[lag + 1]) + (
                three * later[lag + 2] + four * later[lag + 3]
            )
    for lag in range(len(c)):
        c[lag] /= WINDOW


@kernel
def _spread(c: F, near: F, far: F, lanes: int) -> None:
    """Lag covariances (8, 60) as diagonals (59 x 8) from row 29 to row 0, and reversed (60 x 8)."""
    for i in range(LENGTH):
        for k in range(lanes):
            far[i * _LANES + k] = c[k, LENGTH - 1 - i]
            if i < LENGTH - 1:
                near[i * _LANES + k] = c[k, abs(i - _HALF + 1)]


@kernel
def _fill(matrix: F, near: F, far: F, flip: float) -> None:
    """Even (flip 1) or odd (-1) half of the Toeplitz matrix of lag covariances: (30 x 30 x 8)."""
    size = _HALF * _LANES
    for i in range(_HALF):
        to = matrix[i * size : (i + 1) * size]
        a = near[(_HALF - 1 - i) * _LANES : (2 * _HALF - 1 - i) * _LANES]
        b = far[i * _LANES : (_HALF + i) * _LANES]
        for k in range(len(to)):
            to[k] = a[k] + flip * b[k]


@kernel
def _turn(matrix: F, v: F, out: F, lanes: int) -> None:
    """Matrix times two vectors (30 x 2 x 8)."""
    out[:] = 0.0
    for i in range(0, _HALF, 2):
        to = out[2 * i * _LANES : 2 * (i + 2) * _LANES]
        for j in range(0, _HALF, _STEP):
            a = matrix[(i * _HALF + j) * _LANES : (i * _HALF + j + _STEP) * _LANES]
            b = matrix[((i + 1) * _HALF + j) * _LANES : ((i + 1) * _HALF + j + _STEP) * _LANES]
            of = v[2 * j * _LANES : 2 * (j + _STEP) * _LANES]
            for k in range(lanes):
                a0, a1, a2, a3, a4 = a[k], a[k + 8], a[k + 16], a[k + 24], a[k + 32]
                b0, b1, b2, b3, b4 = b[k], b[k + 8], b[k + 16], b[k + 24], b[k + 32]
                v0, v1, v2, v3, v4 = of[k], of[k + 16], of[k + 32], of[k + 48], of[k + 64]
                w0, w1, w2, w3, w4 = of[k + 8], of[k + 24], of[k + 40], of[k + 56], of[k + 72]
                to[k] += a0 * v0 + a1 * v1 + a2 * v2 + a3 * v3 + a4 * v4
                to[k + 8] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3 + a4 * w4
                to[k + 16] += b0 * v0 + b1 * v1 + b2 * v2 + b3 * v3 + b4 * v4
                to[k + 24] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3 + b4 * w4


@kernel
def _dot(v: F, w: F, out: F, lanes: int) -> None:
    """Product of the first vectors of two arrays (.. x 2 x 8), which end with them: (8,)."""
    out[:] = 0.0
    for i in range(0, 2 * _HALF * _LANES, 2 * _STEP * _LANES):
        a, b = v[i:], w[i:]
        for k in range(lanes):
            total = a[k] * b[k] + a[k + 16] * b[k + 16] + a[k + 32] * b[k + 32]
            out[k] += total + a[k + 48] * b[k + 48] + a[k + 64] * b[k + 64]


@kernel
def _scale(v: F, factor: F, lanes: int) -> None:
    """Multiply the first vector of an array (.. x 2 x 8) by a factor a lane."""
    for i in range(0, 2 * _HALF * _LANES, 2 * _STEP * _LANES):
        a = v[i:]
        for k in range(lanes):
            by = factor[k]
            a[k] *= by
            a[k + 16] *= by
            a[k + 32] *= by
            a[k + 48] *= by
            a[k + 64] *= by


@kernel
def _subtract(v: F, factor: F, lanes: int) -> None:
    """Take the first vectors, times a factor a lane, off the second ones."""
    for i in range(0, 2 * _HALF * _LANES, 2 * _STEP * _LANES):
        a = v[i:]
        for k in range(lanes):
            by = factor[k]
            a[k + 8] -= by * a[k]
            a[k + 24] -= by * a[k + 16]
            a[k + 40] -= by * a[k + 32]
            a[k + 56] -= by * a[k + 48]
            a[k + 72] -= by * a[k + 64]


@kernel
def _orthogonal(v: F, room: F, lanes: int) -> None:
    """Make two vectors (30 x 2 x 8) orthogonal, of length 1."""
    for which in range(2):
        vector = v[which * _LANES :]
        if which:
            _dot(v, vector, room, lanes)
            _subtract(v, room, lanes)
        _dot(vector, vector, room, lanes)
        for k in range(lanes):
            room[k] = 1.0 / np.sqrt(room[k])
        _scale(vector, room, lanes)


@kernel
def _leading(matrix: F, start: F, values: F, vectors: F, v: F, turned: F, lanes: int) -> None:
    """Two leading eigenvalues of a half (2, 8) and their vectors (2, 8, 30), larger first."""
    room = np.empty((4, _LANES))
    for i in range(_HALF):
        for k in range(lanes):
            v[2 * i * _LANES + k], v[(2 * i + 1) * _LANES + k] = start[0, i], start[1, i]
    for step in range(STEPS + 1):
        _orthogonal(v, room[0], lanes)
        _turn(matrix, v, turned, lanes)
        if step < STEPS:
            v[:] = turned
    _dot(v, turned, room[1], lanes)
    _dot(v, turned[_LANES:], room[2], lanes)
    _dot(v[_LANES:], turned[_LANES:], room[3], lanes)
    for k in range(lanes):
        p, q, r = room[1, k], room[2, k], room[3, k]
        half_gap = np.sqrt(0.25 * (p - r) ** 2 + q * q)
        values[0, k], values[1, k] = 0.5 * (p + r) + half_gap, 0.5 * (p + r) - half_gap
        turn = 0.5 * np.arctan2(2.0 * q, p - r)
        c, s = np.cos(turn), np.sin(turn)
        for i in range(_HALF):
            first, second = v[2 * i * _LANES + k], v[(2 * i + 1) * _LANES + k]
            vectors[0, k, i], vectors[1, k, i] = c * first + s * second, c * second - s * first


@kernel
def _read(z: F, variance: float, values: F, vectors: F, u: F, out: F) -> None:
    """Readings of one window (128,) from the four eigenvalues and vectors (4, 30) of its halves.

    ``u`` (60,) is room for a whole vector.
    """
    square = 0.0
    for i in range(WINDOW - LENGTH, WINDOW):
        square += z[i] * z[i]
    left = square
    best = int(np.argmax(values))
    second = third = -1
    for k in range(4):
        if k != best and (second < 0 or values[k] > values[second]):
            second = k
    for k in range(4):
        if k not in (best, second) and (third < 0 or values[k] > values[third]):
            third = k
    end = 0.0
    for rank, which in enumerate((best, second, third)):
        flip = 1.0 if which < 2 else -1.0
        score = 0.0
        for i in range(_HALF):
            value = vectors[which, i] * np.sqrt(0.5)
            u[i], u[LENGTH - 1 - i] = value, flip * value
            score += value * (z[WINDOW - LENGTH + i] + flip * z[WINDOW - 1 - i])
        left -= score * score
        if rank == 0:
            out[0] = score * u[LENGTH - 1]
        else:
            end += score * u[LENGTH - 1]
        if rank < 2:
            total = 0.0
            for i in range(END):
                total += (_SLOPE[i] if rank == 0 else _BENT[i]) * u[LENGTH - END + i]
            out[8 + rank] = score * total
    one, two, three = values[best], values[second], values[third]
    out[1] = end
    out[2] = z[WINDOW - 1] - out[0] - end
    out[3] = one / (LENGTH * variance)
    out[4] = (two + three) / (LENGTH * variance)
    out[5] = np.sqrt(max(variance - (one + two + three) / LENGTH, 0.0))
    out[6] = 1.0 - two / one
    out[7] = np.sqrt(max(left, 0.0) / square)


@kernel
def ssa(x: F, first_minute: int) -> F:
    """Components at the newest row, their shares, and how well they part: (T, 10)."""
    rows = len(x)
    out = np.full((rows, 10), np.nan)
    z, c = np.zeros((_LANES, WINDOW + LENGTH)), np.empty((_LANES, LENGTH))
    near, far = np.empty((LENGTH - 1) * _LANES), np.empty(LENGTH * _LANES)
    matrix = np.empty(_HALF * _HALF * _LANES)
    v, turned = np.empty(2 * _HALF * _LANES), np.empty(2 * _HALF * _LANES)
    values, vectors = np.empty((4, _LANES)), np.empty((4, _LANES, _HALF))
    u = np.empty(LENGTH)
    for first in range(WINDOW - 1, rows, _LANES):
        lanes = min(_LANES, rows - first)
        for lane in range(lanes):
            _covariances(x, first + lane, z[lane], c[lane])
        _spread(c, near, far, lanes)
        for side in range(2):
            _fill(matrix, near, far, 1.0 - 2.0 * side)
            of = slice(2 * side, 2 * side + 2)
            _leading(matrix, _START[side], values[of], vectors[of], v, turned, lanes)
        for lane in range(lanes):
            # NaN in a window stays in its lane.
            if c[lane, 0] > 0.0 and c[lane, 0] < np.inf:
                _read(z[lane], c[lane, 0], values[:, lane], vectors[:, lane], u, out[first + lane])
    return out


_READINGS: tuple[tuple[Any, ...], ...] = (
    ("trend", "trend_component", "{u}"),
    ("oscillation", "oscillatory_component", "{u}"),
    ("noise", "noise_component", "{u}"),
    ("trend_share", "trend_variance_explained", *FLAG),
    ("oscillation_share", "osc_variance_explained", *FLAG),
    ("noise_deviation", "noise_variance", "{u}", 0.0),
    ("separability", "separability", *FLAG),
    ("rest", "reconstruction_error", *FLAG),
    ("slope", "comp1_slope", "{u}/bar"),
    ("curvature", "comp2_curvature", "{u}/bar^2"),
)
_PROSE = """
trend: Trend component of {x}
    c1[t]
oscillation: Oscillating component of {x}
    c2[t] + c3[t]
noise: Noise component of {x}
    x[t] - mean(x, 128) - (c1 + c2 + c3)[t]
trend_share: Share of variance of the trend component of {x}
    l1 / sum(l), l eigenvalues
oscillation_share: Share of variance of the oscillating component of {x}
    (l2 + l3) / sum(l), l eigenvalues
noise_deviation: Deviation of the noise component of {x}
    sqrt(std0(x, 128)^2 - (l1 + l2 + l3) / 60)
separability: Separation of the first two components of {x}
    1 - l2 / l1, l eigenvalues
rest: Share of the last 60 rows not reconstructed of {x}
    |x - c1 - c2 - c3| / |x|, norms of 60 rows
slope: Slope of the first component of {x}
    slope(c1, 15)
curvature: Curvature of the second component of {x}
    a2(c2, 15)
"""


def _outputs(domain: str) -> dict[str, Output]:
    outputs = {
        name: Output(unit, *bounds, alias=f"ssa_{alias}_{domain}")
        for name, alias, unit, *bounds in _READINGS
    }
    return described(outputs, _PROSE)


def rows() -> int:
    """Rows behind a decomposition."""
    return WINDOW


_ssa = partial(
    family,
    "ssa",
    ssa,
    table="spectral",
    about="singular spectrum of the last 128 rows",
    lookback=rows,
    laggable=False,
)

FAMILIES = (_ssa(_outputs("idx"), sources=RATE), _ssa(_outputs("bqx"), sources=BQX))
