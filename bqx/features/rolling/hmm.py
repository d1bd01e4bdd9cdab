"""A hidden Markov model of three Gaussian states over moves: fitted once.

It is fitted on training rows by expectation and maximisation (Baum-Welch). Afterwards nothing is
smoothed (see ``hmm_filter``).

The observation is a move with its size. Since the size is a function of the move, the pair's
density is that of the move: two Gaussians side by side would count each move twice, and states
would last two minutes (measured on four pairs: they stay with 0.34 to 0.57 a row, against 0.82 to
0.97).

Source: L. R. Rabiner, A tutorial on hidden Markov models, Proceedings of the IEEE 77 (1989).
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling.sums import F

STATES = 3
START, MATRIX, MEAN, VARIANCE, PARAMETERS = 0, 3, 12, 15, 18
"""Where the parameters of a model stand, and how many there are."""

LEAST_ROWS = 500
"""Fewest moves that a model is fitted on."""

_ROUNDS, _GAIN = 300, 1e-7
# Least share of all variance that a state may have, since rows without a move are no state, and
# least probability of a transition.
_FLOOR, _RARE = 1e-3, 1e-5


@kernel
def stationary(matrix: F) -> F:
    """Distribution that a transition matrix (3, 3) leaves as it is: (3,)."""
    power, square = matrix.copy(), np.empty((STATES, STATES))
    for _ in range(40):  # of 2^40 steps
        for i in range(STATES):
            total = 0.0
            for j in range(STATES):
                square[i, j] = 0.0
                for k in range(STATES):
                    square[i, j] += power[i, k] * power[k, j]
                total += square[i, j]
            for j in range(STATES):
                square[i, j] /= total
        power[:] = square
    return power[0].copy()


@kernel
def likelihoods(x: F, mean: F, variance: F) -> tuple[F, F]:
    """Density of each value under the states, over the largest: (T, 3), and the largest's log."""
    rows = len(x)
    out, scale = np.empty((rows, STATES)), np.empty(rows)
    logs, constant = np.empty(STATES), -0.5 * np.log(variance)
    for row in range(rows):
        most = -np.inf
        for k in range(STATES):
            d = x[row] - mean[k]
            logs[k] = constant[k] - 0.5 * d * d / variance[k]
            most = max(most, logs[k])
        scale[row] = most
        for k in range(STATES):
            apart = logs[k] - most
            share = 1.0 if apart == 0.0 else np.exp(apart)
            out[row, k] = np.nan if np.isnan(x[row]) else share
    return out, scale


@kernel
def _maximise(x: F, states: F, chain: F, matrix: F, mean: F, variance: F, least: float) -> None:
    for k in range(STATES):
        weight = total = squares = 0.0
        for row in range(len(x)):
            weight += states[row, k]
            total += states[row, k] * x[row]
            squares += states[row, k] * x[row] * x[row]
        mean[k] = total / weight
        variance[k] = max(squares / weight - mean[k] * mean[k], least)
        total = chain[k, 0] + chain[k, 1] + chain[k, 2]
        for j in range(STATES):
            matrix[k, j] = (chain[k, j] / total + _RARE) / (1.0 + STATES * _RARE)


@kernel
def _expect(
    x: F, first: NDArray[np.bool_], states: F, chain: F, matrix: F, mean: F, variance: F
) -> float:
    """Expected states (T, 3) and transitions (3, 3) given all rows; returns the log likelihood."""
    density, scale = likelihoods(x, mean, variance)
    ahead, total = np.zeros((len(x), STATES)), np.zeros(len(x))
    start = stationary(matrix)
    likelihood = 0.0
    for row in range(len(x)):
        for j in range(STATES):
            value = start[j]
            if not first[row]:
                value = 0.0
                for i in range(STATES):
                    value += ahead[row - 1, i] * matrix[i, j]
            ahead[row, j] = value * density[row, j]
            total[row] += ahead[row, j]
        for j in range(STATES):
            ahead[row, j] /= total[row]
        likelihood += np.log(total[row]) + scale[row]
    chain[:] = 0.0
    behind, later = np.ones(STATES), np.empty(STATES)
    for row in range(len(x) - 1, -1, -1):
        for j in range(STATES):
            states[row, j] = ahead[row, j] * behind[j]
            later[j] = density[row, j] * behind[j] / total[row]
        for i in range(STATES):
            behind[i] = 1.0
            if not first[row]:
                behind[i] = 0.0
                for j in range(STATES):
                    share = matrix[i, j] * later[j]
                    behind[i] += share
                    chain[i, j] += ahead[row - 1, i] * share
    return likelihood


@kernel
def _ordered(matrix: F, mean: F, variance: F, scale: float) -> F:
    order = np.arange(STATES)
    for i in range(STATES):
        for j in range(i + 1, STATES):
            a, b = order[i], order[j]
            tie = variance[a] == variance[b] and abs(mean[a]) > abs(mean[b])
            if variance[a] > variance[b] or tie:
                order[i], order[j] = b, a
    out = np.empty(PARAMETERS)
    start = stationary(matrix)
    for i in range(STATES):
        k = order[i]
        out[START + i], out[MEAN + i] = start[k], mean[k] * scale
        out[VARIANCE + i] = variance[k] * scale * scale
        for j in range(STATES):
            out[MATRIX + STATES * i + j] = matrix[k, order[j]]
    return out


@kernel
def learn(moves: F, first_minute: int) -> F:
    """Parameters of the model, (18,): start, transitions, means and variances of the states.

    States are ordered by variance, then by the size of their mean: calm, trend, shock. Rows after
    a hole start anew. The same rows always give the same parameters, since the search begins at
    the smallest half, the next two fifths and the largest tenth of the moves. NaN where there are
    fewer than 500 moves, or none but 0.
    """
    finite = ~np.isnan(moves)
    x = moves[finite]
    scale = np.sqrt((x * x).mean()) if len(x) else 0.0
    if len(x) < LEAST_ROWS or not scale > 0.0:
        return np.full(PARAMETERS, np.nan)
    first = np.ones(len(moves), dtype=np.bool_)
    first[1:] = ~finite[:-1]
    first = first[finite]
    x = x / scale
    ranked = np.sort(np.abs(x))
    half, most = ranked[len(x) // 2], ranked[9 * len(x) // 10]
    states = np.zeros((len(x), STATES))
    for row in range(len(x)):
        states[row, int(abs(x[row]) > half) + int(abs(x[row]) > most)] = 1.0
    if not (half < most and most < ranked[-1]):
        return np.full(PARAMETERS, np.nan)
    matrix, mean, variance = np.empty((STATES, STATES)), np.empty(STATES), np.empty(STATES)
    chain = np.full((STATES, STATES), 0.05) + 0.85 * np.eye(STATES)
    before = -np.inf
    for _ in range(_ROUNDS):
        _maximise(x, states, chain, matrix, mean, variance, _FLOOR)
        likelihood = _expect(x, first, states, chain, matrix, mean, variance)
        if not likelihood - before > _GAIN * len(x):
            break
        before = likelihood
    return _ordered(matrix, mean, variance, scale)
