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
from bqx.features.rolling.block_lanes import room
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
from bqx.features.rolling.lane_sums import deviations_abreast, squares_abreast


@kernel
def largest(x: F, window: int) -> F:
    """Rolling maximum: (T,), NaN in warm-up and where the window holds one."""
    return _outermost(x, window, 1.0)


@kernel
def _outermost(x: F, window: int, sign: float) -> F:
    """Rolling maximum of a sign of 1, minimum of -1: (T,), see `largest`.

    Four windows make one of up to four times their length: a maximum may count a row twice.
    """
    rows = len(x)
    top, wider = np.empty(rows), np.empty(rows)
    for row in range(rows):
        top[row] = sign * x[row]
    span = 1
    while span < window:
        step = min(3 * span, window - span)
        ahead = min(step, rows)
        wider[:ahead] = np.nan
        oldest, second = top[: rows - ahead], top[max(step - 2 * span, 0) :]
        third, newest, whole = top[max(step - span, 0) :], top[ahead:], wider[ahead:]
        for i in range(len(whole)):
            a, b, c, d = oldest[i], second[i], third[i], newest[i]
            e, f = a if a > b else b, c if c > d else d
            e, f = a if a != a else e, c if c != c else f
            g = e if e > f else f
            whole[i] = e if e != e else g
        top, wider = wider, top
        span += step
    if sign < 0.0:
        for row in range(rows):
            top[row] = -top[row]
    return top


@kernel(nogil=True)
def extremes(high: F, low: F, window: int) -> tuple[F, F]:
    """Rolling maximum of ``high`` and minimum of ``low``: two (T,) arrays, NaN in warm-up."""
    return _outermost(high, window, 1.0), _outermost(low, window, -1.0)


@kernel
def square_sums(x: F, window: int, first_minute: int) -> tuple[F, F, F]:
    """Sums of ``x - r`` and of its squares over each window, and ``r``: three (T,) arrays.

    ``r`` lies inside the window, as in `power_sums`: a sum of squares of 0 is a flat window.
    """
    rows = len(x)
    total, square, reference = np.empty(rows), np.empty(rows), np.empty(rows)
    older, turned = (np.empty(rows), np.empty(rows)), np.empty(room(window, 2))
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = square_blocks(x, start, window, (total, square), older)
        if stop > first:
            outs = (total, square, reference)
            squares_abreast((x,), (x, x), older, outs, (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, len(x)):
            for block in range(low, high, window):
                refer(reference, x, window, block)
            join(total, older[0], window, low, high)
            join(square, older[1], window, low, high)
    return total, square, reference


@kernel
def mean_std(x: F, window: int, first_minute: int, ddof: int) -> tuple[F, F]:
    """Rolling mean and standard deviation, two (T,) arrays; a flat window's deviation is 0."""
    rows = len(x)
    mean, std = np.empty(rows), np.empty(rows)
    older, turned = (np.empty(rows), np.empty(rows)), np.empty(room(window, 2))
    shares = np.array([1.0 / window, 1.0 / (window - ddof)])
    share, free = shares
    for start in range(first_block(first_minute, window) - window, rows, stretch(window)):
        first, stop = square_blocks(x, start, window, (mean, std), older)
        if stop > first:
            by, outs = (x, x, shares), (mean, std)
            deviations_abreast((x,), by, older, outs, (turned,), first, stop, window)
        for low, high in outside(start, first, stop, window, rows):
            join(mean, older[0], window, low, high)
            join(std, older[1], window, low, high)
            for block in range(low, high, window):
                begin, whole, end = block_rows(block, window, rows)
                if whole == end:
                    continue
                of_mean, of_std, r = mean[whole:end], std[whole:end], x[begin]
                for i in range(len(of_mean)):
                    total = of_mean[i]
                    of_mean[i] = r + total * share
                    of_std[i] = deviation_of_sums(total, of_std[i], share, free)
    return mean, std


@kernel
def deviation_of_sums(total: float, square: float, share: float, free: float) -> float:
    """Standard deviation from a sum and a sum of squares; one by the rows, and by those left."""
    rest = square - total * total * share
    return np.sqrt((0.0 if rest < 0.0 else rest) * free)


@kernel
def square_blocks(
    x: F, start: int, window: int, newer: tuple[F, F], older: tuple[F, F]
) -> tuple[int, int]:
    """Sums within a stretch of blocks, see `weighted.block_sums`."""
    first, stop = in_lanes(start, window, x)
    for low, high in outside(start, first, stop, window, len(x)):
        for block in range(low, high, window):
            _squares(x, block, window, newer, older)
    return first, stop


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
