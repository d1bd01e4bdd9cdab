"""Kernels over several pairs at once give what they give one by one, in any thread."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.features.engine.batched import Call, Series, in_threads

Array = NDArray[np.float64]


@njit
def weighed(x: Array, first_minute: int, window: int, parameters: Array) -> Array:
    out = np.full((len(x), 3), np.inf)
    for row in range(window, len(x)):
        out[row, 0] = x[row] * parameters[1] - x[row - window]
        out[row, 1] = first_minute + row
    return out


@njit
def spread(x: Array, first_minute: int) -> Array:
    out = np.empty((2, len(x)))
    out[0], out[1] = x[:, 0] - x[:, 1], x[:, 1] / (x[:, 0] - x[:, 0])
    return out.T


@njit
def failing(x: Array, first_minute: int) -> Array:
    if x[-1] > 0.0:
        raise ValueError("a positive value")
    return x.reshape(-1, 1).copy()


@njit
def whole_numbers(x: Array, first_minute: int) -> NDArray[np.int64]:
    return np.zeros((len(x), 1), np.int64)


def run(
    kernel: Callable[..., Array],
    window: tuple[int, ...],
    each: list[Array],
    rows: int,
    parameters: tuple[Array, ...] = (),
) -> Array:
    count = len(each[0]) + 5
    out = np.zeros((len(each), 4, rows), np.float32)
    call = Call(kernel, window, np.array([1, 0]), np.array([3, 1]))
    Series(each, count, 1_000).run(call, slice(20, count), out, slice(0, rows), parameters)
    return out


@pytest.mark.parametrize("rows", [1, 300])
def test_a_compiled_loop_gives_what_the_kernel_gives(rows: int) -> None:
    rng = np.random.default_rng(rows)
    each = [rng.normal(size=600) for _ in range(3)]
    learnt = tuple(rng.normal(size=2) for _ in range(3))
    compiled = run(weighed, (7,), each, rows, learnt)
    np.testing.assert_array_equal(compiled, run(weighed.py_func, (7,), each, rows, learnt))
    # Row 0 of the series is row 5 of all, and those before row 20 are not read.
    np.testing.assert_array_equal(compiled[:, 3], [np.arange(1_605 - rows, 1_605)] * 3)
    two = [rng.normal(size=(600, 2)) for _ in range(4)]
    found = run(spread, (), two, rows)
    differences = [(x[:, 0] - x[:, 1])[-rows:].astype(np.float32) for x in two]
    np.testing.assert_array_equal(found[:, 1], differences)
    assert np.isnan(found[:, 3]).all()  # never infinite


def test_what_a_kernel_raises_is_raised() -> None:
    each = [np.full(30, -1.0), np.full(30, 1.0)]
    with pytest.raises(ValueError, match="a positive value"):
        run(failing, (), each, 1)
    with pytest.raises(ParameterError, match="its values are of another kind, got array.int64"):
        run(whole_numbers, (), each, 1)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_all_work_is_done_and_errors_come_out(threads: int) -> None:
    done: set[int] = set()
    before = threading.active_count()
    in_threads((lambda i=i: done.add(i) for i in range(200)), threads)  # type: ignore[misc]
    assert done == set(range(200))

    def some(fails: int, breaks: bool) -> Iterator[Callable[[], None]]:
        for i in range(50):
            yield lambda i=i: done.remove(1_000 if i == fails else i)  # type: ignore[misc]
        if breaks:
            raise RuntimeError("no more work")

    with pytest.raises(KeyError, match="1000"):
        in_threads(some(10, False), threads)
    done |= set(range(200))
    with pytest.raises(RuntimeError, match="no more work"):
        in_threads(some(-1, True), threads)
    assert threading.active_count() == before
