"""Features of the newest minute of all pairs, from a window of bars that moves with the market."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from bqx.errors import BarError
from bqx.features.engine.bar_window import BarWindow
from bqx.features.engine.compute import warm_up
from bqx.features.engine.newest_bars import checked
from bqx.features.engine.running import RunningPlan
from bqx.features.spec import Array, Feature
from bqx.market import sessions
from bqx.market.bars import Bars


class LiveWindow(BarWindow):
    """The last bars of up to 28 pairs, and the features of the newest minute.

    The values are those of the batch on the same bars, bit for bit, since both go through one
    `Plan`: on bars that end where the window's do, since a pair's hole is carried when its end is
    known, and is empty until then.

    Parameters
    ----------
    features : of every pair, in the order wanted.
    baselines : by pair, quote units; the pairs of the window.
    max_fill : longest hole that carries the last close, minutes.
    dtype : of the values.
    fits : parameters of fitted families, frozen, by pair and ``Feature.fit_key``.

    Attributes
    ----------
    length : minutes that are kept, the longest lookback of the features.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        baselines: Mapping[str, float],
        max_fill: int = 15,
        dtype: DTypeLike = np.float32,
        fits: Mapping[str, Mapping[str, Array]] | None = None,
    ) -> None:
        self.features = tuple(features)
        super().__init__(tuple(baselines), warm_up(features), max_fill)
        self.baselines = dict(baselines)
        self._plan = RunningPlan(self.features, self, self.baselines)
        self.dtype = dtype
        self.fits = fits or {}

    @classmethod
    def of(
        cls,
        bars: Mapping[str, Bars],
        features: Sequence[Feature],
        max_fill: int = 15,
        dtype: DTypeLike = np.float32,
        fits: Mapping[str, Mapping[str, Array]] | None = None,
    ) -> "LiveWindow":
        """The window after a history: bars of pairs on one grid, see `bars.align`."""
        baselines = {pair: b.baseline for pair, b in bars.items()}
        window = cls(features, baselines, max_fill, dtype, fits)
        window.take(bars)
        return window

    def push(self, ts: pd.Timestamp, bars: Mapping[str, Mapping[str, float]]) -> None:
        """Take the bars of the minute that follows the newest one.

        Parameters
        ----------
        ts : the minute's open.
        bars : ``{"open", "high", "low", "close"}`` and maybe ``"volume"`` and ``"spread"`` by
            pair; a pair that did not trade is left out, and so may all be.

        Raises
        ------
        BarError : a minute in the past or beyond the next one, a closed market, an unknown pair,
            or a bar that breaks the bar schema; the window then is as before.
        """
        minute, market = self._follows(pd.Timestamp(ts))
        good = [(self._number(pair), checked(pair, bar)) for pair, bar in bars.items()]
        self._append(minute, market)
        if good:
            numbers, rows = zip(*good, strict=True)
            self._put_newest(np.array(numbers), np.array(rows))

    def values(self) -> NDArray[Any]:
        """(pairs, features) of the newest minute, NaN where history is too short or broken.

        Raises BarError when there is no minute yet.
        """
        self._need_one()
        out = np.full((len(self.pairs), len(self.features)), np.nan, self.dtype)
        fits = [self.fits.get(pair) for pair in self.pairs]
        self._plan.run(out, fits, len(os.sched_getaffinity(0)))
        return out

    def _follows(self, ts: pd.Timestamp) -> tuple[int, int]:
        where = f"live window: {ts}"
        if ts.tz is None or ts.value % 60_000_000_000:
            raise BarError(f"{where}: no bar's open, got {ts}; expected a whole minute in UTC.")
        minute = ts.value // 60_000_000_000
        if self.follows(minute):
            return minute, self._market + 1
        minutes = np.array([minute])
        if not sessions.is_open(minutes)[0]:
            raise BarError(
                f"{where}: the market is closed, got a bar; expected minutes between Sunday 17:00 "
                "and Friday 17:00 New York. Leave it out."
            )
        market = int(sessions.market_minutes(minutes)[0])
        if not len(self) or market == self._market + 1:
            return minute, market
        ahead = sessions.grid(self._minutes[self._end - 1] + 1, minute + 3 * sessions.DAY)
        follows = sessions.timestamps(ahead[:1])[0] if market > self._market else self.minute
        if market <= self._market:
            raise BarError(
                f"{where}: out of order, got a minute not after {follows}; expected each minute "
                "once, in the order of time. Drop it."
            )
        raise BarError(
            f"{where}: minutes are missing, got one {market - self._market - 1:,} too late; "
            f"expected {follows}. Push every open minute, an empty mapping where no pair traded, "
            "or start from a history with LiveWindow.of."
        )

    def _put_newest(self, numbers: NDArray[np.int64], bars: Array) -> None:
        """Put bars (n, 6) of some pairs on the newest row."""
        row = self._end - 1
        holes = self._missing[numbers] - 1
        for n in np.flatnonzero((holes > 0) & (holes <= self.max_fill)).tolist():
            i = int(numbers[n])
            self._carry(i, row - holes[n] - 1, row, self._newest[i])
        self._write(numbers, row, bars)
        self._newest[numbers], self._missing[numbers] = bars, 0
