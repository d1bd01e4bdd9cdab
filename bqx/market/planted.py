"""Signals of known strength in the synthetic market, and what an oracle gains by knowing them.

``planted`` is momentum: a factor's expected next return is ``WEAK`` times the exponential mean of
its own past returns, so that an oracle gains about 1 %. ``strong`` is the same with ``STRONG``, and
``threshold`` that while London or New York is open, and its opposite while both are closed: lines
see what is left of the two. In ``lead`` four currencies follow what pairs of the four others did
(`FOLLOWS`), of which a pair's own past says little.

The filters are linear and the same for all factors, hence a pair's drift is the difference of its
currencies' drifts.
"""

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.market import sessions
from bqx.market.pairs import CURRENCIES, base, quote

Series = NDArray[np.float64]

SIGNALS = ("planted", "strong", "threshold", "lead")
"""Kinds of signal."""
MODES = ("null", *SIGNALS)
"""Kinds of synthetic market."""

WEAK, STRONG, MEMORY = 0.4, 0.75, 120
"""Expected next return as a share of the mean past return, weak and strong, and that mean's time
constant in minutes."""
LED, LED_MEMORY = 0.9, 30
"""The same for a currency that follows another, soon after it."""
FOLLOWS = {"GBP": "eurusd", "NZD": "audusd", "CAD": "usdchf", "JPY": "eurchf"}
"""The pair whose past returns a follower's next return is expected to repeat."""


@kernel
def _recursion(factor: Series, shock: Series) -> Series:
    """``s(t) = factor(t-1) s(t-1) + shock(t)`` for (T, C) shocks."""
    out = shock.copy()
    for t in range(1, len(out)):
        for c in range(out.shape[1]):
            out[t, c] = shock[t, c] + factor[t - 1] * out[t - 1, c]
    return out


def drift(mode: str, shocks: Series, minutes: NDArray[np.int64]) -> tuple[Series, Series]:
    """(T, 8) expected next log returns of the factors, and (T,) what they shrink by in a minute.

    Parameters
    ----------
    mode : one of `MODES`.
    shocks : (T, 8) returns without the signal, columns in the order of CURRENCIES.
    minutes : (T,) open epoch minutes.
    """
    rows = len(minutes)
    if mode == "null":
        return np.zeros_like(shocks), np.zeros(rows)
    if mode == "lead":
        still = np.full(rows, 1 - 1 / LED_MEMORY)
        means = _recursion(still, shocks / LED_MEMORY)
        out = np.zeros_like(shocks)
        for name, pair in FOLLOWS.items():
            out[:, CURRENCIES.index(name)] = LED * difference(means, pair)
        return out, still
    share = np.full(rows, WEAK if mode == "planted" else STRONG)
    if mode == "threshold":
        busy = [sessions.in_session(minutes, name) for name in ("london", "new_york")]
        share[~np.any(busy, axis=0)] = -STRONG
    # The mean past return s(t) = (1 - 1/MEMORY) s(t-1) + r(t) / MEMORY with r(t) = share s(t-1) +
    # shock(t).
    factor = 1 - (1 - share) / MEMORY
    means = _recursion(factor, shocks / MEMORY)
    return share[:, None] * means, factor * np.append(share[1:], share[-1:]) / share


def difference(values: Series, pair: str) -> Series:
    """(T,) values of a pair's base currency less those of its quote, from (T, 8) of all."""
    return values[:, CURRENCIES.index(base(pair))] - values[:, CURRENCIES.index(quote(pair))]


def oracle(drift: Series, decay: Series, *, window: int, horizon: int) -> Series:
    """(T,) expected BQX_window(t + horizon) beyond its martingale forecast, given the drift.

    First order in log returns: BQX_w(t+h) beyond the martingale is minus the sum over
    j < min(w, h) of (w - j) times the log return of minute t+h-j.

    Parameters
    ----------
    drift : (T,) expected next log return known at t.
    decay : (T,) factor by which that expectation changes within a minute.
    window, horizon : minutes.
    """
    rows = len(drift)
    ahead = np.append(decay, np.full(horizon, decay[-1]))
    expected, total = drift.copy(), np.zeros(rows)
    for k in range(1, horizon + 1):
        total += max(window - (horizon - k), 0) * expected
        expected *= ahead[k - 1 : k - 1 + rows]
    return -total


def _bqx(index: Series, window: int) -> Series:
    padded = np.concatenate((np.full(window, np.nan), index))
    past = np.lib.stride_tricks.sliding_window_view(padded, window)[:-1]
    return past.sum(axis=1) / index - window


def attainable_skill(
    index: Series,
    drift: Series,
    decay: Series,
    *,
    window: int,
    horizon: int,
    first_market_minute: int = 0,
) -> float:
    """Skill of the `oracle` against the martingale, measured on the simulated bars.

    Parameters
    ----------
    index : (T,) rate index on the grid; rows whose label or window touches NaN are left out.
    drift, decay, window, horizon : as for `oracle`.
    first_market_minute : market minute of row 0 (0: it opens a week); labels across a weekend are
        left out.
    """
    whole = np.isfinite(index)
    stretch = np.cumsum(~whole) + (first_market_minute + np.arange(len(index))) // sessions.WEEK
    martingale = _bqx(index, window - horizon) if window > horizon else np.zeros(len(index))
    error = _bqx(index, window)[horizon:] - martingale[:-horizon]
    left = error - oracle(drift, decay, window=window, horizon=horizon)[:-horizon]
    scored = np.isfinite(left) & whole[:-horizon] & (stretch[horizon:] == stretch[:-horizon])
    return float(1 - np.sum(left[scored] ** 2) / np.sum(error[scored] ** 2))
