"""Backups, and the disaster drill: a folder is taken for lost and brought back from its backup.

What it costs is measured: how long until all is back (recovery time), and how much of what was
written would be gone (recovery point). It is brought back beside the original, which stays.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bqx.errors import ArtefactError
from bqx.files import atomic, digest, read_json, read_regular, sha256, write_json

MANIFEST = "backup.json"
RECORD = "drill.json"
RTO, RPO = 15 * 60.0, 60 * 60.0
"""Most seconds until all is back, and most seconds of writing that may be lost."""


@dataclass(frozen=True)
class Drill:
    """What a drill found.

    ``files``, ``mb`` : that came back; ``rto`` : seconds that took; ``lost`` : files of the
    original that were written after the backup, which would be gone; ``rpo`` : seconds between the
    backup and the last of these; ``whole`` : whether all that the backup held is back, byte for
    byte.
    """

    files: int
    mb: float
    rto: float
    rpo: float
    lost: int
    whole: bool

    def write(self, records: Path, what: str) -> None:
        """Keep the findings for the checklist, beside those of other things that were lost."""
        path = records / RECORD
        known = read_json(path) if path.is_file() else {}
        write_json(path, known | {what: asdict(self) | {"at": time.time()}})


def files_of(folder: Path) -> Iterator[Path]:
    """Files of a folder that count: none that is half written, no lock."""
    for path in sorted(folder.rglob("*")):
        name = path.name
        if path.is_file() and not name.startswith(".") and name not in ("lock", MANIFEST):
            yield path


def backup(folder: Path, place: Path) -> int:
    """Copy what is new or has changed in a folder, and the list of hashes last; files copied.

    A backup that was cut off is as the one before it: the list names contents by their hash.
    """
    listed, copied = {}, 0
    for path in files_of(folder):
        content = read_regular(path)
        own = sha256(path)
        listed[str(path.relative_to(folder))] = own
        target = place / "contents" / own[:2] / own
        if not target.exists():
            with atomic(target) as temporary:
                temporary.write_bytes(content)
            copied += 1
    write_json(place / MANIFEST, {"at": time.time(), "files": listed, "hash": digest(listed)})
    return copied


def restore(place: Path, folder: Path) -> int:
    """Bring back what a backup holds, each file checked against its hash; files restored.

    Files that are there and right are kept, so that a restore that was cut off goes on.

    Raises ArtefactError for a backup that is damaged.
    """
    listed = _listed(place)
    for name, own in listed.items():
        source, target = place / "contents" / own[:2] / own, folder / name
        if target.is_file() and sha256(target) == own:
            continue
        if not source.is_file() or sha256(source) != own:
            raise ArtefactError(
                f"{source}: damaged, got another content; expected that of {name}. Use an older "
                "backup."
            )
        with atomic(target) as temporary:
            shutil.copyfile(source, temporary)
    return len(listed)


def _listed(place: Path) -> dict[str, str]:
    content = read_json(place / MANIFEST)
    listed: dict[str, str] = content["files"]
    if content["hash"] != digest(listed) or any(".." in Path(name).parts for name in listed):
        raise ArtefactError(
            f"{place / MANIFEST}: damaged, got another list; expected the one that was written. "
            "Use an older backup."
        )
    return listed


def drill(folder: Path, place: Path, work: Path) -> Drill:
    """Bring back a folder from its backup into an empty one, and measure what that costs.

    Raises ArtefactError for a backup that is damaged, or a folder to work in that is not empty.
    """
    if work.exists() and any(work.iterdir()):
        raise ArtefactError(f"{work}: not empty, got files; expected none. Name another folder.")
    listed, at = _listed(place), float(read_json(place / MANIFEST)["at"])
    start = time.perf_counter()
    restore(place, work)
    spent = time.perf_counter() - start
    back = {str(path.relative_to(work)): path for path in files_of(work)}
    lost = [
        path
        for path in files_of(folder)
        if sha256(path) != listed.get(str(path.relative_to(folder)))
    ]
    newest = max((path.stat().st_mtime for path in lost), default=at)
    size = sum(path.stat().st_size for path in back.values())
    whole = {name: sha256(path) for name, path in back.items()} == listed
    return Drill(len(back), size / 1e6, spent, max(newest - at, 0.0), len(lost), whole)
