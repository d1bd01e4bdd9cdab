"""Series of all pairs of a panel, kept while its bars move on."""

from collections.abc import Callable
from threading import RLock

from bqx.features.engine.kept_series import KeptSeries, Move
from bqx.features.spec import Array
from bqx.market.bars import Bars

_MORE = 60
"""Rows beyond those asked for: a window that is still filling asks for one more every minute."""


class KeptPanel:
    """The last rows of the series that are made of a panel, by their key.

    Sources that are made in several threads share them.
    """

    def __init__(self) -> None:
        self._move = Move(0, 0, 0)
        self._moves = 0
        self._lock = RLock()
        self._kept: dict[str, tuple[KeptSeries, int]] = {}

    def go_on(self, move: Move) -> None:
        """Have another move of the bars behind what is asked next."""
        if move.newer:
            self._move, self._moves = move, self._moves + 1

    def has(self, key: str) -> bool:
        """Whether a series was asked for in this minute or the one before."""
        with self._lock:
            kept = self._kept.get(key)
            return kept is not None and self._moves - kept[1] <= 1

    def newest(self, key: str, reach: int, make: Callable[[Bars], Array], bars: Bars) -> Array:
        """(T, C) of a series on the rows of some bars, the last of which is the newest of all.

        ``make`` : the series from bars, ``reach`` of which decide a row.
        """
        count = len(bars)
        with self._lock:
            kept, moves = self._kept.get(key, (None, self._moves))
            behind = self._moves - moves
            if kept is not None and behind == 1:
                rows = kept.rows_of(self._move)
                read = reach - 1 + rows
                if read > count:
                    return make(bars)  # who asks for more rows can make those that are new
                recent = bars if read == count else bars.rows(count - read, count)
                kept.go_on(self._move)[0] = make(recent)[reach - 1 :]
            if kept is None or behind > 1 or kept.count < count:
                values = make(bars)
                kept = KeptSeries(count + _MORE, reach, pairs=1, shape=values.shape[1:])
                kept.go_on(Move(self._move.market_minute, count, 0, anew=True))[0] = values
            self._kept[key] = kept, self._moves
            return kept.newest(count)[0]
