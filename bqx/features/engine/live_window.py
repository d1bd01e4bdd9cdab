"""Features of the newest minute of all pairs, from a window of bars that moves with the market."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bqx.features.engine.bar_window import BarWindow
from bqx.features.engine.batched import in_threads
from bqx.features.engine.compute import tiers
from bqx.features.engine.newest_bars import newest
from bqx.features.spec import Array, Feature
from bqx.market.bars import Bars


class LiveWindow(BarWindow):
    """The last bars of up to 28 pairs, and the features of the newest minute.

    The values are those of the batch on the same bars, bit for bit, since both go through one
    `Plan`.

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
        self._plans = tiers(self.features)
        lookback = max((plan.lookback for _, plan in self._plans), default=1)
        super().__init__(tuple(baselines), lookback, max_fill)
        self.baselines = dict(baselines)
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

    def values(self) -> NDArray[Any]:
        """(pairs, features) of the newest minute, NaN where history is too short or broken.

        Raises BarError when there is no minute yet.
        """
        self._need_one()
        outs = [
            np.empty((len(self.pairs), len(plan.features), 1), self.dtype)
            for _, plan in self._plans
        ]
        in_threads(self._works(outs), len(os.sched_getaffinity(0)))
        out = np.empty((len(self.pairs), len(self.features)), self.dtype)
        for (columns, _), values in zip(self._plans, outs, strict=True):
            out[:, columns] = values[:, :, 0]
        return out

    def _works(self, outs: Sequence[NDArray[Any]]) -> Iterator[Callable[[], None]]:
        fits = [self.fits.get(pair) for pair in self.pairs]
        for (_, plan), out in zip(self._plans, outs, strict=True):
            rows = self.slice(max(plan.lookback, 1))
            yield from plan.works(newest(rows, self.pairs, self.baselines), out, fits)
