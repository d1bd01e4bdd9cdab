"""What a folder serves: the bundle of each pair, and how it stands in its registry."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from bqx.errors import ArtefactError
from bqx.learning import bundle
from bqx.learning.bundle import Bundle
from bqx.market.pairs import check
from bqx.serving import registry_folder, standing
from bqx.serving.registry import Registry, Version
from bqx.serving.registry_folder import Folder


@dataclass(frozen=True)
class Served:
    """A bundle, and its version where it comes from a registry."""

    bundle: Bundle
    version: Version | None = None

    @property
    def standing(self) -> dict[str, Any]:
        """What an answer says of the model behind it: version, status, and the horizons that
        the gate let pass."""
        if self.version is None:
            return {"version": None, "status": "unregistered", "approved_horizons": []}
        approved = self.version.status == "approved"
        return {
            "version": self.version.number,
            "status": self.version.status,
            "approved_horizons": self.version.facts.get("horizons", []) if approved else [],
        }

    @property
    def notice(self) -> str:
        """One line for whoever starts the server."""
        if self.version is None:
            return f"{self.bundle.pair}: unregistered, NOT approved"
        name = f"{self.version.pair}: version {self.version.number}"
        if self.version.status == "approved":
            return f"{name}, approved"
        # A rule that several horizons break is said once; the registry's log has every one.
        rules = dict.fromkeys(reason.rule for reason in self.version.reasons)
        why = "; ".join(rules) or "not judged yet"
        return f"{name} is {self.version.status}, NOT approved ({why})"


def bundles(folder: Path) -> dict[str, Served]:
    """Bundles of a folder by pair, as they were packed; a bundle's own folder gives that one.

    Raises ArtefactError when there is none, one cannot be loaded, or they are a registry's.
    """
    folders = sorted(path.parent for path in folder.glob(f"**/{bundle.MANIFEST}"))
    if not folders:
        raise ArtefactError(
            f"{folder}: no bundle, got no {bundle.MANIFEST}; expected at least one. Run notebook "
            "12_registry, or name its bundles folder."
        )
    for path in folders:
        if (path.parent / registry_folder.FACTS).exists():
            raise ArtefactError(
                f"{folder}: a folder above a registry, got {path.parent.parent.parent}; expected "
                "the registry itself, which says what is approved."
            )
    loaded = {path: bundle.load(path) for path in folders}
    return {
        pair_bundle.pair: Served(pair_bundle, standing.packed(pair_bundle, path))
        for path, pair_bundle in loaded.items()
    }


@dataclass
class Models:
    """What a folder of bundles or a registry serves, by pair.

    A registry serves the approved version of each pair, as its log says it at the moment; with
    ``unapproved`` the latest version where none is approved. Bundles that no registry knows are
    served with ``unapproved`` only. ``pair`` : this one alone, empty for all.

    A version that cannot be read keeps its pair from being served and no other; ``faults`` says
    why, by pair.

    Raises ArtefactError when there is nothing to serve.
    """

    folder: Path
    pair: str = ""
    unapproved: bool = False
    ready: dict[str, Served] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._store = Folder(self.folder)
        self._mark: tuple[int, ...] | None = None
        self._reading = Lock()
        if self._store.exists:
            self.current()
        else:
            self._load()
        if not self.ready:
            states = [f"{p} {self._store.versions(p)[-1].status}" for p in self._store.pairs()]
            raise ArtefactError(
                f"{self.folder}: nothing to serve, got "
                f"{'; '.join(self.faults.values()) or ', '.join(states) or 'no version'}; expected "
                f"{'a' if self.unapproved else 'an approved'} version"
                f"{f' of {self.pair}' if self.pair else ''}."
                f"{'' if self.unapproved else ' --unapproved serves what is not.'}"
            )

    def current(self) -> Mapping[str, Served]:
        """What is served now: read again where the registry has changed since.

        Raises
        ------
        ArtefactError : the registry's log is not what was written, or the registry is gone.
        """
        with self._reading:
            if self._mark is None or self._store.mark != self._mark:
                self._read()
            return self.ready

    def _load(self) -> None:
        loaded = bundles(self.folder)
        if not self.unapproved:
            raise ArtefactError(
                f"{self.folder}: not approved, got bundles that no registry knows; expected a "
                "registry such as runs/registry/files. --unapproved serves them all the same."
            )
        if self.pair and self.pair not in loaded:
            raise ArtefactError(
                f"{self.folder}: no bundle of {self.pair}, got {', '.join(loaded)}; expected one. "
                "Name another pair or folder."
            )
        # Nothing of a folder of bundles is read again.
        self._mark = self._store.mark
        self.ready = {self.pair: loaded[self.pair]} if self.pair else loaded

    def _read(self) -> None:
        before, started = self.ready, self._mark is not None
        # Taken first: what is added while the log is read is seen the next time.
        mark = self._store.mark
        if started and not self._store.exists:
            # Nobody has rejected what it held.
            raise ArtefactError(
                f"{self.folder}: the registry is gone, got no log and no versions; expected those "
                "that were served. Restore the folder."
            )
        ready: dict[str, Served] = {}
        faults: dict[str, str] = {}
        for pair in [check(self.pair)] if self.pair else self._store.pairs():
            version = self._version(pair)
            if version is None:
                continue
            served = before.get(pair)
            try:
                if served and served.version and served.version.number == version.number:
                    ready[pair] = Served(served.bundle, version)
                else:
                    ready[pair] = Served(self._store.read(version), version)
            except ArtefactError as error:
                faults[pair] = str(error)
                print(f"{pair}: not served. {error}", file=sys.stderr)
        # At once: a request beside finds either all of before or all of now.
        self.ready, self.faults, self._mark = ready, faults, mark
        if started:
            self._tell(before)

    def _version(self, pair: str) -> Version | None:
        approved = Registry(self._store, "server").latest_approved(pair)
        if approved is None and self.unapproved:
            return next(reversed(self._store.versions(pair)), None)
        return approved

    def _tell(self, before: Mapping[str, Served]) -> None:
        for pair in sorted({*before, *self.ready}):
            was, now = before.get(pair), self.ready.get(pair)
            if now is None:
                print(f"{pair}: no more served", file=sys.stderr)
            elif was is None or was.standing != now.standing:
                print(f"{now.notice}, from now on", file=sys.stderr)


def opened(folder: Path) -> Models:
    """What a folder serves: of a registry what is approved, of mere bundles all.

    Raises ArtefactError when there is nothing to serve.
    """
    return Models(folder, unapproved=not Folder(folder).exists)
