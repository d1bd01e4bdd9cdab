"""Probabilities of a hidden Markov model's states (see ``hmm``), filtered forwards.

A row's probabilities come from the last rows alone, filtered from the stationary distribution on.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.hmm import MATRIX, MEAN, PARAMETERS, START, STATES, VARIANCE
from bqx.features.rolling.powers import exp2
from bqx.features.rolling.sums import F, first_block
from bqx.lanes import LANES, alike, load, store, where

Three = tuple[F, F, F]
Matrix = tuple[F, F, F, F, F, F, F, F, F]
"""Rows of eight matrices (3, 3), one after the other, kept in the processor's registers."""

_RESCALE = 16


@kernel
def _scaled(m: Matrix) -> Matrix:
    a, b, c, d, e, f, g, h, i = m
    total = a + b + c + d + e + f + g + h + i
    return (
        a / total, b / total, c / total, d / total, e / total, f / total, g / total, h / total,
        i / total,
    )  # fmt: skip


@kernel
def _times(x: Matrix, y: Matrix) -> Matrix:
    a, b, c, d, e, f, g, h, i = x
    p, q, r, s, t, u, v, w, z = y
    return (
        a * p + b * s + c * v, a * q + b * t + c * w, a * r + b * u + c * z,
        d * p + e * s + f * v, d * q + e * t + f * w, d * r + e * u + f * z,
        g * p + h * s + i * v, g * q + h * t + i * w, g * r + h * u + i * z,
    )  # fmt: skip


@kernel
def _step(matrix: Matrix, density: Three) -> Matrix:
    """What a move does: a transition, then the densities of the move under the states."""
    a, b, c, d, e, f, g, h, i = matrix
    p, q, r = density
    return a * p, b * q, c * r, d * p, e * q, f * r, g * p, h * q, i * r


@kernel
def _led(start: Three, product: Matrix) -> Three:
    """Weights of the states after a product of steps, from those before."""
    a, b, c, d, e, f, g, h, i = product
    x, y, z = start
    return x * a + y * d + z * g, x * b + y * e + z * h, x * c + y * f + z * i


@kernel
def _three(values: F, row: int) -> Three:
    """Of (n x 3 x 8) a row's: eight numbers of each state."""
    at = row * STATES * LANES
    return load(values, at), load(values, at + LANES), load(values, at + 2 * LANES)


@kernel
def _put(values: F, row: int, three: Three) -> None:
    at = row * STATES * LANES
    store(values, at, three[0])
    store(values, at + LANES, three[1])
    store(values, at + 2 * LANES, three[2])


@kernel
def _matrices(parameters: F) -> tuple[Matrix, Matrix]:
    """The transitions, and those that change nothing."""
    a, b, c, d, e, f, g, h, i = parameters[MATRIX:MEAN]
    nothing, whole = alike(0.0), alike(1.0)
    matrix = (
        alike(a), alike(b), alike(c), alike(d), alike(e), alike(f), alike(g), alike(h), alike(i),
    )  # fmt: skip
    return matrix, (whole, nothing, nothing, nothing, whole, nothing, nothing, nothing, whole)


@kernel
def _no_tails(window: int, parameters: F) -> F:
    """Weights before a block, of which those of no row before it alone are there."""
    tail = np.full((window + 1) * STATES * LANES, np.nan)
    first, second, third = parameters[START], parameters[START + 1], parameters[START + 2]
    _put(tail, 0, (alike(first), alike(second), alike(third)))
    return tail


@kernel
def _densities(
    x: F, start: int, window: int, of_block: tuple[int, int], parameters: F, out: F
) -> None:
    """Densities under the states, over the largest, of eight blocks side by side: (window x 3 x 8).

    ``start`` : first row of the first block. ``of_block`` : the rows of each that are filled, from
    first to last, NaN where there are none.
    """
    mean, variance = parameters[MEAN:VARIANCE], parameters[VARIANCE:PARAMETERS]
    constant, by = -0.5 * np.log2(variance), -0.5 / (np.log(2.0) * variance)
    moves = np.empty(LANES)
    for i in range(of_block[0], of_block[1]):
        for lane in range(LANES):
            row = start + lane * window + i
            moves[lane] = x[row] if 0 <= row < len(x) else np.nan
        move = load(moves, 0)
        d, e, f = move - mean[0], move - mean[1], move - mean[2]
        one = d * d * by[0] + constant[0]
        two = e * e * by[1] + constant[1]
        three = f * f * by[2] + constant[2]
        most = where(one > two, one, two)
        most = where(three > most, three, most)
        _put(out, i, (exp2(one - most), exp2(two - most), exp2(three - most)))


