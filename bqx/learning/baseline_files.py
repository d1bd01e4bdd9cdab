"""The files of a bundle's baseline, and their hashes: read by a server that has no use for more."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bqx.learning import bundle_checks

if TYPE_CHECKING:
    from bqx.learning.baseline import Baseline

FILES = ("columns", "days", "hours", "performance")
FOLDER = "baseline"


def path_of(bundle: Path, name: str) -> Path:
    """One of `FILES` in a bundle's folder."""
    return bundle / FOLDER / f"{name}.parquet"


@dataclass(frozen=True)
class StoredBaseline:
    """A baseline in a bundle's folder, read when it is asked for."""

    bundle: Path
    hashes: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in FILES:
            bundle_checks.file(path_of(self.bundle, name), self.hashes.get(name))

    def read(self) -> "Baseline":
        """Its statistics."""
        # With pandas, which a server that captures nothing does without.
        from bqx.learning import baseline

        return baseline.read(self.bundle)
