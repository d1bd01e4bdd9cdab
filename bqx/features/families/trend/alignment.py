"""Three readings of other tables: agreement of momenta, regime of volatility, strength of trend."""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.trend import bqx, past_rows, quadratic_terms
from bqx.features.families.trend.bqx import BQX_INDEX
from bqx.features.families.trend.quadratic_curves import explained
from bqx.features.rolling.abreast import deviation_of, deviation_with, size_of_deviation
from bqx.features.rolling.abreast_ranks import tercile_with, thirds_of
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.quadratic import fit, fit_of, fits_with, size_of_fit
from bqx.features.rolling.standing import tercile
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import CANCELLED
from bqx.features.rolling.trailing import zone
from bqx.features.sources import RATE
from bqx.features.spec import Output, read
from bqx.features.steps import Steps
from bqx.market import sessions

MOMENTA = np.array(bqx.WINDOWS)
FITS = np.array(quadratic_terms.WINDOWS)


@kernel
def alignment(x: F, first_minute: int) -> F:
    """Sum of the signs of BQX over the five windows, -5 to 5: (T, 1)."""
    out = np.zeros((len(x), 1))
    for i in range(len(MOMENTA)):
        momentum = past_rows.backward(x, first_minute, MOMENTA[i])
        for row in range(len(x)):
            out[row, 0] += zone(momentum[row, 0], -CANCELLED, CANCELLED)
    return out


@kernel
def regime(x: F, first_minute: int, window: int, memory: int) -> F:
    """Tercile (0 calm, 1, 2 wild) of the past rows' relative deviation: (T, 1).

    It is placed among its ``memory`` last values, its own included.
    """
    volatility = past_rows.spread(x, first_minute, window)[:, 1].copy()
    return tercile(volatility, memory).reshape(-1, 1)


def _begin_alignment() -> F:
    """State of `_alignment_goes_on`: those of BQX over the windows."""
    return np.concatenate([past_rows.begin_backward(window) for window in bqx.WINDOWS])


@kernel
def _alignment_goes_on(x: F, minute: int, state: F) -> F:
    """What `alignment` gives of a row (1, P), from the states of the rows before: (1, P)."""
    out, start = np.zeros(x.shape), 0
    for i in range(len(MOMENTA)):
        stop = start + past_rows.size_of_backward(MOMENTA[i])
        momentum = past_rows.backward_goes_on(x, minute, MOMENTA[i], state[start:stop])
        for k in range(x.shape[1]):
            out[0, k] += zone(momentum[0, k], -CANCELLED, CANCELLED)
        start = stop
    return out


def _begin_regime(window: int, memory: int) -> F:
    """State of `_regime_goes_on`: the deviation before, and those of deviation and rank."""
    return np.concatenate((np.array([np.nan]), deviation_of(window), thirds_of(memory)))


@kernel
def _regime_goes_on(x: F, minute: int, window: int, memory: int, state: F) -> F:
    """What `regime` gives of a row (1, P), from the states of the rows before: (1, P)."""
    out, size = np.empty(x.shape), 1 + size_of_deviation(window)
    tercile_with(state[0] / x[0], minute, memory, state[size:], out[0])
    deviation_with(x[0], minute, window, state[1:size], state[0])
    return out


@kernel
def strength(x: F, first_minute: int) -> F:
    """Mean R² of the parabolas through the past rows of the six windows: (T, 1)."""
    rows, clean = len(x), clean_rows(x)
    out = np.full((rows, 1), np.nan)
    # There is no value before the longest window has one.
    longest = int(FITS.max())
    shares, clean = out[longest:, 0], clean[longest - 1 :]
    shares[:] = 0.0
    for i in range(len(FITS)):
        window, late = FITS[i], longest - FITS[i]
        fitted = fit(x[late:], window, first_minute + late)
        sigma, rmse = fitted[window - 1 :, 3], fitted[window - 1 :, 4]
        for row in range(len(shares)):
            share = explained(sigma[row], rmse[row], window)
            # A window that is flat has no share, and one with a hole no value.
            flat = share != share and clean[row] >= window
            shares[row] += 0.0 if flat else share
    return out / len(FITS)


def _begin_strength() -> F:
    """State of `_strength_goes_on`: the value of the row before, and those of the fits."""
    return np.concatenate((np.array([np.nan]), *map(fit_of, FITS)))


@kernel
def _strength_goes_on(x: F, minute: int, state: F) -> F:
    """What `strength` gives of a row (1, P), from the states of the rows before: (1, P)."""
    out, fitted, start = state[:1].copy(), np.empty((8, x.shape[1])), 1
    state[0] = 0.0
    for i in range(len(FITS)):
        stop = start + size_of_fit(FITS[i])
        fits_with(x[0], minute, FITS[i], state[start:stop], fitted)
        for k in range(x.shape[1]):
            share = explained(fitted[3, k], fitted[4, k], FITS[i])
            # A window with a mean and no share is flat.
            flat = share != share and fitted[7, k] == fitted[7, k]
            state[0, k] += 0.0 if flat else share
        start = stop
    state[0] /= len(FITS)
    return out


_derived = partial(family, table="derived", laggable=False)
_alone = partial(Steps, last=read, reads=lambda *window: 1, abreast=True)

FAMILIES = (
    _derived(
        "momentum_alignment",
        alignment,
        Output("1", -5.0, 5.0, alias="momentum_alignment"),
        sources=BQX_INDEX,
        about="sum of the signs of BQX over 15 to 75 rows, positive when the rate has fallen",
        title="Agreement of BQX over five windows",
        formula="sum(sign(BQX(w)), w in 15, 30, 45, 60, 75)",
        lookback=lambda: int(MOMENTA.max()) + 1,
        steps=_alone(
            _alignment_goes_on, rows=lambda: int(MOMENTA.max()) + 1, begin=_begin_alignment
        ),
    ),
    _derived(
        "volatility_regime",
        regime,
        Output("1", 0.0, 2.0, alias="volatility_regime"),
        sources=BQX_INDEX,
        windows=((*bqx.AGGREGATE, sessions.DAY),),
        about="tercile of the aggregate volatility within its last 1,440 values",
        title="Volatility regime of the past rate index",
        formula="tercile(std(I[t-{0}..t-1]) / I[t], {1})",
        lookback=lambda window, memory: window + memory,
        steps=_alone(
            _regime_goes_on, rows=lambda window, memory: window + memory, begin=_begin_regime
        ),
    ),
    _derived(
        "trend_strength",
        strength,
        Output(
            "1",
            0.0,
            1.0,
            alias="trend_strength",
            spanned_by=tuple(f"rate_parabola_r2_w{w}" for w in FITS),
        ),
        sources=RATE,
        about="mean share of variance that the parabolas through the past rows explain",
        title="Mean R² of the past parabolas over six windows",
        formula="mean(R2(I[t-w..t-1]), w in 60, 90, 150, 240, 390, 630)",
        lookback=lambda: int(FITS.max()) + 1,
        skips=lambda: 1,
        steps=_alone(_strength_goes_on, rows=lambda: int(FITS.max()) + 1, begin=_begin_strength),
    ),
)
