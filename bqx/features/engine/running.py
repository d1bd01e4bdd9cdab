"""Features of the newest row of several pairs, from series that are kept as their bars move on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.bar_window import BarWindow
from bqx.features.engine.compute import Plan, PlannedCall
from bqx.features.engine.kept_series import KeptSeries
from bqx.features.engine.newest_bars import NewestBars, newest
from bqx.features.engine.newest_calls import NewestCalls
from bqx.features.spec import Array, Feature, read

Fits = Sequence[Mapping[str, Array] | None]
Work = Callable[[], None]


class RunningPlan:
    """What has to run every minute for features of the newest row of a window.

    Kernels and the order of their sums are the batch's. A source's rows are kept from minute to
    minute, see `KeptSeries`; features of a source that is made of features are computed from the
    bars.

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
        self._calls = [call for call in plan.calls if not call.feature.source.inputs]
        self._newest: NewestCalls | None = None
        self._series: list[KeptSeries] = []
        stacked = [n for n, feature in enumerate(features) if feature.source.inputs]
        self._stacked = np.array(stacked, dtype=np.int64)
        self._from_bars = Plan([features[n] for n in stacked])
        self._seen = self._market = 0

    def works(self, out: NDArray[Any], fits: Fits) -> Iterator[Work]:
        """What is to be done for the values of the window's newest row, in any order or thread.

        Parameters
        ----------
        out : (pairs, features), that is filled.
        fits : of each pair, see `compute`.
        """
        if self._newest is None:
            self._newest = self._prepared()
        self._go_on()
        yield from self._newest.works(self._market, out, fits)
        if len(self._stacked):
            yield partial(self._compute_stacked, out, fits)

    def _bars(self, rows: int, wanted: int = 1) -> list[NewestBars]:
        window = self._window
        return newest(window.slice(rows), window.pairs, self._baselines, wanted=wanted)

    def _prepared(self) -> NewestCalls:
        bars = self._bars(1)
        series: dict[int, KeptSeries] = {}
        reading: dict[int, list[PlannedCall]] = {}
        for call in self._calls:
            reading.setdefault(id(call.feature.source), []).append(call)
        rows: dict[PlannedCall, int] = {}
        for key, calls in reading.items():
            source = calls[0].feature.source
            shape = source.build(bars[0]).shape[1:]
            rows |= {call: _rows_read(call, len(shape)) for call in calls}
            reach = max(source.lookback, source.reach, *map(_bars_of_a_row, calls))
            length = max(rows[call] for call in calls)
            series[key] = KeptSeries(source, length, reach, pairs=len(bars), shape=shape)
        self._series = list(series.values())
        read_of = [series[id(call.feature.source)] for call in self._calls]
        return NewestCalls(self._calls, read_of, [rows[call] for call in self._calls])

    def _go_on(self) -> None:
        """Compute the rows of the sources that are new, or whose bars have changed."""
        window = self._window
        newer = window.changed_since(self._seen)
        ahead = window.market_minute - self._market if newer < len(window) else 0
        wanted: dict[tuple[int, int], list[tuple[KeptSeries, int]]] = {}
        sizes: dict[tuple[int, int], tuple[int, int]] = {}
        for series in self._series:
            series.forget(newer - ahead)
            rows = min(newer, series.length)
            bars = min(series.reach - 1 + rows, len(window))
            # Those that read alike numbers of bars share what is made of them.
            key = bars.bit_length(), rows.bit_length()
            wanted.setdefault(key, []).append((series, rows))
            most = sizes.get(key, (0, 0))
            sizes[key] = max(most[0], bars), max(most[1], rows)
        for key, members in wanted.items():
            shared = self._bars(*sizes[key])
            for series, rows in members:
                series.take(shared, rows)
        self._seen, self._market = window.changes, window.market_minute

    def _compute_stacked(self, out: NDArray[Any], fits: Fits) -> None:
        values = np.empty((len(out), len(self._stacked), 1), out.dtype)
        bars = self._bars(max(self._from_bars.lookback, 1))
        for work in self._from_bars.works(bars, values, fits):
            work()
        out[:, self._stacked] = values[:, :, 0]


def _rows_read(call: PlannedCall, dimensions: int) -> int:
    """Rows of its source that decide a call's newest value."""
    if call.kernel is read:
        return 1
    # Columns may differ in what lies behind a row of theirs.
    return call.rows if dimensions else call.rows - max(call.feature.source.lookback, 1) + 1


def _bars_of_a_row(call: PlannedCall) -> int:
    """Bars that decide a row of a source that has made the columns of a call."""
    return call.rows if call.kernel is read else 1
