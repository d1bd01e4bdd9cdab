"""All features of all 28 pairs for a new bar, and the start of a process."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measure import Goal, bytes_of, panel, python
from twins import FITS

from bqx.features import catalog
from bqx.features.engine.live_window import LiveWindow
from bqx.market.bars import RATES

pytestmark = pytest.mark.benchmarks

HISTORY, MINUTES = 5_000, 300


@pytest.mark.parametrize(("profile", "goal", "floor"), [("core", 2.0, 1e3), ("full", 15.0, 1e4)])
def test_latency_of_a_minute(
    profile: str, goal: float, floor: float, results: dict[str, Any]
) -> None:
    bars = panel(HISTORY + MINUTES)
    before = {pair: each.rows(0, HISTORY) for pair, each in bars.items()}
    fits = dict.fromkeys(bars, FITS)
    window = LiveWindow.of(before, catalog.profile(profile), fits=fits)
    window.values()
    frames = {pair: each.frame.iloc[HISTORY:] for pair, each in bars.items()}
    spent, computed = [], []
    for i, ts in enumerate(next(iter(bars.values())).ts[HISTORY:]):
        rows = {pair: frame.iloc[i] for pair, frame in frames.items()}
        minute = {pair: dict(row[list(RATES)]) for pair, row in rows.items() if row.notna().all()}
        start, start_cpu = time.perf_counter(), time.process_time()
        window.push(ts, minute)
        window.values()
        spent.append(1e3 * (time.perf_counter() - start))
        computed.append(1e3 * (time.process_time() - start_cpu))
    middle, late = (float(np.percentile(spent, q)) for q in (50, 99))
    count = len(catalog.profile(profile))
    print(f"\nCPU of a minute: {np.median(computed):.1f} ms, least {min(computed):.1f}", end="")
    results.setdefault("live", []).append(
        {"profile": profile, "features": count, "pairs": len(bars), "p50_ms": middle,
         "p99_ms": late, "cpu_p50_ms": float(np.median(computed)), "cpu_least_ms": min(computed)}
    )  # fmt: skip
    Goal(
        f"a minute of 28 pairs, {profile}, P99", late, goal, floor, "ms",
        "states of 28 pairs lie in memory of 100 MB that no cache holds; the rest makes series of "
        "the panel, and reads windows of kernels that have no state yet", more=False,
    ).check(results)  # fmt: skip


def test_state(results: dict[str, Any]) -> None:
    """What a window of all features holds, and a new one from the bars that it has been sent."""
    bars = panel(9_000)
    profile, fits = catalog.profile("full"), dict.fromkeys(bars, FITS)
    window = LiveWindow.of(bars, profile, fits=fits)
    values, spent = window.values(), []
    for _ in range(4):
        start = time.perf_counter()
        other = LiveWindow(profile, window.baselines, fits=fits)
        other.restart(window.pairs, *window.sent())
        np.testing.assert_array_equal(other.values(), values)
        spent.append(time.perf_counter() - start)
    held = bytes_of(window) / 1e6
    Goal("state of 28 pairs, full", held, 200.0, 400.0, "MB", more=False).check(results)
    Goal(
        "state of 28 pairs, full, anew from its bars", min(spent), 1.0, 10.0, "s",
        "every state is built from the rows that decide it", more=False,
    ).check(results)  # fmt: skip


IMPORT = "import time; t = time.perf_counter(); import bqx.features.catalog"
KERNEL = """
import time, numpy as np
from bqx.features.families.distribution.moments import moments
x = np.random.default_rng(0).normal(size=2_000)
t = time.perf_counter()
moments(x, 0, 20)
"""


@pytest.mark.parametrize(
    ("what", "code", "goal", "floor"),
    [("import of the catalog", IMPORT, 0.7, 10.0),
     ("first kernel from its cache", KERNEL, 3.0, 6.0)],
)  # fmt: skip
def test_start(what: str, code: str, goal: float, floor: float, results: dict[str, Any]) -> None:
    command = python("-c", f"{code}\nprint(time.perf_counter() - t)")
    found = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(4)
    ]
    results.setdefault("start", {})[what] = min(found[1:])
    Goal(
        what, min(found[1:]), goal, floor, "s", "numba and pandas are imported first", more=False
    ).check(results)


def test_everything_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: dict[str, Any]
) -> None:
    """A copy of the package, beside which no kernel is kept yet."""
    package = Path(catalog.__file__).parents[1]
    shutil.copytree(package, tmp_path / "bqx", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    command = python("-m", "bqx", "compile", "--profile", "full", "--workers", "2")
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=tmp_path)
    Goal(
        "every kernel compiled, two processes", time.perf_counter() - start, 120.0, 900.0, "s",
        "hundreds of kernels; LLVM takes most of it", more=False,
    ).check(results)  # fmt: skip
