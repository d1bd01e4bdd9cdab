"""How a bundle of an archive stands in the registry that it came from.

A server of a registry reads its log; one of archives knows a bundle by its content alone. Where the
environment names the registry, what it says at the moment counts; else what it said when the
archive was packed, which lies beside the bundle.
"""

import os
from pathlib import Path
from threading import Lock

from bqx.errors import ArtefactError
from bqx.files import check_seal, read_json, sealed, write_json
from bqx.learning.bundle import Bundle
from bqx.serving.registry import Version
from bqx.serving.registry_folder import Folder

REGISTRY = "BQX_REGISTRY"
"""Environment variable: folder of the registry."""
FILE = "standing.json"
_KEYS = ("pair", "number", "status", "content")


def pack(version: Version, folder: Path) -> None:
    """Write how a version stands beside a copy of its bundle."""
    facts = {"horizons": version.facts.get("horizons", [])}
    standing = {name: getattr(version, name) for name in _KEYS}
    write_json(folder / FILE, sealed({**standing, "facts": facts}))


def packed(bundle: Bundle, folder: Path) -> Version | None:
    """What lies beside a bundle; None where nothing does.

    Raises ArtefactError where it is damaged, or of another bundle.
    """
    path = folder / FILE
    if not path.exists():
        return None
    stored = read_json(path)
    try:
        check_seal(stored)
        version = Version(**{name: stored[name] for name in (*_KEYS, "facts")}, bundle=str(folder))
    except (LookupError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"{path}: damaged, got {type(error).__name__} {error}; expected how the bundle stood "
            "when it was packed. Pack it again."
        ) from None
    if version.content != bundle.content:
        raise ArtefactError(
            f"{path}: of another bundle, got {version.content[:12]}; expected "
            f"{bundle.content[:12]}. Pack it again."
        )
    return version


class Standings:
    """What the registry of the environment says of bundles at the moment.

    Raises ArtefactError where there is none in the folder that is named.
    """

    def __init__(self) -> None:
        address = os.environ.get(REGISTRY, "")
        self._store = Folder(Path(address)) if address else None
        self._mark: tuple[int, ...] = ()
        self._known: dict[str, dict[str, Version]] = {}
        self._reading = Lock()
        if self._store is not None and not self._store.exists:
            raise ArtefactError(
                f"{REGISTRY}: no registry, got {address}; expected a folder such as "
                "runs/registry/files."
            )

    def of(self, bundle: Bundle, before: Version | None) -> Version | None:
        """Version of a bundle; without a registry the one that was packed with it.

        Raises ArtefactError where the registry's log is not what was written.
        """
        if self._store is None:
            return before
        with self._reading:
            mark = self._store.mark
            if mark != self._mark:
                self._known, self._mark = {}, mark
            if bundle.pair not in self._known:
                versions = self._store.versions(bundle.pair)
                self._known[bundle.pair] = {v.content: v for v in versions if v.content}
            return self._known[bundle.pair].get(bundle.content)
