"""What the learners would have said: a frame of forecasts gone through in order, in memory."""

import heapq

import numpy as np
import pandas as pd

from bqx.errors import ParameterError
from bqx.online.ensemble import Ensemble
from bqx.online.settings import MEMBERS, Settings

KEYS = ("pair", "horizon", "minute")
"""What names a forecast: pair, minutes ahead, and the epoch minute t at whose end it was made."""
GIVEN = ("forecast_id", "forecast", "label")
"""Other columns that a frame has; all that remain are features. Forecast and label are innovations
in sigma; a label is NaN as long as it is not known."""


def columns_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """Feature columns of a frame of forecasts, in its order.

    Raises ParameterError where it lacks a column, or has none.
    """
    absent = [name for name in (*KEYS, "forecast") if name not in frame.columns]
    columns = tuple(str(c) for c in frame.columns if c not in (*KEYS, *GIVEN))
    if absent or not columns:
        raise ParameterError(
            f"forecasts: no column {absent[0] if absent else 'of a feature'}, got "
            f"{', '.join(map(str, frame.columns[:6]))}; expected {', '.join(KEYS)}, forecast, "
            "label and features. Write them from what was captured."
        )
    return columns


def replay(frame: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """Forecast every row of one pair and horizon, learning each label once it is known.

    A label of minute t is learnt at the first row of t + horizon or later, before this row is
    forecast, from the features and the forecasts of minute t.

    Parameters
    ----------
    frame : one row per minute, see `KEYS` and `GIVEN`.

    Returns
    -------
    DataFrame : the frame's keys, ``online``, the forecast of every member and ``weight_`` of each.

    Raises ParameterError for minutes that do not ascend, and as `columns_of` does.
    """
    columns = columns_of(frame)
    minutes = frame["minute"].to_numpy(np.int64)
    if (np.diff(minutes) <= 0).any() or len(frame[["pair", "horizon"]].drop_duplicates()) > 1:
        raise ParameterError(
            "forecasts: not in order, got minutes that do not ascend; expected one pair and "
            "horizon by minute. Sort them."
        )
    horizon = int(frame["horizon"].iloc[0]) if len(frame) else 0
    ensemble = Ensemble(columns, horizon, settings or Settings())
    features = frame[list(columns)].to_numpy(np.float64)
    static, labels = (frame[name].to_numpy(np.float64) for name in ("forecast", "label"))
    waiting: list[tuple[int, int]] = []
    members = np.zeros((len(frame), len(MEMBERS)))
    weights, online = np.zeros_like(members), np.zeros(len(frame))
    for row, minute in enumerate(minutes.tolist()):
        while waiting and waiting[0][0] <= minute:
            _, old = heapq.heappop(waiting)
            ensemble.learn(int(minutes[old]), features[old], members[old], float(labels[old]))
        answer = ensemble.forecast(float(static[row]), features[row])
        members[row], weights[row], online[row] = answer.members, answer.weights, answer.forecast
        if np.isfinite(labels[row]):
            heapq.heappush(waiting, (minute + horizon, row))
    out = frame[list(KEYS)].assign(online=online, resets=ensemble.resets)
    out[list(MEMBERS)] = members
    out[[f"weight_{name}" for name in MEMBERS]] = weights
    return out
