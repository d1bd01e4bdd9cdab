"""Pairs worked on in processes, in threads and on a Dask cluster: the same results and errors."""

import errno
import gc
import os
import signal
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

import dask
import numpy as np
import psutil
import pytest
from distributed import LocalCluster

from bqx.errors import BqxError
from bqx.parallel import Backend, over_groups, over_pairs

TASKS = {"eurusd": (4.0,), "gbpusd": (-1.0,), "usdjpy": (9.0,)}


def root_of(value: float) -> float:
    if value < 0:
        raise BqxError(f"root: negative, got {value}")
    return value**0.5


def place(_: str) -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def places(workers: int, backend: Backend) -> set[tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    over_pairs(
        place, {pair: (pair,) for pair in TASKS}, workers, write=found.__setitem__, backend=backend
    )
    assert set(found) == set(TASKS)
    return set(found.values())


@pytest.mark.parametrize("backend", get_args(Backend))
def test_a_failing_pair_is_named_after_the_others_are_written(backend: Backend) -> None:
    written: dict[str, float] = {}
    with pytest.raises(BqxError, match="1 of 3 pairs failed: gbpusd: root: negative") as caught:
        over_pairs(root_of, TASKS, 2, write=written.__setitem__, backend=backend)
    assert written == {"eurusd": 2.0, "usdjpy": 3.0}
    assert caught.value.__cause__ is not None
    assert "root_of" in caught.value.__cause__.__notes__[0]


def after(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize("backend", get_args(Backend))
def test_what_cannot_be_written_ends_the_others_without_a_word(
    backend: Backend, recwarn: pytest.WarningsRecorder
) -> None:
    def write(pair: str, _: float) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", pair)

    tasks = {pair: (0.3 * number,) for number, pair in enumerate(("eurusd", "gbpusd", "usdjpy"))}
    with pytest.raises(OSError, match="No space left on device: 'eurusd'"):
        over_pairs(after, tasks, 2, write=write, backend=backend)
    gc.collect()
    assert not [warning for warning in recwarn if "still being processed" in str(warning.message)]


def ended(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_one_line() -> None:
    tasks = {pair: (pair,) for pair in TASKS}
    with pytest.raises(
        BqxError, match=r"workers: a process was ended from outside.* fewer workers"
    ):
        over_pairs(ended, tasks, 2, write=lambda *_: None)
    assert len(places(2, "processes")) == 2


def lasting(pair: str) -> None:
    Path(pair, str(os.getpid())).touch()
    time.sleep(60)


def _start(folder: str) -> None:
    over_pairs(lasting, {"eurusd": (folder,), "gbpusd": (folder,)}, 2, write=lambda *_: None)


def lives(process: int) -> bool:
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = get_context("spawn").Process(target=_start, args=(str(tmp_path),))
    parent.start()
    end = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.1)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert len(workers) == 2
    parent.kill()
    parent.join()
    while any(map(lives, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(lives, workers))


def test_no_room_for_what_workers_are_given_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is larger than a megabyte goes by a file in a folder, here one that is none.
    (tmp_path / "file").touch()
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path / "file"))
    tasks = {pair: (np.zeros(200_000),) for pair in TASKS}
    told = r"workers: a task cannot be handed to a process, got .*Error.*; expected room"
    with pytest.raises(BqxError, match=told):
        over_pairs(np.sum, tasks, 2, write=lambda *_: None)


def met_before(shared: list[str], name: str) -> list[str]:
    shared.append(name)
    return list(shared)


@pytest.mark.parametrize("backend", get_args(Backend))
def test_what_a_group_shares_is_one_object_where_it_is_worked_on(backend: Backend) -> None:
    shared = {month: [month] for month in ("January", "February")}
    groups = [{f"{pair} {month}": (pair, month) for pair in TASKS} for month in shared]
    asked: list[str] = []
    written: list[dict[str, list[str]]] = []

    def task(order: tuple[str, str]) -> tuple[list[str], str]:
        asked.append(order[0])
        return shared[order[1]], order[0]

    over_groups(
        met_before, groups, 2, task=task, write=written.append, units="months", backend=backend
    )
    assert asked == 2 * list(TASKS)
    for month, group in zip(shared, sorted(written, key=min, reverse=True), strict=True):
        names = [month, *TASKS]
        assert group == {f"{names[k]} {month}": names[: k + 1] for k in range(1, len(names))}


def test_one_reason_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    groups = [{f"eurusd 2024-0{month}": -1.0 for month in range(1, 7)}, {"gbpusd 2024-01": -2.0}]
    written: list[dict[str, float]] = []
    with pytest.raises(BqxError) as caught:
        over_groups(
            root_of, groups, 1, task=lambda value: (value,), write=written.append, units="months"
        )
    assert str(caught.value) == (
        "7 of 7 months failed: eurusd 2024-01, eurusd 2024-02, eurusd 2024-03 and 3 more: root: "
        "negative, got -1.0; gbpusd 2024-01: root: negative, got -2.0"
    )
    assert written == [{}, {}]
    assert "7/7" in capsys.readouterr().err


def test_one_process_is_this_one() -> None:
    assert places(1, "processes") == {(os.getpid(), threading.get_ident())}


def test_processes_and_threads_are_others() -> None:
    assert os.getpid() not in {process for process, _ in places(2, "processes")}
    threads = places(2, "threads")
    assert {process for process, _ in threads} == {os.getpid()}
    assert threading.get_ident() not in {thread for _, thread in threads}


def test_dask_works_on_the_cluster_that_is_named() -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        workers = {worker.process.process.pid for worker in cluster.workers.values()}
        with dask.config.set({"scheduler-address": cluster.scheduler_address}):
            used = {process for process, _ in places(1, "dask")}
    assert used <= workers


def test_no_scheduler_is_said_at_once() -> None:
    with (
        dask.config.set({"scheduler-address": "tcp://127.0.0.1:1",
                         "distributed.comm.timeouts.connect": "100ms"}),
        pytest.raises(BqxError, match="no scheduler answers, got tcp://127.0.0.1:1; expected one"),
    ):  # fmt: skip
        places(1, "dask")


def test_what_is_no_error_of_bqx_is_told_with_its_kind() -> None:
    with pytest.raises(BqxError, match="1 of 1 pairs failed: eurusd: KeyError 'eurusd'$"):
        over_pairs(_absent, {"eurusd": ("eurusd",)}, 1, write=lambda pair, value: None)


def _absent(name: str) -> None:
    raise KeyError(name)
