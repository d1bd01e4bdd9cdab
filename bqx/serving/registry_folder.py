"""Versions in a folder of this machine, and the log of what became of them."""

import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.evaluation.reasons import Reason
from bqx.files import (
    copy_folder,
    read_json,
    read_regular,
    remove_leftovers,
    sha256,
    write_json,
)
from bqx.learning import bundle
from bqx.learning.bundle import Bundle
from bqx.runs.chained_log import ChainedLog
from bqx.serving.registry import Status, Version

LOG = "audit.jsonl"
FACTS = "version.json"
FOLDER = "registry"


def _line(
    pair: str, number: int, status: Status, reasons: Sequence[Reason], by: str
) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": by,
        "pair": pair,
        "version": number,
        "status": status,
        "reasons": [asdict(reason) for reason in reasons],
    }


def _followed(version: Version) -> list[dict[str, Any]]:
    return [asdict(Reason.of(f"followed by version {version.number}"))]


class Folder:
    """Versions in a folder of this machine: ``{pair}/{number}/`` and the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._audit = ChainedLog(folder / LOG)
        self._thread = threading.RLock()
        self._locks = 0

    @property
    def exists(self) -> bool:
        """Whether it is a registry, though its log may have been removed."""
        return self._audit.exists or self._has_folders

    @property
    def _has_folders(self) -> bool:
        return any(self.folder.glob(f"*/[0-9]*/{FACTS}"))

    @property
    def mark(self) -> tuple[int, ...]:
        """What differs once anything was added to the log, or done to it."""
        try:
            stat = (self.folder / LOG).stat()
        except OSError:
            return ()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def add(self, pair: str, source: str, facts: Mapping[str, Any], by: str) -> Version:
        """Copy a bundle that can be read, with its facts.

        Raises
        ------
        ArtefactError : it is no bundle of this pair and catalog, it is damaged, or the registry
            cannot be written.
        """
        loaded = bundle.load(Path(source))
        if loaded.pair != pair:
            raise ArtefactError(
                f"{source}: a bundle of another pair, got {loaded.pair}; expected {pair}."
            )
        content = sha256(Path(source) / bundle.MANIFEST)
        with self.locked():
            versions = self.versions(pair)
            for version in versions:
                if version.content == content:
                    return version
            number = len(versions) + 1
            if not self._audit.exists:
                self._audit.add()
            target = self._copied(pair, number, source, facts)
            hashes = {"bundle": content, "facts": sha256(target / FACTS)}
            self._audit.add(_line(pair, number, "pending", (), by) | hashes)
            place = str(target / "bundle")
        return Version(pair, number, "pending", place, dict(facts), content=content)

    def _copied(self, pair: str, number: int, source: str, facts: Mapping[str, Any]) -> Path:
        """Folder of a new version, whole or not there at all."""
        target = self.folder / pair / f"{number:04d}"
        temporary = target.with_name(f".{target.name}.tmp")
        try:
            copy_folder(Path(source), temporary / "bundle")
            write_json(temporary / FACTS, dict(facts))
            # A folder without a line in the log is what a killed attempt left.
            shutil.rmtree(target, ignore_errors=True)
            os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return target

    def move(
        self,
        version: Version,
        status: Status,
        reasons: Sequence[Reason],
        *,
        by: str,
        followed: Sequence[Version] = (),
    ) -> Version:
        """Add one line to the log, for all that changes.

        Raises
        ------
        ArtefactError : it cannot be written; nothing was changed.
        """
        line = _line(version.pair, version.number, status, reasons, by)
        line["also"] = [
            {"version": old.number, "status": "archived", "reasons": _followed(version)}
            for old in followed
        ]
        with self.locked():
            self.log()
            self._audit.add(line)
        return replace(version, status=status, reasons=tuple(reasons))

    def pairs(self) -> tuple[str, ...]:
        """Pairs that have versions, in the order of their first ones."""
        return tuple(dict.fromkeys(line["pair"] for line in self.log()))

    def versions(self, pair: str) -> list[Version]:
        """All versions of a pair, oldest first."""
        versions: dict[int, Version] = {}
        for line in self.log():
            for change in (line, *line.get("also", ())) if line["pair"] == pair else ():
                number, status = int(change["version"]), change["status"]
                if number not in versions:
                    versions[number] = self._registered(line)
                before = versions[number]
                versions[number] = replace(
                    before,
                    status=status,
                    reasons=tuple(map(Reason.of, change["reasons"])),
                    passed=before.passed or status == "approved",
                )
        return [versions[number] for number in sorted(versions)]

    def _registered(self, line: Mapping[str, Any]) -> Version:
        """Version of its first line; without facts and hash where its facts are others today."""
        folder = self.folder / line["pair"] / f"{line['version']:04d}"
        facts, content = {}, ""
        with suppress(OSError, ValueError):
            written = read_regular(folder / FACTS)
            if hashlib.sha256(written).hexdigest() == line.get("facts"):
                facts, content = json.loads(written), line["bundle"]
        return Version(
            line["pair"],
            line["version"],
            line["status"],
            str(folder / "bundle"),
            facts,
            content=content,
        )

    def log(self) -> list[dict[str, Any]]:
        """All lines of the log, oldest first: time, by, pair, version, status, reasons, also.

        Raises
        ------
        ArtefactError : a line was changed, added or taken out since it was written.
        """
        # In this order: the first version's folder appears after the log was begun.
        if self._has_folders and not self._audit.exists:
            raise ArtefactError(
                f"{self.folder / LOG}: was removed, got versions without a log; expected the log "
                "that says what became of them. Restore the file and its end."
            )
        return self._audit.intact()

    def read(self, version: Version) -> Bundle:
        """The bundle of a version.

        Raises
        ------
        ArtefactError : it is not what was registered, or cannot be used.
        """
        path = Path(version.bundle) / bundle.MANIFEST
        if not path.is_file() or sha256(path) != version.content:
            raise ArtefactError(
                f"{path}: exchanged or damaged, got another hash; expected the bundle and facts "
                f"that were registered as {version.pair} version {version.number}."
            )
        loaded = bundle.load(path.parent)
        if loaded.pair != version.pair:
            raise ArtefactError(
                f"{path}: a bundle of another pair, got {loaded.pair}; expected {version.pair}."
            )
        return loaded

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from changing the registry; may be entered again while it is held.

        Raises
        ------
        ArtefactError : the registry cannot be written.
        """
        with self._thread:
            if self._locks:
                yield
                return
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with (self.folder / ".lock").open("a") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    self._locks += 1
                    try:
                        for pattern in (".*.tmp", "*/.*.tmp"):
                            remove_leftovers(self.folder, pattern)
                        yield
                    finally:
                        self._locks -= 1
            except OSError as error:
                raise ArtefactError(
                    f"{self.folder}: cannot be written, got {error.strerror or error}; expected "
                    "room and the right to. Nothing was changed."
                ) from None


def beside(run: Path, market: str) -> Folder:
    """The registry that a run folder shares with the others in its parent.

    ``market`` : where the bars come from; versions of a synthetic market are never taken for
    those of another, nor for those of real bars.
    """
    return Folder(run.resolve().parent / FOLDER / market)


def facts_of(folder: Path) -> dict[str, Any]:
    """What ties a bundle to its catalog and bytes, for the facts of its version."""
    manifest = read_json(folder / bundle.MANIFEST)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    content = hashlib.sha256("".join(sha256(p) for p in files).encode()).hexdigest()
    return {
        "columns_hash": manifest["columns_hash"],
        "trained_until": manifest["trained_until"],
        "features": len(manifest["columns"]),
        "bundle_hash": content,
    }
