"""Hours of a pair's bars: how far they range, and how long they stand still."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.market import pairs, sessions
from bqx.market.bars import Bars

Minutes = NDArray[np.int64]

LONGEST = 30
"""Minutes beyond which every standstill is as long: so far back does the check of a minute read."""
DAY = 24
"""Hours of a day of the market."""


def of_bars(bars: Bars, known: NDArray[np.bool_], ranges: NDArray[np.floating]) -> pd.DataFrame:
    """Hours of a pair's baseline.

    Parameters
    ----------
    known : (T,) rows that count; ranges : (T,) log ranges.

    Returns
    -------
    DataFrame : one row per market hour: market_hour, ``range``, and ``still``, the longest
        standstill of its minutes.
    """
    minutes = bars.minutes[known]
    frame = mean_range(minutes, ranges[known])
    longest = pd.Series(standstills(bars)[known]).groupby(market_hour(minutes)).max()
    return frame.assign(still=longest.clip(upper=LONGEST).to_numpy())


def mean_range(minutes: Minutes, ranges: NDArray[np.floating]) -> pd.DataFrame:
    """Mean of (n,) log ranges by market hour of their minutes, which lie in the open market."""
    mean = pd.Series(ranges.astype(np.float64)).groupby(market_hour(minutes)).mean()
    return pd.DataFrame({"market_hour": mean.index.to_numpy(np.int64), "range": mean.to_numpy()})


def log_ranges(pair: str, columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T,) log ranges in bp of (7, T) bars as `bar_arrays.on_grid` gives them; NaN where a bar is
    absent or carried."""
    _, high, low, close, *_, filled = columns
    smallest = 0.1 * pairs.pip(pair)
    ranges = np.log(1e4 * np.maximum(high - low, smallest) / close)
    return np.where(filled == 1.0, np.nan, ranges)


def standstills(bars: Bars) -> Minutes:
    """(T,) minutes up to each row in which a pair's bars did not change, or did not come."""
    return still_minutes(columns_of(bars))


def columns_of(bars: Bars) -> NDArray[np.float64]:
    """(7, T) bars as `bar_arrays.on_grid` gives them."""
    return bars.frame.to_numpy(np.float64).T


def still_minutes(columns: NDArray[np.float64]) -> Minutes:
    """The same of (7, T) bars as `bar_arrays.on_grid` gives them."""
    _, high, low, close, *_, filled = columns
    flat = (high == low) & (np.diff(close, prepend=np.nan) == 0)
    still = flat | np.isnan(close) | (filled == 1.0)
    row = np.arange(len(close))
    return row - np.maximum.accumulate(np.where(still, -1, row))


def market_hour(minutes: Minutes) -> Minutes:
    """(n,) number of the market's hour of epoch minutes."""
    return sessions.market_minutes(minutes) // 60
