"""Compiled kernels go when any source has changed, and stay when none has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bqx.compiled import forget_stale

CALLED = "from numba import njit\n\n\n@njit(cache=True)\ndef called(x):\n    return x + {}\n"
CALLS = (
    "from numba import njit\nfrom pack.called import called\n\n\n"
    "@njit(cache=True)\ndef calls(x):\n    return 10.0 * called(x)\n"
)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from pathlib import Path\nfrom bqx.compiled import forget_stale\n"
        "forget_stale(Path(__file__).parent)\n"
    )
    (folder / "called.py").write_text(CALLED.format(1.0))
    (folder / "calls.py").write_text(CALLS)
    return folder


def answer(pack: Path) -> float:
    code = "from pack.calls import calls; print(calls(1.0))"
    path = os.pathsep.join([str(pack.parent), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    return float(done.stdout)


def test_a_kernel_follows_what_it_calls(pack: Path) -> None:
    assert answer(pack) == 20.0
    kept = {path.name: path.stat().st_mtime_ns for path in pack.rglob("*.nbc")}
    assert kept
    assert answer(pack) == 20.0
    assert {path.name: path.stat().st_mtime_ns for path in pack.rglob("*.nbc")} == kept
    (pack / "called.py").write_text(CALLED.format(2.0))
    assert answer(pack) == 30.0


def test_nothing_changed_nothing_removed(pack: Path) -> None:
    forget_stale(pack)
    made = pack / "__pycache__" / "calls.calls-6.py311.nbi"
    made.write_bytes(b"index")
    assert forget_stale(pack) == 0
    assert made.exists()
    (pack / "new.py").write_text("x = 1\n")
    assert forget_stale(pack) == 1
    assert not made.exists()
    assert [path.name for path in made.parent.glob(".*")] == []
