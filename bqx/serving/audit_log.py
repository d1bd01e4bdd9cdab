"""The registry's log: a chained log of which nothing is read once anything in it was altered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.runs.chained_log import ChainedLog


class AuditLog:
    """The log in a file; whoever adds to it holds a lock of their own.

    ``path`` : of the lines, see `ChainedLog`.
    """

    def __init__(self, path: Path) -> None:
        self._log = ChainedLog(path)

    @property
    def exists(self) -> bool:
        """Whether it was ever begun."""
        return self._log.exists

    def begin(self) -> None:
        """Note that it is there, so that its removal can be told from its absence.

        Raises
        ------
        OSError : it cannot be written.
        """
        self._log.begin()

    def lines(self) -> list[dict[str, Any]]:
        """All lines, oldest first.

        Raises
        ------
        ArtefactError : a line was changed, added or taken out since it was written.
        """
        reading = self._log.read()
        if reading.faults:
            raise ArtefactError(f"{reading.faults[0]} Restore the file.")
        return reading.lines

    def add(self, content: Mapping[str, Any]) -> None:
        """Add a line, whole or not at all.

        Raises
        ------
        ArtefactError : the log was altered, or cannot be written.
        """
        self.lines()
        self._log.add(content)
