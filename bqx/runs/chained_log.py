"""A log to which lines are only added: each holds the hash of the one before.

A line that was changed, moved or taken out is found, and the last ones too, since the end stands
beside the log. A line that a kill or a full disk cut off was never said: it is cut away when the
next one is added. What was once damaged stays so: the next line follows the one that was written,
not the one that is left.
"""

import errno
import fcntl
import getpass
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.files import digest, read_regular, write_json

FIRST = "0" * 64


@dataclass(frozen=True)
class Reading:
    """Lines of a log, oldest first, and what is wrong with it, a sentence each.

    ``lines`` : those that are as they were written, each with the ``before`` that it was given.
    """

    lines: list[dict[str, Any]]
    faults: list[str]


@dataclass(frozen=True)
class _End:
    """Lines that a log had, the hash of the last one, and their bytes where they are known."""

    lines: int = 0
    hash: str = FIRST
    bytes: int | None = None


class ChainedLog:
    """The log in a file; processes may add to it at the same time.

    ``path`` : of the lines; the number of lines and the hash of the last one lie beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = path.with_suffix(".end.json")

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return self.path.exists() or self.end.exists()

    def read(self) -> Reading:
        """All lines that are as they were written, and what is wrong with the others.

        Raises
        ------
        ArtefactError : the log cannot be read.
        """
        try:
            with self._locked("r", fcntl.LOCK_SH) as file:
                content, end = file.read(), self._end()
        except FileNotFoundError:
            content, end = b"", self._end()
        except OSError as error:
            raise ArtefactError(
                f"{self.path}: cannot be read, got {error.strerror}; expected a file of lines."
            ) from None
        lines, faults = [], []
        hashes = [FIRST]
        for number, text in enumerate(_whole(content).splitlines(), 1):
            line, line_hash, is_intact = _parsed(text)
            if not is_intact or line["before"] != hashes[-1]:
                faults.append(
                    f"{self.path} line {number}: altered, got another hash; expected the line that "
                    "was written after the one before."
                )
            if is_intact:
                lines.append(line)
            hashes.append(line_hash or hashes[-1])
        if end is None and len(hashes) > 1:
            faults.append(f"{self.end}: absent or damaged, got no count; expected that of its log.")
        elif end and (end.lines >= len(hashes) or hashes[end.lines] != end.hash):
            faults.append(
                f"{self.path}: lines are missing at its end, got {len(hashes) - 1}; expected "
                f"{end.lines}."
            )
        return Reading(lines, faults)

    def intact(self, mend: str = "Restore the file.") -> list[dict[str, Any]]:
        """All lines, oldest first.

        Parameters
        ----------
        mend : what the error says that is to be done.

        Raises
        ------
        ArtefactError : a line was changed, added or taken out since it was written, or the log
            cannot be read.
        """
        reading = self.read()
        if reading.faults:
            raise ArtefactError(f"{reading.faults[0]} {mend}")
        return reading.lines

    def add(self, *contents: Mapping[str, Any]) -> None:
        """Add lines; those that are not whole when the process ends were never added.

        Without any the log is begun, so that its removal can be told from its absence.

        Raises
        ------
        ArtefactError : the log cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked("a+", fcntl.LOCK_EX) as file:
                self._append(file, contents)
        except OSError as error:
            raise ArtefactError(
                f"{self.path}: cannot be written, got {error.strerror}; expected a file that may "
                "be written, and room. Nothing was changed."
            ) from None

    def _append(self, file: FileIO, contents: tuple[Mapping[str, Any], ...]) -> None:
        size = self._cut(file)
        end = self._standing(file, size)
        texts, last = [], end.hash
        for content in contents:
            line = {**content, "before": last}
            last = digest(line)
            texts.append(json.dumps(line | {"hash": last}, sort_keys=True) + "\n")
        try:
            rest = memoryview("".join(texts).encode())
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), size)
            raise
        try:
            self._write_end(_End(end.lines + len(texts), last, file.tell()))
        except OSError as error:
            # What the lines say has happened; the end of fewer lines is right for them too.
            print(f"{self.end}: not written ({error.strerror}), the lines were", file=sys.stderr)

    def _cut(self, file: FileIO) -> int:
        """Cut away a last line that was not written to its end; the bytes that are left."""
        size = file.seek(0, os.SEEK_END)
        start = size
        tail = b""
        while start and b"\n" not in tail:
            start = max(start - 65_536, 0)
            file.seek(start)
            tail = file.read(size - start)
        whole = start + len(_whole(tail))
        if whole < size:
            print(f"{self.path}: a line that was cut off is removed", file=sys.stderr)
            os.ftruncate(file.fileno(), whole)
        return whole

    def _standing(self, file: FileIO, size: int) -> _End:
        """The end as it is: a kill may have left lines that it does not count yet."""
        end = self._end()
        if end is None:
            # Without its end nobody knows what a log had: what follows says so for ever.
            end = _End(bytes=size)
            self._write_end(end)
        start = min(end.bytes or 0, size)
        file.seek(start)
        count, last = (end.lines, end.hash) if end.bytes is not None else (0, FIRST)
        if end.bytes is not None and size < end.bytes:
            return end
        for text in file.read().splitlines():
            line, line_hash, is_intact = _parsed(text)
            if is_intact and line["before"] == last:
                count, last = count + 1, line_hash
        return _End(count, last) if count >= end.lines else end

    def _end(self) -> _End | None:
        try:
            content = json.loads(read_regular(self.end))
            size = content.get("bytes")
            length = None if size is None else int(size)
            return _End(int(content["lines"]), str(content["hash"]), length)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _write_end(self, end: _End) -> None:
        write_json(self.end, {"lines": end.lines, "hash": end.hash, "bytes": end.bytes})

    @contextmanager
    def _locked(self, mode: str, kind: int) -> Iterator[FileIO]:
        # What a buffer holds of a line that failed would be written when the file is closed.
        if self.path.exists() and not self.path.is_file():
            # Whoever opens a pipe waits for its other end.
            raise OSError(errno.EINVAL, "no regular file", str(self.path))
        with FileIO(self.path, mode) as file:
            fcntl.flock(file, kind)
            yield file


def user() -> str:
    """Name of who adds a line."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under an id that has no name.
        return f"user {os.getuid()}"


def _whole(content: bytes) -> bytes:
    """The lines that were written to their end."""
    return content[: content.rfind(b"\n") + 1]


def _parsed(text: bytes) -> tuple[dict[str, Any], str, bool]:
    """A line without its hash, the hash that it has, and whether it is as it was written."""
    try:
        line = json.loads(text)
        line_hash = str(line.pop("hash"))
        return line, line_hash, line_hash == digest(line) and "before" in line
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return {}, "", False
