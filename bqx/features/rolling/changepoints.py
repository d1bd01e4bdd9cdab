"""Changes of a series: Bayesian run lengths and cumulative sums, each over its last rows alone.

Sources: R. P. Adams and D. J. C. MacKay, Bayesian online changepoint detection (2007); E. S. Page,
Continuous inspection schemes, Biometrika 41 (1954).
"""

from math import lgamma
from typing import Any

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F, mean_std
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
def _constants(factors: F, powers: F) -> None:
    """Fill the factors of the densities after runs of ``reach - 1`` to 0 rows, and their powers.

    ``factors`` (3, reach) : of a density besides its spread, of a square in the scale, of a step in
    the mean; ``powers`` (digits, reach) : the binary digits of the power ``n + 3`` of each run.
    """
    digits, longest = powers.shape
    for i in range(longest):
        n = longest - 1 - i
        gamma = lgamma(1.5 + 0.5 * n) - lgamma(1.0 + 0.5 * n)
        ratio = (1.0 + n) / (2.0 + n)
        factors[0, i] = np.exp(gamma) * np.sqrt(ratio / (2.0 * np.pi)) * (1.0 - HAZARD)
        factors[1, i], factors[2, i] = 0.5 * ratio, 1.0 / (2.0 + n)
        for digit in range(digits):
            powers[digit, i] = (n + 3) >> digit & 1


@kernel
def _density(z: float, mean: F, spread: F, tables: F, square: F, density: F) -> None:
    """Densities of a value after each run, times that of its growth; runs then take it in.

    A run has a normal-inverse-gamma prior of mean 0 and one row's weight, shape 1 and scale 1, so
    that its density is a Student's with whole degrees of freedom: the power of a quotient.
    ``mean`` and ``spread`` (root of the scale) of each run, the longest first; of ``tables``
    (factors, powers) they are the last ones.
    """
    none = tables.shape[1] - len(mean)
    whole, inner, step = tables[0, none:], tables[1, none:], tables[2, none:]
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
    for digit in range(3, len(tables)):
        power = tables[digit, none:]
        for i in range(len(mean)):
            density[i] *= square[i] if power[i] > 0.0 else 1.0
            square[i] *= square[i]


@kernel
def _densities(x: F, tables: F, runs: F, numbers: F, out: F) -> None:
    """Fill (n, reach) densities of rows, see `_density`; the runs take them in."""
    longest = out.shape[1]
    mean, spread = runs[:2].reshape(-1), runs[2:].reshape(-1)
    square, known, end = np.empty(longest), int(numbers[_ROWS]), int(numbers[_END])
    for row in range(len(x)):
        if end == len(mean):
            mean[: longest - 1], spread[: longest - 1] = mean[1 - longest :], spread[1 - longest :]
            end = longest - 1
        mean[end], spread[end] = 0.0, 1.0
        end, known = end + 1, min(known + 1, longest)
        # Runs that began before the first row are never asked for.
        none = longest - known
        of = slice(end - known, end)
        z = x[row] * numbers[_SCALE]
        _density(z, mean[of], spread[of], tables, square, out[row, none:])
    numbers[_ROWS], numbers[_END] = known, end


@kernel(fastmath={"reassoc", "nsz"})
def _total(w: F) -> float:
    # Added several abreast, in an order that the length alone decides.
    total = 0.0
    for i in range(len(w)):
        total += w[i]
    return total


@kernel
def _detect(age: int, w: F, sums: F, table: F, window: int, out: F) -> None:
    """Take a detection, begun so many rows ago, through rows; fill their readings (n, 4), where it
    has ``window`` rows.

    ``w`` : weights of the runs by the row they begin with; ``sums`` : that of these, and the
    likeliest; ``table`` (n, reach) : densities, the longest run first.
    """
    longest, densities = len(w), table.reshape(-1)
    if age == 0:
        w[0] = 1.0
    total, likely = sums[0] if age else 1.0, int(sums[1])
    new = HAZARD / (1.0 - HAZARD)
    for i in range(max(age, 1), min(age + len(out), longest)):
        row = i - age
        end = (row + 1) * longest - 1
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
            out[row, 0], out[row, 1] = length / total, w[i] / total
            out[row, 2] = w[likely] / total
            out[row, 3] = min(_total(w[likely + 1 : i + 1]) / total, 1.0)
        if i >= window - 2:
            likely = int(np.argmax(w[: i + 1]))
    sums[0], sums[1] = total, likely


_SCALE, _ROWS, _CLEAN, _END, _SUMS = range(5)
"""Numbers of a state: its scale, rows so far, those since the last NaN, the end of the runs, and
the sum and the likeliest run of each detection."""


@kernel
def _tables(window: int) -> tuple[int, int, int]:
    """Rows of a state's tables: digits of powers, detections at once, and all; see `begin`."""
    longest = window + STEP - 1
    digits, detections = int(np.log2(longest + 2)) + 1, (longest + STEP - 1) // STEP
    return digits, detections, 3 + digits + 4 + detections + 1


@kernel
def begin(window: int, parameters: F) -> F:
    """State of `run_lengths` before its first row.

    Rows of ``window + STEP - 1`` : factors (3), powers, means of runs by the row they begin with,
    their spreads (2 each, so that they seldom have to be moved), weights of detections, numbers.
    """
    longest = window + STEP - 1
    digits, _, count = _tables(window)
    state = np.zeros((count, longest))
    _constants(state[:3], state[3 : 3 + digits])
    state[-1, _SCALE], state[-1, _END] = 1.0 / np.sqrt(parameters[0]), longest - 1
    return state.reshape(-1)


@kernel
def go_on(x: F, first_minute: int, window: int, state: F) -> F:
    """Readings of further rows (T, 4), see `run_lengths`; the state is then that after them."""
    rows, longest = len(x), window + STEP - 1
    digits, detections, _ = _tables(window)
    parts, at = state.reshape(-1, longest), 3 + digits
    weights, numbers = parts[at + 4 : -1], parts[-1]
    sums = numbers[_SUMS : _SUMS + 2 * detections].reshape(detections, 2)
    out = np.full((rows, 4), np.nan)
    table = np.empty((min(rows, STEP), longest))
    # A detection that begins does so with the first row of a stretch.
    start, clean = 0, int(numbers[_CLEAN])
    while start < rows:
        minute = first_minute + start
        stop = min(start + STEP - minute % STEP, rows)
        known = min(int(numbers[_ROWS]) + 1, longest)
        _densities(x[start:stop], parts[:at], parts[at : at + 4], numbers, table)
        for age in range(minute % STEP, known, STEP):
            number = (minute - age) // STEP % detections
            _detect(age, weights[number], sums[number], table, window, out[start:stop])
        for row in range(start, stop):
            clean = 0 if np.isnan(x[row]) else clean + 1
            if clean < longest:
                out[row] = np.nan
        start = stop
    numbers[_CLEAN] = clean
    return out


@kernel
def run_lengths(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Four readings of the run that a row belongs to: (T, 4).

    Its expected length, the probability that it began with this row, that the likeliest run of
    the row before goes on, and that a shorter one has taken its place. A detection begins, with
    certainty of a new run, at the last market minute divisible by 20 that leaves ``window`` rows.
    ``parameters`` : mean square of the values, that scales the prior. Of order ``window`` a row.
    """
    return go_on(x, first_minute, window, begin(window, parameters))


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
