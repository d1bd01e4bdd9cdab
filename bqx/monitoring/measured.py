"""Measurements of a running system as files hold them: a time, and numbers by name of a metric."""

import math
import time as clock
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.files import from_json
from bqx.monitoring import metrics

FILE = "measurements.json"
"""Where a command leaves its newest ones, in its folder."""
SKEW = 3_600.0
"""Seconds by which the clock of who measured may be ahead."""


@dataclass(frozen=True)
class Measurements:
    """Numbers by metric at a ``time``, epoch seconds; None for one that could not be measured.

    Raises ArtefactError for a metric that is not declared.
    """

    time: float
    numbers: Mapping[str, float | None]

    def __post_init__(self) -> None:
        unknown = [name for name in self.numbers if name not in metrics.BY_NAME]
        if unknown:
            raise ArtefactError(
                f"an unknown metric, got {unknown[0]!r:.40}; expected names of "
                "bqx.monitoring.metrics. Declare it there."
            )

    @property
    def stamp(self) -> str:
        """The time in UTC."""
        return datetime.fromtimestamp(self.time, UTC).isoformat(timespec="seconds")

    def content(self) -> dict[str, Any]:
        """As a file holds them."""
        return {"at": self.stamp, "measurements": dict(self.numbers)}


def read(places: Iterable[str]) -> list[Measurements]:
    """Measurements of files, oldest first: JSON holds one, JSON lines (``.jsonl``) many.

    ``places`` : paths, or s3:// addresses. Of several of one time the last counts, with what only
    the others have.

    Raises ArtefactError for a file that holds something else.
    """
    by_time: dict[float, Measurements] = {}
    for place in places:
        for number, text in _texts(place):
            measurements = _parsed(f"{place}{number}", text)
            before = by_time[measurements.time].numbers if measurements.time in by_time else {}
            by_time[measurements.time] = Measurements(
                measurements.time, {**before, **measurements.numbers}
            )
    return [by_time[time] for time in sorted(by_time)]


def _texts(place: str) -> list[tuple[str, str]]:
    folder, slash, name = place.rpartition("/")
    try:
        text = Folder(f"{folder}{slash}" or ".").read(name).decode()
    except UnicodeDecodeError:
        raise ArtefactError(
            f"{place}: cannot be read, got bytes that are no text; expected measurements. "
            "`bqx monitor` writes them."
        ) from None
    if not name.endswith(".jsonl"):
        return [("", text)]
    # A line without its end was cut off while it was written.
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [(f" line {i}", line) for i, line in enumerate(whole, 1) if line.strip()]


def _number(value: object) -> float | None:
    """A number of a file; TypeError or ValueError for another value, or an infinite one."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__}, no number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("no finite number")
    return number


def _parsed(where: str, text: str) -> Measurements:
    try:
        content = from_json(text.encode())
        time = datetime.fromisoformat(content["at"])
        numbers = {name: _number(value) for name, value in content["measurements"].items()}
        seconds = time.timestamp()
        datetime.fromtimestamp(seconds, UTC)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ArtefactError(
            f"{where}: no measurements, got {type(error).__name__}; expected a time and "
            "measurements by name. `bqx monitor` writes them."
        ) from None
    if seconds > clock.time() + SKEW:
        # What comes later than it would never be judged.
        raise ArtefactError(
            f"{where}: a time to come, got {content['at']}; expected one that has passed. Correct "
            "the clock of who measured, or remove the file."
        )
    if time.tzinfo is None:
        raise ArtefactError(
            f"{where}: a time without its offset, got {content['at']}; expected one of UTC."
        )
    try:
        return Measurements(time.timestamp(), numbers)
    except ArtefactError as error:
        raise ArtefactError(f"{where}: {error}") from None
