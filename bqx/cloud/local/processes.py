"""Processes of containers: started with the platform's variables only, and ended for sure."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

IMAGE = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "NUMBA_CACHE_DIR", "VIRTUAL_ENV")
"""Variables that an image sets; here they are those of this process."""

MODULE = "bqx.serving"
GRACE = {"job": 120.0, "server": 30.0}
"""Seconds between the signal to stop and the one that kills, by kind of container."""

_children: dict[int, "subprocess.Popen[bytes]"] = {}
"""Those of this process, which has to wait for them; others know them by their number alone."""


def start(
    root: Path, arguments: Sequence[str], variables: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    """A container's process; what it prints goes to a file."""
    environment = {name: os.environ[name] for name in IMAGE if name in os.environ}
    environment |= {"BQX_ML_ROOT": str(root), **variables}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", MODULE, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[child.pid] = child
    return child


def is_container(pid: int) -> bool:
    """Whether a process is there and is one of ours; its number may have gone to another."""
    if pid in _children:
        if _children[pid].poll() is None:
            return True
        del _children[pid]
        return False
    shown = subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return MODULE in shown.stdout


def end(pid: int, grace: float) -> None:
    """Ask a container to stop, and kill it where it has not after a while."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if not is_container(pid):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        give_up = time.monotonic() + seconds
        while is_container(pid) and time.monotonic() < give_up:
            time.sleep(0.05)
