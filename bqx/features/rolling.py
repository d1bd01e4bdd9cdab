"""Rolling primitives whose value at a row depends on the bars of its window and on nothing else.

Every primitive cuts the grid into blocks as long as the window, at market minutes divisible by
that length. A window then spans at most two blocks: it is the end of one (summed backwards) plus
the start of the next (summed forwards). Nothing is ever subtracted from a running sum, so the
cost is two additions a row whatever the window, rounding does not build up, NaN reaches exactly
the windows that contain it, and histories that start at different bars agree in every bit.
(The block trick is van Herk's and Gil and Werman's for running extremes.)
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = NDArray[np.float64]


@njit(cache=True)
def first_block(first_minute: int, size: int) -> int:
    """Row of the first market minute divisible by ``size``, given the market minute of row 0."""
    return (-first_minute) % size


@njit(cache=True, error_model="numpy")
def extremes(high: F, low: F, window: int, first_minute: int) -> tuple[F, F]:
    """Rolling maximum of ``high`` and minimum of ``low``: two (T,) arrays, NaN in warm-up."""
    rows = len(high)
    top, bottom = np.full(rows, np.nan), np.full(rows, np.nan)
    tail_top, tail_bottom = np.empty(window), np.empty(window)
    for start in range(first_block(first_minute, window), rows, window):
        most, least = -np.inf, np.inf
        broken = False
        for i in range(min(window, start)):
            row = start - 1 - i
            broken = broken or np.isnan(high[row]) or np.isnan(low[row])
            most, least = max(most, high[row]), min(least, low[row])
            tail_top[i] = np.nan if broken else most
            tail_bottom[i] = least
        most, least = -np.inf, np.inf
        broken = False
        for row in range(start, min(start + window, rows)):
            broken = broken or np.isnan(high[row]) or np.isnan(low[row])
            most, least = max(most, high[row]), min(least, low[row])
            before = window - (row - start + 1)
            if broken or before > start:
                continue
            if before == 0:
                top[row], bottom[row] = most, least
            elif not np.isnan(tail_top[before - 1]):
                top[row] = max(most, tail_top[before - 1])
                bottom[row] = min(least, tail_bottom[before - 1])
    return top, bottom


@njit(cache=True, error_model="numpy")
def power_sums(x: F, window: int, first_minute: int) -> F:
    """Sums of the first four powers of ``x - r`` over each window, and ``r``: (T, 5).

    ``r`` is a value inside the window (where its second block starts), which bounds the loss of
    digits: no value of a window lies more than ``sqrt(window)`` standard deviations off its mean.
    """
    rows = len(x)
    out = np.full((rows, 5), np.nan)
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
                out[row, 0], out[row, 1], out[row, 2], out[row, 3] = s1, s2, s3, s4
            else:
                out[row, 0] = tail[before - 1, 0] + s1
                out[row, 1] = tail[before - 1, 1] + s2
                out[row, 2] = tail[before - 1, 2] + s3
                out[row, 3] = tail[before - 1, 3] + s4
            out[row, 4] = r
    return out


@njit(cache=True, error_model="numpy")
def mean_std(x: F, window: int, first_minute: int, ddof: int) -> tuple[F, F]:
    """Rolling mean and standard deviation, two (T,) arrays; a flat window's deviation is 0."""
    rows = len(x)
    mean, std = np.full(rows, np.nan), np.full(rows, np.nan)
    tail = np.zeros((window, 2))
    share, free = 1.0 / window, 1.0 / (window - ddof)
    for start in range(first_block(first_minute, window), rows, window):
        # The reference lies inside each window, as in ``power_sums``.
        r = x[start]
        s1 = s2 = 0.0
        for i in range(min(window - 1, start)):
            d = x[start - 1 - i] - r
            s1 += d
            s2 += d * d
            tail[i + 1, 0], tail[i + 1, 1] = s1, s2
        s1 = s2 = 0.0
        for row in range(start, min(start + window, rows)):
            d = x[row] - r
            s1 += d
            s2 += d * d
            before = window - (row - start + 1)
            if before <= start:
                total, squares = s1 + tail[before, 0], s2 + tail[before, 1]
                rest = squares - total * total * share
                mean[row] = r + total * share
                std[row] = np.sqrt(0.0 if rest < 0.0 else rest * free)
    return mean, std


@njit(cache=True, error_model="numpy")
def trend_sums(x: F, window: int, first_minute: int) -> F:
    """Sums for a quadratic fit over each window: (T, 5) of d, u d, u^2 d, d^2 and r.

    ``d = x - r`` with ``r`` inside the window; ``u`` counts rows from the window's middle.
    """
    rows = len(x)
    out = np.full((rows, 5), np.nan)
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
            out[row, 0] = t0
            out[row, 1] = t1 - middle * t0
            out[row, 2] = t2 - 2.0 * middle * t1 + middle * middle * t0
            out[row, 3] = tq
            out[row, 4] = r
    return out


@njit(cache=True, error_model="numpy")
def ewm_mean(x: F, alpha: float, run_in: int, min_rows: int, first_minute: int) -> F:
    """Exponential mean of the last ``run_in`` rows, started from the oldest of them: (T,).

    Equal to the endless recursion ``e += alpha * (x - e)`` but for a share
    ``(1 - alpha) ** run_in``. Where fewer rows follow the last NaN, those there are, from
    ``min_rows`` on, else NaN.
    """
    rows = len(x)
    out = np.full(rows, np.nan)
    keep = 1.0 - alpha
    powers = np.empty(run_in + 1)
    powers[0] = 1.0
    for i in range(run_in):
        powers[i + 1] = powers[i] * keep
    tail = np.empty(run_in)
    young = 0.0
    age = 0
    start = first_block(first_minute, run_in) - run_in
    r = forward = 0.0
    for row in range(rows):
        if row == start + run_in:
            start = row
            r = x[start]
            forward = backward = 0.0
            for i in range(min(run_in, start)):
                backward += alpha * powers[i] * (x[start - 1 - i] - r)
                tail[i] = backward
        forward = keep * forward + alpha * (x[row] - r)
        if np.isnan(x[row]):
            age = 0
            continue
        age += 1
        young = x[row] if age == 1 else young + alpha * (x[row] - young)
        if age >= run_in:
            newer = row - start + 1
            oldest = x[row - run_in + 1] - r
            value = forward + powers[run_in] * oldest
            if newer < run_in:
                value += powers[newer] * tail[run_in - newer - 1]
            out[row] = r + value
        elif age >= min_rows:
            out[row] = young
    return out
