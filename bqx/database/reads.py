"""Bars as they were known at a time, and published features, out of PostgreSQL."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg2 import sql
from sqlalchemy import Engine, text

from bqx.database import schema
from bqx.database.copying import decode, times
from bqx.database.failures import told
from bqx.errors import DatabaseError
from bqx.features.spec import Feature
from bqx.market import bars, revisions, sessions
from bqx.market.bars import Bars

_ROWS = sql.SQL(
    "SELECT {times}, {columns} FROM {table} WHERE ts_utc >= {since} AND ts_utc < {until} "
    "AND {known} ORDER BY {times}"
)
_ALL = sql.SQL("true")


def read_bars(
    engine: Engine,
    pair: str,
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    as_of: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Bars of a pair as they were known at a time, in the bar schema.

    Parameters
    ----------
    since, until : first bar, and the bar that is no longer read; default all.
    as_of : of every bar the newest version that was known then; default the newest.

    Raises DatabaseError.
    """
    known = sql.SQL("known_at <= {}").format(sql.Literal(_bound(as_of, "infinity")))
    relation = schema.relation(schema.BARS, pair)
    times_of = ("ts_utc", revisions.KNOWN)
    stamps, values = _copied(engine, relation, times_of, bars.COLUMNS, 8, since, until, known)
    counts = revisions.newest(stamps[:, 0], stamps[:, 1])
    index = times(stamps[counts, 0]).rename("ts_utc")
    return pd.DataFrame(values[counts], index=index, columns=list(bars.COLUMNS))


def read_grid(
    engine: Engine,
    pairs: Sequence[str],
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    as_of: pd.Timestamp | None = None,
    max_fill: int = 15,
) -> dict[str, Bars]:
    """Bars of pairs on one grid under their stored baselines, see `bars.align`.

    Raises DatabaseError when the server refuses or a pair has no bars there.
    """
    frames = {pair: read_bars(engine, pair, since, until=until, as_of=as_of) for pair in pairs}
    with told(engine, "baselines"), engine.connect() as connection:
        found = connection.execute(text("SELECT pair, baseline FROM bqx.baselines"))
        baselines = {row.pair: row.baseline for row in found}
    for pair, frame in frames.items():
        if frame.empty:
            raise DatabaseError(
                f"{schema.relation(schema.BARS, pair)}: no bars, got 0 rows from {since} to "
                f"{until} as of {as_of}; expected at least 1. Load them with `bqx db bars`."
            )
    minutes = [sessions.epoch_minutes(pd.DatetimeIndex(f.index[[0, -1]])) for f in frames.values()]
    first, last = int(min(m[0] for m in minutes)), int(max(m[1] for m in minutes))
    return bars.join(
        {
            pair: Bars(pair, bars.to_grid(frame, first, last, max_fill=max_fill), baselines[pair])
            for pair, frame in frames.items()
        }
    )


def read_features(
    engine: Engine,
    pair: str,
    features: Sequence[Feature],
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Published values of features of a pair: index ``ts_utc``, a float32 column a feature.

    Raises DatabaseError when the server refuses, ParameterError for a feature that has no column.
    """
    parts = []
    for table in dict.fromkeys(feature.table for feature in features):
        columns = [feature.name for feature in features if feature.table == table]
        relation = schema.relation(table, pair)
        stamps, values = _copied(engine, relation, ("ts_utc",), columns, 4, since, until, _ALL)
        parts.append(pd.DataFrame(values, index=times(stamps[:, 0]), columns=columns))
    joined = pd.concat(parts, axis=1) if len(parts) > 1 else parts[0]
    return joined[[feature.name for feature in features]].rename_axis("ts_utc")


def _copied(
    engine: Engine,
    relation: str,
    times_of: Sequence[str],
    columns: Sequence[str],
    size: int,
    since: pd.Timestamp | None,
    until: pd.Timestamp | None,
    known: sql.Composable,
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    # Without NULL all rows are equally long, which makes them an array.
    number = sql.SQL("coalesce({}, 'NaN')")
    query = _ROWS.format(
        times=sql.SQL(", ").join(map(sql.Identifier, times_of)),
        table=sql.Identifier("bqx", relation),
        columns=sql.SQL(", ").join(number.format(sql.Identifier(name)) for name in columns),
        since=sql.Literal(_bound(since, "-infinity")),
        until=sql.Literal(_bound(until, "infinity")),
        known=known,
    )
    held = io.BytesIO()
    with told(engine, relation), engine.connect() as connection:
        wanted = {*columns}
        members = [f for f in schema.of_relation(relation) if f.name in wanted]
        schema.require(connection, members)
        cursor = connection.connection.cursor()
        cursor.copy_expert(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query), held)
    return decode(held.getbuffer(), len(times_of), len(columns), size=size)


def _bound(time: pd.Timestamp | None, endless: str) -> str:
    return endless if time is None else time.tz_convert("UTC").isoformat()
