"""Weighted sums within blocks, two blocks at a time, and the exponential means made of them.

A sum waits for the one before it, and blocks do not depend on each other: two of them in one loop
take little longer than one. Every value has the bits that one block after the other gives it.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F, first_block


@kernel
def block_rows(start: int, window: int, rows: int) -> tuple[int, int, int]:
    """First row of a block, the first that ends a whole window, and the row after its last."""
    begin, stop = max(start, 0), min(start + window, rows)
    return begin, max(begin, min(window - 1, stop)), stop


@kernel
def block_sums(x: F, start: int, growing: F, fading: F, newer: F, older: F) -> None:
    """Weighted sums within two blocks, as long as the weights, of distances from a value at hand.

    ``newer`` : from a block's first row on, of distances from that row; ``older`` : from its end
    backwards, of distances from the row after it, 0 at a whole block's first row.
    """
    middle = start + len(fading)
    if start >= 0 and middle + len(fading) <= len(x):
        _two_sums(x, start, growing, fading, newer, older)
    else:
        _sums(x, start, growing, fading, newer, older)
        _sums(x, middle, growing, fading, newer, older)


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
def _two_sums(x: F, start: int, growing: F, fading: F, newer: F, older: F) -> None:
    """Of two whole blocks at once, since each sum waits for the one before it."""
    size = len(fading)
    middle, stop = start + size, start + 2 * size
    one, two = x[start:middle], x[middle:stop]
    r, q, p = x[start], x[middle], x[min(stop, len(x) - 1)]
    head, tail = newer[start:middle], older[start:middle]
    next_head, next_tail = newer[middle:stop], older[middle:stop]
    ahead = back = next_ahead = next_back = 0.0
    for i in range(size):
        up, down = growing[i], fading[i]
        last = np.uint64(size - 1 - i)
        ahead += up * (one[i] - r)
        next_ahead += up * (two[i] - q)
        back += down * (one[last] - q)
        next_back += down * (two[last] - p)
        head[i], next_head[i] = ahead, next_ahead
        tail[last], next_tail[last] = back, next_back
    tail[0] = next_tail[0] = 0.0


@kernel
def ewm_mean(x: F, alpha: float, run_in: int, min_rows: int, first_minute: int) -> F:
    """Exponential mean of the last ``run_in`` rows, started from the oldest of them: (T,).

    Equal to the endless recursion ``e += alpha * (x - e)`` but for a share
    ``(1 - alpha) ** run_in``. Where fewer rows follow the last NaN, those there are, from
    ``min_rows`` on, else NaN.
    """
    rows = len(x)
    keep = 1.0 - alpha
    powers = np.empty(run_in + 1)
    powers[0] = 1.0
    for i in range(run_in):
        powers[i + 1] = powers[i] * keep
    growing, fading, left = alpha / powers, alpha * powers, powers[run_in]
    out, older = np.empty(rows), np.empty(rows)
    for start in range(first_block(first_minute, run_in) - run_in, rows, 2 * run_in):
        second = start + run_in
        block_sums(x, start, growing[:run_in], fading[:run_in], out, older)
        for block in (start, second):
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
