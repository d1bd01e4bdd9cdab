"""Runs of many kernels on the newest rows of kept series, many in one compiled loop.

To call a compiled kernel from Python takes longer than many kernels take for the newest row of 28
pairs. Kernels that take alike arguments are therefore called one after the other by a compiled
loop, which holds no lock of the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from bqx.compiled import call, kernel, pointer, with_item
from bqx.features.engine.batched import address_of
from bqx.features.engine.compute import parameters_of
from bqx.features.engine.kept_series import KeptSeries
from bqx.features.spec import Array, Feature, read

Numbers = NDArray[np.int64]
Fits = Sequence[Mapping[str, Array] | None]

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
    finite: bool,
) -> None:
    """Run kernels on each pair's series, and copy the last rows of what they give.

    ``calls`` (n, 3) : address of the kernel, and its first and the end of its ``places``: outputs,
    and the columns of ``out`` (pairs, rows, columns) that they fill. ``series`` (n, 4) : address of
    the first pair's first row, bytes to the next pair's, rows and columns. ``numbers`` (n, 1 or
    more) : a kernel's first minute and windows. ``alike`` : tuples as long as a series' shape and
    as the numbers. ``finite`` : infinite becomes NaN.
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
            filled = out[pair]
            above = len(values) - len(filled)
            for row in range(len(filled)):
                for place in range(calls[i, 1], calls[i, 2]):
                    value = values[above + row, places[0][place]]
                    nothing = finite and abs(value) == np.inf
                    filled[row, places[1][place]] = np.nan if nothing else value


@dataclass(frozen=True)
class Reading:
    """A kernel on the newest rows of a series.

    ``rows`` : that it reads, where there are so many. ``outputs`` : those wanted, and the
    ``columns`` that they fill. ``feature`` : one of those it is run for. ``states`` (pairs, S) :
    that the kernel takes in the place of a fit's parameters, and moves on.
    """

    kernel: Callable[..., Array]
    series: KeptSeries
    rows: int
    window: tuple[int, ...]
    outputs: Numbers
    columns: Numbers
    feature: Feature
    fitted: bool
    states: Array | None = None

    @property
    def address(self) -> int | None:
        """Where the kernel lies, None for one that Python calls."""
        if self.feature.family.abreast:
            return None
        dimensions = self.series.values.ndim - 1
        more = self.fitted or self.states is not None
        return address_of(self.kernel, dimensions, len(self.window), more)

    @property
    def alike(self) -> tuple[Any, ...]:
        """The same for kernels that can be called by one loop."""
        own = id(self) if self.fitted else None
        return self.address is None, self.series.values.ndim, len(self.window), own

    def parameters(self, fits: Fits) -> Array | None:
        """(pairs, P) of the fit, or the states."""
        if self.states is not None:
            return self.states
        return np.array([parameters_of(self.feature, of) for of in fits]) if self.fitted else None


class Readings:
    """Readings that are alike, see `Reading.alike`."""

    def __init__(self, members: Sequence[Reading]) -> None:
        # Those that take longest begin first, so that no thread waits for one at the end.
        self.members = sorted(members, key=lambda reading: -reading.rows)
        self._first = self.members[0]
        self._compiled = self._first.address is not None
        ends = np.cumsum([0, *(len(reading.outputs) for reading in self.members)])
        addresses = [reading.address or 0 for reading in self.members]
        self._calls = np.column_stack([addresses, ends[:-1], ends[1:]])
        self._places = (
            np.concatenate([reading.outputs for reading in self.members]),
            np.concatenate([reading.columns for reading in self.members]),
        )
        self._windows = np.array([reading.window for reading in self.members], dtype=np.int64)
        self._rows = np.array([reading.rows for reading in self.members])
        # Where each series begins, bytes to the next pair's and from row to row, and columns.
        self._lying = np.array([_lying(reading.series) for reading in self.members])

    def works(
        self, market_minute: int, out: NDArray[Any], fits: Fits, *, finite: bool = True
    ) -> Iterator[Callable[[], None]]:
        """What is to be done to fill ``out`` (pairs, rows, columns) with the newest rows.

        ``finite`` : infinite becomes NaN.
        """
        if not self._compiled:
            for reading in self.members:
                yield partial(_interpreted, reading, market_minute, out, fits=fits, finite=finite)
            return
        kept = [(reading.series.end, reading.series.count) for reading in self.members]
        ends, counts = np.array(kept).T
        begin, pair, row, columns = self._lying.T
        # To fill several rows, a kernel reads as many more.
        rows = np.minimum(self._rows + out.shape[1] - 1, counts)
        series = np.array([begin + (ends - rows) * row, pair, rows, columns]).T.copy()
        numbers = np.concatenate(((market_minute + 1 - rows)[:, None], self._windows), axis=1)
        alike = (0,) * (self._first.series.values.ndim - 1), (0,) * numbers.shape[1]
        parameters = self._first.parameters(fits)
        for start in range(0, len(rows), _TOGETHER):
            some = slice(start, start + _TOGETHER)
            arguments = self._calls[some], series[some], numbers[some], alike, parameters
            yield partial(_run, *arguments, self._places, out, finite)


def _lying(series: KeptSeries) -> tuple[int, int, int, int]:
    """Address of the first row, bytes to the next pair's and from row to row, and columns."""
    values = series.values
    return values.__array_interface__["data"][0], *values.strides[:2], values[0, 0].size


def _interpreted(
    reading: Reading, market_minute: int, out: NDArray[Any], *, fits: Fits, finite: bool
) -> None:
    """Run a kernel that Python calls."""
    wanted = out.shape[1]
    newest = reading.series.newest(reading.rows + wanted - 1)
    if reading.kernel is read:
        values = newest[:, -wanted:, reading.outputs]
    elif abreast := reading.feature.family.abreast:
        values = abreast(newest)[:, None, reading.outputs]
    else:
        numbers = (market_minute + 1 - newest.shape[1], *reading.window)
        fitted = reading.parameters(fits)
        arguments = [
            numbers if fitted is None else (*numbers, of)
            for of in (newest if fitted is None else fitted)
        ]
        values = np.array(
            [
                reading.kernel(x, *more)[-wanted:, reading.outputs]
                for x, more in zip(newest, arguments, strict=True)
            ]
        )
    out[:, :, reading.columns] = np.where(np.isinf(values), np.nan, values) if finite else values


def alike(readings: Sequence[Reading]) -> list[Readings]:
    """Readings by what can be called by one loop."""
    grouped: dict[Any, list[Reading]] = {}
    for reading in readings:
        grouped.setdefault(reading.alike, []).append(reading)
    return [Readings(members) for members in grouped.values()]
