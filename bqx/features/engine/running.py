"""Features of the newest row of several pairs, from series that are kept as their bars move on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.bar_window import BarWindow
from bqx.features.engine.batched import in_threads
from bqx.features.engine.compute import Plan, PlannedCall
from bqx.features.engine.first_steps import Step
from bqx.features.engine.held_readings import HeldReadings
from bqx.features.engine.kept_panel import KeptPanel
from bqx.features.engine.kept_series import KeptSource, Move
from bqx.features.engine.newest_bars import EndToEnd, NewestOfPairs
from bqx.features.engine.newest_calls import Fits, Reading, Readings, alike
from bqx.features.engine.prepared_steps import Readers, first_step, made_by, reading_of
from bqx.features.spec import Feature, Source, read

Work = Callable[[], None]
Alike = tuple[list[KeptSource], int, int]
"""Sources that read alike numbers of bars, the most that they read, and the most that is wanted."""

_FEW = 100
"""Calls of kernels that one thread makes in less time than several take to share them."""

_LONG = 256
"""Bars behind a row of a source whose build is mostly compiled work, which any thread can do."""


class RunningPlan:
    """What has to run every minute for features of the newest row of a window.

    Kernels and the order of their sums are the batch's. A source's rows are kept from minute to
    minute, and those of a kernel's first step (`Steps`); features of a source that is made of
    features are computed from the bars.

    Parameters
    ----------
    features : in the order wanted.
    window : that is moved between calls.
    baselines : of pairs of the window; others are absent.
    """

    def __init__(
        self, features: Sequence[Feature], window: BarWindow, baselines: Mapping[str, float]
    ) -> None:
        plan = Plan(features)
        self._window, self._baselines = window, baselines
        self._kept_panel = KeptPanel()
        self._calls = [call for call in plan.calls if not call.feature.source.inputs]
        self._sources: list[_Source] | None = None
        stacked = [n for n, feature in enumerate(features) if feature.source.inputs]
        self._stacked = np.array(stacked, dtype=np.int64)
        self._from_bars = Plan([features[n] for n in stacked])
        self._seen = self._market = 0
        self._alike: tuple[tuple[int, int], list[Alike]] = (0, 0), []

    def run(self, out: NDArray[Any], fits: Fits, threads: int) -> None:
        """Fill ``out`` (pairs, features) with the values of the window's newest row.

        ``fits`` : of each pair, see `compute`.
        """
        window = self._window
        if self._sources is None:
            self._sources = self._prepared(fits)
        newer = window.changed_since(self._seen)
        anew = newer == len(window)
        ahead = 0 if anew else window.market_minute - self._market
        move = Move(window.market_minute, newer, ahead, anew)
        self._kept_panel.go_on(move)
        self._seen = 0  # after an error everything is computed anew
        works = self._works(self._sources, move, out, fits)
        in_threads(works, threads if len(self._calls) > _FEW else 1)
        self._seen, self._market = window.changes, window.market_minute

    def _works(
        self, sources: Sequence[_Source], move: Move, out: NDArray[Any], fits: Fits
    ) -> Iterator[Work]:
        row = out[:, None]
        shared = self._shared_bars([source.kept for source in sources], move)
        for source in sources:
            bars = shared.get(source.kept)
            if source.kept.reach > _LONG:
                yield partial(source.run, bars, move, row, fits)
            else:
                # Kernels run in other threads while Python makes the series of the next source.
                source.kept.take(bars, move)
                yield from source.works(move, row, fits)
        if len(self._stacked):
            yield partial(self._compute_stacked, out, fits)

    def _bars(self, rows: int, wanted: int = 1) -> NewestOfPairs:
        window = self._window
        bars = window.slice(rows), window.pairs, self._baselines
        return NewestOfPairs(*bars, wanted, self._kept_panel)

    def _shared_bars(
        self, kept: Sequence[KeptSource], move: Move
    ) -> dict[KeptSource, NewestOfPairs]:
        """Bars for each source: those that read alike numbers share what is made of them."""
        key = move.newer, len(self._window)
        if key != self._alike[0]:  # in most minutes as in the one before
            self._alike = key, _of_alike_sizes(kept, move, len(self._window))
        shared: dict[KeptSource, NewestOfPairs] = {}
        for members, most, rows in self._alike[1]:
            shared |= dict.fromkeys(members, self._bars(most, rows))
        return shared

    def _prepared(self, fits: Fits) -> list[_Source]:
        bars = self._bars(1)
        of_source: dict[int, list[PlannedCall]] = {}
        for call in self._calls:
            of_source.setdefault(id(call.feature.source), []).append(call)
        sources = [_prepared_source(calls, bars, fits) for calls in of_source.values()]
        # Long ones first, then those whose kernels take longest.
        work = {id(source): sum(reading.rows for reading in source.all) for source in sources}
        return sorted(sources, key=lambda of: (of.kept.reach <= _LONG, -work[id(of)]))

    def _compute_stacked(self, out: NDArray[Any], fits: Fits) -> None:
        values = np.empty((len(out), len(self._stacked), 1), out.dtype)
        bars = self._bars(max(self._from_bars.lookback, 1))
        for work in self._from_bars.works(bars.each, values, fits):
            work()
        out[:, self._stacked] = values[:, :, 0]


def _of_alike_sizes(kept: Sequence[KeptSource], move: Move, count: int) -> list[Alike]:
    alike_sizes: dict[tuple[int, int], Alike] = {}
    for source in kept if move.newer else ():
        rows = source.rows_of(move)
        read_rows = min(source.reach - 1 + rows, count)
        key = read_rows.bit_length(), rows.bit_length()
        members, most, wanted = alike_sizes.get(key, ([], 0, 0))
        alike_sizes[key] = [*members, source], max(most, read_rows), max(wanted, rows)
    return list(alike_sizes.values())


@dataclass(frozen=True)
class _Source:
    """A source, and what reads it."""

    kept: KeptSource
    all: Sequence[Reading]
    steps: Sequence[Step | HeldReadings]

    @cached_property
    def _alike(self) -> list[Readings]:
        return alike(self.all)

    def works(self, move: Move, out: NDArray[Any], fits: Fits) -> Iterator[Work]:
        """What is to be done when the series is there."""
        for step in self.steps:
            yield partial(step.run, move, out, fits)
        for readings in self._alike:
            yield from readings.works(move.market_minute, out, fits)

    def run(self, bars: NewestOfPairs | None, move: Move, out: NDArray[Any], fits: Fits) -> None:
        """Make the series, then what reads it."""
        self.kept.take(bars, move)
        for work in self.works(move, out, fits):
            work()


def _prepared_source(calls: Sequence[PlannedCall], bars: NewestOfPairs, fits: Fits) -> _Source:
    source = calls[0].feature.source
    shape = source.build(bars.each[0]).shape[1:]
    length = max(_rows_read(call, len(shape)) for call in calls)
    reach = max(source.lookback, source.reach, *map(_bars_of_a_row, calls))
    at_once = _reads_no_more(source, bars.end_to_end)
    pairs = len(bars.each)
    kept = KeptSource(source, length, reach, pairs=pairs, shape=shape, end_to_end=at_once)
    readings, of_step = [], dict[Any, Readers]()
    for call in calls:
        if steps := call.feature.family.steps:
            of_step.setdefault(made_by(steps.first, call), []).append((call, steps))
    for call in (call for call in calls if not call.feature.family.steps):
        # What another's first step is, is there already.
        if there := of_step.get(made_by(call.kernel, call)):
            there.append((call, replace(there[0][1], last=read, reads=lambda *window: 1)))
        else:
            readings.append(reading_of(call, call.kernel, kept, _rows_read(call, len(shape))))
    together = dict[Any, list[Readers]]()
    for number, readers in enumerate(of_step.values()):
        # Rows that nothing but their values are read of can lie side by side.
        plain = all(steps.begin and steps.last is read for _, steps in readers)
        (call, steps), *_ = readers
        key = (steps.abreast, len(call.window)) if plain else (None, number)
        together.setdefault(key, []).append(readers)
    first_steps: list[Step | HeldReadings] = [
        first_step(of, kept, fits) for of in together.values()
    ]
    if of_buckets := [reading for reading in readings if reading.feature.family.bucket]:
        first_steps.append(HeldReadings(kept, of_buckets))
        readings = [reading for reading in readings if not reading.feature.family.bucket]
    return _Source(kept, readings, first_steps)


def _reads_no_more(source: Source, bars: EndToEnd) -> bool:
    """Whether a source reads no more of its bars than there is of several pairs'."""
    try:
        source.build(bars)
    except AttributeError:
        return False
    return True


def _rows_read(call: PlannedCall, dimensions: int) -> int:
    """Rows of its source that decide a call's newest value."""
    if call.kernel is read:
        return 1
    # Columns may differ in what lies behind a row of theirs.
    return call.rows if dimensions else call.rows - max(call.feature.source.lookback, 1) + 1


def _bars_of_a_row(call: PlannedCall) -> int:
    """Bars that decide a row of a source that has made the columns of a call."""
    return call.rows if call.kernel is read else 1
