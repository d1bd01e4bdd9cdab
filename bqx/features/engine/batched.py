"""A kernel run on the same rows of several pairs.

To call a compiled kernel from Python and to place what it gives takes longer than many kernels
take for a row. The loop over the pairs is therefore compiled as well, once for all kernels that
take alike arguments: it is given the kernel's address. It holds no lock of the interpreter, so
that such runs go side by side in threads.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from queue import SimpleQueue
from typing import Any

import numpy as np
from numba import types
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from bqx.compiled import address, call, kernel, pointer
from bqx.features.spec import Array, Family

_BLOCK = 256


@kernel
def place(
    values: Array, picked: NDArray[np.int64], out: NDArray[Any], columns: NDArray[np.int64],
    first: int, last: int,
) -> None:  # fmt: skip
    """Copy the end of values (T, K) to places ``first`` to ``last`` of rows of ``out`` (K, T).

    Infinite becomes NaN.
    """
    # Block by block, so that a row's outputs are read from the cache for every column but one.
    above = len(values) - last
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        for i in range(len(picked)):
            of, to = values[above + start : above + stop, picked[i]], out[columns[i], start:stop]
            for row in range(len(to)):
                to[row] = of[row]
            for row in range(len(to)):
                to[row] = np.nan if abs(to[row]) == np.inf else to[row]


@kernel(nogil=True)
def _run(
    lies_at: int, series: NDArray[np.int64], shape: tuple[int, ...], start: int, stop: int,
    first_minute: int, window: tuple[int, ...], parameters: Array | None,
    picked: NDArray[np.int64], out: NDArray[Any], columns: NDArray[np.int64], first: int, last: int,
) -> None:  # fmt: skip
    for i in range(len(series)):
        at: Any = pointer(series[i])
        x = carray(at, shape, np.float64)[start:stop]
        if parameters is None:
            values = call(lies_at, (x, first_minute) + window)  # noqa: RUF005
        else:
            values = call(lies_at, (x, first_minute) + window + (parameters[i],))  # noqa: RUF005
        place(values, picked, out[i], columns, first, last)


@cache
def _address(function: Any, dimensions: int, windows: int, fitted: bool) -> int | None:
    """Where a family's compiled kernel lies, None for one that Python calls."""
    signature = (
        types.Array(types.float64, dimensions, "C"),
        *(types.int64,) * (1 + windows),
        *(types.Array(types.float64, 1, "C"),) * fitted,
    )
    return address(function, signature)


class Series:
    """A source's series of several pairs: (T,) or (T, C) each, of the last T of some rows.

    ``missing`` : rows above the first one.
    """

    def __init__(self, each: Sequence[Array], rows: int) -> None:
        self.each = [np.ascontiguousarray(x, dtype=np.float64) for x in each]
        self.shape = self.each[0].shape
        self.missing = rows - self.shape[0]
        self._addresses = np.array([x.__array_interface__["data"][0] for x in self.each])

    def run(
        self, family: Family, window: tuple[int, ...], rows: slice, first_minute: int,
        parameters: Sequence[Array], picked: NDArray[np.int64], out: NDArray[Any],
        columns: NDArray[np.int64], places: slice,
    ) -> None:  # fmt: skip
        """Place what a family's kernel makes of ``rows`` of each pair.

        ``first_minute`` is that of row 0; ``parameters`` are those of each pair, if the family
        has some; ``out`` (pairs, columns, T).
        """
        start, stop = rows.start - self.missing, rows.stop - self.missing
        start = max(start, 0)
        first_minute += start + self.missing
        kernel = family.kernel
        lies_at = _address(kernel, len(self.shape), len(window), bool(parameters))
        if lies_at is not None:
            fits = np.array(parameters) if parameters else None
            _run(
                lies_at, self._addresses, self.shape, start, stop, first_minute, window, fits,
                picked, out, columns, places.start, places.stop,
            )  # fmt: skip
            return
        for i, x in enumerate(self.each):
            fitted = parameters[i : i + 1]
            values = kernel(x[start:stop], first_minute, *window, *fitted)
            place(values, picked, out[i], columns, places.start, places.stop)


def in_threads(works: Iterator[Callable[[], None]], threads: int) -> None:
    """Run pieces of work as they come, several at a time; what one raises is raised."""
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
        for other in others:
            other.result()
