"""The models of a capture: facts, and the files of a baseline, which are known by their hashes."""

import hashlib
from functools import lru_cache
from typing import Any

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.learning.baseline_files import FOLDER
from bqx.monitoring.capture import FACTS, MODELS

_NAMES = {"pair", "baseline", "max_fill", "windows", "columns_hash", "trained_until", "files"}
_MEND = "Remove the model's folder: the server writes it anew when it starts."


@lru_cache(maxsize=64)
def facts(place: str, name: str) -> dict[str, Any]:
    """Facts of a model, see `capture.write_model`.

    Raises ArtefactError where they are not there, or not what a server wrote.
    """
    path = f"{MODELS}/{name}/{FACTS}"
    content = Folder(place).read_json(path)
    absent = _NAMES - set(content) if isinstance(content, dict) else _NAMES
    if absent:
        raise ArtefactError(
            f"{place}/{path}: no facts of a model, got none of {', '.join(sorted(absent))}; "
            f"expected what a server writes. {_MEND}"
        )
    model_facts: dict[str, Any] = content
    return model_facts


def baseline_file(place: str, name: str, part: str) -> bytes:
    """Content of one of `baseline_files.FILES` of a model.

    Raises ArtefactError where it is not what its facts say.
    """
    path = f"{MODELS}/{name}/{FOLDER}/{part}.parquet"
    content = Folder(place).read(path)
    if hashlib.sha256(content).hexdigest() != facts(place, name)["files"].get(part):
        raise ArtefactError(
            f"{place}/{path}: damaged or exchanged, got other bytes; expected those of its "
            f"{FACTS}. {_MEND}"
        )
    return content
