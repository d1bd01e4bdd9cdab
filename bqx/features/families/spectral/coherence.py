"""Spectra of the rate index and of BQX together: how alike their bands are, and their peaks.

Windows and transforms are those of `fourier`.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.families.spectral.fourier import BANDS, BINS, LEAK, WINDOW, peak, rows, transforms
from bqx.features.rolling.comoments import BOTH
from bqx.features.rolling.sums import F
from bqx.features.spec import BQX_COLUMN, FLAG, RATE_COLUMN, Output

_LANES = 16  # windows at a time


@kernel
def coherence(both: F, first_minute: int) -> F:
    """Spectra of the two domains together: (T, 5), see the outputs."""
    rows = len(both)
    out = np.full((rows, 5), np.nan)
    x, y = both[:, RATE_COLUMN].copy(), both[:, BQX_COLUMN].copy()
    re, im = np.empty((BINS, _LANES)), np.empty((BINS, _LANES))
    a, b = np.empty((BINS, _LANES)), np.empty((BINS, _LANES))
    c, d = np.empty((BINS, _LANES)), np.empty((BINS, _LANES))
    for first in range(WINDOW - 1, rows, _LANES):
        lanes = min(_LANES, rows - first)
        transforms(x, first, a, b, re, im, lanes)
        transforms(y, first, c, d, re, im, lanes)
        rate_power, bqx_power = a * a + b * b, c * c + d * d
        same, turned = a * c + b * d, b * c - a * d
        for lane in range(lanes):
            whole = 0.0
            for i in range(3):
                p = q = r = s = 0.0
                for k in range(BANDS[i][0] - 1, BANDS[i][1]):
                    p += rate_power[k, lane]
                    q += bqx_power[k, lane]
                    r += same[k, lane]
                    s += turned[k, lane]
                whole += p + q
                if p > 0.0 and q > 0.0:
                    out[first + lane, i] = min((r / p) * (r / q) + (s / p) * (s / q), 1.0)
            rate_peak, bqx_peak = peak(rate_power[:, lane]), peak(bqx_power[:, lane])
            flat = not (rate_power[rate_peak, lane] > 0.0 and bqx_power[bqx_peak, lane] > 0.0)
            if np.isnan(whole) or flat:
                continue
            out[first + lane, 3] = 1.0 if abs(rate_peak - bqx_peak) > LEAK else 0.0
            out[first + lane, 4] = float(rate_peak - bqx_peak) / WINDOW
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
        sources=BOTH,
        about="spectrum of the last 128 rows",
        lookback=rows,
        laggable=False,
    ),
)
