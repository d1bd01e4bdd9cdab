"""Quality of the newest bars: feeds that stand still, spikes, and triangles that do not close."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.learning.hours import LONGEST, columns_of, log_ranges, standstills
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS, base, quote
from bqx.monitoring import quality
from bqx.monitoring.standstill import longest_usual

STILL = 4
"""Minutes without any change after which the whole feed stands still, where half of the pairs do at
once: on six majors that happened on Christmas alone. A pair by itself may do so for as long as it
usually does while the others move as they do, see `standstill.longest_usual`."""
RECENT = 10
"""Newest minutes that tell how lively a pair is."""
SPIKE = 10.0
"""Robust deviations of a one-minute return that is a spike where the next one takes it back."""
_BACK = 0.8
"""Least share of a spike that the next minute takes back."""

Series = NDArray[np.float64]


def frozen(
    still: Mapping[str, int],
    ranges: Mapping[str, float],
    hours: Mapping[str, pd.DataFrame],
    minute: int,
) -> list[str]:
    """Pairs whose feed stands still at an epoch minute.

    Parameters
    ----------
    still : minutes for which each has not moved; ranges : see `recent_range`.
    hours : of the baselines of all, where any has not moved for `STILL` minutes, since no pair is
        used to less.
    """
    stopped = [pair for pair, minutes in still.items() if minutes >= STILL]
    if len(stopped) >= max(len(still) / 2, 2):
        return stopped
    return [
        pair
        for pair in stopped
        if still[pair] >= LONGEST or still[pair] >= longest_usual(pair, hours, minute, ranges)
    ]


def recent_range(pair: str, columns: Series) -> float:
    """Mean log range of the newest `RECENT` minutes of (7, T) bars, see `hours.log_ranges`; NaN
    where none has a bar."""
    newest = log_ranges(pair, columns[:, -RECENT:])
    newest = newest[np.isfinite(newest)]
    return float(newest.mean()) if len(newest) else np.nan


def spikes(bars: Bars) -> pd.DatetimeIndex:
    """Bars whose close leapt and came back: more than `SPIKE` robust deviations there and most of
    the way back."""
    returns = np.diff(np.log(bars.close), prepend=np.nan)
    moves = returns[np.isfinite(returns) & (returns != 0.0)]
    if len(moves) < 30:
        return bars.ts[:0]
    spread = np.subtract(*np.quantile(moves, [0.75, 0.25])) / quality.ROBUST
    back = -np.append(returns[1:], np.nan) / np.where(returns != 0.0, returns, np.nan)
    leapt = (np.abs(returns) > SPIKE * spread) & (back > _BACK) & (back < 1 / _BACK)
    return bars.ts[leapt]


def triangles(pairs: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Triples of pairs of three currencies among some."""
    present = [pair for pair in PAIRS if pair in pairs]
    return [
        three
        for three in combinations(present, 3)
        if len({base(p) for p in three} | {quote(p) for p in three}) == 3
    ]


def triangle_residuals(bars: Mapping[str, Bars]) -> pd.DataFrame:
    """(T rows) log residual of every triangle in bp, less its median over all rows.

    A cross against its two legs: bids sit up to a basis point off zero, hence the median.
    """
    closes = {pair: np.log(pair_bars.close) for pair, pair_bars in bars.items()}
    out = {}
    for three in triangles(bars):
        total = np.zeros(len(next(iter(closes.values()))))
        turn = _turns(three)
        for pair in three:
            total = total + turn[pair] * closes[pair]
        finite = total[np.isfinite(total)]
        out["-".join(three)] = 1e4 * (total - (np.median(finite) if len(finite) else np.nan))
    index = next(iter(bars.values())).ts
    return pd.DataFrame(out, index=index)


def _turns(three: tuple[str, str, str]) -> dict[str, float]:
    """Signs with which the logs of three pairs add up to nothing."""
    first, *others = three
    signs, end = {first: 1.0}, quote(first)
    while others:
        following = next(p for p in others if end in (base(p), quote(p)))
        others.remove(following)
        forward = base(following) == end
        signs[following] = 1.0 if forward else -1.0
        end = quote(following) if forward else base(following)
    return signs


def frozen_at_end(bars: Mapping[str, Bars], hours: Mapping[str, pd.DataFrame]) -> list[str]:
    """Pairs whose feed stands still at the last row of bars on one grid, see `frozen`."""
    still = {pair: int(standstills(pair_bars)[-1]) for pair, pair_bars in bars.items()}
    ranges = {pair: recent_range(pair, columns_of(pair_bars)) for pair, pair_bars in bars.items()}
    return frozen(still, ranges, hours, int(next(iter(bars.values())).minutes[-1]))


def measures(bars: Mapping[str, Bars], rows: int) -> dict[str, float]:
    """Quality of the last rows of bars on one grid, the ones before for comparison.

    Returns
    -------
    ``quality_gaps`` : holes that no close was carried through; ``spikes``;
    ``triangle_residual_bp`` : largest median residual of a triangle, bp.
    """
    last = {
        pair: pair_bars.rows(max(len(pair_bars) - rows, 0), len(pair_bars))
        for pair, pair_bars in bars.items()
    }
    first = min(pair_bars.ts[0] for pair_bars in last.values())
    residuals = triangle_residuals(bars).loc[first:].median().abs()
    return {
        "quality_gaps": float(sum(len(quality.gaps(pair_bars)) for pair_bars in last.values())),
        "spikes": float(sum((spikes(pair_bars) >= first).sum() for pair_bars in bars.values())),
        "triangle_residual_bp": float(residuals.max()) if residuals.notna().any() else 0.0,
    }
