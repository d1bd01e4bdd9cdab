"""A kernel run on the same rows of several pairs.

To call a compiled kernel from Python and to copy what it gives takes longer than many kernels
take for a row. The loop over the pairs is therefore compiled as well, once for all kernels that
take alike arguments: it is given the kernel's address. It holds no lock of the interpreter, so
that such runs go side by side in threads.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from queue import SimpleQueue
from typing import Any

import numpy as np
from numba import types
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from bqx.compiled import address, call, kernel, pointer
from bqx.features.spec import Array

Columns = NDArray[np.int64]

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Call:
    """A run of a kernel, whatever the number of its outputs.

    ``outputs`` : those wanted, and the ``columns`` that they fill.
    """

    kernel: Callable[..., Any]
    window: tuple[int, ...]
    outputs: Columns
    columns: Columns


@kernel
def copy(
    values: Array, out: NDArray[Any], columns: tuple[Columns, Columns], rows: tuple[int, int]
) -> None:
    """Copy the end of values (T, K) to some rows, from first to last, of ``out`` (K, T).

    ``columns`` : those of the values, and those of ``out`` that they fill. Infinite becomes NaN.
    """
    # Block by block, so that a row's outputs are read from the cache for every column but one.
    first, last = rows
    above = len(values) - last
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        for source, target in zip(columns[0], columns[1]):  # noqa: B905
            read, filled = values[above + start : above + stop, source], out[target, start:stop]
            for row in range(len(filled)):
                filled[row] = read[row]
            for row in range(len(filled)):
                filled[row] = np.nan if abs(filled[row]) == np.inf else filled[row]


@kernel(nogil=True)
def _run(
    kernel_address: int,
    series: tuple[NDArray[np.int64], tuple[int, ...]],
    numbers: tuple[int, ...],
    parameters: Array | None,
    out: NDArray[Any],
    columns: tuple[Columns, Columns],
    rows: tuple[int, int, int, int],
) -> None:
    """Run a kernel on each series, and copy what it gives.

    ``series`` : address of each, and the shape of all.
    ``numbers`` : the kernel's first minute and windows.
    ``rows`` : of the series from start to stop, and of ``out`` from first to last.
    """
    addresses, shape = series
    start, stop, first, last = rows
    for pair in range(len(addresses)):
        lies_at: Any = pointer(addresses[pair])
        x = carray(lies_at, shape, np.float64)[start:stop]
        if parameters is None:
            values = call(kernel_address, (x,) + numbers)  # noqa: RUF005
        else:
            values = call(kernel_address, (x,) + numbers + (parameters[pair],))  # noqa: RUF005
        copy(values, out[pair], columns, (first, last))


@cache
def address_of(function: Any, dimensions: int, windows: int, fitted: bool) -> int | None:
    """Where a family's compiled kernel lies, None for one that Python calls."""
    signature = (
        types.Array(types.float64, dimensions, "C"),
        *(types.int64,) * (1 + windows),
        *(types.Array(types.float64, 1, "C"),) * fitted,
    )
    return address(function, signature)


class Series:
    """A source's series of several pairs: (T,) or (T, C) each, of the last T of some rows.

    ``first_minute`` : of row 0.
    """

    def __init__(self, series: Sequence[Array], rows: int, first_minute: int) -> None:
        self.series = [np.ascontiguousarray(x, dtype=np.float64) for x in series]
        self.shape = self.series[0].shape
        self._missing = rows - self.shape[0]  # rows above the first one
        self._first_minute = first_minute
        self._addresses = np.array([x.__array_interface__["data"][0] for x in self.series])

    def run(
        self, task: Call, rows: slice, out: NDArray[Any], filled: slice, parameters: Sequence[Array]
    ) -> None:
        """Fill rows of ``out`` (pairs, columns, T) with what a kernel makes of each pair's rows.

        ``parameters`` : of each pair, empty where the kernel takes none.
        """
        start, stop = max(rows.start - self._missing, 0), rows.stop - self._missing
        numbers = (self._first_minute + start + self._missing, *task.window)
        columns, places = (task.outputs, task.columns), (filled.start, filled.stop)
        at = address_of(task.kernel, len(self.shape), len(task.window), bool(parameters))
        if at is not None:
            fits = np.array(parameters) if parameters else None
            series = self._addresses, self.shape
            _run(at, series, numbers, fits, out, columns, (start, stop, *places))
            return
        for pair, x in enumerate(self.series):
            values = task.kernel(x[start:stop], *numbers, *parameters[pair : pair + 1])
            copy(values, out[pair], columns, places)


def in_threads(works: Iterator[Callable[[], None]], threads: int) -> None:
    """Run pieces of work as they come, several at a time; what one raises is raised."""
    if threads == 1:
        for work in works:
            work()
        return
    waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def take() -> None:
        while (work := waiting.get()) is not None:
            work()

    with ThreadPoolExecutor(threads) as pool:
        others = [pool.submit(take) for _ in range(threads - 1)]
        try:
            for work in works:
                waiting.put(work)
        finally:
            for _ in range(threads):
                waiting.put(None)
        take()
        for future in others:
            future.result()
