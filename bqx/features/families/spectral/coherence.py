"""Spectra of the rate index and of BQX together: how alike their bands are, and their peaks.

Windows are those of `fourier`.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.families.spectral.fourier import BANDS, LEAK, rows
from bqx.features.rolling import comoments
from bqx.features.rolling.sums import F
from bqx.features.rolling.transforms import (
    BINS,
    BOTH,
    WINDOW,
    group,
    last_rows,
    place_of,
    transforms,
)
from bqx.features.spec import BQX_COLUMN, FLAG, RATE_COLUMN, Output, read
from bqx.features.steps import Steps
from bqx.lanes import LANES, absolute, alike, load, store, where


@kernel
def _band(x: F, y: F, band: tuple[int, int]) -> tuple[F, F, F, F]:
    """Sums of a band's powers of either spectrum and of its cross spectrum, in eight lanes each."""
    p = q = r = s = alike(0.0)
    for k in range(band[0] - 1, band[1]):
        re, im = place_of(k), place_of(k) + LANES
        a, b, c, d = load(x, re), load(x, im), load(y, re), load(y, im)
        p, q = p + (a * a + b * b), q + (c * c + d * d)
        r, s = r + (a * c + b * d), s + (b * c - a * d)
    return p, q, r, s


@kernel
def _peaks(x: F) -> tuple[F, F]:
    """Strongest bins, counted from 0, and their power, in eight lanes each."""
    at, most = alike(0.0), alike(-1.0)
    for k in range(BINS):
        re, im = load(x, place_of(k)), load(x, place_of(k) + LANES)
        power = re * re + im * im
        at, most = where(power > most, float(k), at), where(power > most, power, most)
    return at, most


@kernel
def coherence(both: F, first_minute: int) -> F:
    """Spectra of the two domains together: (T, 5), see the outputs."""
    rows = len(both)
    out = np.full((5, rows), np.nan)
    x, y = both[:, RATE_COLUMN].copy(), both[:, BQX_COLUMN].copy()
    rooms = np.empty(BINS * BOTH), np.empty(BINS * BOTH), np.empty(5 * LANES)
    for some in range(WINDOW - 1, rows, LANES):
        first, lanes = group(some, WINDOW - 1, rows)
        transforms(x, first, rooms[0], lanes)
        transforms(y, first, rooms[1], lanes)
        _compare(rooms, first, lanes, out)
    return out.T


@kernel
def _compare(rooms: tuple[F, F, F], first: int, lanes: int, out: F) -> None:
    """Fill ``out`` (5, T) from a column on with readings of the spectra of so many lanes."""
    of_x, of_y, readings = rooms
    whole = alike(0.0)
    for i in range(3):
        p, q, r, s = _band(of_x, of_y, BANDS[i])
        share = (r / p) * (r / q) + (s / p) * (s / q)
        share = where(p > 0.0, where(share > 1.0, 1.0, share), np.nan)
        store(readings, i * LANES, where(q > 0.0, share, np.nan))
        whole = whole + (p + q)
    (at_x, most_x), (at_y, most_y) = _peaks(of_x), _peaks(of_y)
    gap = where(most_x > 0.0, at_x - at_y, np.nan)
    gap = where(whole == whole, where(most_y > 0.0, gap, np.nan), np.nan)
    apart = where(absolute(gap) > float(LEAK), alike(1.0), alike(0.0))
    store(readings, 3 * LANES, where(gap == gap, apart, np.nan))
    store(readings, 4 * LANES, gap / float(WINDOW))
    for i in range(5):
        for lane in range(lanes):
            out[i, first + lane] = readings[i * LANES + lane]


def _begin() -> F:
    """State of `_goes_on`: the last rows of either domain."""
    return np.full(4 * WINDOW, np.nan)


@kernel
def _goes_on(both: F, minute: int, state: F) -> F:
    """What `coherence` gives of a row (2, P), from the states of the rows before: (5, P)."""
    pairs = both.shape[1]
    out = np.full((5, pairs), np.nan)
    rooms = np.empty(BINS * BOTH), np.empty(BINS * BOTH), np.empty(5 * LANES)
    x, newest = last_rows(both[RATE_COLUMN], minute, state[: 2 * WINDOW])
    y, _ = last_rows(both[BQX_COLUMN], minute, state[2 * WINDOW :])
    for some in range(0, pairs, LANES):
        first, lanes = group(some, 0, pairs)
        transforms(x, newest + first, rooms[0], lanes, pairs)
        transforms(y, newest + first, rooms[1], lanes, pairs)
        _compare(rooms, first, lanes, out)
    return out


_COHERENCE = described(
    {
        **{
            f"coherence_{low}_{high}m": Output(
                *FLAG,
                alias=f"fft_coherence_idx_bqx_{low}_{high}m",
                title=f"Coherence of rate and BQX at periods of {low} to {high} rows",
                formula=f"|sum(X conj(Y))|^2 / (sum(|X|^2) sum(|Y|^2)), periods {low}..{high}",
            )
            for low, high in ((2, 4), (5, 15), (20, 60))
        },
        "divergence": Output(*FLAG, alias="spectral_divergence_flag"),
        "dominant_freq_gap": Output(
            "1/bar",
            -0.5,
            0.5,
            alias="fft_dominant_freq_gap_idx_bqx",
            spanned_by=("rate_spectrum_dominant_freq", "bqx_spectrum_dominant_freq"),
        ),
    },
    """
divergence: Flag of unlike dominant frequencies of rate and BQX
    |f(I) - f(B)| > 2 bins
dominant_freq_gap: Dominant frequency of the rate index less that of BQX
    f(I) - f(B)
""",
)

FAMILIES = (
    family(
        "spectrum",
        coherence,
        _COHERENCE,
        table="spectral",
        sources=comoments.BOTH,
        about="spectrum of the last 128 rows",
        lookback=rows,
        laggable=False,
        steps=Steps(_goes_on, read, rows=rows, reads=lambda: 1, begin=_begin, abreast=True),
    ),
)
