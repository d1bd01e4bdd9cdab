"""Four sums of each window at once: of powers, and for a quadratic fit, in the blocks of `sums`."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.block_lanes import LANES, room
from bqx.features.rolling.blocks import (
    F,
    block_rows,
    first_block,
    in_lanes,
    join,
    outside,
    refer,
    stretch,
)
from bqx.features.rolling.lane_sums import powers_abreast, trends_abreast

Four = tuple[F, F, F, F]


@kernel
def power_sums(x: F, window: int, first_minute: int) -> F:
    """Sums of the first four powers of ``x - r`` over each window, and ``r``: (T, 5), by column.

    ``r`` is a value inside the window (where its second block starts), which bounds the loss of
    digits: no value of a window lies more than ``sqrt(window)`` standard deviations off its mean.
    """
    rows = len(x)
    out, behind, turned = np.empty((5, rows)), np.empty((4, rows)), np.empty(room(window, 4))
    newer, older = (out[0], out[1], out[2], out[3]), (behind[0], behind[1], behind[2], behind[3])
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = in_lanes(start, window, x)
        for low, high in outside(start, first, stop, window, rows):
            for block in range(low, high, window):
                _powers(x, block, window, newer, older)
        if stop > first:
            outs = (*newer, out[4])
            powers_abreast((x,), (x, x), older, outs, (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, rows):
            _whole(x, out, older, window, low, high)
    return out.T


@kernel
def _whole(x: F, out: F, older: Four, window: int, low: int, high: int) -> None:
    """Make sums in rows from ``low`` to ``high`` those of whole windows, and fill in ``r``."""
    for k in range(4):
        join(out[k], older[k], window, low, high)
    for block in range(low, high, window):
        refer(out[4], x, window, block)


@kernel
def _powers(x: F, start: int, window: int, newer: Four, older: Four) -> None:
    """Sums within a block, from its first row on and from its end backwards."""
    begin, _, stop = block_rows(start, window, len(x))
    if begin >= stop:
        return
    r, q = x[begin], x[min(stop, len(x) - 1)]
    s1 = s2 = s3 = s4 = 0.0
    for row in range(begin, stop if stop >= window else begin):  # else no window is whole
        d = x[row] - r
        s1 += d
        s2 += d * d
        s3 += d * d * d
        s4 += d * d * d * d
        newer[0][row], newer[1][row], newer[2][row], newer[3][row] = s1, s2, s3, s4
    s1 = s2 = s3 = s4 = 0.0
    for row in range(stop - 1, begin - 1 if stop < len(x) else stop - 1, -1):  # else none follows
        d = x[row] - q
        s1 += d
        s2 += d * d
        s3 += d * d * d
        s4 += d * d * d * d
        older[0][row], older[1][row], older[2][row], older[3][row] = s1, s2, s3, s4
    if start >= 0:
        older[0][begin] = older[1][begin] = older[2][begin] = older[3][begin] = 0.0


@kernel
def trend_sums(x: F, window: int, first_minute: int) -> F:
    """Sums for a quadratic fit over each window: (T, 5), by column, of d, u d,
    u^2 d, d^2 and r.

    ``d = x - r`` with ``r`` inside the window; ``u`` counts rows from the window's middle.
    """
    rows, places = len(x), np.arange(float(window + LANES))
    middles, back = places - 0.5 * (window - 1), -1.0 - places
    out, behind, turned = np.empty((5, rows)), np.empty((4, rows)), np.empty(room(window, 4))
    newer, older = (out[0], out[1], out[2], out[3]), (behind[0], behind[1], behind[2], behind[3])
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = in_lanes(start, window, x)
        for low, high in outside(start, first, stop, window, rows):
            for block in range(low, high, window):
                _trends(x, block, window, newer, older)
        if stop > first:
            by, outs = (back, places, middles), (*newer, out[4])
            trends_abreast((x,), by, older, outs, (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, rows):
            _whole(x, out, older, window, low, high)
            for block in range(low, high, window):
                _, whole, end = block_rows(block, window, rows)
                for row in range(whole, end):
                    t0, t1, middle = out[0, row], out[1, row], middles[row - block]
                    out[1, row] = t1 - middle * t0
                    out[2, row] = out[2, row] - 2.0 * middle * t1 + middle * middle * t0
    return out.T


@kernel
def _trends(x: F, start: int, window: int, newer: Four, older: Four) -> None:
    """Sums within a block as `_powers`; rows count from its start, or backwards from its end."""
    begin, _, stop = block_rows(start, window, len(x))
    if begin >= stop:
        return
    r, q = x[begin], x[min(stop, len(x) - 1)]
    s0 = s1 = s2 = sq = 0.0
    for row in range(begin, stop if stop >= window else begin):
        d, k = x[row] - r, float(row - start)
        s0 += d
        s1 += k * d
        s2 += k * k * d
        sq += d * d
        newer[0][row], newer[1][row], newer[2][row], newer[3][row] = s0, s1, s2, sq
    s0 = s1 = s2 = sq = 0.0
    for row in range(stop - 1, begin - 1 if stop < len(x) else stop - 1, -1):
        d, k = x[row] - q, float(row - stop)
        s0 += d
        s1 += k * d
        s2 += k * k * d
        sq += d * d
        older[0][row], older[1][row], older[2][row], older[3][row] = s0, s1, s2, sq
    if start >= 0:
        older[0][begin] = older[1][begin] = older[2][begin] = older[3][begin] = 0.0
