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
def _load(x: F, first: int, z: F, step: int) -> None:
    """Weighted windows that end from row ``first`` on: their even rows, then their odd ones."""
    oldest, newest, centre = first - (WINDOW - 1) * step, load(x, first), alike(0.0)
    for i in range(WINDOW - 1):
        centre = centre + (load(x, oldest + i * step) - newest)
    centre = centre / float(WINDOW)
    for i in range(BINS):
        row, place = oldest + 2 * i * step, _REVERSED[i] * BOTH
        own, after = (load(x, row) - newest) - centre, (load(x, row + step) - newest) - centre
        store(z, place, _HANN[2 * i] * own)
        store(z, place + LANES, _HANN[2 * i + 1] * after)


@kernel
def _butterfly(re: F, im: F, p: F, q: F, turn: int) -> tuple[F, F, F, F]:
    """Sum and difference of two complex numbers, the second turned."""
    c, s = _COS[turn], _SIN[turn]
    a, b = p * c + q * s, q * c - p * s
    return re + a, im + b, re - a, im - b


@kernel
def _transform(z: F) -> None:
    """Fourier transform of 64 complex numbers in bit-reversed order, in place, lane by lane.

    Two of its six steps at once, so that numbers are seldom read and written.
    """
    half = 1
    while half < BINS:
        wide, turn = half * BOTH, WINDOW // (4 * half)
        for k in range(half):
            for one in range(k * BOTH, BINS * BOTH, 4 * wide):
                two, three, four = one + wide, one + 2 * wide, one + 3 * wide
                a, b, c, d = load(z, one), load(z, one + LANES), load(z, two), load(z, two + LANES)
                a, b, c, d = _butterfly(a, b, c, d, 2 * k * turn)
                e, f, g, h = load(z, three), load(z, three + LANES), load(z, four), load(z, four + LANES)
                e, f, g, h = _butterfly(e, f, g, h, 2 * k * turn)
                a, b, e, f = _butterfly(a, b, e, f, k * turn)
                c, d, g, h = _butterfly(c, d, g, h, (k + half) * turn)
                store(z, one, a)
                store(z, one + LANES, b)
                store(z, two, c)
                store(z, two + LANES, d)
                store(z, three, e)
                store(z, three + LANES, f)
                store(z, four, g)
                store(z, four + LANES, h)
        half *= 4


@kernel
def _unfold(z: F) -> None:
    """Bins 0 to 63 of the windows whose even and odd rows were transformed together; bin 64 in
    place of 0.
    """
    for k in range(1, BINS // 2 + 1):
        j = BINS - k
        own, back = k * BOTH, j * BOTH
        a, b, p, q = load(z, own), load(z, own + LANES), load(z, back), load(z, back + LANES)
        ea, eb, oa, ob = 0.5 * (a + p), 0.5 * (b - q), 0.5 * (b + q), -0.5 * (a - p)
        store(z, own, ea + (oa * _COS[k] + ob * _SIN[k]))
        store(z, own + LANES, eb + (ob * _COS[k] - oa * _SIN[k]))
        eb, ob = 0.5 * (q - b), -0.5 * (p - a)
        store(z, back, ea + (oa * _COS[j] + ob * _SIN[j]))
        store(z, back + LANES, eb + (ob * _COS[j] - oa * _SIN[j]))
    store(z, 0, load(z, 0) - load(z, LANES))
    store(z, LANES, alike(0.0))


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
