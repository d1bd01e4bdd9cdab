"""What is checked of a bundle before anything of it is used; each raises ArtefactError."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.features import catalog
from bqx.files import sha256


def columns(path: Path, stored: Mapping[str, Any]) -> None:
    """Refuse columns whose values are decided by other code than when the model was trained."""
    identities = dict(stored["identities"])
    unlike = catalog.changed(identities)
    unlike += [c["feature"] for c in stored["columns"] if c["feature"] not in identities]
    if absent := sorted(set(identities) - set(catalog.FEATURES)):
        raise ArtefactError(
            f"{path}: a feature that the catalog lacks, got {absent[0]}; expected its file among "
            f"those that {catalog.OWN} names. Name it there."
        )
    if unlike:
        raise ArtefactError(
            f"{path}: made by other code, got another identity of {', '.join(unlike)}; expected "
            "that of the catalog at hand. Run notebook 12_registry again."
        )


def file(path: Path, expected: object) -> None:
    """Refuse a file that is absent, or another than was written."""
    actual = sha256(path) if path.is_file() else "no file"
    if actual != expected:
        raise ArtefactError(
            f"{path}: damaged or exchanged, got {actual[:12]}; expected {str(expected)[:12]}. Run "
            "notebook 12_registry again."
        )
