"""A synthetic FX market, without a signal (``null``) or with a known one, see `planted`.

Eight currency factors move in log value; a pair is the difference of two, so that 28 pairs have
rank 7 and triangles close but for a little noise, rounding and the spread. Volatility has the humps
of Tokyo, London and New York and clusters from minutes to days; the shocks have heavy tails.

In the null market every log rate is a martingale. In the others each factor's expected next return
follows from past returns of factors, and a pair's is the difference of two.

Closes are bids: the mid less the pair's *typical* half spread. What the spread does beyond the
typical falls on the ask, since a bid that stepped back at every rollover could be forecast from the
clock alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.market import planted, sessions
from bqx.market.bars import RATES
from bqx.market.pairs import CURRENCIES, PAIRS, base, check, pip, quote

if TYPE_CHECKING:
    import pandas as pd

Series = NDArray[np.float64]

_SPREADS = """
eurusd 1.3  usdjpy 1.3  gbpusd 1.5  audusd 1.8  usdchf 1.8  nzdusd 2.0  eurjpy 2.1
audjpy 2.2  eurgbp 2.2  usdcad 2.3  nzdjpy 2.4  cadjpy 2.5  eurchf 2.5  euraud 2.7
audcad 2.8  gbpjpy 2.8  eurcad 2.9  chfjpy 3.1  audchf 3.5  audnzd 3.6  gbpchf 3.6
cadchf 3.9  eurnzd 4.2  gbpaud 4.2  gbpcad 4.3  nzdcad 4.4  nzdchf 4.9  gbpnzd 5.6
"""

AVERAGE_SPREAD = {pair: float(pips) for pair, pips in re.findall(r"(\w{6}) (\S+)", _SPREADS)}
"""Retail average of each pair's spread, pips. Source: FXCM's published table."""

# Each currency: dollar value at the start, sd of one-minute returns (bp), weight of the Tokyo,
# London and New York humps, and the bloc whose shocks it shares.
_CURRENCIES: dict[str, tuple[float, float, tuple[float, float, float], str]] = {
    "EUR": (1.0950, 0.70, (0.2, 0.9, 1.3), "europe"),
    "GBP": (1.2700, 0.90, (0.1, 1.1, 1.4), ""),
    "AUD": (0.6700, 0.90, (0.6, 0.5, 1.3), "commodity"),
    "NZD": (0.6240, 0.95, (0.6, 0.4, 1.3), "commodity"),
    "USD": (1.0000, 0.80, (0.3, 0.5, 1.6), ""),
    "CAD": (0.7470, 0.80, (0.1, 0.3, 1.8), "commodity"),
    "CHF": (1.1700, 0.75, (0.1, 0.8, 1.3), "europe"),
    "JPY": (0.0069, 0.85, (0.7, 0.4, 1.3), ""),
}
_BLOCS = ("europe", "commodity")
_BLOC_SHARE = 0.3  # of a currency's variance, in common with its bloc

# Humps of activity: zone, centre and width in hours of the local clock.
_HUMPS = (("Asia/Tokyo", 10.0, 1.8), ("Europe/London", 9.0, 2.2), ("America/New_York", 9.7, 2.0))
_QUIET = 0.6

# Log volatility: time constant (minutes), sd common to all currencies, sd of each one's own.
_CLUSTERS = ((12.0, 0.15, 0.35), (240.0, 0.15, 0.15), (4_000.0, 0.15, 0.10))
_TAIL = 4  # degrees of freedom of the shocks
_NOISE = 0.8e-5  # sd of a pair's log rate about the difference of its factors

# One independent stream per role and number: no pair's bars depend on which others are simulated.
_SHOCK, _BLOC, _CLUSTER, _OWN_CLUSTER, _GAP, _PAIR = range(6)


@dataclass(frozen=True)
class Market:
    """Simulated bars and, in a market with a signal, what an oracle knows about them.

    ``frames`` : bars of each pair in the bar schema, a few missing, never the first or last.
    ``planted`` : open minutes x pairs, the next minute's expected log return known at a bar's end,
        and ``decay``, by which it is expected to change within a minute; None in a null market.
    ``mode`` : ``null`` or one of ``planted.SIGNALS``.
    """

    frames: dict[str, pd.DataFrame]
    planted: pd.DataFrame | None
    mode: str


@dataclass(frozen=True)
class Factors:
    """The eight currency factors on the minute grid, columns in the order of CURRENCIES.

    ``minutes`` : (T,) open epoch minutes; ``log`` : (T, 8) log dollar value at the bar's end;
    ``gap`` : (T, 8) its jump over the weekend before the bar; ``drift`` : (T, 8) expected next
    log return, and ``decay`` : (T,) the factor by which it is expected to change within a minute;
    ``sigma`` : (T, 8) conditional sd of the bar's log return.
    """

    minutes: NDArray[np.int64]
    log: Series
    gap: Series
    drift: Series
    decay: Series
    sigma: Series


def _stream(seed: int, role: int, number: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, role, number))))


def _autoregression(noise: Series, minutes: float) -> Series:
    """Unit-variance AR(1) of a time constant, driven by unit-variance noise."""
    rho = np.exp(-1 / minutes)
    start = np.array([(1 - np.sqrt(1 - rho**2)) * noise[0]])
    from scipy.signal import lfilter

    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, zi=start)[0]


def _hump(minutes: NDArray[np.int64], hump: tuple[str, float, float]) -> Series:
    zone, centre, width = hump
    hours = sessions.local_minutes(minutes, zone) % sessions.DAY / 60
    away = (hours - centre + 12) % 24 - 12
    return np.exp(-0.5 * (away / width) ** 2)


def factors(minutes: NDArray[np.int64], mode: str, seed: int) -> Factors:
    """Simulate the currency factors at ascending open epoch minutes."""
    rows = len(minutes)
    humps = np.column_stack([_hump(minutes, hump) for hump in _HUMPS])
    common = [_stream(seed, _CLUSTER, k).standard_normal(rows) for k in range(len(_CLUSTERS))]
    opens = (sessions.market_minutes(minutes) % sessions.WEEK == 0) & (np.arange(rows) > 0)
    shocks, gap, sigma = (np.zeros((rows, len(CURRENCIES))) for _ in range(3))
    for column, name in enumerate(CURRENCIES):
        _, size, weights, bloc = _CURRENCIES[name]
        cluster = np.zeros(rows)
        own = _stream(seed, _OWN_CLUSTER, column)
        for (constant, shared, single), noise in zip(_CLUSTERS, common, strict=True):
            mixed = shared * noise + single * own.standard_normal(rows)
            spread = np.hypot(shared, single)
            cluster += spread * _autoregression(mixed / spread, constant) - spread**2
        sigma[:, column] = size * 1e-4 * (_QUIET + humps @ weights) * np.exp(cluster)
        shock = _stream(seed, _SHOCK, column).standard_t(_TAIL, rows)
        if bloc:
            shared_shock = _stream(seed, _BLOC, _BLOCS.index(bloc)).standard_t(_TAIL, rows)
            shock = np.sqrt(1 - _BLOC_SHARE) * shock + np.sqrt(_BLOC_SHARE) * shared_shock
        shocks[:, column] = shock * sigma[:, column] * np.sqrt(1 - 2 / _TAIL)
        gaps = _stream(seed, _GAP, column).standard_t(1.5, int(opens.sum()))
        gap[opens, column] = np.clip(4e-4 * gaps, -0.01, 0.01)
    # The weekend gap stays out of the signal: it would dominate it for a day.
    drift, decay = planted.drift(mode, shocks, minutes)
    returns = shocks + np.vstack((np.zeros_like(drift[:1]), drift[:-1]))
    return Factors(minutes, np.cumsum(returns + gap, axis=0), gap, drift, decay, sigma)


def _pair_sigma(sigma: Series, pair: str) -> Series:
    of_base, of_quote = (sigma[:, CURRENCIES.index(name)] for name in (base(pair), quote(pair)))
    blocs = {_CURRENCIES[name][3] for name in (base(pair), quote(pair))}
    shared = _BLOC_SHARE if len(blocs) == 1 and "" not in blocs else 0.0
    return np.sqrt(of_base**2 + of_quote**2 - 2 * shared * of_base * of_quote)


def _bars(pair: str, market: Factors, seed: int) -> pd.DataFrame:
    import pandas as pd

    rows = len(market.minutes)
    stream = _stream(seed, _PAIR, PAIRS.index(pair))
    decimals = 3 if quote(pair) == "JPY" else 5
    average = AVERAGE_SPREAD[pair] * pip(pair)
    start = _CURRENCIES[base(pair)][0] / _CURRENCIES[quote(pair)][0] - average / 2
    sigma = _pair_sigma(market.sigma, pair)
    moved = planted.difference(market.log, pair)
    close = np.log(start) + moved + _NOISE * stream.standard_normal(rows)
    before = np.concatenate(([np.log(start)], close[:-1]))
    step = 0.05 * sigma * stream.standard_normal(rows)
    opened = before + planted.difference(market.gap, pair) + step
    # Extremes of a Brownian bridge from open to close, each from its exact law.
    excursion = 2 * (0.85 * sigma) ** 2 * stream.standard_exponential((2, rows))
    span = np.sqrt((close - opened) ** 2 + excursion)
    high, low = 0.5 * (opened + close + span[0]), 0.5 * (opened + close - span[1])

    local = sessions.local_minutes(market.minutes, sessions.NEW_YORK)
    since_rollover = (local - 17 * 60) % sessions.DAY
    tight = [sessions.in_session(market.minutes, name) for name in ("london", "new_york")]
    calm, wild = (_autoregression(stream.standard_normal(rows), m) for m in (30, 5))
    usual = np.where(np.any(tight, axis=0), 0.7, 1.15)
    rollover = 2.4 * np.exp(0.5 * wild - since_rollover / 60)
    spread = average * (usual + rollover) * np.exp(0.1 * calm)

    pace = sigma / np.sqrt(np.mean(sigma**2))
    ticks = 110 / np.sqrt(AVERAGE_SPREAD[pair]) * pace**1.5 * (0.4 + 0.43 * (high - low) / sigma)
    volume = np.maximum(stream.poisson(ticks * stream.lognormal(-0.32, 0.8, rows)), 1.0)
    missing = stream.random(rows) < np.minimum(0.0015 / pace**2, 0.03)
    rollovers = np.flatnonzero(since_rollover == 0)
    for row in rollovers[stream.random(len(rollovers)) < 0.3]:
        missing[row : row + stream.geometric(0.25)] = True
    # A late first bar would carry the weekend gap into the week.
    missing[sessions.market_minutes(market.minutes) % sessions.WEEK < 30] = False
    missing[[0, -1]] = False
    rates = np.round(np.exp(np.column_stack([opened, high, low, close])), decimals)
    frame = pd.DataFrame(rates, sessions.timestamps(market.minutes), list(RATES)).assign(
        volume=volume, spread=np.maximum(np.round(spread, decimals), pip(pair) / 10)
    )
    return frame[~missing]


def simulate(
    mode: str,
    pairs: Sequence[str] = PAIRS,
    start: str = "2024-01-07",
    *,
    days: int = 90,
    seed: int = 0,
) -> Market:
    """Simulate one-minute bid bars of FX pairs.

    Parameters
    ----------
    mode : ``null`` (every log rate a martingale) or a signal of known strength:
        ``planted`` (weak momentum), ``strong``, ``threshold`` or ``lead``, see `planted`.
    pairs : pairs to return; all eight currencies are simulated whatever is asked for.
    start : first UTC date.
    days : calendar days.
    seed : the same seed gives the same shocks in all modes.

    Raises
    ------
    ParameterError : unknown mode or pair, a malformed date, a negative seed, no open minute.
    """
    import pandas as pd

    if mode not in planted.MODES:
        modes = ", ".join(planted.MODES)
        raise ParameterError(f"market: unknown mode, got {mode!r}; expected one of {modes}.")
    if seed < 0:
        raise ParameterError(f"seed: negative, got {seed!r}; expected 0 or more.")
    try:
        first = (date.fromisoformat(start) - date(1970, 1, 1)).days * sessions.DAY
    except ValueError as error:
        message = f"start: not a date, got {start!r}; expected YYYY-MM-DD."
        raise ParameterError(message) from error
    minutes = sessions.grid(first, first + days * sessions.DAY - 1)
    names = [check(pair) for pair in pairs]
    if len(minutes) == 0:
        raise ParameterError(f"days: the market is closed, got {days}; expected open days.")
    market = factors(minutes, mode, seed)
    frames = {pair: _bars(pair, market, seed) for pair in names}
    if mode == "null":
        return Market(frames, None, mode)
    drift = {pair: planted.difference(market.drift, pair) for pair in names}
    signal = pd.DataFrame(drift | {"decay": market.decay}, sessions.timestamps(minutes))
    return Market(frames, signal, mode)
