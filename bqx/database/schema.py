"""The schema ``bqx``: its SQL from the catalog, its making, and its version."""

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from bqx.database import documents
from bqx.database.connect import shown
from bqx.database.failures import explained
from bqx.errors import ArtefactError, DatabaseError, ParameterError
from bqx.features import catalog
from bqx.features.spec import NAME, NAME_RULE, Feature
from bqx.market.pairs import check

VERSION = 2
"""Of the tables' shape; a database of another version is refused."""

FOLDER = Path(__file__).resolve().parents[2] / "sql"

BARS = "m1"
"""Table type of bars and their versions."""

PATIENCE = 30
"""Longest wait for a lock, seconds."""

_NAMES = {"backward_bqx": "bqx"}
"""Families whose table has another name in SQL."""

MOST_COLUMNS, MOST_BYTES = 1_600, 8_160
"""Of a PostgreSQL table; bytes of a row that is not stored out of line."""


@cache
def published() -> tuple[Feature, ...]:
    """Features that have a column: all but fitted ones, whose values belong to a fold."""
    return tuple(feature for feature in catalog.profile() if not feature.fit_key)


@cache
def tables() -> dict[str, tuple[Feature, ...]]:
    """Features by store table; the columns of a SQL table in order."""
    return catalog.tables(published())


def type_of(table: str) -> str:
    """SQL table type of a store table."""
    return _NAMES.get(table, table)


def relation(table: str, pair: str) -> str:
    """Name of the table of a pair in the schema, ``table`` being ``m1`` or a store table.

    Raises ParameterError for a table that the catalog does not have, or no pair.
    """
    if table != BARS and table not in tables():
        raise ParameterError(
            f"table: no such table, got {table!r}; expected {BARS} or one of the catalog's "
            f"{len(tables())}. `bqx catalog` lists them."
        )
    return f"{type_of(table)}_{check(pair)}"


def definition() -> str:
    """SQL of the families' types and of the catalog they come from: ``sql/families.sql``.

    Raises ParameterError when a table is beyond what PostgreSQL can hold.
    """
    parts = [
        "-- Made by `bqx db ddl` from the catalog; a test keeps them equal. A type a table, which\n"
        "-- bqx.add_pair makes for each pair.",
        f"INSERT INTO bqx.facts (schema_version) VALUES ({VERSION});",
        *(_type(name, members) for name, members in tables().items()),
    ]
    return "\n\n".join(parts) + "\n"


def _type(table: str, members: Sequence[Feature]) -> str:
    _check_names([table, *(feature.name for feature in members)])
    _check_width(table, len(members))
    columns = ["ts_utc timestamptz", *(f"{feature.name} float4" for feature in members)]
    # A column's name and type stay on one line.
    glued = ", ".join(column.replace(" ", "\0") for column in columns)
    lines = textwrap.wrap(glued, 96, break_long_words=False, break_on_hyphens=False)
    listed = "\n".join("    " + line.replace("\0", " ") for line in lines)
    return f"CREATE TYPE bqx.{type_of(table)} AS (\n{listed}\n);"


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise ParameterError(
                f"catalog: no name of a column, got {name!r}; expected {NAME_RULE}. Rename it."
            )


def _check_width(name: str, columns: int) -> None:
    # Header of a row, a bit a column for NULL, eight bytes of time, four a feature.
    size = 23 + (columns + 8) // 8 + 8 + 8 + 4 * columns
    if columns + 1 > MOST_COLUMNS or size > MOST_BYTES:
        raise ParameterError(
            f"{name}: too wide for a table, got {columns} features; expected at most "
            f"{MOST_COLUMNS - 1} in {MOST_BYTES} bytes. Give some of its families another table."
        )


def script(name: str) -> str:
    """Text of a file in ``sql/``; ArtefactError when the checkout lacks it."""
    try:
        return (FOLDER / name).read_text(encoding="utf-8")
    except OSError as error:
        raise ArtefactError(
            f"{FOLDER / name}: cannot be read, got {error.strerror}; expected a file of the "
            "project. Run bqx from a checkout (pip install -e)."
        ) from None


def execute(connection: Connection, sql: str) -> None:
    """Run a script that takes no parameters."""
    connection.execution_options(no_parameters=True).exec_driver_sql(sql)


