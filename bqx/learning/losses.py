"""Squared errors of forecasts, summed by trading day."""

from collections.abc import Callable, Mapping

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
    for key, cell in forecasts.groupby("horizon"):
        horizon = int(str(key))
        target = targets.make(bars, params.window(horizon), horizon)
        rows = bars.ts.get_indexer(pd.DatetimeIndex(cell["ts_utc"]))
        innovation = np.full(len(bars), np.nan)
        innovation[rows] = cell["forecast"]
        label = target.label(params.target)[rows]
        forecast = target.from_innovation(innovation, params.target)[rows]
        off = label - forecast
        complete = np.isfinite(off)
        in_sigma = {"loss": cell["forecast"], "raw_loss": cell["raw"], "known_loss": 0.0 * off}
        in_unit = {"target_loss": forecast, "spread": np.full(len(rows), label[complete].mean())}
        daily = by_day(
            bars.minutes[rows],
            target.label("innovation")[rows],
            {name: np.asarray(series, np.float64) for name, series in in_sigma.items()},
        ).merge(by_day(bars.minutes[rows], label + 0.0 * off, in_unit), on="day")
        frames.append(daily.assign(pair=bars.pair, horizon=horizon))
    return pd.concat(frames)


def of_days(
    target: targets.Target, minutes: NDArray[np.int64], rows: NDArray[np.int64], forecast: Series
) -> pd.DataFrame:
    """How forecasts of an innovation did, by the trading day on which their label became known.

    Parameters
    ----------
    minutes : (T,) epoch minutes of the target's rows.
    rows : (n,) of the forecasts; forecast : (n,) in sigma, NaN where there is none.

    Returns
    -------
    DataFrame : day, horizon, rows; sums of ``loss`` and ``known_loss`` (squares) and of
        ``absolute`` and ``known_absolute`` errors, in sigma, of the forecast and the martingale;
        of the change of BQX: ``error2``, ``label`` and ``label2`` (squares), rows whose sign was
        forecast (``hits``) among those that have one (``signs``).
    """
    innovation = target.label("innovation")[rows]
    full = np.full(len(minutes), np.nan)
    full[rows] = forecast
    delta = target.label("delta")[rows]
    expected = target.from_innovation(full, "delta")[rows]
    signed = (delta != 0.0) & (expected != 0.0)
    frame = pd.DataFrame(
        {
            "rows": np.ones(len(rows)),
            "loss": (innovation - forecast) ** 2,
            "known_loss": innovation**2,
            "absolute": np.abs(innovation - forecast),
            "known_absolute": np.abs(innovation),
            "error2": (delta - expected) ** 2,
            "label": delta,
            "label2": delta**2,
            "hits": signed & (np.sign(delta) == np.sign(expected)),
            "signs": signed,
        }
    ).astype(np.float64)
    finite = np.isfinite(frame["loss"].to_numpy())
    ends = rows[finite] + target.horizon
    day = sessions.trading_days(minutes[ends])
    summed = frame[finite].groupby(day).sum().rename_axis("day").reset_index()
    return summed.assign(horizon=target.horizon)


def of_forecasts(
    bars: Bars, forecasts: pd.DataFrame, window_of: Callable[[int], int]
) -> pd.DataFrame:
    """`of_days` of a pair's forecasts out of sample at all horizons, see ``PairResult``.

    Parameters
    ----------
    window_of : the target's window at a horizon.
    """
    frames = []
    for key, cell in forecasts.groupby("horizon"):
        horizon = int(str(key))
        target = targets.make(bars, window_of(horizon), horizon)
        rows = bars.ts.get_indexer(pd.DatetimeIndex(cell["ts_utc"]))
        frames.append(of_days(target, bars.minutes, rows, cell["forecast"].to_numpy(np.float64)))
    return pd.concat(frames, ignore_index=True)
