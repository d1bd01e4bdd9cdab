"""Spectra of trailing windows of 128 rows.

The window's mean is removed, a symmetric Hann window applied, and the zero frequency left out: 64
bins at multiples of 1/128 cycles a row. *Power* is a bin's share of the sum over bins, an *energy*
the root of the mean square that a band contributes to the weighted window. Every window is
transformed anew, so that a value is a function of its rows alone.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import described, family
from bqx.features.rolling.returns import logs
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import SILENT
from bqx.features.rolling.transforms import (
    BINS,
    BOTH,
    SCALE,
    WINDOW,
    group,
    last_rows,
    place_of,
    transforms,
)
from bqx.features.sources import BQX, RATE
from bqx.features.spec import FLAG, Output, read
from bqx.features.steps import Steps
from bqx.lanes import LANES

SLOW, FAST = 6, 32
"""Last bin of periods of at least 20 rows, first bin of periods of at most 4."""

BANDS = ((32, 64), (9, 25), (3, 6))
"""First and last bin of periods of 2 to 4, 5 to 15 and 20 to 60 rows."""

EDGE = 0.95
"""Share of power below the edge frequency."""

STEADY = 10
"""Windows over which the dominant frequency is compared."""

LEAK = 2
"""Bins on either side of a peak that belong to it."""

_LOG_BIN = np.log(np.arange(1, BINS + 1) / WINDOW)
_LOG_BIN -= _LOG_BIN.mean()
_LOG_SQUARE = float((_LOG_BIN**2).sum())


@kernel
def peak(power: F) -> int:
    """Strongest bin, counted from 0."""
    best, most = 0, power[0]
    for k in range(1, BINS):
        if power[k] > most:
            best, most = k, power[k]
    return best


@kernel
def _read(power: F, best: int, total: float, log: F, out: F) -> None:
    second, most = -1, -1.0
    for k in range(BINS):
        if power[k] > most and abs(k - best) > LEAK:
            second, most = k, power[k]
    for k in range(BINS):
        log[k] = max(power[k] / total, SILENT)
    logs(log)
    low = high = entropy = slope = seen = 0.0
    edge = -1
    for k in range(BINS):
        value = power[k]
        if k < SLOW:
            low += value
        if k >= FAST - 1:
            high += value
        seen += value
        if edge < 0 and seen >= EDGE * total:
            edge = k
        entropy -= value * log[k]
        slope += _LOG_BIN[k] * log[k]
    out[0] = (best + 1.0) / WINDOW
    out[1] = power[best] / total
    out[2] = (second + 1.0) / WINDOW
    out[3] = power[2 * best + 1] / power[best] if 2 * best + 1 < BINS else 0.0
    out[4], out[5] = low / total, high / total
    out[6] = max(entropy / total, 0.0)
    out[7] = (edge + 1.0) / WINDOW
    out[8] = slope / _LOG_SQUARE
    out[10] = high / low
    out[11] = BINS * out[1]
    for i in range(3):
        first, last = BANDS[i]
        band = 0.0
        for k in range(first - 1, last):
            band += power[k] if k < BINS - 1 else 0.5 * power[k]
        out[12 + i] = np.sqrt(SCALE * band)
    out[15] = (out[12] / out[14]) ** 2


@kernel
def _read_lane(z: F, lane: int, power: F, log: F, out: F) -> int:
    """Readings of a lane's spectrum into ``out``, and its strongest bin, -1 where there is none."""
    total = 0.0
    for k in range(BINS):
        place = place_of(k) + lane
        re, im = z[place], z[place + LANES]
        power[k] = re * re + im * im
        total += power[k]
    if not (total > 0.0 and total < np.inf):
        return -1
    best = peak(power)
    _read(power, best, total, log, out)
    return best


def _begin() -> F:
    """State of `_goes_on`: the last strongest bins, and the last rows."""
    return np.concatenate((np.full(STEADY, -1.0), np.full(2 * WINDOW, np.nan)))


@kernel
def _goes_on(x: F, minute: int, state: F) -> F:
    """What `spectrum` gives of a row (1, P), from the states of the rows before: (16, P)."""
    pairs, z = x.shape[1], np.empty(BINS * BOTH)
    out = np.full((pairs, 16), np.nan)
    power, log, bins = np.empty(BINS), np.empty(BINS), state[:STEADY]
    series, newest = last_rows(x[0], minute, state[STEADY:])
    for some in range(0, pairs, LANES):
        first, lanes = group(some, 0, pairs)
        transforms(series, newest + first, z, lanes, pairs)
        for lane in range(lanes):
            k = first + lane
            best = float(_read_lane(z, lane, power, log, out[k]))
            bins[minute % STEADY, k] = best
            near = 0.0
            for back in range(STEADY):
                own = bins[(minute - back) % STEADY, k]
                near += (1.0 if abs(own - best) <= 1.0 else 0.0) if own >= 0.0 else np.nan
            out[k, 9] = near / STEADY
    return out.T


