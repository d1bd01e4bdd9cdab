"""Leading eigenvectors of the even and the odd half of Toeplitz matrices of 60 by 60.

Eight steps of orthogonal iteration from cosines, and a last rotation.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F

LENGTH, STEPS = 60, 8
_HALF = LENGTH // 2
_LANES = 8
_STEP = 5
_WAVES = np.array([[0], [2], [1], [3]]) * np.pi
_START = np.cos(_WAVES * (np.arange(_HALF) + 0.5) / LENGTH).reshape(2, 2, _HALF)

# Eight windows are decomposed at a time, one a lane. Arrays are flat, the lane last; products are
# added five at a time; the number of lanes is an argument, since loops over a known number are
# unrolled and then not turned into vector instructions.


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
