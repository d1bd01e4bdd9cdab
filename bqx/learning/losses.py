"""Squared errors of forecasts, summed by trading day."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.learning import targets
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params

Series = NDArray[np.float64]


def by_day(
    minutes: NDArray[np.int64], label: Series, forecasts: Mapping[str, Series]
) -> pd.DataFrame:
    """Squared errors of forecasts of a label: ``day``, and one column per forecast.

    Rows that lack the label or a forecast count for none.

    Parameters
    ----------
    minutes : (n,) open epoch minutes of the rows.
    label, forecasts : (n,) in one unit, NaN where there is none.
    """
    errors = {name: (label - forecast) ** 2 for name, forecast in forecasts.items()}
    frame = pd.DataFrame({"day": sessions.trading_days(minutes)} | errors).dropna()
    return frame.groupby("day", as_index=False).sum()


def out_of_sample(bars: Bars, forecasts: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Squared errors of a pair's forecasts by day and horizon, in sigma and in the target's unit.

    Parameters
    ----------
    forecasts : see ``training.PairResult``.
    params : target and target_window are read.

    Returns
    -------
    DataFrame : day, ``known_loss`` of the martingale forecast, ``loss``, ``raw_loss`` before
        shrinkage, all of the innovation in sigma; ``target_loss`` of the forecast and ``spread``
        about the mean label, in the target's unit; pair and horizon.
    """
    frames = []
    for key, own in forecasts.groupby("horizon"):
        horizon = int(str(key))
        target = targets.make(bars, params.window(horizon), horizon)
        rows = bars.ts.get_indexer(pd.DatetimeIndex(own["ts_utc"]))
        innovation = np.full(len(bars), np.nan)
        innovation[rows] = own["forecast"]
        label = target.label(params.target)[rows]
        forecast = target.from_innovation(innovation, params.target)[rows]
        off = label - forecast
        complete = np.isfinite(off)
        in_sigma = {"loss": own["forecast"], "raw_loss": own["raw"], "known_loss": 0.0 * off}
        in_unit = {"target_loss": forecast, "spread": np.full(len(rows), label[complete].mean())}
        daily = by_day(
            bars.minutes[rows],
            target.label("innovation")[rows],
            {name: np.asarray(series, np.float64) for name, series in in_sigma.items()},
        ).merge(by_day(bars.minutes[rows], label + 0.0 * off, in_unit), on="day")
        frames.append(daily.assign(pair=bars.pair, horizon=horizon))
    return pd.concat(frames)
