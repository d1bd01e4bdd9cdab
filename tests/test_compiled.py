"""Kernels are found again by content, on any processor, and nothing is written at import."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bqx.compiled import GENERIC, NATIVE
from bqx.features import catalog, precompile
from bqx.features.engine.compute import compute, warm_up
from bqx.features.engine.requirements import bars_of, walk
from bqx.market.pairs import PAIRS

ROOT = Path(__file__).resolve().parents[1]

CALLED = "from bqx.compiled import kernel\n\n\n@kernel\ndef called(x):\n    return x + {}\n"
CALLS = (
    "from bqx.compiled import kernel\nfrom pack.called import called\n\n\n"
    "@kernel\ndef calls(x):\n    return 10.0 * called(x)\n"
)
ASSIGNS = (
    "from bqx.compiled import kernel\n\n\n"
    "@kernel\ndef calls(target, values):\n    target[1:] = values\n    return target\n"
)
READS_THE_CATALOG = """
import gc, json, sys
from numba.core.dispatcher import Dispatcher
from bqx.features import catalog

assert max(feature.lookback for feature in catalog.FEATURES.values()) > 1_000
kernels = [kernel for kernel in gc.get_objects() if isinstance(kernel, Dispatcher)]
assert len(kernels) > 500
called = [kernel.__name__ for kernel in kernels if kernel.overloads]
heavy = ["joblib", "pandas", "pydantic", "scipy.linalg", "numba.np.linalg"]
print(json.dumps([called, [name for name in heavy if name in sys.modules]]))
"""
REFUSES = """
import numpy as np
from pack.calls import calls
assert list(calls(np.zeros(3), np.ones(2))) == [0.0, 1.0, 1.0]
try:
    calls(np.zeros(3), np.ones(3))
except ValueError as error:
    print(int(str(error).startswith("values: ")), 0)
"""
CODE = """
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    from pack.calls import calls
    value = calls(1.0)
print(value, len(recorder.buffer) // 2)
"""

CORE = catalog.profile("core")
SOME = CORE[::25]
ROWS = 300
BAKES = """
from bqx.features import catalog, precompile
precompile.compile_all(catalog.profile("core")[::25], 2, generic=True)
"""
FORECASTS = """
import os, sys
from pathlib import Path
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    import numpy as np
    import bqx
    from bqx.features import catalog
    from bqx.features.engine.live_window import LiveWindow
    from bqx.features.engine.requirements import bars_of, walk
    from bqx.market.pairs import PAIRS
    features = catalog.profile("core")[::25]
    closes = walk(int(sys.argv[1]))
    window = LiveWindow.of({pair: bars_of(pair, closes) for pair in PAIRS}, features)
    sys.stdout.buffer.write(window.values().tobytes())
folder = Path(bqx.__file__).parent
print(folder, os.access(folder / "__pycache__", os.W_OK), len(recorder.buffer), file=sys.stderr)
"""
COMPUTES = """
import sys
import numpy as np
from bqx import compiled
from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.engine.requirements import bars_of, walk
assert not compiled.NATIVE
closes = walk(int(sys.argv[1]))
values = compute(bars_of("eurusd", closes), catalog.profile("core"), np.float64)
sys.stdout.buffer.write(values.tobytes())
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "called.py").write_text(CALLED.format(1.0))
    (folder / "calls.py").write_text(CALLS)
    return folder


def environment(packages: Path, **variables: str) -> dict[str, str]:
    """What a process of its own finds set: no folder of kernels but those beside the packages."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG", "BQX"))}
    path = os.pathsep.join([str(packages), str(ROOT)])
    return {**clean, "PYTHONPATH": path, "HOME": str(packages)} | variables


def answer(pack: Path, code: str = CODE, **variables: str) -> tuple[float, int, str]:
    """Value, number of compilations and what stood on stderr, of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment(pack.parent, **variables),
    )
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
    with ThreadPoolExecutor(2) as threads:
        assert [a[0] for a in threads.map(answer, [pack, pack])] == [20.0, 20.0]
    assert answer(pack)[:2] == (20.0, 0)


