"""Eight numbers side by side: in each lane the very operations of one number."""

from typing import Any

import numpy as np
import pytest

from bqx import lanes
from bqx.compiled import kernel
from bqx.lanes import absolute, load, root, signed, store, where
from bqx.reached_code import code_hash

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
    monkeypatch.setattr(lanes, "module_hash", lambda name: "operators that do other things")
    assert code_hash(worked) != before
