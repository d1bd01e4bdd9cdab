"""Eight numbers side by side: in each lane the very operations of one number."""

from typing import Any

import numpy as np
import pytest

from bqx import lanes
from bqx.compiled import kernel
from bqx.features.rolling.powers import exp2, log2
from bqx.identity.reached import code_hash
from bqx.lanes import absolute, largest, load, root, signed, smallest, store, total, where

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.normal(size=(2, 24)) * 10.0 ** RNG.integers(-3, 4, (2, 24))
ONE[3], OTHER[5] = np.nan, 0.0


@kernel
def worked(one: Any, other: Any, out: Any) -> None:
    for at in range(0, len(one), 8):
        a, b = load(one, at), load(other, at)
        value = (a + b) * (a - b) / (2.0 + absolute(b)) - 3 * root(absolute(a))
        value = where(a > b, value, signed(value, a))
        store(out, at, where(b <= 0.5, value / 4, where(a >= b, where(1 / a < 1.0, 7.0, b), a)))


@kernel
def worked_alone(one: Any, other: Any, out: Any) -> None:
    for at in range(len(one)):
        a, b = one[at], other[at]
        value = (a + b) * (a - b) / (2.0 + abs(b)) - 3.0 * np.sqrt(abs(a))
        value = value if a > b else np.copysign(value, a)
        out[at] = value / 4.0 if b <= 0.5 else (7.0 if 1.0 / a < 1.0 else b) if a >= b else a


def test_a_lane_has_the_operations_of_one_number() -> None:
    out, alone = np.empty((2, 24))
    worked(ONE, OTHER, out)
    worked_alone(ONE, OTHER, alone)
    np.testing.assert_array_equal(out, alone)


@kernel
def filled(out: Any) -> None:
    store(out, 2, 0.1)


def test_a_number_is_put_into_eight_places_and_no_other() -> None:
    out = np.zeros(12)
    filled(out)
    np.testing.assert_array_equal(out, [0.0] * 2 + [0.1] * 8 + [0.0] * 2)


def test_a_kernel_in_lanes_counts_what_its_operators_do(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_hash(worked)
    assert code_hash(worked) == before
    monkeypatch.setattr(lanes, "_WRITTEN", "operators that do other things")
    assert code_hash(worked) != before


@kernel
def of_eight(x: Any) -> Any:
    eight = load(x, 0)
    return total(eight), largest(eight), smallest(eight)


def test_one_number_of_eight() -> None:
    x = RNG.normal(size=8)
    pairs = x[::2] + x[1::2]
    sum_of_all = (pairs[0] + pairs[1]) + (pairs[2] + pairs[3])
    assert of_eight(x) == (sum_of_all, x.max(), x.min())


@kernel
def powers(x: Any, logarithms: Any, back: Any) -> None:
    for at in range(0, len(x), 8):
        store(logarithms, at, log2(load(x, at)))
        store(back, at, exp2(load(logarithms, at)))


def test_logarithms_and_powers_are_those_of_two() -> None:
    sizes = 2.0 ** RNG.uniform(-1000.0, 1000.0, 79_984)
    near = 1.0 + np.array([0.0, 1e-15, -1e-15, 1e-8, -1e-8, 0.41421356, -0.29289322, 1.0])
    roots = np.sqrt(0.5) * (1.0 + np.arange(-4, 4) * 2.0**-53)
    x = np.concatenate([sizes, near, roots])
    logarithms, back = np.empty((2, len(x)))
    powers(x, logarithms, back)
    np.testing.assert_allclose(logarithms, np.log2(x), rtol=2.5e-16, atol=5e-16)
    np.testing.assert_allclose(back, 2.0**logarithms, rtol=1e-15)


@kernel
def small(x: Any, out: Any) -> None:
    store(out, 0, exp2(load(x, 0)))


def test_powers_below_all_numbers_are_none() -> None:
    x, out = np.array([-1021.0, -1030.0, -5e3, -1e18, 0.0, -1.0, 1.0, 1023.0]), np.empty(8)
    small(x, out)
    np.testing.assert_allclose(out, [2.0**-1021, 0, 0, 0, 1, 0.5, 2, 2.0**1023], rtol=1e-15)
