"""Forecasts of all served pairs from bars as they come, minute by minute.

What becomes of a bar is decided here and counted under one of these names:

- ``taken`` : it is of the newest minute or a later one;
- ``late`` : of an earlier minute that is kept, for which the pair had none;
- ``corrected`` : of a kept minute whose bar was another; what was carried from it changes too;
- ``duplicate`` : of a kept minute whose bar is the same;
- ``too_old`` : of a minute that is no longer kept;
- ``future`` : it would end more than `SKEW` seconds after the clock's time;
- ``closed`` : the market is closed in its minute;
- ``unknown`` : of a pair that no served model reads;
- ``refused`` : no bar, or of another unit than the bars that the model was trained on, or than the
  pair's bar before it.

All but the first three leave the panel as it was. A minute in which a pair has no bar is a hole, as
in the batch; the pair's newest forecast then is that of its last bar. A forecast is the batch's for
the same row when what is known of the bars by now ends there, bit for bit, so it does not depend
on the order in which they came.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bqx.errors import AbsentBarError, BarError, RequestError
from bqx.features.engine.bar_window import BarWindow
from bqx.features.engine.newest_bars import NewestBars, checked
from bqx.features.spec import Array
from bqx.learning.bundle import Bundle
from bqx.market import sessions
from bqx.serving.forecast import Forecast, forecast_of
from bqx.serving.live_groups import bars_of, forecasts, groups
from bqx.serving.units import check_unit

KEPT = sessions.DAY
"""Minutes before the newest for which a forecast can still be asked."""
SKEW = 2.0
"""Seconds that the clock of a feed may be ahead of this machine's."""
TAKEN = ("taken", "late", "corrected")
DROPPED = ("duplicate", "too_old", "future", "closed", "unknown", "refused")


@dataclass(frozen=True)
class FedBar:
    """A bar of a feed: ``minute`` is the epoch minute of its open, ``bar`` its rates, and maybe
    volume and spread, by name."""

    pair: str
    minute: int
    bar: Mapping[str, float]


