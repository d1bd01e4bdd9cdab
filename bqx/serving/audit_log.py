"""A log to which lines are only added: each holds the hash of the one before.

A line that was changed, moved or taken out is found, and the last ones too, since the end stands
beside the log from before its first line. A line that a kill or a full disk cut off was never said:
it is cut away when the next one is added.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.files import digest, read_regular, write_json

FIRST = "0" * 64


class AuditLog:
    """The log in a file; whoever adds to it holds a lock of their own.

    ``path`` : of the lines; the number of lines and the hash of the last one lie beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = path.with_suffix(".end.json")

    @property
    def exists(self) -> bool:
        """Whether it was ever begun."""
        return self.path.exists() or self.end.exists()

    def begin(self) -> None:
        """Write the end of a log without lines, so that its removal can be told from its absence.

        Raises
        ------
        OSError : it cannot be written.
        """
        if not self.exists:
            self._write_end([])

    def lines(self) -> list[dict[str, Any]]:
        """All lines, oldest first.

        Raises
        ------
        ArtefactError : a line was changed, added or taken out since it was written.
        """
        # Read before the lines, which another process may add to meanwhile.
        end = self._read_end()
        lines: list[dict[str, Any]] = []
        before = FIRST
        for number, text in enumerate(self._whole().decode("utf-8", "replace").splitlines(), 1):
            try:
                line = json.loads(text)
                own = line.pop("hash")
                intact = own == digest(line) and line["before"] == before
            except (ValueError, KeyError, AttributeError, TypeError):
                intact = False
            if not intact:
                raise ArtefactError(
                    f"{self.path} line {number}: altered, got another hash; expected the line that "
                    "was written after the one before. Restore the file."
                )
            before = own
            lines.append(line)
        self._check_end(lines, end)
        return lines

    def add(self, content: Mapping[str, Any]) -> None:
        """Add a line, whole or not at all.

        Raises
        ------
        ArtefactError : the log was altered, or cannot be written.
        """
        lines, size = self.lines(), len(self._whole())
        if self.path.exists() and self.path.stat().st_size > size:
            print(f"{self.path}: a line that was cut off is removed", file=sys.stderr)
            os.truncate(self.path, size)
        line = {**content, "before": digest(lines[-1]) if lines else FIRST}
        text = json.dumps(line | {"hash": digest(line)}, sort_keys=True) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if self.path.exists():
                os.truncate(self.path, size)
            raise ArtefactError(
                f"{self.path}: cannot be written, got {error.strerror}; expected room for a line. "
                "Nothing was changed."
            ) from None
        try:
            self._write_end([*lines, line])
        except OSError as error:
            # What the line says has happened; the end of one line less is right for it too.
            print(f"{self.end}: not written ({error.strerror}), the line was", file=sys.stderr)

    def _whole(self) -> bytes:
        """The lines that were written to their end."""
        if not self.path.exists():
            return b""
        try:
            content = read_regular(self.path)
        except OSError as error:
            raise ArtefactError(
                f"{self.path}: cannot be read, got {error.strerror}; expected the log. Restore the "
                "file."
            ) from None
        return content[: content.rfind(b"\n") + 1]

    def _write_end(self, lines: list[dict[str, Any]]) -> None:
        last = digest(lines[-1]) if lines else FIRST
        write_json(self.end, {"lines": len(lines), "hash": last})

    def _read_end(self) -> tuple[int, str] | None:
        """Number of lines and hash of the last, None where there is no such file."""
        if not self.end.exists():
            return None
        try:
            end = json.loads(read_regular(self.end))
            return int(end["lines"]), str(end["hash"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"{self.end}: cannot be read, got {type(error).__name__}; expected the number of "
                f"lines of {self.path.name} and the last one's hash. Restore the file."
            ) from None

    def _check_end(self, lines: list[dict[str, Any]], end: tuple[int, str] | None) -> None:
        # The end is written after its line, so that a kill between them leaves one line more.
        if end is None and lines:
            raise ArtefactError(
                f"{self.end}: is absent, got a log of {len(lines)} lines; expected its end beside "
                "it. Restore the file."
            )
        count, last = end or (0, FIRST)
        known = 0 <= count <= len(lines)
        if not known or (digest(lines[count - 1]) if count else FIRST) != last:
            raise ArtefactError(
                f"{self.path}: lines are missing at its end, got {len(lines)}; expected {count}. "
                "Restore the file."
            )