@kernel
def spectrum(x: F, first_minute: int) -> F:
    """Readings of the spectrum of each window: (T, 16), see the outputs."""
    rows = len(x)
    out = np.full((rows, 16), np.nan)
    bins = np.full(rows, -1, dtype=np.int64)
    z = np.empty(BINS * BOTH)
    power, log = np.empty(BINS), np.empty(BINS)
    for some in range(WINDOW - 1, rows, LANES):
        first, lanes = group(some, WINDOW - 1, rows)
        transforms(x, first, z, lanes)
        for lane in range(lanes):
            bins[first + lane] = _read_lane(z, lane, power, log, out[first + lane])
    for row in range(WINDOW + STEADY - 2, rows):
        near = 0.0
        for k in range(STEADY):
            has_peak = bins[row - k] >= 0
            near += (1.0 if abs(bins[row - k] - bins[row]) <= 1 else 0.0) if has_peak else np.nan
        out[row, 9] = near / STEADY
    return out


_FREQUENCY = ("1/bar", 1.0 / WINDOW, 0.5)
_READINGS: tuple[tuple[Any, ...], ...] = (
    ("dominant_freq", "dominant_freq_{d}", *_FREQUENCY),
    ("dominant_power", "dominant_power_{d}", *FLAG),
    ("secondary_freq", "secondary_freq_{d}", *_FREQUENCY),
    ("harmonic_ratio", "harmonic_ratio_{d}", *FLAG),
    ("low_power", "low_freq_power_{d}", *FLAG),
    ("high_power", "high_freq_power_{d}", *FLAG),
    ("entropy", "spectral_entropy_{d}", "1", 0.0, np.log(BINS) + 1e-09),
    ("edge_freq", "spectral_edge_freq_{d}", *_FREQUENCY),
    ("power_trend", "power_trend_{d}", "1"),
    ("freq_stability", "freq_stability_{d}", *FLAG),
    ("noise_ratio", "noise_ratio_{d}", "1", 0.0),
    ("cyclic_strength", "cyclic_strength_{d}", "1", 1.0, BINS + 1e-09),
    ("energy_2_4m", "energy_vshort_{d}_2_4m", "{u}", 0.0),
    ("energy_5_15m", "energy_short_{d}_5_15m", "{u}", 0.0),
    ("energy_20_60m", "energy_medium_{d}_20_60m", "{u}", 0.0),
    ("energy_ratio", "energy_ratio_hf_lf_{d}", "1", 0.0),
)
_PROSE = """
dominant_freq: Dominant frequency of {x}
    argmax(p), p spectrum
dominant_power: Power of the dominant frequency of {x}
    max(p), p spectrum
secondary_freq: Second frequency of {x}
    argmax(p) more than two bins from the dominant one
harmonic_ratio: Power of the first harmonic over the dominant one of {x}
    p(2 f) / p(f), f dominant frequency
low_power: Power of slow periods of {x}
    sum(p, period >= 20)
high_power: Power of fast periods of {x}
    sum(p, period <= 4)
entropy: Spectral entropy of {x}
    -sum(p ln p), p spectrum
edge_freq: Spectral edge frequency of {x}
    smallest f with sum(p, frequency <= f) >= 0.95
power_trend: Slope of the spectrum of {x}
    slope of ln p on ln f
freq_stability: Stability of the dominant frequency of {x}
    mean(|f[t-k] - f[t]| <= 1 bin, k in 0..9)
noise_ratio: Power of fast over slow periods of {x}
    sum(p, period <= 4) / sum(p, period >= 20)
cyclic_strength: Strength of the dominant cycle of {x}
    max(p) / mean(p), p spectrum
energy_2_4m: Amplitude of periods of 2 to 4 rows of {x}
    sqrt(mean(x^2)) of periods 2..4
energy_5_15m: Amplitude of periods of 5 to 15 rows of {x}
    sqrt(mean(x^2)) of periods 5..15
energy_20_60m: Amplitude of periods of 20 to 60 rows of {x}
    sqrt(mean(x^2)) of periods 20..60
energy_ratio: Energy of 2 to 4 rows over 20 to 60 rows of {x}
    mean(x^2) of periods 2..4 / mean(x^2) of periods 20..60
"""


def rows() -> int:
    """Rows behind a spectrum."""
    return WINDOW


def _outputs(domain: str) -> dict[str, Output]:
    outputs = {
        name: Output(unit, *bounds, alias=f"fft_{alias.format(d=domain)}")
        for name, alias, unit, *bounds in _READINGS
    }
    out = described(outputs, _PROSE)
    stability, cyclic = out["freq_stability"], out["cyclic_strength"]
    power = ("{s}_spectrum_dominant_power",)
    return out | {
        "freq_stability": replace(stability, lookback=lambda: WINDOW + STEADY - 1),
        "cyclic_strength": replace(cyclic, spanned_by=power),
    }


_spectrum = partial(
    family,
    "spectrum",
    table="spectral",
    about="spectrum of the last 128 rows",
    lookback=rows,
    laggable=False,
)

_steps = Steps(
    _goes_on,
    read,
    rows=lambda: WINDOW + STEADY - 1,
    reads=lambda: 1,
    begin=_begin,
    abreast=True,
)

FAMILIES = (
    _spectrum(spectrum, _outputs("idx"), sources=RATE, steps=_steps),
    _spectrum(spectrum, _outputs("bqx"), sources=BQX, steps=_steps),
)
