"""Regression over trailing windows, with its residuals and their return."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.abreast_sums import origins, raw_cross_with
from bqx.features.rolling.products import Sums, keep, square_and_product_sums
from bqx.features.rolling.sums import F, first_block, square_sums
from bqx.features.rolling.tolerances import COLLINEAR

_NOTHING = (0.0,) * 18


@kernel
def residual_on_one(y: F, x: F, window: int, first_minute: int) -> F:
    """Last residual of ``y`` on ``x`` and a constant over each window: (T,), NaN for a flat one."""
    total, square, reference = square_sums(y, window, first_minute)
    total_x, square_x, reference_x, out = square_and_product_sums(y, x, window, first_minute)
    for row in range(len(y)):
        out[row] = _residual(
            y[row] - reference[row],
            x[row] - reference_x[row],
            (total[row], total_x[row], square[row], square_x[row], out[row]),
            float(window),
        )
    return out


@kernel
def _residual(own: float, other: float, sums: Sums, w: float) -> float:
    """The same of distances and of sums."""
    total, total_x, square, square_x, product = sums
    yy = square - total * total / w
    xx = square_x - total_x * total_x / w
    slope = (product - total * total_x / w) / xx
    residual = (own - total / w) - slope * (other - total_x / w)
    return residual if yy > 0.0 and xx > 0.0 else np.nan


@kernel
def residual_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """The same of a row (2, P), from the states of the rows before, see `cross_of`: (1, P)."""
    raw, out = np.empty((6, x.shape[1])), np.empty((1, x.shape[1]))
    raw_cross_with(x, minute, window, state, raw)
    first = origins(2, state)
    for k in range(x.shape[1]):
        sums = raw[0, k], raw[1, k], raw[2, k], raw[3, k], raw[5, k]
        apart = x[0, k] - first[0, k], x[1, k] - first[1, k]
        out[0, k] = _residual(apart[0], apart[1], sums, float(window))
    return out


@kernel(nogil=True)
def regress(x: F, window: int, first_minute: int) -> F:
    """Column 0 on columns 1 and 2 and a constant over each window: (T, 3) -> (T, 3).

    Last residual, its score among the window's residuals (ddof 1), and the half-life of a departure
    in rows. The half-life reads one row more: it is that of a regression of the residuals' changes
    on the residual before; NaN where none returns.
    """
    rows = len(x)
    out = np.full((rows, 3), np.nan)
    sums, tail = np.empty(len(_NOTHING)), np.empty((window, len(_NOTHING)))
    nothing = np.full(3, np.nan)
    for start in range(first_block(first_minute, window), rows, window):
        total = _NOTHING
        for i in range(min(window, start)):
            total = _with(total, x, start, start - 1 - i)
            if start + window - i - 1 <= rows:  # else a window that ends later
                keep(tail, i, total)
        total = _NOTHING
        for row in range(start, min(start + window, rows)):
            total = _with(total, x, start, row)
            left = window - (row - start) - 1
            if left <= start:
                for k in range(len(sums)):
                    sums[k] = total[k] + tail[left - 1, k] if left else total[k]
                before = x[row - window] if row >= window else nothing
                _solve(out[row], x[row], x[start], before, window, sums)
    return out


@kernel
def _with(t: Sums, x: F, start: int, row: int) -> Sums:
    """Sums with those of a row: of three distances, their six products, and nine products of a
    distance before and a change.
    """
    a, b, c = x[row, 0] - x[start, 0], x[row, 1] - x[start, 1], x[row, 2] - x[start, 2]
    before = row - 1 if row else row
    p, q, r = x[row, 0] - x[before, 0], x[row, 1] - x[before, 1], x[row, 2] - x[before, 2]
    if not row:
        p = q = r = np.nan
    e, f, g = a - p, b - q, c - r
    first = t[0] + a, t[1] + b, t[2] + c
    squares = t[3] + a * a, t[4] + a * b, t[5] + a * c, t[6] + b * b, t[7] + b * c, t[8] + c * c
    own = t[9] + e * p, t[10] + e * q, t[11] + e * r
    one = t[12] + f * p, t[13] + f * q, t[14] + f * r
    other = t[15] + g * p, t[16] + g * q, t[17] + g * r
    return first + squares + own + one + other


@kernel
def _solve(out: F, now: F, first: F, before: F, window: int, sums: F) -> None:
    """Readings of a window from its newest row, that distances are from, and that before it."""
    w = float(window)
    yy = sums[3] - sums[0] * sums[0] / w
    y1 = sums[4] - sums[0] * sums[1] / w
    y2 = sums[5] - sums[0] * sums[2] / w
    aa = sums[6] - sums[1] * sums[1] / w
    ab = sums[7] - sums[1] * sums[2] / w
    bb = sums[8] - sums[2] * sums[2] / w
    own = (now[0] - first[0]) - sums[0] / w
    one = (now[1] - first[1]) - sums[1] / w
    other = (now[2] - first[2]) - sums[2] / w
    det = aa * bb - ab * ab
    if not (yy > 0.0 and det > COLLINEAR * aa * bb):
        return
    c1, c2 = (y1 * bb - y2 * ab) / det, (y2 * aa - y1 * ab) / det
    last = own - c1 * one - c2 * other
    out[0] = last
    rest = yy - c1 * y1 - c2 * y2
    if not rest > COLLINEAR * yy:
        return
    out[1] = last / np.sqrt(rest / (w - 1.0))
    # The residual of the row before the window, under the window's terms.
    oldest = (before[0] - first[0]) - sums[0] / w
    oldest -= c1 * ((before[1] - first[1]) - sums[1] / w)
    oldest -= c2 * ((before[2] - first[2]) - sums[2] / w)
    drift = 0.0
    for j in range(3):
        left = 1.0 if j == 0 else -c1 if j == 1 else -c2
        for m in range(3):
            right = 1.0 if m == 0 else -c1 if m == 1 else -c2
            drift += left * right * sums[9 + 3 * j + m]
    drift -= (sums[0] - c1 * sums[1] - c2 * sums[2]) / w * (last - oldest)
    rate = drift / (rest - last * last + oldest * oldest)
    if -1.0 < rate < 0.0:
        out[2] = -np.log(2.0) / np.log1p(rate)


def regression_of(window: int) -> F:
    """State of `regress_goes_on` before any row: the block's sums and first row; the row before;
    the block's rows; sums of so many rows before it.
    """
    size = len(_NOTHING)
    state = np.full(size + 6 + window * (3 + size), np.nan)
    state[size + 6 + 3 * window :][:size] = 0.0
    return state


@kernel
def regress_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `regress` gives of a row (3, P), from the states of the rows before: (3, P)."""
    size, place, pairs = len(_NOTHING), minute % window, x.shape[1]
    sums, first, last = state[:size], state[size : size + 3], state[size + 3 : size + 6]
    block, tail = state[size + 6 : size + 6 + 3 * window], state[size + 6 + 3 * window :]
    before = block[3 * place : 3 * place + 3].copy()
    if place == 0:
        sums[:] = 0.0
        for i in range(window - 1):
            at = 3 * (window - 1 - i)
            _add(block[at : at + 3], block[at - 3 : at], x, sums)
            tail[size * (i + 1) : size * (i + 2)] = sums
        sums[:], first[:] = 0.0, x
    _add(x, last, first, sums)
    left = window - 1 - place
    whole = sums + tail[size * left : size * (left + 1)] if left else sums
    out = np.full((3, pairs), np.nan)
    for k in range(pairs):
        _solve(out[:, k], x[:, k], first[:, k], before[:, k], window, whole[:, k])
    block[3 * place : 3 * place + 3], last[:] = x, x
    return out


@kernel
def _add(now: F, before: F, first: F, sums: F) -> None:
    """Add to sums, as `_with`, those of a row of several pairs (3, P)."""
    for k in range(now.shape[1]):
        at = 3
        for j in range(3):
            d = now[j, k] - first[j, k]
            sums[j, k] += d
            for m in range(j, 3):
                sums[at, k] += d * (now[m, k] - first[m, k])
                at += 1
            earlier = d - (now[j, k] - before[j, k])
            for m in range(3):
                sums[9 + 3 * j + m, k] += earlier * (now[m, k] - before[m, k])
