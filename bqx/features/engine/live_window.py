"""Features of the newest minute of all pairs, from a window of bars that moves with the market."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from bqx.errors import BarError
from bqx.features.engine.batched import in_threads
from bqx.features.engine.compute import Plan
from bqx.features.engine.newest_bars import CLOSE, FILLED, FRAME_COLUMNS, SPREAD, VOLUME, NewestBars
from bqx.features.spec import Array, Feature
from bqx.market import sessions
from bqx.market.bars import COLUMNS, RATES, Bars, Panel
from bqx.market.pairs import PAIRS, check

TIERS = (330, 1_600)
"""Features of alike lookbacks are computed together, so that short windows read few rows."""


class LiveWindow:
    """The last bars of up to 28 pairs, and the features of the newest minute.

    The values are those of the batch on the same bars, bit for bit, since both go through one
    `Plan`. A hole is treated as the batch treats the end of its bars: while a pair has no bar its
    newest row is NaN; when its next bar comes, a hole of at most ``max_fill`` minutes carries the
    last close.

    Parameters
    ----------
    features : of every pair, in the order wanted.
    baselines : by pair, quote units; the pairs of the window.
    max_fill : longest hole that carries the last close, minutes.
    dtype : of the values.
    fits : parameters of fitted families, frozen, by pair and ``Feature.fit_key``.

    Attributes
    ----------
    pairs : in the order of the rows of `values`.
    length : minutes that are kept, the longest lookback of the features.

    Raises
    ------
    ParameterError : an unknown pair.
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
        self.pairs = tuple(sorted(check(pair) for pair in baselines))
        self.max_fill = max_fill
        self.dtype = dtype
        self.fits = fits or {}
        self._plans = _tiers(self.features)
        self.length = max((plan.lookback for _, plan in self._plans), default=1)
        self._baselines = np.full(len(PAIRS), np.nan)
        self._places = np.array([PAIRS.index(pair) for pair in self.pairs], dtype=np.int64)
        self._baselines[self._places] = [baselines[pair] for pair in self.pairs]
        # Twice the window, so that its rows lie side by side and seldom have to be moved.
        room, count = 2 * self.length, len(self.pairs)
        self._bars = np.full((count, len(FRAME_COLUMNS), room), np.nan)
        self._closes = np.full((room, len(PAIRS)), np.nan)
        self._minutes = np.zeros(room, dtype=np.int64)
        self._first = self._end = 0
        self._market = 0
        self._newest = np.full((count, len(COLUMNS)), np.nan)
        self._missing = np.full(count, max_fill + 1)
        self._counts_volume = np.zeros(count, dtype=bool)

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
        grid = next(iter(bars.values()))
        rows = min(len(grid), window.length)
        for i, pair in enumerate(window.pairs):
            window._remember(i, bars[pair], rows)
        window._minutes[:rows] = grid.minutes[len(grid) - rows :]
        window._end = rows
        window._market = grid.first_market_minute + len(grid) - 1
        return window

    def _remember(self, i: int, bars: Bars, rows: int) -> None:
        values = bars.frame[list(COLUMNS)].to_numpy(np.float64)
        known = np.flatnonzero(~np.isnan(values[:, CLOSE]))
        self._bars[i, :FILLED, :rows] = values[len(values) - rows :].T
        self._bars[i, FILLED, :rows] = bars.frame["filled"].to_numpy()[len(values) - rows :]
        self._closes[:rows, self._places[i]] = self._bars[i, CLOSE, :rows]
        self._counts_volume[i] = np.isfinite(values[:, VOLUME]).any()
        if len(known):
            self._newest[i] = values[known[-1]]
            self._missing[i] = len(values) - 1 - known[-1]

    def __len__(self) -> int:
        return self._end - self._first

    @property
    def minute(self) -> pd.Timestamp:
        """Open of the newest minute, UTC.

        Raises BarError when there is none.
        """
        self._need_one()
        return sessions.timestamps(self._minutes[self._end - 1 : self._end])[0]

    def push(self, ts: pd.Timestamp, bars: Mapping[str, Mapping[str, float]]) -> None:
        """Take the bars of the minute that follows the newest one.

        Parameters
        ----------
        ts : the minute's open.
        bars : ``{"open", "high", "low", "close"}`` and maybe ``"volume"`` and ``"spread"`` by
            pair; a pair that did not trade is left out, and so may all be.

        Raises
        ------
        BarError : a minute in the past or beyond the next one, a closed market, an unknown pair,
            or a bar that breaks the bar schema; the window then is as before.
        """
        minute, market = self._follows(pd.Timestamp(ts))
        checked = [(self._row_of(pair), _checked(pair, bar)) for pair, bar in bars.items()]
        self._make_room()
        row = self._end
        self._bars[:, :, row] = np.nan
        self._bars[:, FILLED, row] = 0.0
        self._closes[row] = np.nan
        self._minutes[row] = minute
        self._missing += 1
        self._end, self._market = row + 1, market
        for i, bar in checked:
            self._fill(i, row)
            self._bars[i, :FILLED, row] = bar
            self._closes[row, self._places[i]] = bar[CLOSE]
            self._newest[i], self._missing[i] = bar, 0
            self._counts_volume[i] |= np.isfinite(bar[VOLUME])
        self._first = max(self._first, self._end - self.length)

    def values(self) -> NDArray[Any]:
        """(pairs, features) of the newest minute, NaN where history is too short or broken.

        Raises BarError when there is no minute yet.
        """
        self._need_one()
        tiers = [
            np.empty((len(self.pairs), len(plan.features), 1), self.dtype)
            for _, plan in self._plans
        ]
        in_threads(self._works(tiers), len(os.sched_getaffinity(0)))
        out = np.empty((len(self.pairs), len(self.features)), self.dtype)
        for (columns, _), values in zip(self._plans, tiers, strict=True):
            out[:, columns] = values[:, :, 0]
        return out

    def _works(self, tiers: Sequence[NDArray[Any]]) -> Iterator[Callable[[], None]]:
        fits = [self.fits.get(pair) for pair in self.pairs]
        baselines = list(zip(self.pairs, self._baselines[self._places].tolist(), strict=True))
        for (_, plan), out in zip(self._plans, tiers, strict=True):
            start = max(self._end - max(plan.lookback, 1), self._first)
            panel = Panel(self._closes[start : self._end], self._baselines, wanted=1)
            minutes = self._minutes[start : self._end]
            newest = partial(NewestBars, panel=panel, minutes=minutes, market_minute=self._market)
            bars = [
                newest(pair, self._bars[i, :, start : self._end], baseline)
                for i, (pair, baseline) in enumerate(baselines)
            ]
            yield from plan.works(bars, out, fits)

    def _need_one(self) -> None:
        if not len(self):
            raise BarError(
                "live window: no minute yet, got 0; expected at least 1. Call push first."
            )

    def _follows(self, ts: pd.Timestamp) -> tuple[int, int]:
        where = f"live window: {ts}"
        if ts.tz is None or ts.value % 60_000_000_000:
            raise BarError(f"{where}: no bar's open, got {ts}; expected a whole minute in UTC.")
        minute = ts.value // 60_000_000_000
        within = len(self) and (self._market + 1) % sessions.WEEK
        if within and minute == self._minutes[self._end - 1] + 1:
            return minute, self._market + 1
        minutes = np.array([minute])
        if not sessions.is_open(minutes)[0]:
            raise BarError(
                f"{where}: the market is closed, got a bar; expected minutes between Sunday 17:00 "
                "and Friday 17:00 New York. Leave it out."
            )
        market = int(sessions.market_minutes(minutes)[0])
        if not len(self) or market == self._market + 1:
            return minute, market
        ahead = sessions.grid(self._minutes[self._end - 1] + 1, minute + 3 * sessions.DAY)
        follows = sessions.timestamps(ahead[:1])[0] if market > self._market else self.minute
        if market <= self._market:
            raise BarError(
                f"{where}: out of order, got a minute not after {follows}; expected each minute "
                "once, in the order of time. Drop it."
            )
        raise BarError(
            f"{where}: minutes are missing, got one {market - self._market - 1:,} too late; "
            f"expected {follows}. Push every open minute, an empty mapping where no pair traded, "
            "or start from a history with LiveWindow.of."
        )

    def _row_of(self, pair: str) -> int:
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
        self._first, self._end = 0, self.length - 1

    def _fill(self, i: int, row: int) -> None:
        hole = int(self._missing[i]) - 1
        if not 0 < hole <= self.max_fill:
            return
        rows = slice(max(row - hole, 0), row)
        close = self._newest[i, CLOSE]
        self._bars[i, : len(RATES), rows] = close
        self._bars[i, VOLUME, rows] = 0.0 if self._counts_volume[i] else np.nan
        self._bars[i, SPREAD, rows] = self._newest[i, SPREAD]
        self._bars[i, FILLED, rows] = 1.0
        self._closes[rows, self._places[i]] = close


