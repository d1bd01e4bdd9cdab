"""Hours of a pair's bars: how far they range, and how long they stand still."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.market import sessions
from bqx.market.bars import Bars

Minutes = NDArray[np.int64]

LONGEST = 30
"""Minutes beyond which every standstill is as long: so far back does the check of a minute read."""
CHANCE = 3e-5
"""Share of a pair's hours in which it may stand still for longer than is usual: with 28 pairs that
happens about once in fifty days."""
_DAY = 24


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
    longest = pd.Series(standstills(bars)[known]).groupby(_market_hour(minutes)).max()
    return frame.assign(still=longest.clip(upper=LONGEST).to_numpy())


def mean_range(minutes: Minutes, ranges: NDArray[np.floating]) -> pd.DataFrame:
    """Mean of (n,) log ranges by market hour of their minutes, which lie in the open market."""
    mean = pd.Series(ranges.astype(np.float64)).groupby(_market_hour(minutes)).mean()
    return pd.DataFrame({"market_hour": mean.index.to_numpy(np.int64), "range": mean.to_numpy()})


def standstills(bars: Bars) -> Minutes:
    """(T,) minutes up to each row in which a pair's bars did not change, or did not come."""
    return still_minutes(bars.frame.to_numpy(np.float64).T)


def still_minutes(columns: NDArray[np.float64]) -> Minutes:
    """The same of (7, T) bars as `bar_arrays.on_grid` gives them."""
    _, high, low, close, *_, filled = columns
    flat = (high == low) & (np.diff(close, prepend=np.nan) == 0)
    still = flat | np.isnan(close) | (filled == 1.0)
    row = np.arange(len(close))
    return row - np.maximum.accumulate(np.where(still, -1, row))


def longest_usual(hours: pd.DataFrame, minute: int) -> float:
    """Minutes that a pair usually stands still at most about the hour of an epoch minute.

    Of the baseline's hours at that time of the day, and of those beside it, the ones with a
    standstill of over a minute tell how such a standstill goes on; what is longer than the longest
    seen is extrapolated by an exponential tail (`CHANCE`).

    Parameters
    ----------
    hours : see `of_bars`; one without standstills, of an older bundle, knows none.
    """
    if "still" not in hours:
        return float(LONGEST)
    hour = int(_market_hour(np.array([minute]))[0])
    apart = (hours["market_hour"].to_numpy() - hour) % _DAY
    still = hours["still"].to_numpy()[np.isin(apart, (_DAY - 1, 0, 1))]
    more = still[still > 1] - 1.0
    # One hour more with a standstill of two minutes, so that few hours do not promise too much.
    share, mean = (len(more) + 1) / (len(still) + 1), (more.sum() + 1.0) / (len(more) + 1)
    return float(min(1.0 + mean * np.log(share / CHANCE), LONGEST))


def _market_hour(minutes: Minutes) -> Minutes:
    return sessions.market_minutes(minutes) // 60
