"""Conditions of the market on every row, known at the row: session, volatility, trend.

Session: the one that opened last among those that are open, so that London ends Tokyo's and New
York ends London's; ``none`` where all are closed. Volatility: tercile of the EWMA of squared
one-minute returns (span 60), low, middle or high by the training rows' terciles. Trend: up or down
where the move over the last 240 rows exceeds half the volatility over them, else sideways; a
random walk is up, sideways and down about equally often.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bqx.features.rolling.sums import mean_std
from bqx.learning import targets
from bqx.learning.folds import Fold
from bqx.market import sessions
from bqx.market.bars import Bars

Labels = NDArray[np.str_]

TREND_ROWS = 240
TREND = 0.5
"""Least move of a trend, in root sums of squared one-minute returns over the same rows."""

SESSIONS = ("none", "tokyo", "london", "new_york")
TERCILES = ("low", "middle", "high")
TRENDS = ("down", "sideways", "up")


def label(bars: Bars, folds: Sequence[Fold]) -> dict[str, Labels]:
    """(T,) value by kind of condition on every row that a fold scores; empty elsewhere.

    The volatility's terciles come from the training rows of the fold that scores the row. A value
    is empty, too, where a long hole or the start leaves too few rows for it.

    Parameters
    ----------
    bars : T rows of one pair.
    folds : over the rows of the bars.
    """
    scored = np.zeros(len(bars), dtype=np.bool_)
    tercile = np.full(len(bars), "", dtype="U8")
    volatility = _volatility(bars)
    for fold in folds:
        scored[fold.scored] = True
        scored_volatility = volatility[fold.scored]
        edges = np.nanquantile(volatility[fold.train], [1 / 3, 2 / 3])
        names = np.array(TERCILES)[np.searchsorted(edges, scored_volatility)]
        tercile[fold.scored] = np.where(np.isfinite(scored_volatility), names, "")
    return {
        "session": np.where(scored, session(bars.minutes), ""),
        "volatility": tercile,
        "trend": np.where(scored, trend(bars), ""),
    }


def session(minutes: NDArray[np.int64]) -> Labels:
    """(T,) session of each epoch minute, the later one where two are open."""
    out = np.full(len(minutes), SESSIONS[0], dtype="U8")
    for name in SESSIONS[1:]:
        out[sessions.in_session(minutes, name)] = name
    return out


def trend(bars: Bars) -> Labels:
    """(T,) state of the trend; empty where the last `TREND_ROWS` rows are not whole."""
    returns = np.diff(np.log(bars.close), prepend=np.nan)
    first = bars.first_market_minute
    move, square = (
        TREND_ROWS * mean_std(x, TREND_ROWS, first, 0)[0] for x in (returns, returns * returns)
    )
    state = np.where(np.abs(move) > TREND * np.sqrt(square), np.sign(move), 0.0)
    names = np.array(TRENDS)[state.astype(np.int64) + 1]
    return np.where(np.isfinite(move), names, "")


def _volatility(bars: Bars) -> NDArray[np.float64]:
    returns = np.diff(np.log(bars.close), prepend=np.nan)
    return np.sqrt(targets.mean_square(returns, bars.first_market_minute))
