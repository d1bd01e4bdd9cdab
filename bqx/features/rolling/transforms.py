"""Fourier transforms of trailing windows of 128 rows, eight windows at a time.

A window's mean is removed and a symmetric Hann window applied. Every window is transformed anew, so
that what it gives is a function of its rows alone.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F
from bqx.lanes import LANES, alike, load, store

WINDOW = 128
BINS = WINDOW // 2

BOTH = 2 * LANES
"""Real and imaginary parts of a bin of eight windows."""

_HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
_COS = np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
_SIN = np.sin(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
_REVERSED = np.array([int(f"{i:06b}"[::-1], 2) for i in range(BINS)])

SCALE = 2.0 / (WINDOW * float((_HANN**2).sum()))
"""Mean square of a window for the squared modulus of a bin."""


@kernel
def group(first: int, start: int, stop: int) -> tuple[int, int]:
    """First of eight windows, of those from start to stop, and how many they are: all eight, of
    which some may be done already, where there are as many.
    """
    first = max(min(first, stop - LANES), start)
    return first, min(LANES, stop - first)


@kernel
def _read(z: F, place: int) -> tuple[F, F]:
    """Real and imaginary parts that lie from a place on."""
    return load(z, place), load(z, place + LANES)


@kernel
def _write(z: F, place: int, number: tuple[F, F]) -> None:
    store(z, place, number[0])
    store(z, place + LANES, number[1])


@kernel
def _load(x: F, first: int, z: F, step: int) -> None:
    """Weighted windows that end from row ``first`` on: their even rows, then their odd ones."""
    oldest, newest, centre = first - (WINDOW - 1) * step, load(x, first), alike(0.0)
    for i in range(WINDOW - 1):
        centre = centre + (load(x, oldest + i * step) - newest)
    centre = centre / float(WINDOW)
    for i in range(BINS):
        row, place = oldest + 2 * i * step, _REVERSED[i] * BOTH
        own, after = (load(x, row) - newest) - centre, (load(x, row + step) - newest) - centre
        _write(z, place, (_HANN[2 * i] * own, _HANN[2 * i + 1] * after))


@kernel
def _butterfly(one: tuple[F, F], other: tuple[F, F], turn: int) -> tuple[tuple[F, F], tuple[F, F]]:
    """Sum and difference of two complex numbers, the other turned."""
    c, s, (p, q) = _COS[turn], _SIN[turn], other
    a, b = p * c + q * s, q * c - p * s
    return (one[0] + a, one[1] + b), (one[0] - a, one[1] - b)


@kernel
def _transform(z: F) -> None:
    """Fourier transform of 64 complex numbers in bit-reversed order, in place, lane by lane.

    Two of its six steps at once, so that numbers are seldom read and written.
    """
    half = 1
    while half < BINS:
        wide, turn = half * BOTH, WINDOW // (4 * half)
        for k in range(half):
            for place in range(k * BOTH, BINS * BOTH, 4 * wide):
                a, b = _read(z, place), _read(z, place + wide)
                c, d = _read(z, place + 2 * wide), _read(z, place + 3 * wide)
                a, b = _butterfly(a, b, 2 * k * turn)
                c, d = _butterfly(c, d, 2 * k * turn)
                a, c = _butterfly(a, c, k * turn)
                b, d = _butterfly(b, d, (k + half) * turn)
                _write(z, place, a)
                _write(z, place + wide, b)
                _write(z, place + 2 * wide, c)
                _write(z, place + 3 * wide, d)
        half *= 4


@kernel
def _unfold(z: F) -> None:
    """Bins 0 to 63 of the windows whose even and odd rows were transformed together; bin 64 in
    place of 0.
    """
    for k in range(1, BINS // 2 + 1):
        j = BINS - k
        own, back = k * BOTH, j * BOTH
        (a, b), (p, q) = _read(z, own), _read(z, back)
        ea, eb, oa, ob = 0.5 * (a + p), 0.5 * (b - q), 0.5 * (b + q), -0.5 * (a - p)
        _write(z, own, (ea + (oa * _COS[k] + ob * _SIN[k]), eb + (ob * _COS[k] - oa * _SIN[k])))
        eb, ob = 0.5 * (q - b), -0.5 * (p - a)
        _write(z, back, (ea + (oa * _COS[j] + ob * _SIN[j]), eb + (ob * _COS[j] - oa * _SIN[j])))
    _write(z, 0, (load(z, 0) - load(z, LANES), alike(0.0)))


@kernel
def transforms(x: F, first: int, z: F, lanes: int, step: int = 1) -> None:
    """Spectra ``z`` (64 x 16) of the windows, up to eight, that end at rows from ``first`` on.

    Of bin 64, then of every bin from 1 to 63, the real and then the imaginary parts. ``step`` :
    from a row of a window to its next; that many windows may so lie side by side.
    """
    if lanes == LANES:
        _load(x, first, z, step)
    else:
        some = np.zeros(WINDOW * LANES)
        for i in range(WINDOW):
            row = first - (WINDOW - 1 - i) * step
            some[i * LANES : i * LANES + lanes] = x[row : row + lanes]
        _load(some, (WINDOW - 1) * LANES, z, LANES)
    _transform(z)
    _unfold(z)


@kernel
def place_of(k: int) -> int:
    """Where the real and then the imaginary parts of a bin lie, counted from 0."""
    return (k + 1) % BINS * BOTH


@kernel
def last_rows(values: F, minute: int, room: F) -> tuple[F, int]:
    """Keep values (P,) of a market minute in a room (256, P), where the last 128 rows then follow
    each other: all of it, and where the newest one begins.
    """
    place = minute % WINDOW
    room[place], room[place + WINDOW] = values, values
    return room.reshape(-1), (place + WINDOW) * len(values)
