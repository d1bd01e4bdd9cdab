"""``bqx cloud packages``: SageMaker's model packages, as ``bqx registry`` has a folder's."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bqx.errors import ParameterError
from bqx.market.pairs import check
from bqx.params import options

if TYPE_CHECKING:
    from bqx.serving.registry import Registry, Version

GROUP = "bqx-ml-models"


def add(commands: Any) -> None:
    """Add ``packages`` and its actions."""
    parser = commands.add_parser("packages", help="versions of the pairs' models and their status")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    for action, about in (
        ("list", "every version of a pair, its status and why"),
        ("register", "a model of S3, pending"),
        ("approve", "serve it from now on; the one before is archived"),
        ("reject", "never serve it"),
        ("archive", "serve it no more"),
    ):
        sub = actions.add_parser(action, help=about)
        sub.add_argument(
            "--account", type=options.place, required=True, metavar="FILE", help="cloud.yaml"
        )
        sub.add_argument("pair", metavar="PAIR")
        if action == "register":
            sub.add_argument("model", metavar="s3://", help="its model.tar.gz")
        elif action != "list":
            sub.add_argument("version", type=int, metavar="N")
            sub.add_argument("--reason", required=True, help="for the log")
        sub.set_defaults(command=_packages)
    pack = commands.add_parser("pack", help="archive of a version of `bqx registry`, to deploy")
    pack.add_argument(
        "registry", type=options.place, metavar="DIR", help="such as runs/registry/files"
    )
    pack.add_argument("pair", metavar="PAIR")
    pack.add_argument(
        "models", type=options.place, metavar="MODELS", help="folder of PAIR/VERSION.tar.gz"
    )
    pack.add_argument("--version", type=int, metavar="N", help="default the approved one")
    pack.set_defaults(command=_pack)


def _pack(asked: argparse.Namespace) -> int:
    from bqx.cloud import artefacts
    from bqx.serving.registry_folder import Folder

    versions = {
        version.number: version for version in Folder(asked.registry).versions(check(asked.pair))
    }
    approved = [number for number, version in versions.items() if version.status == "approved"]
    number = asked.version or max(approved, default=0)
    if number not in versions:
        raise ParameterError(
            f"pack: no {'such' if asked.version else 'approved'} version of {asked.pair}, got "
            f"{', '.join(f'{n} {v.status}' for n, v in versions.items()) or 'none'}; expected "
            "one. --version packs one that is not approved."
        )
    print(asked.models / artefacts.pack(versions[number], asked.models))
    return 0


def _packages(asked: argparse.Namespace) -> int:
    from bqx.cloud.calls import told

    with told(f"packages {asked.action}"):
        return _acted(asked, _registry(asked.account))


def _acted(asked: argparse.Namespace, registry: "Registry") -> int:
    if asked.action == "list":
        for version in registry.store.versions(asked.pair):
            print(_line(version), "; ".join(map(str, version.reasons)), sep="\t")
        return 0
    if asked.action == "register":
        print(_line(registry.register(asked.pair, asked.model, {"pair": asked.pair})))
        return 0
    versions = {version.number: version for version in registry.store.versions(asked.pair)}
    if asked.version not in versions:
        raise ParameterError(
            f"packages: no version, got {asked.pair} {asked.version}; expected one of "
            f"{', '.join(map(str, versions)) or 'none yet'}."
        )
    version = versions[asked.version]
    if asked.action == "archive":
        print(_line(registry.archive(version, asked.reason)))
    else:
        move = registry.approve if asked.action == "approve" else registry.reject
        print(_line(move(version, (asked.reason,))))
    return 0


def _registry(path: Path) -> "Registry":
    from bqx.cloud.account import Account
    from bqx.cloud.calls import clients
    from bqx.runs.chained_log import user
    from bqx.serving.registry import Registry
    from bqx.serving.sagemaker_packages import ModelPackages

    account = Account.read(path)
    store = ModelPackages(clients(account.region)("sagemaker"), GROUP, account.image("inference"))
    return Registry(store, user())


def _line(version: "Version") -> str:
    return f"{version.pair}\t{version.number}\t{version.status}\t{version.bundle}"
