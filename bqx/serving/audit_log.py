"""A log to which lines are only added: each holds the hash of the one before.

A line that was changed, moved or taken out is found, and the last ones too, since the end stands
beside the log. A line that a kill or a full disk cut off was never said: it is cut away when the
next one is added.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.files import digest, read_json, write_json

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
        """Whether anything was ever written."""
        return self.path.exists() or self.end.exists()

    def lines(self) -> list[dict[str, Any]]:
        """All lines, oldest first.

        Raises
        ------
        ArtefactError : a line was changed, added or taken out since it was written.
        """
        lines: list[dict[str, Any]] = []
        before = FIRST
        for number, text in enumerate(self._whole().decode("utf-8", "replace").splitlines(), 1):
            try:
                line = json.loads(text)
                intact = line.pop("hash") == digest(line) and line["before"] == before
            except (ValueError, KeyError, AttributeError, TypeError):
                intact = False
            if not intact:
                raise ArtefactError(
                    f"{self.path} line {number}: altered, got another hash; expected the line that "
                    "was written after the one before. Restore the file."
                )
            before = digest(line)
            lines.append(line)
        self._check_end(lines)
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
        write_json(self.end, {"lines": len(lines) + 1, "hash": digest(line)})

    def _whole(self) -> bytes:
        """The lines that were written to their end."""
        content = self.path.read_bytes() if self.path.exists() else b""
        return content[: content.rfind(b"\n") + 1]

    def _check_end(self, lines: list[dict[str, Any]]) -> None:
        # The end is written after its line, so that a kill between them leaves one line more.
        if not self.end.exists():
            return
        end = read_json(self.end)
        try:
            count, last = int(end["lines"]), str(end["hash"])
        except (KeyError, TypeError, ValueError):
            count, last = len(lines) + 1, ""
        if not 0 < count <= len(lines) or digest(lines[count - 1]) != last:
            raise ArtefactError(
                f"{self.path}: lines are missing at its end, got {len(lines)}; expected {count}. "
                "Restore the file."
            )
