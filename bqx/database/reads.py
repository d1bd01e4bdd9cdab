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
from bqx.database.failures import explained
from bqx.errors import DatabaseError
from bqx.features.spec import Feature
from bqx.market import bars, revisions
from bqx.market.bars import Bars

_ROWS = sql.SQL("SELECT {keys}, {columns} FROM {table} WHERE {condition} ORDER BY {keys}")


def read_bars(
    engine: Engine,
    pair: str,
    *,
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
    condition = _between(since, until) + sql.SQL(" AND known_at <= {}").format(
        sql.Literal(_bound(as_of, "infinity"))
    )
    relation = schema.relation(schema.BARS, pair)
    keys = ("ts_utc", revisions.KNOWN)
    stamps, values = _copied(engine, relation, condition, keys=keys, columns=bars.COLUMNS, size=8)
    rows = revisions.newest(stamps[:, 0], stamps[:, 1])
    index = times(stamps[rows, 0]).rename("ts_utc")
    return pd.DataFrame(values[rows], index=index, columns=list(bars.COLUMNS))


def read_grid(
    engine: Engine,
    pairs: Sequence[str],
    *,
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    as_of: pd.Timestamp | None = None,
    max_fill: int = 15,
) -> dict[str, Bars]:
    """Bars of pairs on one grid under their stored baselines, see `bars.align`.

    Raises DatabaseError when the server refuses or a pair has no bars there.
    """
    frames = {
        pair: read_bars(engine, pair, since=since, until=until, as_of=as_of) for pair in pairs
    }
    with explained(engine, "baselines"), engine.connect() as connection:
        rows = connection.execute(text("SELECT pair, baseline FROM bqx.baselines"))
        baselines = {row.pair: row.baseline for row in rows}
    for pair, frame in frames.items():
        if frame.empty:
            raise DatabaseError(
                f"{schema.relation(schema.BARS, pair)}: no bars, got 0 rows from {since} to "
                f"{until} as of {as_of}; expected at least 1. Load them with `bqx db bars`."
            )
    return bars.align(frames, max_fill, baselines=baselines)


def read_features(
    engine: Engine,
    pair: str,
    features: Sequence[Feature],
    *,
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Published values of features of a pair: index ``ts_utc``, one float32 column per feature.

    Raises DatabaseError when the server refuses, ParameterError for a feature that has no column.
    """
    frames, condition = [], _between(since, until)
    for table in dict.fromkeys(feature.table for feature in features):
        columns = [feature.name for feature in features if feature.table == table]
        relation = schema.relation(table, pair)
        keys = ("ts_utc",)
        stamps, values = _copied(engine, relation, condition, keys=keys, columns=columns, size=4)
        frames.append(pd.DataFrame(values, index=times(stamps[:, 0]), columns=columns))
    joined = pd.concat(frames, axis=1) if len(frames) > 1 else frames[0]
    return joined[[feature.name for feature in features]].rename_axis("ts_utc")


def _copied(
    engine: Engine,
    relation: str,
    condition: sql.Composable,
    *,
    keys: Sequence[str],
    columns: Sequence[str],
    size: int,
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    # Without NULL all rows are equally long, which makes them an array.
    number = sql.SQL("coalesce({}, 'NaN')")
    query = _ROWS.format(
        keys=sql.SQL(", ").join(map(sql.Identifier, keys)),
        columns=sql.SQL(", ").join(number.format(sql.Identifier(name)) for name in columns),
        table=sql.Identifier("bqx", relation),
        condition=condition,
    )
    rows = io.BytesIO()
    with explained(engine, relation), engine.connect() as connection:
        wanted = {*columns}
        members = [f for f in schema.of_relation(relation) if f.name in wanted]
        schema.require(connection, members)
        cursor = connection.connection.cursor()
        cursor.copy_expert(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query), rows)
    return decode(rows.getbuffer(), len(keys), len(columns), size=size)


def _between(since: pd.Timestamp | None, until: pd.Timestamp | None) -> sql.Composable:
    bounds = sql.Literal(_bound(since, "-infinity")), sql.Literal(_bound(until, "infinity"))
    return sql.SQL("ts_utc >= {} AND ts_utc < {}").format(*bounds)


def _bound(time: pd.Timestamp | None, endless: str) -> str:
    return endless if time is None else time.tz_convert("UTC").isoformat()
