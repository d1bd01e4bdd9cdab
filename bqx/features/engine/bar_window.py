"""The last minutes of bars of up to 28 pairs, which move with the market and may be corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.features.engine.newest_bars import Slice
from bqx.features.spec import Array
from bqx.market import sessions
from bqx.market.bar_arrays import CLOSE, COLUMNS, FILLED, RATES, SPREAD, VOLUME, on_grid
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS, check

if TYPE_CHECKING:
    import pandas as pd


class BarWindow:
    """The last bars of some pairs on one grid.

    A hole is treated as the batch treats the end of its bars: while a pair has no bar its newest
    row is NaN; when its next bar comes, a hole of at most ``max_fill`` minutes carries the last
    close. A bar that comes late or anew is put where it belongs, with what was carried from it.

    Attributes
    ----------
    pairs : in the order of the rows of a slice.
    length : minutes that are kept.

    Raises
    ------
    ParameterError : an unknown pair.
    """

    def __init__(self, pairs: Sequence[str], length: int, max_fill: int = 15) -> None:
        self.pairs = tuple(sorted(map(check, pairs)))
        self.max_fill = max_fill
        self.length = max(length, 1)
        self._places = np.array([PAIRS.index(pair) for pair in self.pairs], dtype=np.int64)
        # More than the window, so that its rows lie side by side and seldom have to be moved.
        room, count = self.length + min(self.length, sessions.DAY), len(self.pairs)
        self._bars = np.full((count, FILLED + 1, room), np.nan)
        self._closes = np.full((room, len(PAIRS)), np.nan)
        self._minutes = np.zeros(room, dtype=np.int64)
        self._first = self._end = 0
        self._market = 0
        self._newest = np.full((count, len(COLUMNS)), np.nan)
        self._missing = np.full(count, max_fill + 1)
        self._counts_volume = np.zeros(count, dtype=bool)
        # Which change of the window was the last of a row.
        self._changes = 0
        self._changed = np.zeros(room, dtype=np.int64)

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def minute(self) -> pd.Timestamp:
        """Open of the newest minute, UTC; BarError when there is none."""
        self._need_one()
        return sessions.timestamps(self._minutes[self._end - 1 : self._end])[0]

    @property
    def market_minute(self) -> int:
        """Number of the newest minute, see `sessions.market_minutes`."""
        return self._market

    @property
    def changes(self) -> int:
        """Number of the last change of any row, see `changed_since`."""
        return self._changes

    def changed_since(self, change: int) -> int:
        """How many of the newest rows have come, or have another bar, or have one behind them."""
        later = self._changed[self._first : self._end] > change
        return len(later) - int(np.argmax(later)) if later.any() else 0

    @property
    def waiting(self) -> tuple[str, ...]:
        """Pairs without a bar of the newest minute."""
        return tuple(p for p, missing in zip(self.pairs, self._missing, strict=True) if missing)

    @property
    def minutes(self) -> NDArray[np.int64]:
        """(T,) epoch minutes that are kept."""
        return self._minutes[self._first : self._end]

    def take(self, history: Mapping[str, Bars]) -> None:
        """Replace the window by the end of a history: bars of its pairs on one grid."""
        grid = next(iter(history.values()))
        rows = min(len(grid), self.length)
        for i, pair in enumerate(self.pairs):
            self._remember(i, history[pair], rows)
        self._minutes[:rows] = grid.minutes[len(grid) - rows :]
        self._first, self._end = 0, rows
        self._change(0, rows)
        self._market = grid.first_market_minute + len(grid) - 1

    def _remember(self, i: int, bars: Bars, rows: int) -> None:
        values = bars.frame[list(COLUMNS)].to_numpy(np.float64)
        filled = bars.frame["filled"].to_numpy()
        self._bars[i, :FILLED, :rows] = values[len(values) - rows :].T
        self._bars[i, FILLED, :rows] = filled[len(values) - rows :]
        self._closes[:rows, self._places[i]] = self._bars[i, CLOSE, :rows]
        self._counts_volume[i] = np.isfinite(values[:, VOLUME]).any()
        known = np.flatnonzero(~np.isnan(values[:, CLOSE]) & ~filled.astype(bool))
        if len(known):
            self._newest[i] = values[known[-1]]
            self._missing[i] = len(values) - 1 - known[-1]

    def follows(self, minute: int) -> bool:
        """Whether an epoch minute is the one after the newest, in the same week."""
        within = len(self) > 0 and (self._market + 1) % sessions.WEEK > 0
        return within and minute == int(self._minutes[self._end - 1]) + 1

    def move_to(self, minute: int) -> None:
        """Go on to a later epoch minute of the open market, without bars for those before it."""
        if self.follows(minute):
            self._append(minute, self._market + 1)
            return
        market = int(sessions.market_minutes(np.array([minute]))[0])
        steps = market - self._market
        if not len(self) or steps > self.length:
            # Nothing of what is kept stays in the window.
            self._first = self._end = 0
            self._missing[:] = self.max_fill + 1
            self._append(minute, market)
            return
        last = int(self._minutes[self._end - 1])
        for step, between in enumerate(sessions.grid(last + 1, minute).tolist(), self._market + 1):
            self._append(between, step)

    def row_of(self, minute: int) -> int | None:
        """Row of an epoch minute among those kept, None where it is not."""
        minutes = self.minutes
        row = int(np.searchsorted(minutes, minute))
        return row if row < len(minutes) and minutes[row] == minute else None

    def bar(self, pair: str, row: int) -> Array | None:
        """(6,) the bar that a pair sent for a row that is kept, None where it sent none."""
        values = self._bars[self._number(pair), :, self._first + row]
        return None if np.isnan(values[CLOSE]) or values[FILLED] else values[:FILLED]

    def newest_row(self, pair: str) -> int | None:
        """Row of a pair's newest bar, None where none is kept."""
        row = len(self) - 1 - int(self._missing[self._number(pair)])
        return row if row >= 0 and self.bar(pair, row) is not None else None

    def put(self, pair: str, row: int, bar: Array) -> None:
        """Put a (6,) bar that came late, or anew, on a row that is kept."""
        i, row = self._number(pair), self._first + row
        missing = self._end - 1 - row
        if missing <= self._missing[i]:
            self._newest[i], self._missing[i] = bar, missing
        self._write(np.array([i]), row, bar[None])
        before = self._real(i, range(row - 1, row - 2 - self.max_fill, -1))
        if before is not None:
            self._carry(i, before, row)
        after = self._real(i, range(row + 1, row + 2 + self.max_fill))
        if after is not None:
            self._carry(i, row, after)

    def slice(self, rows: int, behind: int = 0) -> Slice:
        """The last rows, or those before so many newer ones, as they were when these were not yet.

        A hole at the end is not carried before the bar after it has come.
        """
        end = self._end - behind
        start = max(end - rows, self._first)
        columns, closes = self._bars[:, :, start:end], self._closes[start:end]
        if behind:
            columns, closes = columns.copy(), closes.copy()
            for i, pair_columns in enumerate(columns):
                sent = np.flatnonzero(pair_columns[FILLED] == 0.0)
                hole = slice(int(sent[-1]) + 1 if len(sent) else 0, None)
                pair_columns[:FILLED, hole], pair_columns[FILLED, hole] = np.nan, 0.0
                closes[hole, self._places[i]] = np.nan
        return Slice(self._minutes[start:end], columns, closes, self._market - behind)

    def sent(self) -> tuple[NDArray[np.int64], Array]:
        """(T,) epoch minutes that are kept, and (pairs, 6, T) what was sent, NaN where nothing."""
        kept = slice(self._first, self._end)
        columns = self._bars[:, :FILLED, kept].copy()
        columns[np.broadcast_to(self._bars[:, FILLED : FILLED + 1, kept] == 1.0, columns.shape)] = (
            np.nan
        )
        return self.minutes.copy(), columns

    def restart(self, pairs: Sequence[str], minutes: NDArray[np.int64], sent: Array) -> None:
        """Replace the window by what some pairs have sent, as `sent` gives it; others are empty.

        Parameters
        ----------
        minutes : (T,) epoch minutes, all open ones from the first to the last.
        """
        rows = min(len(minutes), self.length)
        grid = minutes[len(minutes) - rows :]
        self._bars[:, :, :rows], self._bars[:, FILLED, :rows] = np.nan, 0.0
        self._closes[:rows] = np.nan
        for i, pair in enumerate(self.pairs):
            if pair not in pairs:
                continue
            columns = sent[list(pairs).index(pair)]
            own = np.flatnonzero(~np.isnan(columns[CLOSE]))
            self._bars[i, :, :rows] = on_grid(minutes[own], columns[:, own], grid, self.max_fill)
            self._closes[:rows, self._places[i]] = self._bars[i, CLOSE, :rows]
            self._counts_volume[i] |= np.isfinite(columns[VOLUME]).any()
            if len(own):
                self._newest[i] = columns[:, own[-1]]
                self._missing[i] = len(minutes) - 1 - own[-1]
        self._minutes[:rows] = grid
        self._first, self._end = 0, rows
        self._change(0, rows)
        self._market = int(sessions.market_minutes(minutes[-1:])[0]) if rows else 0

    def _append(self, minute: int, market: int) -> None:
        self._make_room()
        row = self._end
        self._bars[:, :, row] = np.nan
        self._bars[:, FILLED, row] = 0.0
        self._closes[row] = np.nan
        self._minutes[row] = minute
        self._change(row, row + 1)
        self._missing += 1
        self._end, self._market = row + 1, market
        self._first = max(self._first, self._end - self.length)

    def _write(self, numbers: NDArray[np.int64], row: int, bars: Array) -> None:
        """Put bars (n, 6) of some pairs on a row."""
        for i in numbers[np.isfinite(bars[:, VOLUME]) & ~self._counts_volume[numbers]].tolist():
            self._counts_volume[i] = True
            self._bars[i, VOLUME, self._bars[i, FILLED] == 1.0] = 0.0
            self._change(self._first, self._end)
        self._change(row, row + 1)
        self._bars[numbers, :FILLED, row] = bars
        self._bars[numbers, FILLED, row] = 0.0
        self._closes[row, self._places[numbers]] = bars[:, CLOSE]

    def _real(self, i: int, rows: range) -> int | None:
        """The first of some rows that has a bar of its own."""
        for row in rows:
            kept = self._first <= row < self._end and self._bars[i, FILLED, row] == 0.0
            if kept and not np.isnan(self._bars[i, CLOSE, row]):
                return row
        return None

    def _carry(self, i: int, before: int, after: int, bar: Array | None = None) -> None:
        """Carry a bar over the hole between two rows that have one."""
        bar = self._bars[i, :FILLED, before] if bar is None else bar
        rows = slice(max(before + 1, self._first), after)
        self._bars[i, : len(RATES), rows] = bar[CLOSE]
        self._bars[i, VOLUME, rows] = 0.0 if self._counts_volume[i] else np.nan
        self._bars[i, SPREAD, rows] = bar[SPREAD]
        self._bars[i, FILLED, rows] = 1.0
        self._closes[rows, self._places[i]] = bar[CLOSE]
        self._change(rows.start, rows.stop)

    def _change(self, start: int, stop: int) -> None:
        self._changes += 1
        self._changed[start:stop] = self._changes

    def _need_one(self) -> None:
        if not len(self):
            raise BarError(
                "live window: no minute yet, got 0; expected at least 1. Call push first."
            )

    def _number(self, pair: str) -> int:
        if pair not in self.pairs:
            raise BarError(
                f"live window: unknown pair, got {pair!r}; expected one of "
                f"{', '.join(self.pairs)}. Give its baseline when the window is made."
            )
        return self.pairs.index(pair)

    def _make_room(self) -> None:
        if self._end < self._bars.shape[2]:
            return
        newest = slice(self._end - self.length + 1, self._end)
        start = slice(0, self.length - 1)
        self._bars[:, :, start] = self._bars[:, :, newest]
        self._closes[start] = self._closes[newest]
        self._minutes[start] = self._minutes[newest]
        self._changed[start] = self._changed[newest]
        self._first, self._end = 0, self.length - 1
