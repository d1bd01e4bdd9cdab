"""Kernels that kernels call: taken in, with no machine code of their own, whoever calls them."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_compiled import ROOT, answer, environment, pack

from bqx.compiled import NATIVE

__all__ = ["pack"]

REFUSES = """
from bqx.compiled import kernel

@kernel
def called(x):
    if x < 0.0:
        raise ValueError("x: below 0", x)
    return x + 1.0
"""
RAISES = """
import numba, numpy as np
from numba.core.event import install_recorder
from pack.called import called
from pack.calls import calls

@numba.njit
def outside(x):
    return called(x)

def refused(function):
    try:
        function(-1.0)
    except ValueError as error:
        return error.args == ("x: below 0", -1.0)

assert outside(1.0) == 2.0 and refused(outside)
with install_recorder("numba:compile") as recorder:
    value = calls(1.0)
assert all(map(refused, (calls, called)))
print(value, len(recorder.buffer) // 2)
"""


@pytest.mark.skipif(not NATIVE, reason="kernels are kept by Numba's own rules")
def test_no_machine_code_is_made_of_what_only_kernels_call(pack: Path) -> None:
    assert answer(pack)[:2] == (20.0, 2)
    (called,), (calls,) = pack.rglob("called.*.nbc"), pack.rglob("calls.*.nbc")
    assert b"\x7fELF" in calls.read_bytes()
    assert b"\x7fELF" not in called.read_bytes()
    calls.unlink()
    assert answer(pack)[:2] == (20.0, 1)


def test_a_kernel_raises_the_same_called_by_kernels_by_others_and_from_python(pack: Path) -> None:
    (pack / "called.py").write_text(REFUSES)
    assert answer(pack, RAISES)[0] == 20.0
    assert answer(pack, RAISES)[:2] == (20.0, 0)


def test_kernels_that_may_not_be_compiled_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bqx", "catalog"],
        capture_output=True,
        text=True,
        env=environment(ROOT, NUMBA_DISABLE_JIT="1"),
    )
    assert (done.returncode, done.stderr) == (
        2,
        "bqx: NUMBA_DISABLE_JIT: got it set; expected kernels that may be compiled. Unset it.\n",
    )
