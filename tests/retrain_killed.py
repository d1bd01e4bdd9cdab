"""A loop of retraining that is killed at random writes, and goes on.

``python retrain_killed.py FOLDER POINTS SEED`` prints at which writes it was killed as JSON, and
fails where what is left in the end is not what an unbroken loop leaves, or where something was ever
served that is not whole. Loops run in processes forked from one that has imported everything.
"""

import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import rounds as made

from bqx.files import read_json
from bqx.retraining import triggers
from bqx.serving.models import Models

PAIR = made.PAIRS[0]
MOMENTS = (made.FIRST, made.SHADOWED, made.WATCHED)
WRITES = ("os.rename", "os.remove", "os.truncate", "os.mkdir", "os.rmdir", "shutil.rmtree")
PATIENCE = 400
"""Seconds after which a forked loop is ended."""


def count_writes(folder: Path, last: int) -> list[int]:
    """Count what is written from now on, and kill this process before the last of them."""
    counted = [0]

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            name, mode, flags = arguments
            is_write = isinstance(mode, str) and mode[0] in "wax"
            is_write |= bool(flags and flags & (os.O_WRONLY | os.O_RDWR))
        else:
            name, is_write = arguments[0] if arguments else "", event in WRITES
        if is_write and str(folder) in str(name):
            counted[0] += 1
            if counted[0] == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return counted


def forked(folder: Path, moments: tuple, last: int) -> int:
    """Status of a loop in a process of its own, killed at a write; -1 where it was."""
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        status = 1
        try:
            counted = count_writes(folder, last)
            run(folder, moments)
            (folder / "writes").write_text(str(counted[0]))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return -1 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def run(folder: Path, moments: tuple) -> None:
    frames = {PAIR: made.market()[PAIR]}
    for moment in moments:
        if moment is not made.FIRST:
            triggers.fired = lambda *_: ()
        made.loop(folder).step(frames, moment)


def served(folder: Path) -> int:
    """Number of the version that is served, 0 for none; whatever is served can be read."""
    loop = made.loop(folder)
    if not loop.store.exists or loop.registry.latest_approved(PAIR) is None:
        return 0
    models = Models(folder / "registry")
    assert not models.faults
    return models.current()[PAIR].version.number


def left(folder: Path) -> dict[str, object]:
    """What the loop has decided, without times of the clock."""
    store = made.loop(folder).store
    own = folder / "place" / "rounds" / f"{made.FIRST:%Y-%m-%dT%H%M}"
    judged = read_json(own / "judged.json")
    for pair in judged["pairs"].values():
        pair.pop("reasons")
    return {
        "judged": judged["pairs"],
        "shadowed": read_json(own / "shadowed.json")["pairs"],
        "watched": read_json(own / "watched.json")["pairs"],
        "promoted": read_json(own / "promoted.json")["pairs"],
        "log": [(line["version"], line["status"]) for line in store.log()],
        "served": served(folder),
        "files": sorted(str(p.relative_to(own)) for p in own.rglob("*") if p.is_file()),
    }


def main(folder: Path, points: int, seed: int) -> None:
    made.market()
    whole = folder / "whole"
    assert forked(whole, MOMENTS, 0) == 0
    expected, writes = left(whole), int((whole / "writes").read_text())
    assert expected["served"] == 1
    chosen = sorted(random.Random(seed).sample(range(1, writes + 1), min(points, writes)))
    for last in chosen:
        broken = folder / str(last)
        assert forked(broken, MOMENTS, last) == -1, f"not killed at write {last}"
        served(broken)
        # Whoever comes after it begins with the step that is due at the time.
        for moment in MOMENTS:
            assert forked(broken, (moment,), 0) == 0, f"no way on after write {last}"
            served(broken)
        assert left(broken) == expected, f"write {last}"
        shutil.rmtree(broken)
    print(json.dumps({"writes": writes, "killed": chosen}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
