"""The command ``bqx monitor``: checks of a capture, or of a run's last test days."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bqx.errors import ParameterError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add the command to those of ``bqx``."""
    parser = commands.add_parser(
        "monitor",
        help="judge what a server captured, each period once; status 1 on an alarm",
    )
    parser.add_argument(
        "place",
        metavar="RUN_OR_CAPTURE",
        help="what `bqx serve --capture` writes, folder or s3://; or a run's folder, with --daily",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    for name, about in (
        ("minute", "feeds that stand still, every minute"),
        ("hourly", "quality of bars and columns, and labels that became known"),
        ("daily", "drift and performance of the panel"),
    ):
        which.add_argument(f"--{name}", dest="check", action="store_const", const=name, help=about)
    which.add_argument(
        "--follow", action="store_true", help="all of them as they are due, until interrupted"
    )
    which.add_argument(
        "--schedule",
        choices=("cron", "eventbridge"),
        help="print when the checks are due: a crontab, or EventBridge's requests",
    )
    parser.add_argument("--target", default="", metavar="ARN", help="what EventBridge calls")
    parser.add_argument("--role", default="", metavar="ARN", help="that may call it")
    parser.set_defaults(command=_monitor)


def _monitor(asked: argparse.Namespace) -> int:
    from bqx.monitoring import schedule

    if asked.schedule == "cron":
        print(schedule.crontab(asked.place), end="")
        return 0
    if asked.schedule:
        if not (asked.target and asked.role):
            raise ParameterError("--target, --role: absent, got none; expected ARNs of both.")
        requests = schedule.eventbridge(asked.place, asked.target, asked.role)
        print(json.dumps(requests, indent=1))
        return 0
    if asked.follow:
        return _followed(asked.place)
    return _checked(asked.place, asked.check)


def _followed(place: str) -> int:
    from contextlib import suppress

    from bqx.monitoring.follow import follow

    with suppress(KeyboardInterrupt):
        follow(place)
    return 0


def _checked(place: str, check: str) -> int:
    from bqx.monitoring import checks, watch
    from bqx.runs import artefacts

    of_run = Path(place) / artefacts.MONITORED.path()
    if (Path(place) / "manifest.json").exists() or of_run.exists():
        return _of_run(Path(place), check)
    verdict = watch.watch(place, check)
    print(f"{verdict['period'][0]} to {verdict['period'][1]}: {verdict['sentence']}")
    _print(verdict)
    return int(verdict["verdict"] == checks.ALARM)


def _of_run(run: Path, check: str) -> int:
    """What notebook 09 found of a run's last test days."""
    from bqx.monitoring import checks
    from bqx.params import Params
    from bqx.runs import artefacts
    from bqx.runs.run import Run

    if check != "daily":
        raise ParameterError(
            f"--{check}: not of a run, got {run}; expected --daily, or what `bqx serve --capture` "
            "writes."
        )
    monitored = artefacts.MONITORED.read(Run(run.resolve(), Params()))
    print(monitored["sentence"])
    for day in monitored["days"]:
        print(f"{day['day']}: {day['sentence']}")
    if monitored["days"]:
        _print(monitored["days"][-1])
    return int(any(day["verdict"] == checks.ALARM for day in monitored["days"]))


def _print(verdict: dict[str, Any]) -> None:
    for name, value in sorted(verdict["measurements"].items()):
        print(f"  {name} {'-' if value is None else f'{value:.6g}'}")
