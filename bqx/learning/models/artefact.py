"""Models as folders: what each holds is hashed, and checked before a parser sees a byte of it.

A folder has ``model.json`` (model, settings, type of the columns, hashes) beside the files that the
model names. The bytes that were hashed are the bytes that are parsed.
"""

import hashlib
import io
import os
import pickletools
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.files import check_seal, read_json, read_regular, sealed, write_json

MANIFEST = "model.json"
DTYPE = "float32"
"""Type of the columns that every model reads."""

Parts = dict[str, bytes]


def save(folder: Path, about: Mapping[str, Any], parts: Parts) -> None:
    """Write a model's folder; it appears, or is replaced, when everything is there.

    Parameters
    ----------
    about : model, code and settings, see `Model.save`.
    parts : contents by file name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        for name, content in parts.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        write_json(
            temporary / MANIFEST,
            sealed(
                {
                    **about,
                    "dtype": DTYPE,
                    "files": {name: _hash(content) for name, content in parts.items()},
                }
            ),
        )
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read(folder: Path) -> tuple[dict[str, Any], Parts]:
    """What a model's folder says of it, and its parts, checked.

    Raises
    ------
    ArtefactError : the folder is absent, no model's, or of another type of columns;
        a file is missing, too many, changed, or holds a pickle.
    """
    path = folder / MANIFEST
    stored = read_json(path)
    try:
        about = {"model": str(stored["model"]), "code": str(stored["code"])}
        settings, files = dict(stored["settings"]), dict(stored["files"])
        dtype = str(stored["dtype"])
        check_seal(stored)
    except (LookupError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"{path}: not a model, got {type(error).__name__} {error}; expected what `save` "
            "writes. Fit it again."
        ) from error
    if dtype != DTYPE:
        raise ArtefactError(
            f"{path}: another dtype, got {dtype[:12]}; expected {DTYPE}. Fit the model again."
        )
    return about | {"settings": settings}, _parts(folder, files)


def _parts(folder: Path, files: Mapping[str, Any]) -> Parts:
    """Contents of the files that a manifest names, none of them changed or a pickle."""
    paths = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - {
        MANIFEST
    }
    if paths != set(files):
        raise ArtefactError(
            f"{folder}: other files, got {', '.join(sorted(paths ^ set(files)))} only here or only "
            "in the manifest; expected the same ones. Fit the model again."
        )
    parts = {file: _content(folder / file) for file in files}
    for file, content in parts.items():
        if _hash(content) != files[file]:
            raise ArtefactError(
                f"{folder / file}: damaged or exchanged, got {_hash(content)[:12]}; expected "
                f"{str(files[file])[:12]}. Fit the model again."
            )
        if _pickled(content):
            raise ArtefactError(
                f"{folder / file}: unsafe, got a pickle; expected UBJ, JSON or "
                "safetensors. Do not load it."
            )
    return parts


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise ArtefactError(
            f"{path}: cannot be read, got {error.strerror}; expected a file of the model. Fit it "
            "again."
        ) from None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _pickled(content: bytes) -> bool:
    """Whether bytes are a pickle, or an archive that holds one or an array of objects."""
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") <= len(content) - 8:
        # The length that safetensors start with may look like a pickle's first bytes.
        return False
    if zipfile.is_zipfile(io.BytesIO(content)):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return any(_pickled(archive.read(name)) for name in archive.namelist())
        except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError):
            return True  # nobody can say what it holds
    if content.startswith(b"\x93NUMPY"):
        return b"'|O'" in content[:256]
    try:
        # Protocol 0 has no mark at its start; whatever disassembles to its end is one.
        for _ in pickletools.genops(content):
            pass
    except ValueError:
        return content[:1] == b"\x80" and content[1:2] <= b"\x05"
    return True
