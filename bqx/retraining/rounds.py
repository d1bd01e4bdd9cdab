"""A round of retraining on disk: each step is a file that appears when the step is done.

Whoever comes after a kill does what has no file yet, and every step does the same again: so nothing
is lost, and nothing is done twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.evaluation.reasons import Reason
from bqx.files import (
    alone,
    check_seal,
    digest,
    read_json,
    remove_leftovers,
    sealed,
    write_json,
)
from bqx.market import sessions
from bqx.params import PLACE_KEYS, Params

ROUNDS = "rounds"
BEGUN, JUDGED, REGISTERED, SHADOWED, PROMOTED, WATCHED = STEPS = (
    "begun",
    "judged",
    "registered",
    "shadowed",
    "promoted",
    "watched",
)


@dataclass(frozen=True)
class Round:
    """A round in its folder."""

    folder: Path

    def __str__(self) -> str:
        return self.folder.name

    def has(self, step: str) -> bool:
        """Whether a step is done."""
        return (self.folder / f"{step}.json").exists()

    def read(self, step: str) -> dict[str, Any]:
        """What a step has written.

        Raises ArtefactError where it is not that.
        """
        path = self.folder / f"{step}.json"
        content: dict[str, Any] = read_json(path)
        try:
            check_seal(content)
        except ValueError as error:
            raise ArtefactError(
                f"{path}: damaged, got {error}; expected what `bqx retrain` wrote. Remove it, and "
                "the step is done again."
            ) from None
        return content

    def write(self, step: str, content: dict[str, Any]) -> None:
        """End a step."""
        write_json(self.folder / f"{step}.json", sealed(content))

    @property
    def now(self) -> datetime:
        """Time until which the round has read bars for its training."""
        return datetime.fromisoformat(self.read(BEGUN)["now"])

    @property
    def is_open(self) -> bool:
        """Whether its challengers are not decided on."""
        return not self.has(PROMOTED)

    def trained(self, pair: str) -> Path:
        """Folder of a pair's challenger."""
        return self.folder / "trained" / pair

    def failure(self, pair: str) -> Path:
        """File of why a pair has no challenger."""
        return self.folder / "trained" / f"{pair}.failed.json"

    def fail(self, pair: str, reasons: Sequence[Reason]) -> None:
        """Say why a pair has no challenger."""
        write_json(self.failure(pair), {"reasons": [asdict(reason) for reason in reasons]})


def of(place: Path) -> list[Round]:
    """All rounds that have begun, oldest first."""
    folders = sorted((place / ROUNDS).glob("*/"))
    return [retraining for retraining in map(Round, folders) if retraining.has(BEGUN)]


def check_times(known: Sequence[Round]) -> None:
    """Refuse rounds of a time to come, before which nothing would ever be due again.

    Raises ArtefactError.
    """
    for retraining in known:
        if retraining.now > sessions.tomorrow():
            raise ArtefactError(
                f"{retraining.folder}: of a time to come, got {retraining.now:%Y-%m-%d %H:%M}; "
                "expected one that has passed by this machine's clock. Set the clock, or remove "
                "the folder."
            )


def begin(
    place: Path, now: datetime, reasons: Sequence[Reason], params: Params, pairs: Sequence[str]
) -> Round:
    """Begin a round."""
    retraining = Round(place / ROUNDS / f"{now:%Y-%m-%dT%H%M}")
    content = {
        "now": now.isoformat(),
        "reasons": [asdict(reason) for reason in reasons],
        "pairs": list(pairs),
        "params": identity(params),
    }
    retraining.write(BEGUN, content)
    return retraining


def identity(params: Params) -> str:
    """Hash of the parameters that decide what is trained; not of where, or how many at a time."""
    left_out = {*PLACE_KEYS, "bars", "serve_pair"}
    return digest(params.model_dump(mode="json", exclude=left_out))


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Keep other retrainings out of a place, and remove what a killed one left half written.

    Raises ArtefactError where one is at work.
    """
    busy = (
        f"{place}: a retraining is at work, got its lock; expected none. The same command goes on "
        "from there once that one has ended."
    )
    with alone(place / ".lock", busy):
        remove_leftovers(place / ROUNDS)
        yield