class LivePanel:
    """The bars that some bundles read, and what the bundles forecast.

    Parameters
    ----------
    bundles : by pair.
    clock : seconds since 1970, to know what is in the future.

    Attributes
    ----------
    counts : what became of the bars, by the names above.
    refusal : why the last bar was refused.
    """

    def __init__(
        self, bundles: Mapping[str, Bundle], clock: Callable[[], float] = time.time
    ) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys((*TAKEN, *DROPPED), 0))
        self.refusal = ""
        self._clock = clock
        self._lock = threading.RLock()
        self._told: dict[str, Forecast | RequestError] = {}
        self._stale: set[str] = set()
        self.window = BarWindow((), 1)
        self.serve(bundles)

    def serve(self, bundles: Mapping[str, Bundle]) -> None:
        """Forecast with other bundles from now on, from the bars that are there."""
        with self._lock:
            fills = sorted({bundle.max_fill for bundle in bundles.values()})
            self.bundles = {p: b for p, b in bundles.items() if b.max_fill == fills[0]}
            self._unlike = {
                pair: f"{pair}: other holes are filled than for the pairs beside it, got max_fill "
                f"{bundle.max_fill}; expected {fills[0]}. Serve it by itself (--pair)."
                for pair, bundle in bundles.items()
                if pair not in self.bundles
            }
            self._groups = groups(self.bundles)
            # Pairs that were read before are kept: a rejected version may be approved again.
            pairs = {p for group in self._groups for p in group.baselines} | {*self.window.pairs}
            longest = max((bundle.lookback for bundle in self.bundles.values()), default=1)
            max_fill = fills[0] if fills else self.window.max_fill
            before, length = self.window, longest + KEPT + max_fill + 1
            self.window = BarWindow(sorted(pairs), max(length, before.length), max_fill)
            if len(before):
                self.window.restart(before.pairs, *before.sent())
            self._readers = {
                pair: tuple(p for p, b in self.bundles.items() if pair == p or pair in b.panel)
                for pair in self.window.pairs
            }
            self._stale = set(self.bundles)
            self.refresh()

    def feed(self, bars: Iterable[FedBar]) -> None:
        """Take bars in any order."""
        with self._lock:
            for fed in bars:
                self.counts[self._take(fed)] += 1

    def start(self, columns: Mapping[str, tuple[NDArray[np.int64], Array]]) -> None:
        """Begin anew after a history.

        Parameters
        ----------
        columns : (T,) epoch minutes and (6, T) bars by pair, checked; of pairs that are not read
            they are left out.
        """
        served = {
            pair: pair_columns
            for pair, pair_columns in columns.items()
            if pair in self.window.pairs
        }
        if not served:
            raise BarError(
                f"history: no bars of the served pairs, got {', '.join(columns) or 'none'}; "
                f"expected some of {', '.join(self.window.pairs)}."
            )
        with self._lock:
            last = max(int(minutes[-1]) for minutes, _ in served.values())
            first = min(int(minutes[0]) for minutes, _ in served.values())
            weeks = 1 + self.window.length // sessions.WEEK + 1
            grid = sessions.grid(max(first, last - 7 * sessions.DAY * weeks), last)
            sent = np.full((len(served), 6, len(grid)), np.nan)
            for i, (minutes, values) in enumerate(served.values()):
                on_grid = np.isin(minutes, grid)
                sent[i][:, np.searchsorted(grid, minutes[on_grid])] = values[:, on_grid]
            self.restart(tuple(served), grid, sent)

    def sent(self) -> tuple[tuple[str, ...], NDArray[np.int64], Array]:
        """Pairs, the minutes that are kept, and what was sent, see `BarWindow.sent`."""
        with self._lock:
            return self.window.pairs, *self.window.sent()

    def restart(self, pairs: tuple[str, ...], minutes: NDArray[np.int64], sent: Array) -> None:
        """Begin anew with what `sent` gave of this or another panel."""
        with self._lock:
            self.window.restart(pairs, minutes, sent)
            self._told, self._stale = {}, set(self.bundles)

    def refresh(self) -> None:
        """Forecast anew for the pairs whose bars have changed."""
        with self._lock:
            behind: dict[int, list[str]] = {}
            for pair in self._stale:
                row = self.window.newest_row(pair)
                if row is not None:
                    behind.setdefault(len(self.window) - 1 - row, []).append(pair)
            answers: dict[str, Forecast | RequestError] = {
                pair: of for pair, of in self._told.items() if pair in self.bundles
            }
            for rows, pairs in behind.items():
                answers |= forecasts(self.window, self._groups, pairs, behind=rows)
            # At once: who reads need not wait, and finds either all of before or all of now.
            self._told = answers
            self._stale.clear()

    @property
    def stale(self) -> bool:
        """Whether bars have come since the last refresh."""
        return bool(self._stale)

    @property
    def complete(self) -> bool:
        """Whether all pairs of the panel have sent their bar of the newest minute."""
        with self._lock:
            return len(self.window) > 0 and not self.window.waiting

    @property
    def newest_minute(self) -> int | None:
        """Epoch minute of the newest bar of any pair, None before the first."""
        if not len(self.window):
            return None
        return int(sessions.open_minutes(np.array([self.window.market_minute]))[0])

    def newest(self, pair: str) -> Forecast:
        """The pair's newest forecast, of the last refresh.

        Raises RequestError when there is none yet.
        """
        answer = self._told.get(pair) or RequestError(
            self._unlike.get(pair)
            or f"{pair}: no bar yet, got none from the feed; expected some. Wait, or start with "
            "--history."
        )
        if isinstance(answer, Forecast):
            return answer
        # Anew: one that is raised again and again keeps every traceback.
        raise RequestError(str(answer))

    def bars(self, pair: str, minute: int | None = None) -> NewestBars:
        """Bars of a served pair up to a kept minute, default its newest one, as if nothing later
        had come.

        Raises AbsentBarError when the pair has no such bar.
        """
        with self._lock:
            row = self.window.newest_row(pair) if minute is None else self.window.row_of(minute)
            if row is None or self.window.bar(pair, row) is None:
                stamp = "none" if minute is None else sessions.shown(minute)
                raise AbsentBarError(
                    f"timestamp: no bar of {pair}, got {stamp}; expected a minute with one, of "
                    f"the last {len(self.window):,} of the market."
                )
            return bars_of(self.window, self._groups, pair, behind=len(self.window) - 1 - row)

    def at(self, pair: str, minute: int) -> Forecast:
        """Forecast for the bar of a kept minute, as if nothing later had come.

        Raises AbsentBarError when the pair has no such bar, RequestError when it cannot be
        answered.
        """
        bars = self.bars(pair, minute)
        return forecast_of(self.bundles[pair], self.bundles[pair].columns_of(bars), bars)

    def _take(self, fed: FedBar) -> str:
        if fed.pair not in self.window.pairs:
            return "unknown"
        try:
            bar = checked(fed.pair, fed.bar)
            minutes, columns = self._after_last(fed.pair, fed.minute, bar)
            for baseline in self._baselines(fed.pair):
                check_unit(minutes, columns, fed.pair, baseline)
        except BarError as error:
            self.refusal = str(error)
            return "refused"
        if 60.0 * (fed.minute + 1) > self._clock() + SKEW:
            return "future"
        return self._place(fed.pair, fed.minute, bar)

    def _place(self, pair: str, minute: int, bar: Array) -> str:
        window = self.window
        row = window.row_of(minute)
        if row is None:
            if not window.follows(minute) and not sessions.is_open(np.array([minute]))[0]:
                return "closed"
            if len(window) and minute < window.minutes[0]:
                return "too_old"
            window.move_to(minute)
            row = len(window) - 1
        stored_bar = window.bar(pair, row)
        if stored_bar is not None and np.array_equal(stored_bar, bar, equal_nan=True):
            return "duplicate"
        newest_minute = row == len(window) - 1
        window.put(pair, row, bar)
        for reader in self._readers[pair]:
            if pair == reader or row <= (window.newest_row(reader) or 0):
                self._stale.add(reader)
        if stored_bar is not None:
            return "corrected"
        return "taken" if newest_minute else "late"

    def _after_last(self, pair: str, minute: int, bar: Array) -> tuple[NDArray[np.int64], Array]:
        """Minutes and (6, n) bars: one of a minute, and before it the pair's last one, if any."""
        minutes = self.window.minutes
        newest = self.window.newest_row(pair)
        row = -1 if newest is None else min(int(np.searchsorted(minutes, minute)) - 1, newest)
        while row >= 0:
            last = self.window.bar(pair, row)
            if last is not None:
                return np.array([minutes[row], minute]), np.column_stack([last, bar])
            row -= 1
        return np.array([minute]), bar[:, None]

    def _baselines(self, pair: str) -> set[float]:
        return {group.baselines[pair] for group in self._groups if pair in group.baselines}
