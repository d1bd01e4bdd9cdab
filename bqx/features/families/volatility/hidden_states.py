"""Readings of hidden states (see ``markov``): which is likeliest, since when, and how the states of
rate and BQX meet.

What needs the states of 1,440 rows stands apart from what needs the last one alone.
"""

from functools import lru_cache

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import hmm, hmm_filter
from bqx.features.rolling.sums import F
from bqx.market.sessions import DAY

WITHIN = 5
"""Rows within which both domains change state at once."""


_LIKELIEST, _SINCE, _KNOWN, _CLEAN, _NUMBERS = range(5)
"""Numbers that are counted from row to row: the likeliest state, rows for which it has been so,
those whose states are known, and those since a move that is missing; and how many they are."""

READINGS = 6
"""Outputs of `states`, before the duration among those of `go_on`."""


@kernel
def _none_counted() -> F:
    numbers = np.zeros(_NUMBERS)
    numbers[_LIKELIEST] = -1.0
    return numbers


@kernel
def _likeliest(p: F) -> int:
    """State of the largest probability, the first of equal ones; -1 where they are not known."""
    two = 1 if p[1] > p[0] else 0
    return -1 if np.isnan(p[0]) else 2 if p[2] > p[two] else two


@kernel
def _count(p: F, move: float, numbers: F) -> None:
    """Take in the states of a row, and the move that they are given."""
    now = _likeliest(p)
    numbers[_SINCE] = numbers[_SINCE] + 1.0 if now == numbers[_LIKELIEST] else 1.0
    numbers[_KNOWN] = numbers[_KNOWN] + 1.0 if now >= 0 else 0.0
    numbers[_CLEAN] = 0.0 if np.isnan(move) else numbers[_CLEAN] + 1.0
    numbers[_LIKELIEST] = now


@kernel
def _duration(numbers: F, window: int) -> float:
    """Rows for which the likeliest state has been so, to 1,440.

    NaN until 1,440 rows of states are known.
    """
    held = numbers[_KNOWN] > 0.0 and numbers[_CLEAN] > window + DAY - 2
    return min(numbers[_SINCE], float(DAY)) if held else np.nan


@kernel
def _fresh(numbers: F) -> float:
    """Whether the likeliest state has changed within 5 rows, if all of these are known."""
    changed = 1.0 if numbers[_SINCE] < WITHIN else 0.0
    return changed if numbers[_KNOWN] >= WITHIN else np.nan


