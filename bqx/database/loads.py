"""Bars and published features into PostgreSQL, a month of a table in one transaction.

A month is there whole or not at all, and a load that was stopped goes on where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from bqx.database.failures import explained
from bqx.feature_store.store import Store
from bqx.features.spec import Feature
from bqx.market import bars, revisions

_VALUES = ", ".join(bars.COLUMNS)

_ADD_BASELINE = text(
    "INSERT INTO bqx.baselines VALUES (:pair, :baseline) ON CONFLICT (pair) DO NOTHING"
)
_ADD_MONTH = text("SELECT bqx.add_month(:relation, :month)")
_CONTENT = text("SELECT content FROM bqx.loads WHERE relation = :relation AND month = :month")
_NOTE_LOAD = text(
    "INSERT INTO bqx.loads VALUES (:relation, :month, :content, :rows) ON CONFLICT "
    "(relation, month) DO UPDATE SET content = excluded.content, rows = excluded.rows, "
    "loaded_at = now()"
)
_STAGE = sql.SQL("CREATE TEMP TABLE {arrived} (LIKE {target}) ON COMMIT DROP")
_MERGE = sql.SQL(
    "INSERT INTO {target} AS t SELECT * FROM {arrived} ON CONFLICT (ts_utc, known_at) "
    f"DO UPDATE SET ({_VALUES}) = ({', '.join(f'excluded.{name}' for name in bars.COLUMNS)}) "
    f"WHERE ({', '.join(f't.{name}' for name in bars.COLUMNS)}) "
    f"IS DISTINCT FROM ({', '.join(f'excluded.{name}' for name in bars.COLUMNS)})"
)


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
    with explained(engine, "bars"):
        with engine.begin() as connection:
            schema.require(connection)
            for pair, frame in frames.items():
                row = {"pair": pair, "baseline": bars.baseline(frame, since)}
                connection.execute(_ADD_BASELINE, row)
        for pair, frame in frames.items():
            name = schema.relation(schema.BARS, pair)
            ts = pd.DatetimeIndex(frame.index)
            if revisions.KNOWN not in frame:
                frame = revisions.with_known(frame)
            known_at = revisions.checked(ts, pd.DatetimeIndex(frame[revisions.KNOWN]))
            stamps = np.column_stack([microseconds(ts), microseconds(known_at)])
            values = frame[list(bars.COLUMNS)].to_numpy(np.float64)
            for first, rows in months(ts):
                with _locked(engine, name, first) as (connection, target):
                    encoded = encode(stamps[rows], values[rows])
                    written += _upsert(connection, target, encoded)
    return written


def _upsert(connection: Connection, target: sql.Identifier, encoded: Iterator[bytes]) -> int:
    cursor = connection.connection.cursor()
    cursor.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(target))
    if cursor.fetchone() is None:
        return _copy(connection, target, encoded)
    arrived = sql.Identifier("arrived")
    cursor.execute(_STAGE.format(arrived=arrived, target=target))
    _copy(connection, arrived, encoded)
    cursor.execute(_MERGE.format(arrived=arrived, target=target))
    written: int = cursor.rowcount
    cursor.execute(sql.SQL("DROP TABLE {}").format(arrived))
    return written


def put_month(engine: Engine, month: Month) -> bool:
    """Replace a month of a features' table, unless it holds the same content already.

    Returns whether it was written. Raises DatabaseError; the month then is as before.
    """
    with explained(engine, month.relation):
        with engine.connect() as connection:
            schema.require(connection, schema.of_relation(month.relation))
            if _holds(connection, month):
                return False
        with _locked(engine, month.relation, month.first) as (connection, target):
            if _holds(connection, month):
                return False
            connection.connection.cursor().execute(sql.SQL("DELETE FROM {}").format(target))
            _copy(connection, target, encode(microseconds(month.ts)[:, None], month.values))
            row = {"relation": month.relation, "month": month.first.date()}
            row |= {"content": month.content, "rows": len(month.ts)}
            connection.execute(_NOTE_LOAD, row)
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
    with explained(engine, "loads"), engine.connect() as connection:
        schema.require(connection)
        rows = connection.execute(text("SELECT relation, month, content FROM bqx.loads"))
        loaded = {(row.relation, f"{row.month:%Y-%m}"): row.content for row in rows}
    files = []
    for pair in pairs or store.pairs:
        store.origin(pair)  # which refuses files of two builds
        for table in store.tables(pair):
            relation = schema.relation(table, pair)
            for file in store.parts(table, pair):
                if loaded.get((relation, file.month)) != file.sha256:
                    files.append((relation, file))
    for relation, file in tqdm(files, desc="loading", unit="month", disable=None):
        store.verify(file)
        features = store.features(file.table)
        values = _columns(file.table, features, store.values(file, features))
        first = pd.Timestamp(file.month)
        put_month(engine, Month(relation, first, store.times(file), values, file.sha256))
    return len(files), sum(file.rows for _, file in files)


def _columns(
    table: str, features: Sequence[Feature], values: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Values of all columns of a table; NaN for features that the store does not hold."""
    stored = dict(zip(features, values, strict=True))
    absent = np.full(len(values[0]), np.nan, dtype=np.float32)
    return np.column_stack([stored.get(feature, absent) for feature in schema.tables()[table]])


def _holds(connection: Connection, month: Month) -> bool:
    row = {"relation": month.relation, "month": month.first.date()}
    return connection.execute(_CONTENT, row).scalar() == month.content


@contextmanager
def _locked(
    engine: Engine, relation: str, first: pd.Timestamp
) -> Iterator[tuple[Connection, sql.Identifier]]:
    """A transaction that alone writes the partition of a month, and its name."""
    # In a transaction of its own: it locks the table out for every reader.
    with engine.begin() as connection:
        row = {"relation": relation, "month": first.date()}
        name = str(connection.execute(_ADD_MONTH, row).scalar())
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})
        yield connection, sql.Identifier("bqx", name)


def _copy(connection: Connection, target: sql.Identifier, encoded: Iterator[bytes]) -> int:
    """Copy encoded rows into a table; how many they are."""
    order = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(target)
    cursor = connection.connection.cursor()
    cursor.copy_expert(order, Stream(encoded), size=PIECE)
    return int(cursor.rowcount)
