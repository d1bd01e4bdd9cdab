"""Where the functions of Lambda read and write: one variable each, which the template sets.

All of it is in one bucket. ``bundles/`` : a folder of bundles or a registry, file by file.
``feed/`` : bars as they come, in ``*.jsonl`` objects of a live feed's lines. ``state/`` : the bars
that all forecasts need. ``newest/`` : the newest forecast of each pair. ``captures/`` : what was
forecast and answered, see `bqx.monitoring.capture`.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.serving import captured


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


def bundles() -> Path:
    """Folder of the bundles, fetched to this machine where they are in S3.

    Their hashes are checked where they are loaded.

    Raises ArtefactError when they cannot be fetched.
    """
    address = BUNDLES.address or "/opt/ml/model"
    if "://" not in address:
        return Path(address)
    source, target = Folder(address), Path(tempfile.mkdtemp(prefix="bqx-bundles-"))
    try:
        for path in source.listed(deep=True):
            file = target / path
            if not file.resolve().is_relative_to(target.resolve()):
                raise ArtefactError(
                    f"{address}: a file outside, got {path[:60]!r}; expected bundles alone. "
                    "Remove it."
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source.read(path))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target
