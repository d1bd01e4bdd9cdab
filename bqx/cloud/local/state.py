"""The one file in which the local platform keeps its endpoints, and the log of their requests."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError, ParameterError
from bqx.files import read_json, write_json

FILE = "endpoints.json"
LOG = "requests.jsonl"


@dataclass
class Instance:
    """A container that serves: process, port and folder."""

    pid: int
    port: int
    root: str


@dataclass
class Variant:
    """A production variant.

    ``model`` : archive of its model, or with ``many`` the folder of a multi-model endpoint's
    archives; ``loaded`` : models of such an endpoint by instance, the longest unused first.
    """

    name: str
    model: str
    weight: float
    many: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)
    loaded: dict[str, list[str]] = field(default_factory=dict)


Endpoints = dict[str, list[Variant]]


class State:
    """Endpoints of a folder; changes are made by one process at a time."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def read(self) -> Endpoints:
        """All endpoints as they are now; ArtefactError for a damaged file."""
        path = self.place / FILE
        stored = read_json(path) if path.exists() else {}
        try:
            return {name: [_variant(v) for v in variants] for name, variants in stored.items()}
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(
                f"{path}: damaged, got {type(error).__name__}; expected the endpoints of this "
                "folder. End their processes, and remove it."
            ) from None

    def variants(self, endpoint: str) -> list[Variant]:
        """Variants of an endpoint; ParameterError where there is none of that name."""
        endpoints = self.read()
        if endpoint not in endpoints:
            names = f"one of {', '.join(endpoints)}" if endpoints else "one that `deploy` made"
            raise ParameterError(f"endpoint: not there, got {endpoint!r:.60}; expected {names}.")
        return endpoints[endpoint]

    def only_variant(self, endpoint: str) -> Variant:
        """The variant of an endpoint of many models; ParameterError where it is another kind."""
        variants = self.variants(endpoint)
        if len(variants) > 1 or not variants[0].many:
            names = ", ".join(variant.name for variant in variants)
            raise ParameterError(
                f"endpoint {endpoint}: no folder of archives, got {names}; expected one that "
                "`deploy` made of VARIANT=FOLDER."
            )
        return variants[0]

    @contextmanager
    def changed(self) -> Iterator[Endpoints]:
        """All endpoints, written back when the block succeeds."""
        self.place.mkdir(parents=True, exist_ok=True)
        with (self.place / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            endpoints = self.read()
            yield endpoints
            stored = {name: [asdict(v) for v in variants] for name, variants in endpoints.items()}
            write_json(self.place / FILE, stored)

    def log(self, endpoint: str, variant: str, metric: str, value: float) -> None:
        """Add a measurement, such as a request's ``seconds`` or ``error``."""
        line = {"at": time.time(), "endpoint": endpoint, "variant": variant}
        with (self.place / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | {"metric": metric, "value": value}) + "\n")

    def measured(self, endpoint: str, variant: str, metric: str, since: float) -> list[float]:
        """Values of a metric of a variant since a time, the oldest first."""
        path = self.place / LOG
        if not path.exists():
            return []
        values = []
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
                key = (line["endpoint"], line["variant"], line["metric"])
                if key == (endpoint, variant, metric) and line["at"] >= since:
                    values.append(float(line["value"]))
            except (LookupError, TypeError, ValueError):
                # A line that a kill or a full disk cut off.
                continue
        return values


def _variant(stored: dict[str, Any]) -> Variant:
    instances = [Instance(**instance) for instance in stored["instances"]]
    return Variant(**(stored | {"instances": instances}))
