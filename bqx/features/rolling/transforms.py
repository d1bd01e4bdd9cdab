"""Fourier transforms of trailing windows of 128 rows, 32 windows at a time.

A window's mean is removed and a symmetric Hann window applied. Every window is transformed anew, so
that what it gives is a function of its rows alone.
"""

from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F

WINDOW = 128
BINS = WINDOW // 2

LANES = 32
"""Windows that are transformed side by side."""

BOTH = 2 * LANES
"""Real and imaginary parts of them."""

_HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
_COS = np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
_SIN = np.sin(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
_REVERSED = np.array([int(f"{i:06b}"[::-1], 2) for i in range(BINS)])

SCALE = 2.0 / (WINDOW * float((_HANN**2).sum()))
"""Mean square of a window for the squared modulus of a bin."""


@kernel
def _load(x: F, first: int, z: F, lanes: int, step: int) -> None:
    """Weighted windows that end from row ``first`` on: their even rows, then their odd ones."""
    oldest, centre = first - (WINDOW - 1) * step, np.zeros(lanes)
    newest = x[first : first + lanes]
    # Rows are found without slices, which cost more than so few windows do.
    for i in range(WINDOW - 1):
        row = np.uint64(oldest + i * step)
        for k in range(lanes):
            centre[k] += x[row + np.uint64(k)] - newest[k]
    for k in range(lanes):
        centre[k] /= WINDOW
    for i in range(BINS):
        even, odd = np.uint64(oldest + 2 * i * step), np.uint64(oldest + (2 * i + 1) * step)
        to = z[_REVERSED[i] * BOTH : (_REVERSED[i] + 1) * BOTH]
        for k in range(lanes):
            own = (x[even + np.uint64(k)] - newest[k]) - centre[k]
            after = (x[odd + np.uint64(k)] - newest[k]) - centre[k]
            to[k], to[k + LANES] = _HANN[2 * i] * own, _HANN[2 * i + 1] * after


@kernel
def _butterfly(top: F, low: F, c: float, s: float, lanes: int) -> None:
    for k in range(lanes):
        re, im, p, q = top[k], top[k + LANES], low[k], low[k + LANES]
        a, b = p * c + q * s, q * c - p * s
        low[k], low[k + LANES] = re - a, im - b
        top[k], top[k + LANES] = re + a, im + b


@kernel
def _transform(z: F, lanes: int) -> None:
    """Fourier transform of 64 complex numbers in bit-reversed order, in place, lane by lane."""
    half = 1
    while half < BINS:
        stride = WINDOW // (2 * half)
        for k in range(half):
            c, s = _COS[k * stride], _SIN[k * stride]
            for top in range(k, BINS, 2 * half):
                low = top + half
                of_top, of_low = z[top * BOTH : (top + 1) * BOTH], z[low * BOTH : (low + 1) * BOTH]
                _butterfly(of_top, of_low, c, s, lanes)
        half *= 2


@kernel
def _unfolded(own: F, back: F, turn: tuple[float, float], turned: Any, lanes: int) -> None:
    for k in range(lanes):
        a, b, p, q = own[k], own[k + LANES], back[k], back[k + LANES]
        ea, eb, oa, ob = 0.5 * (a + p), 0.5 * (b - q), 0.5 * (b + q), -0.5 * (a - p)
        own[k] = ea + (oa * turn[0] + ob * turn[1])
        own[k + LANES] = eb + (ob * turn[0] - oa * turn[1])
        eb, ob = 0.5 * (q - b), -0.5 * (p - a)
        back[k] = ea + (oa * turned[0] + ob * turned[1])
        back[k + LANES] = eb + (ob * turned[0] - oa * turned[1])


@kernel
def _unfold(z: F, lanes: int) -> None:
    """Bins 0 to 63 of the windows whose even and odd rows were transformed together; bin 64 in
    place of 0.
    """
    for k in range(1, BINS // 2 + 1):
        j = BINS - k
        own, back = z[k * BOTH : (k + 1) * BOTH], z[j * BOTH : (j + 1) * BOTH]
        _unfolded(own, back, (_COS[k], _SIN[k]), (_COS[j], _SIN[j]), lanes)
    for k in range(lanes):
        z[k], z[k + LANES] = z[k] - z[k + LANES], 0.0


@kernel
def transforms(x: F, first: int, z: F, lanes: int, step: int = 1) -> None:
    """Spectra ``z`` (64 x 64) of the windows that end at rows ``first`` to ``first + 31``.

    Of bin 64, then of every bin from 1 to 63, the real and then the imaginary parts. ``step`` :
    from a row of a window to its next; that many windows may so lie side by side.
    """
    _load(x, first, z, lanes, step)
    _transform(z, lanes)
    _unfold(z, lanes)


@kernel
def bin_of(z: F, k: int) -> F:
    """Real and then imaginary parts of a bin, counted from 0: (64,)."""
    row = (k + 1) % BINS
    return z[row * BOTH : (row + 1) * BOTH]


@kernel
def last_rows(values: F, minute: int, room: F) -> tuple[F, int]:
    """Keep values (P,) of a market minute in a room (256, P), where the last 128 rows then follow
    each other: all of it, and where the newest one begins.
    """
    place = minute % WINDOW
    room[place], room[place + WINDOW] = values, values
    return room.reshape(-1), (place + WINDOW) * len(values)
