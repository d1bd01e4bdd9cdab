"""Undecimated Daubechies wavelets (db4, three levels), causal.

Each level filters the one below with its eight taps 1, 2 and 4 rows apart, newest row first, so
that a coefficient reads the last 8, 22 and 50 rows and nothing is mirrored at the end. Readings
run over the 79 coefficients whose filters lie within 128 rows.

Source: I. Daubechies, Ten Lectures on Wavelets (1992), table 6.1; D. B. Percival and A. T. Walden,
Wavelet Methods for Time Series Analysis (2000), for the undecimated transform.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.rolling.comoments import BOTH, comoments, correlation
from bqx.features.rolling.sums import F, extremes, trend_sums
from bqx.features.rolling.tolerances import LOST, LOST_SHAPE
from bqx.features.rolling.trailing import totals
from bqx.features.sources import BQX, RATE
from bqx.features.spec import BQX_COLUMN, FLAG, RATE_COLUMN, SIGNED, Output

_DB4 = np.array(
    [
        "0.2303778133088964",
        "0.7148465705529154",
        "0.6308807679298587",
        "-0.0279837694168599",
        "-0.1870348117190931",
        "0.0308413818355607",
        "0.0328830116668852",
        "-0.0105974017850690",
    ],
    np.float64,
)
_LOW = _DB4 / _DB4.sum()
_HIGH = _LOW[::-1] * np.array([1.0, -1.0] * 4)

REACH = (8, 22, 50)
"""Rows behind a coefficient of each level."""

COUNT = 79
"""Coefficients behind a reading."""


@kernel
def coefficients(x: F) -> F:
    """Details of three levels, and the approximation of the third less the series: (T, 4).

    Filters act on differences from the newest value, and levels are kept as distances from the
    series: a flat stretch has details of exactly 0, and the series' level costs no digits.
    """
    out = np.full((4, len(x)), np.nan)
    off = np.zeros(len(x))
    for level in range(3):
        step = 2**level
        first = 7 * step
        smooth = np.full(len(x), np.nan)
        _filter(x, off, step, _LOW, smooth[first:])
        _filter(x, off, step, _HIGH, out[level, first:])
        smooth[first:] += off[first:]
        off = smooth
    out[3] = off
    return out.T


@kernel
def _filter(x: F, off: F, step: int, taps: F, out: F) -> None:
    """Sum of the taps times the distances of earlier values from that of each row."""
    now, off_now = x[7 * step :], off[7 * step :]
    out[:] = 0.0
    for k in range(1, 8):
        tap, past, off_past = taps[k], x[(7 - k) * step :], off[(7 - k) * step :]
        for i in range(len(out)):
            out[i] += tap * ((past[i] - now[i]) + (off_past[i] - off_now[i]))


@kernel
def _spread(x: F, off: F, row: int) -> float:
    """Sum of squares of the approximation about its mean, one by one."""
    centre = total = 0.0
    for k in range(COUNT):
        centre += (x[row - k] - x[row]) + (off[row - k] - off[row])
    centre /= COUNT
    for k in range(COUNT):
        d = (x[row - k] - x[row]) + (off[row - k] - off[row]) - centre
        total += d * d
    return total


@kernel
def _sums(c: F, first_minute: int) -> F:
    """Sums of details, squares and neighbours over the coefficients of each row: (T, 8)."""
    out = np.empty((len(c), 8))
    for row in range(len(c)):
        d1, d2, d3, _ = c[row]
        before = c[row - 1, 2] if row else np.nan
        out[row, 0], out[row, 1], out[row, 2], out[row, 3] = d1, d1 * d1, d2 * d2, d3 * d3
        out[row, 4], out[row, 5], out[row, 6], out[row, 7] = (
            d3,
            before,
            before * before,
            d3 * before,
        )
    return totals(out, COUNT, first_minute)


@kernel
def wavelet(x: F, first_minute: int) -> F:
    """Readings of the coefficients: (T, 11), see the outputs."""
    out = np.full((len(x), 11), np.nan)
    c = coefficients(x)
    sums = _sums(c, first_minute)
    trend = trend_sums(x + c[:, 3], COUNT, first_minute)
    top, bottom = extremes(c[:, 0].copy(), c[:, 0].copy(), COUNT)
    n = float(COUNT)
    for row in range(len(x)):
        s = sums[row]
        e1, e2, e3 = s[1], s[2], s[3]
        out[row, 0], out[row, 1], out[row, 2] = np.sqrt(e1 / n), np.sqrt(e2 / n), np.sqrt(e3 / n)
        smooth = max(trend[row, 3] - trend[row, 0] * trend[row, 0] / n, 0.0)
        if np.isnan(trend[row, 0]):
            smooth = np.nan
        elif smooth < max(LOST_SHAPE * trend[row, 3], n * (LOST * x[row]) ** 2):
            smooth = _spread(x, c[:, 3], row)
        out[row, 3] = np.sqrt(smooth / n)
        if e3 > 0.0:
            out[row, 4] = e1 / e3
        detail = e1 + e2 + e3
        if detail > 0.0:
            out[row, 5] = smooth / (smooth + detail)
            entropy = 0.0
            for energy in (e1, e2, e3):
                if energy > 0.0:
                    entropy -= energy / detail * np.log(energy / detail)
            out[row, 6] = entropy
            out[row, 8] = max(e1, e2, e3) / detail
        if top[row] > bottom[row]:
            spread = np.sqrt((e1 - s[0] * s[0] / n) / (n - 1.0))
            out[row, 7] = max(top[row], -bottom[row]) / spread
        out[row, 9] = correlation(
            e3 - s[4] * s[4] / n, s[6] - s[5] * s[5] / n, s[7] - s[4] * s[5] / n
        )
        out[row, 10] = trend[row, 1] / (n * (n * n - 1.0) / 12.0)
    return out


@kernel
def _angle(rate: F, bqx: F, row: int, sums: F) -> float:
    """Angle between nearly parallel vectors, whose cosine has lost the digits."""
    a, b = np.sqrt(sums[2]), np.sqrt(sums[3])
    less = more = 0.0
    for k in range(COUNT):
        p, q = (rate[row - k] - sums[0]) / a, (bqx[row - k] - sums[1]) / b
        less += (p - q) ** 2
        more += (p + q) ** 2
    return 2.0 * np.arctan2(np.sqrt(less), np.sqrt(more))


@kernel
def phase(both: F, first_minute: int) -> F:
    """Angle between the third-level details of the two domains: (T, 1), 0 to pi."""
    out = np.full((len(both), 1), np.nan)
    rate = coefficients(both[:, RATE_COLUMN].copy())[:, 2].copy()
    bqx = coefficients(both[:, BQX_COLUMN].copy())[:, 2].copy()
    sums = comoments(rate, bqx, COUNT, first_minute)
    for row in range(len(both)):
        value = correlation(sums[row, 2], sums[row, 3], sums[row, 4])
        if abs(value) > 1.0 - LOST_SHAPE:
            out[row, 0] = _angle(rate, bqx, row, sums[row])
        else:
            out[row, 0] = np.arccos(value)
    return out


def rows(level: int, more: int = 0) -> Callable[[], int]:
    """Lookback of a reading of a level."""
    return lambda: COUNT - 1 + REACH[level - 1] + more


_READINGS: tuple[tuple[Any, ...], ...] = (
    *((f"d{level}_energy", f"detail_d{level}_energy", level, "{u}", 0.0) for level in (1, 2, 3)),
    ("a3_energy", "approx_a3_energy", 3, "{u}", 0.0),
    ("energy_ratio", "energy_ratio_d1_d3", 3, "1", 0.0),
    ("trend_strength", "trend_strength", 3, *FLAG),
    ("entropy", "detail_entropy", 3, "1", 0.0, np.log(3.0) + 1e-09),
    ("singularity", "singularity", 1, "1", 0.0),
    ("largest_share", "scale_energy_max", 3, "1", 1.0 / 3.0 - 1e-09, 1.0),
    ("coherence", "coherence", 3, *SIGNED),
    ("a3_slope", "a3_slope", 3, "{u}/bar"),
)
_PROSE = """
d1_energy: Size of level 1 wavelet details of {x}
    sqrt(mean(d1^2, 79))
