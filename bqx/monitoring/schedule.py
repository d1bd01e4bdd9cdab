"""When the checks run: one declaration, as a crontab and as schedules of EventBridge."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bqx.market import sessions
from bqx.monitoring.checks import minutes_of_day

GRACE = 5


@dataclass(frozen=True)
class Check:
    """A check that is run again and again.

    ``minutes`` : length of its period; ``history`` : minutes before it that are read too;
    ``grace`` : minutes after it in which what is written down still counts.
    ``cron`` : minute, hour, day, month and weekday at which it is due, UTC. A run that finds
    nothing new changes nothing, so that a time may be named twice.
    """

    name: str
    minutes: int
    history: int
    grace: int
    cron: str
    about: str


CHECKS = {
    check.name: check
    for check in (
        Check("minute", 1, 30, 1, "* * * * *", "feeds that stand still"),
        Check("hourly", 60, 360, GRACE, f"{GRACE + 1} * * * *", "quality of bars and columns"),
        # 17:00 in New York is 21:00 or 22:00 UTC.
        Check(
            "daily", sessions.DAY, sessions.DAY, GRACE, f"{GRACE + 5} 21,22 * * *", "drift, skill"
        ),
    )
}


def periods(check: Check, first: int, now: int) -> list[tuple[int, int]]:
    """Periods of the open market from an epoch minute on that are over and can be judged: their
    first minute and the one after their last, oldest first."""
    if check.name == "daily":
        days = np.unique(sessions.trading_days(np.arange(first, now, 60)))
        spans = [minutes_of_day(day) for day in days.tolist()]
    else:
        start = first // check.minutes * check.minutes
        starts = np.arange(start, now, check.minutes)
        spans = [(m, m + check.minutes) for m in starts[sessions.is_open(starts)].tolist()]
    return [(start, end) for start, end in spans if end > first and 0 < end + check.grace <= now]


def crontab(place: str, command: str = "bqx") -> str:
    """Lines of a crontab that run the checks of a place, in UTC."""
    # Cron starts in another folder, and reads a percent sign as the end of the line.
    address = place if "://" in place else str(Path(place).absolute())
    quoted = shlex.quote(address).replace("%", "\\%")
    lines = ["CRON_TZ=UTC"]
    lines += [
        f"{check.cron} {command} monitor --{name} {quoted}  # {check.about}"
        for name, check in CHECKS.items()
    ]
    return "\n".join(lines) + "\n"


def eventbridge(place: str, target: str, role: str) -> list[dict[str, Any]]:
    """Requests of EventBridge Scheduler's CreateSchedule that run the checks of a place.

    Parameters
    ----------
    target, role : ARNs of what runs ``bqx monitor`` with an event's arguments, and of the role that
        may call it.
    """
    return [
        {
            "Name": f"bqx-monitor-{name}",
            "ScheduleExpression": _expression(check),
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Description": check.about,
            "Target": {
                "Arn": target,
                "RoleArn": role,
                "Input": json.dumps({"arguments": ["monitor", f"--{name}", place]}),
            },
        }
        for name, check in CHECKS.items()
    ]


def _expression(check: Check) -> str:
    if check.cron == "* * * * *":
        return "rate(1 minute)"
    minute, hour, day, month, _ = check.cron.split()
    # One of day and weekday must be a question mark there, and a year stands last.
    return f"cron({minute} {hour} {day} {month} ? *)"
