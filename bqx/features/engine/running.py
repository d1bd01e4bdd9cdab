"""Features of the newest row of several pairs, from series that are kept as their bars move on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.bar_window import BarWindow
from bqx.features.engine.compute import Plan, PlannedCall, parameters_of
from bqx.features.engine.kept_series import KeptSeries, KeptSource, Move
from bqx.features.engine.newest_bars import NewestBars, newest
from bqx.features.engine.newest_calls import FirstStep, Fits, Reading, Readings, alike
from bqx.features.spec import Feature, read

Work = Callable[[], None]


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
        self._calls = [call for call in plan.calls if not call.feature.source.inputs]
        self._sources: list[KeptSource] = []
        self._steps: list[FirstStep] = []
        self._readings: list[Readings] | None = None
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
        if self._readings is None:
            self._readings = self._prepared(fits)
        move = self._go_on()
        row = out[:, None]
        for step in self._steps:
            yield partial(step.run, move, row, fits)
        for readings in self._readings:
            yield from readings.works(move.market_minute, row, fits)
        if len(self._stacked):
            yield partial(self._compute_stacked, out, fits)

    def _bars(self, rows: int, wanted: int = 1) -> list[NewestBars]:
        window = self._window
        return newest(window.slice(rows), window.pairs, self._baselines, wanted=wanted)

    def _prepared(self, fits: Fits) -> list[Readings]:
        bars = self._bars(1)
        of_source: dict[int, list[PlannedCall]] = {}
        of_step: dict[Any, list[PlannedCall]] = {}
        plain = []
        kept: dict[int, KeptSource] = {}
        for call in self._calls:
            of_source.setdefault(id(call.feature.source), []).append(call)
        for key, calls in of_source.items():
            source = calls[0].feature.source
            shape = source.build(bars[0]).shape[1:]
            length = max(_rows_read(call, len(shape)) for call in calls)
            reach = max(source.lookback, source.reach, *map(_bars_of_a_row, calls))
            kept[key] = KeptSource(source, length, reach, pairs=len(bars), shape=shape)
        self._sources = list(kept.values())
        for call in self._calls:
            steps = call.feature.family.steps
            series = kept[id(call.feature.source)]
            if steps is None:
                rows = _rows_read(call, series.values.ndim - 2)
                plain.append(_reading(call, call.kernel, series, rows))
            else:
                key_of_step = id(steps.first), id(series), call.window, call.feature.fit_key
                of_step.setdefault(key_of_step, []).append(call)
        self._steps = [
            _first_step(calls, kept[id(calls[0].feature.source)], fits)
            for calls in of_step.values()
        ]
        return alike(plain)

    def _go_on(self) -> Move:
        """Compute the rows of the sources that are new, or whose bars have changed."""
        window = self._window
        newer = window.changed_since(self._seen)
        # Of what was there nothing is left where all rows are new.
        ahead = window.market_minute - self._market if newer < len(window) else 0
        move = Move(window.market_minute, newer, ahead)
        # Those that read alike numbers of bars share what is made of them.
        alike_sizes: dict[tuple[int, int], list[KeptSource]] = {}
        for source in self._sources if newer else ():
            rows = source.rows_of(move)
            bars = min(source.reach - 1 + rows, len(window))
            alike_sizes.setdefault((bars.bit_length(), rows.bit_length()), []).append(source)
        for sources in alike_sizes.values():
            wanted = max(source.rows_of(move) for source in sources)
            reach = max(source.reach - 1 + source.rows_of(move) for source in sources)
            shared = self._bars(reach, wanted)
            for source in sources:
                source.take(shared, move)
        self._seen, self._market = window.changes, window.market_minute
        return move

    def _compute_stacked(self, out: NDArray[Any], fits: Fits) -> None:
        values = np.empty((len(out), len(self._stacked), 1), out.dtype)
        bars = self._bars(max(self._from_bars.lookback, 1))
        for work in self._from_bars.works(bars, values, fits):
            work()
        out[:, self._stacked] = values[:, :, 0]


def _reading(
    call: PlannedCall, kernel: Callable[..., Any], series: KeptSeries, rows: int
) -> Reading:
    """A call's kernel, or the last step of it, on the newest rows of a series."""
    fitted = bool(call.feature.fit_key) and kernel is call.kernel
    return Reading(
        kernel, series, rows, call.window, call.outputs, call.columns, call.feature, fitted
    )


def _first_step(calls: Sequence[PlannedCall], series: KeptSource, fits: Fits) -> FirstStep:
    """The first step of some calls, and the calls that read it."""
    feature, window = calls[0].feature, calls[0].window
    steps, fitted = feature.family.steps, bool(feature.fit_key)
    assert steps is not None
    behind = int(steps.rows(*window))
    read_rows = [int(call.feature.family.steps.reads(*window)) for call in calls]
    probe = np.full((1, *series.values.shape[2:]), np.nan)
    parameters = (parameters_of(feature, fits[0]),) if fitted else ()
    columns = np.arange(steps.first(probe, 0, *window, *parameters).shape[1])
    kept = KeptSeries(max(read_rows), behind, pairs=len(series.values), shape=columns.shape)
    first = Reading(steps.first, series, behind, window, columns, columns, feature, fitted)
    readings = [
        _reading(call, call.feature.family.steps.last, kept, rows)
        for call, rows in zip(calls, read_rows, strict=True)
    ]
    return FirstStep(kept, first, readings)


def _rows_read(call: PlannedCall, dimensions: int) -> int:
    """Rows of its source that decide a call's newest value."""
    if call.kernel is read:
        return 1
    # Columns may differ in what lies behind a row of theirs.
    return call.rows if dimensions else call.rows - max(call.feature.source.lookback, 1) + 1


def _bars_of_a_row(call: PlannedCall) -> int:
    """Bars that decide a row of a source that has made the columns of a call."""
    return call.rows if call.kernel is read else 1
