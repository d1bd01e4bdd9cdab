"""Runs of many kernels on the newest rows of kept series, many in one compiled loop.

To call a compiled kernel from Python takes longer than many kernels take for the newest row of 28
pairs. Kernels that take alike arguments are therefore called one after the other by a compiled
loop, which holds no lock of the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from bqx.compiled import call, kernel, pointer, with_item
from bqx.features.engine.batched import address_of
from bqx.features.engine.compute import PlannedCall, parameters_of
from bqx.features.engine.kept_series import KeptSeries
from bqx.features.spec import Array, read

Numbers = NDArray[np.int64]

_TOGETHER = 8  # calls in one piece of work


@kernel(nogil=True)
def _run(
    calls: Numbers,
    series: Numbers,
    numbers: Numbers,
    alike: tuple[tuple[int, ...], tuple[int, ...]],
    parameters: Array | None,
    places: tuple[Numbers, Numbers],
    out: NDArray[Any],
) -> None:
    """Run kernels on each pair's series, and copy the last row of what they give.

    ``calls`` (n, 3) : address of the kernel, and its first and the end of its ``places``: outputs,
    and the columns of ``out`` that they fill. ``series`` (n, 4) : address of the first pair's first
    row, bytes to the next pair's, rows and columns. ``numbers`` (n, 1 or more) : a kernel's first
    minute and windows. ``alike`` : tuples as long as a series' shape and as the numbers.
    """
    shape, minute_and_windows = alike
    for i in range(len(calls)):
        for k in range(len(shape)):
            shape = with_item(shape, k, series[i, 2 + k])
        for k in range(len(minute_and_windows)):
            minute_and_windows = with_item(minute_and_windows, k, numbers[i, k])
        for pair in range(len(out)):
            lies_at: Any = pointer(series[i, 0] + pair * series[i, 1])
            arguments = (carray(lies_at, shape, np.float64),) + minute_and_windows  # noqa: RUF005
            if parameters is None:
                values = call(calls[i, 0], arguments)
            else:
                values = call(calls[i, 0], arguments + (parameters[pair],))  # noqa: RUF005
            last = len(values) - 1
            for place in range(calls[i, 1], calls[i, 2]):
                value = values[last, places[0][place]]
                out[pair, places[1][place]] = np.nan if abs(value) == np.inf else value


class _Alike:
    """Calls of kernels that take alike arguments.

    ``fitted`` : they take parameters; of such there is one.
    """

    def __init__(self, members: Sequence[tuple[PlannedCall, KeptSeries, int, int]]) -> None:
        calls = [member[0] for member in members]
        ends = np.cumsum([0, *(len(call.outputs) for call in calls)])
        addresses = [member[3] for member in members]
        self.calls = calls
        self._calls = np.column_stack([addresses, ends[:-1], ends[1:]])
        self._places = (
            np.concatenate([call.outputs for call in calls]),
            np.concatenate([call.columns for call in calls]),
        )
        self._windows = np.array([call.window for call in calls], dtype=np.int64)
        self._series = [member[1] for member in members]
        self._rows = np.array([member[2] for member in members])
        self._fitted = calls[0].feature if calls[0].feature.fit_key else None
        self._shape = (0,) * (self._series[0].values.ndim - 1)

    def works(
        self, market_minute: int, out: NDArray[Any], fits: Sequence[Mapping[str, Array] | None]
    ) -> Iterator[Callable[[], None]]:
        kept = np.array([_lying(series) for series in self._series])
        rows = np.minimum(self._rows, kept[:, 3])
        series = np.column_stack([kept[:, 0] - rows * kept[:, 2], kept[:, 1], rows, kept[:, 4]])
        numbers = np.column_stack([market_minute + 1 - rows, self._windows])
        alike = self._shape, (0,) * numbers.shape[1]
        parameters = self._fitted and np.array([parameters_of(self._fitted, of) for of in fits])
        for first in range(0, len(rows), _TOGETHER):
            some = slice(first, first + _TOGETHER)
            arguments = self._calls[some], series[some], numbers[some], alike, parameters
            yield partial(_run, *arguments, self._places, out)


def _lying(series: KeptSeries) -> tuple[int, int, int, int, int]:
    """Address of the row after the newest, bytes to the next pair's and from row to row, rows and
    columns."""
    values = series.values
    address = values.__array_interface__["data"][0] + series.end * values.strides[1]
    return address, *values.strides[:2], series.count, values[0, 0].size


class NewestCalls:
    """Calls of kernels on the newest rows of series.

    Parameters
    ----------
    series : that each call reads.
    rows : of them that it reads, where there are so many.
    """

    def __init__(
        self, calls: Sequence[PlannedCall], series: Sequence[KeptSeries], rows: Sequence[int]
    ) -> None:
        alike: dict[Any, list[tuple[PlannedCall, KeptSeries, int, int]]] = {}
        self._interpreted = []
        for number, (task, kept, read_rows) in enumerate(zip(calls, series, rows, strict=True)):
            dimensions, fitted = kept.values.ndim - 1, bool(task.feature.fit_key)
            at = address_of(task.kernel, dimensions, len(task.window), fitted)
            if at is None:
                self._interpreted.append((task, kept, read_rows))
                continue
            key = number if fitted else (dimensions, len(task.window))
            alike.setdefault(key, []).append((task, kept, read_rows, at))
        self._alike = [
            _Alike(sorted(members, key=lambda member: -member[2])) for members in alike.values()
        ]

    def works(
        self, market_minute: int, out: NDArray[Any], fits: Sequence[Mapping[str, Array] | None]
    ) -> Iterator[Callable[[], None]]:
        """What is to be done for the newest row, see `RunningPlan.works`."""
        for calls in self._alike:
            yield from calls.works(market_minute, out, fits)
        for task, series, rows in self._interpreted:
            yield partial(_interpreted, task, series, rows, (market_minute, out, fits))


def _interpreted(
    task: PlannedCall,
    series: KeptSeries,
    rows: int,
    rest: tuple[int, NDArray[Any], Sequence[Mapping[str, Array] | None]],
) -> None:
    """Run a kernel that Python calls."""
    market_minute, out, fits = rest
    count = min(rows, series.count)
    newest = series.values[:, series.end - count : series.end]
    if task.kernel is read:
        values = newest[:, -1][:, task.outputs]
    else:
        numbers = (market_minute + 1 - count, *task.window)
        values = np.empty((len(newest), len(task.outputs)))
        for pair, x in enumerate(newest):
            fitted = (parameters_of(task.feature, fits[pair]),) if task.feature.fit_key else ()
            values[pair] = task.kernel(x, *numbers, *fitted)[-1, task.outputs]
    out[:, task.columns] = np.where(np.isinf(values), np.nan, values)
