"""The manifest of a store: what each of its files was made from, their hashes and its own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store.month_file import listed, path_of
from bqx.feature_store.object_store import Folder
from bqx.features.spec import Feature
from bqx.files import check_seal, digest, sealed

MANIFEST = "manifest.json"
_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class Part:
    """A month of a table of a pair.

    ``start`` : its first row, counted from the first of the store.
    ``sha256`` : of its file; ``tail``, ``tail_sha256`` : see `checked_parquet.tail`.
    ``key`` : of what it was made from; ``columns`` : hash of its columns' identities.
    """

    table: str
    pair: str
    month: str
    start: int
    rows: int
    sha256: str
    tail: int
    tail_sha256: str
    key: str
    columns: str

    @property
    def path(self) -> str:
        """Of its file, in the store."""
        return path_of(self.table, self.pair, self.month)

    @property
    def stop(self) -> int:
        """The row that follows its last one."""
        return self.start + self.rows

    def meets(self, rows: NDArray[np.int64], lag: int) -> bool:
        """Whether a column of this lag reads the month at some of the ascending rows."""
        start, stop = np.searchsorted(rows, (self.start + lag, self.stop + lag))
        return bool(start < stop)


def read(folder: Folder) -> dict[str, Any]:
    """Manifest of a store, empty where there is none yet.

    Raises ArtefactError when it is not what was written, or names files outside the store.
    """
    if not folder.has(MANIFEST):
        return {"builds": {}, "files": {}}
    stored: dict[str, Any] = folder.read_json(MANIFEST)
    try:
        check_seal(stored)
        _check_paths(stored["files"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ArtefactError(
            f"{folder.place}/{MANIFEST}: not a manifest, got {error}; expected that of `bqx "
            "build`. Remove it and run that again."
        ) from None
    return stored


def _check_paths(files: Mapping[str, Any]) -> None:
    """Raise ValueError for a file that may lie outside the store: a build removes files too."""
    for path, entry in files.items():
        names = entry["table"], entry["pair"], entry["month"]
        if path != path_of(*names) or not all(map(_NAME.fullmatch, names)):
            raise ValueError(f"a file {path!r:.80}")


def content(
    builds: Mapping[str, Any], files: Mapping[str, Any], features: Sequence[Feature]
) -> dict[str, Any]:
    """Manifest to write: builds and files, hash of the catalog beside it, and its own hash."""
    catalog = digest(listed(features))
    return sealed({"builds": builds, "files": files, "catalog": catalog})
