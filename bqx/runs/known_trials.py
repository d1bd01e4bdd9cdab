"""What is known of trials: the machine's ledger, and the copy that a run keeps of its own.

Every trial on bars of the same market counts that share a minute with those of a run, wherever the
runs lie and whichever pairs they read.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bqx.errors import ParameterError
from bqx.runs.artefacts import DATASET
from bqx.runs.ledger import Claim, Entries, Ledger
from bqx.runs.run import Run
from bqx.runs.screens import ScreenTrials
from bqx.runs.trials import BarSpan, Trial

PLACE = "BQX_LEDGER"
"""Environment variable that names the folder of the machine's ledger."""
COPY = "ledger"
"""Folder of a run's own copy."""


@dataclass(frozen=True)
class Known:
    """Trials on bars that overlap those of a run.

    ``trials`` : each once, in order of their names. ``faults`` : what shows that there were more,
    a sentence each. ``claims`` : of this run, with the number of its own trials that had been
    recorded before the claim. ``screens`` : of columns, on rows that no fold tests, so that they
    count against each other and against no profit.
    """

    trials: list[Trial]
    faults: list[str]
    claims: list[tuple[Claim, int]]
    screens: list[ScreenTrials]


def place(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the machine's ledger: `PLACE`, or ``bqx/ledger`` where the user's data lie.

    Raises
    ------
    ParameterError : the variable names no absolute folder, or the user has no home.
    """
    named = environment.get(PLACE, "")
    default = "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/share"
    data = environment.get("XDG_DATA_HOME") or default
    try:
        folder = Path(named).expanduser() if named else Path(data).expanduser() / "bqx" / "ledger"
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise ParameterError(
            f"{PLACE}: no absolute folder for the ledger of trials, got {named or data!r}; "
            f"expected one such as /home/me/ledger. Set {PLACE}."
        )
    return folder


def machine() -> Ledger:
    """The machine's ledger, which need not exist yet."""
    return Ledger(place())


def copy(run: Path) -> Ledger:
    """What a run folder itself keeps of its trials and claims."""
    return Ledger(run / COPY)


def record(run: Path, *trials: Trial) -> None:
    """Record trials of a run in the machine's ledger and in the run's copy."""
    for ledger in (machine(), copy(run)):
        ledger.record(*trials)


def claim(run: Path, claimed: Claim) -> None:
    """Record a claim on a run in the machine's ledger and in the run's copy."""
    for ledger in (machine(), copy(run)):
        ledger.claim(claimed)


def screen(run: Path, screened: ScreenTrials) -> None:
    """Record a screen of columns in the machine's ledger and in the run's copy."""
    for ledger in (machine(), copy(run)):
        ledger.screen(screened)


def span(run: Run) -> BarSpan:
    """Bars of a run; ArtefactError when notebook 01 has not written them."""
    facts = DATASET.read(run)
    market = facts["market"]
    name = f"{market['mode']} {market['seed']}" if market else "files"
    first, last = facts["minutes"]
    return BarSpan(name, first, last, run.manifest["data_hash"])


def known(run: Run) -> Known:
    """Trials on bars that overlap those of a run, of all runs on the machine.

    What the run's copy holds and the machine's ledger lacks counts too, and is told.

    Raises
    ------
    ArtefactError : a ledger cannot be read, or notebook 01 has not written the run's bars.
    """
    seen, ledger = span(run), machine()
    # A run at work records in the machine's ledger first, so that is read last.
    of_run = copy(run.folder).read()
    of_machine = ledger.read()
    missing = [name for name in of_run.entries if name not in of_machine.entries]
    faults = [*of_machine.faults, *of_run.faults]
    if missing:
        faults.append(
            f"{ledger.folder}: entries are missing, got none of {len(missing)} that this run has "
            f"recorded; expected all. Restore it, set {PLACE} to the ledger that has them, or run "
            "again from 06_training."
        )
    entries = of_machine.entries | {name: of_run.entries[name] for name in missing}
    every = Entries(entries, [])
    return Known(
        trials=[trial for trial in every.trials if trial.bars.overlaps(seen)],
        faults=faults,
        claims=_claims(entries, of_run),
        screens=[screen for screen in every.screens if screen.bars.overlaps(seen)],
    )


def _claims(
    entries: Mapping[str, Trial | Claim | ScreenTrials], of_run: Entries
) -> list[tuple[Claim, int]]:
    """Claims of a run, each with the number of the run's trials that stand before it."""
    claims, before = [], 0
    for entry in (entry for name, entry in entries.items() if name in of_run.entries):
        if isinstance(entry, Claim):
            claims.append((entry, before))
        elif isinstance(entry, Trial):
            before += 1
    return claims
