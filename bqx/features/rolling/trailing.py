"""What several families read from trailing windows: changes, sums, scores, counts.

As in ``rolling``, a value depends on the rows of its window alone. Sums of floats use blocks
anchored at market minutes; whole numbers are counted as the window moves, which is exact.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.block_lanes import room
from bqx.features.rolling.blocks import (
    F,
    block_rows,
    first_block,
    in_lanes,
    join,
    outside,
    stretch,
)
from bqx.features.rolling.lane_sums import plain_abreast, scores_abreast
from bqx.features.rolling.multivariate import by_column
from bqx.features.rolling.sums import deviation_of_sums, mean_std, square_blocks


@kernel
def total(x: F, window: int, first_minute: int) -> F:
    """Rolling sum: (T,). For values that do not cancel; else use ``rolling.power_sums``."""
    rows = len(x)
    out, older, turned = np.empty(rows), np.empty(rows), np.empty(room(window, 1))
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = in_lanes(start, window, x)
        for low, high in outside(start, first, stop, window, len(x)):
            for block in range(low, high, window):
                _sums(x, block, window, out, older)
        if stop > first:
            plain_abreast((x,), (x, x), (older,), (out,), (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, len(x)):
            join(out, older, window, low, high)
    return out


@kernel
def _sums(x: F, start: int, window: int, newer: F, older: F) -> None:
    begin, _, stop = block_rows(start, window, len(x))
    if begin >= stop:
        return
    values, head, tail = x[begin:stop], newer[begin:stop], older[begin:stop]
    ahead = back = 0.0
    for i in range(len(values)):
        ahead += values[i]
        head[i] = ahead
        last = np.uint64(len(values) - 1 - i)  # never counted from the end: no check for it
        back += values[last]
        tail[last] = back
    if start >= 0:
        tail[0] = 0.0


@kernel
def totals(x: F, window: int, first_minute: int) -> F:
    """Rolling sums of the columns of ``x`` (T, K): (T, K), by column."""
    out = np.empty((x.shape[1], len(x)))
    for k in range(len(out)):
        out[k] = total(np.ascontiguousarray(x[:, k]), window, first_minute)
    return out.T


@kernel
def mean_deviation(x: F, window: int, first_minute: int) -> tuple[F, F]:
    """Rolling mean and standard deviation (ddof 1), two (T,) arrays; 0 for a flat window."""
    return mean_std(x, window, first_minute, 1)


@kernel
def deviation(x: F, window: int, first_minute: int) -> F:
    """Rolling standard deviation (ddof 1): (T,)."""
    return mean_deviation(x, window, first_minute)[1]


@kernel(nogil=True)
def deviations(x: F, window: int, first_minute: int) -> F:
    """Rolling standard deviation (ddof 1) of each column: (T, C)."""
    out = by_column(x)
    for k in range(len(out)):
        out[k] = deviation(out[k], window, first_minute)
    return by_column(out)


@kernel
def z_score(x: F, window: int, first_minute: int, nothing: float = 0.0) -> F:
    """Deviations (ddof 1) between each value and the mean of its window: (T,).

    NaN where the deviation is no more than ``nothing`` of the mean: where the window is flat.
    """
    rows = len(x)
    out, square = np.empty(rows), np.empty(rows)
    older, turned = (np.empty(rows), np.empty(rows)), np.empty(room(window, 2))
    shares = np.array([1.0 / window, 1.0 / (window - 1.0), nothing])
    share, free, _ = shares
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = square_blocks(x, start, window, (out, square), older)
        if stop > first:
            scores_abreast((x,), (x, x, shares), older, (out,), (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, rows):
            join(out, older[0], window, low, high)
            join(square, older[1], window, low, high)
            for block in range(low, high, window):
                begin, whole, end = block_rows(block, window, rows)
                if whole == end:
                    continue
                of_out, of_square, values = out[whole:end], square[whole:end], x[whole:end]
                r = x[begin]
                for i in range(len(of_out)):
                    mean = of_out[i] * share
                    std = deviation_of_sums(of_out[i], of_square[i], share, free)
                    value = ((values[i] - r) - mean) / std
                    of_out[i] = value if std > nothing * abs(r + mean) else np.nan
    return out


@kernel
def slope(x: F, window: int, first_minute: int) -> F:
    """Slope of the least-squares line of each window: (T,), per row; sums as in `trend_sums`."""
    rows, half = len(x), 0.5 * (window - 1)
    out, tail, steep = np.full(rows, np.nan), np.zeros(window), np.zeros(window)
    scale = 12.0 / (window * (window * window - 1.0))
    for start in range(first_block(first_minute, window), rows, window):
        sum_before = steep_before = 0.0
        for i in range(min(window - 1, start)):
            d = x[start - 1 - i] - x[start]
            sum_before += d
            steep_before += (-1.0 - i) * d
            tail[i + 1], steep[i + 1] = sum_before, steep_before
        total = rise = 0.0
        for i in range(min(window, rows - start)):
            d = x[start + i] - x[start]
            total += d
            rise += i * d
            before = window - 1 - i
            if before <= start:
                middle = i - half
                moment = (rise + steep[before]) - middle * (total + tail[before])
                out[start + i] = moment * scale
    return out


@kernel
def zone(value: float, low: float, high: float) -> float:
    """1 above the upper threshold, -1 below the lower one, 0 between or on them, NaN of NaN."""
    side = 1.0 if value > high else -1.0 if value < low else 0.0
    return side if value == value else np.nan


@kernel
def count(flags: F, window: int) -> F:
    """How many of the last ``window`` flags (0 or 1) stand: (T,)."""
    rows = len(flags)
    out = np.full(rows, np.nan)
    clean = clean_rows(flags)
    standing = 0
    for row in range(rows):
        standing += int(flags[row] == 1.0)
        if row >= window:
            standing -= int(flags[row - window] == 1.0)
        if clean[row] >= window:
            out[row] = standing
    return out
