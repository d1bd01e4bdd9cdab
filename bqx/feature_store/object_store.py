"""Folders that are local or in S3: whole files in, whole files or parts of them out.

A file is there complete or not at all: a local one is renamed into its place, and S3 shows no
object before its last byte has come. S3's credentials, region and endpoint are those of the AWS
environment (``AWS_ENDPOINT_URL`` for a server of one's own).
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from bqx.errors import ArtefactError
from bqx.files import atomic, from_json, open_regular, read_regular, to_json

_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")


class Folder:
    """A folder of files, by their paths relative to it.

    ``place`` : a local path, or ``s3://bucket/prefix``.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place).rstrip("/")
        self.is_local = "://" not in self.place
        if self.is_local:
            self._files, self._base = fs.LocalFileSystem(), str(Path(place).absolute())
            return
        if not self.place.startswith("s3://"):
            raise ArtefactError(
                f"{self.place}: no place that is known, got {self.place.partition('://')[0]}://; "
                "expected a local folder or s3://bucket/prefix."
            )
        with self._told("", "opened"):
            self._files, self._base = fs.FileSystem.from_uri(self.place)

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        with self._told(path, "found"):
            return bool(self._files.get_file_info(self._at(path)).type == fs.FileType.File)

    def listed(self, *, deep: bool = False) -> dict[str, int]:
        """Files and when each was written, nanoseconds since 1970; none of a folder that is absent.

        ``deep`` : those of the folders below too.
        """
        with self._told("", "listed"):
            selector = fs.FileSelector(self._base, allow_not_found=True, recursive=deep)
            return {
                file.path[len(self._base) + 1 :]: file.mtime_ns
                for file in self._files.get_file_info(selector)
                if file.type == fs.FileType.File
            }

    def names(self) -> list[str]:
        """Names of the files in it, ascending; none of a folder that is absent."""
        if not self.is_local:
            return sorted(self.listed())
        with self._told("", "listed"):
            try:
                with os.scandir(self._base) as entries:
                    return sorted(entry.name for entry in entries if entry.is_file())
            except FileNotFoundError:
                return []

    def folders(self) -> list[str]:
        """Names of the folders in it, ascending; none of a folder that is absent."""
        with self._told("", "listed"):
            selector = fs.FileSelector(self._base, allow_not_found=True)
            infos = self._files.get_file_info(selector)
        return sorted(info.base_name for info in infos if info.type == fs.FileType.Directory)

    def read(self, path: str) -> bytes:
        """Content of a file; ArtefactError when it cannot be read."""
        with self._told(path, "read"):
            if self.is_local:
                return read_regular(Path(self._at(path)))
            # As the bytes are, whatever its name ends with.
            with self._files.open_input_stream(self._at(path), compression=None) as stream:
                content: bytes = stream.read()
                return content

    def sha256(self, path: str) -> str:
        """SHA-256 of a file, of which no more than a piece is in memory."""
        with self.open(path) as source, self._told(path, "read"):
            hashed = hashlib.sha256()
            while piece := source.read(1 << 22):
                hashed.update(piece)
            return hashed.hexdigest()

    def open(self, path: str) -> pa.NativeFile:
        """A file of which parts are read; ArtefactError when it cannot be opened."""
        self._check(path)
        with self._told(path, "read"):
            return self._files.open_input_file(self._at(path))

    def write(self, path: str, content: bytes) -> str:
        """Write a file whole and return its SHA-256; ArtefactError when it cannot be written."""
        with self._told(path, "written"):
            if self.is_local:
                with atomic(Path(self._at(path))) as temporary:
                    temporary.write_bytes(content)
            else:
                with self._files.open_output_stream(self._at(path), compression=None) as stream:
                    stream.write(content)
        return hashlib.sha256(content).hexdigest()

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        if self.has(path):
            with self._told(path, "removed"):
                self._files.delete_file(self._at(path))

    def read_json(self, path: str) -> Any:
        """Content of a JSON file; ArtefactError when it is absent or none."""
        try:
            return from_json(self.read(path))
        except ValueError:
            raise ArtefactError(
                f"{self.place}/{path}: cannot be read, got no JSON; expected what bqx writes. "
                "Remove it and make it again."
            ) from None

    def write_json(self, path: str, value: Any) -> None:
        """Write JSON: keys sorted, NaN as null."""
        self.write(path, to_json(value).encode())

    def sweep(self) -> None:
        """Remove what killed writers left half written; in S3 that never shows."""
        if not self.is_local:
            return
        for path in Path(self._base).rglob(".*.tmp"):
            match = _TEMPORARY.fullmatch(path.name)
            if match and not _alive(int(match[1])):
                path.unlink(missing_ok=True)

    def _check(self, path: str) -> None:
        """Refuse what is no file, such as a pipe, for whose writer a reader would wait."""
        if self.is_local:
            with self._told(path, "read"):
                open_regular(Path(self._at(path))).close()

    def _at(self, path: str) -> str:
        return f"{self._base}/{path}"

    @contextmanager
    def _told(self, path: str, done: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())
            rule = "a place with room that may be written" if done == "written" else "one that can"
            raise ArtefactError(
                f"{self.place}{path and '/' + path}: cannot be {done}, got {reason[:160]}; "
                f"expected {rule}. Mend that and run it again: what was finished stays."
            ) from None


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        # The second is of a number that no process can have.
        return False
    except PermissionError:
        return True
    return True
