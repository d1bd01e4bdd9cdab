"""First steps of kernels, whose rows are kept for what reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.kept_series import KeptSeries, KeptSource, Move
from bqx.features.engine.newest_calls import Fits, Reading, Readings, alike
from bqx.features.spec import Array


class FirstStep:
    """The rows of a kernel's first step, and what reads them.

    Parameters
    ----------
    reading : of the first step; the rows that it reads are those that decide one of its rows.
    """

    def __init__(self, kept: KeptSeries, reading: Reading, readings: Sequence[Reading]) -> None:
        self._kept = kept
        self._first = Readings([reading])
        self._then = alike(readings)

    def run(self, move: Move, out: NDArray[Any], fits: Fits) -> None:
        """Compute the rows that are new, then what reads them."""
        if move.newer:
            self._take(move, fits)
        for readings in self._then:
            for work in readings.works(move.market_minute, out, fits):
                work()

    def _take(self, move: Move, fits: Fits) -> None:
        count = self._kept.go_on(move).shape[1]
        kept, rows = self._kept.values, (self._kept.end - count, self._kept.end)
        for work in self._first.works(move.market_minute, kept, fits, rows, finite=False):
            work()


class StatedStep(FirstStep):
    """A first step that goes on from a state, see `Steps`.

    It begins anew for pairs that have got another value where it has read one.

    Parameters
    ----------
    reading : of the newest row of a source, with states.
    begin : state of a pair of some fits, before any row.
    behind : rows that decide one of its rows.
    """

    def __init__(
        self,
        kept: KeptSeries,
        reading: Reading,
        readings: Sequence[Reading],
        begin: Callable[[Mapping[str, Array] | None], Array],
        behind: int,
    ) -> None:
        super().__init__(kept, reading, readings)
        self._reading, self._begin, self._behind = reading, begin, behind
        # At first it begins anew: what goes on is not called before the minute after.
        self._first.load(kept.values)

    def _take(self, move: Move, fits: Fits) -> None:
        source = self._reading.series
        assert isinstance(source, KeptSource)
        anew = source.corrected | (move.ahead > self._kept.length)
        if anew.all():
            self._kept.go_on(move)
        else:
            super()._take(move.coming, fits)
        for pair in np.flatnonzero(anew).tolist():
            self._take_anew(pair, move, fits[pair])

    def _take_anew(self, pair: int, move: Move, fits: Mapping[str, Array] | None) -> None:
        reading, newest = self._reading, self._kept.newest(move.newer)[pair]
        assert reading.states is not None
        x = reading.series.newest(self._behind + len(newest) - 1)[pair]
        state = reading.states[pair]
        state[:] = self._begin(fits)
        y = reading.kernel(x, move.market_minute + 1 - len(x), *reading.window, state)
        newest[:] = y[len(y) - len(newest) :]
