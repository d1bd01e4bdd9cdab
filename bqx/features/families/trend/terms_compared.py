"""Kernels of quadratic trends compared, from all rows or row by row, see ``quadratic_compared``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import changes
from bqx.features.rolling.multivariate import shifted
from bqx.features.rolling.quadratic import fit, fit_of, fits_with, size_of_fit
from bqx.features.rolling.sums import F
from bqx.features.rolling.tolerances import ROUNDING
from bqx.features.rolling.trailing import zone
from bqx.features.spec import BQX_COLUMN, RATE_COLUMN

WINDOWS = (5, 15, 30, 60)

LIMIT = 100.0
"""Largest ratio of two terms."""


@kernel
def normalised(x: F, first_minute: int, window: int) -> F:
    """Normalised terms of the trend over a window: (T, 3)."""
    return _normalised(fit(x, window, first_minute), window)


@kernel
def _normalised(fitted: F, window: int) -> F:
    """The same of fits."""
    out = np.empty((3, len(fitted)))
    w = float(window)
    for row in range(len(fitted)):
        scale = w / fitted[row, 3]
        out[0, row] = fitted[row, 0] * w * scale
        out[1, row] = fitted[row, 1] * scale
        out[2, row] = fitted[row, 2] / fitted[row, 3]
    return out.T


@kernel
def terms(x: F, first_minute: int, since: int) -> F:
    """Normalised terms of the trends over 5, 15, 30 and 60 rows, see ``SLOTS``, in the rows from
    ``since`` on: (T - since, 12).
    """
    out = np.empty((12, len(x) - since))
    for i, window in enumerate(WINDOWS):
        start = max(since - (window - 1), 0)
        of_window = normalised(x[start:], first_minute + start, window)
        out[3 * i : 3 * i + 3] = of_window[since - start :].T
    return out.T


@kernel
def quotient(above: float, below: float) -> float:
    """Quotient, NaN where there is nothing to divide by."""
    return above / below if abs(below) >= ROUNDING else np.nan


@kernel
def limited(value: float) -> float:
    """Value within the limit; NaN stays."""
    return LIMIT if value > LIMIT else -LIMIT if value < -LIMIT else value


@kernel
def sign(value: float) -> float:
    """-1, 0 or 1; NaN stays."""
    return zone(value, -ROUNDING, ROUNDING)


@kernel
def comparisons(x: F, first_minute: int) -> F:
    """Terms, their changes, ratios and signs within a domain: (T, 55), see the outputs."""
    t = terms(x, first_minute, 0)
    return _compared(t, shifted(t, 1))


@kernel
def _compared(t: F, before: F) -> F:
    """The same of terms, and of those of the row before."""
    rows = len(t)
    out = np.empty((55, rows))
    out[:12], out[12:24] = t.T, (t - before).T
    for i in range(4):
        w = float(WINDOWS[i])
        for row in range(rows):
            t2, t1, b = t[row, 3 * i], t[row, 3 * i + 1], t[row, 3 * i + 2]
            turn = quotient(t1, t2)
            # b = -(t2 mean(u^2) + t1 mean(u)) with u = x / w.
            start = -(w - 1.0) / (2.0 * w) * ((2.0 * w - 1.0) / (3.0 * w) + turn)
            out[24 + 3 * i, row], out[25 + 3 * i, row] = limited(turn), limited(quotient(b, t1))
            out[26 + 3 * i, row] = limited(start)
            apart = sign(t2) - sign(t1)
            out[51 + i, row] = 1.0 if apart == 0.0 else 0.0 * apart
    for k in range(3):
        for j in range(2):
            for row in range(rows):
                short, long = t[row, 3 * j + k], t[row, 3 * j + 6 + k]
                out[36 + 2 * k + j, row] = limited(quotient(short, long))
                out[42 + 2 * k + j, row] = short - long
        for row in range(rows):
            # Half the sum of the signs and of their sizes counts those that are positive.
            up = 0.0
            for i in range(4):
                side = sign(t[row, 3 * i + k])
                up += 0.5 * (side + abs(side))
            out[48 + k, row] = 0.25 * up
    return out.T


@kernel
def gaps(both: F, first_minute: int) -> F:
    """Terms of the rate index less those of BQX, and their change: (T, 24)."""
    out = np.empty((24, len(both)))
    out[:12] = (
        terms(both[:, RATE_COLUMN].copy(), first_minute, 0)
        - terms(both[:, BQX_COLUMN].copy(), first_minute, 0)
    ).T
    for k in range(12):
        out[12 + k] = changes(out[k], 1)
    return out.T


_SIZE = sum(size_of_fit(window) for window in WINDOWS)


def begin() -> F:
    """State of `goes_on`: the terms before, and those of the fits."""
    return np.concatenate((np.full(12, np.nan), *map(fit_of, WINDOWS)))


@kernel
def _terms_go_on(now: F, minute: int, state: F) -> F:
    """What `terms` gives of values (P,) of a market minute: (12, P)."""
    out, fitted, start = np.empty((12, len(now))), np.empty((8, len(now))), 0
    for i, window in enumerate(WINDOWS):
        stop = start + size_of_fit(window)
        fits_with(now, minute, window, state[start:stop], fitted)
        out[3 * i : 3 * i + 3] = _normalised(fitted[:7].T, window).T
        start = stop
    return out


@kernel
def goes_on(x: F, minute: int, state: F) -> F:
    """What `comparisons` gives of a row (1, P), from the states of the rows before: (55, P)."""
    now = _terms_go_on(x[0], minute, state[12:])
    out = _compared(now.T, state[:12].T).T
    state[:12] = now
    return out


def begin_gaps() -> F:
    """State of `gaps_go_on`: the gaps before, and those of the fits in both domains."""
    return np.concatenate((np.full(12, np.nan), *map(fit_of, WINDOWS * 2)))


@kernel
def gaps_go_on(both: F, minute: int, state: F) -> F:
    """What `gaps` gives of a row (2, P), from the states of the rows before: (24, P)."""
    out, of_bqx = np.empty((24, both.shape[1])), 12 + _SIZE
    out[:12] = _terms_go_on(both[RATE_COLUMN], minute, state[12:of_bqx])
    out[:12] -= _terms_go_on(both[BQX_COLUMN], minute, state[of_bqx:])
    out[12:] = out[:12] - state[:12]
    state[:12] = out[:12]
    return out
