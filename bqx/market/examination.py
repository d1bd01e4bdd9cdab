"""What the bars of one pair show by themselves: step, digits, spread, stray ticks, stopped feeds.

Every function is pure: of rates and times, what they show, or in words what cannot be true of them.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.market import sessions
from bqx.market.bar_arrays import STRAY_SPREAD, jumps
from bqx.market.bars import RATES
from bqx.market.pairs import base, pip, quote

Mask = NDArray[np.bool_]
Minutes = NDArray[np.int64]
Rates = NDArray[np.float64]

LATTICE_SHARE = 0.95
"""Share of steps that are multiples of one number of minutes, from which it is the bars' step."""
FEWEST_STEPS = 5
_BLOCK = 300
"""Rows whose step is looked at for itself: a history may be coarser in its older part."""

SPIKE, SPIKE_RANGES = 0.01, 10.0
"""A stray tick lies this share beyond all bars near it, and so many times their own range."""
LONGEST_SPIKE = 5

AHEAD = 15
"""Minutes by which closes may be looked for that are those of later bars."""
FEWEST_BARS = 100
"""Bars that are followed by the next minutes' bars, by which that is told."""
STILL = 360
"""Open minutes for which no rate of a running feed stands still."""
UNRECORDED = 60
"""Rows in a row without a spread that were not recorded with one."""
WIDEST_SPREAD, COARSE_SPREAD = 20e-4, 5e-4
"""Median spread, share of the rate, that none can have; and none that is coarser than the rate."""
DECLARED_SPREAD = 0.01
"""Median spread, share of the rate, that none has in whatever unit is declared."""
NARROWEST_SPREAD = 0.01
"""Median spread, pips, below which its unit is another one."""
MOST_DIGITS = 8

_USD = {
    "EUR": (0.8, 1.65),
    "GBP": (1.0, 2.15),
    "AUD": (0.45, 1.15),
    "NZD": (0.38, 0.92),
    "USD": (1.0, 1.0),
    "CAD": (0.6, 1.1),
    "CHF": (0.5, 1.45),
    "JPY": (0.0055, 0.0135),
}
"""Lowest and highest value of each currency since 1995, dollars, about."""
_LEEWAY = 2.0


