"""Kernels that were compiled from earlier sources are forgotten.

Numba keeps a compiled kernel as long as the kernel's own file is as it was. What a kernel calls may
stand in another file, and would stay in use after that file has changed.
"""

import contextlib
import os
from pathlib import Path

STAMP = "sources.stamp"


def stamp(folder: Path) -> str:
    """Names, sizes and times of all sources below a folder."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        state = path.stat()
        found.append(f"{path.relative_to(folder)} {state.st_size} {state.st_mtime_ns}")
    return "\n".join(found)


def forget_stale(folder: Path) -> int:
    """Remove the compiled kernels beside sources that have changed since the last call.

    Parameters
    ----------
    folder : of a package; its ``__pycache__`` holds the stamp.

    Returns
    -------
    Number of files removed; 0 too where the folder cannot be written, since then nothing is kept.
    """
    held = folder / "__pycache__" / STAMP
    now = stamp(folder)
    try:
        if held.exists() and held.read_text() == now:
            return 0
        held.parent.mkdir(exist_ok=True)
        old = [*folder.rglob("__pycache__/*.nbi"), *folder.rglob("__pycache__/*.nbc")]
        for path in old:
            # Another process may be at the same work.
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        temporary = held.with_name(f".{STAMP}.{os.getpid()}.tmp")
        temporary.write_text(now)
        temporary.replace(held)
    except PermissionError:
        return 0
    return len(old)
