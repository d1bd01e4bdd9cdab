"""Random operations on one registry by several processes that are killed and whose disk is full.

``python registry_operations.py FOLDER BUNDLE OPERATIONS SEED`` prints what it counted as JSON, and
fails where a registry was ever in a state that it must not be in. Processes are forked from one
that has imported everything, so that a killed one is replaced at once. On a filesystem of a few MB
the disk is filled for good now and then.
"""

import errno
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest import mock

from bqx.errors import ArtefactError, ParameterError
from bqx.files import write_json
from bqx.learning import bundle
from bqx.learning.bundle import MANIFEST
from bqx.serving.registry import NEXT, Registry
from bqx.serving.registry_folder import LOG, Folder

PAIR = "eurusd"
PROCESSES = 4
ROUND = 200
"""Operations on one registry, whose log every operation reads."""
VARIANTS = 40
BALLAST = "ballast"
SMALL = 20_000_000
"""Bytes free on a filesystem that is small enough to be filled."""


@contextmanager
def full_disk(rng, log):
    """A disk that takes part of the next lines, or refuses to confirm or to rename."""
    free = os.statvfs(log.parent.parent)
    small = free.f_bavail * free.f_frsize < SMALL
    how = "filled" if small and rng.random() < 0.5 else rng.choice(["cut", "fsync", "replace"])
    if how == "filled":
        ballast = log.parent.parent / f"{BALLAST}{os.getpid()}"
        try:
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(b"\0" * rng.choice([1, 100, 10_000])):
                    pass
            yield
        finally:
            ballast.unlink(missing_ok=True)
        return
    if how == "cut":
        size = log.stat().st_size if log.exists() else 0
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + rng.randrange(400), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        return
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mock.patch.object(os, how, side_effect=error):
        yield


def operate(folder, bundles, rng, name):
    """One random operation in the name of one: what it says of itself."""
    store = Folder(folder)
    registry = Registry(store, name)
    versions = store.versions(PAIR)
    alive = [v for v in versions if v.passed or v.status in ("pending", "approved")]
    if len(versions) < 3 or rng.random() < (0.1 if alive else 0.5):
        registry.register(PAIR, str(rng.choice(bundles)), {})
        return "registered"
    version = rng.choice(rng.choice([versions, alive or versions, alive or versions]))
    actions = {
        "approved": registry.approve,
        "rejected": registry.reject,
        "archived": registry.archive,
    }
    # Mostly what is allowed, as far as that is still so.
    status = rng.choice([*actions, *NEXT[version.status] * 6, *NEXT[version.status][:1] * 6])
    action = actions[status]
    reason = "because" if action == registry.archive else ("because",)
    action(version, reason)
    return "moved"


def work(folder, bundles, seed, out):
    """Operations without end; each writes its name and what it says of itself."""
    rng = random.Random(seed)
    number = 0
    while True:
        name = f"{seed}.{number}"
        number += 1
        try:
            if rng.random() < 0.25:
                with full_disk(rng, folder / LOG):
                    said = operate(folder, bundles, rng, name)
            else:
                said = operate(folder, bundles, rng, name)
        except ParameterError:
            said = "refused"
        except ArtefactError as error:
            text = " ".join(str(error).split())
            said = "full" if "Nothing was changed" in text else f"FAULT {text}"
        except Exception as error:
            said = f"FAULT {error!r}".replace("\n", " ")
        os.write(out, f"{name} {said}\n".encode())


def replay(lines):
    """States by version of a log's lines, told by themselves; no step may be a wrong one."""
    states, passed = {}, set()
    for line in lines:
        approved = {number for number, status in states.items() if status == "approved"}
        number, status = line["version"], line["status"]
        if number not in states:
            assert status == "pending", line
            assert number == len(states) + 1, line
        else:
            assert status in NEXT[states[number]], line
            assert status != "approved" or states[number] != "archived" or number in passed, line
        states[number] = status
        for change in line.get("also", ()):
            assert (states[change["version"]], change["status"]) == ("approved", "archived"), line
            states[change["version"]] = "archived"
        now = {number for number, status in states.items() if status == "approved"}
        assert len(now) <= 1, line
        assert now or not approved or (approved == {number} and status in NEXT["approved"]), line
        passed |= now
    return states


def manifest_alone(folder):
    """Pair of a bundle: its model is of no interest here, and XGBoost cannot be forked."""
    return SimpleNamespace(pair=json.loads((folder / MANIFEST).read_text())["pair"])


def variants(source, folder):
    """Bundles of one model whose manifests differ."""
    for number in range(VARIANTS):
        target = folder / f"{number}"
        shutil.copytree(source, target)
        manifest = json.loads((target / MANIFEST).read_text())
        write_json(target / MANIFEST, manifest | {"metrics": {"number": number}})
        yield target


def one_round(folder, bundles, count, rng):
    """Operations on one registry: how many said what, and how many processes were killed."""
    reading, writing = os.pipe()
    said, killed, workers, told = {}, 0, [], b""

    def kill(process):
        os.kill(process, signal.SIGKILL)
        os.wait()
        (folder.parent / f"{BALLAST}{process}").unlink(missing_ok=True)

    def start():
        seed = rng.randrange(1 << 40)
        process = os.fork()
        if not process:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            work(folder, bundles, seed, writing)
        workers.append(process)

    try:
        for _ in range(PROCESSES):
            start()
        while len(said) < count:
            told += os.read(reading, 1 << 16)
            *whole, told = told.split(b"\n")
            said |= dict(line.decode().split(" ", 1) for line in whole)
            if rng.random() < 0.15:
                time.sleep(rng.choice([0, 0.001, 0.02]))
                kill(workers.pop(rng.randrange(PROCESSES)))
                killed += 1
                start()
                replay(Folder(folder).log())
    finally:
        # They would work on for ever, and hold the output open that the caller waits for.
        for process in workers:
            kill(process)
    os.set_blocking(reading, False)
    while True:
        try:
            told += os.read(reading, 1 << 16)
        except BlockingIOError:
            break
    said |= dict(line.split(" ", 1) for line in told.decode().splitlines())
    os.close(reading)
    os.close(writing)
    check(folder, said)
    return Counter(said.values()) + Counter(killed=killed)


def check(folder, said):
    """What the log says is what the processes said, and what is served; and it goes on."""
    store = Folder(folder)
    lines = store.log()
    states = replay(lines)
    assert {v.number: v.status for v in store.versions(PAIR)} == states
    names = Counter(line["by"] for line in lines)
    assert set(names.values()) <= {1}, names
    for name, word in said.items():
        assert not word.startswith("FAULT"), word
        # A process that was killed has said nothing; what it had done stands or not. A bundle that
        # was registered before is no new line.
        assert word == "registered" or (name in names) == (word == "moved"), (name, word)
    asked = Registry(store, "afterwards")
    versions = [v for v in store.versions(PAIR) if v.status == "pending"]
    if versions:
        asked.approve(versions[0])
        assert asked.latest_approved(PAIR).number == versions[0].number
    for version in store.versions(PAIR):
        store.read(version)


def main(folder, source, operations, seed):
    rng = random.Random(seed)
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory() as place, mock.patch.object(bundle, "load", manifest_alone):
        bundles = [*variants(source, Path(place))]
        counts = sum(
            (
                one_round(
                    folder / f"{first // ROUND}", bundles, min(ROUND, operations - first), rng
                )
                for first in range(0, operations, ROUND)
            ),
            Counter(),
        )
    print(json.dumps(counts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
