"""Kernels are found again by content, on any processor, and nothing is written at import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bqx.compiled import GENERIC

CALLED = "from bqx.compiled import kernel\n\n\n@kernel\ndef called(x):\n    return x + {}\n"
CALLS = (
    "from bqx.compiled import kernel\nfrom pack.called import called\n\n\n"
    "@kernel\ndef calls(x):\n    return 10.0 * called(x)\n"
)
CODE = """
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    from pack.calls import calls
    value = calls(1.0)
print(value, len(recorder.buffer) // 2)
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "called.py").write_text(CALLED.format(1.0))
    (folder / "calls.py").write_text(CALLS)
    return folder


def answer(pack: Path, code: str = CODE, **environment: str) -> tuple[float, int, str]:
    """Value, number of compilations and what stood on stderr, of a process of its own."""
    path = os.pathsep.join([str(pack.parent), str(Path(__file__).parents[1])])
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG"))}
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True,
        env={**clean, "PYTHONPATH": path, "HOME": str(pack.parent)} | environment,
    )  # fmt: skip
    value, compiled = done.stdout.split()
    return float(value), int(compiled), done.stderr


@pytest.mark.parametrize("chosen", [False, True])
def test_a_kernel_follows_what_it_calls(pack: Path, tmp_path: Path, chosen: bool) -> None:
    where = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")} if chosen else {}
    value, compiled, _ = answer(pack, **where)
    assert value == 20.0
    assert compiled > 0
    for path in pack.glob("*.py"):
        os.utime(path, ns=(1, 1))
    assert answer(pack, **where)[:2] == (20.0, 0)
    (pack / "called.py").write_text(CALLED.format(2.0))
    value, compiled, _ = answer(pack, **where)
    assert value == 30.0
    assert compiled > 0


def test_generic_kernels_are_found_on_another_processor(pack: Path) -> None:
    assert answer(pack, **GENERIC)[0] == 20.0
    assert answer(pack, NUMBA_CPU_NAME="x86-64-v2", NUMBA_CPU_FEATURES="+sse2")[:2] == (20.0, 0)


def test_import_writes_and_deletes_nothing(pack: Path) -> None:
    stale = pack / "__pycache__" / "calls.calls-6.py311.nbi"
    stale.parent.mkdir()
    stale.write_bytes(b"index")
    before = {path: path.stat().st_mtime_ns for path in pack.parent.rglob("*")}
    answer(pack, "import bqx.features.catalog, pack.calls; print(0, 0)")
    assert {path: path.stat().st_mtime_ns for path in pack.parent.rglob("*")} == before


def test_nowhere_to_write_is_one_line_of_advice(pack: Path) -> None:
    (pack / "__pycache__").touch()
    value, compiled, said = answer(pack, HOME="/dev/null")
    assert value == 20.0
    assert compiled > 0
    assert said.count("\n") == 1
    assert "Set NUMBA_CACHE_DIR" in said


def test_two_processes_compile_side_by_side(pack: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as threads:
        assert [a[0] for a in threads.map(answer, [pack, pack])] == [20.0, 20.0]
    assert answer(pack)[:2] == (20.0, 0)
