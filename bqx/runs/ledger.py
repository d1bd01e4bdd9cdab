"""Ledger of trials: all that was tried on given bars, whether or not anybody reports it.

The ledger is a chained log: processes may record at the same time, a killed one leaves nothing half
written, nothing is ever rewritten, and a trial that was taken out, edited or moved is found. The
same trial recorded again counts once. A claim, what somebody expects of a run, stands between the
trials that were made before it and after it, and so does a screen of columns.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bqx.files import digest
from bqx.runs.chained_log import ChainedLog
from bqx.runs.screens import ScreenTrials
from bqx.runs.trials import BarSpan, Trial, check

LOG = "trials.jsonl"


@dataclass(frozen=True)
class Claim:
    """What somebody expects of a run before it is made.

    ``parameters`` : hash of the run's; ``metric`` : of the verdict's horizons; ``horizon`` :
    minutes, 0 for all of them; ``bound`` : what the metric is claimed to be at least; ``trials`` :
    those known on overlapping bars when it was claimed; ``run`` : name of the run folder;
    ``time`` : UTC.
    """

    bars: BarSpan
    parameters: str
    metric: str
    horizon: int
    bound: float
    trials: int
    run: str
    time: str


@dataclass(frozen=True)
class Entries:
    """What a ledger holds in the order in which it was recorded, and what is wrong with it.

    ``entries`` : trials, claims and screens by their hashes; ``faults`` : a sentence each.
    """

    entries: dict[str, Trial | Claim | ScreenTrials]
    faults: list[str]

    @property
    def trials(self) -> list[Trial]:
        """Every trial once, in order of their names."""
        return [e for _, e in sorted(self.entries.items()) if isinstance(e, Trial)]

    @property
    def screens(self) -> list[ScreenTrials]:
        """Every screen once, in the order in which they were recorded."""
        return [e for e in self.entries.values() if isinstance(e, ScreenTrials)]


class Ledger:
    """Trials and claims in a folder.

    ``folder`` : has the log of them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = ChainedLog(folder / LOG)

    def begin(self) -> None:
        """Make the log where there is none; ArtefactError where it could not be written."""
        self._log.add()

    def record(self, *trials: Trial) -> None:
        """Add trials, a line each; those that the ledger already holds count no second time.

        Raises
        ------
        ParameterError : an unknown measure, or days and values that do not match.
        ArtefactError : the ledger cannot be written.
        """
        for trial in trials:
            check(trial)
        self._log.add(*({"trial": trial.name} | _line(trial) for trial in trials))

    def claim(self, claim: Claim) -> None:
        """Add a claim; ArtefactError where the ledger cannot be written."""
        content = asdict(claim)
        self._log.add({"claim": digest(content)} | content)

    def screen(self, screen: ScreenTrials) -> None:
        """Add a screen of columns; ArtefactError where the ledger cannot be written."""
        content = {name: getattr(screen, name) for name in ScreenTrials.__annotations__}
        packed = {
            "bars": asdict(screen.bars),
            "columns": _packed(screen.columns, "<i8"),
            "p": _packed(screen.p, "<f4"),
        }
        self._log.add({"screen": screen.name} | content | packed)

    def read(self) -> Entries:
        """All that is as it was recorded, and what shows that something is not."""
        reading = self._log.read()
        entries: dict[str, Trial | Claim | ScreenTrials] = {}
        faults = [*reading.faults]
        for line in reading.lines:
            try:
                name, entry = _entry(line)
            except (KeyError, TypeError, ValueError):
                faults.append(
                    f"{self._log.path}: a line cannot be read, got no trial, claim or screen; "
                    "expected those of this version."
                )
                continue
            entries.setdefault(name, entry)
        return Entries(entries, faults)


def _line(trial: Trial) -> dict[str, Any]:
    fields = {name: getattr(trial, name) for name in Trial.__annotations__}
    return fields | {
        "bars": asdict(trial.bars),
        "parameters": json.dumps(trial.parameters, sort_keys=True),
        "days": _packed(trial.days, "<i8"),
        "values": _packed(trial.values, "<f8"),
    }


def _entry(line: Mapping[str, Any]) -> tuple[str, Trial | Claim | ScreenTrials]:
    """Name and content of a line; KeyError, TypeError or ValueError where it is no entry."""
    fields = {name: value for name, value in line.items() if name not in _NAMES}
    bars = fields["bars"]
    span = BarSpan(bars["market"], int(bars["first"]), int(bars["last"]), bars["content"])
    fields["bars"] = span
    if "claim" in line:
        return str(line["claim"]), Claim(**fields)
    if "screen" in line:
        return _screen(line["screen"], fields)
    fields["parameters"] = json.loads(fields["parameters"])
    days, values = _unpacked(fields["days"], "<i8"), _unpacked(fields["values"], "<f8")
    trial = Trial(**fields | {"days": days, "values": values})
    if trial.name != line["trial"]:
        raise ValueError
    return trial.name, trial


def _screen(name: str, fields: dict[str, Any]) -> tuple[str, ScreenTrials]:
    columns = _unpacked(fields.pop("columns"), "<i8")
    scopes, horizons = tuple(fields.pop("scopes")), tuple(fields.pop("horizons"))
    p = _unpacked(fields.pop("p"), "<f4").reshape(len(scopes), len(columns), len(horizons))
    screen = ScreenTrials(**fields, scopes=scopes, columns=columns, horizons=horizons, p=p)
    if screen.name != name:
        raise ValueError
    return name, screen


_NAMES = ("claim", "trial", "screen", "before")
"""What a line holds beside its entry."""


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _unpacked(text: str, kind: str) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), dtype=kind)
