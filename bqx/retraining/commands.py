"""``bqx retrain``: one call of the loop, as often as a scheduler likes."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bqx import params
from bqx.errors import ParameterError
from bqx.market import sessions
from bqx.params import options, times

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add ``retrain`` to the commands of ``bqx``."""
    parser = commands.add_parser(
        "retrain", help="challengers, gate, shadow, promotion and rollback: what is due now"
    )
    options.add_file(parser)
    parser.add_argument(
        "--registry", type=options.place, required=True, metavar="DIR", help="as of `bqx serve`"
    )
    parser.add_argument(
        "--place", type=options.place, required=True, metavar="DIR", help="folder of the rounds"
    )
    parser.add_argument(
        "--measurements", type=options.place, metavar="FILE", help="measurements of `bqx monitor`"
    )
    parser.add_argument(
        "--now", default="", metavar="TIME", help="UTC, for what has passed; default the clock's"
    )
    parser.set_defaults(command=_retrain)


def _retrain(asked: argparse.Namespace) -> int:
    from bqx.retraining import bars, report
    from bqx.retraining.loop import Loop
    from bqx.serving.registry_folder import Folder

    values = params.load(options.file_of(asked), asked.overrides)
    now = _time(asked.now)
    registry = Folder(asked.registry)
    if not registry.exists:
        print(f"{asked.registry}: no registry yet, a new one begins there", file=sys.stderr)
    loop = Loop(asked.place, registry, values)
    worked, reasons = loop.step(bars.read(values), now, asked.measurements)
    for retraining in worked:
        print(f"{retraining.folder / report.FILE}: {report.text(retraining)}")
    if not worked:
        print("nothing is due")
    elif not reasons:
        print("no new round")
    return 0


def _time(text: str) -> datetime:
    """A time in UTC; the clock's where none is named.

    Raises ParameterError for what is none, or has not come yet.
    """
    if not text:
        return datetime.now(UTC).replace(second=0, microsecond=0)
    now = times.moment("--now", text).to_pydatetime()
    if now > sessions.tomorrow():
        raise ParameterError(
            f"--now: a time to come, got {text}; expected one that has passed by this machine's "
            "clock."
        )
    return now
