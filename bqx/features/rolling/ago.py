"""Values of some rows ago, beside those of now: a window of two ends, NaN where it meets a hole."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.sums import F


@kernel
def clean_rows(x: F) -> NDArray[np.int64]:
    """Rows since the last NaN, the current one included: (T,)."""
    out = np.empty(len(x), dtype=np.int64)
    holes = 0
    for row in range(len(x)):
        holes += x[row] != x[row]
    if holes == 0:
        # Most often, and the only way in which no row waits for the one before.
        for row in range(len(x)):
            out[row] = row + 1
        return out
    run = 0
    for row in range(len(x)):
        run = 0 if np.isnan(x[row]) else run + 1
        out[row] = run
    return out


@kernel
def blank_rests(out: F, x: F, window: int) -> None:
    """Make NaN where ``x`` has not moved within the last ``window`` rows."""
    rest = last = 0
    for row in range(1, len(x)):
        if x[row] == x[row - 1]:  # seldom: otherwise no row waits for the one before it
            rest = rest + 1 if last == row - 1 else 1
            last = row
            if rest >= window - 1:
                out[row] = np.nan


@kernel
def blank(out: F, x: F, rows: int) -> None:
    """Make NaN what reaches over a NaN of ``x``: its own row and the ``rows`` after it."""
    done = 0
    for row in range(len(x)):
        if x[row] != x[row]:
            stop = min(row + rows + 1, len(x))
            out[max(row, done) : stop] = np.nan
            done = stop


@kernel
def ago(x: F, rows: int) -> F:
    """Values of ``rows`` rows ago: (T,), NaN in the first rows and where a row since is NaN."""
    out = np.full(len(x), np.nan)
    out[rows:] = x[: max(len(x) - rows, 0)]
    if rows > 1:
        blank(out, x, rows)
    return out


@kernel
def changes(x: F, rows: int) -> F:
    """Each reading minus the one ``rows`` before: (T,), NaN where either is.

    For one row, or for readings of windows that are long enough to meet a hole in between.
    """
    out = np.empty(len(x))
    out[:rows] = np.nan
    before, now, into = x[: max(len(x) - rows, 0)], x[rows:], out[rows:]
    for i in range(len(into)):
        into[i] = now[i] - before[i]
    return out


@kernel
def rise(x: F, rows: int) -> F:
    """Each value minus the one ``rows`` before: (T,), NaN where ``ago`` is."""
    out = changes(x, rows)
    blank(out, x, rows)
    return out


@kernel
def growth(x: F, rows: int) -> F:
    """Percent change over ``rows`` rows: (T,), NaN where ``ago`` is."""
    out = np.full(len(x), np.nan)
    before, now, into = x[: max(len(x) - rows, 0)], x[rows:], out[rows:]
    for i in range(len(now)):
        into[i] = 100.0 * ((now[i] - before[i]) / before[i])
    blank(out, x, rows)
    return out
