"""``bqx plan``: the plan and what delivers it, printed, or pushed to Airtable."""

import argparse
import re
from typing import TYPE_CHECKING

from bqx.errors import ParameterError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add ``plan`` to the commands of ``bqx``."""
    parser = commands.add_parser("plan", help="the documents' plan, and what delivers each task")
    parser.add_argument("--push", metavar="BASE", type=_base, help="base of Airtable, app...")
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what the push would change"
    )
    parser.set_defaults(command=_plan)


def _base(text: str) -> str:
    """Name of a base, which becomes part of an address."""
    if not re.fullmatch(r"app[A-Za-z0-9]+", text):
        raise argparse.ArgumentTypeError(f"no base, got {text[:40]!r}; expected app and letters")
    return text


def _plan(asked: argparse.Namespace) -> int:
    from bqx.project_plan import plan

    project_plan = plan.read()
    if not asked.push:
        if asked.dry_run:
            raise ParameterError("--dry-run: of no use, got no --push; expected --push BASE too.")
        print(plan.shown(project_plan))
        return 0
    from pyairtable import Api

    from bqx.project_plan import airtable

    base = airtable.Base(Api(airtable.token(), timeout=(10, 60)), asked.push)
    changes = airtable.push(project_plan, base, dry_run=asked.dry_run)
    for change in changes:
        fields = ", ".join(sorted(change.fields))
        print(f"{change.table}\t{change.key}\t{change.kind}\t{fields}")
    would = "would be " if asked.dry_run else ""
    print(f"{len(changes)} records {would}changed")
    return 0
