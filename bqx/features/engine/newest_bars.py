"""Bars of the newest minutes as columns, without the time that a frame of pandas takes."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.features.spec import Array
from bqx.market import sessions
from bqx.market.bars import COLUMNS, RATES, Bars, Panel

CLOSE, VOLUME, SPREAD = (COLUMNS.index(name) for name in ("close", "volume", "spread"))

FILLED = len(COLUMNS)
"""Column that says whether a bar was carried, 1 or 0."""

FRAME_COLUMNS = pd.Index([*COLUMNS, "filled"], dtype=object)


class NewestBars(Bars):
    """What ``Bars`` would make of a frame, from its columns (7, T).

    ``minutes`` : (T,) epoch minutes; ``market_minute`` is that of the last one.
    """

    def __init__(
        self,
        pair: str,
        columns: Array,
        baseline: float,
        *,
        panel: Panel,
        minutes: NDArray[np.int64],
        market_minute: int,
    ) -> None:
        values: dict[str, Any] = vars(self)  # a frozen class takes no attributes
        values.update(pair=pair, baseline=baseline, panel=panel, minutes=minutes)
        values.update(_columns=columns, _derived={})
        values.update(close=columns[CLOSE], volume=columns[VOLUME], spread=columns[SPREAD])
        values["ohlc"] = 100.0 * columns[: len(RATES)].T / baseline
        values["first_market_minute"] = market_minute + 1 - len(minutes)

    def __len__(self) -> int:
        return len(self.minutes)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """(T,) rows, for sources that read it."""
        columns: Array = vars(self)["_columns"]
        index = sessions.timestamps(self.minutes)
        return pd.DataFrame(columns.T, index=index, columns=FRAME_COLUMNS, copy=False)
