"""Values of some rows ago, beside those of now: a window of two ends, NaN where it meets a hole."""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.sums import F


@kernel
def clean_rows(x: F) -> NDArray[np.int64]:
    """Rows since the last NaN, the current one included: (T,)."""
    out = np.zeros(len(x), dtype=np.int64)
    run = 0
    for row in range(len(x)):
        run = 0 if np.isnan(x[row]) else run + 1
        out[row] = run
    return out


@kernel
def ago(x: F, rows: int) -> F:
    """Values of ``rows`` rows ago: (T,), NaN in the first rows and where a row since is NaN."""
    out = np.full(len(x), np.nan)
    out[rows:] = x[: max(len(x) - rows, 0)]
    if rows > 1:
        clean = clean_rows(x)
        for row in range(rows, len(x)):
            out[row] = out[row] if clean[row] > rows else np.nan
    return out


@kernel
def changes(x: F, rows: int) -> F:
    """Each reading minus the one ``rows`` before: (T,), NaN where either is.

    For one row, or for readings of windows that are long enough to meet a hole in between.
    """
    out = np.full(len(x), np.nan)
    for row in range(rows, len(x)):
        out[row] = x[row] - x[row - rows]
    return out


@kernel
def rise(x: F, rows: int) -> F:
    """Each value minus the one ``rows`` before: (T,), NaN where ``ago`` is."""
    out = ago(x, rows)
    for row in range(len(x)):
        out[row] = x[row] - out[row]
    return out


@kernel
def growth(x: F, rows: int) -> F:
    """Percent change over ``rows`` rows: (T,), NaN where ``ago`` is."""
    out = ago(x, rows)
    for row in range(len(x)):
        out[row] = 100.0 * ((x[row] - out[row]) / out[row])
    return out
