"""Jumps: moves beyond a multiple of the deviation of the 60 log returns strictly before them."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.volatility.trend_states import LONG, SHORT
from bqx.features.rolling.abreast import deviation_of, deviation_with
from bqx.features.rolling.ago import clean_rows
from bqx.features.rolling.returns import log_returns, returns_from
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
    return np.concatenate((np.full(LONG, np.nan), numbers, deviation_of(BEFORE)))


@kernel
def go_on(x: F, minute: int, state: F) -> F:
    """What `jumps` gives of a row (1, P), from the states of the rows before: (8, P)."""
    out, jumped = np.full((8, x.shape[1]), np.nan), np.empty(4)
    flags, now = state[:LONG], state[LONG : LONG + _NUMBERS]
    move = returns_from(now[_BEFORE], x[0])
    for k in range(len(move)):
        jumped[:] = np.nan
        _jump(jumped, move[k], now[_SIGMA, k])
        flags[minute % LONG, k], is_jump = jumped[1], jumped[1] == 1.0
        now[_SINCE, k] = 0.0 if is_jump else min(now[_SINCE, k] + 1.0, float(DAY))
        now[_CLEAN, k] = now[_CLEAN, k] + 1.0 if jumped[1] == jumped[1] else 0.0
        out[:2, k], out[5:7, k] = jumped[:2], jumped[2:]
        for place, window in ((2, SHORT), (3, LONG)):
            if now[_CLEAN, k] >= window:
                out[place, k] = 0.0
                for back in range(window):
                    out[place, k] += flags[(minute - back) % LONG, k]
        if now[_CLEAN, k] >= DAY:
            out[4, k] = now[_SINCE, k]
        if now[_CLEAN, k] >= SHORT:
            out[7, k] = _faded(now[_SINCE, k])
    now[_BEFORE] = x[0]
    deviation_with(move, minute, BEFORE, state[LONG + _NUMBERS :], now[_SIGMA])
    return out


@kernel
def jumps(x: F, first_minute: int) -> F:
    """Eight readings of jumps: (T, 8), see the outputs below."""
    return _since_jumps(_jumped(x, first_minute), first_minute)
