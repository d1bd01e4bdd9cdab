"""The command line of the database: ``bqx db create``, ``bars``, ``load`` and so on."""

import argparse
import signal
from typing import Any

from bqx.params import options

# Each command imports what it needs: drivers and kernels take seconds to import.


def add(commands: Any) -> None:
    """Add ``db`` and its commands to those of a parser."""
    parser = commands.add_parser("db", help="bars and features in PostgreSQL")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    create = commands.add_parser("create", help="make the schema, its roles and pairs' tables")
    create.add_argument("--pairs", metavar="a,b", help="default all 28")
    which = create.add_mutually_exclusive_group()
    which.add_argument(
        "--adopt",
        action="store_true",
        help="set the documents' schema bqx aside as bqx_documents, and copy its bars",
    )
    which.add_argument("--back", action="store_true", help="bring it back, and keep bqx's own")
    create.set_defaults(command=_create)

    bars = commands.add_parser("bars", help="load bars; what is there already stays")
    options.add_bars(bars)
    bars.add_argument(
        "--late", action="store_true", help="they become known now, not each at its end"
    )
    bars.set_defaults(command=_bars)

    load = commands.add_parser("load", help="load published features; goes on where it stopped")
    load.add_argument("--store", required=True, metavar="DIR", help="what `bqx build` wrote")
    load.add_argument("--pairs", metavar="a,b", help="default all of the store")
    load.set_defaults(command=_load)

    rename = commands.add_parser("rename", help="give seven older table types their _idx_ names")
    rename.add_argument("--back", action="store_true", help="their old names again")
    rename.set_defaults(command=_rename)

    ddl = commands.add_parser("ddl", help="print sql/families.sql from the catalog")
    ddl.set_defaults(command=_ddl)

    serve = commands.add_parser("serve", help="run a local server until Ctrl-C")
    serve.add_argument("folder", type=options.place, metavar="DIR", help="of its files")
    serve.set_defaults(command=_serve)


def _pairs(arguments: argparse.Namespace) -> tuple[str, ...]:
    return tuple(arguments.pairs.lower().split(",")) if arguments.pairs else ()


def _connected() -> Any:
    from bqx.database import connect

    return connect.connect(connect.url())


def _create(arguments: argparse.Namespace) -> int:
    from bqx.database import documents, documents_bars, schema
    from bqx.market.pairs import LIQUIDITY

    engine = _connected()
    if arguments.back:
        restored = schema.leave(engine)
        print("the documents' schema is bqx again" if restored else "nothing was set aside")
        return 0
    pairs = _pairs(arguments) or LIQUIDITY
    schema.create(engine, pairs, arguments.adopt)
    print(f"schema bqx with the tables of {len(pairs)} pairs")
    if arguments.adopt:
        count, copied = documents_bars.copy(engine)
        print(f"{count:,} bars new or changed of {copied} pairs\n{documents.summary(engine)}")
    return 0


def _bars(arguments: argparse.Namespace) -> int:
    import pandas as pd

    from bqx.database import loads
    from bqx.market import readers, revisions

    engine = _connected()
    frames = readers.read_folder(arguments.bars, **options.values(arguments))
    if arguments.late:
        now = pd.Timestamp.now("UTC")
        frames = {pair: revisions.with_known(frame, now) for pair, frame in frames.items()}
    print(f"{loads.put_bars(engine, frames):,} bars new or changed of {len(frames)} pairs")
    return 0


def _load(arguments: argparse.Namespace) -> int:
    from bqx.database import loads
    from bqx.feature_store.store import Store

    engine = _connected()
    months, rows = loads.publish(engine, Store(arguments.store), _pairs(arguments))
    print(f"{months} months of tables loaded, {rows:,} rows")
    return 0


def _rename(arguments: argparse.Namespace) -> int:
    from bqx.database import migration

    report = migration.rename(_connected(), arguments.back)
    print(report.to_string(index=False) if len(report) else "nothing to rename")
    return 0


def _ddl(arguments: argparse.Namespace) -> int:
    from bqx.database import schema

    print(schema.definition(), end="")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from bqx.database.connect import URL_NAME
    from bqx.database.server import serving

    # Whoever runs it may also end it by SIGTERM, or have told children to ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with serving(arguments.folder) as address:
        shown = address.set(drivername="postgresql").render_as_string()
        print(f"export {URL_NAME}='{shown}'\nCtrl-C stops the server.", flush=True)
        signal.pause()
    return 0
