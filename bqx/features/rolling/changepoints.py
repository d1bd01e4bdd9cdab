"""Changes of a series: Bayesian run lengths and cumulative sums, each over its last rows alone.

Sources: R. P. Adams and D. J. C. MacKay, Bayesian online changepoint detection (2007); E. S. Page,
Continuous inspection schemes, Biometrika 41 (1954).
"""

from math import lgamma
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.sums import F, first_block, mean_std
from bqx.features.rolling.tolerances import FORGOTTEN

HAZARD = 1.0 / 250.0
"""Probability of a change in a row, whatever went before."""

STEP = 20
"""Market minutes between the rows at which a detection of run lengths may begin."""

DRIFT, ALARM = 0.5, 5.0
"""Allowance of a cumulative sum a row, and the level from which it is an alarm, in sigma."""

_ABREAST = 64


@kernel
def mean_square(x: F, first_minute: int) -> F:
    """Mean square of the rows that have a value: (1,), NaN where it is 0."""
    total, count = 0.0, 0
    for value in x:
        if not np.isnan(value):
            total += value * value
            count += 1
    return np.array([total / count if total > 0.0 else np.nan])


@kernel
def _constants(longest: int) -> tuple[F, NDArray[np.bool_]]:
    """Factors of the densities after runs of ``reach - 1`` to 0 rows, (3, reach), and powers.

    The factors of a density besides its spread, of a square in the scale, of a step in the mean;
    the binary digits of the power ``n + 3`` of each run, (digits, reach).
    """
    factors = np.empty((3, longest))
    digits = int(np.log2(longest + 2)) + 1
    powers = np.zeros((digits, longest), dtype=np.bool_)
    for i in range(longest):
        n = longest - 1 - i
        gamma = lgamma(1.5 + 0.5 * n) - lgamma(1.0 + 0.5 * n)
        ratio = (1.0 + n) / (2.0 + n)
        factors[0, i] = np.exp(gamma) * np.sqrt(ratio / (2.0 * np.pi)) * (1.0 - HAZARD)
        factors[1, i], factors[2, i] = 0.5 * ratio, 1.0 / (2.0 + n)
        for digit in range(digits):
            powers[digit, i] = (n + 3) >> digit & 1 == 1
    return factors, powers


@kernel
def _densities(
    z: float, mean: F, spread: F, factors: F, powers: NDArray[np.bool_], square: F, out: F
) -> None:
    """Densities of a value after each run, times that of its growth; runs then take it in.

    A run has a normal-inverse-gamma prior of mean 0 and one row's weight, shape 1 and scale 1, so
    that its density is a Student's with whole degrees of freedom: the power of a quotient.
    ``mean`` and ``spread`` (root of the scale) of each run, the longest first; of ``factors``,
    ``powers`` and ``out`` they are the last ones.
    """
    none = len(out) - len(mean)
    whole, inner, step = factors[0, none:], factors[1, none:], factors[2, none:]
    density = out[none:]
    # One loop over fewer arrays each: over more, the compiler makes no vector instructions.
    for i in range(len(mean)):
        d = z - mean[i]
        square[i] = np.sqrt(spread[i] * spread[i] + inner[i] * d * d)
    for i in range(len(mean)):
        density[i] = whole[i] / spread[i]
    for i in range(len(mean)):
        mean[i] += (z - mean[i]) * step[i]
    for i in range(len(mean)):
        after = square[i]
        square[i] = spread[i] / after
        spread[i] = after
    for digit in range(len(powers)):
        power = powers[digit, none:]
        for i in range(len(mean)):
            density[i] *= square[i] if power[i] else 1.0
            square[i] *= square[i]


@kernel(fastmath={"reassoc", "nsz"})
def _total(w: F) -> float:
    # Added several abreast, in an order that the length alone decides.
    total = 0.0
    for i in range(len(w)):
        total += w[i]
    return total


@kernel
def _detect(table: F, start: int, rows: int, window: int, out: F) -> None:
    """Readings of rows ``start + window - 1`` on, by a detection that begins at ``start``."""
    longest, densities = len(table), table.reshape(-1)
    w = np.zeros(longest)
    w[0] = total = 1.0
    likely = 0
    new = HAZARD / (1.0 - HAZARD)
    for i in range(1, min(longest, rows - start)):
        end = ((start + i) % longest + 1) * longest - 1
        share, first = 1.0 / total, np.uint64(end - i)
        # Without a slice, which costs more than short runs do.
        for j in range(i):
            value = w[j] * (densities[first + np.uint64(j)] * share)
            w[j] = 0.0 if value < FORGOTTEN else value
        w[i] = new * densities[end]
        total = _total(w[: i + 1])
        if i >= window - 1:
            length = 0.0
            for j in range(i + 1):
                length += w[j] * min(i + 1 - j, window)
            row = start + i
            out[row, 0], out[row, 1] = length / total, w[i] / total
            out[row, 2] = w[likely] / total
            out[row, 3] = min(_total(w[likely + 1 : i + 1]) / total, 1.0)
        if i >= window - 2:
            likely = int(np.argmax(w[: i + 1]))


