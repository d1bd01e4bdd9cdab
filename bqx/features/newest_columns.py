"""Columns of the newest row of one or several pairs, as a server needs them every minute.

Lags are not remembered but computed where they are: at the row so many rows before. A bar that is
corrected later so changes every column that reads it, as in the batch.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.batched import in_threads
from bqx.features.engine.compute import Plan, tiers
from bqx.features.engine.fitting import Fits
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.market.bars import Bars

Pairs = tuple[str, ...]


class NewestColumns:
    """What has to run for the columns of some pairs.

    Features without a fit are computed for all pairs together, whichever of them reads them: a
    kernel's call costs more than a row of it.

    Parameters
    ----------
    columns : by pair, in the order wanted.
    """

    def __init__(self, columns: Mapping[str, Sequence[Column]]) -> None:
        self.columns = {pair: tuple(of_pair) for pair, of_pair in columns.items()}
        self.lookback = max((c.lookback for of in self.columns.values() for c in of), default=0)
        every = tuple(self.columns)
        readers: dict[tuple[int, Feature], list[str]] = {}
        for pair, of_pair in self.columns.items():
            for column in of_pair:
                wanting = readers.setdefault((column.lag, column.feature), [])
                if pair not in wanting:
                    wanting.append(pair)
        grouped: dict[tuple[int, Pairs], list[Feature]] = {}
        for (lag, feature), wanting in readers.items():
            pairs = tuple(wanting) if feature.fit_key else every
            grouped.setdefault((lag, pairs), []).append(feature)
        self._plans: list[tuple[int, Pairs, Plan]] = [
            (lag, pairs, plan)
            for (lag, pairs), features in grouped.items()
            for _, plan in tiers(features)
        ]
        where: dict[tuple[str, int, Feature], tuple[int, int, int]] = {}
        for number, (lag, pairs, plan) in enumerate(self._plans):
            for row, pair in enumerate(pairs):
                for place, feature in enumerate(plan.features):
                    where[pair, lag, feature] = number, row, place
        # By pair: the plan, its row and its column of every column wanted.
        self._where = {
            pair: np.array([where[pair, c.lag, c.feature] for c in of], dtype=np.int64)
            for pair, of in self.columns.items()
        }

    def __call__(
        self, bars: Mapping[str, Bars], fits: Mapping[str, Fits], threads: int = 0
    ) -> dict[str, NDArray[np.float32]]:
        """(1, C) columns of the last row of each pair's bars.

        Parameters
        ----------
        bars : of the pairs, on the same rows.
        fits : of the pairs.
        threads : default as many as there are cores.
        """
        outs = [
            np.full((len(pairs), len(plan.features), 1), np.nan, np.float32)
            for _, pairs, plan in self._plans
        ]
        works = self._works(bars, fits, outs)
        threads = threads or len(os.sched_getaffinity(0))
        if threads == 1:
            for work in works:
                work()
        else:
            in_threads(works, threads)
        columns = {}
        for pair, where in self._where.items():
            values = [outs[number][row, place, 0] for number, row, place in where.tolist()]
            columns[pair] = np.array([values], dtype=np.float32)
        return columns

    def _works(
        self, bars: Mapping[str, Bars], fits: Mapping[str, Fits], outs: Sequence[NDArray[Any]]
    ) -> Iterator[Callable[[], None]]:
        for (lag, pairs, plan), out in zip(self._plans, outs, strict=True):
            stop = len(bars[pairs[0]]) - lag
            if stop < 1:
                continue
            start = max(stop - max(plan.lookback, 1), 0)
            recent = [bars[pair].rows(start, stop) for pair in pairs]
            yield from plan.works(recent, out, [fits[pair].parameters for pair in pairs])
