"""Commands of features and their store: ``bqx catalog``, ``compile``, ``build`` and ``verify``."""

import argparse
import json
from typing import TYPE_CHECKING, get_args

from bqx.parallel import Backend
from bqx.params import options, times
from bqx.params.whole_numbers import MOST_WORKERS, whole

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: "Commands") -> None:
    """Add the commands to those of ``bqx``."""
    _add_catalog(commands)
    _add_compile(commands)
    _add_build(commands)
    _add_verify(commands)


def add_profile(parser: argparse._ActionsContainer) -> None:
    """Add the option that names a profile of the catalog."""
    parser.add_argument("--profile", default="full", metavar="P", help="default %(default)s")


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=whole(MOST_WORKERS), default=2, metavar="N", help="default %(default)s"
    )


def _add_catalog(commands: "Commands") -> None:
    parser = commands.add_parser("catalog", help="list the features and their counts")
    add_profile(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command=_catalog)


def _catalog(asked: argparse.Namespace) -> int:
    from bqx.features import catalog

    features = catalog.profile(asked.profile)
    keys = ["name", "alias", "table", "unit", "lookback", "laggable"]
    keys += ["title", "formula"] if asked.json else []
    rows = [{key: feature.row()[key] for key in keys} for feature in features]
    counts = {name: len(members) for name, members in catalog.tables(features).items()}
    if asked.json:
        content = {"profile": asked.profile, "features": rows, "tables": counts, "total": len(rows)}
        print(json.dumps(content, indent=1))
        return 0
    lines = [keys, *(row.values() for row in rows), (), *counts.items(), ("total", len(rows))]
    for line in lines:
        print("\t".join(map(str, line)))
    return 0


def _add_compile(commands: "Commands") -> None:
    parser = commands.add_parser("compile", help="compile every kernel now, minutes once")
    add_profile(parser)
    parser.add_argument(
        "--target",
        choices=("native", "generic"),
        default="native",
        help="generic: for every processor of this architecture; default %(default)s",
    )
    _add_workers(parser)
    parser.set_defaults(command=_compile)


def _compile(asked: argparse.Namespace) -> int:
    from bqx.features import catalog, precompile

    families = precompile.compile_all(
        catalog.profile(asked.profile), asked.workers, generic=asked.target == "generic"
    )
    print(f"{families} families compiled")
    return 0


def _add_build(commands: "Commands") -> None:
    parser = commands.add_parser("build", help="write the features of bars, a file a month")
    options.add_bars(parser)
    add_profile(parser)
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder or s3://bucket/prefix of the store"
    )
    parser.add_argument("--pairs", metavar="a,b", help="default all that have bars")
    parser.add_argument("--from", metavar="T", dest="since", help="first UTC time that is written")
    parser.add_argument("--to", metavar="T", dest="until", help="UTC time before which it ends")
    _add_workers(parser)
    parser.add_argument(
        "--backend",
        choices=get_args(Backend),
        default="processes",
        help="default %(default)s; dask asks the scheduler at DASK_SCHEDULER_ADDRESS",
    )
    parser.set_defaults(command=_build)


def _build(asked: argparse.Namespace) -> int:
    since, until = (
        None if text is None else times.moment(option, text)
        for option, text in (("--from", asked.since), ("--to", asked.until))
    )
    pairs = asked.pairs.lower().split(",") if asked.pairs else ()
    from bqx.feature_store import build
    from bqx.features import catalog

    features = catalog.profile(asked.profile)
    written = build.build(
        asked.bars,
        asked.out,
        features,
        pairs,
        since,
        until,
        asked.workers,
        asked.backend,
        declared=options.values(asked),
    )
    print(f"{asked.out}: {written} files made" if written else f"{asked.out}: complete")
    return 0


def _add_verify(commands: "Commands") -> None:
    parser = commands.add_parser("verify", help="compare every file of a store with its hash")
    parser.add_argument("store", metavar="DIR", help="what `bqx build` wrote")
    parser.set_defaults(command=_verify)


def _verify(asked: argparse.Namespace) -> int:
    from bqx.feature_store.store import Store

    print(f"{asked.store}: {len(Store(asked.store).verify_all())} files as they were written")
    return 0