@kernel
def _tails(density: F, matrix: Matrix, one: Matrix, backs: int, tail: F) -> None:
    """Fill the weights before a block from those of windows that begin so many rows earlier, of
    which the first are there.
    """
    window, product = len(density) // (STATES * LANES), one
    for back in range(backs):
        product = _times(_step(matrix, _three(density, window - 1 - back)), product)
        if back % _RESCALE == 0:
            product = _scaled(product)
        _put(tail, back + 1, _led(_three(tail, 0), product))


@kernel
def _heads(density: F, matrix: Matrix, one: Matrix, ahead: int, tail: F) -> None:
    """Probabilities in the rows of blocks from the weights before them, in place of densities."""
    window, product = len(density) // (STATES * LANES), one
    for i in range(ahead):
        product = _times(product, _step(matrix, _three(density, i)))
        if i % _RESCALE == 0:
            product = _scaled(product)
        p, q, r = _led(_three(tail, window - 1 - i), product)
        every = p + q + r
        _put(density, i, (p / every, q / every, r / every))


@kernel
def filtered(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Probabilities of the states given the last ``window`` moves and no other: (T, 3).

    A window is a product of steps, taken in the two blocks of ``rolling.sums``, eight blocks at a
    time.
    """
    rows = len(x)
    out = np.full((rows, STATES), np.nan)
    matrix, one = _matrices(parameters)
    before, own = np.empty((2, window * STATES * LANES))
    tail = _no_tails(window, parameters)
    for start in range(first_block(first_minute, window), rows, window * LANES):
        last = start + min(LANES - 1, (rows - 1 - start) // window) * window
        backs, ahead = min(window, last), min(window, rows - start)
        _densities(x, start - window, window, (window - backs, window), parameters, before)
        _densities(x, start, window, (0, ahead), parameters, own)
        _tails(before, matrix, one, backs, tail)
        _heads(own, matrix, one, ahead, tail)
        for lane in range(LANES):
            first = start + lane * window
            for row in range(first, min(first + window, rows)):
                for state in range(STATES):
                    out[row, state] = own[((row - first) * STATES + state) * LANES + lane]
    return out


@kernel
def _kept(state: F, window: int) -> tuple[F, F, F, F]:
    """Parts of a state, see `begin`."""
    moves, tail = PARAMETERS, PARAMETERS + window
    product = tail + (window + 1) * STATES * LANES
    return state[:moves], state[moves:tail], state[tail:product], state[product:]


@kernel
def begin(window: int, parameters: F) -> F:
    """State of `go_on` before its first row.

    The parameters, moves of this block and of the one before, weights before this block, and the
    product of its steps: of eight alike lanes the first is read.
    """
    nothing = np.full(window + STATES * STATES * LANES, np.nan)
    tail = _no_tails(window, parameters)
    return np.concatenate((parameters, nothing[:window], tail, nothing[window:]))


@kernel
def go_on(x: F, first_minute: int, window: int, state: F) -> F:
    """What `filtered` gives of further rows: (T, 3); the state is then that after them."""
    out, at = np.empty((len(x), STATES)), np.empty(LANES)
    parameters, moves, tail, product = _kept(state, window)
    matrix, one = _matrices(parameters)
    density = np.empty(window * STATES * LANES)
    for row in range(len(x)):
        place = (first_minute + row) % window
        if place == 0:
            _densities(moves, 0, window, (0, window), parameters, density)
            _tails(density, matrix, one, window, tail)
            _store(product, one)
        moves[place] = x[row]
        _densities(moves, 0, window, (place, place + 1), parameters, density)
        steps = _times(_loaded(product), _step(matrix, _three(density, place)))
        if place % _RESCALE == 0:
            steps = _scaled(steps)
        _store(product, steps)
        three = _led(_three(tail, window - 1 - place), steps)
        every = three[0] + three[1] + three[2]
        for k in range(STATES):
            store(at, 0, three[k] / every)
            out[row, k] = at[0]
    return out


@kernel
def _loaded(product: F) -> Matrix:
    a, b, c = _three(product, 0)
    d, e, f = _three(product, 1)
    g, h, i = _three(product, 2)
    return a, b, c, d, e, f, g, h, i


@kernel
def _store(product: F, matrix: Matrix) -> None:
    a, b, c, d, e, f, g, h, i = matrix
    _put(product, 0, (a, b, c))
    _put(product, 1, (d, e, f))
    _put(product, 2, (g, h, i))
