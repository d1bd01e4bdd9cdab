"""A stage of a run at work: what it writes, and the journal from which the next attempt goes on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from bqx.errors import ArtefactError
from bqx.files import read_json, sha256, write_json, write_parquet

if TYPE_CHECKING:
    from bqx.runs.run import Run


class Stage:
    """A stage at work: where it writes its artefacts and says which are finished."""

    def __init__(self, run: "Run", name: str, key: str, inputs: Mapping[str, str]) -> None:
        self.run = run
        self.key = key
        self.inputs = inputs
        self.outputs: dict[str, str] = {}
        self.facts: dict[str, str] = {}
        self._waiting: list[str] | None = None
        self._journal = run.folder / ".stages" / f"{name}.json"
        before = read_json(self._journal) if self._journal.exists() else {}
        self._kept: dict[str, str] = before.get("outputs", {}) if before.get("key") == key else {}
        self._old = {*before.get("old", ()), *before.get("outputs", {})}
        self._old |= set(run.stages.get(name, {}).get("outputs", {}))
        for path in map(Path, self._old):
            # Those that are not made again are taken away.
            if path.is_absolute() or ".." in path.parts:
                raise ArtefactError(
                    f"{run.folder}: a file outside, got {str(path)!r:.80} of {name}; expected "
                    "files of this run alone. Run into another folder."
                )
        self._log()

    def path(self, relative: str) -> Path:
        """Where to write an artefact; its folder exists."""
        path = self.run.folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, *relatives: str) -> None:
        """Record finished artefacts: files, or folders with all their files."""
        if self._waiting is not None:
            self._waiting += relatives
            return
        for relative in relatives:
            for path in files_of(self.run.folder / relative):
                self.outputs[path.relative_to(self.run.folder).as_posix()] = sha256(path)
        self._log()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Record the artefacts of a block together, when it has succeeded."""
        waiting: list[str] = []
        self._waiting = waiting
        try:
            yield
        finally:
            self._waiting = None
        self.add(*waiting)

    def write_json(self, relative: str, value: Any) -> None:
        """Write and record a JSON artefact."""
        write_json(self.path(relative), value)
        self.add(relative)

    def write_parquet(self, relative: str, frame: pd.DataFrame | pa.Table) -> None:
        """Write and record a Parquet artefact."""
        write_parquet(self.path(relative), frame)
        self.add(relative)

    def done(self, relative: str) -> bool:
        """Whether an interrupted attempt with the same inputs finished this; if so, record it.

        A folder counts when all its files that were recorded are intact.
        """
        kept = under(self._kept, relative)
        whole = bool(kept) and all(intact(self.run.folder / path, h) for path, h in kept.items())
        if whole:
            self.outputs |= kept
            self._log()
        return whole

    def need(self, relative: str) -> Path:
        """Path of an artefact that this stage has made, or of one that the run has."""
        if under(self.outputs, relative) or under(self.inputs, relative):
            return self.run.folder / relative
        return self.run.need(relative)

    def note(self, *, catalog_hash: str = "", data_hash: str = "") -> None:
        """Record which catalog or which bars the artefacts belong to."""
        facts = {"catalog_hash": catalog_hash, "data_hash": data_hash}
        self.facts |= {name: value for name, value in facts.items() if value}

    def _log(self) -> None:
        # Files of the earlier attempt stay listed until they are known to be kept or superseded.
        outputs = self._kept | self.outputs
        write_json(self._journal, {"key": self.key, "outputs": outputs, "old": sorted(self._old)})

    def finish(self) -> None:
        """Take away what an earlier attempt made and this one did not."""
        for relative in (self._old | set(self._kept)) - set(self.outputs):
            (self.run.folder / relative).unlink(missing_ok=True)

    def close(self) -> None:
        """Take away the journal of a stage that stands in the manifest."""
        self._journal.unlink()


def files_of(path: Path) -> list[Path]:
    """A file, or all files in a folder, hidden ones left out."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    return [path]


def under(hashes: Mapping[str, str], relative: str) -> dict[str, str]:
    """Hashes of a file, or of the files in a folder."""
    folder = relative.rstrip("/") + "/"
    return {p: h for p, h in hashes.items() if p == relative or p.startswith(folder)}


def intact(path: Path, expected: str) -> bool:
    """Whether a file is there and has the hash that was recorded."""
    return path.is_file() and sha256(path) == expected
