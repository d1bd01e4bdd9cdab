"""Readings of hidden states (see ``markov``): which is likeliest, since when, and how the states of
rate and BQX meet.

What needs the states of 1,440 rows stands apart from what needs the last one alone.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import hmm
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
def _run(p: F, duration: F, since: int, before: int) -> tuple[int, int]:
    """Rows for which the states (T, 3) have had the same largest one, after a run of ``since`` rows
    of a state ``before``; the last run and its state, -1 where there is none.
    """
    for row in range(len(p)):
        now = -1 if np.isnan(p[row, 0]) else _likeliest(p, row)
        since = since + 1 if now == before else 1
        before = now
        duration[row] = since if now >= 0 else np.nan
    return since, before


@kernel
def _durations(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Rows for which a state has been the likeliest: (T,), to 1,440.

    NaN until 1,440 rows of states are known.
    """
    rows, first = len(x), window + DAY - 2
    out, clean = np.full(rows, np.nan), clean_rows(x)
    begin = max(first - 2 * window, 0)
    known = begin + window - 1
    p = hmm.filtered(x[begin:], first_minute + begin, window, parameters)[window - 1 :]
    _run(p, out[known:], 0, -1)
    # The run that the first value belongs to has mostly begun a little before; if not, all rows
    # tell.
    if rows > first and out[first] == first - known + 1:
        earlier = hmm.filtered(x[:known], first_minute, window, parameters)[window - 1 :]
        since, before = _run(earlier, out[window - 1 : known], 0, -1)
        _run(p, out[known:], since, before)
    for row in range(rows):
        known_so_far = clean[row] > first and not np.isnan(out[row])
        out[row] = min(out[row], DAY) if known_so_far else np.nan
    return out


@kernel
def durations(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Rows for which the likeliest state has been so: (T, 1), to 1,440."""
    return _durations(x, first_minute, window, parameters).reshape(-1, 1)


@kernel
def states(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Six readings of the hidden state: (T, 6), see the outputs below."""
    rows = len(x)
    out = np.full((rows, 6), np.nan)
    p = hmm.filtered(x, first_minute, window, parameters)
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
def meeting(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Two readings of the hidden states of rate and BQX: (T, 2), see the outputs below."""
    rows, half = len(x), hmm.PARAMETERS
    out = np.full((rows, 2), np.nan)
    rate = hmm.filtered(x[:, 0].copy(), first_minute, window, parameters[:half])
    bqx = hmm.filtered(x[:, 1].copy(), first_minute, window, parameters[half:])
    rate_fresh, bqx_fresh = _fresh(rate), _fresh(bqx)
    for row in range(rows):
        same = 0.0
        for k in range(hmm.STATES):
            same += rate[row, k] * bqx[row, k]
        out[row, 0] = np.nan if np.isnan(same) else min(same, 1.0)
        if not np.isnan(rate_fresh[row] + bqx_fresh[row]):
            out[row, 1] = rate_fresh[row] == 1.0 and bqx_fresh[row] == 1.0
    return out


@kernel
def lead(x: F, first_minute: int, window: int, parameters: F) -> F:
    """Duration of the rate's state less that of BQX's: (T, 1)."""
    half = hmm.PARAMETERS
    rate = _durations(x[:, 0].copy(), first_minute, window, parameters[:half])
    bqx = _durations(x[:, 1].copy(), first_minute, window, parameters[half:])
    return (rate - bqx).reshape(-1, 1)


@kernel
def learn_both(x: F, first_minute: int) -> F:
    """Parameters of the models of two columns of moves, one after the other: (36,)."""
    out = np.empty(2 * hmm.PARAMETERS)
    for column in range(2):
        found = hmm.learn(x[:, column].copy(), first_minute)
        out[column * hmm.PARAMETERS : (column + 1) * hmm.PARAMETERS] = found
    return out