def wait_for_locks(connection: Connection) -> None:
    """Give up in this transaction when another one keeps a lock for too long."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))


def _alone(connection: Connection) -> None:
    """Wait until no other client makes the schema or its tables."""
    wait_for_locks(connection)
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('bqx.create'))"))


def create(engine: Engine, pairs: Sequence[str], adopt: bool = False) -> None:
    """Make the schema, its roles, families and the tables of pairs, as far as they are absent.

    Parameters
    ----------
    adopt : whether a schema ``bqx`` in the documents' layout is set aside, see `documents`.

    Raises
    ------
    DatabaseError : the schema that is there has another version, or is the documents'.
    """
    for pair in pairs:
        check(pair)
    with explained(engine, "create"):
        with engine.begin() as connection:
            _alone(connection)
            if is_own(connection) or (adopt and documents.set_aside(connection)):
                require(connection)
                _add_families(connection)
            else:
                _make(connection)
            if adopt:
                documents.keep_mapping(connection)
        for pair in pairs:
            # A transaction each: together they would hold more locks than a server grants.
            with engine.begin() as connection:
                _alone(connection)
                connection.execute(text("SELECT bqx.add_pair(:pair)"), {"pair": pair})


def is_own(connection: Connection) -> bool:
    """Whether the schema ``bqx`` is one that `create` has made."""
    exists = connection.execute(text("SELECT to_regclass('bqx.facts') IS NOT NULL"))
    return bool(exists.scalar())


def _make(connection: Connection) -> None:
    taken = connection.execute(text("SELECT to_regnamespace('bqx') IS NOT NULL"))
    if taken.scalar():
        raise DatabaseError(
            f"{shown(connection.engine.url)}: the schema bqx is another's, got no table bqx.facts; "
            "expected none, or one made by bqx. Run `bqx db create --adopt`, which sets it aside "
            f"as {documents.ASIDE}."
        )
    for name in ("tables.sql", "families.sql", "functions.sql", "roles.sql"):
        execute(connection, script(name))
    _identify(connection, published())


def leave(engine: Engine) -> bool:
    """Bring back the schema that `create` has set aside, and keep bqx's own beside it.

    Returns whether there was one.
    """
    with explained(engine, "create --back"), engine.begin() as connection:
        _alone(connection)
        return documents.bring_back(connection)


def _add_families(connection: Connection) -> None:
    """Types of families that have come into the catalog since the schema was made."""
    rows = connection.execute(
        text("SELECT typname FROM pg_type WHERE typnamespace = 'bqx'::regnamespace")
    )
    present = {row.typname for row in rows}
    for table, members in tables().items():
        if type_of(table) not in present:
            execute(connection, _type(table, members))
            _identify(connection, members)


def _identify(connection: Connection, features: Sequence[Feature]) -> None:
    """Keep what decides the values of columns."""
    identities = catalog.identities(features)
    connection.execute(
        text("INSERT INTO bqx.columns SELECT * FROM unnest(:names, :identities)"),
        {"names": list(identities), "identities": list(identities.values())},
    )


def of_relation(relation: str) -> tuple[Feature, ...]:
    """Features that have a column in a pair's table; none for bars."""
    kind = relation.rpartition("_")[0]
    return next((members for table, members in tables().items() if type_of(table) == kind), ())


def require(connection: Connection, features: Sequence[Feature] = ()) -> None:
    """Raise DatabaseError unless the schema is there in this version.

    And unless the columns of features hold values as their code computes them today.
    """
    where = shown(connection.engine.url)
    try:
        facts = connection.execute(text("SELECT schema_version FROM bqx.facts")).one()
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) not in ("42P01", "3F000"):
            raise
        raise DatabaseError(
            f"{where}: the schema bqx is missing, got no table bqx.facts; expected version "
            f"{VERSION}. Run `bqx db create` first."
        ) from None
    if facts.schema_version != VERSION:
        raise DatabaseError(
            f"{where}: the schema is of another version, got {facts.schema_version}; expected "
            f"{VERSION}. Use the bqx that made it, or another database."
        )
    rows = connection.execute(
        text("SELECT name, identity FROM bqx.columns WHERE name = ANY(:names)"),
        {"names": [feature.name for feature in features]},
    )
    kept = {row.name: row.identity for row in rows}
    unlike = [f.name for f in features if kept.get(f.name, f.identity) != f.identity]
    if unlike:
        raise DatabaseError(
            f"{where}: columns of other code, got another identity of {', '.join(unlike)}; "
            "expected that of the catalog at hand. Use the bqx that made the schema, or create it "
            "anew in another database."
        )
