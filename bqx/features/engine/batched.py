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
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.features.spec import Array, Family

_BLOCK = 256

# Whatever the order of its values in memory.
_VALUES = types.Array(types.float64, 2, "A")


@intrinsic
def _pointer(_: Any, address: Any) -> Any:
    """The address as a pointer."""

    def generate(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.inttoptr(given[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


@intrinsic
def _values(_: Any, address: Any, given: Any) -> Any:
    """What the compiled kernel at an address makes of the arguments."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        convention = context.call_conv
        kernel = convention.get_function_type(_VALUES, given.types)
        status, out = convention.call_function(
            builder,
            builder.inttoptr(values[0], ir.PointerType(kernel)),
            _VALUES,
            given.types,
            cgutils.unpack_tuple(builder, values[1]),
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return out

    return _VALUES(address, given), generate


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy", nogil=True)
def _run(
    kernel: int, series: NDArray[np.int64], shape: tuple[int, ...], start: int, stop: int,
    first_minute: int, window: tuple[int, ...], parameters: Array | None,
    picked: NDArray[np.int64], out: NDArray[Any], columns: NDArray[np.int64], first: int, last: int,
) -> None:  # fmt: skip
    for i in range(len(series)):
        at: Any = _pointer(series[i])  # type: ignore[call-arg]
        x = carray(at, shape, np.float64)[start:stop]
        if parameters is None:
            values = _values(kernel, (x, first_minute) + window)  # noqa: RUF005
        else:
            values = _values(kernel, (x, first_minute) + window + (parameters[i],))  # noqa: RUF005
        place(values, picked, out[i], columns, first, last)


@cache
def _address(kernel: Dispatcher, dimensions: int, windows: int, fitted: bool) -> int:
    """Where the kernel's compiled code lies, compiled first where it has to be."""
    given = (
        types.Array(types.float64, dimensions, "C"),
        *(types.int64,) * (1 + windows),
        *(types.Array(types.float64, 1, "C"),) * fitted,
    )
    kernel.compile(given)
    compiled: Any = kernel.overloads[given]
    made = compiled.signature.return_type
    if not (isinstance(made, types.Array) and (made.dtype, made.ndim) == (types.float64, 2)):
        raise ParameterError(
            f"{kernel}: its values are of another kind, got {made}; expected float64, (T, K). "
            "Mend the kernel."
        )
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


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
        if isinstance(kernel, Dispatcher):
            address = _address(kernel, len(self.shape), len(window), bool(parameters))
            fits = np.array(parameters) if parameters else None
            _run(
                address, self._addresses, self.shape, start, stop, first_minute, window, fits,
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
