"""Sums of many series over a long window, row by row: those of the last rows need no others.

They have the bits of ``trailing.total`` and ``products.shift_sums``, which sum one series in all
its rows. Blocks are those of ``rolling``.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.blocks import F, first_block


@kernel
def last_totals(x: F, window: int, first_minute: int, since: int) -> F:
    """Rolling sums of columns (T, C) in the rows from ``since`` on: (T - since, C)."""
    return _sums(x, window, first_minute, since, False)


@kernel
def last_demeaned(x: F, window: int, first_minute: int, since: int) -> F:
    """Columns (T, C) less the mean of their window, in the rows from ``since`` on: (T - since, C).

    Sums are of distances from a value inside the window, as in ``products.shift_sums``.
    """
    return _sums(x, window, first_minute, since, True)


@kernel
def _sums(x: F, window: int, first_minute: int, since: int, demeaned: bool) -> F:
    rows, columns = x.shape
    wanted = max(rows - since, 0)
    out, origin, sums = np.full((wanted, columns), np.nan), np.zeros(columns), np.empty(columns)
    older = np.empty((min(window, wanted), columns))
    for block in range(first_block(first_minute, window), rows, window):
        begin, stop = max(block, since), min(block + window, rows)
        if stop <= begin:
            continue
        if demeaned:
            origin[:] = x[block]
        sums[:], older[stop - begin - 1] = 0.0, 0.0
        for i in range(min(block + window - 1 - begin, block)):
            _add(x[block - 1 - i], origin, sums)
            row = block + window - 2 - i
            if row < stop:
                older[row - begin] = sums
        sums[:] = 0.0
        for row in range(block, stop):
            values = x[row]
            _add(values, origin, sums)
            if row < max(begin, window - 1):
                continue
            into, rest = out[row - since], older[row - begin]
            for k in range(columns):
                whole = sums[k] + rest[k]
                into[k] = (values[k] - origin[k]) - whole / window if demeaned else whole
    return out


@kernel
def _add(values: F, origin: F, sums: F) -> None:
    for k in range(len(sums)):
        sums[k] += values[k] - origin[k]
