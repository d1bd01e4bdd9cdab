"""Readings of hidden states (see ``markov``): which is likeliest, since when, and how the states of
rate and BQX meet.

What needs the states of 1,440 rows stands apart from what needs the last one alone.
"""

from functools import lru_cache

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import hmm, hmm_filter
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.sums import F
from bqx.market.sessions import DAY

WITHIN = 5
"""Rows within which both domains change state at once."""


@kernel
def _likeliest(p: F, row: int) -> int:
    """State of the largest probability, the first of equal ones."""
    two = 1 if p[row, 1] > p[row, 0] else 0
    return 2 if p[row, 2] > p[row, two] else two


@kernel
def known(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Probabilities of the states, and the moves that they are given: (T, 4)."""
    out = np.empty((len(x), hmm.STATES + 1))
    out[:, : hmm.STATES] = hmm_filter.filtered(x, first_minute, window, parameters)
    out[:, hmm.STATES] = x
    return out


@kernel
def held(states: F, first_minute: int, window: int) -> F:
    """Rows for which the likeliest of `known` states has been so: (T, 1), to 1,440.

    NaN until 1,440 rows of states are known.
    """
    out = np.full((len(states), 1), np.nan)
    clean, since, before = clean_rows(states[:, hmm.STATES].copy()), 0, -1
    for row in range(len(states)):
        now = -1 if np.isnan(states[row, 0]) else _likeliest(states, row)
        since = since + 1 if now == before else 1
        before = now
        if now >= 0 and clean[row] > window + DAY - 2:
            out[row, 0] = min(since, DAY)
    return out


@kernel
def durations(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Rows for which the likeliest state has been so: (T, 1), to 1,440."""
    return held(known(x, first_minute, window, parameters), first_minute, window)


@kernel
def states(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Six readings of the hidden state: (T, 6), see the outputs below."""
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    p = hmm_filter.filtered(x, first_minute, window, parameters)
    matrix = parameters[hmm.MATRIX : hmm.MEAN].reshape((hmm.STATES, hmm.STATES))
    out[:, :3] = p
    for row in range(rows):
        if np.isnan(p[row, 0]):
            continue
        likeliest = _likeliest(p, row)
        stays = persists = entropy = 0.0
        for k in range(hmm.STATES):
            stays += p[row, k] * matrix[k, likeliest]
            persists += p[row, k] * matrix[k, k]
            entropy -= p[row, k] * np.log(p[row, k]) if p[row, k] > 0.0 else 0.0
        out[row, 3] = max(1.0 - stays, 0.0)
        out[row, 4], out[row, 5] = max(entropy, 0.0), min(persists, 1.0)
    return out


@kernel
def _fresh(p: F) -> F:
    """Whether the likeliest of states (T, 3) has changed within 5 rows, if all are known: (T,)."""
    out = np.full(len(p), np.nan)
    since, known, before = 0, 0, -1
    for row in range(len(p)):
        now = -1 if np.isnan(p[row, 0]) else _likeliest(p, row)
        known = known + 1 if now >= 0 else 0
        since, before = since + 1 if now == before else 1, now
        if known >= WITHIN:
            out[row] = since < WITHIN
    return out


@kernel
def known_of_both(x: F, first_minute: int, window: int, parameters: F) -> F:
    """What is `known` of rate and of BQX: (T, 2) -> (T, 8)."""
    half, columns = hmm.PARAMETERS, hmm.STATES + 1
    out = np.empty((len(x), 2 * columns))
    out[:, :columns] = known(x[:, 0].copy(), first_minute, window, parameters[:half])
    out[:, columns:] = known(x[:, 1].copy(), first_minute, window, parameters[half:])
    return out


@kernel
def met(both: F, first_minute: int, window: int) -> F:
    """Two readings of what is known of rate and BQX: (T, 2), see `meeting`."""
    rate, bqx = both[:, : hmm.STATES], both[:, hmm.STATES + 1 : -1]
    out = np.full((len(both), 2), np.nan)
    rate_fresh, bqx_fresh = _fresh(rate), _fresh(bqx)
    for row in range(len(both)):
        same = 0.0
        for k in range(hmm.STATES):
            same += rate[row, k] * bqx[row, k]
        out[row, 0] = np.nan if np.isnan(same) else min(same, 1.0)
        if not np.isnan(rate_fresh[row] + bqx_fresh[row]):
            out[row, 1] = rate_fresh[row] == 1.0 and bqx_fresh[row] == 1.0
    return out


@kernel
def meeting(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Two readings of the hidden states of rate and BQX: (T, 2), see the outputs below."""
    return met(known_of_both(x, first_minute, window, parameters), first_minute, window)


@kernel
def later(both: F, first_minute: int, window: int) -> F:
    """Duration of the rate's state less that of BQX's, of what is known of both: (T, 1)."""
    rate = held(both[:, : hmm.STATES + 1], first_minute, window)
    return rate - held(both[:, hmm.STATES + 1 :], first_minute, window)


@kernel
def lead(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Duration of the rate's state less that of BQX's: (T, 1)."""
    return later(known_of_both(x, first_minute, window, parameters), first_minute, window)


@lru_cache(maxsize=16)
def _learnt(moves: bytes, first_minute: int) -> F:
    return np.asarray(hmm.learn(np.frombuffer(moves), first_minute))


def learn(x: F, first_minute: int) -> F:
    """Parameters of the model of moves: (18,), see `hmm.learn`.

    What was learnt last is remembered: rate and BQX are asked for alone, and for both together.
    """
    return _learnt(x.tobytes(), first_minute).copy()


def learn_both(x: F, first_minute: int) -> F:
    """Parameters of the models of two columns of moves, one after the other: (36,)."""
    return np.concatenate([learn(column, first_minute) for column in x.T])
