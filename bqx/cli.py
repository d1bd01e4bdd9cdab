"""The command line: ``bqx run``, ``serve``, ``registry``, ``catalog``, ``certify`` and others."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from bqx import params
from bqx.database import commands as database
from bqx.errors import BqxError, ParameterError
from bqx.parallel import Backend

if TYPE_CHECKING:
    import pandas as pd


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
    serve.add_argument(
        "bundles", type=Path, metavar="DIR",
        help="folder of bundles, or a registry, of which the latest approved versions are served",
    )  # fmt: skip
    serve.add_argument("--port", type=int, default=8080, help="default %(default)s")
    serve.add_argument(
        "--pair", default="", help="this pair alone; from a registry even when not approved"
    )
    serve.set_defaults(command=_serve)
    _add_registry(commands)

    catalog = commands.add_parser("catalog", help="list the features and their counts")
    _add_profile(catalog)
    catalog.add_argument("--json", action="store_true", help="as JSON")
    catalog.set_defaults(command=_catalog)

    compiled = commands.add_parser("compile", help="compile every kernel now, minutes once")
    _add_profile(compiled)
    compiled.add_argument(
        "--target", choices=("native", "generic"), default="native",
        help="generic: for every processor of this architecture; default %(default)s",
    )  # fmt: skip
    compiled.add_argument("--workers", type=int, default=2, metavar="N", help="default %(default)s")
    compiled.set_defaults(command=_compile)

    certify = commands.add_parser(
        "certify", help="prove on bars that no feature reads ahead; status 1 when one does"
    )
    _add_bars(certify)
    certify.add_argument("--cuts", type=int, default=200, metavar="N", help="default %(default)s")
    which = certify.add_mutually_exclusive_group()
    _add_profile(which)
    which.add_argument(
        "--features", metavar="MODULE", help="module or .py file with a FAMILIES tuple, instead"
    )
    certify.add_argument("--json", type=Path, metavar="FILE", help="write all that was found")
    certify.set_defaults(command=_certify)

    build = commands.add_parser("build", help="write the features of bars, a file a month")
    _add_bars(build)
    _add_profile(build)
    build.add_argument(
        "--out", required=True, metavar="DIR", help="folder or s3://bucket/prefix of the store"
    )
    build.add_argument("--pairs", metavar="a,b", help="default all that have bars")
    build.add_argument("--from", metavar="T", dest="since", help="first UTC time that is written")
    build.add_argument("--to", metavar="T", dest="until", help="UTC time before which it ends")
    build.add_argument("--workers", type=int, default=2, metavar="N", help="default %(default)s")
    build.add_argument(
        "--backend", choices=get_args(Backend), default="processes",
        help="default %(default)s; dask asks the scheduler at DASK_SCHEDULER_ADDRESS",
    )  # fmt: skip
    build.set_defaults(command=_build)
    database.add(commands)
    return parser


def _add_registry(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("registry", help="versions of the pairs' bundles and their status")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    for action, what in (
        ("list", "every version, its status and why"),
        ("show", "one version with its facts and its lines of the log, as JSON"),
        ("approve", "serve it from now on; the one before is archived"),
        ("reject", "never serve it"),
        ("archive", "serve it no more"),
    ):
        made = actions.add_parser(action, help=what)
        made.add_argument(
            "registry", type=Path, metavar="DIR", help="registry, such as runs/registry/files"
        )
        if action == "list":
            made.add_argument("--pair", default="", help="default all")
        else:
            made.add_argument("pair", metavar="PAIR")
            made.add_argument("version", type=int, metavar="N")
        if action in ("approve", "reject", "archive"):
            made.add_argument("--reason", required=True, help="for the log")
            made.add_argument("--by", metavar="NAME", help="for the log, default this user")
        made.set_defaults(command=_registry)


def _add_profile(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--profile", default="full", metavar="P", help="default %(default)s")


def _add_bars(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bars", type=Path, required=True, metavar="DIR", help="folder or file of bars"
    )


# Each command imports what it needs: notebooks, server and kernels take seconds to import.


def _run(given: argparse.Namespace) -> int:
    out = [f"out={json.dumps(str(given.out.absolute()))}"] if given.out else []
    values = params.load(given.params, [*given.overrides, *out])
    from bqx.report import runner

    print(runner.run(values, given.from_stage))
    return 0


def _serve(given: argparse.Namespace) -> int:
    from bqx.serving import app

    app.serve(given.bundles, given.port, pair=given.pair)
    return 0


def _registry(given: argparse.Namespace) -> int:
    from bqx.serving.registry import Folder, Registry

    store = Folder(given.registry)
    if not store.folder.is_dir():
        raise ParameterError(
            f"registry: no folder, got {store.folder}; expected one such as runs/registry/files. "
            "A run makes it beside its folder."
        )
    if given.action == "list":
        for pair in [given.pair] if given.pair else store.pairs():
            for one in store.versions(pair):
                print(pair, one.number, one.status, "; ".join(one.reasons), sep="\t")
        return 0
    version = next((v for v in store.versions(given.pair) if v.number == given.version), None)
    if version is None:
        raise ParameterError(
            f"registry: no version, got {given.pair} {given.version}; expected one that "
            "`bqx registry list` shows. Correct it."
        )
    if given.action == "show":
        lines = [
            line for line in store.log()
            if (line["pair"], line["version"]) == (version.pair, version.number)
        ]  # fmt: skip
        print(json.dumps(asdict(version) | {"log": lines}, indent=1))
        return 0
    asked = Registry(store, given.by or getpass.getuser())
    if given.action == "archive":
        moved = asked.archive(version, given.reason)
    else:
        move = asked.approve if given.action == "approve" else asked.reject
        moved = move(version, (given.reason,))
    print(f"{moved.pair} version {moved.number}: {moved.status}")
    return 0


def _catalog(given: argparse.Namespace) -> int:
    from bqx.features import catalog

    features = catalog.profile(given.profile)
    keys = ["name", "alias", "table", "unit", "lookback", "laggable"]
    keys += ["title", "formula"] if given.json else []
    rows = [{key: feature.row()[key] for key in keys} for feature in features]
    counts = {name: len(members) for name, members in catalog.tables(features).items()}
    if given.json:
        content = {"profile": given.profile, "features": rows, "tables": counts, "total": len(rows)}
        print(json.dumps(content, indent=1))
        return 0
    lines = [keys, *(row.values() for row in rows), (), *counts.items(), ("total", len(rows))]
    for line in lines:
        print("\t".join(map(str, line)))
    return 0


def _compile(given: argparse.Namespace) -> int:
    from bqx.features import catalog, precompile

    families = precompile.compile_all(
        catalog.profile(given.profile), given.workers, generic=given.target == "generic"
    )
    print(f"{families} families compiled")
    return 0


def _certify(given: argparse.Namespace) -> int:
    from bqx.causality import certificate
    from bqx.features import catalog
    from bqx.files import write_json
    from bqx.market import bars, readers

    chosen = given.features
    features = certificate.of_module(chosen) if chosen else catalog.profile(given.profile)
    found = certificate.certify(bars.align(readers.read_folder(given.bars)), features, given.cuts)
    if given.json:
        write_json(given.json, found.report())
    print(found.verdict)
    where = f"see {given.json}" if given.json else "--json FILE lists them"
    for count, what in (
        (len(found.loose), "did not feel the oldest or the newest of their bars"),
        (len(found.silent), "had no value on these bars, so nothing is known of them"),
    ):
        if count:
            print(f"note: {count} features {what}; {where}", file=sys.stderr)
    return 0 if found.clean else 1


def _build(given: argparse.Namespace) -> int:
    since, until = (_time(name, getattr(given, name)) for name in ("since", "until"))
    pairs = given.pairs.lower().split(",") if given.pairs else ()
    from bqx.feature_store import build
    from bqx.features import catalog

    features = catalog.profile(given.profile)
    made = build.build(
        given.bars, given.out, features, pairs, since, until, given.workers, given.backend
    )
    print(f"{given.out}: {made} files made" if made else f"{given.out}: complete")
    return 0


def _time(option: str, text: str | None) -> "pd.Timestamp | None":
    if text is None:
        return None
    import pandas as pd

    try:
        time = pd.Timestamp(text)
    except ValueError:
        time = pd.NaT
    if time is pd.NaT:
        raise ParameterError(
            f"--{ {'since': 'from', 'until': 'to'}[option] }: no time, got {text!r}; expected one "
            "such as 2024-01-08 or 2024-01-08T09:30. Correct it."
        )
    return time.tz_localize("UTC") if time.tz is None else time.tz_convert("UTC")


if __name__ == "__main__":
    sys.exit(main())
