"""Jumps: moves beyond a multiple of the deviation of the 60 log returns strictly before them."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.volatility.trend_states import LONG, SHORT
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.going_on import (
    deviation_of,
    deviation_with,
    put,
    room_for,
    size_of_room,
)
from bqx.features.rolling.returns import log_returns, return_from
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import count, deviation
from bqx.market.sessions import DAY

BEFORE = 60
"""Returns whose deviation a jump is measured by."""

JUMP, SMALLER_JUMP = 3.0, 2.5
"""Deviations beyond which a return is a jump."""


@kernel
def sigma_before(returns: F, first_minute: int) -> F:
    """Deviation of the 60 returns before each row: (T,)."""
    out = np.full(len(returns), np.nan)
    out[1:] = deviation(returns, BEFORE, first_minute)[:-1]
    return out


@kernel
def _jump(out: F, move: float, sigma: float) -> None:
    """Flags of a return beyond 2.5 and 3 deviations, direction and size into a row of four."""
    size = abs(move)
    if np.isnan(size) or np.isnan(sigma):
        return
    out[0], out[1] = size > SMALLER_JUMP * sigma, size > JUMP * sigma
    out[2] = np.sign(move) * out[1]
    if sigma > 0.0:
        out[3] = size / sigma


@kernel
def _jumped(x: F, first_minute: int) -> F:
    """Flags of returns beyond 2.5 and 3 deviations, direction and size: (T, 4)."""
    rows = len(x)
    out = np.full((rows, 4), np.nan)
    returns = log_returns(x)
    sigma = sigma_before(returns, first_minute)
    for row in range(rows):
        _jump(out[row], returns[row], sigma[row])
    return out


@kernel
def _since_jumps(jumped: F, first_minute: int) -> F:
    rows, out = len(jumped), np.full((len(jumped), 8), np.nan)
    flags = jumped[:, 1].copy()
    out[:, :2], out[:, 5:7] = jumped[:, :2], jumped[:, 2:]
    out[:, 2] = count(flags, SHORT)
    out[:, 3] = count(flags, LONG)
    clean = clean_rows(flags)
    since = DAY
    for row in range(rows):
        since = 0 if flags[row] == 1.0 else min(since + 1, DAY)
        if clean[row] >= DAY:
            out[row, 4] = since
        if clean[row] >= SHORT:
            out[row, 7] = _faded(since)
    return out


@kernel
def _faded(since: float) -> float:
    return np.exp(-since / SHORT) if since < SHORT else 0.0


_BEFORE, _SIGMA, _SINCE, _CLEAN, _NUMBERS = range(5)
"""Numbers of a state: the value and the deviation before, rows since the last jump, and since the
last gap."""


def begin() -> F:
    """State of `go_on`: the last flags, numbers, and that of the deviation."""
    numbers = np.array([np.nan, np.nan, DAY, 0.0])
    return np.concatenate((room_for(LONG), numbers, deviation_of(BEFORE)))


@kernel
def go_on(x: F, first_minute: int, state: F) -> F:
    """What `jumps` gives, from the state of the rows before."""
    out, size = np.full((len(x), 8), np.nan), size_of_room(LONG)
    now, jumped = state[size : size + _NUMBERS], np.empty(4)
    for row in range(len(x)):
        move = return_from(now[_BEFORE], x[row])
        jumped[:] = np.nan
        _jump(jumped, move, now[_SIGMA])
        now[_BEFORE] = x[row]
        now[_SIGMA] = deviation_with(move, first_minute + row, state[size + _NUMBERS :])
        flags = put(state[:size], jumped[1])
        now[_SINCE] = 0.0 if jumped[1] == 1.0 else min(now[_SINCE] + 1.0, float(DAY))
        now[_CLEAN] = now[_CLEAN] + 1.0 if jumped[1] == jumped[1] else 0.0
        out[row, :2], out[row, 5:7] = jumped[:2], jumped[2:]
        for k, window in ((2, SHORT), (3, LONG)):
            if now[_CLEAN] >= window:
                out[row, k] = flags[LONG - window :].sum()
        if now[_CLEAN] >= DAY:
            out[row, 4] = now[_SINCE]
        if now[_CLEAN] >= SHORT:
            out[row, 7] = _faded(now[_SINCE])
    return out


@kernel
def jumps(x: F, first_minute: int) -> F:
    """Eight readings of jumps: (T, 8), see the outputs below."""
    return _since_jumps(_jumped(x, first_minute), first_minute)
