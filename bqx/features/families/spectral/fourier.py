"""Spectra of trailing windows of 128 rows.

The window's mean is removed, a symmetric Hann window applied, and the zero frequency left out: 64
bins at multiples of 1/128 cycles a row. *Power* is a bin's share of the sum over bins, an *energy*
the root of the mean square that a band contributes to the weighted window. Every window is
transformed anew, eight at a time, so that a value is a function of its rows alone.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.comoments import BOTH
from bqx.features.rolling.returns import logs
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import SILENT
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output

WINDOW = 128
BINS = WINDOW // 2

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

_LANES = 8  # windows at a time

_HANN = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
_COS = np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
_SIN = np.sin(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
_REVERSED = np.array([int(f"{i:06b}"[::-1], 2) for i in range(BINS)])
_LOG_BIN = np.log(np.arange(1, BINS + 1) / WINDOW)
_LOG_BIN -= _LOG_BIN.mean()
_LOG_SQUARE = float((_LOG_BIN**2).sum())
_SCALE = 2.0 / (WINDOW * float((_HANN**2).sum()))


@kernel
def _load(x: F, last: int, re: F, im: F, lane: int) -> None:
    """Weighted window that ends at row ``last``: even rows to ``re``, odd rows to ``im``."""
    first = last - WINDOW + 1
    centre = 0.0
    for i in range(WINDOW - 1):
        centre += x[first + i] - x[last]
    centre /= WINDOW
    for i in range(BINS):
        at = _REVERSED[i]
        re[at, lane] = _HANN[2 * i] * ((x[first + 2 * i] - x[last]) - centre)
        im[at, lane] = _HANN[2 * i + 1] * ((x[first + 2 * i + 1] - x[last]) - centre)


@kernel
def _transform(re: F, im: F, lanes: int) -> None:
    """Fourier transform of 64 complex numbers in bit-reversed order, in place, lane by lane."""
    half = 1
    while half < BINS:
        stride = WINDOW // (2 * half)
        for k in range(half):
            c, s = _COS[k * stride], _SIN[k * stride]
            for top in range(k, BINS, 2 * half):
                low = top + half
                for lane in range(lanes):
                    a = re[low, lane] * c + im[low, lane] * s
                    b = im[low, lane] * c - re[low, lane] * s
                    re[low, lane] = re[top, lane] - a
                    im[low, lane] = im[top, lane] - b
                    re[top, lane] += a
                    im[top, lane] += b
        half *= 2


@kernel
def _unfold(re: F, im: F, real: F, imag: F, lanes: int) -> None:
    """Bins 1 to 64 of the windows whose even and odd rows were transformed together."""
    for k in range(1, BINS):
        c, s = _COS[k], _SIN[k]
        for lane in range(lanes):
            ea = 0.5 * (re[k, lane] + re[BINS - k, lane])
            eb = 0.5 * (im[k, lane] - im[BINS - k, lane])
            oa = 0.5 * (im[k, lane] + im[BINS - k, lane])
            ob = -0.5 * (re[k, lane] - re[BINS - k, lane])
            real[k - 1, lane] = ea + (oa * c + ob * s)
            imag[k - 1, lane] = eb + (ob * c - oa * s)
    for lane in range(lanes):
        real[BINS - 1, lane] = re[0, lane] - im[0, lane]
        imag[BINS - 1, lane] = 0.0


@kernel
def transforms(x: F, first: int, real: F, imag: F, re: F, im: F, lanes: int) -> None:
    """Spectra of the windows that end at rows ``first`` to ``first + 7``: two (64, 8)."""
    for lane in range(lanes):
        _load(x, first + lane, re, im, lane)
    _transform(re, im, lanes)
    _unfold(re, im, real, imag, lanes)


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
        out[12 + i] = np.sqrt(_SCALE * band)
    out[15] = (out[12] / out[14]) ** 2


@kernel
def spectrum(x: F, first_minute: int) -> F:
    """Readings of the spectrum of each window: (T, 16), see the outputs."""
    rows = len(x)
    out = np.full((rows, 16), np.nan)
    bins = np.full(rows, -1, dtype=np.int64)
    re, im = np.empty((BINS, _LANES)), np.empty((BINS, _LANES))
    real, imag = np.empty((BINS, _LANES)), np.empty((BINS, _LANES))
    power, log = np.empty(BINS), np.empty(BINS)
    for first in range(WINDOW - 1, rows, _LANES):
        lanes = min(_LANES, rows - first)
        transforms(x, first, real, imag, re, im, lanes)
        for lane in range(lanes):
            total = 0.0
            for k in range(BINS):
                power[k] = real[k, lane] * real[k, lane] + imag[k, lane] * imag[k, lane]
                total += power[k]
            if total > 0.0 and total < np.inf:
                bins[first + lane] = peak(power)
                _read(power, bins[first + lane], total, log, out[first + lane])
    for row in range(WINDOW + STEADY - 2, rows):
        near = 0.0
        for k in range(STEADY):
            has_peak = bins[row - k] >= 0
            near += (1.0 if abs(bins[row - k] - bins[row]) <= 1 else 0.0) if has_peak else np.nan
        out[row, 9] = near / STEADY
    return out


@kernel
def coherence(both: F, first_minute: int) -> F:
    """Spectra of the two domains together: (T, 5), see the outputs."""
    rows = len(both)
    out = np.full((rows, 5), np.nan)
    x, y = both[:, 0].copy(), both[:, 1].copy()
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


_SHARE = ("1", 0.0, 1.0)


def _outputs(domain: str) -> dict[str, Output]:
    def out(name: str, about: str, *bounds: float, unit: str = "1", **more: object) -> Output:
        lo, hi = bounds or (-np.inf, np.inf)
        alias = f"fft_{name}" if domain in name else f"fft_{name}_{domain}"
        return Output(unit, lo, hi, alias=alias, about=about, **more)  # type: ignore[arg-type]

    frequency = (1.0 / WINDOW, 0.5)
    return {
        "dominant_freq": out("dominant_freq", "strongest bin", *frequency, unit="1/bar"),
        "dominant_power": out("dominant_power", "power of the strongest bin", 0.0, 1.0),
        "secondary_freq": out(
            "secondary_freq", "strongest bin more than two from it", *frequency, unit="1/bar"
        ),
        "harmonic_ratio": out("harmonic_ratio", "power at twice its frequency over its own",
                              0.0, 1.0),
        "low_power": out("low_freq_power", "power of periods of 20 rows and more", 0.0, 1.0),
        "high_power": out("high_freq_power", "power of periods of up to 4 rows", 0.0, 1.0),
        "entropy": out("spectral_entropy", "entropy of power, nats", 0.0, np.log(BINS) + 1e-9),
        "edge_freq": out("spectral_edge_freq", "95 % of power lie below", *frequency,
                         unit="1/bar"),
        "power_trend": out("power_trend", "slope of log power on log frequency"),
        "freq_stability": out(
            "freq_stability", "share of 10 windows with about the same strongest bin", 0.0, 1.0,
            lookback=lambda: WINDOW + STEADY - 1,
        ),
        "noise_ratio": out("noise_ratio", "high over low power", 0.0, np.inf),
        "cyclic_strength": out(
            "cyclic_strength", "power of the strongest bin over the mean bin's", 1.0, BINS + 1e-9,
            spanned_by=("{s}_spectrum_dominant_power",),
        ),
        **{
            f"energy_{low}_{high}m": out(
                f"energy_{name}_{domain}_{low}_{high}m", f"energy of periods of {low} to {high}",
                0.0, np.inf, unit="{u}",
            )
            for name, low, high in (("vshort", 2, 4), ("short", 5, 15), ("medium", 20, 60))
        },
        "energy_ratio": out("energy_ratio_hf_lf", "square of the first energy over the last's",
                            0.0, np.inf),
    }  # fmt: skip


_ABOUT = "spectrum of the last 128 rows"


def rows() -> int:
    """Rows behind a spectrum."""
    return WINDOW


FAMILIES = (
    *(
        Family(
            "spectrum", "spectral", spectrum, _outputs(domain), ((),), (source,), _ABOUT, rows,
            laggable=False,
        )
        for domain, source in (("idx", RATE), ("bqx", BQX))
    ),
    Family(
        "spectrum", "spectral", coherence,
        {
            **{
                f"coherence_{band}": Output(
                    *_SHARE, alias=f"fft_coherence_idx_bqx_{band}",
                    about="squared coherence over a band of periods",
                )
                for band in ("2_4m", "5_15m", "20_60m")
            },
            "divergence": Output(*_SHARE, alias="spectral_divergence_flag",
                                 about="1 where the strongest bins are more than two apart"),
            "dominant_freq_gap": Output(
                "1/bar", -0.5, 0.5, alias="fft_dominant_freq_gap_idx_bqx",
                spanned_by=("rate_spectrum_dominant_freq", "bqx_spectrum_dominant_freq"),
                about="strongest frequency of the rate index less that of BQX",
            ),
        },
        ((),), (BOTH,), "spectra of the last 128 rows of both domains", lookback=rows,
        laggable=False,
    ),
)  # fmt: skip
