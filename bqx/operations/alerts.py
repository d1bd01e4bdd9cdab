"""Alerts, each told once: what fires and clears is stored before it is sent.

The state file holds how every rule stands, and the alerts with what became of them on each
channel. A number that is not newer than the last of its rule is left alone, so that a second run
tells nothing again. A crash leaves an alert either stored and unsent, and the next run sends it, or
cut off while its last byte left, and the next run says on standard error that nobody knows whether
it arrived. It is then not sent again, and no other channel loses it.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bqx.errors import ArtefactError, BqxError
from bqx.files import atomic, check_seal, digest, from_json, read_regular, sealed, to_json
from bqx.monitoring.measured import SKEW, Measurements
from bqx.operations.alert_rules import RULES, Level, Rule
from bqx.operations.channels import Channel, Message, NotSentError, UnansweredError
from bqx.operations.judgement import Change, Standing, judge

Delivery = Literal["waiting", "sending", "sent", "unknown"]

KEPT = 500
"""Alerts that were sent and are still stored."""
PATIENCE = 30.0
"""Seconds that a run waits for the one before it."""
RUNBOOK = "runbook.html"


@dataclass
class Alert:
    """What fired or cleared: ``deliveries`` by channel."""

    id: str
    rule: str
    level: Level
    change: str
    time: str
    title: str
    text: str
    runbook: str
    deliveries: dict[str, Delivery] = field(default_factory=dict)

    @property
    def message(self) -> Message:
        """What is sent."""
        return Message(self.id, self.level, self.title, self.text, self.runbook)

    @property
    def is_pending(self) -> bool:
        """Whether it has not come to an end on every channel."""
        return any(how in ("waiting", "sending") for how in self.deliveries.values())


@dataclass
class State:
    """What a run must know of those before it.

    ``counters`` : that a server showed; ``published`` : time of the last measurement that was
    handed over to CloudWatch, epoch seconds; ``silent`` : rules that fire and were not told.
    """

    standings: dict[str, Standing] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    counters: dict[str, float] = field(default_factory=dict)
    published: float = 0.0
    silent: list[str] = field(default_factory=list)

    @property
    def firing(self) -> list[str]:
        """Rules that fire."""
        return [name for name, standing in self.standings.items() if standing.firing is not None]

    def since(self, rule: str, default: float) -> float:
        """When a rule was judged last, epoch seconds."""
        time = self.standings.get(rule, Standing()).time
        return default if time is None else time


class Store:
    """The state in a file, for one run at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = State()

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> "Iterator[Store]":
        """The state while nobody else has it.

        Raises BqxError where another run has it too long, ArtefactError for a damaged file.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("a") as lock:
            give_up = time.monotonic() + PATIENCE
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > give_up:
                        raise BqxError(
                            f"{path}: in use, waited {PATIENCE:.0f} seconds; expected the run "
                            "before to end. Run them less often."
                        ) from None
                    time.sleep(0.1)
            store = cls(path)
            store.read()
            yield store

    def read(self) -> None:
        """Read the file; what was being sent when its writer ended is unknown from now on."""
        if not self.path.exists():
            return
        try:
            content = from_json(read_regular(self.path))
            check_seal(content)
            self.state = State(
                {name: Standing(**standing) for name, standing in content["standings"].items()},
                [Alert(**alert) for alert in content["alerts"]],
                content["counters"],
                content["published"],
                content["silent"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ArtefactError(
                f"{self.path}: damaged, got {error!s:.60}; expected the alerts of the runs before. "
                "Restore it, or remove it: what fires is then told anew."
            ) from None
        newest = max(
            (standing.time or 0.0 for standing in self.state.standings.values()), default=0.0
        )
        if newest > time.time() + SKEW:
            # Nothing would be judged before that time.
            raise ArtefactError(
                f"{self.path}: of a time to come, got {datetime.fromtimestamp(newest, UTC)}; "
                "expected one that has passed. Set this machine's clock, or remove the file: what "
                "fires is then told anew."
            )

    def write(self) -> None:
        """Write the file, on the disk before anything is sent."""
        state = self.state
        ended = [alert for alert in state.alerts if not alert.is_pending]
        dropped = {id(alert) for alert in ended[: max(len(ended) - KEPT, 0)]}
        state.alerts = [alert for alert in state.alerts if id(alert) not in dropped]
        text = to_json(sealed(asdict(state)))
        with atomic(self.path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def watch(
    store: Store,
    measured: Sequence[Measurements],
    channels: Sequence[Channel],
    runbook: str = RUNBOOK,
) -> list[Alert]:
    """Judge measurements, oldest first, and tell what fired and cleared; the new alerts.

    ``runbook`` : address of its page, to which the heading of a rule is added.
    """
    fresh: list[Alert] = []
    for measurements in measured:
        fresh += _judged(store.state, measurements, runbook)
    for alert in fresh:
        names = [channel.name for channel in channels if alert.level in channel.levels]
        alert.deliveries = dict.fromkeys(names, "waiting")
    store.state.alerts += fresh
    store.write()
    deliver(store, channels)
    return fresh


def _judged(state: State, measurements: Measurements, runbook: str) -> list[Alert]:
    fresh = []
    for rule in RULES:
        before = state.standings.get(rule.name, Standing())
        after, change = judge(rule, before, measurements.time, measurements.numbers)
        state.standings[rule.name] = after
        change = _told(state, rule, change)
        if change:
            fresh.append(_alert(rule, change, measurements, runbook))
    return fresh


def _told(state: State, rule: Rule, change: Change) -> Change:
    """What of a change is told: nothing while a stricter rule fires, and then what still lasts."""
    is_under = state.standings.get(rule.under, Standing()).firing is not None
    if change == "fired" and is_under:
        state.silent.append(rule.name)
        return ""
    if rule.name not in state.silent or (not change and is_under):
        return change
    state.silent.remove(rule.name)
    return "" if change == "cleared" else "fired"


def _alert(rule: Rule, change: Change, measurements: Measurements, runbook: str) -> Alert:
    stamp = measurements.stamp
    return Alert(
        id=digest([rule.name, change, stamp])[:12],
        rule=rule.name,
        level=rule.level,
        change=change,
        time=stamp,
        title=rule.title if change == "fired" else f"over: {rule.title}",
        text=f"{rule.said(measurements.numbers)}, at {stamp}",
        runbook=f"{runbook}#{rule.runbook}",
    )


def deliver(store: Store, channels: Sequence[Channel]) -> None:
    """Send what waits, and say what was cut off; an error of a channel is said and tried again by
    the next run."""
    by_name = {channel.name: channel for channel in channels}
    for alert in store.state.alerts:
        for name, how in alert.deliveries.items():
            if how == "sending":
                _tell(alert, name, "cut off while it was sent; it may have arrived")
                _note(store, alert, name, "unknown")
            elif how == "waiting" and name in by_name:
                _send(store, alert, by_name[name])


def _send(store: Store, alert: Alert, channel: Channel) -> None:
    try:
        channel.send(alert.message, lambda: _note(store, alert, channel.name, "sending"))
    except NotSentError as error:
        _note(store, alert, channel.name, "waiting")
        _tell(alert, channel.name, f"{error}; the next run tries again")
    except UnansweredError as error:
        _tell(alert, channel.name, f"sent without an answer ({error}); it may have arrived")
        _note(store, alert, channel.name, "unknown")
    else:
        _note(store, alert, channel.name, "sent")


def _note(store: Store, alert: Alert, channel: str, how: Delivery) -> None:
    alert.deliveries[channel] = how
    store.write()


def _tell(alert: Alert, channel: str, what: str) -> None:
    print(f"{channel}: {what}: {alert.message}", file=sys.stderr, flush=True)
