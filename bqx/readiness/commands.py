"""``bqx ready``: the checklist, the load test, backups and the drill, and the rollout."""

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bqx.errors import ParameterError
from bqx.params import options
from bqx.params.real_numbers import real

if TYPE_CHECKING:
    from bqx.readiness.drill import Drill

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

RECORDS = Path("readiness")
"""Folder of what load tests, drills and the rollout write, from here."""


def add(commands: "Commands") -> None:
    """Register ``ready`` and its own commands."""
    parser = commands.add_parser("ready", help="checklist, load test, disaster drill and rollout")
    subcommands = parser.add_subparsers(required=True, metavar="WHAT")
    check = subcommands.add_parser("check", help="the checklist; status 1 where a line fails")
    for name, what in (("run", "a finished run"), ("registry", "a registry"), ("book", "pages")):
        check.add_argument(f"--{name}", type=options.place, metavar="DIR", help=f"folder of {what}")
    check.set_defaults(command=_check)
    press = subcommands.add_parser("load", help="three times the peak at a server, for ten minutes")
    press.add_argument("url", metavar="URL", help="what is asked; POST where --body is given")
    press.add_argument("--body", type=options.place, nargs="+", default=[], metavar="FILE")
    press.add_argument(
        "--rate", type=real(0.01, 10_000.0), default=100.0, metavar="N", help="requests a second"
    )
    press.add_argument("--seconds", type=real(0.1, 86_400.0), default=600.0, metavar="S")
    press.add_argument("--key", default="", metavar="KEY", help="value of the header x-api-key")
    press.set_defaults(command=_load)
    drill, rebuild = _add_recovery(subcommands)
    roll = subcommands.add_parser("rollout", help="3, 10, then 28 pairs: show, begin, sign or back")
    roll.add_argument("action", choices=("show", "begin", "sign", "back"))
    roll.add_argument("words", nargs="*", metavar="WORDS", help="of who signs or rolls back")
    roll.add_argument("--by", default="", metavar="NAME", help="who signs; default the user")
    roll.add_argument(
        "--registry", type=options.place, metavar="DIR", help="whose approved pairs count"
    )
    roll.set_defaults(command=_rollout)
    for asked in (check, roll):
        asked.add_argument("--capture", type=options.place, metavar="DIR", help="captured minutes")
    for asked in (check, press, drill, rebuild, roll):
        asked.add_argument(
            "--records",
            type=options.place,
            default=RECORDS,
            metavar="DIR",
            help="default %(default)s",
        )


