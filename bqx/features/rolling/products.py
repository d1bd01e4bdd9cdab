"""Rolling means and products of series, in the two blocks of ``rolling``."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.block_lanes import LANES, room
from bqx.features.rolling.blocks import (
    F,
    block_rows,
    first_block,
    join,
    outside,
    refer,
    stretch,
)
from bqx.features.rolling.lane_sums import means_abreast, weighted_abreast
from bqx.features.rolling.weighted import block_sums

SERIES = 4
PRODUCTS = SERIES * (SERIES + 1) // 2

# Sums that are numbers of their own stay in registers from row to row, as those of an array do not.
Sums = tuple[float, ...]
Four = tuple[float, float, float, float]
_NOTHING = (0.0,) * (SERIES + PRODUCTS)


@kernel
def shift_sums(x: F, window: int, first_minute: int) -> tuple[F, F]:
    """Sum of ``x - r`` over each window, and ``r``, a value inside the window: two (T,) arrays."""
    rows, even = len(x), np.ones(window + LANES)
    total, reference, older = np.empty(rows), np.empty(rows), np.empty(rows)
    turned = np.empty(room(window, 1))
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = block_sums(x, start, window, (even, even), total, older)
        if stop > first:
            by, outs = (even, even), (total, reference)
            weighted_abreast((x,), by, (older,), outs, (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, len(x)):
            for block in range(low, high, window):
                refer(reference, x, window, block)
            join(total, older, window, low, high)
    return total, reference


@kernel
def mean(x: F, window: int, first_minute: int) -> F:
    """Rolling mean: (T,), NaN in warm-up; exact where the window is flat."""
    rows, even, share = len(x), np.ones(window + LANES), 1.0 / window
    out, older, turned = np.empty(rows), np.empty(rows), np.empty(room(window, 1))
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = block_sums(x, start, window, (even, even), out, older)
        if stop > first:
            by = (even, even)
            means_abreast((x,), by, (older,), (out,), (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, len(x)):
            join(out, older, window, low, high)
            for block in range(low, high, window):
                begin, _, end = block_rows(block, window, rows)
                into, r = out[begin:end], x[begin:end]
                for i in range(len(into)):
                    into[i] = r[0] + into[i] * share
    return out


@kernel
def square_and_product_sums(x: F, y: F, window: int, first_minute: int) -> tuple[F, F, F, F]:
    """What ``square_sums`` gives of ``y``, and the sum of ``(x - q)(y - r)`` over each window.

    Four (T,) arrays, the references ``q`` and ``r`` as in ``square_sums``. A sum waits for the one
    before it, and those of a row do not wait for each other.
    """
    rows = len(x)
    total, square, reference = np.empty(rows), np.empty(rows), np.empty(rows)
    product, before = np.empty(rows), np.empty((3, rows))
    for start in range(first_block(first_minute, window) - window, rows, window):
        begin, stop = max(start, 0), min(start + window, rows)
        one, other, after = x[begin:stop], y[begin:stop], min(stop, rows - 1)
        q, r, next_q, next_r = x[begin], y[begin], x[after], y[after]
        t, s, origin = total[begin:stop], square[begin:stop], reference[begin:stop]
        p, older = product[begin:stop], before[:, begin:stop]
        tb, sb, pb = older
        t1 = t2 = s1 = s2 = p1 = p2 = 0.0
        for i in range(len(one)):
            d = other[i] - r
            t1 += d
            s1 += d * d
            p1 += (one[i] - q) * d
            t[i], s[i], p[i], origin[i] = t1, s1, p1, r
            back = np.uint64(len(one) - 1 - i)  # never counted from the end: no check for it
            d = other[back] - next_r
            t2 += d
            s2 += d * d
            p2 += (one[back] - next_q) * d
            tb[back], sb[back], pb[back] = t2, s2, p2
        if start >= 0:
            older[:, 0] = 0.0
    join(total, before[0], window, 0, rows)
    join(square, before[1], window, 0, rows)
    join(product, before[2], window, 0, rows)
    return total, square, reference, product


@kernel
def keep(table: F, row: int, numbers: Sums) -> None:
    """Put numbers into a row of a table."""
    for k in range(len(numbers)):
        table[row, k] = numbers[k]


@kernel
def _with(t: Sums, x: F, r: Four, row: int) -> Sums:
    """Sums of distances from ``r`` and of their products, with those of a row."""
    a, b, c, d = x[row, 0] - r[0], x[row, 1] - r[1], x[row, 2] - r[2], x[row, 3] - r[3]
    first = t[0] + a, t[1] + b, t[2] + c, t[3] + d
    second = t[4] + a * a, t[5] + a * b, t[6] + a * c, t[7] + a * d
    return first + second + (
        t[8] + b * b, t[9] + b * c, t[10] + b * d, t[11] + c * c, t[12] + c * d, t[13] + d * d,
    )  # fmt: skip


@kernel
def products(x: F, window: int, first_minute: int) -> F:
    """Sums of products about the means over each window of four series (T, 4): (T, 10).

    In the order 00, 01, 02, 03, 11, .. 33; divided by ``window - 1`` they are covariances.
    """
    rows = len(x)
    out = np.full((rows, PRODUCTS), np.nan)
    tail = np.empty((window + 1, SERIES + PRODUCTS))
    tail[0] = 0.0
    for start in range(first_block(first_minute, window), rows, window):
        r = x[start, 0], x[start, 1], x[start, 2], x[start, 3]
        total = _NOTHING
        for i in range(min(window, start)):
            total = _with(total, x, r, start - 1 - i)
            if start + window - i - 1 <= rows:  # else a window that ends later
                keep(tail, i + 1, total)
        total = _NOTHING
        for row in range(start, min(start + window, rows)):
            total = _with(total, x, r, row)
            before = window - (row - start + 1)
            if before > start:
                continue
            at = 0
            for a in range(SERIES):
                mean = (total[a] + tail[before, a]) / window
                for b in range(a, SERIES):
                    whole = total[SERIES + at] + tail[before, SERIES + at]
                    out[row, at] = whole - mean * (total[b] + tail[before, b])
                    at += 1
    return out
