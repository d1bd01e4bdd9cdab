"""Weighted sums within blocks, eight blocks at a time, and the exponential means made of them."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.block_lanes import LANES, room
from bqx.features.rolling.blocks import (
    F,
    block_rows,
    first_block,
    in_lanes,
    outside,
    stretch,
)
from bqx.features.rolling.lane_sums import exponentials_abreast


@kernel
def block_sums(
    x: F, start: int, size: int, weights: tuple[F, F], newer: F, older: F
) -> tuple[int, int]:
    """Weighted sums within a stretch of blocks of ``size`` rows, of distances from a value at hand.

    ``weights`` : fading and growing, (size + `LANES` or more,) each. ``newer`` : from a block's
    first row on, of distances from that row. ``older`` : from its end backwards, of distances from
    the row after it, 0 at a whole block's first row. Nothing is made of the blocks left to lanes:
    their first row and the row after their last are returned.
    """
    fading, growing = weights
    first, stop = in_lanes(start, size, x)
    for low, high in outside(start, first, stop, size, len(x)):
        for block in range(low, high, size):
            _sums(x, block, growing[:size], fading[:size], newer, older)
    return first, stop


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
def weights(alpha: float, run_in: int) -> tuple[F, F, F]:
    """What ``ewm_mean`` weighs by: powers of ``1 - alpha``, ``alpha`` over and times these."""
    powers = np.ones(run_in + LANES)
    for i in range(run_in):
        powers[i + 1] = powers[i] * (1.0 - alpha)
    return powers, alpha / powers, alpha * powers


@kernel
def run_in_of(by: tuple[F, F, F]) -> int:
    """Rows of the windows that some weights are for."""
    return len(by[0]) - LANES


@kernel
def ewm_mean(x: F, alpha: float, run_in: int, min_rows: int, first_minute: int) -> F:
    """Exponential mean of the last ``run_in`` rows, started from the oldest of them: (T,).

    Equal to the endless recursion ``e += alpha * (x - e)`` but for a share
    ``(1 - alpha) ** run_in``. Where fewer rows follow the last NaN, those there are, from
    ``min_rows`` on, else NaN.
    """
    return faded(x, weights(alpha, run_in), min_rows, first_minute)


@kernel
def faded(x: F, by: tuple[F, F, F], min_rows: int, first_minute: int) -> F:
    """``ewm_mean`` by its weights, which several series may share: (T,)."""
    out, run_in, alpha = np.empty(len(x)), run_in_of(by), by[1][0]
    _fill((out,), x, by, first_minute)
    if min_rows < run_in:
        _young(out, x, alpha, run_in, min_rows)
    return out


@kernel
def faded_and_above(x: F, by: tuple[F, F, F], first_minute: int) -> tuple[F, F]:
    """``faded`` of whole windows, and how far the series is above it: two (T,) arrays."""
    out, above = np.empty(len(x)), np.empty(len(x))
    _fill((out, above), x, by, first_minute)
    return out, above


@kernel
def _fill(outs: tuple[F, ...], x: F, by: tuple[F, F, F], first_minute: int) -> None:
    """Exponential means of whole windows, and in a second series how far values are above them."""
    powers, growing, fading = by
    rows, run_in, out, above = len(x), run_in_of(by), outs[0], outs[-1]
    older, turned = np.empty(rows), np.empty(room(run_in, 1))
    for start in range(first_block(first_minute, run_in) - run_in, rows, stretch(run_in)):
        first, stop = block_sums(x, start, run_in, (fading, growing), out, older)
        if stop > first:
            weights = (fading, growing, powers)
            exponentials_abreast((x,), weights, (older,), outs, (turned,), first, stop, run_in)
        for low, high in outside(start, first, stop, run_in, rows):
            for block in range(low, high, run_in):
                _whole(x, block, powers[: run_in + 1], out, older)
            for row in range(max(low, 0), high if len(outs) > 1 else 0):
                above[row] = x[row] - out[row]


@kernel
def _whole(x: F, start: int, powers: F, out: F, older: F) -> None:
    """Means of the windows that end in a block, in place of the sums since its start."""
    run_in, left = len(powers) - 1, powers[-1]
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
