"""Bayesian run lengths of a series, each over its last rows alone.

Runs have a normal-inverse-gamma prior of mean 0 and one row's weight, shape 1 and scale 1. What the
rows of a run make of it is known from their number, sum and sum of squares, hence the likelihood of
every run at every row. Detections that begin at different rows share these, and each keeps one
weight a run: that of all before it when it began.

Source: R. P. Adams and D. J. C. MacKay, Bayesian online changepoint detection (2007).
"""

from math import frexp, lgamma, log

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.powers import exp2, log2
from bqx.features.rolling.sums import F
from bqx.lanes import LANES, largest, load, smallest, store, total, where

HAZARD = 1.0 / 250.0
"""Probability of a change in a row, whatever went before."""

STEP = 20
"""Market minutes between the rows at which a detection of run lengths may begin."""

_NEW = HAZARD / (1.0 - HAZARD)

# Rows of a state, see `begin`.
_CONSTANT, _POWER, _SHARE, _LENGTH, _PLACE, _SUM, _SQUARES, _BEFORE, _WEIGHTS = *range(6), 7, 9, 11

# Numbers of a state: its scale, rows so far, those since the last NaN, the end of the runs, the
# power of two that has been taken out, and the likeliest run of each detection.
_SCALE, _ROWS, _CLEAN, _END, _TAKEN, _LIKELIEST = range(6)


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
def _shape(window: int) -> tuple[int, int, int]:
    """Runs that are kept, the length of a row of a state, and detections at once."""
    longest = window + STEP - 1
    runs = -(-longest // LANES) * LANES
    return runs, runs + LANES, (longest + STEP - 1) // STEP


@kernel
def begin(window: int, parameters: F) -> F:
    """State of `run_lengths` before its first row.

    Rows of as many runs and eight more. Of runs by their length, the longest first: the logarithm
    of what their likelihood has besides its scale, the scale's power, the share of the squared sum
    that is not the scale's, the length, not longer than the window, and the place. Then, by the row
    that they begin with, their sums, sums of squares and the power of two before them (two rows
    each, so that they seldom have to be moved), weights of each detection, and numbers.
    """
    runs, size, detections = _shape(window)
    state = np.zeros((_WEIGHTS + detections + 1, size))
    for i in range(runs):
        n = runs - i
        density = lgamma(1.0 + 0.5 * n) - 0.5 * log(n + 1.0) - 0.5 * n * log(2.0 * np.pi)
        state[_CONSTANT, i] = (density + n * np.log1p(-HAZARD)) / log(2.0)
        state[_POWER, i], state[_SHARE, i] = 1.0 + 0.5 * n, 1.0 / (n + 1.0)
        state[_LENGTH, i] = min(n, window)
    state[_PLACE] = np.arange(size)
    state[-1, _SCALE], state[-1, _END] = 1.0 / np.sqrt(parameters[0]), runs
    return state.reshape(-1)


@kernel
def _power_of(z: float) -> float:
    """Power of two near a density's inverse: taken out, it keeps likelihoods from under- and
    overflow, and being one it leaves their digits as they are.
    """
    return float((frexp(1.0 + z * z)[1]) // 2 + 1) if np.isfinite(z) else 0.0


@kernel
def _take(state: F, z: float, numbers: F, size: int, runs: int, likelihood: F) -> None:
    """Have a run begin with a value, all runs take it in, and fill their likelihoods (runs,)."""
    end = int(numbers[_END])
    if end == 2 * size:
        for row in (_SUM, _SQUARES, _BEFORE):
            kept = state[(row + 2) * size - runs + 1 : (row + 2) * size].copy()
            state[row * size : row * size + runs - 1] = kept
        end = runs - 1
    state[_SUM * size + end], state[_SQUARES * size + end] = 0.0, 0.0
    state[_BEFORE * size + end] = numbers[_TAKEN]
    numbers[_TAKEN] += _power_of(z)
    numbers[_END] = end + 1
    taken, square, first = numbers[_TAKEN], z * z, end + 1 - runs
    for i in range(0, runs, LANES):
        at = first + i
        sums = load(state, _SUM * size + at) + z
        squares = load(state, _SQUARES * size + at) + square
        store(state, _SUM * size + at, sums)
        store(state, _SQUARES * size + at, squares)
        scale = 1.0 + 0.5 * (squares - sums * sums * load(state, _SHARE * size + i))
        constant = load(state, i) + (taken - load(state, _BEFORE * size + at))
        store(likelihood, i, constant - load(state, _POWER * size + i) * log2(scale))
    # A loop of its own: the processor has more of short ones under way at once.
    for i in range(0, runs, LANES):
        store(likelihood, i, exp2(load(likelihood, i)))


@kernel
def _renew(
    state: F,
    likelihood: F,
    sizes: tuple[int, int],
    detections: tuple[int, int],
    ages: tuple[int, int],
) -> None:
    """Give the run that begins with the next row its weight in each detection: the probability of
    its beginning times the likelihood of the rows so far, the sum over the runs.

    ``sizes`` : runs, and the length of a row of the state. ``detections`` : the youngest and how
    many there are at once. ``ages`` : rows since the youngest began, and the end of those known.
    """
    (runs, size), (number, count), (youngest, end) = sizes, detections, ages
    for age in range(youngest, end, STEP):
        first, shortest = (_WEIGHTS + number) * size, runs - 1 - age
        if age == 0:
            state[first : first + size] = 0.0
            state[first] = 1.0
        every = load(state, first) * load(likelihood, shortest)
        for i in range(LANES, age + 1, LANES):
            every = every + load(state, first + i) * load(likelihood, shortest + i)
        state[first + age + 1] = _NEW * total(every)
        number = number - 1 if number > 0 else count - 1


@kernel
def _likeliest(state: F, first: int, likelihood: F, sizes: tuple[int, int, int]) -> float:
    """The run of the largest share, the longest of equal ones; sizes as in `_read`."""
    runs, size, age = sizes
    shortest = runs - 1 - age
    most = load(state, first) * load(likelihood, shortest)
    at = load(state, _PLACE * size)
    for i in range(LANES, age + 1, LANES):
        share = load(state, first + i) * load(likelihood, shortest + i)
        at = where(share > most, load(state, _PLACE * size + i), at)
        most = where(share > most, share, most)
    return smallest(where(most >= largest(most), at, float(runs)))


@kernel
def _read(
    state: F, first: int, likelihood: F, sizes: tuple[int, int, int], likely: float, out: F
) -> None:
    """Fill the four readings (4,) of a row of a detection, see `run_lengths`.

    ``sizes`` : runs, the length of a row of the state, and rows since the detection began.
    """
    runs, size, age = sizes
    shortest = runs - 1 - age
    shares = load(state, first) * 0.0
    lengths = later = shares
    for i in range(0, age + 1, LANES):
        share = load(state, first + i) * load(likelihood, shortest + i)
        lengths = lengths + share * load(state, _LENGTH * size + shortest + i)
        shares = shares + share
        later = later + where(load(state, _PLACE * size + i) > likely, share, 0.0)
    every = total(shares)
    out[0] = total(lengths) / every
    out[1] = state[first + age] * likelihood[runs - 1] / every
    out[2] = state[first + int(likely)] * likelihood[shortest + int(likely)] / every
    out[3] = min(total(later) / every, 1.0)


@kernel
def go_on(x: F, first_minute: int, window: int, state: F) -> F:
    """Readings of further rows (T, 4), see `run_lengths`; the state is then that after them."""
    rows, longest = len(x), window + STEP - 1
    runs, size, detections = _shape(window)
    numbers, out = state[(_WEIGHTS + detections) * size :], np.full((rows, 4), np.nan)
    likelihood = np.zeros(size)
    for row in range(rows):
        minute = first_minute + row
        _take(state, x[row] * numbers[_SCALE], numbers, size, runs, likelihood)
        numbers[_ROWS] = min(numbers[_ROWS] + 1.0, float(longest))
        numbers[_CLEAN] = 0.0 if np.isnan(x[row]) else numbers[_CLEAN] + 1.0
        youngest, known = minute % STEP, int(numbers[_ROWS])
        number, ages = minute // STEP % detections, (youngest, known)
        _renew(state, likelihood, (runs, size), (number, detections), ages)
        for age in range(window - 2 + (youngest - window + 2) % STEP, known, STEP):
            number = (minute - age) // STEP % detections
            first, sizes = (_WEIGHTS + number) * size, (runs, size, age)
            if age >= window - 1 and numbers[_CLEAN] >= longest:
                likely = numbers[_LIKELIEST + number]
                _read(state, first, likelihood, sizes, likely, out[row])
            numbers[_LIKELIEST + number] = _likeliest(state, first, likelihood, sizes)
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
