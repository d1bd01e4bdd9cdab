"""Series that are kept while the bars of their pairs move on.

A row of a source is decided by so many bars, whatever history it is computed from, and so is a row
of the first step of a kernel. Rows that are there therefore stay, and those of new and of corrected
bars are computed: what is kept is what the batch has, bit for bit.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bqx.features.engine.newest_bars import NewestOfPairs
from bqx.features.rolling.panels import OfPairs
from bqx.features.spec import Array, Source

_SPARE = 512  # rows at most, and twice as many as are kept, which so are seldom moved


@dataclass(frozen=True)
class Move:
    """What has become of the bars since the last time.

    ``newer`` : of the newest rows so many have come or changed; ``ahead`` of them have come.
    ``anew`` : of what was there nothing is left.
    """

    market_minute: int
    newer: int
    ahead: int
    anew: bool = False

    @cached_property
    def coming(self) -> "Move":
        """The rows that have come alone."""
        return replace(self, newer=self.ahead)


class KeptSeries:
    """The last rows of a series of several pairs.

    Parameters
    ----------
    length : rows that are kept.
    reach : bars, or rows of what it is made of, that decide one of its rows.
    shape : () of one column, (C,) of several.

    Attributes
    ----------
    values : (pairs, room, ...) whose rows before ``end`` are there, ``count`` of them.
    """

    def __init__(self, length: int, reach: int, *, pairs: int, shape: tuple[int, ...]) -> None:
        self.length, self.reach = length, reach
        self.values = np.empty((pairs, length + min(_SPARE, 2 * length), *shape))
        self.end = self.count = 0

    def rows_of(self, move: Move) -> int:
        """How many of the newest rows have to be computed."""
        return min(move.newer, self.length)

    def go_on(self, move: Move) -> Array:
        """(pairs, rows, ...) to be filled with the newest rows."""
        gone = self.count if move.anew else min(move.newer - move.ahead, self.count)
        rows = self.rows_of(move)
        self.end, self.count = self.end - gone, self.count - gone
        if self.end + rows > self.values.shape[1]:
            kept = min(self.count, self.length - rows)
            self.values[:, :kept] = self.values[:, self.end - kept : self.end]
            self.end = self.count = kept
        self.end, self.count = self.end + rows, min(self.count + rows, self.length)
        return self.values[:, self.end - rows : self.end]

    def newest(self, rows: int) -> Array:
        """(pairs, rows, ...) of the newest rows, fewer where there are not so many."""
        return self.values[:, self.end - min(rows, self.count) : self.end]


class KeptSource(KeptSeries):
    """The last rows of a source.

    ``end_to_end`` : whether it can be made for all pairs at once, see `EndToEnd`.

    Attributes
    ----------
    corrected : (pairs,) whether rows that were there before may have got other values.
    """

    def __init__(
        self,
        source: Source,
        length: int,
        reach: int,
        *,
        pairs: int,
        shape: tuple[int, ...],
        end_to_end: bool,
    ) -> None:
        super().__init__(length, reach, pairs=pairs, shape=shape)
        self.source, self._end_to_end = source, end_to_end
        self.corrected = np.ones(pairs, dtype=bool)

    def take(self, bars: NewestOfPairs | None, move: Move) -> None:
        """Compute the newest rows, if any, from the bars of each pair."""
        if not bars:
            return
        there = move.newer - move.ahead
        if there == 0 and 0 < move.ahead <= self.length:  # nearly always
            self._fill(bars, self.go_on(move))
            self.corrected[:] = False
            return
        before = self.newest(max(min(there, self.count, self.length - move.ahead), 0)).copy()
        newest = self.go_on(move)
        self._fill(bars, newest)
        if before.shape[1] < there or not 0 < move.ahead <= self.length:
            self.corrected[:] = True
        else:
            same = before.view(np.int64) == newest[:, :there].view(np.int64)
            self.corrected = ~same.reshape(len(same), -1).all(axis=1)

    def _fill(self, bars: NewestOfPairs, newest: Array) -> None:
        rows = newest.shape[1]
        # Where there are not the bars behind the first row, a pair's would be those of another.
        if self._end_to_end and len(bars.rows.minutes) >= self.reach - 1 + rows:
            x = self.source.build(bars.end_to_end)
            newest[:] = x.reshape(len(newest), -1, *x.shape[1:])[:, -rows:]
            return
        if isinstance(self.source.build, OfPairs):
            newest[:] = self.source.build.make(bars.first, bars.there, rows)
            return
        for values, pair_bars in zip(newest, bars.each, strict=True):
            x = self.source.build(pair_bars)
            values[:] = x[len(x) - rows :]
