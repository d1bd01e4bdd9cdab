"""Bars and published features into PostgreSQL, a month of a table in one transaction.

A month is there whole or not at all, and a load that was stopped goes on where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg2 import sql
from sqlalchemy import Connection, Engine, text
from tqdm import tqdm

from bqx.database import schema
from bqx.database.copying import PIECE, Stream, encode, microseconds
from bqx.database.failures import told
from bqx.feature_store.store import Store
from bqx.features.spec import Feature
from bqx.market import bars, revisions

_KEY = ("ts_utc", revisions.KNOWN)


@dataclass(frozen=True)
class Month:
    """The rows of a table in a month.

    ``relation`` : its name in the schema.
    ``first`` : the month's first day.
    ``ts`` : (T,) bar opens in UTC, ascending.
    ``values`` : (T, K) float32 of all its columns.
    ``content`` : hash of what the rows were made from.
    """

    relation: str
    first: pd.Timestamp
    ts: pd.DatetimeIndex
    values: NDArray[np.float32]
    content: str


def months(ts: pd.DatetimeIndex) -> Iterator[tuple[pd.Timestamp, slice]]:
    """First days of the months of ascending times, and their rows."""
    periods = ts.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[M]")
    edges = np.flatnonzero(np.r_[True, periods[1:] != periods[:-1], True])
    for start, stop in pairwise(map(int, edges)):
        yield pd.Timestamp(periods[start]), slice(start, stop)


def put_bars(
    engine: Engine,
    frames: Mapping[str, pd.DataFrame],
    since: pd.Timestamp | None = None,
) -> int:
    """Store bars as what became known of them at a time; repeating it changes nothing.

    Parameters
    ----------
    frames : validated bars by pair, see `bars.validate`; a column ``known_at`` says when each
        became known, see `bqx.market.revisions`. Without it that is at the bar's end.
    since : baseline time of pairs that have no baseline yet, see `bars.baseline`.

    Returns
    -------
    Rows that are new or differ from what stood there.

    Raises
    ------
    BarError : no bar at or after ``since``, or bars that were known before they ended.
    DatabaseError : the server refused; whole months that are done stay.
    """
    written = 0
    with told(engine, "bars"):
        with engine.begin() as connection:
            schema.require(connection)
            for pair, frame in frames.items():
                connection.execute(
                    text("INSERT INTO bqx.baselines VALUES (:pair, :baseline) "
                         "ON CONFLICT (pair) DO NOTHING"),
                    {"pair": pair, "baseline": bars.baseline(frame, since)},
                )  # fmt: skip
        for pair, frame in frames.items():
            name = schema.relation(schema.BARS, pair)
            ts = pd.DatetimeIndex(frame.index)
            if revisions.KNOWN not in frame:
                frame = revisions.with_known(frame)
            known = revisions.checked(ts, pd.DatetimeIndex(frame[revisions.KNOWN]))
            stamps = np.column_stack([microseconds(ts), microseconds(known)])
            values = frame[list(bars.COLUMNS)].to_numpy(np.float64)
            for first, rows in months(ts):
                part = _partition(engine, name, first)
                with engine.begin() as connection:
                    _alone(connection, part)
                    written += _upsert(connection, part, stamps[rows], values[rows])
    return written


def _upsert(
    connection: Connection, part: str, stamps: NDArray[np.int64], values: NDArray[np.float64]
) -> int:
    columns = (*_KEY, *bars.COLUMNS)
    empty = text(f"SELECT NOT EXISTS (SELECT FROM {_quoted(connection, part)})")
    if connection.execute(empty).scalar():
        _copy(connection, sql.Identifier("bqx", part), stamps, values)
        return len(values)
    cursor = connection.connection.cursor()
    arrived, target = sql.Identifier("arrived"), sql.Identifier("bqx", part)
    names = {
        "arrived": arrived, "target": target,
        "key": sql.SQL(", ").join(map(sql.Identifier, _KEY)),
        "set": sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns[2:]
        ),
        "old": sql.SQL(", ").join(sql.Identifier("t", name) for name in columns[2:]),
        "new": sql.SQL(", ").join(sql.Identifier("excluded", name) for name in columns[2:]),
    }  # fmt: skip
    cursor.execute(
        sql.SQL("CREATE TEMP TABLE {arrived} (LIKE {target}) ON COMMIT DROP").format(**names)
    )
    _copy(connection, arrived, stamps, values)
    cursor.execute(
        sql.SQL(
            "INSERT INTO {target} AS t SELECT * FROM {arrived} ON CONFLICT ({key}) "
            "DO UPDATE SET {set} WHERE ({old}) IS DISTINCT FROM ({new})"
        ).format(**names)
    )
    written: int = cursor.rowcount
    cursor.execute(sql.SQL("DROP TABLE {arrived}").format(**names))
    return written


def put_month(engine: Engine, month: Month) -> bool:
    """Replace a month of a features' table, unless it holds the same content already.

    Returns whether it was written. Raises DatabaseError; the month then is as before.
    """
    with told(engine, month.relation):
        with engine.connect() as connection:
            schema.require(connection, schema.of_relation(month.relation))
            if _holds(connection, month):
                return False
        part = _partition(engine, month.relation, month.first)
        with engine.begin() as connection:
            _alone(connection, part)
            if _holds(connection, month):
                return False
            connection.execute(text(f"DELETE FROM {_quoted(connection, part)}"))
            stamps = microseconds(month.ts)[:, None]
            _copy(connection, sql.Identifier("bqx", part), stamps, month.values)
            connection.execute(
                text("INSERT INTO bqx.loads VALUES (:relation, :month, :content, :rows) "
                     "ON CONFLICT (relation, month) DO UPDATE SET content = excluded.content, "
                     "rows = excluded.rows, loaded_at = now()"),
                {"relation": month.relation, "month": month.first.date(),
                 "content": month.content, "rows": len(month.ts)},
            )  # fmt: skip
    return True


def publish(engine: Engine, store: Store, pairs: Sequence[str] = ()) -> tuple[int, int]:
    """Load the months of a store of published features that are not there yet.

    Parameters
    ----------
    pairs : default all of the store; their tables were created.

    Returns
    -------
    Months written, and their rows.

    Raises
    ------
    ArtefactError : the store is damaged or of other code.
    DatabaseError : the server refused; the months that are done stay.
    """
    with told(engine, "loads"), engine.connect() as connection:
        schema.require(connection)
        found = connection.execute(text("SELECT relation, month, content FROM bqx.loads"))
        there = {(row.relation, f"{row.month:%Y-%m}"): row.content for row in found}
    work = []
    for pair in pairs or store.pairs:
        store.origin(pair)  # which refuses files of two builds
        for table in store.tables(pair):
            relation, features = schema.relation(table, pair), store.features(table)
            for part in store.parts(table, pair):
                if there.get((relation, part.month)) != part.sha256:
                    work.append((relation, features, part))
    for relation, features, part in tqdm(work, desc="loading", unit="month", disable=None):
        month = Month(
            relation, pd.Timestamp(part.month), store.times(part),
            _columns(part.table, features, store.values(part, features)), part.sha256,
        )  # fmt: skip
        put_month(engine, month)
    return len(work), sum(part.rows for _, _, part in work)


def _columns(
    table: str, features: Sequence[Feature], values: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Values of all columns of a table; NaN for features that the store does not hold."""
    held = dict(zip(features, values, strict=True))
    absent = np.full(len(values[0]), np.nan, dtype=np.float32)
    return np.column_stack([held.get(feature, absent) for feature in schema.tables()[table]])


def _holds(connection: Connection, month: Month) -> bool:
    found = connection.execute(
        text("SELECT content FROM bqx.loads WHERE relation = :relation AND month = :month"),
        {"relation": month.relation, "month": month.first.date()},
    )
    return found.scalar() == month.content


def _partition(engine: Engine, relation: str, first: pd.Timestamp) -> str:
    # In a transaction of its own: it locks the table out for every reader.
    with engine.begin() as connection:
        made = connection.execute(
            text("SELECT bqx.add_month(:relation, :month)"),
            {"relation": relation, "month": first.date()},
        )
        return str(made.scalar())


def _alone(connection: Connection, part: str) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:part))"), {"part": part})


def _quoted(connection: Connection, part: str) -> str:
    quote = connection.dialect.identifier_preparer.quote_identifier
    return f"{quote('bqx')}.{quote(part)}"


def _copy(
    connection: Connection,
    target: sql.Identifier,
    stamps: NDArray[np.int64],
    values: NDArray[np.floating],
) -> None:
    order = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(target)
    cursor = connection.connection.cursor()
    cursor.copy_expert(order, Stream(encode(stamps, values)), size=PIECE)
