"""Weighted sums within blocks, four blocks at a time, and the exponential means made of them.

A sum waits for the one before it, and blocks do not depend on each other: four of them in one loop
take little longer than one. Every value has the bits that one block after the other gives it.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F, first_block

BLOCKS = 4
"""Blocks whose sums are taken at once."""


@kernel
def block_rows(start: int, window: int, rows: int) -> tuple[int, int, int]:
    """First row of a block, the first that ends a whole window, and the row after its last."""
    begin, stop = max(start, 0), min(start + window, rows)
    return begin, max(begin, min(window - 1, stop)), stop


@kernel
def block_sums(x: F, start: int, growing: F, fading: F, newer: F, older: F) -> None:
    """Weighted sums within `BLOCKS` blocks, as long as the weights, of distances from a value at
    hand.

    ``newer`` : from a block's first row on, of distances from that row; ``older`` : from its end
    backwards, of distances from the row after it, 0 at a whole block's first row.
    """
    size = len(fading)
    stop = start + BLOCKS * size
    if start >= 0 and stop <= len(x):
        _sums_since(x, start, growing, newer)
        _sums_until(x, start, fading, older)
    else:
        for block in range(start, stop, size):
            _sums(x, block, growing, fading, newer, older)


@kernel
def _sums(x: F, start: int, growing: F, fading: F, newer: F, older: F) -> None:
    begin, _, stop = block_rows(start, len(fading), len(x))
    if begin >= stop:
        return
    values, r, q = x[begin:stop], x[begin], x[min(stop, len(x) - 1)]
    head, tail = newer[begin:stop], older[begin:stop]
    ahead = back = 0.0
    for i in range(len(values)):
        ahead += growing[i] * (values[i] - r)
        head[i] = ahead
        last = np.uint64(len(values) - 1 - i)
        back += fading[i] * (values[last] - q)
        tail[last] = back
    if start >= 0:
        tail[0] = 0.0


@kernel
def _sums_since(x: F, start: int, weights: F, out: F) -> None:
    """From the first row of four whole blocks on, at once: each sum waits for the one before it."""
    size = len(weights)
    second, third, fourth = start + size, start + 2 * size, start + 3 * size
    a, b, c, d = x[start:second], x[second:third], x[third:fourth], x[fourth : fourth + size]
    into_a, into_b, into_c = out[start:second], out[second:third], out[third:fourth]
    into_d, p, q, r, s = out[fourth : fourth + size], a[0], b[0], c[0], d[0]
    sum_a = sum_b = sum_c = sum_d = 0.0
    for i in range(size):
        weight = weights[i]
        sum_a += weight * (a[i] - p)
        sum_b += weight * (b[i] - q)
        sum_c += weight * (c[i] - r)
        sum_d += weight * (d[i] - s)
        into_a[i], into_b[i], into_c[i], into_d[i] = sum_a, sum_b, sum_c, sum_d


@kernel
def _sums_until(x: F, start: int, weights: F, out: F) -> None:
    """From the end of four whole blocks backwards, at once."""
    size = len(weights)
    second, third, fourth = start + size, start + 2 * size, start + 3 * size
    a, b, c, d = x[start:second], x[second:third], x[third:fourth], x[fourth : fourth + size]
    into_a, into_b, into_c = out[start:second], out[second:third], out[third:fourth]
    into_d, p, q, r = out[fourth : fourth + size], b[0], c[0], d[0]
    s = x[min(fourth + size, len(x) - 1)]
    sum_a = sum_b = sum_c = sum_d = 0.0
    for i in range(size):
        weight, row = weights[i], np.uint64(size - 1 - i)
        sum_a += weight * (a[row] - p)
        sum_b += weight * (b[row] - q)
        sum_c += weight * (c[row] - r)
        sum_d += weight * (d[row] - s)
        into_a[row], into_b[row], into_c[row], into_d[row] = sum_a, sum_b, sum_c, sum_d
    into_a[0] = into_b[0] = into_c[0] = into_d[0] = 0.0


@kernel
def ewm_mean(x: F, alpha: float, run_in: int, min_rows: int, first_minute: int) -> F:
    """Exponential mean of the last ``run_in`` rows, started from the oldest of them: (T,).

    Equal to the endless recursion ``e += alpha * (x - e)`` but for a share
    ``(1 - alpha) ** run_in``. Where fewer rows follow the last NaN, those there are, from
    ``min_rows`` on, else NaN.
    """
    return faded(x, weights(alpha, run_in), min_rows, first_minute)


@kernel
def weights(alpha: float, run_in: int) -> tuple[F, F, F]:
    """What ``ewm_mean`` weighs by: powers of ``1 - alpha``, ``alpha`` over and times these."""
    keep = 1.0 - alpha
    powers = np.empty(run_in + 1)
    powers[0] = 1.0
    for i in range(run_in):
        powers[i + 1] = powers[i] * keep
    return powers, alpha / powers, alpha * powers


@kernel
def faded(x: F, by: tuple[F, F, F], min_rows: int, first_minute: int) -> F:
    """``ewm_mean`` by its weights, which several series may share: (T,)."""
    powers, growing, fading = by
    rows, run_in = len(x), len(powers) - 1
    alpha, left = growing[0], powers[run_in]
    out, older = np.empty(rows), np.empty(rows)
    for start in range(first_block(first_minute, run_in) - run_in, rows, BLOCKS * run_in):
        block_sums(x, start, growing[:run_in], fading[:run_in], out, older)
        for block in range(start, start + BLOCKS * run_in, run_in):
            _whole(x, block, powers, left, out, older)
    if min_rows < run_in:
        _young(out, x, alpha, run_in, min_rows)
    return out


@kernel
def _whole(x: F, start: int, powers: F, left: float, out: F, older: F) -> None:
    """Means of the windows that end in a block, in place of the sums since its start."""
    run_in = len(powers) - 1
    begin, whole, stop = block_rows(start, run_in, len(x))
    out[begin:whole] = np.nan
    into, r = out[whole:stop], x[begin:stop]
    first, rest = x[max(whole - run_in + 1, 0) :], older[max(whole - run_in + 1, 0) :]
    now, then = powers[whole - begin :], powers[whole - begin + 1 :]
    for i in range(len(into)):
        since = now[i] * into[i] + left * (first[i] - r[0])
        into[i] = r[0] + (since + then[i] * rest[i])


@kernel
def _young(out: F, x: F, alpha: float, run_in: int, min_rows: int) -> None:
    age, mean = 0, 0.0
    for row in range(len(x)):
        if np.isnan(x[row]):
            age = 0
            continue
        age += 1
        mean = x[row] if age == 1 else mean + alpha * (x[row] - mean)
        if min_rows <= age < run_in:
            out[row] = mean
