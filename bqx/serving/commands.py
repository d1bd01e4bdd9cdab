"""Commands of the server and the registry: ``bqx serve`` and ``bqx registry``."""

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bqx.errors import ParameterError
from bqx.params import options

if TYPE_CHECKING:
    from bqx.serving.registry import Version
    from bqx.serving.registry_folder import Folder

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add the commands to those of ``bqx``."""
    _add_serve(commands)
    _add_registry(commands)


def _add_serve(commands: "Commands") -> None:
    parser = commands.add_parser("serve", help="answer for bars that requests or a feed bring")
    parser.add_argument(
        "bundles",
        type=options.place,
        metavar="DIR",
        help="registry, such as runs/registry/files, or folder of bundles (--unapproved)",
    )
    parser.add_argument("--port", type=int, default=8080, help="default %(default)s")
    parser.add_argument("--pair", default="", help="this pair alone")
    parser.add_argument(
        "--unapproved",
        action="store_true",
        help="also what no registry approved; every answer says so",
    )
    parser.add_argument(
        "--live",
        default="",
        metavar="FEED",
        help="answer /predict for the newest bars of FEED: a file or folder of JSON lines that "
        "grow, or tcp://127.0.0.1:PORT to listen there for them",
    )
    parser.add_argument(
        "--history", type=options.place, metavar="DIR", help="bars before those of the feed"
    )
    parser.add_argument(
        "--state",
        type=options.place,
        metavar="FILE",
        help="keeps the bars from one start to the next",
    )
    parser.add_argument(
        "--capture",
        default="",
        metavar="DIR",
        help="write down bars, inputs and forecasts there, for `bqx monitor`; folder or s3://",
    )
    parser.add_argument(
        "--capture-share",
        default="",
        metavar="X",
        help="share of the minutes whose inputs and forecasts are written, default 0.2",
    )
    parser.set_defaults(command=_serve)


def _serve(asked: argparse.Namespace) -> int:
    from bqx.files import check_writable
    from bqx.serving import app, captured

    if not asked.live and (asked.history or asked.state):
        raise ParameterError(
            "--history, --state: of no use, got no feed; expected --live FEED beside them."
        )
    os.environ |= {
        name: value
        for name, value in (
            (captured.PLACE, asked.capture),
            (captured.SHARE, asked.capture_share),
        )
        if value
    }
    captured.current()
    # Else it is told after the first minute, or when the server ends.
    if (capture := os.environ.get(captured.PLACE, "")) and "://" not in capture:
        check_writable(Path(capture))
    if asked.state:
        check_writable(asked.state.absolute().parent)
    app.serve(
        asked.bundles,
        asked.port,
        pair=asked.pair,
        unapproved=asked.unapproved,
        feed=asked.live,
        history=asked.history,
        state=asked.state,
    )
    return 0


def _add_registry(commands: "Commands") -> None:
    parser = commands.add_parser("registry", help="versions of the pairs' bundles and their status")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    for action, about in (
        ("list", "every version, its status and why"),
        ("show", "one version with its facts and its lines of the log, as JSON"),
        ("approve", "serve it from now on; the one before is archived"),
        ("reject", "never serve it"),
        ("archive", "serve it no more"),
    ):
        sub = actions.add_parser(action, help=about)
        sub.add_argument(
            "registry",
            type=options.place,
            metavar="DIR",
            help="registry, such as runs/registry/files",
        )
        if action == "list":
            sub.add_argument("--pair", default="", help="default all")
            sub.set_defaults(command=_registry_list)
            continue
        sub.add_argument("pair", metavar="PAIR")
        sub.add_argument("version", type=int, metavar="N")
        sub.set_defaults(command=_registry_show if action == "show" else _registry_move)
        if action != "show":
            sub.add_argument("--reason", required=True, help="for the log")
            sub.add_argument("--by", metavar="NAME", help="for the log, default this user")


def _registry_list(asked: argparse.Namespace) -> int:
    store = _store(asked.registry)
    pairs = store.pairs()
    if asked.pair and asked.pair not in pairs:
        names = ", ".join(pairs) or "none yet"
        raise ParameterError(f"--pair: no versions, got {asked.pair!r}; expected one of {names}.")
    for pair in [asked.pair] if asked.pair else pairs:
        for version in store.versions(pair):
            reasons = "; ".join(map(str, version.reasons))
            print(pair, version.number, version.status, reasons, sep="\t")
    return 0


def _registry_show(asked: argparse.Namespace) -> int:
    store = _store(asked.registry)
    version = _version(store, asked.pair, asked.version)
    key = (version.pair, version.number)
    lines = [line for line in store.log() if (line["pair"], line["version"]) == key]
    print(json.dumps(asdict(version) | {"log": lines}, indent=1))
    return 0


def _registry_move(asked: argparse.Namespace) -> int:
    from bqx.runs.chained_log import user
    from bqx.serving.registry import Registry

    store = _store(asked.registry)
    version = _version(store, asked.pair, asked.version)
    registry = Registry(store, asked.by or user())
    if asked.action == "archive":
        moved = registry.archive(version, asked.reason)
    else:
        move = registry.approve if asked.action == "approve" else registry.reject
        moved = move(version, (asked.reason,))
    print(f"{moved.pair} version {moved.number}: {moved.status}")
    return 0


def _store(folder: Path) -> "Folder":
    from bqx.serving.registry_folder import Folder

    store = Folder(folder)
    if store.exists:
        return store
    below = sorted(path.name for path in folder.glob("*/") if Folder(path).exists)
    what = "folder" if not folder.is_dir() else "versions"
    above = f", above the registries {', '.join(below)}" if below else ""
    raise ParameterError(
        f"registry: no {what}, got {folder}{above}; expected one such as runs/registry/files. "
        "`bqx run` makes it beside its run folder."
    )


def _version(store: "Folder", pair: str, number: int) -> "Version":
    for version in store.versions(pair):
        if version.number == number:
            return version
    raise ParameterError(
        f"registry: no version, got {pair} {number}; expected one that `bqx registry list` shows."
    )
