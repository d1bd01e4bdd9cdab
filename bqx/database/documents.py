"""A database in the documents' layout set aside beside bqx's schema, and brought back.

The documents' tables stand in a schema ``bqx`` too. It gets the name `ASIDE`, tables, rows and
partitions as they are, so that bqx's own schema can be made; back again, bqx's gets the name `OWN`.
Names of schemas alone change, whole in one transaction, and nothing is ever dropped. What the
documents' columns are in the catalog is listed in ``ASIDE.LIST``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from bqx.database.connect import shown
from bqx.errors import DatabaseError
from bqx.features import catalog
from bqx.features.documents import EVERY
from bqx.features.documents.lists import Table
from bqx.market.pairs import PAIRS

ASIDE, OWN = "bqx_documents", "bqx_catalog"
"""Names of the schema ``bqx`` that is not in use: the documents', and bqx's own."""

LIST = "columns_in_catalog"
"""Table of the schema aside: relation, name, and feature, NULL where the catalog has none."""

_BARS = {"open", "high", "low", "close", "volume"}
_TIMES = ("ts_utc", "time")
_NAME = re.compile(rf"([a-z0-9_]+)_({'|'.join(PAIRS)})")
_KIND = re.compile(r"(?P<family>[a-z0-9_]+?)(_features)?(?P<domain>_idx|_rate|_bqx)?")


@dataclass(frozen=True)
class Mapped:
    """A column of the documents' tables: its feature, ``bars`` or ``time``; None: left aside."""

    relation: str
    name: str
    feature: str | None


def set_aside(connection: Connection) -> bool:
    """Give the documents' schema its name aside, where the schema ``bqx`` is theirs.

    An own schema that an earlier return has kept becomes ``bqx`` again; returns whether there is
    one.

    Raises DatabaseError when both names are taken.
    """
    if not _there(connection, "bqx"):
        return False
    if _there(connection, ASIDE):
        raise _taken(connection, ASIDE)
    _rename(connection, "bqx", ASIDE)
    if not _there(connection, OWN):
        return False
    _rename(connection, OWN, "bqx")
    return True


def bring_back(connection: Connection) -> bool:
    """Give the documents' schema the name ``bqx`` again, and bqx's own the name `OWN`.

    Returns whether there was one to bring back.
    """
    if not _there(connection, ASIDE):
        return False
    if _there(connection, "bqx"):
        if _there(connection, OWN):
            raise _taken(connection, OWN)
        _rename(connection, "bqx", OWN)
    connection.execute(text(f"DROP TABLE IF EXISTS {ASIDE}.{LIST}"))
    _rename(connection, ASIDE, "bqx")
    return True


def keep_mapping(connection: Connection) -> None:
    """List what each of the columns set aside, if any, is in the catalog, in ``ASIDE.LIST``."""
    if not _there(connection, ASIDE):
        return
    rows = list(mapping(connection))
    connection.execute(text(f"DROP TABLE IF EXISTS {ASIDE}.{LIST}"))
    connection.execute(
        text(
            f"CREATE TABLE {ASIDE}.{LIST} "
            "(relation text, name text, feature text, PRIMARY KEY (relation, name))"
        )
    )
    connection.execute(
        text(
            f"INSERT INTO {ASIDE}.{LIST} SELECT * FROM unnest("
            "CAST(:relations AS text[]), CAST(:names AS text[]), CAST(:features AS text[]))"
        ),
        {
            "relations": [row.relation for row in rows],
            "names": [row.name for row in rows],
            "features": [row.feature for row in rows],
        },
    )


def mapping(connection: Connection) -> Iterator[Mapped]:
    """What each column of the tables set aside is in the catalog; partitions are their parents'."""
    rows = connection.execute(
        text(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = to_regnamespace(:aside) AND c.relkind IN ('r', 'p') "
            "AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped "
            "AND c.relname <> :list ORDER BY c.relname, a.attnum"
        ),
        {"aside": ASIDE, "list": LIST},
    )
    for relation, name in rows:
        yield Mapped(relation, name, _meaning(relation, name))


def _meaning(relation: str, name: str) -> str | None:
    match = _NAME.fullmatch(relation)
    if match is None:
        return None
    if match[1] == "m1":
        return "bars" if name in (*_TIMES, *_BARS, "spread_close") else None
    return "time" if name in _TIMES else _features(match[1]).get(name)


def _features(kind: str) -> Mapping[str, str]:
    """Catalog features of the columns of a documents' table type."""
    match = _KIND.fullmatch(kind)
    family, domain = (match["family"], match["domain"] or "") if match else (kind, "")
    domain = "_idx" if domain == "_rate" else domain
    names = {f"{family}{domain}", *({family, f"{family}_idx"} if domain in ("", "_idx") else ())}
    tables = [t for document in EVERY for t in document.tables if t.name in names]
    by_column = {f.name: f.name for f in catalog.FEATURES.values()}
    for table in reversed(tables):
        by_column |= _resolved(table)
    return by_column


def _resolved(table: Table) -> dict[str, str]:
    features = catalog.LISTS.resolve(table)
    return {name: feature.name for name, feature in features.items() if feature is not None}


def _there(connection: Connection, schema: str) -> bool:
    exists = connection.execute(text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": schema})
    return bool(exists.scalar())


def _rename(connection: Connection, before: str, after: str) -> None:
    connection.execute(text(f"ALTER SCHEMA {before} RENAME TO {after}"))


def _taken(connection: Connection, schema: str) -> DatabaseError:
    return DatabaseError(
        f"{shown(connection.engine.url)}: two schemas want one name, got {schema} beside bqx; "
        f"expected one of them. Rename {schema} or drop what is not needed of it."
    )


def summary(engine: Engine) -> str:
    """How many of the columns set aside the catalog has, and the names of the others."""
    with engine.connect() as connection:
        if not _there(connection, ASIDE):
            return "nothing is set aside"
        rows = connection.execute(text(f"SELECT name, feature FROM {ASIDE}.{LIST}")).all()
    left = sorted({row.name for row in rows if row.feature is None})
    mapped = sum(row.feature is not None for row in rows)
    return (
        f"{mapped:,} of {len(rows):,} columns are in the catalog, see {ASIDE}.{LIST}; left aside: "
        f"{', '.join(left) or 'none'}"
    )
