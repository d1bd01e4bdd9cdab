"""Frames of forecasts that users bring: what is wrong with one is said before any row is learnt."""

import numpy as np
import pandas as pd

from bqx.errors import ParameterError
from bqx.market.pairs import PAIRS
from bqx.market.sessions import DAY
from bqx.online.replay import KEYS, columns_of

WRITE = "Write them from what was captured."
MINUTES = range(10_000_000, 200_000_000)
"""Epoch minutes of 1989 to 2350."""


def checked(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of any pairs and horizons, in order, with numbers of one kind and every label.

    A frame without labels gets them as not known.

    Raises ParameterError where it lacks a column or rows, a value is of another kind, or a forecast
    stands twice.
    """
    columns = columns_of(frame)
    frame = frame.reset_index(drop=True)
    if "label" not in frame:
        frame = frame.assign(label=np.nan)
    if frame.empty:
        raise ParameterError("forecasts: no rows, got an empty frame; expected some. " + WRITE)
    odd = sorted({str(pair) for pair in frame["pair"].unique()} - set(PAIRS))
    if odd:
        raise ParameterError(
            f"forecasts: an unknown pair, got {odd[0]!r:.40}; expected those of the 28. {WRITE}"
        )
    for name in ("horizon", "minute", "forecast", "label", *columns):
        if frame[name].dtype.kind not in "biuf":
            raise ParameterError(
                f"forecasts: {name} has a wrong type, got {frame[name].dtype}; expected numbers. "
                f"{WRITE}"
            )
    for name, allowed in (("horizon", range(1, DAY + 1)), ("minute", MINUTES)):
        values = frame[name]
        wrong = values[~(values.between(allowed[0], allowed[-1]) & (values % 1 == 0))]
        if len(wrong):
            raise ParameterError(
                f"forecasts: {name} has a wrong value, got {wrong.iloc[0]}; expected whole minutes "
                f"from {allowed[0]} to {allowed[-1]}. {WRITE}"
            )
    for name in ("forecast", "label", *columns):
        if np.isinf(frame[name].to_numpy(np.float64)).any():
            raise ParameterError(
                f"forecasts: {name} has a wrong value, got an infinite one; expected numbers, or "
                f"NaN for none. {WRITE}"
            )
    frame = frame.astype({"horizon": np.int64, "minute": np.int64})
    if (twice := frame.duplicated(list(KEYS))).any():
        key = frame.loc[twice.idxmax(), list(KEYS)].tolist()
        raise ParameterError(
            f"forecasts: a row stands twice, got {key}; expected each pair, horizon and minute "
            f"once. {WRITE}"
        )
    return frame.sort_values(list(KEYS), ignore_index=True)
