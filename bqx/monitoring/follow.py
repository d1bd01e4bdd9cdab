"""The checks of a capture made by one process as they are due: what it has read of models and
objects it need not read again, which a new process every minute would."""

import sys
import time
from datetime import UTC, datetime
from typing import Any

from bqx.errors import ArtefactError
from bqx.monitoring import checks
from bqx.monitoring.schedule import CHECKS
from bqx.monitoring.watch import watch

AFTER = 5.0
"""Seconds after a minute at which its checks are made."""


def due(place: str, now: datetime) -> list[dict[str, Any]]:
    """Make the checks whose turn a minute is; their verdicts that are new."""
    verdicts = []
    for check in CHECKS.values():
        if check.cron.split()[0] in ("*", str(now.minute)):
            try:
                verdict = watch(place, check.name, now)
            except ArtefactError as error:
                # Nothing is captured yet, or an object is damaged: the next minute looks again.
                print(error, file=sys.stderr, flush=True)
                continue
            verdicts += [verdict] if verdict["made"] else []
    return verdicts


def follow(place: str) -> None:
    """Make the checks as they are due, and say what is not quiet, until interrupted."""
    while True:
        time.sleep(60.0 - (time.time() - AFTER) % 60.0)
        for verdict in due(place, datetime.now(UTC)):
            if verdict["verdict"] != checks.QUIET:
                print(
                    f"{verdict['period'][0]} {verdict['check']}: {verdict['sentence']}", flush=True
                )
