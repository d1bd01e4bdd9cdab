"""Series that are kept while the bars of their pairs move on.

A row of a source is decided by so many bars, whatever history it is computed from, and so is a row
of the first step of a kernel. Rows that are there therefore stay, and those of new and of corrected
bars are computed: what is kept is what the batch has, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bqx.features.spec import Array, Source
from bqx.market.bars import Bars

_SPARE = 512  # rows, so that those kept are seldom moved


@dataclass(frozen=True)
class Move:
    """What has become of the bars since the last time.

    ``newer`` : of the newest rows so many have come or changed; ``ahead`` of them have come.
    """

    market_minute: int
    newer: int
    ahead: int


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
        self.values = np.empty((pairs, length + _SPARE, *shape))
        self.end = self.count = 0

    def rows_of(self, move: Move) -> int:
        """How many of the newest rows have to be computed."""
        return min(move.newer, self.length)

    def go_on(self, move: Move) -> Array:
        """(pairs, rows, ...) to be filled with the newest rows."""
        gone = min(move.newer - move.ahead, self.count)
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

    Attributes
    ----------
    corrected : (pairs,) whether rows that were there before may have got other values.
    """

    def __init__(
        self, source: Source, length: int, reach: int, *, pairs: int, shape: tuple[int, ...]
    ) -> None:
        super().__init__(length, reach, pairs=pairs, shape=shape)
        self.source = source
        self.corrected = np.ones(pairs, dtype=bool)

    def take(self, bars: Sequence[Bars], move: Move) -> None:
        """Compute the newest rows from the bars of each pair."""
        if not move.newer:
            return
        there = move.newer - move.ahead
        before = self.newest(max(min(there, self.count, self.length - move.ahead), 0)).copy()
        newest = self.go_on(move)
        for values, pair_bars in zip(newest, bars, strict=True):
            x = self.source.build(pair_bars)
            values[:] = x[len(x) - len(values) :]
        if before.shape[1] < there or not 0 < move.ahead <= self.length:
            self.corrected[:] = True
        else:
            same = before.view(np.int64) == newest[:, :there].view(np.int64)
            self.corrected = ~same.reshape(len(same), -1).all(axis=1)
