"""What benchmarks share: a market, the time and memory of work, and what they have found."""

import gc
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import psutil
from numba.core.registry import cpu_target

from bqx.compiled import numbers_in_register
from bqx.market import bars as bar_frames
from bqx.market import simulated
from bqx.market.bars import Bars, Panel

PAIR = "eurusd"
WATCHING = 30
"""Times as long as a look at a command's memory that nobody looks."""


@dataclass(frozen=True)
class Goal:
    """A number beside what is wanted of it.

    ``floor`` is the bound that the benchmark asserts: the goal, or what holds on a busy machine
    for the reason that ``limit`` gives. ``more`` says whether more is better.
    """

    what: str
    found: float
    goal: float
    floor: float
    unit: str
    limit: str = ""
    more: bool = True

    @property
    def reached(self) -> bool:
        """Whether the goal itself is reached."""
        return self.found >= self.goal if self.more else self.found <= self.goal

    def check(self, results: dict[str, Any]) -> None:
        """Keep the number among the results, and assert the floor."""
        results.setdefault("goals", []).append(asdict(self))
        print(f"\n{self.what}: {self.found:.3g} {self.unit}, goal {self.goal:g}")
        assert self.found >= self.floor if self.more else self.found <= self.floor, self


@cache
def panel(rows: int) -> dict[str, Bars]:
    """All 28 pairs of a null market, so many rows each."""
    days = rows // 1_440 * 7 // 5 + 4
    grids = bar_frames.align(
        simulated.simulate("null", start="2023-01-01", days=days, seed=1).frames
    )
    return bar_frames.join({pair: bars.rows(0, rows) for pair, bars in grids.items()})


def fresh(bars: Iterable[Bars]) -> list[Bars]:
    """The same bars of pairs of one panel, with nothing made of them or of it yet."""
    first, *others = bars
    assert first.panel is not None
    panel = Panel(first.panel.closes, first.panel.baselines)
    return [replace(each, panel=panel) for each in (first, *others)]


def seconds(work: Callable[[], object], budget: float = 1.0) -> float:
    """Least CPU time of some runs after one that compiles and warms up."""
    work()
    spent: list[float] = []
    while not spent or (sum(spent) < budget and len(spent) < 5):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def peak(command: Sequence[str]) -> float:
    """Largest memory of a command and its children, GB: shared pages count once."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0
    watched = psutil.Process(child.pid)
    while child.poll() is None:
        start = time.perf_counter()
        most = max(most, sum(map(_memory, [watched, *_children(watched)])))
        # A process waits for memory while its pages are counted, and the count takes a core.
        time.sleep(max(0.1, WATCHING * (time.perf_counter() - start)))
    assert child.returncode == 0, command
    return most / 1e9


def _children(of: psutil.Process) -> list[psutil.Process]:
    try:
        return list(of.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _memory(of: psutil.Process) -> int:
    try:
        return int(of.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def bytes_of(root: object) -> int:
    """What an object's arrays take, those of all that it refers to, each once."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    left = [root]
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen.add(id(each))
        if not isinstance(each, np.ndarray):
            left += gc.get_referents(each)
            continue
        while isinstance(each.base, np.ndarray):
            each = each.base
        found[id(each)] = each.nbytes
    return sum(found.values())


def machine() -> dict[str, Any]:
    """Facts of the machine that the numbers depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = [line for line in lines if "model name" in line]
    return {
        "processor": found[0].partition(":")[2].strip() if found else platform.machine(),
        "numbers_in_register": numbers_in_register(cpu_target.target_context),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }
