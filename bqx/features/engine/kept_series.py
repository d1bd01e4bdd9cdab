"""Series of a source that are kept while the bars of their pairs move on.

A row of a source is decided by so many bars, whatever history it is computed from. Rows that are
there therefore stay, and those of new and of corrected bars are computed: what is kept is what the
batch has, bit for bit.
"""

from collections.abc import Sequence

import numpy as np

from bqx.features.spec import Source
from bqx.market.bars import Bars

_SPARE = 512  # rows, so that those kept are seldom moved


class KeptSeries:
    """The last rows of a source, of several pairs.

    Parameters
    ----------
    length : rows that are kept.
    reach : bars that decide one of its rows.
    shape : () of a source of one column, (C,) of several.

    Attributes
    ----------
    values : (pairs, room, ...) whose rows before ``end`` are there, ``count`` of them.
    """

    def __init__(
        self, source: Source, length: int, reach: int, *, pairs: int, shape: tuple[int, ...]
    ) -> None:
        self.source = source
        self.length, self.reach = length, reach
        self.values = np.empty((pairs, length + _SPARE, *shape))
        self.end = self.count = 0

    def forget(self, rows: int) -> None:
        """Drop so many of the newest rows."""
        rows = min(rows, self.count)
        self.end -= rows
        self.count -= rows

    def take(self, bars: Sequence[Bars], rows: int) -> None:
        """Add the last rows of the bars of each pair, no more than are kept."""
        if self.end + rows > self.values.shape[1]:
            kept = min(self.count, self.length - rows)
            self.values[:, :kept] = self.values[:, self.end - kept : self.end]
            self.end = self.count = kept
        filled = slice(self.end, self.end + rows)
        for values, pair_bars in zip(self.values, bars, strict=True):
            x = self.source.build(pair_bars)
            values[filled] = x[len(x) - rows :]
        self.end += rows
        self.count = min(self.count + rows, self.length)