d2_energy: Size of level 2 wavelet details of {x}
    sqrt(mean(d2^2, 79))
d3_energy: Size of level 3 wavelet details of {x}
    sqrt(mean(d3^2, 79))
a3_energy: Deviation of the wavelet approximation of {x}
    std0(a3, 79)
energy_ratio: Energy of level 1 over level 3 wavelet details of {x}
    mean(d1^2, 79) / mean(d3^2, 79)
trend_strength: Share of the wavelet approximation in the energy of {x}
    std0(a3, 79)^2 / (std0(a3, 79)^2 + mean(d1^2 + d2^2 + d3^2, 79))
entropy: Entropy of the wavelet levels of {x}
    -sum(q ln q), q shares of mean(d^2, 79)
singularity: Largest wavelet detail in deviations of {x}
    max(|d1|, 79) / std(d1, 79)
largest_share: Largest share of a wavelet level of {x}
    max(q), q shares of mean(d^2, 79)
coherence: Autocorrelation of level 3 wavelet details of {x}
    corr(d3[t], d3[t-1], 79)
a3_slope: Slope of the wavelet approximation of {x}
    slope(a3, 79)
"""


def _outputs(domain: str) -> dict[str, Output]:
    outputs = {
        name: Output(
            unit,
            *bounds,
            alias=f"wavelet_{alias}_{domain}",
            lookback=rows(level, int(name == "coherence")),
        )
        for name, alias, level, unit, *bounds in _READINGS
    }
    return described(outputs, _PROSE)


_PHASE = Output(
    "rad",
    0.0,
    float(np.pi),
    alias="wavelet_phase_diff_idx_bqx",
    lookback=rows(3),
    title="Angle between level 3 wavelet details of rate and BQX",
    formula="arccos(corr(d3(I), d3(B), 79))",
)

_wavelet = partial(
    family,
    "wavelet",
    table="spectral",
    about="db4 coefficients of the last 79 rows",
    laggable=False,
)

FAMILIES = (
    _wavelet(wavelet, _outputs("idx"), sources=RATE),
    _wavelet(wavelet, _outputs("bqx"), sources=BQX),
    _wavelet(phase, {"phase_gap": _PHASE}, sources=BOTH),
)
