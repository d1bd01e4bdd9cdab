"""Artefacts of a run folder: atomic writes, content hashes, and the manifest.

A file appears under its name only when it is complete, and counts only when the manifest holds its
hash. A stage (one notebook's work, named after it) enters the manifest when it has succeeded; one
that is killed leaves no entry and runs again. Until then a journal lists the files that it has
finished, so that the next attempt with the same inputs can keep them.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.files import (
    atomic,
    check_seal,
    digest,
    peak_mb,
    read_json,
    read_parquet,
    sealed,
    sha256,
    write_json,
    write_parquet,
)
from bqx.identity.imported import module_hash
from bqx.params import PLACE_KEYS, Params
from bqx.runs.artefacts import MAKERS
from bqx.runs.stage import Stage, files_of, intact, under

__all__ = [
    "Run",
    "Stage",
    "atomic",
    "digest",
    "read_json",
    "read_parquet",
    "sha256",
    "write_json",
    "write_parquet",
]

MANIFEST = "manifest.json"


class Run:
    """A run folder and its manifest.

    ``folder`` : the run folder.
    ``params`` : the parameters at hand; a stage records those that it names.
    """

    def __init__(self, folder: Path, params: Params) -> None:
        self.folder = folder
        self.params = params

    @classmethod
    def open(cls, folder: Path, params: Params) -> "Run":
        """Open a run folder, making it when it is absent."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder.resolve(), params)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as it stands in the folder."""
        path = self.folder / MANIFEST
        if not path.exists():
            return {"stages": {}, "notebooks": {}}
        manifest: dict[str, Any] = read_json(path)
        try:
            check_seal(manifest)
        except ValueError as error:
            raise ArtefactError(
                f"{path}: not a manifest, got {error}; expected what bqx run writes. Remove it "
                "and run again."
            ) from None
        return manifest

    @property
    def stages(self) -> dict[str, Any]:
        """Manifest entries of the finished stages."""
        stages: dict[str, Any] = self.manifest["stages"]
        return stages

    @property
    def outputs(self) -> dict[str, str]:
        """Hash of every recorded artefact, by path relative to the folder."""
        return {path: h for stage in self.stages.values() for path, h in stage["outputs"].items()}

    def update(self, **sections: Any) -> None:
        """Replace top-level sections of the manifest."""
        write_json(self.folder / MANIFEST, sealed(self.manifest | sections))

    def _key(self, name: str, keys: Sequence[str], inputs: Mapping[str, str]) -> str:
        # Files from elsewhere count by name and content, so that a folder may move.
        hashes = [(Path(p).name if Path(p).is_absolute() else p, h) for p, h in inputs.items()]
        return digest([name, self._values(keys), sorted(hashes), code_of(name)])

    @contextmanager
    def stage(
        self, name: str, keys: Sequence[str], inputs: Sequence[str | Path] = ()
    ) -> Iterator[Stage]:
        """Run a stage; its artefacts count when the block has succeeded.

        Parameters
        ----------
        name : the notebook's stem.
        keys : parameters that the artefacts depend on.
        inputs : artefacts of earlier stages (files or folders, relative), and files or folders
            from elsewhere (absolute).

        Raises
        ------
        ArtefactError : an input is missing, damaged or stale.
        """
        hashes = self._hashes(inputs)
        stage = Stage(self, name, self._key(name, keys, hashes), hashes)
        self.update(stages={stem: entry for stem, entry in self.stages.items() if stem != name})
        start = time.perf_counter()
        yield stage
        entry = {
            "key": stage.key,
            "params": self._values(keys),
            "inputs": hashes,
            "outputs": stage.outputs,
            "code": code_of(name),
            "seconds": round(time.perf_counter() - start, 2),
            "peak_mb": peak_mb(),
            **stage.facts,
        }
        stage.finish()
        self.update(stages=self.stages | {name: entry}, **stage.facts)
        stage.close()

    def record(self, stem: str, key: str, executed: str, seconds: float) -> None:
        """Record that a notebook has succeeded, with its executed copy and its artefacts."""
        outputs = self.stages.get(stem, {"outputs": {}})["outputs"]
        entry = {
            "key": key,
            "executed": {executed: sha256(self.folder / executed)},
            "outputs": outputs,
            "seconds": round(seconds, 2),
        }
        self.update(notebooks=self.manifest["notebooks"] | {stem: entry})

    def complete(self, stem: str, key: str) -> bool:
        """Whether a notebook has succeeded with this key and all that it made is intact."""
        entry = self.manifest["notebooks"].get(stem)
        return (
            entry is not None
            and entry["key"] == key
            and entry["outputs"].items() <= self.outputs.items()
            and all(
                intact(self.folder / path, expected)
                for path, expected in (entry["outputs"] | entry["executed"]).items()
            )
        )

    def need(self, relative: str, catalog_hash: str = "") -> Path:
        """Path of an artefact (a file, or a folder with its files) after checking it.

        Raises
        ------
        ArtefactError : absent, damaged, made from inputs that have changed since, or made with
            another catalog; the message names the notebook to run.
        """
        self._hashes([relative])
        for name, entry in self.stages.items():
            stage_hash = entry.get("catalog_hash", "")
            if catalog_hash and stage_hash != catalog_hash and under(entry["outputs"], relative):
                raise self._broken(
                    relative,
                    f"made with another catalog, got {stage_hash[:12] or 'none'}",
                    f"catalog {catalog_hash[:12]}",
                    name,
                )
        return self.folder / relative

    def _values(self, keys: Sequence[str]) -> dict[str, Any]:
        return {key: getattr(self.params, key) for key in keys if key not in PLACE_KEYS}

    def _hashes(self, inputs: Sequence[str | Path]) -> dict[str, str]:
        hashes: dict[str, str] = {}
        stages, fresh = self.stages, set[str]()
        recorded = {path: h for entry in stages.values() for path, h in entry["outputs"].items()}
        for item in inputs:
            if Path(item).is_absolute():
                hashes |= {str(path): sha256(path) for path in files_of(Path(item))}
                continue
            files = under(recorded, str(item))
            if not files:
                raise self._broken(str(item), "absent, got nothing recorded", "a finished artefact")
            for name, entry in stages.items():
                if under(entry["outputs"], str(item)):
                    self._check_fresh(str(item), name, stages, recorded, fresh)
            for path, expected in files.items():
                if not intact(self.folder / path, expected):
                    state = "damaged" if (self.folder / path).exists() else "absent"
                    raise self._broken(
                        path, f"{state}, got another hash", f"SHA-256 {expected[:12]}"
                    )
            hashes |= files
        return hashes

    def _check_fresh(
        self,
        relative: str,
        name: str,
        stages: Mapping[str, Any],
        recorded: Mapping[str, str],
        fresh: set[str],
    ) -> None:
        """Check the inputs of a stage and of all before it, but of those known to be ``fresh``."""
        if name in fresh:
            return
        inputs = stages[name]["inputs"]
        for path, used in inputs.items():
            if not Path(path).is_absolute() and recorded.get(path) != used:
                raise self._broken(
                    relative,
                    f"stale, got one made from an earlier {path}",
                    "its present inputs",
                    name,
                )
        fresh.add(name)
        for earlier, entry in stages.items():
            if entry["outputs"].keys() & inputs.keys():
                self._check_fresh(relative, earlier, stages, recorded, fresh)

    def _broken(self, relative: str, what: str, rule: str, maker: str = "") -> ArtefactError:
        maker = maker or MAKERS.get(Path(relative).parts[0], "the notebook that writes it")
        return ArtefactError(
            f"{self.folder.name}/{relative}: {what}; expected {rule}. Run {maker} again."
        )


def code_of(stage: str) -> str:
    """Hash of the code that a stage's work can depend on, empty for a stage without a module."""
    module = f"bqx.stages.{stage.partition('_')[2]}"
    return module_hash(module) if find_spec(module) else ""
