"""A line of the checklist, and where its evidence lies."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bqx.errors import ArtefactError
from bqx.files import read_json

Outcome = Literal["pass", "fail", "not measured"]


@dataclass(frozen=True)
class Check:
    """A line of the checklist.

    ``what`` : what is asked; ``outcome`` : `Outcome`; ``measured`` : what was found, in words;
    ``how`` : the command or page that measures or mends it.
    """

    what: str
    outcome: Outcome
    measured: str
    how: str

    @classmethod
    def of(cls, what: str, passed: bool | None, measured: str, how: str) -> "Check":
        """A check that passed or not; None where nothing was measured."""
        outcome: Outcome = "not measured" if passed is None else "pass" if passed else "fail"
        return cls(what, outcome, measured, how)


@dataclass(frozen=True)
class Evidence:
    """Where to look: what is None was not named, so that what rests on it is not measured.

    ``run`` : folder of a finished run; ``registry`` : of versions; ``capture`` : of a server's
    captured minutes; ``book`` : pages with their JSON files; ``records`` : what load tests, drills
    and the rollout wrote down.
    """

    run: Path | None = None
    registry: Path | None = None
    capture: Path | None = None
    book: Path | None = None
    records: Path | None = None

    def json(self, folder: Path | None, name: str) -> dict[str, Any]:
        """Content of a JSON file in one of the folders; empty where there is none."""
        if folder is None or not (folder / name).is_file():
            return {}
        content = read_json(folder / name)
        if not isinstance(content, dict):
            raise ArtefactError(
                f"{folder / name}: no record, got a list; expected keys. Remove it."
            )
        return content


Question = Callable[[Evidence], Check]
"""A function that answers one line of the checklist."""
