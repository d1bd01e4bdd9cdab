"""Versions of each pair's bundle and what became of them: pending, approved, rejected, archived.

What happened is a log to which lines are only added; each holds the hash of the one before, so a
line that was changed or taken out is found. The state of a version is what the log says last.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from bqx.errors import ArtefactError, ParameterError
from bqx.evaluation.reasons import Reason
from bqx.files import read_json, sha256, write_json
from bqx.learning import bundle
from bqx.learning.bundle import Bundle
from bqx.market.pairs import check
from bqx.serving.audit_log import AuditLog

Status = Literal["pending", "approved", "rejected", "archived"]

NEXT: dict[str, tuple[Status, ...]] = {
    "pending": ("approved", "rejected", "archived"),
    "approved": ("archived", "rejected"),
    "rejected": ("archived",),
    "archived": ("approved",),
}
"""What a version may become; an archived one only where it was approved before, to go back to it.
"""

MOST_MS = 20.0
"""Longest time of one forecast that a version may take, milliseconds (99th percentile)."""
LOG = "audit.jsonl"
FACTS = "version.json"
FOLDER = "registry"


@dataclass(frozen=True)
class Version:
    """One version of a pair's bundle.

    ``number`` : from 1; ``bundle`` : folder or address of the bundle; ``facts`` : scores and
    hashes that it was registered with; ``reasons`` : of its present status; ``passed`` : whether
    it is known to have been approved at some time; ``content`` : hash of the bundle's manifest as
    it was registered, empty where the store does not know it.
    """

    pair: str
    number: int
    status: Status
    bundle: str
    facts: dict[str, Any]
    reasons: tuple[Reason, ...] = ()
    passed: bool = False
    content: str = ""


class Store(Protocol):
    """Where versions are kept: a folder, or SageMaker's model packages."""

    def add(self, pair: str, source: str, facts: Mapping[str, Any], by: str) -> Version:
        """Keep a new version, pending; the same bundle again is the version that it was."""

    def move(
        self,
        version: Version,
        status: Status,
        reasons: Sequence[Reason],
        *,
        by: str,
        followed: Sequence[Version] = (),
    ) -> Version:
        """Give a version another status, and archive those that it follows."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep others from changing what is read and then moved, as far as the store can."""

    def versions(self, pair: str) -> list[Version]:
        """All versions of a pair, oldest first."""


def gate(
    reasons: Sequence[Reason], needed: Sequence[str], present: Sequence[str], latency_ms: float
) -> tuple[Reason, ...]:
    """Reasons against a promotion; none where there are none.

    Parameters
    ----------
    reasons : what the evaluation has against it: interval of skill, deflated Sharpe ratio and
        probability of backtest overfitting.
    needed, present : features that the version reads, and those that the live source has.
    latency_ms : 99th percentile of the time of one forecast.
    """
    missing = sorted(set(needed) - set(present))
    first = f"the first {missing[0]}" if missing else ""
    checks = (
        Reason.check("missing features", len(missing), "<=", bound=0, note=first),
        Reason.check("latency (ms)", latency_ms, "<=", bound=MOST_MS),
    )
    return (*reasons, *(check for check in checks if not check.passed))


class Registry:
    """What may be asked of the versions in a store.

    ``store`` : where they are kept; ``by`` : who asks, for the log.
    """

    def __init__(self, store: Store, by: str) -> None:
        self.store = store
        self.by = by

    def register(self, pair: str, source: str, facts: Mapping[str, Any]) -> Version:
        """Register a bundle of a pair (a folder, or an address that the store reads), pending."""
        return self.store.add(check(pair), source, facts, self.by)

    def judge(self, version: Version, reasons: Sequence[Reason]) -> Version:
        """Approve where no reason stands against it, else reject; see `gate`."""
        return self.reject(version, reasons) if reasons else self.approve(version)

    def approve(self, version: Version, reasons: Sequence[Reason | str] = ()) -> Version:
        """Approve a version, for reasons where a person does; the one before is archived."""
        return self._move(version, "approved", reasons)

    def reject(self, version: Version, reasons: Sequence[Reason | str]) -> Version:
        """Reject a version for reasons."""
        if not any(str(reason).strip() for reason in reasons):
            raise ParameterError(
                f"{version.pair} version {version.number}: rejected without a reason, got none; "
                "expected at least one."
            )
        return self._move(version, "rejected", reasons)

    def archive(self, version: Version, reason: str) -> Version:
        """Archive a version."""
        return self._move(version, "archived", (reason,))

    def latest_approved(self, pair: str) -> Version | None:
        """The approved version with the highest number; None where there is none."""
        approved = [v for v in self.store.versions(check(pair)) if v.status == "approved"]
        return approved[-1] if approved else None

    def _move(self, version: Version, status: Status, reasons: Sequence[Reason | str]) -> Version:
        with self.store.locked():
            versions = {v.number: v for v in self.store.versions(version.pair)}
            now = versions.get(version.number)
            back = now is not None and now.status == "archived" and not now.passed
            if now is None or back or status not in NEXT[now.status]:
                raise ParameterError(
                    f"{version.pair} version {version.number}: cannot become {status}, got "
                    f"{now.status if now else 'no such version'}; expected one of "
                    f"{', '.join(s for s, after in NEXT.items() if status in after)}. "
                    "`bqx registry list` shows them."
                )
            approved = [v for v in versions.values() if v.status == "approved"]
            followed = approved if status == "approved" else []
            why = tuple(map(Reason.of, reasons))
            return self.store.move(now, status, why, by=self.by, followed=followed)


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
        "bundle": "",
    }


