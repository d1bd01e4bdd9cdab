"""Files damaged in every way, and what a reader may make of it: the right value or one line."""

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bqx.errors import BqxError
from bqx.files import MOST_BYTES

SECONDS = 120
"""Longest that a reader may take on a crowded machine."""


def flipped(content: bytes, at: int, bits: int) -> bytes:
    return content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]


def contents(content: bytes, siblings: list[bytes], flips: int, rng: random.Random):
    """Other contents of a file: bytes altered all over it, cut off, empty, another file's."""
    for n in range(flips):
        # Heads and ends hold what the rest is understood by: as often as all between.
        edge = min(len(content), 3_000)
        at = (rng.randrange(len(content)), rng.randrange(edge), -1 - rng.randrange(edge))[n % 3]
        yield f"byte {at}", flipped(content, at % len(content), rng.randrange(1, 256))
    # A line's end that is missing takes nothing away.
    whole = len(content.rstrip(b"\n"))
    for length in {0, 1, whole // 2, whole - 1, rng.randrange(whole)}:
        yield f"cut to {length}", content[:length]
    yield "longer", content + bytes(100)
    yield from (("exchanged", sibling) for sibling in siblings if sibling != content)


def others(path: Path) -> dict[str, Callable[[], Any]]:
    """What else may lie where a file is expected."""
    files = (p for p in sorted(path.parent.iterdir()) if p.is_file() and p != path)
    sibling = next(files, Path("nowhere"))
    return {
        "link to another file": lambda: path.symlink_to(sibling),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "nothing": lambda: None,
        "loop": lambda: path.symlink_to(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "link to nothing": lambda: path.symlink_to("nowhere"),
        "huge": lambda: (path.touch(), os.truncate(path, MOST_BYTES + 1)),
    }


@contextmanager
def in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        pytest.fail(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def check(what: str, read: Callable[[], Any], same: Callable[[Any], bool]) -> bool:
    """Whether a reader refused, in one line; what it reads otherwise is right."""
    with in_time():
        try:
            value = read()
        except BqxError as error:
            if len(str(error).splitlines()) != 1:
                pytest.fail(f"{what}: {error}")
            return True
        except BaseException as error:
            raise AssertionError(f"{what}: {type(error).__name__} {error}") from error
    assert same(value), f"{what}: another value"
    return False


def damage(
    folder: Path,
    read: Callable[[], Any],
    same: Callable[[Any], bool],
    *,
    flips: int,
    seed: int = 0,
) -> tuple[int, int]:
    """Damage each file of a folder in every way and read; cases, and how many were refused."""
    rng = random.Random(seed)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    kept = {path: path.read_bytes() for path in files}
    cases = refused = 0
    for path, content in kept.items():
        siblings = [kept[p] for p in files if p.suffix == path.suffix and p != path][:4]
        for what, altered in contents(content, siblings, flips, rng):
            path.write_bytes(altered)
            cases += 1
            refused += check(f"{path.relative_to(folder)}: {what}", read, same)
        path.unlink()
        for what, place in others(path).items():
            place()
            cases += 1
            refused += check(f"{path.relative_to(folder)}: {what}", read, same)
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(
                missing_ok=True
            )
        path.write_bytes(content)
    return cases, refused


def damage_folders(
    folder: Path, read: Callable[[], Any], same: Callable[[Any], bool]
) -> tuple[int, int]:
    """Put something else in the place of each folder in a folder; cases, and how many were refused.

    Those are nothing, an empty folder, a file, a pipe, and links to each folder of its name or
    beside it.
    """
    cases = refused = 0
    folders = sorted(p for p in folder.rglob("*") if p.is_dir())
    for path in folders:
        aside = folder.parent / "aside"
        alike = [p for p in folders if p != path and (p.name, p.parent) != (path.name, path.parent)]
        alike = [p for p in alike if path not in p.parents and p not in path.parents]
        alike = [p for p in alike if path.name == p.name or path.parent == p.parent]
        path.rename(aside)
        places: dict[str, Callable[[], Any]] = {
            "nothing": lambda: None,
            "empty": path.mkdir,
            "file": path.touch,
            "pipe": partial(os.mkfifo, path),
            "loop": partial(path.symlink_to, path),
        }
        places |= {f"link to {p.relative_to(folder)}": partial(path.symlink_to, p) for p in alike}
        for what, place in places.items():
            place()
            cases += 1
            refused += check(f"{path.relative_to(folder)}: {what}", read, same)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        aside.rename(path)
    return cases, refused
