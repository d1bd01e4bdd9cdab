"""Regression over trailing windows, with its residuals and their return."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.products import Sums, keep, square_and_product_sums
from bqx.features.rolling.sums import F, first_block, square_sums
from bqx.features.rolling.tolerances import COLLINEAR

_NOTHING = (0.0,) * 18


@kernel
def residual_on_one(y: F, x: F, window: int, first_minute: int) -> F:
    """Last residual of ``y`` on ``x`` and a constant over each window: (T,), NaN for a flat one."""
    total, square, reference = square_sums(y, window, first_minute)
    total_x, square_x, reference_x, out = square_and_product_sums(y, x, window, first_minute)
    w = float(window)
    for row in range(len(y)):
        yy = square[row] - total[row] * total[row] / w
        xx = square_x[row] - total_x[row] * total_x[row] / w
        slope = (out[row] - total[row] * total_x[row] / w) / xx
        own = (y[row] - reference[row]) - total[row] / w
        residual = own - slope * ((x[row] - reference_x[row]) - total_x[row] / w)
        out[row] = residual if yy > 0.0 and xx > 0.0 else np.nan
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
    for start in range(first_block(first_minute, window), rows, window):
        total = _NOTHING
        for i in range(min(window, start)):
            total = _with(total, x, start, start - 1 - i)
            if start + window - i - 1 <= rows:  # else a window that ends later
                keep(tail, i, total)
        total = _NOTHING
        for row in range(start, min(start + window, rows)):
            total = _with(total, x, start, row)
            before = window - (row - start) - 1
            if before <= start:
                for k in range(len(sums)):
                    sums[k] = total[k] + tail[before - 1, k] if before else total[k]
                _solve(out, x, row, start, window, sums)
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
def _solve(out: F, x: F, row: int, start: int, window: int, sums: F) -> None:
    w = float(window)
    yy = sums[3] - sums[0] * sums[0] / w
    y1 = sums[4] - sums[0] * sums[1] / w
    y2 = sums[5] - sums[0] * sums[2] / w
    aa = sums[6] - sums[1] * sums[1] / w
    ab = sums[7] - sums[1] * sums[2] / w
    bb = sums[8] - sums[2] * sums[2] / w
    own = (x[row, 0] - x[start, 0]) - sums[0] / w
    first = (x[row, 1] - x[start, 1]) - sums[1] / w
    second = (x[row, 2] - x[start, 2]) - sums[2] / w
    det = aa * bb - ab * ab
    if not (yy > 0.0 and det > COLLINEAR * aa * bb):
        return
    c1, c2 = (y1 * bb - y2 * ab) / det, (y2 * aa - y1 * ab) / det
    last = own - c1 * first - c2 * second
    out[row, 0] = last
    rest = yy - c1 * y1 - c2 * y2
    if not rest > COLLINEAR * yy:
        return
    out[row, 1] = last / np.sqrt(rest / (w - 1.0))
    if row < window:
        return
    # The residual of the row before the window, under the window's terms.
    oldest = (x[row - window, 0] - x[start, 0]) - sums[0] / w
    oldest -= c1 * ((x[row - window, 1] - x[start, 1]) - sums[1] / w)
    oldest -= c2 * ((x[row - window, 2] - x[start, 2]) - sums[2] / w)
    drift = 0.0
    for j in range(3):
        left = 1.0 if j == 0 else -c1 if j == 1 else -c2
        for m in range(3):
            right = 1.0 if m == 0 else -c1 if m == 1 else -c2
            drift += left * right * sums[9 + 3 * j + m]
    drift -= (sums[0] - c1 * sums[1] - c2 * sums[2]) / w * (last - oldest)
    rate = drift / (rest - last * last + oldest * oldest)
    if -1.0 < rate < 0.0:
        out[row, 2] = -np.log(2.0) / np.log1p(rate)