def _followed(version: Version) -> list[dict[str, Any]]:
    return [asdict(Reason.of(f"followed by version {version.number}"))]


class Folder:
    """Versions in a folder of this machine: ``{pair}/{number}/`` and the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._audit = AuditLog(folder / LOG)
        self._held = False

    @property
    def exists(self) -> bool:
        """Whether it is a registry, though its log may have been removed."""
        return self._audit.exists or any(self.folder.glob(f"*/[0-9]*/{FACTS}"))

    def add(self, pair: str, source: str, facts: Mapping[str, Any], by: str) -> Version:
        """Copy a bundle that can be read, with its facts.

        Raises
        ------
        ArtefactError : it is no bundle of this pair and catalog, or it is damaged.
        """
        loaded = bundle.load(Path(source))
        if loaded.pair != pair:
            raise ArtefactError(
                f"{source}: a bundle of another pair, got {loaded.pair}; expected {pair}."
            )
        content = sha256(Path(source) / bundle.MANIFEST)
        with self.locked():
            known = self.versions(pair)
            for version in known:
                if sha256(Path(version.bundle) / bundle.MANIFEST) == content:
                    return version
            number = len(known) + 1
            target = self.folder / pair / f"{number:04d}"
            temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.copytree(source, temporary / "bundle")
            write_json(temporary / FACTS, dict(facts))
            # A folder without a line in the log is what a killed attempt left.
            shutil.rmtree(target, ignore_errors=True)
            os.replace(temporary, target)
            self._audit.add(_line(pair, number, "pending", (), by) | {"bundle": content})
            place = str(target / "bundle")
        return Version(pair, number, "pending", place, dict(facts), content=content)

    def move(
        self,
        version: Version,
        status: Status,
        reasons: Sequence[Reason],
        *,
        by: str,
        followed: Sequence[Version] = (),
    ) -> Version:
        """Add one line to the log, for all that changes."""
        line = _line(version.pair, version.number, status, reasons, by)
        line["also"] = [
            {"version": old.number, "status": "archived", "reasons": _followed(version)}
            for old in followed
        ]
        with self.locked():
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
                    folder = self.folder / pair / f"{number:04d}"
                    facts = read_json(folder / FACTS) if (folder / FACTS).exists() else {}
                    versions[number] = Version(
                        pair, number, status, str(folder / "bundle"), facts, content=line["bundle"]
                    )
                before = versions[number]
                versions[number] = replace(
                    before,
                    status=status,
                    reasons=tuple(map(Reason.of, change["reasons"])),
                    passed=before.passed or status == "approved",
                )
        return [versions[number] for number in sorted(versions)]

    def log(self) -> list[dict[str, Any]]:
        """All lines of the log, oldest first: time, by, pair, version, status, reasons, also.

        Raises
        ------
        ArtefactError : a line was changed, added or taken out since it was written.
        """
        return self._audit.lines()

    def read(self, version: Version) -> Bundle:
        """The bundle of a version.

        Raises
        ------
        ArtefactError : it is not what was registered, or cannot be used.
        """
        path = Path(version.bundle) / bundle.MANIFEST
        if not path.is_file() or sha256(path) != version.content:
            raise ArtefactError(
                f"{path}: exchanged or damaged, got another hash; expected the bundle that was "
                f"registered as {version.pair} version {version.number}."
            )
        return bundle.load(path.parent)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from changing the registry; may be entered again while it is held."""
        if self._held:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._held = True
            try:
                yield
            finally:
                self._held = False


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
