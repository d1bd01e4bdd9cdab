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
    """Squared errors of a pair's forecasts in units of the target, by day and horizon.

    Parameters
    ----------
    forecasts : see ``training.PairResult``.
    params : target and target_window are read.

    Returns
    -------
    DataFrame : day, ``known_loss`` of the martingale forecast, ``loss``, ``raw_loss`` before
        shrinkage, ``spread`` about the mean label, pair and horizon.
    """
    frames = []
    for key, own in forecasts.groupby("horizon"):
        horizon = int(str(key))
        target = targets.make(bars, params.window(horizon), horizon)
        rows = bars.ts.get_indexer(pd.DatetimeIndex(own["ts_utc"]))
        label = target.label(params.target)[rows]
        of = {"known_loss": target.martingale_of(params.target)[rows]}
        for loss, column in (("loss", "forecast"), ("raw_loss", "raw")):
            innovation = np.full(len(bars), np.nan)
            innovation[rows] = own[column]
            of[loss] = target.from_innovation(innovation, params.target)[rows]
        complete = np.all([np.isfinite(series) for series in (label, *of.values())], axis=0)
        of["spread"] = np.full(len(rows), label[complete].mean())
        daily = by_day(bars.minutes[rows], label, of)
        frames.append(daily.assign(pair=bars.pair, horizon=horizon))
    return pd.concat(frames)
