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
    """Log of open over the close before, and of high, low, close over the open: (T, 4)."""
    out = np.full((len(ohlc), 4), np.nan)
    for row in range(len(ohlc)):
        if row:
            out[row, 0] = np.log(ohlc[row, OPEN] / close[row - 1])
        for k in range(1, 4):
            out[row, k] = np.log(ohlc[row, k] / ohlc[row, OPEN])
    return out


@kernel
def by_ranges(over: F, window: int, first_minute: int) -> F:
    """Four volatilities of bars given as log or plain differences: (T, 4).

    ``over`` (T, 4): open over the close before, and high, low, close over the open. Columns are
    Parkinson, Garman-Klass, Rogers-Satchell, Yang-Zhang.
    """
    rows = len(over)
    terms = np.empty((rows, 7))
    for row in range(rows):
        gap, up, down, body = over[row]
        extent = up - down
        terms[row, 0] = extent * extent
        terms[row, 1] = 0.5 * extent * extent - _KLASS * body * body
        terms[row, 2] = up * (up - body) + down * (down - body)
        terms[row, 3], terms[row, 4] = gap, gap * gap
        terms[row, 5], terms[row, 6] = body, body * body
    sums = totals(terms, window, first_minute)
    out = np.full((rows, 4), np.nan)
    share, free = 1.0 / window, 1.0 / (window - 1.0)
    k = 0.34 / (1.34 + (window + 1.0) / (window - 1.0))
    for row in range(rows):
        extent, klass, satchell, gap, gaps, body, bodies = sums[row]
        out[row, 0] = np.sqrt(extent * share * _PARKINSON)
        out[row, 1] = np.sqrt(klass * share)
        out[row, 2] = np.sqrt(satchell * share)
        if not np.isnan(gap + body):
            overnight = max(gaps - gap * gap * share, 0.0) * free
            day = max(bodies - body * body * share, 0.0) * free
            out[row, 3] = np.sqrt(overnight + k * day + (1.0 - k) * satchell * share)
    return out


@kernel
def by_products(returns: F, window: int, first_minute: int) -> F:
    """Six readings of returns: (T, 6).

    Bipower variance, quarticity, jump test, signed jump, skewness, volatility (root mean square).
    """
    rows = len(returns)
    out = np.full((rows, 6), np.nan)
    terms = np.empty((rows, 4))
    pairs, triples = np.full(rows, np.nan), np.full(rows, np.nan)
    powers = np.empty(rows)
    for row in range(rows):
        r = returns[row]
        square = r * r
        terms[row, 0], terms[row, 1] = square, square * square
        terms[row, 2], terms[row, 3] = np.sign(r) * square, square * r
        powers[row] = abs(r) * np.cbrt(abs(r))
        if row >= 1:
            pairs[row] = abs(r * returns[row - 1])
        if row >= 2:
            triples[row] = powers[row] * powers[row - 1] * powers[row - 2]
    sums = totals(terms, window, first_minute)
    pairs = total(pairs, window - 1, first_minute)
    triples = total(triples, window - 2, first_minute)
    n = float(window)
    for row in range(rows):
        squares, fourths, signed, cubes = sums[row]
        if np.isnan(squares):
            continue
        bipower = np.pi / 2.0 * (n / (n - 1.0)) * pairs[row]
        out[row, 0] = bipower
        out[row, 1] = n / 3.0 * fourths
        out[row, 3] = signed
        out[row, 5] = np.sqrt(squares / n)
        if squares > 0.0:
            noise = 1.0
            if bipower > 0.0:
                tripower = n * _TRIPOWER * (n / (n - 2.0)) * triples[row]
                noise = max(1.0, tripower / (bipower * bipower))
            share = (squares - bipower) / squares
            out[row, 2] = share / np.sqrt(_JUMP_NOISE / n * noise)
            out[row, 4] = np.sqrt(n) * cubes / (squares * np.sqrt(squares))
    return out


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
    out = np.full((rows, 3), np.nan)
    out[:, 0] = deviation(volatility, window, first_minute)
    out[2 * window :, 1] = changes(changes(volatility, window), window)[2 * window :]
    squares = returns * returns
    fast, slow = ema(squares, FAST, first_minute), ema(squares, SLOW, first_minute)
    for row in range(rows):
        if slow[row] > 0.0:
            out[row, 2] = np.sqrt(max(fast[row], 0.0) / slow[row])
    return out


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