@kernel
def run_lengths(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Four readings of the run that a row belongs to: (T, 4).

    Its expected length, the probability that it began with this row, that the likeliest run of
    the row before goes on, and that a shorter one has taken its place. A detection begins, with
    certainty of a new run, at the last market minute divisible by 20 that leaves ``window`` rows.
    ``parameters`` : mean square of the values, that scales the prior. Of order ``window`` a row.
    """
    rows, longest = len(x), window + STEP - 1
    out = np.full((rows, 4), np.nan)
    scale = 1.0 / np.sqrt(parameters[0])
    factors, powers = _constants(longest)
    table, square = np.empty((longest, longest)), np.empty(longest)
    # Runs by the row they begin with; the room is longer, so that they seldom have to be moved.
    mean, spread = np.full(8 * longest, np.nan), np.full(8 * longest, np.nan)
    end = longest - 1
    at = first_block(first_minute, STEP)
    clean = clean_rows(x)
    for row in range(rows):
        if end == len(mean):
            mean[: longest - 1], spread[: longest - 1] = mean[1 - longest :], spread[1 - longest :]
            end = longest - 1
        mean[end], spread[end] = 0.0, 1.0
        end += 1
        # Runs that began before the first row are never asked for.
        runs = slice(end - min(row + 1, longest), end)
        z, densities = x[row] * scale, table[row % longest]
        _densities(z, mean[runs], spread[runs], factors, powers, square, densities)
        start = row - longest + 1
        if start >= 0 and (start - at) % STEP == 0:
            _detect(table, start, row + 1, window, out)
    for start in range(max(rows - longest + 1, 0), rows - window + 1):
        if (start - at) % STEP == 0:
            _detect(table, start, rows, window, out)
    for row in range(rows):
        if clean[row] < longest:
            out[row] = np.nan
    return out


@kernel
def _higher(total: float, most: float, at: float, step: float, back: float) -> Any:
    """A sum one step further, the largest so far and how many rows back that is."""
    total += step
    return total, total if total > most else most, back if total > most else at


@kernel
def _sums(x: F, start: int, window: int, std: F, room: F) -> None:
    """Sums upwards and downwards over the windows that end at rows from ``start`` on.

    ``room`` (6 x 64) : the sums, the largest of each, and the rows back to these. Four rows back at
    a time, so that it is seldom read and written.
    """
    for i in range(0, window, 4):
        values, back = x[start - i - 3 :], float(i)
        for k in range(len(std)):
            drift = DRIFT * std[k]
            three, two, one, now = values[k], values[k + 1], values[k + 2], values[k + 3]
            up, most, risen = room[k], room[k + 128], room[k + 256]
            up, most, risen = _higher(up, most, risen, now - drift, back + 1.0)
            up, most, risen = _higher(up, most, risen, one - drift, back + 2.0)
            up, most, risen = _higher(up, most, risen, two - drift, back + 3.0)
            up, most, risen = _higher(up, most, risen, three - drift, back + 4.0)
            room[k], room[k + 128], room[k + 256] = up, most, risen
            down, least, fallen = room[k + 64], room[k + 192], room[k + 320]
            down, least, fallen = _higher(down, least, fallen, -(now + drift), back + 1.0)
            down, least, fallen = _higher(down, least, fallen, -(one + drift), back + 2.0)
            down, least, fallen = _higher(down, least, fallen, -(two + drift), back + 3.0)
            down, least, fallen = _higher(down, least, fallen, -(three + drift), back + 4.0)
            room[k + 64], room[k + 192], room[k + 320] = down, least, fallen


@kernel
def cumulative(x: F, first_minute: int, memory: int, window: int) -> F:
    """Cumulative sum of the last ``window`` values beyond the allowance: (T, 3).

    The larger of the sums upwards and (then negative) downwards, started from 0, in deviations
    (ddof 1) of the last ``memory`` values, not fewer than ``window``; whether it is an alarm; rows
    since it was 0. The allowance is that of the row itself, hence of order ``window`` a row, which
    is a multiple of four.
    """
    rows = len(x)
    out = np.full((rows, 3), np.nan)
    std = mean_std(x, memory, first_minute, 1)[1]
    # Rows side by side, so that one's additions need not wait for one another.
    room = np.empty(6 * _ABREAST)
    for start in range(window - 1, rows, _ABREAST):
        deviations = std[start : start + _ABREAST]
        if not np.nanmax(deviations) > 0.0:
            continue
        room[:] = 0.0
        _sums(x, start, window, deviations, room)
        for i in range(len(deviations)):
            if not deviations[i] > 0.0:
                continue
            most, least, risen, fallen = room[i + 128], room[i + 192], room[i + 256], room[i + 320]
            out[start + i, 0] = (most if most >= least else -least) / deviations[i]
            out[start + i, 1] = abs(out[start + i, 0]) > ALARM
            out[start + i, 2] = risen if most >= least else fallen
    return out
