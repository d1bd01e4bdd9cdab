"""Models as ``model.tar.gz``: packed alike for the same content, unpacked without harm."""

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

from bqx.errors import ArtefactError
from bqx.learning.bundle import MANIFEST

LARGEST = 1 << 30
"""Bytes of an unpacked model."""


def pack(folder: Path, path: Path) -> None:
    """Write a folder's files to an archive: the same bytes for the same content.

    Raises ArtefactError where the archive is there already; versions are never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with (
            temporary.open("wb") as raw,
            gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for item in sorted(folder.rglob("*")):
                entry = archive.gettarinfo(item, str(item.relative_to(folder)))
                entry.mtime = entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                if item.is_file():
                    with item.open("rb") as content:
                        archive.addfile(entry, content)
                else:
                    archive.addfile(entry)
        # Unlike a rename, it does not replace what is there.
        os.link(temporary, path)
    except FileExistsError:
        raise ArtefactError(
            f"{path}: there already, got a second model of that name; expected a new one. Name "
            "another version."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def unpack(path: Path, folder: Path) -> None:
    """Unpack an archive into a new folder.

    Raises ArtefactError : absent, no archive, too large, or one that reaches out of its folder.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            size = 0
            for entry in archive:
                size += entry.size
                if size > LARGEST:
                    raise ValueError(f"more than {LARGEST:,} bytes")
                archive.extract(entry, folder, filter="data")
    except (OSError, ValueError, EOFError, tarfile.TarError) as error:
        raise ArtefactError(
            f"{path}: no model, got {type(error).__name__} {error}; expected a model.tar.gz of "
            "a training job."
        ) from None


def content_of(archive: bytes, pair: str, where: str) -> str:
    """Hash of the manifest of a pair's bundle in an archive, by which registry and capture know it.

    Raises ArtefactError where there is none.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
            file = opened.extractfile(f"{pair}/{MANIFEST}")
            if file is None:
                raise KeyError("a folder")
            return hashlib.sha256(file.read()).hexdigest()
    except (OSError, EOFError, LookupError, tarfile.TarError) as error:
        raise ArtefactError(
            f"{where}: no model of {pair}, got {type(error).__name__} {error}; expected an archive "
            f"with {pair}/{MANIFEST}."
        ) from None
