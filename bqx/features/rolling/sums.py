"""Rolling primitives whose value at a row depends on the bars of its window and on nothing else.

Every primitive cuts the grid into blocks as long as the window, at market minutes divisible by
that length. A window then spans at most two blocks: it is the end of one (summed backwards) plus
the start of the next (summed forwards). Nothing is ever subtracted from a running sum, so the
cost is two additions a row whatever the window, rounding does not build up, NaN reaches exactly
the windows that contain it, and histories that start at different bars agree in every bit.
(The block trick is van Herk's and Gil and Werman's for running extremes, which here are
put together from shorter windows: that loop adds several rows at a time.)
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.block_lanes import squares_since, squares_until
from bqx.features.rolling.blocks import F as F
from bqx.features.rolling.blocks import (
    block_rows,
    in_lanes,
    join,
    outside,
    refer,
    stretch,
)
from bqx.features.rolling.blocks import first_block as first_block


@kernel
def largest(x: F, window: int) -> F:
    """Rolling maximum: (T,), NaN in warm-up and where the window holds one.

    Four windows make one of up to four times their length: a maximum may count a row twice.
    """
    rows = len(x)
    top, wider = x.copy(), np.empty(rows)
    span = 1
    while span < window:
        step = min(3 * span, window - span)
        ahead = min(step, rows)
        wider[:ahead] = np.nan
        oldest, second = top[: rows - ahead], top[max(step - 2 * span, 0) :]
        third, newest, whole = top[max(step - span, 0) :], top[ahead:], wider[ahead:]
        for i in range(len(whole)):
            a, b, c, d = oldest[i], second[i], third[i], newest[i]
            a = a if a > b or a != a else b
            c = c if c > d or c != c else d
            whole[i] = a if a > c or a != a else c
        top, wider = wider, top
        span += step
    return top


@kernel(nogil=True)
def extremes(high: F, low: F, window: int) -> tuple[F, F]:
    """Rolling maximum of ``high`` and minimum of ``low``: two (T,) arrays, NaN in warm-up."""
    return largest(high, window), -largest(-low, window)


@kernel
def power_sums(x: F, window: int, first_minute: int) -> F:
    """Sums of the first four powers of ``x - r`` over each window, and ``r``: (T, 5), by column.

    ``r`` is a value inside the window (where its second block starts), which bounds the loss of
    digits: no value of a window lies more than ``sqrt(window)`` standard deviations off its mean.
    """
    rows = len(x)
    out = np.full((5, rows), np.nan)
    tail = np.empty((window, 4))
    for start in range(first_block(first_minute, window), rows, window):
        r = x[start]
        s1 = s2 = s3 = s4 = 0.0
        for i in range(min(window, start)):
            d = x[start - 1 - i] - r
            s1 += d
            s2 += d * d
            s3 += d * d * d
            s4 += d * d * d * d
            tail[i, 0], tail[i, 1], tail[i, 2], tail[i, 3] = s1, s2, s3, s4
        s1 = s2 = s3 = s4 = 0.0
        for row in range(start, min(start + window, rows)):
            d = x[row] - r
            s1 += d
            s2 += d * d
            s3 += d * d * d
            s4 += d * d * d * d
            before = window - (row - start + 1)
            if before > start:
                continue
            if before == 0:
                out[0, row], out[1, row], out[2, row], out[3, row] = s1, s2, s3, s4
            else:
                out[0, row] = tail[before - 1, 0] + s1
                out[1, row] = tail[before - 1, 1] + s2
                out[2, row] = tail[before - 1, 2] + s3
                out[3, row] = tail[before - 1, 3] + s4
            out[4, row] = r
    return out.T


@kernel
def square_sums(x: F, window: int, first_minute: int) -> tuple[F, F, F]:
    """Sums of ``x - r`` and of its squares over each window, and ``r``: three (T,) arrays.

    ``r`` lies inside the window, as in ``power_sums``: a sum of squares of 0 is a flat window.
    """
    rows = len(x)
    total, square, reference = np.empty(rows), np.empty(rows), np.empty(rows)
    older = np.empty(rows), np.empty(rows)
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = in_lanes(start, window, x)
        for low, high in outside(start, first, stop, window, len(x)):
            for block in range(low, high, window):
                _squares(x, block, window, (total, square), older)
        if stop > first:
            squares_until((x,), (x,), (), older, first, stop, window)
            outs = (total, square, reference)
            squares_since((x,), (x,), older, outs, first, stop, window)
        for low, high in outside(start, first, stop, window, len(x)):
            for block in range(low, high, window):
                refer(reference, x, window, block)
            join(total, older[0], window, low, high)
            join(square, older[1], window, low, high)
    return total, square, reference


@kernel
def _squares(x: F, start: int, window: int, newer: tuple[F, F], older: tuple[F, F]) -> None:
    """Sums and sums of squares within a block, from its first row on and from its end backwards."""
    begin, _, stop = block_rows(start, window, len(x))
    if begin >= stop:
        return
    values, r, q = x[begin:stop], x[begin], x[min(stop, len(x) - 1)]
    t, s = newer[0][begin:stop], newer[1][begin:stop]
    tb, sb = older[0][begin:stop], older[1][begin:stop]
    t1 = t2 = s1 = s2 = 0.0
    for i in range(len(values)):
        d = values[i] - r
        t1 += d
        s1 += d * d
        t[i], s[i] = t1, s1
        back = np.uint64(len(values) - 1 - i)  # never counted from the end: no check for it
        d = values[back] - q
        t2 += d
        s2 += d * d
        tb[back], sb[back] = t2, s2
    if start >= 0:
        tb[0] = sb[0] = 0.0


@kernel
def mean_std(x: F, window: int, first_minute: int, ddof: int) -> tuple[F, F]:
    """Rolling mean and standard deviation, two (T,) arrays; a flat window's deviation is 0."""
    mean, std, r = square_sums(x, window, first_minute)
    share, free = 1.0 / window, 1.0 / (window - ddof)
    for row in range(min(window - 1, len(x)), len(x)):  # before there are no sums
        total = mean[row]
        rest = std[row] - total * total * share
        mean[row] = r[row] + total * share
        std[row] = np.sqrt((0.0 if rest < 0.0 else rest) * free)
    return mean, std


