"""What starts a retraining: the schedule, drift, or a model that does worse than it did."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bqx.evaluation.reasons import Reason
from bqx.monitoring import measured as files
from bqx.monitoring import metrics

WEEKDAY, HOUR = 0, 2
"""Monday at 02:00 UTC, when the FX week is some hours old."""
SCHEDULE = "cron(0 2 ? * MON *)"
"""The same as AWS writes it."""
SCHEDULED = "schedule: Monday 02:00 UTC"

BOUNDS: tuple[tuple[str, str, float], ...] = (
    ("panel_drift", ">=", 1.0),
    ("r2_change", "<=", -0.05),
    ("mae_ratio", ">=", 1.2),
    ("skill_drop", ">=", 0.02),
)
"""Measurements that start a retraining, by name: the panel of inputs drifted, R² fell by 0.05, the
error grew by 20 percent, as the documents have it, or skill fell by 2 percent of the variance; what
a day like the bundle's own passes by chance starts none, see `metrics.is_usual`."""


def scheduled(now: datetime) -> datetime:
    """The last scheduled time that is not after now.

    >>> scheduled(datetime(2024, 7, 1, 1, 59, tzinfo=UTC)).isoformat()
    '2024-06-24T02:00:00+00:00'
    """
    monday = now.astimezone(UTC) - timedelta(days=now.astimezone(UTC).weekday() - WEEKDAY)
    due = monday.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return due if due <= now else due - timedelta(days=7)


def fired(
    now: datetime, last: datetime | None, measured: Mapping[str, float | None]
) -> tuple[Reason, ...]:
    """What starts a retraining now; none where nothing does.

    Parameters
    ----------
    last : bars until when the last retraining has read, None before the first.
    measured : newest measurements by name; unknown names and None do not count.
    """
    reasons = []
    if last is None or last < scheduled(now):
        reasons.append(Reason(SCHEDULED, note=f"last {last:%Y-%m-%d %H:%M}" if last else "first"))
    for name, sign, bound in BOUNDS:
        value = measured.get(name)
        if value is not None and not metrics.is_usual(name, measured):
            chance = measured.get(metrics.chance_of(name))
            note = "" if chance is None else f"a usual day is as bad with a chance of {chance:.2g}"
            reason = Reason.check(name, value, sign, bound=bound, note=note)
            reasons += [reason] if reason.passed else []
    return tuple(reasons)


def measured(path: Path, now: datetime, since: datetime | None) -> dict[str, float | None]:
    """The newest measurements of a file, empty where they are not newer than the last retraining.

    A measurement starts one retraining: what it said of the model before says nothing of the next.

    Raises ArtefactError for a file that holds none.
    """
    first = since.timestamp() if since else float("-inf")
    newer = [
        measurements
        for measurements in files.read([str(path)])
        if first < measurements.time <= now.timestamp()
    ]
    return dict(newer[-1].numbers) if newer else {}
