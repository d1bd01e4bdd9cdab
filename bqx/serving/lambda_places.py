"""Where the functions of Lambda read and write: one variable each, which the template sets.

All of it is in one bucket. ``bundles/`` : a folder of bundles or a registry, file by file.
``feed/`` : bars as they come, in ``*.jsonl`` objects of a live feed's lines. ``state/`` : the bars
that all forecasts need. ``newest/`` : the newest forecast of each pair. ``captures/`` : what was
forecast and answered, see `bqx.monitoring.capture`.
"""

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.files import atomic
from bqx.runs.chained_log import ChainedLog
from bqx.serving import captured
from bqx.serving.registry_folder import LOG

END = ChainedLog(Path(LOG)).end.name
RENEWED = 60.0
"""Seconds after which a process looks again what its registry says."""


@dataclass(frozen=True)
class Place:
    """``variable`` : of the environment, a path or ``s3://`` address; ``path`` : in the bucket."""

    variable: str
    path: str

    @property
    def address(self) -> str:
        """What the environment says; empty for nothing."""
        return os.environ.get(self.variable, "")

    @property
    def file(self) -> tuple[Folder, str]:
        """Folder and name, of a place that is a file."""
        folder, name = os.path.split(self.address)
        return Folder(folder), name

    @property
    def prefix(self) -> str:
        """First part of its keys, by which rights are given."""
        return self.path.partition("/")[0]


BUNDLES = Place("BQX_BUNDLES", "bundles")
STATE = Place("BQX_STATE", "state/live.npz")
FEED = Place("BQX_FEED", "feed")
FORECASTS = Place("BQX_FORECASTS", "newest/forecasts.json")
CAPTURE = Place(captured.PLACE, "captures")

READ = {
    "features": (BUNDLES, STATE),
    "predict": (BUNDLES, STATE, FORECASTS),
    "precompute": (BUNDLES, STATE, FEED),
}
"""What each handler reads."""
WRITTEN = {"features": (), "predict": (CAPTURE,), "precompute": (STATE, FORECASTS, CAPTURE)}
"""What each handler writes."""


class Bundles:
    """Folder of the bundles or the registry, fetched to this machine where they are in S3.

    Their hashes are checked where they are loaded.

    Raises ArtefactError when they cannot be fetched.
    """

    def __init__(self) -> None:
        address = BUNDLES.address or "/opt/ml/model"
        self.folder = Path(address)
        self._source = Folder(address) if "://" in address else None
        self._known: dict[str, int] = {}
        self._due = time.monotonic() + RENEWED
        if self._source is not None:
            self.folder = Path(tempfile.mkdtemp(prefix="bqx-bundles-"))
            try:
                self._fetch(self._source)
            except BaseException:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise

    def renew(self) -> None:
        """Fetch what was written since, at most every `RENEWED` seconds; what cannot be fetched
        leaves what is there."""
        if self._source is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + RENEWED
        try:
            self._fetch(self._source)
        except ArtefactError as error:
            print(error, file=sys.stderr)

    def _fetch(self, source: Folder) -> None:
        listed = source.listed(deep=True)
        changed = {path for path, written in listed.items() if self._known.get(path) != written}
        for path in sorted(changed - {LOG, END}):
            self._put(path, source.read(path))
        if changed & {LOG, END}:
            self._renew_log(source)
        self._known = listed

    def _renew_log(self, source: Folder) -> None:
        """Take a registry's log once it is whole, after all that it speaks of."""
        with tempfile.TemporaryDirectory() as temporary:
            # The end first: whoever adds to a log writes its end last.
            for name in (END, LOG):
                (Path(temporary) / name).write_bytes(source.read(name))
            if (self.folder / LOG).exists():
                ChainedLog(Path(temporary) / LOG).intact()
            for name in (LOG, END):
                self._put(name, (Path(temporary) / name).read_bytes())

    def _put(self, path: str, content: bytes) -> None:
        file = self.folder / path
        if not file.resolve().is_relative_to(self.folder.resolve()):
            raise ArtefactError(
                f"{BUNDLES.address}: a file outside, got {path[:60]!r}; expected bundles alone. "
                "Remove it."
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as temporary:
            temporary.write_bytes(content)