@kernel
def trend_sums(x: F, window: int, first_minute: int) -> F:
    """Sums for a quadratic fit over each window: (T, 5), by column, of d, u d,
    u^2 d, d^2 and r.

    ``d = x - r`` with ``r`` inside the window; ``u`` counts rows from the window's middle.
    """
    rows = len(x)
    out = np.full((5, rows), np.nan)
    tail = np.empty((window, 4))
    half = 0.5 * (window - 1)
    for start in range(first_block(first_minute, window), rows, window):
        r = x[start]
        s0 = s1 = s2 = sq = 0.0
        for i in range(min(window, start)):
            k = -1.0 - i
            d = x[start - 1 - i] - r
            s0 += d
            s1 += k * d
            s2 += k * k * d
            sq += d * d
            tail[i, 0], tail[i, 1], tail[i, 2], tail[i, 3] = s0, s1, s2, sq
        s0 = s1 = s2 = sq = 0.0
        for row in range(start, min(start + window, rows)):
            k = float(row - start)
            d = x[row] - r
            s0 += d
            s1 += k * d
            s2 += k * k * d
            sq += d * d
            before = window - (row - start + 1)
            if before > start:
                continue
            t0, t1, t2, tq = s0, s1, s2, sq
            if before:
                t0 += tail[before - 1, 0]
                t1 += tail[before - 1, 1]
                t2 += tail[before - 1, 2]
                tq += tail[before - 1, 3]
            middle = k - half
            out[0, row] = t0
            out[1, row] = t1 - middle * t0
            out[2, row] = t2 - 2.0 * middle * t1 + middle * middle * t0
            out[3, row] = tq
            out[4, row] = r
    return out.T
