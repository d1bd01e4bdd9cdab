"""A job in a child process, so that a signal is answered whatever the job computes just then.

Compiled code hears a signal when it returns, which may be minutes later; the platform waits two.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bqx.serving.jobs.platform import Platform

TRAINING = "bqx.serving.jobs.training"

PATIENCE = 100.0
"""Seconds after the signal to stop that a job has for its first model; at 120 it is killed."""

POLL = 0.1


class Stop:
    """Whether and when the platform asked the job to stop."""

    def __init__(self) -> None:
        self.at: float | None = None
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.at = self.at or time.monotonic()


def main(arguments: Sequence[str]) -> int:
    """Train as the platform asks for it, by hyperparameters alone; exit status."""
    return run(TRAINING, Platform.here())


def run(module: str, platform: Platform) -> int:
    """Run a training module in a child, and publish the last bundle that it saved; exit status.

    ``module`` : of the child, ``python -m module FOLDER``: it saves bundles in the folder, each a
    better one than those before it, by names that sort so.
    """
    stop = Stop()
    with tempfile.TemporaryDirectory(prefix="bqx-training-") as name:
        folder = Path(name)
        # It ends itself when this process is gone, for then its standard input ends.
        child = subprocess.Popen(
            [sys.executable, "-m", module, name], stdin=subprocess.PIPE, start_new_session=True
        )
        try:
            status = _wait(child, folder, stop)
        finally:
            child.kill()
            child.communicate()
        bundles = saved(folder)
        if status is None and bundles:
            print(f"stopped: the last whole model is kept, {bundles[-1].name}", file=sys.stderr)
            status = 0
        if status == 0:
            publish(bundles[-1], platform.model)
            return 0
        if status is None:
            platform.fail(f"stopped: no model yet, {PATIENCE:.0f} seconds after the signal")
        elif status < 0:
            name = signal.Signals(-status).name
            platform.fail(
                f"training: was ended by {name}; where nobody sent it, it lacked memory. Choose a "
                "larger instance."
            )
        return 1


def _wait(child: "subprocess.Popen[bytes]", folder: Path, stop: Stop) -> int | None:
    """Exit status of a child; None where it was to stop, and has a model or no time left."""
    while True:
        try:
            return child.wait(POLL)
        except subprocess.TimeoutExpired:
            over = stop.at is not None and time.monotonic() - stop.at > PATIENCE
            if over or (stop.at is not None and saved(folder)):
                return None


def saved(folder: Path) -> Sequence[Path]:
    """Bundles of a folder in the order in which they were saved; one without a dot is whole."""
    return sorted(path for path in folder.iterdir() if path.name[0] != ".")


def publish(bundle: Path, model: Path) -> None:
    """Put a bundle where the platform takes the model from."""
    model.mkdir(parents=True, exist_ok=True)
    target = model / bundle.name.partition("-")[2]
    temporary = model / f".{target.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(bundle, temporary)
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)


def end_with_parent() -> None:
    """End this child when its parent is gone."""

    def wait() -> None:
        # Not by Python's buffer, whose lock would hold up the exit.
        os.read(0, 1)
        # A thread cannot end the process by an exception.
        signal.raise_signal(signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()
