"""Backups, and the disaster drill: a folder is taken for lost and brought back from its backup.

What it costs is measured: how long until all is back (recovery time), and how much of what was
written would be gone (recovery point). It is brought back beside the original, which stays.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bqx.errors import ArtefactError, ParameterError
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
        drills = read_json(path) if path.is_file() else {}
        if not isinstance(drills, dict):
            raise ArtefactError(
                f"{path}: no record, got {type(drills).__name__}; expected drills by name. Remove "
                "it."
            )
        write_json(path, drills | {what: asdict(self) | {"at": time.time()}})


def files_of(folder: Path) -> Iterator[Path]:
    """Files of a folder that count: none that is half written, no lock."""
    for path in sorted(folder.rglob("*")):
        name = path.name
        if path.is_file() and not name.startswith(".") and name not in ("lock", MANIFEST):
            yield path


def backup(folder: Path, place: Path) -> int:
    """Copy what is new or has changed in a folder, and the list of hashes last; files copied.

    A backup that was cut off is as the one before it: the list names contents by their hash. A
    content that was damaged there is copied anew.

    Raises ParameterError for a folder that is none or empty, or a backup that lies in it.
    """
    _check_folder(folder)
    if place.resolve().is_relative_to(folder.resolve()):
        raise ParameterError(
            f"BACKUP: within the folder, got {place}; expected a place outside of {folder}."
        )
    listed, copied = {}, 0
    for path in files_of(folder):
        content = read_regular(path)
        file_hash = hashlib.sha256(content).hexdigest()
        listed[str(path.relative_to(folder))] = file_hash
        target = place / "contents" / file_hash[:2] / file_hash
        if not target.is_file() or sha256(target) != file_hash:
            with atomic(target) as temporary:
                temporary.write_bytes(content)
            copied += 1
    if not listed:
        # Its list would take the place of one with which a lost folder comes back.
        raise ParameterError(f"FOLDER: nothing to copy, got {folder}; expected files in it.")
    write_json(place / MANIFEST, {"at": time.time(), "files": listed, "hash": digest(listed)})
    return copied


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ParameterError(f"FOLDER: no folder, got {folder}; expected the one that is copied.")


def restore(place: Path, folder: Path) -> int:
    """Bring back what a backup holds, each file checked against its hash; files restored.

    Files that are there and right are kept, so that a restore that was cut off goes on.

    Raises ArtefactError for a backup that is damaged, or a folder with other files.
    """
    listed, _ = _listed(place)
    for path in files_of(folder):
        if listed.get(str(path.relative_to(folder))) != sha256(path):
            raise ArtefactError(
                f"{path}: not of the backup, got a file of its own; expected an empty folder. Name "
                "another one."
            )
    for name, file_hash in listed.items():
        source, target = place / "contents" / file_hash[:2] / file_hash, folder / name
        if target.is_file() and sha256(target) == file_hash:
            continue
        if not source.is_file() or sha256(source) != file_hash:
            raise ArtefactError(
                f"{source}: damaged, got another content; expected that of {name}. Use an older "
                "backup."
            )
        with atomic(target) as temporary:
            shutil.copyfile(source, temporary)
    return len(listed)


def _listed(place: Path) -> tuple[dict[str, str], float]:
    """Hashes of a backup's files by their name, and when it was made."""
    if not (place / MANIFEST).exists():
        raise ArtefactError(
            f"{place}: no backup, got no {MANIFEST}; expected one of `bqx ready backup`."
        )
    content = read_json(place / MANIFEST)
    try:
        listed, at = dict(content["files"]), float(content["at"])
        paths = [Path(name) for name in listed]
        is_whole = content["hash"] == digest(listed) and all(map(_is_hash, listed.values()))
    except (LookupError, TypeError, ValueError):
        paths, is_whole = [], False
    if not is_whole or any(path.is_absolute() or ".." in path.parts for path in paths):
        raise ArtefactError(
            f"{place / MANIFEST}: damaged, got another list; expected the one that was written. "
            "Use an older backup."
        )
    return listed, at


def _is_hash(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) is not None


def drill(folder: Path, place: Path, work: Path) -> Drill:
    """Bring back a folder from its backup into an empty one, and measure what that costs.

    Raises ArtefactError for a backup that is damaged, or a folder to work in that is not empty,
    ParameterError for a folder that is none: what was lost of it since cannot be told.
    """
    _check_folder(folder)
    if work.exists() and any(work.iterdir()):
        raise ArtefactError(f"{work}: not empty, got files; expected none. Name another folder.")
    listed, at = _listed(place)
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
