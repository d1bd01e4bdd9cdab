"""Volatility of trailing bars: by ranges, by products of returns, and how it moves.

Source: Parkinson (1980); Garman and Klass (1980); Rogers and Satchell (1991); Yang and Zhang
(2000); Barndorff-Nielsen and Shephard (2004, 2006) for bipower variation and the jump test in its
ratio form; Amaya, Christoffersen, Jacobs and Vasquez (2015) for realized skewness.
"""

import math

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import changes, clean_rows
from bqx.features.rolling.exponential import ema
from bqx.features.rolling.powers import raised
from bqx.features.rolling.returns import logs
from bqx.features.rolling.standing import above
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import count, deviation, total, totals
from bqx.features.spec import OPEN
from bqx.market.sessions import DAY

HIGH = 0.67
"""Quantile of the last 1,440 values above which volatility is high."""

FAST, SLOW = 5, 20
"""Spans of the exponential means whose ratio is taken."""

_TRIPOWER = (2.0 ** (2.0 / 3.0) * math.gamma(7.0 / 6.0) / math.gamma(0.5)) ** -3.0
_JUMP_NOISE = math.pi**2 / 4.0 + math.pi - 5.0
_PARKINSON = 1.0 / (4.0 * math.log(2.0))
_KLASS = 2.0 * math.log(2.0) - 1.0


@kernel
def over_before(ohlc: F, close: F) -> F:
    """Log of open over the close before, and of high, low, close over the open: (T, 4), to 5e-16 of
    its size.
    """
    rows = len(ohlc)
    out = np.empty((4, rows))
    opened = ohlc[:, OPEN].copy()
    out[0, :1] = np.nan
    over, later = out[0, 1:], opened[1:]
    for row in range(len(over)):
        over[row] = later[row] / close[row]
    for k in range(1, 4):
        over, price = out[k], ohlc[:, k].copy()
        for row in range(rows):
            over[row] = price[row] / opened[row]
    for k in range(4):
        logs(out[k])
    return out.T


@kernel
def by_ranges(over: F, window: int, first_minute: int) -> F:
    """Four volatilities of bars given as log or plain differences: (T, 4).

    ``over`` (T, 4): open over the close before, and high, low, close over the open. Columns are
    Parkinson, Garman-Klass, Rogers-Satchell, Yang-Zhang.
    """
    rows = len(over)
    terms = np.empty((7, rows))
    for row in range(rows):
        gap, up, down, body = over[row, 0], over[row, 1], over[row, 2], over[row, 3]
        extent = up - down
        terms[0, row] = extent * extent
        terms[1, row] = 0.5 * extent * extent - _KLASS * body * body
        terms[2, row] = up * (up - body) + down * (down - body)
        terms[3, row], terms[4, row] = gap, gap * gap
        terms[5, row], terms[6, row] = body, body * body
    sums = totals(terms.T, window, first_minute).T
    out = np.empty((4, rows))
    share, free = 1.0 / window, 1.0 / (window - 1.0)
    k = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    for row in range(rows):
        satchell, gap, body = sums[2, row], sums[3, row], sums[5, row]
        out[0, row] = np.sqrt(sums[0, row] * share * _PARKINSON)
        out[1, row], out[2, row] = np.sqrt(sums[1, row] * share), np.sqrt(satchell * share)
        overnight, day = sums[4, row] - gap * gap * share, sums[6, row] - body * body * share
        overnight = (overnight if overnight > 0.0 else 0.0) * free
        day = (day if day > 0.0 else 0.0) * free
        whole = np.sqrt(overnight + k * day + (1.0 - k) * satchell * share)
        out[3, row] = whole if gap + body == gap + body else np.nan
    return out.T