def step(minutes: Minutes, moved: Mask | None = None) -> str:
    """Why these are no one-minute bars; "" where they may be.

    Parameters
    ----------
    minutes : (T,) ascending epoch minutes.
    moved : (T,) rows whose close differs from that above; bars of a longer step may stand, or be
        carried on, in every minute. Default all.
    """
    own = minutes if moved is None else minutes[moved]
    steps = np.diff(own)
    size = _lattice(steps)
    if size > 1:
        share = f"the step is {size} minutes in {(steps == size).mean() * 100:.1f} % of places"
        what = share if moved is None else f"their rates change every {size} minutes"
        return f"{size}-minute bars: {what}"
    blocks = steps[: len(steps) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    coarse = np.flatnonzero((blocks == 1).mean(axis=1) <= 1 - LATTICE_SHARE)
    sizes = [_lattice(blocks[block]) for block in coarse]
    if max(sizes, default=1) == 1:
        return ""
    blocks_of = coarse[np.array(sizes) > 1]
    first, last = sessions.timestamps(own[[blocks_of[0] * _BLOCK, (blocks_of[-1] + 1) * _BLOCK]])
    rows = len(blocks_of) * _BLOCK
    return (
        f"{max(sizes)}-minute bars in {rows:,} rows between {first:%Y-%m-%d %H:%M} and "
        f"{last:%Y-%m-%d %H:%M}"
    )


def _lattice(steps: Minutes) -> int:
    """Minutes that nearly all steps are multiples of, and most of them are; 1 for none."""
    if len(steps) < FEWEST_STEPS or (steps == 1).mean() > 1 - LATTICE_SHARE:
        return 1
    sizes, counts = np.unique(steps[steps > 0], return_counts=True)
    size = int(sizes[np.argmax(counts)]) if len(sizes) else 1
    return size if (steps % size == 0).mean() >= LATTICE_SHARE else 1


def digits(rates: Rates) -> int:
    """Decimals that rates are written with, at most `MOST_DIGITS`."""
    for count in range(MOST_DIGITS):
        scaled = rates * 10.0**count
        if np.abs(scaled - np.rint(scaled)).max(initial=0.0) < 1e-4:
            return count
    return MOST_DIGITS


def point(pair: str, rates: Rates) -> float:
    """Last digit of the rates, quote units; a tenth of a pip where they are no quoted ones."""
    count, usual = digits(rates), round(-np.log10(pip(pair)))
    return float(10.0 ** -(count if usual <= count <= usual + 2 else usual + 1))


def runs(close: Rates, shortest: int) -> NDArray[np.int64]:
    """(n, 2) first row, and row after the last, of so many rows and more with one close."""
    edges = np.r_[0, np.flatnonzero(close[1:] != close[:-1]) + 1, len(close)]
    is_long = np.diff(edges) >= shortest
    return np.column_stack([edges[:-1][is_long], edges[1:][is_long]])


def still(minutes: Minutes, rates: Rates, stretches: NDArray[np.int64], shortest: int) -> Mask:
    """(T,) rows of those stretches in which one bar stands for some minutes or longer.

    The first row of a stretch, which moved to that rate, is no part of it, nor is a bar that has
    other rates than the one after it.
    """
    stands = np.zeros(len(rates), dtype=bool)
    for start, stop in stretches:
        is_long = minutes[stop - 1] - minutes[start] >= shortest
        if is_long and (rates[start + 1 : stop] == rates[start + 1]).all():
            stands[start + 1 : stop] = True
    return stands


def level(pair: str, close: Rates) -> str:
    """Why these are no rates of the pair; "" where they may be."""
    low = _USD[base(pair)][0] / _USD[quote(pair)][1] / _LEEWAY
    high = _USD[base(pair)][1] / _USD[quote(pair)][0] * _LEEWAY
    middle = float(np.median(close[:: max(len(close) // 5_000, 1)]))
    if low <= middle <= high:
        return ""
    return f"the rate is {middle:.6g} in the middle; {pair} lies from {low:.3g} to {high:.3g}"


def spikes(rates: Rates) -> Mask:
    """(T,) rows of stray ticks: up to five rows beyond all bars near, to which rates return.

    Near are two rows on either side; at an end of the bars, four on the other.
    """
    high, low = rates[:, 1], rates[:, 2]
    stray = np.zeros(len(rates), dtype=bool)
    edge = np.zeros(len(rates), dtype=bool)
    for side in (high, low):
        ratio = side[1:] / side[:-1]
        edge[1:] |= (ratio > 1 + SPIKE / 2) | (ratio < 1 - SPIKE / 2)
    starts = np.flatnonzero(edge)
    if len(starts) == 0:
        return stray
    for length in range(1, LONGEST_SPIKE + 1):
        first = np.union1d(starts, [0])
        first = first[first + length <= len(rates)]
        before, after = first + np.array([[-2], [-1]]), first + length + np.array([[0], [1]])
        near = np.concatenate(
            [
                np.where(before >= 0, before, after + 2),
                np.where(after < len(rates), after, before - 2),
            ]
        )
        first = first[((near >= 0) & (near < len(rates))).all(axis=0)]
        near = near[:, ((near >= 0) & (near < len(rates))).all(axis=0)]
        top, bottom = high[near].max(axis=0), low[near].min(axis=0)
        least = np.maximum(SPIKE, SPIKE_RANGES * np.log(top / bottom))
        rows = first + np.arange(length)[:, None]
        above, below = np.log(high[rows] / top), np.log(bottom / low[rows])
        beyond = (above > least).all(axis=0) | (below > least).all(axis=0)
        stray[rows[:, beyond & ~stray[rows].any(axis=0)]] = True
    return stray


def jump(minutes: Minutes, close: Rates) -> int | None:
    """First row after a change within a week that no rate ever made, None without one."""
    rows = jumps(minutes, close)
    return int(np.argmax(rows)) if rows.any() else None


def ahead(minutes: Minutes, rates: Rates) -> str:
    """Why closes are those of later bars; "" where they may be their own.

    A bar opens where the one before it has closed, but for a fraction of what a minute moves:
    closes that lie twice as near to a later bar's open were taken from the bar before that one.
    """
    near, moved = np.zeros(1 + AHEAD), np.zeros(1 + AHEAD)
    for later in range(1 + AHEAD):
        distance = later + 1
        rows = np.flatnonzero(minutes[distance:] - minutes[:-distance] == distance)
        if len(rows) < FEWEST_BARS:
            return ""
        opens = rates[rows + distance, 0]
        near[later] = np.abs(opens - rates[rows, 3]).mean()
        moved[later] = np.abs(opens - rates[rows, 0]).mean()
    nearest = int(np.argmin(near))
    # A rate that comes back to where it was lies near itself.
    if 2.0 * near[nearest] >= min(near[0], moved[nearest]):
        return ""
    minute = f"{nearest} minute{'s' * (nearest > 1)}"
    return (
        f"closes that are {minute} ahead of their bars, got {near[0]:.2g} to the open of the next "
        f"bar and {near[nearest]:.2g} to that of the bar {minute} after it, on average"
    )


def unrecorded(spread: Rates) -> Mask:
    """(T,) rows of stretches of an hour and more whose spread is 0, so that none was recorded."""
    zero = spread == 0
    edges = np.flatnonzero(np.diff(np.r_[False, zero, False].astype(np.int8)))
    stretch = np.zeros(len(spread), dtype=bool)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        stretch[start:stop] = stop - start >= UNRECORDED
    return stretch


def stray_spreads(frame: pd.DataFrame) -> Mask:
    """(T,) bars whose spread, in the rate's unit, is a tick of the ask gone astray."""
    return np.asarray(frame["spread"] > STRAY_SPREAD * frame["close"])


def spread_unit(pair: str, frame: pd.DataFrame, *, is_declared: bool = False) -> str:
    """Why the spread is not in the rate's unit; "" where it may be.

    Where the unit was declared, only what no spread can be is wrong, be it too wide or too narrow.
    """
    own = frame["spread"].to_numpy()
    wide = own > 0
    if not wide.any():
        return ""
    middle = float(np.median(own[wide]))
    share = float(np.median(own[wide] / frame["close"].to_numpy()[wide]))
    said = f"the spread is {middle:.6g} in the middle, {share * 100:.3g} % of the rate"
    if middle < NARROWEST_SPREAD * pip(pair):
        return f"{said}, {middle / pip(pair):.3g} pips"
    if is_declared:
        return said if share > DECLARED_SPREAD else ""
    rates = frame[list(RATES)].to_numpy()[:: max(len(frame) // 5_000, 1)]
    coarse = digits(own[wide][:5_000]) <= digits(rates) - 2
    return said if share > WIDEST_SPREAD or (share > COARSE_SPREAD and coarse) else ""