def test_an_assignment_that_does_not_fit_is_refused_without_code_for_strings(pack: Path) -> None:
    (pack / "calls.py").write_text(ASSIGNS)
    refused, _, _ = answer(pack, REFUSES)
    assert refused == 1.0
    forms = list(pack.rglob("calls.*.nbc"))
    assert len(forms) == 1
    assert b"unicode" not in forms[0].read_bytes()


def bound_by_permissions() -> list[str]:
    """What starts a command that writes only where its user may, as root otherwise does not."""
    if os.geteuid():
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root writes anything, and there is no setpriv to take that from it")
    return [setpriv, "--bounding-set=-dac_override"]


@pytest.mark.skipif(not NATIVE, reason="kernels are kept by Numba's own rules")
def test_a_read_only_copy_forecasts_on_another_processor(tmp_path: Path) -> None:
    baked, moved = tmp_path / "baked" / "bqx", tmp_path / "moved" / "bqx"
    shutil.copytree(ROOT / "bqx", baked, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", BAKES]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment(baked.parent))
    shutil.copytree(baked, moved)
    shutil.rmtree(baked)
    paths = [moved, *moved.rglob("*")]
    for number, path in enumerate(paths):
        os.utime(path, ns=(number, number))
        path.chmod(0o555 if path.is_dir() else 0o444)
    rows = warm_up(SOME)
    variables = {"HOME": "/dev/null", "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2"}
    try:
        done = subprocess.run(
            [*bound_by_permissions(), sys.executable, "-c", FORECASTS, str(rows)],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            env=environment(moved.parent, **variables),
        )
    finally:
        for path in paths:
            path.chmod(0o755)
    assert done.stderr.decode() == f"{moved} False 0\n"
    values = np.frombuffer(done.stdout, np.float32).reshape(len(PAIRS), len(SOME))
    assert np.isfinite(values).mean() > 0.9
    closes = walk(rows)
    native = [compute(bars_of(pair, closes), SOME, last=1)[0] for pair in sorted(PAIRS)]
    np.testing.assert_array_equal(values, native)


@pytest.mark.skipif(not NATIVE, reason="both would be the plain fallback")
def test_plain_kernels_give_the_same_bits(tmp_path: Path) -> None:
    # The 298 features of the core profile.
    rows = warm_up(CORE) + ROWS
    variables = {"BQX_PLAIN_KERNELS": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COMPUTES, str(rows)],
        capture_output=True,
        check=True,
        env=environment(ROOT, **variables),
    )
    native = compute(bars_of("eurusd", walk(rows)), CORE, np.float64)
    plain = np.frombuffer(done.stdout).reshape(native.shape)
    assert np.isfinite(native[-ROWS:]).mean() > 0.9
    np.testing.assert_array_equal(plain, native)


def test_what_takes_long_is_compiled_first() -> None:
    features = catalog.profile("full")
    families = precompile.by_family(features)
    assert sorted(name for names in families for name in names) == sorted(f.name for f in features)
    learn = [any(catalog.FEATURES[name].fit_key for name in names) for names in families]
    count = sum(learn)
    assert 0 < count < len(families)
    assert learn == [True] * count + [False] * (len(families) - count)
    for part in families[:count], families[count:]:
        sizes = [len(names) for names in part]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_an_interrupted_compile_ends_in_one_line(tmp_path: Path, seconds: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bqx", "compile", "--profile", "core"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(ROOT, NUMBA_CACHE_DIR=str(tmp_path)),
        start_new_session=True,
        # A suite that runs in the background ignores it, and so would what it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stderr is not None
        bar = process.stderr.read(len("\nkernels:"))  # its processes have been started
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        try:
            written = bar + process.communicate(timeout=120)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 130
    *bars, last = [line for line in written.splitlines() if line]
    assert last == "bqx: interrupted; run the same command again"
    assert all(line.startswith("kernels") for line in bars)


def test_the_catalog_is_read_without_a_kernel_and_without_what_only_runs_need():
    command = [sys.executable, "-c", READS_THE_CATALOG]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == [[], []]