def _tiers(features: tuple[Feature, ...]) -> list[tuple[NDArray[np.int64], Plan]]:
    columns: dict[int, list[int]] = {}
    for call in Plan(features).calls:
        number = int(np.searchsorted(TIERS, call.rows))
        columns.setdefault(number, []).extend(map(int, call.columns))
    return [
        (np.array(tier), Plan([features[column] for column in tier]))
        for _, tier in sorted(columns.items())
    ]


def _checked(pair: str, bar: Mapping[str, float]) -> Array:
    try:
        values = [float(bar[name]) for name in RATES]
        values += [float(bar.get(name, np.nan)) for name in ("volume", "spread")]
    except KeyError as error:
        raise BarError(
            f"live window: {pair}: {error} is missing, got {', '.join(bar)}; expected "
            f"{', '.join(RATES)}. Name the bar's keys so."
        ) from None
    opened, high, low, close, volume, spread = values
    good = 0.0 < low <= opened <= high < np.inf and low <= close <= high
    if not good or volume < 0.0 or spread < 0.0 or np.isinf([volume, spread]).any():
        raise BarError(
            f"live window: {pair}: no bar, got {dict(bar)}; expected finite positive rates between "
            "low and high, volume and spread >= 0 or absent. Leave the bar out."
        )
    return np.array(values)
