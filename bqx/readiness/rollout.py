"""The rollout: three pairs, then ten, then all 28, a week each, with what lets a phase end.

Who let it begin and end stands in a log whose lines are chained, see `bqx.runs.chained_log`.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.evaluation.reasons import Reason
from bqx.files import alone, read_parquet
from bqx.market import sessions
from bqx.market.pairs import LIQUIDITY
from bqx.monitoring.capture import lot
from bqx.runs.chained_log import ChainedLog

LOG = "rollout.jsonl"
PHASES: dict[int, tuple[str, ...]] = {
    1: ("eurusd", "gbpusd", "usdjpy"),
    2: (
        *("eurusd", "gbpusd", "usdjpy", "audusd", "usdcad", "usdchf"),
        *("nzdusd", "eurgbp", "eurjpy", "gbpjpy"),
    ),
    3: LIQUIDITY,
}
DAYS = 5
"""Trading days of a phase: a week."""
PROMPT = 6.0
"""Minutes from a bar's open within which its forecast counts."""
AVAILABILITY, ERRORS, P99_MS, COVERED = 0.999, 0.05, 250.0, 0.99
"""Least share of requests answered by the server; most shares of errors; longest 99th percentile;
least share of the minutes of an open market in which a pair was forecast."""


@dataclass(frozen=True)
class Event:
    """A line of the rollout's log: ``action`` is ``begun``, ``signed`` or ``rolled back``."""

    phase: int
    action: str
    by: str
    at: float
    words: str = ""
    criteria: Sequence[str] = ()


class Rollout:
    """What was begun, signed and rolled back, in a folder of records."""

    def __init__(self, records: Path) -> None:
        self.log = ChainedLog(records / LOG)

    def events(self) -> list[Event]:
        """All lines, oldest first.

        Raises ArtefactError for a log that was altered.
        """
        lines = self.log.intact("The rollout stands still until that is clear.")
        return [
            Event(**{name: line[name] for name in Event.__dataclass_fields__}) for line in lines
        ]

    @property
    def open(self) -> Event | None:
        """The phase that runs; None where none does."""
        events = self.events()
        return events[-1] if events and events[-1].action == "begun" else None

    @property
    def reached(self) -> int:
        """Last phase that was signed and not rolled back; 0 for none."""
        reached = 0
        for event in self.events():
            if event.action == "signed":
                reached = event.phase
            elif event.action == "rolled back":
                reached = event.phase - 1
        return reached

    def begin(self, by: str, approved: Sequence[str]) -> Event:
        """Begin the next phase.

        Parameters
        ----------
        approved : pairs that have an approved version.

        Raises ParameterError where a phase runs, all are done, or a pair has no version.
        """
        with self._alone():
            phase = self.reached + 1
            if (running := self.open) is not None:
                raise ParameterError(
                    f"rollout: phase {running.phase} runs, got another begin; expected its "
                    "signature. bqx ready rollout sign"
                )
            if phase not in PHASES:
                raise ParameterError(
                    "rollout: all phases are signed, got another begin; expected none."
                )
            lacking = [pair for pair in PHASES[phase] if pair not in approved]
            if lacking:
                raise ParameterError(
                    f"rollout: {lacking[0]} has no approved version, got {len(lacking)} such pairs "
                    f"of phase {phase}; expected none. bqx registry list DIR says why."
                )
            return self._add(phase, "begun", by, criteria=())

    def sign(self, by: str, criteria: Sequence[Reason], words: str = "") -> Event:
        """Sign the phase that runs, where all of its criteria hold.

        Raises ParameterError where none runs, nobody signs, or a criterion fails.
        """
        with self._alone():
            running = self._running()
            failed = [reason for reason in criteria if not reason.passed]
            if failed or not criteria:
                raise ParameterError(
                    f"rollout: phase {running.phase} cannot be signed, got "
                    f"{failed[0] if failed else 'no criteria'}; expected all of them to hold. bqx "
                    "ready rollout show --capture DIR measures them"
                )
            return self._add(running.phase, "signed", by, criteria=criteria, words=words)

    def roll_back(self, by: str, words: str) -> Event:
        """End the phase that runs, or the last one signed, as one that failed.

        Raises ParameterError where nothing was begun, or no reason is given.
        """
        with self._alone():
            phase = running.phase if (running := self.open) else self.reached
            if not phase or not words.strip():
                raise ParameterError(
                    f"rollout: no {'reason' if phase else 'phase'} to roll back, got none; "
                    "expected one. bqx ready rollout back REASON"
                )
            return self._add(phase, "rolled back", by, criteria=(), words=words)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """What is decided by the log's last line is written before another line can be."""
        busy = (
            f"{self.log.path}: another command is adding to it, got its lock; expected none. Look "
            "at bqx ready rollout show, and do it again."
        )
        with alone(self.log.path.with_name(f".{LOG}.lock"), busy):
            yield

    def _running(self) -> Event:
        running = self.open
        if running is None:
            raise ParameterError(
                "rollout: no phase runs, got none; expected one. bqx ready rollout begin"
            )
        return running

    def _add(
        self, phase: int, action: str, by: str, *, criteria: Sequence[Reason], words: str = ""
    ) -> Event:
        if not by.strip():
            raise ParameterError("rollout: nobody signs, got no name; expected one. --by NAME")
        event = Event(phase, action, by, time.time(), words, tuple(map(str, criteria)))
        self.log.add(asdict(event))
        return event


