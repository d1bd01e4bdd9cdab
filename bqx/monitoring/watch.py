"""Running the checks of a capture: each period is judged once, whenever and however often."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.files import to_json
from bqx.market import sessions
from bqx.monitoring import captured, checks, objects
from bqx.monitoring import feed as bar_feed
from bqx.monitoring.measured import FILE, Measurements
from bqx.monitoring.schedule import CHECKS, Check, periods

VERDICTS, LABELS = "verdicts", "labels"
VERDICT = "judged.json"
"""The newest verdict of each check, beside the file of measurements."""
FARTHEST = {"minute": 10, "hourly": 48 * 60, "daily": 14 * sessions.DAY}
"""Minutes back to which a check that was not run is made up for."""


def watch(place: str, name: str, now: datetime | None = None) -> dict[str, Any]:
    """Make a check of a capture for every period that is over and not judged yet.

    Returns
    -------
    The newest verdict: check, period, verdict, sentence, reasons, measurements, and ``made``, how
    many verdicts were new.

    Raises ArtefactError where nothing was captured or no period is over yet.
    """
    folder, check = Folder(place), CHECKS[name]
    at = datetime.now(UTC) if now is None else now
    due = _due(folder, check, int(at.timestamp()) // 60)
    if not due:
        return _closed(check, at)
    judged = 0
    for start, end in due:
        judged += _judge(folder, check, start, end)
    newest = folder.read_json(_path(check, due[-1][0]))
    if judged:
        _publish(folder)
    return newest | {"made": judged}


def _due(folder: Folder, check: Check, now: int) -> list[tuple[int, int]]:
    """Periods that are over, oldest first; none where the market was closed."""
    first = objects.first_minute(folder, now - FARTHEST[check.name])
    if first is None:
        raise ArtefactError(
            f"{folder.place}: nothing was captured, got no object; expected what `bqx serve "
            "--capture` writes."
        )
    spans = periods(check, max(first, now - FARTHEST[check.name]), now)
    if not spans and now < first + check.minutes + check.grace:
        raise ArtefactError(
            f"{folder.place}: no period is over, got captures from "
            f"{sessions.timestamp(first)} on; expected {check.minutes} minutes of the "
            f"market and {check.grace} more. Wait."
        )
    return spans


def _closed(check: Check, now: datetime) -> dict[str, Any]:
    """What is said, and not written, where no period of the open market is at hand."""
    verdict = checks.unjudged("the market was closed")
    return verdict | {"check": check.name, "period": [now.isoformat()] * 2, "made": 0}


def _judge(folder: Folder, check: Check, start: int, end: int) -> bool:
    """Judge a period unless it was; whether it was judged now."""
    path = _path(check, start)
    if folder.has(path):
        return False
    stamps = sessions.timestamps(np.array([start, end]))
    verdict = {
        "check": check.name,
        "period": [stamp.isoformat() for stamp in stamps],
        **_verdict(folder, check, start, end),
    }
    folder.write(path, to_json(verdict).encode())
    return True


def _verdict(folder: Folder, check: Check, start: int, end: int) -> dict[str, Any]:
    day = int(sessions.trading_days(np.array([start]))[0])
    # The day before a Monday is a Friday.
    weekend = 2 * sessions.DAY if check.name == "daily" and (day + 3) % 7 == 0 else 0
    first = start - check.history - weekend
    named = objects.names(folder, first, end + check.grace)
    if not named:
        silent = len(sessions.grid(first, end - 1))
        why = f"nothing was captured in the {check.history} minutes before"
        return checks.nothing(why, {"newest_bar_age_minutes": float(silent)})
    if check.name == "minute":
        return checks.minutely(bar_feed.read(folder, named, first, end), end)
    period = captured.read(folder, first, end, check.grace)
    if not period.pairs:
        return checks.nothing(checks.NO_FORECAST)
    if check.name == "hourly":
        _write_labels(folder, period, start, end)
        return checks.hourly(period, end)
    return checks.daily(period, day)


def _write_labels(folder: Folder, period: captured.Period, start: int, end: int) -> None:
    """Write the labels that became known in a period, by the forecasts' ids."""
    frames = []
    for pair, rows in period.pairs.items():
        labels = rows.until(end).labels()
        new_labels = labels[labels["known_at"].between(start + 1, end)]
        frames.append(
            new_labels.assign(id=rows.model + ":" + new_labels["minute"].astype(str), pair=pair)
        )
    frame = pd.concat(frames, ignore_index=True)
    stamp = sessions.timestamps(np.array([start]))[0]
    folder.write(f"{LABELS}/{stamp:%Y-%m-%d/%H%M}.parquet", frame.to_parquet())


def _path(check: Check, start: int) -> str:
    return f"{VERDICTS}/{check.name}/{sessions.timestamp(start):%Y-%m-%d/%H%M}.json"


def _newest(folder: Folder, check: Check) -> dict[str, Any] | None:
    """The newest verdict of a check."""
    place = f"{VERDICTS}/{check.name}"
    for day in reversed(Folder(f"{folder.place}/{place}").folders()):
        names = Folder(f"{folder.place}/{place}/{day}").names()
        if names:
            verdict: dict[str, Any] = folder.read_json(f"{place}/{day}/{names[-1]}")
            return verdict
    return None


def _publish(folder: Folder) -> None:
    """Write the newest verdict, and the newest measurements of all checks, which alert rules
    read."""
    verdicts = {name: _newest(folder, check) for name, check in CHECKS.items()}
    newest = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    measured: dict[str, float | None] = {}
    ordered = sorted(newest.values(), key=lambda verdict: str(verdict["period"][1]))
    for verdict in ordered:
        measured |= verdict["measurements"]
    last = ordered[-1]
    at = datetime.fromisoformat(last["period"][1]).timestamp()
    folder.write_json(FILE, Measurements(at, measured).content())
    folder.write_json(VERDICT, last | {"checks": newest})
