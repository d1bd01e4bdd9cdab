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
    LANES,
    WINDOW,
    bin_of,
    last_rows,
    transforms,
)
from bqx.features.spec import BQX_COLUMN, FLAG, RATE_COLUMN, Output, read
from bqx.features.steps import Steps


@kernel
def _band(x: F, y: F, band: tuple[int, int], sums: F, lanes: int) -> None:
    """Sums of a band's powers of either spectrum and of its cross spectrum: (4 x 32)."""
    sums[:] = 0.0
    for k in range(band[0] - 1, band[1]):
        one, two = bin_of(x, k), bin_of(y, k)
        for i in range(lanes):
            a, b, c, d = one[i], one[i + LANES], two[i], two[i + LANES]
            sums[i] += a * a + b * b
            sums[i + LANES] += c * c + d * d
            sums[i + 2 * LANES] += a * c + b * d
            sums[i + 3 * LANES] += b * c - a * d


@kernel
def _peaks(x: F, peaks: F, lanes: int) -> None:
    """Strongest bins, counted from 0, and their power: (2 x 32)."""
    for k in range(BINS):
        of = bin_of(x, k)
        for i in range(lanes):
            power, most = of[i] * of[i] + of[i + LANES] * of[i + LANES], peaks[i + LANES]
            better = k == 0 or power > most
            peaks[i] = float(k) if better else peaks[i]
            peaks[i + LANES] = power if better else most


@kernel
def coherence(both: F, first_minute: int) -> F:
    """Spectra of the two domains together: (T, 5), see the outputs."""
    rows = len(both)
    out = np.full((rows, 5), np.nan)
    x, y = both[:, RATE_COLUMN].copy(), both[:, BQX_COLUMN].copy()
    of_x, of_y = np.empty(BINS * BOTH), np.empty(BINS * BOTH)
    for first in range(WINDOW - 1, rows, LANES):
        lanes = min(LANES, rows - first)
        transforms(x, first, of_x, lanes)
        transforms(y, first, of_y, lanes)
        _compare(of_x, of_y, out[first : first + lanes])
    return out


@kernel
def _compare(of_x: F, of_y: F, out: F) -> None:
    """Readings (n, 5) of the spectra of so many lanes."""
    lanes, whole, sums = len(out), np.zeros(LANES), np.empty(4 * LANES)
    peaks_x, peaks_y = np.zeros(BOTH), np.zeros(BOTH)
    for i in range(3):
        _band(of_x, of_y, BANDS[i], sums, lanes)
        for lane in range(lanes):
            p, q = sums[lane], sums[lane + LANES]
            r, s = sums[lane + 2 * LANES], sums[lane + 3 * LANES]
            whole[lane] += p + q
            if p > 0.0 and q > 0.0:
                out[lane, i] = min((r / p) * (r / q) + (s / p) * (s / q), 1.0)
    _peaks(of_x, peaks_x, lanes)
    _peaks(of_y, peaks_y, lanes)
    for lane in range(lanes):
        peaked = peaks_x[lane + LANES] > 0.0 and peaks_y[lane + LANES] > 0.0
        if peaked and not np.isnan(whole[lane]):
            gap = peaks_x[lane] - peaks_y[lane]
            out[lane, 3] = 1.0 if abs(gap) > LEAK else 0.0
            out[lane, 4] = gap / WINDOW


def _begin() -> F:
    """State of `_goes_on`: the last rows of either domain."""
    return np.full(4 * WINDOW, np.nan)


@kernel
def _goes_on(both: F, minute: int, state: F) -> F:
    """What `coherence` gives of a row (2, P), from the states of the rows before: (5, P)."""
    pairs = both.shape[1]
    out = np.full((pairs, 5), np.nan)
    of_x, of_y = np.empty(BINS * BOTH), np.empty(BINS * BOTH)
    x, newest = last_rows(both[RATE_COLUMN], minute, state[: 2 * WINDOW])
    y, _ = last_rows(both[BQX_COLUMN], minute, state[2 * WINDOW :])
    for first in range(0, pairs, LANES):
        lanes = min(LANES, pairs - first)
        transforms(x, newest + first, of_x, lanes, pairs)
        transforms(y, newest + first, of_y, lanes, pairs)
        _compare(of_x, of_y, out[first : first + lanes])
    return out.T


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