def _add_recovery(own: "Commands") -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Add what brings a lost store or database back; those two that keep records."""
    backup = own.add_parser("backup", help="copy what is new in a folder, with its hashes")
    drill = own.add_parser("drill", help="bring a folder back from its backup, elsewhere")
    for asked in (backup, drill):
        asked.add_argument("folder", type=options.place, metavar="FOLDER")
        asked.add_argument("place", type=options.place, metavar="BACKUP")
    backup.set_defaults(command=_backup)
    back = own.add_parser("restore", help="bring a folder back that is lost or empty")
    back.add_argument("place", type=options.place, metavar="BACKUP")
    back.add_argument("folder", type=options.place, metavar="FOLDER")
    back.set_defaults(command=_restore)
    drill.set_defaults(command=_drill)
    rebuild = own.add_parser("rebuild", help="build an empty database anew, and measure that")
    options.add_bars(rebuild)
    rebuild.add_argument(
        "--store", type=options.place, metavar="DIR", help="published features, too"
    )
    rebuild.set_defaults(command=_rebuild)
    return drill, rebuild


def _check(asked: argparse.Namespace) -> int:
    from bqx.readiness import checklist
    from bqx.readiness.check import Evidence

    for name in ("run", "registry", "book", "capture"):
        _check_named(f"--{name}", vars(asked)[name])
    book = checklist.beside(asked.book)
    evidence = Evidence(asked.run, asked.registry, asked.capture, book, asked.records)
    checks = checklist.answered(evidence)
    for line in checks:
        print(f"{line.outcome:<12}  {line.what}: {line.measured}  [{line.how}]")
    counts = [sum(c.outcome == o for c in checks) for o in ("pass", "fail", "not measured")]
    print(f"{counts[0]} pass, {counts[1]} fail, {counts[2]} not measured")
    return int(counts[1] > 0)


def _check_named(option: str, folder: Path | None) -> None:
    if folder is not None and not folder.is_dir():
        raise ParameterError(f"{option}: no folder, got {folder}; expected one that is there.")


def _load(asked: argparse.Namespace) -> int:
    from bqx.files import check_writable, read_regular
    from bqx.readiness import load

    bodies = [read_regular(path) for path in asked.body]
    # Before the ten minutes, not after them.
    check_writable(asked.records)
    headers = {"x-api-key": asked.key} if asked.key else {}
    if bodies:
        headers["content-type"] = "application/json"
    pressed = load.press(asked.url, bodies, asked.rate, seconds=asked.seconds, headers=headers)
    pressed.write(asked.records)
    spent = f"P50 {pressed.p50:.1f}, P95 {pressed.p95:.1f}, P99 {pressed.p99:.1f} ms"
    print(
        f"{pressed.sent:,} requests, {pressed.failed} failed, {pressed.reached:.1f} answered a "
        f"second; {spent if pressed.failed < pressed.sent else 'nobody answered'}"
    )
    return int(pressed.failed > 0)


def _backup(asked: argparse.Namespace) -> int:
    from bqx.readiness import drill

    print(f"{asked.place}: {drill.backup(asked.folder, asked.place)} files are new")
    return 0


def _restore(asked: argparse.Namespace) -> int:
    from bqx.readiness import drill

    print(f"{asked.folder}: {drill.restore(asked.place, asked.folder)} files are back")
    return 0


def _drill(asked: argparse.Namespace) -> int:
    from bqx.readiness import drill

    with tempfile.TemporaryDirectory() as temporary:
        drilled = drill.drill(asked.folder, asked.place, Path(temporary))
    drilled.write(asked.records, asked.folder.resolve().name)
    return _told(drilled)


def _told(drilled: "Drill") -> int:
    from bqx.readiness.drill import RPO, RTO

    print(
        f"{drilled.files} files, {drilled.mb:.1f} MB, back in {drilled.rto:.1f} s (asked: "
        f"{RTO:.0f}); {drilled.lost} files of the last {drilled.rpo:.0f} s lost (asked: "
        f"{RPO:.0f})"
    )
    return int(not drilled.whole or drilled.rto > RTO or drilled.rpo > RPO)


def _rebuild(asked: argparse.Namespace) -> int:
    from bqx.database import connect
    from bqx.feature_store.store import Store
    from bqx.market import readers
    from bqx.readiness import database_drill

    frames = readers.read_folder(asked.bars, **options.values(asked))
    store = Store(str(asked.store)) if asked.store else None
    engine = connect.connect(connect.url())
    try:
        rebuilt = database_drill.rebuild(engine, frames, store)
    finally:
        engine.dispose()
    rebuilt.write(asked.records, "database")
    return _told(rebuilt)


def _rollout(asked: argparse.Namespace) -> int:
    from bqx.evaluation.reasons import Reason
    from bqx.readiness import rollout
    from bqx.runs.chained_log import user
    from bqx.serving.registry import Registry
    from bqx.serving.registry_folder import Folder

    for name in ("registry", "capture"):
        _check_named(f"--{name}", vars(asked)[name])
    rollout_log, by = rollout.Rollout(asked.records), asked.by or user()
    running, words = rollout_log.open, " ".join(asked.words)
    criteria: tuple[Reason, ...] = ()
    if running is not None and asked.capture is not None:
        rows = rollout.captured(asked.capture, running.at)
        criteria = rollout.criteria(running.phase, rows, running.at, time.time())
    if asked.action == "begin":
        pairs = rollout.PHASES[3] if asked.registry else ()
        versions = Registry(Folder(asked.registry), by) if asked.registry else None
        approved = [p for p in pairs if versions and versions.latest_approved(p)]
        rollout_log.begin(by, approved)
    elif asked.action == "sign":
        rollout_log.sign(by, criteria, words)
    elif asked.action == "back":
        rollout_log.roll_back(by, words)
    for event in rollout_log.events():
        print(f"{event.at:.0f}  phase {event.phase}  {event.action}  by {event.by}  {event.words}")
    for reason in criteria if asked.action == "show" else ():
        print(f"{'holds' if reason.passed else 'fails':<6}  {reason}")
    return 0
