"""What an ensemble has learnt, kept in files: the last ones, of which a damaged one is passed over.

A checkpoint is JSON under gzip, by the minute up to which all was learnt. The ensemble of now is
the last good one, and the labels that were stored after it learnt once more in their order: the
same to the last bit as one that was never stopped.
"""

import gzip
from pathlib import Path

from bqx.errors import ArtefactError
from bqx.files import atomic, check_seal, from_json, read_regular, sealed, to_json
from bqx.online.ensemble import Ensemble

KEPT = 2
"""Checkpoints of an ensemble that are kept."""


class Checkpoints:
    """The last checkpoints of the ensemble of one pair and horizon."""

    def __init__(self, folder: Path, pair: str, horizon: int) -> None:
        self.folder = folder / "checkpoints" / f"{pair}-{horizon}"

    def minutes(self) -> list[int]:
        """Minutes of those that are there, ascending."""
        return sorted(int(p.name.split(".")[0]) for p in self.folder.glob("[0-9]*.json.gz"))

    def _path(self, minute: int) -> Path:
        return self.folder / f"{minute}.json.gz"

    def write(self, minute: int, ensemble: Ensemble) -> None:
        """Keep an ensemble that has learnt all labels known up to a minute."""
        content = to_json(sealed({"minute": minute, "ensemble": ensemble.state()})).encode()
        with atomic(self._path(minute)) as temporary:
            temporary.write_bytes(gzip.compress(content, compresslevel=1, mtime=0))
        for old in self.minutes()[:-KEPT]:
            self._path(old).unlink()

    def last_good(self) -> tuple[int, Ensemble] | None:
        """Minute and ensemble of the last one that can be read; None where none can.

        One that is damaged is removed, so that the next one takes its place.
        """
        for minute in reversed(self.minutes()):
            try:
                content = from_json(gzip.decompress(read_regular(self._path(minute))))
                check_seal(content)
                return int(content["minute"]), Ensemble.of(content["ensemble"])
            except (OSError, EOFError, ValueError, KeyError, TypeError, ArtefactError):
                self._path(minute).unlink(missing_ok=True)
        return None
