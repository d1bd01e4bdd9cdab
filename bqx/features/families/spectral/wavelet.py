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
from bqx.features.rolling.four_sums import trend_sums
from bqx.features.rolling.powers import logarithms
from bqx.features.rolling.sums import F, extremes
from bqx.features.rolling.tolerances import LOST, LOST_SHAPE
from bqx.features.rolling.trailing import totals
from bqx.features.sources import BQX, RATE
from bqx.features.spec import BQX_COLUMN, FLAG, RATE_COLUMN, SIGNED, Output
from bqx.lanes import LANES, alike, load, store

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
        smooth = np.full(len(x), np.nan)
        _filter(x, off, 2**level, smooth, out[level])
        off = smooth
    out[3] = off
    return out.T


@kernel
def _filter(x: F, off: F, step: int, smooth: F, detail: F) -> None:
    """Sums of the taps times the distances of earlier values from that of each row.

    That of the low pass counts from the series, as ``off`` does.
    """
    first = 7 * step
    whole = first + max(len(x) - first, 0) // LANES * LANES
    for row in range(first, whole, LANES):
        now, off_now, low, high = load(x, row), load(off, row), alike(0.0), alike(0.0)
        for k in range(1, 8):
            apart = (load(x, row - k * step) - now) + (load(off, row - k * step) - off_now)
            low, high = low + _LOW[k] * apart, high + _HIGH[k] * apart
        store(smooth, row, low + off_now)
        store(detail, row, high)
    for row in range(max(first, whole), len(x)):
        lower = higher = 0.0
        for k in range(1, 8):
            gap = (x[row - k * step] - x[row]) + (off[row - k * step] - off[row])
            lower += _LOW[k] * gap
            higher += _HIGH[k] * gap
        smooth[row], detail[row] = lower + off[row], higher


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
    """Sums of details, squares and neighbours over the coefficients of each row: (8, T)."""
    rows, (d1, d2, d3, _) = len(c), c.T
    out = np.empty((8, rows))
    out[0], out[4], out[5, :1] = d1, d3, np.nan
    out[5, 1:] = d3[: rows - 1]
    for row in range(rows):
        out[1, row], out[2, row], out[3, row] = d1[row] ** 2, d2[row] ** 2, d3[row] ** 2
    for row in range(rows):
        before = out[5, row]
        out[6, row], out[7, row] = before * before, d3[row] * before
    return totals(out.T, COUNT, first_minute).T


@kernel
def _smooth(x: F, off: F, first_minute: int, slope: F) -> F:
    """Sum of squares of the approximation about its mean: (T,); its slope is written."""
    trend = trend_sums(x + off, COUNT, first_minute).T
    out, n = np.empty(len(x)), float(COUNT)
    for row in range(len(x)):
        total, square = trend[0, row], trend[3, row]
        smooth = square - total * total / n
        out[row] = smooth if total == total else np.nan
        if smooth < max(LOST_SHAPE * square, n * (LOST * x[row]) ** 2):
            out[row] = _spread(x, off, row)
        slope[row] = trend[1, row] / (n * (n * n - 1.0) / 12.0)
    return out


@kernel
def _entropies(energies: F, out: F) -> None:
    """Entropy of the shares of three energies (8, T), and the largest of them."""
    detail = np.empty(out.shape[1])
    for row in range(len(detail)):
        e1, e2, e3 = energies[1, row], energies[2, row], energies[3, row]
        every = e1 + e2 + e3
        detail[row] = every if every > 0.0 else np.nan
        out[0, row] = 0.0
        out[2, row] = max(e1, e2, e3) / detail[row]
    for level in range(1, 4):
        share = energies[level] / detail
        logarithm = logarithms(share)
        for row in range(len(share)):
            out[0, row] -= share[row] * logarithm[row]


@kernel
def wavelet(x: F, first_minute: int) -> F:
    """Readings of the coefficients: (T, 11), see the outputs."""
    rows, n = len(x), float(COUNT)
    out = np.empty((11, rows))
    c = coefficients(x)
    sums = _sums(c, first_minute)
    smooth = _smooth(x, c[:, 3], first_minute, out[10])
    _entropies(sums, out[6:9])
    details = c[:, 0].copy()
    top, bottom = extremes(details, details, COUNT)
    for row in range(rows):
        out[0, row], out[1, row] = np.sqrt(sums[1, row] / n), np.sqrt(sums[2, row] / n)
    for row in range(rows):
        out[2, row], out[3, row] = np.sqrt(sums[3, row] / n), np.sqrt(smooth[row] / n)
    for row in range(rows):
        share = sums[1, row] / sums[3, row]
        out[4, row] = share if sums[3, row] > 0.0 else np.nan
    for row in range(rows):
        detail = sums[1, row] + sums[2, row] + sums[3, row]
        share = smooth[row] / (smooth[row] + detail)
        out[5, row] = share if detail > 0.0 else np.nan
    for row in range(rows):
        spread = np.sqrt((sums[1, row] - sums[0, row] * sums[0, row] / n) / (n - 1.0))
        most = max(top[row], -bottom[row]) / spread
        out[7, row] = most if top[row] > bottom[row] else np.nan
    for row in range(rows):
        d, e = sums[4, row], sums[5, row]
        out[9, row] = correlation(sums[3, row] - d * d / n, sums[6, row] - e * e / n,
                                  sums[7, row] - d * e / n)  # fmt: skip
    return out.T


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