@kernel
def durations(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Rows for which the likeliest state has been so: (T, 1), to 1,440."""
    out, numbers = np.empty((len(x), 1)), _none_counted()
    p = hmm_filter.filtered(x, first_minute, window, parameters)
    for row in range(len(x)):
        _count(p[row], x[row], numbers)
        out[row, 0] = _duration(numbers, window)
    return out


@kernel
def _read(p: F, matrix: F, out: F) -> None:
    """Fill the readings (6,) of a row's states."""
    out[:] = np.nan
    likeliest = _likeliest(p)
    if likeliest < 0:
        return
    stays = persists = entropy = 0.0
    for k in range(hmm.STATES):
        out[k] = p[k]
        stays += p[k] * matrix[hmm.STATES * k + likeliest]
        persists += p[k] * matrix[hmm.STATES * k + k]
        entropy -= p[k] * np.log(p[k]) if p[k] > 0.0 else 0.0
    out[3] = max(1.0 - stays, 0.0)
    out[4], out[5] = max(entropy, 0.0), min(persists, 1.0)


@kernel
def states(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Six readings of the hidden state: (T, 6), see the outputs below."""
    out = np.empty((len(x), READINGS))
    p = hmm_filter.filtered(x, first_minute, window, parameters)
    for row in range(len(x)):
        _read(p[row], parameters[hmm.MATRIX : hmm.MEAN], out[row])
    return out


@kernel
def begin(window: int, parameters: F) -> F:
    """State of `go_on`, before any row: that of the filter, then numbers."""
    return np.concatenate((hmm_filter.begin(window, parameters), _none_counted()))


@kernel
def go_on(x: F, first_minute: int, window: int, state: F) -> F:
    """Six readings and the duration of further rows: (T, 7); the state is then that after them."""
    out = np.empty((len(x), READINGS + 1))
    numbers, matrix = state[len(state) - _NUMBERS :], state[hmm.MATRIX : hmm.MEAN]
    p = hmm_filter.go_on(x, first_minute, window, state[: len(state) - _NUMBERS])
    for row in range(len(x)):
        _count(p[row], x[row], numbers)
        _read(p[row], matrix, out[row])
        out[row, READINGS] = _duration(numbers, window)
    return out


@kernel
def known_states(readings: F, first_minute: int, window: int) -> F:
    """Of what `go_on` gives the readings: (T, 6)."""
    return readings[:, :READINGS].copy()


@kernel
def known_durations(readings: F, first_minute: int, window: int) -> F:
    """Of what `go_on` gives the duration: (T, 1)."""
    return readings[:, READINGS:].copy()


@kernel
def _meet(p: F, q: F, moves: F, numbers: F, window: int, out: F) -> None:
    """Take in a row's states of rate and of BQX, and fill three readings of how they meet."""
    one, other = numbers[:_NUMBERS], numbers[_NUMBERS:]
    _count(p, moves[0], one)
    _count(q, moves[1], other)
    same = 0.0
    for k in range(hmm.STATES):
        same += p[k] * q[k]
    out[0] = np.nan if np.isnan(same) else min(same, 1.0)
    both = _fresh(one) + _fresh(other)
    out[1] = np.nan if np.isnan(both) else 1.0 if both == 2.0 else 0.0
    out[2] = _duration(one, window) - _duration(other, window)


@kernel
def _met(x: F, first_minute: int, window: int, parameters: F) -> F:
    out, numbers = np.empty((len(x), 3)), np.concatenate((_none_counted(), _none_counted()))
    half = hmm.PARAMETERS
    p = hmm_filter.filtered(x[:, 0].copy(), first_minute, window, parameters[:half])
    q = hmm_filter.filtered(x[:, 1].copy(), first_minute, window, parameters[half:])
    for row in range(len(x)):
        _meet(p[row], q[row], x[row], numbers, window, out[row])
    return out


@kernel
def meeting(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Two readings of the hidden states of rate and BQX: (T, 2), see the outputs below."""
    return _met(x, first_minute, window, parameters)[:, :2].copy()


@kernel
def lead(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Duration of the rate's state less that of BQX's: (T, 1)."""
    return _met(x, first_minute, window, parameters)[:, 2:].copy()


@kernel
def begin_both(window: int, parameters: F) -> F:
    """State of `go_on_both`, before any row: those of both filters, then numbers of both."""
    half = hmm.PARAMETERS
    one = hmm_filter.begin(window, parameters[:half])
    other = hmm_filter.begin(window, parameters[half:])
    return np.concatenate((one, other, _none_counted(), _none_counted()))


@kernel
def go_on_both(x: F, first_minute: int, window: int, state: F) -> F:
    """Three readings of further rows (T, 2): (T, 3); the state is then that after them."""
    out, half = np.empty((len(x), 3)), (len(state) - 2 * _NUMBERS) // 2
    p = hmm_filter.go_on(x[:, 0].copy(), first_minute, window, state[:half])
    q = hmm_filter.go_on(x[:, 1].copy(), first_minute, window, state[half : 2 * half])
    for row in range(len(x)):
        _meet(p[row], q[row], x[row], state[2 * half :], window, out[row])
    return out


@kernel
def known_meeting(readings: F, first_minute: int, window: int) -> F:
    """Of what `go_on_both` gives the first two: (T, 2)."""
    return readings[:, :2].copy()


@kernel
def known_lead(readings: F, first_minute: int, window: int) -> F:
    """Of what `go_on_both` gives the last: (T, 1)."""
    return readings[:, 2:].copy()


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