def captured(folder: Path, since: float) -> pd.DataFrame:
    """Forecasts and answers of captured minutes since a time: kind, pair, minute, at, status, ms.

    Raises ArtefactError for a file that cannot be read.
    """
    columns = ["kind", "pair", "minute", "at", "status", "ms"]
    frames = []
    for path in sorted(folder.glob("minutes/*/*.parquet")):
        frames.append(read_parquet(path, columns))
    if not frames:
        return pd.DataFrame(columns=columns)
    rows = pd.concat(frames, ignore_index=True)
    return rows[(rows["at"] >= since * 1e9) & rows["kind"].isin(("forecast", "answer"))]


def criteria(phase: int, rows: pd.DataFrame, since: float, now: float) -> tuple[Reason, ...]:
    """What lets a phase end, each with what was measured.

    Parameters
    ----------
    rows : of `captured`, since the phase began.
    since, now : seconds since 1970 when it began, and when it is measured.
    """
    forecasts, answers = _timely(rows, since), rows[rows["kind"] == "answer"]
    minutes = forecasts["minute"].to_numpy(np.int64)
    days = len(np.unique(sessions.trading_days(minutes))) if len(minutes) else 0
    status, spent = (answers[name].astype(float) for name in ("status", "ms"))
    share = forecasts.groupby("pair")["minute"].nunique() / max(_kept(minutes, since, now), 1)
    covered = {pair: float(share.get(pair, 0.0)) for pair in PHASES[phase]}
    worst = min(covered, key=lambda pair: covered[pair])
    answered = len(answers) > 0
    return (
        Reason.check("trading days", float(days), ">=", bound=DAYS),
        Reason.check(
            "share answered without a fault of the server",
            float((status < 500).mean()) if answered else None,
            ">=",
            bound=AVAILABILITY,
        ),
        Reason.check(
            "share of errors",
            float((status >= 400).mean()) if answered else None,
            "<=",
            bound=ERRORS,
        ),
        Reason.check(
            "latency P99 (ms)",
            float(spent.quantile(0.99)) if answered else None,
            "<=",
            bound=P99_MS,
        ),
        Reason.check(
            "share of minutes forecast, the worst pair",
            covered[worst],
            ">=",
            bound=COVERED,
            note=worst,
        ),
    )


def _timely(rows: pd.DataFrame, since: float) -> pd.DataFrame:
    """Forecasts of minutes since a time that were made when their bars had just ended: who asks
    sends the bars, and those of a week ago are answered within a second."""
    forecasts = rows[(rows["kind"] == "forecast") & (rows["minute"] * 60 >= since)]
    late = forecasts["at"] / 60e9 - forecasts["minute"].astype(float)
    return forecasts[(late >= 0.0) & (late <= PROMPT)]


def _kept(minutes: NDArray[np.int64], since: float, now: float) -> int:
    """Number of minutes of an open market whose forecasts a capture keeps, by the share that the
    minutes it has kept tell."""
    share = max(map(lot, minutes.tolist()), default=1.0)
    passed = sessions.grid(-int(-since // 60), int(now // 60) - 1)
    return sum(lot(minute) <= share for minute in passed.tolist())
