"""The last minute of a run's bars that a bundle can answer, and what was sent until then."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.learning import targets
from bqx.learning.bundle import Bundle
from bqx.market.bars import Bars
from bqx.serving import live

Rows = NDArray[np.bool_]


def sent(bars: dict[str, Bars], packed: Bundle) -> tuple[Bars, pd.DataFrame, dict[str, pd.Series]]:
    """Bars of a pair up to the last minute that can be answered, and what their feeds had sent of
    it and of the others that it needs until then.

    Raises ArtefactError where no minute can be.
    """
    quoted = {
        pair: ~bars[pair].frame["filled"].to_numpy() & np.isfinite(bars[pair].close)
        for pair in (packed.pair, *packed.panel)
    }
    stop = _last_answered(bars[packed.pair], packed, quoted) + 1
    # From the last bar before the lookback, which is carried where a hole follows it.
    starts = {pair: _newest(rows)[stop - packed.lookback] for pair, rows in quoted.items()}
    frames = {
        pair: bars[pair].frame.iloc[max(start, 0) : stop][quoted[pair][max(start, 0) : stop]]
        for pair, start in starts.items()
    }
    closes = {pair: frames[pair]["close"] for pair in packed.panel}
    return bars[packed.pair].rows(0, stop), frames[packed.pair], closes


def _last_answered(bars: Bars, packed: Bundle, quoted: dict[str, Rows]) -> int:
    """Last row with a bar of every pair, enough of them before it, and a level at all horizons."""
    levels = [
        target.from_innovation(np.zeros(len(bars)), "level")
        for horizon in packed.horizons
        for target in [targets.make(bars, packed.window_of(horizon), horizon)]
    ]
    valued = np.all([*quoted.values(), *np.isfinite(levels)], axis=0)
    rows = np.flatnonzero(valued[packed.lookback - 1 :]) + packed.lookback - 1
    oldest = _newest(quoted[packed.pair])[rows - packed.lookback + 1]
    minutes = bars.minutes[rows] - bars.minutes[oldest]
    rows = rows[(oldest >= 0) & (minutes <= live.span(packed))]
    if not len(rows):
        raise ArtefactError(
            f"bars: no minute of {packed.pair} can be answered, got {int(valued.sum()):,} with a "
            f"bar of {', '.join(quoted)} and a volatility; expected one after {packed.lookback:,} "
            f"market minutes. Give longer bars, or bars with fewer holes of more than "
            f"{packed.max_fill} minutes (max_fill)."
        )
    return int(rows[-1])


def _newest(quoted: Rows) -> NDArray[np.int64]:
    """(T,) the newest row with a bar, up to each row; -1 where there is none yet."""
    return np.maximum.accumulate(np.where(quoted, np.arange(len(quoted)), -1))