@kernel
def by_products(returns: F, window: int, first_minute: int) -> F:
    """Six readings of returns: (T, 6).

    Bipower variance, quarticity, jump test, signed jump, skewness, volatility (root mean square).
    """
    rows, n = len(returns), float(window)
    terms, roots = np.empty((4, rows)), raised(np.abs(returns), 4.0 / 3.0)
    for row in range(rows):
        r = returns[row]
        square, sign = r * r, 1.0 if r > 0.0 else -1.0 if r < 0.0 else r
        terms[0, row], terms[1, row] = square, square * square
        terms[2, row], terms[3, row] = sign * square, square * r
    pairs, triples = np.empty(rows), np.empty(rows)
    pairs[:1], triples[:2] = np.nan, np.nan
    two, three = pairs[1:], triples[2:]
    later, root, newest = returns[1:], roots[1:], roots[2:]
    for row in range(len(two)):
        two[row] = abs(later[row] * returns[row])
    for row in range(len(three)):
        three[row] = newest[row] * root[row] * roots[row]
    sums = totals(terms.T, window, first_minute).T
    pairs = total(pairs, window - 1, first_minute)
    triples = total(triples, window - 2, first_minute)
    out = np.empty((6, rows))
    for row in range(rows):
        squares, nothing = sums[0, row], 0.0 if sums[0, row] == sums[0, row] else np.nan
        bipower = np.pi / 2.0 * (n / (n - 1.0)) * pairs[row] + nothing
        tripower = n * _TRIPOWER * (n / (n - 2.0)) * triples[row]
        over = tripower / (bipower * bipower)
        noise = over if bipower > 0.0 and over > 1.0 else 1.0
        share = (squares - bipower) / squares
        jump = share / np.sqrt(_JUMP_NOISE / n * noise)
        skew = np.sqrt(n) * sums[3, row] / (squares * np.sqrt(squares))
        out[0, row], out[1, row] = bipower, n / 3.0 * sums[1, row] + nothing
        out[2, row] = jump if squares > 0.0 else np.nan
        out[3, row], out[4, row] = sums[2, row] + nothing, skew if squares > 0.0 else np.nan
        out[5, row] = np.sqrt(squares / n)
    return out.T


@kernel
def high_state(volatility: F) -> F:
    """Whether volatility is above the 67th percentile of its last 1,440 values: (T,), 0 or 1."""
    return above(volatility, DAY, HIGH)


@kernel
def over_time(returns: F, volatility: F, window: int, first_minute: int) -> F:
    """How volatility itself moves: (T, 3).

    Its deviation over the window, its acceleration, fast over slow exponential volatility.
    """
    rows = len(returns)
    out = np.empty((3, rows))
    out[0] = deviation(volatility, window, first_minute)
    out[1] = changes(changes(volatility, window), window)
    squares = returns * returns
    fast, slow = ema(squares, FAST, first_minute), ema(squares, SLOW, first_minute)
    for row in range(rows):
        quick = 0.0 if fast[row] < 0.0 else fast[row]
        ratio = np.sqrt(quick / slow[row])
        out[2, row] = ratio if slow[row] > 0.0 else np.nan
    return out.T


@kernel
def mean_root(returns: F, window: int, first_minute: int) -> F:
    """Volatility (root mean square) over the window: (T,)."""
    return np.sqrt(total(returns * returns, window, first_minute) / float(window))


@kernel
def high_or_low(state: F) -> F:
    """The high state, rows in the present state (to 1,440), share of the last 1,440 rows that
    changed it: (T, 3).
    """
    rows = len(state)
    out = np.full((rows, 3), np.nan)
    out[:, 0] = state
    clean = clean_rows(state)
    flips = np.full(rows, np.nan)
    duration = 0
    for row in range(rows):
        duration = min(duration + 1, DAY) if clean[row] > 1 and state[row] == state[row - 1] else 1
        if clean[row] > 1:
            flips[row] = duration == 1
        if clean[row] >= DAY:
            out[row, 1] = duration
    out[:, 2] = count(flips, DAY - 1) / (DAY - 1.0)
    return out
