"""The command line: ``bqx run``, ``bqx serve`` and ``bqx catalog``."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bqx import params
from bqx.errors import BqxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 2 after an error that a user can mend."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.command(given))
    except BqxError as error:
        print(f"bqx: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader, such as head, has seen enough; the exit's flush must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("bqx: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bqx", description="Short-horizon FX research.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the notebooks and build the book")
    run.add_argument("params", type=Path, metavar="PARAMS", help="YAML file of parameters")
    run.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides",
        help="parameters that win over the file",
    )  # fmt: skip
    run.add_argument("--from", metavar="NN", dest="from_stage", help="run again from notebook NN")
    run.add_argument("--out", type=Path, metavar="DIR", help="run folder, from here")
    run.set_defaults(command=_run)

    serve = commands.add_parser("serve", help="answer /ping and /invocations on this machine")
    serve.add_argument("bundles", type=Path, metavar="BUNDLES", help="folder of bundles")
    serve.add_argument("--port", type=int, default=8080, help="default %(default)s")
    serve.set_defaults(command=_serve)

    catalog = commands.add_parser("catalog", help="list the features")
    catalog.add_argument("--json", action="store_true", help="as JSON")
    catalog.set_defaults(command=_catalog)
    return parser


# Each command imports what it needs: notebooks, server and kernels take seconds to import.


def _run(given: argparse.Namespace) -> int:
    out = [f"out={json.dumps(str(given.out.absolute()))}"] if given.out else []
    values = params.load(given.params, [*given.overrides, *out])
    from bqx import report

    print(report.run(values, given.from_stage))
    return 0


def _serve(given: argparse.Namespace) -> int:
    from bqx.serving import app

    app.serve(given.bundles, given.port)
    return 0


def _catalog(given: argparse.Namespace) -> int:
    from bqx.features.catalog import FEATURES

    rows = [feature.row() for feature in FEATURES.values()]
    if given.json:
        print(json.dumps(rows, indent=1))
        return 0
    for line in (list(rows[0]), *(list(row.values()) for row in rows)):
        print("\t".join("" if value is None else str(value) for value in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
