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
from bqx.features.spec import Array, Feature

Numbers = NDArray[np.int64]
Fits = Sequence[Mapping[str, Array] | None]
Rows = tuple[int, int]

_TOGETHER = 8  # calls in one piece of work
_ALL = 0, 1 << 62


@kernel(nogil=True)
def _run(
    calls: Numbers,
    now: tuple[int, int, int],
    alike: tuple[tuple[int, ...], tuple[int, ...]],
    parameters: Array | None,
    places: Numbers,
    out: NDArray[Any],
    filled_rows: tuple[int, int],
    pairs: Numbers,
    finite: bool,
) -> None:
    """Run kernels on some pairs' newest rows of one series, and copy the last rows of what they
    give to some rows of ``out``, from first to last.

    ``calls`` (n, 10 or more) : address of the kernel; first and end of its ``places`` (2, m), which
    are outputs and columns of ``out`` (pairs, rows, columns) that they fill; where the series lies,
    bytes to the next pair's and to the next row, and its columns; rows that are read for
    one; first and end of its ``parameters``; windows. ``now`` : the newest market minute, the end
    of the series and how many of its rows are there. ``alike`` : tuples as long as a series' shape,
    and as a kernel's numbers.
    ``finite`` : infinite becomes NaN.
    """
    shape, numbers = alike
    (minute, end, count), (first, last) = now, filled_rows
    for i in range(len(calls)):
        of = calls[i]
        # To fill several rows, a kernel reads as many more.
        rows = min(of[7] + last - first - 1, count)
        shape = with_item(shape, 0, rows)
        for k in range(1, len(shape)):
            shape = with_item(shape, k, of[6])
        numbers = with_item(numbers, 0, minute + 1 - rows)
        for k in range(1, len(numbers)):
            numbers = with_item(numbers, k, of[9 + k])
        first_row = of[3] + (end - rows) * of[5]
        for pair in pairs:
            lies_at: Any = pointer(first_row + pair * of[4])
            arguments = (carray(lies_at, shape, np.float64),) + numbers  # noqa: RUF005
            if parameters is None:
                values = call(of[0], arguments)
            else:
                of_pair = parameters[pair][of[8] : of[9]]
                values = call(of[0], arguments + (of_pair,))  # noqa: RUF005
            filled = out[pair, first:last]
            above = len(values) - len(filled)
            for row in range(len(filled)):
                for place in range(of[1], of[2]):
                    value = values[above + row, places[0, place]]
                    nothing = finite and abs(value) == np.inf
                    filled[row, places[1, place]] = np.nan if nothing else value


@kernel
def as_it_is(x: Array, first_minute: int) -> Array:
    """A series itself."""
    return x


@dataclass(frozen=True)
class Reading:
    """A kernel on the newest rows of a series.

    ``rows`` : that it reads, where there are so many. ``outputs`` : those wanted, and the
    ``columns`` that they fill. ``feature`` : one of those it is run for. ``states`` (pairs, S) :
    that the kernel takes in the place of a fit's parameters, and moves on: those from ``state`` on,
    the others are those of kernels beside it.
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
    state: Rows = _ALL

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
        own = own if self.states is None else id(self.states)
        return self.address is None, self.series.values.ndim, len(self.window), own

    def parameters(self, fits: Fits) -> Array | None:
        """(pairs, P) of the fit, or the states."""
        if self.states is not None:
            return self.states
        return np.array([parameters_of(self.feature, of) for of in fits]) if self.fitted else None


class Readings:
    """Readings of one series that are alike, see `Reading.alike`."""

    def __init__(self, members: Sequence[Reading]) -> None:
        # Those that take longest begin first, so that no thread waits for one at the end.
        self.members = sorted(members, key=lambda reading: -reading.rows)
        first = self._first = self.members[0]
        values = first.series.values
        ends = np.cumsum([0, *(len(reading.outputs) for reading in self.members)])
        lying = values.__array_interface__["data"][0], *values.strides[:2], values[0, 0].size
        calls = [
            (
                reading.address or 0,
                *ends[i : i + 2],
                *lying,
                reading.rows,
                *reading.state,
                *reading.window,
            )
            for i, reading in enumerate(self.members)
        ]
        self._pieces = [
            np.array(calls[start : start + _TOGETHER], dtype=np.int64)
            for start in range(0, len(calls), _TOGETHER)
        ]
        self._places = np.array(
            [
                np.concatenate([reading.outputs for reading in self.members]),
                np.concatenate([reading.columns for reading in self.members]),
            ]
        )
        self._by_python = first.address is None
        self._alike = (0,) * (values.ndim - 1), (0,) * (1 + len(first.window))
        self._all = np.arange(len(values))

    def works(
        self, market_minute: int, out: NDArray[Any], fits: Fits, rows: Rows = (0, 1), *,
        finite: bool = True, pairs: Numbers | None = None,
    ) -> Iterator[Callable[[], None]]:  # fmt: skip
        """What is to be done to fill some rows of ``out`` (pairs, rows, columns), which lies in one
        piece, with the newest ones.

        ``rows`` : the first of them, and the one after the last. ``pairs`` : of kernels that Python
        does not call; without them all.
        ``finite`` : infinite becomes NaN.
        """
        if self._by_python:
            filled = out[:, slice(*rows)]
            for reading in self.members:
                yield partial(
                    _interpreted, reading, market_minute, filled, fits=fits, finite=finite
                )
            return
        now = market_minute, self._first.series.end, self._first.series.count
        parameters = self._first.parameters(fits)
        some = self._all if pairs is None else pairs
        for calls in self._pieces:
            arguments = calls, now, self._alike, parameters, self._places, out, rows, some, finite
            yield partial(_run, *arguments)

    def load(self, out: NDArray[Any]) -> None:
        """Have the loop that fills ``out`` at hand before the minute that first needs it.

        For readings without parameters of a fit.
        """
        if not self._by_python:
            parameters, nothing = self._first.parameters(()), self._pieces[0][:0]
            more = self._alike, parameters, self._places, out, (0, 0), self._all, True
            _run(nothing, (0, 0, 0), *more)


def _interpreted(
    reading: Reading, market_minute: int, out: NDArray[Any], *, fits: Fits, finite: bool
) -> None:
    """Run a kernel that Python calls."""
    wanted = out.shape[1]
    newest = reading.series.newest(reading.rows + wanted - 1)
    if abreast := reading.feature.family.abreast:
        values = abreast(newest)[:, None, reading.outputs]
    else:
        numbers = (market_minute + 1 - newest.shape[1], *reading.window)
        fitted = reading.parameters(fits)
        arguments = [
            numbers if fitted is None else (*numbers, of[slice(*reading.state)])
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
