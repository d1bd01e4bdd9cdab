"""The command line: ``bqx run``, ``serve``, ``registry``, ``catalog``, ``certify`` and others.

Each command is a function that registers its parser and one that does its work; what it needs is
imported there, since notebooks, server and kernels take seconds to import.
"""

import argparse
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bqx.cloud import commands as cloud
from bqx.database import commands as database
from bqx.errors import BqxError
from bqx.feature_store import commands as features
from bqx.monitoring import commands as monitoring
from bqx.online import commands as online
from bqx.operations import commands as operations
from bqx.paper import commands as paper
from bqx.params import Params, options
from bqx.params import commands as parameters
from bqx.params.whole_numbers import whole
from bqx.project_plan import commands as project_plan
from bqx.readiness import commands as readiness
from bqx.report import commands as report
from bqx.report import feature_command
from bqx.retraining import commands as retraining
from bqx.serving import commands as serving

AGAIN = 0.05
"""Seconds after which an interrupt that was lost is raised anew."""

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 2 after an error that a user can mend."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that is no UTF-8 is shown, not a reason to fail.
            stream.reconfigure(errors="backslashreplace")
    asked = _parser().parse_args(arguments)
    try:
        with _ended_as_interrupted():
            return int(asked.command(asked))
    except BqxError as error:
        print(f"bqx: {error}", file=sys.stderr)
        return 2
    except UnicodeEncodeError as error:
        print(
            f"bqx: {error.object!r:.200}: a name with bytes that are no UTF-8, got {error.reason}; "
            "expected one that libraries and JSON can hold. Rename it, or set PYTHONUTF8=1.",
            file=sys.stderr,
        )
        return 2
    except BrokenPipeError:
        # The reader, such as head, has seen enough; the exit's flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = error.filename if error.filename is not None else "bqx"
        print(
            f"bqx: {where}: cannot be used, got {error.strerror or error}; expected a place with "
            "room that may be used. Mend that and run it again.",
            file=sys.stderr,
        )
        return 2
    except SystemExit as error:
        # Of a module that a user brings: its 0 would say that a proof was made.
        print(
            f"bqx: a module of yours ended the process, got exit {error.code}; expected it to "
            "return. Take the exit out of it.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        # Else a task that ran a notebook's cell tells its traceback when it is collected.
        logging.getLogger("asyncio").disabled = True
        print("bqx: interrupted; run the same command again", file=sys.stderr)
        return 130


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """A SIGTERM interrupts, so that kernels and workers end with the command that started them.

    One that comes while LLVM compiles is raised in a callback, which loses it, and may fail for
    that: it is raised anew a moment later, or instead of the failure.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGALRM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    told, lost = sys.unraisablehook, []

    def again(failure: "sys.UnraisableHookArgs") -> None:
        if failure.exc_type is not KeyboardInterrupt:
            told(failure)
            return
        lost.append(failure.object)
        signal.setitimer(signal.ITIMER_REAL, AGAIN)

    sys.unraisablehook = again
    try:
        yield
    except Exception as error:
        if lost:
            raise KeyboardInterrupt from error
        raise
    finally:
        sys.unraisablehook = told
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Parser(argparse.ArgumentParser):
    """A parser whose words may have options between them.

    Argparse takes words whose number is free as ended where an option follows the first of them.
    """

    _is_between = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        counts = {action.nargs for action in self._get_positional_actions()}
        if self._is_between or not counts & {"?", "*", "+"}:
            return super().parse_known_args(args, namespace)
        self._is_between = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_between = False


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(prog="bqx", description="Short-horizon FX research.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    report.add(commands)
    _add_bars(commands)
    parameters.add(commands, _check_without_bars)
    serving.add(commands)
    features.add(commands)
    feature_command.add(commands)
    _add_certify(commands)
    database.add(commands)
    cloud.add(commands)
    operations.add(commands)
    retraining.add(commands)
    paper.add(commands)
    project_plan.add(commands)
    online.add(commands)
    readiness.add(commands)
    monitoring.add(commands)
    return parser


def _check_without_bars(values: Params) -> None:
    from bqx.report import beforehand

    beforehand.check_without_bars(values)


def _add_bars(commands: "Commands") -> None:
    parser = commands.add_parser("bars", help="say what the bars of a folder are; status 2 if none")
    parser.add_argument("bars", type=options.place, metavar="FOLDER", help="folder or file of bars")
    options.add(parser)
    parser.set_defaults(command=_bars)


def _bars(asked: argparse.Namespace) -> int:
    from bqx.market import readers

    reading = readers.examine(asked.bars, **options.values(asked))
    print(reading.shown)
    for note in reading.notes:
        print(f"note: {note}")
    return 0


def _add_certify(commands: "Commands") -> None:
    parser = commands.add_parser(
        "certify",
        help="prove on bars that no feature reads ahead; status 1 when one does, 3 where there "
        "is no value to compare",
    )
    options.add_bars(parser)
    parser.add_argument(
        "--cuts", type=whole(100_000), default=200, metavar="N", help="default %(default)s"
    )
    which = parser.add_mutually_exclusive_group()
    features.add_profile(which)
    which.add_argument(
        "--features", metavar="MODULE", help="module or .py file with a FAMILIES tuple, instead"
    )
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="store that `bqx build` made of these bars: every file is compared with its hash, and "
        "the hashes stand in the JSON",
    )
    parser.add_argument(
        "--json", type=options.place, metavar="FILE", help="write all that was found"
    )
    parser.set_defaults(command=_certify)


def _certify(asked: argparse.Namespace) -> int:
    from bqx.causality import certificate
    from bqx.feature_store import proven
    from bqx.feature_store.store import Store
    from bqx.features import catalog, own_modules
    from bqx.files import write_json
    from bqx.market import bars, readers

    module = asked.features
    own = catalog.join(own_modules.families(module)).values() if module else ()
    tried = tuple(own) or catalog.profile(asked.profile)
    store = proven.hashes(Store(asked.store), asked.bars, tried) if asked.store else {}
    frames = readers.read_folder(asked.bars, **options.values(asked))
    proof = certificate.certify(bars.align(frames), tried, asked.cuts)
    if asked.json:
        write_json(asked.json, proof.report() | ({"store": store} if store else {}))
    print(proof.verdict)
    if store:
        print(f"{store['place']}: {len(store['files'])} files as they were written, of these bars")
    if proof.loose:
        where = f"see {asked.json}" if asked.json else "--json FILE lists them"
        print(
            f"note: {len(proof.loose)} features did not feel the oldest or the newest of their "
            f"bars; {where}",
            file=sys.stderr,
        )
    return proof.status
