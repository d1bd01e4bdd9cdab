"""First steps of kernels, whose rows are kept for what reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.kept_series import KeptSeries, KeptSource, Move
from bqx.features.engine.newest_calls import Fits, Reading, Readings, alike
from bqx.features.spec import Array


class Step:
    """The rows of a kernel's first step, and what reads them."""

    def __init__(self, kept: KeptSeries, readings: Sequence[Reading]) -> None:
        self._kept = kept
        self._then = alike(readings)

    def run(self, move: Move, out: NDArray[Any], fits: Fits) -> None:
        """Compute the rows that are new, then what reads them."""
        if move.newer:
            self._take(move, fits)
        for readings in self._then:
            for work in readings.works(move.market_minute, out, fits):
                work()

    def _take(self, move: Move, fits: Fits) -> None:
        raise NotImplementedError


class FirstStep(Step):
    """The rows of a first step that reads so many rows.

    Parameters
    ----------
    firsts : of the first step, or of several that are alike; the rows that one reads are those that
        decide one of its rows.
    """

    def __init__(
        self, kept: KeptSeries, firsts: Sequence[Reading], readings: Sequence[Reading]
    ) -> None:
        super().__init__(kept, readings)
        self._first = Readings(firsts)

    def _take(self, move: Move, fits: Fits) -> None:
        count = self._kept.go_on(move).shape[1]
        kept, rows = self._kept.values, (self._kept.end - count, self._kept.end)
        for work in self._first.works(move.market_minute, kept, fits, rows, finite=False):
            work()


@dataclass(frozen=True)
class Going:
    """A first step that goes on from a state, see `Steps`.

    ``reading`` : of the newest row of a source, with states. ``begin`` : state of a pair of some
    fits, before any row. ``behind`` : rows that decide one of its rows.
    """

    reading: Reading
    begin: Callable[[Mapping[str, Array] | None], Array]
    behind: int


class StatedStep(FirstStep):
    """First steps of one source that go on from states, and what reads their rows side by side.

    They begin anew for pairs that have got another value where they have read one.
    """

    def __init__(
        self, kept: KeptSeries, going: Sequence[Going], readings: Sequence[Reading]
    ) -> None:
        super().__init__(kept, [each.reading for each in going], readings)
        source = going[0].reading.series
        assert isinstance(source, KeptSource)
        self._source, self._going = source, going
        # At first they begin anew: what goes on is not called before the minute after.
        self._first.load(kept.values)

    def _take(self, move: Move, fits: Fits) -> None:
        anew = self._source.corrected | (move.ahead > self._kept.length)
        if anew.all():
            self._kept.go_on(move)
        else:
            super()._take(move.coming, fits)
        for pair in np.flatnonzero(anew).tolist():
            newest = self._kept.newest(move.newer)[pair]
            for each in self._going:
                self._take_anew(each, pair, newest, move, fits[pair])

    def _take_anew(
        self, of: Going, pair: int, newest: Array, move: Move, fits: Mapping[str, Array] | None
    ) -> None:
        reading = of.reading
        assert reading.states is not None
        x = self._source.newest(of.behind + len(newest) - 1)[pair]
        state = reading.states[pair, slice(*reading.state)]
        state[:] = of.begin(fits)
        y = reading.kernel(x, move.market_minute + 1 - len(x), *reading.window, state)
        newest[:, reading.columns] = y[len(y) - len(newest) :]
