"""All columns of one bar, for one pair or for all, as serving needs them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg2 import sql
from sqlalchemy import Connection, Engine

from bqx.database import schema
from bqx.database.failures import explained
from bqx.errors import DatabaseError
from bqx.features import catalog
from bqx.features.spec import Feature
from bqx.files import digest

# What array_send puts before the elements of an array of one dimension; then a length each.
_HEAD = 20
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">f4")])


class Reader:
    """Published values of single bars: one statement per pair, prepared once per connection.

    A statement names the partitions of its month, so that the server plans no others.

    Parameters
    ----------
    engine : its pool is shared by the pairs of a read.
    features : in the order wanted.
    """

    def __init__(self, engine: Engine, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        self._engine = engine
        self._name = digest([feature.name for feature in self.features])[:12]
        self._tables = catalog.tables(self.features)
        column = {feature.name: i for i, feature in enumerate(self.features)}
        self._columns = [[column[f.name] for f in members] for members in self._tables.values()]

    def read(self, pairs: Sequence[str], ts: pd.Timestamp) -> NDArray[np.float32]:
        """(pairs, features) of the bar that opened at a time; NaN where a value is absent.

        Raises
        ------
        DatabaseError : no such row in a table, or the server refused.
        ParameterError : an unknown pair.
        """
        with explained(self._engine, "serving"):
            if len(pairs) == 1:
                return self._rows(pairs, ts)
            workers = min(len(pairs), self._engine.pool.size())  # type: ignore[attr-defined]
            with ThreadPoolExecutor(workers) as threads:
                shares = [list(pairs[i::workers]) for i in range(workers)]
                out = np.empty((len(pairs), len(self.features)), dtype=np.float32)
                for i, rows in enumerate(threads.map(self._rows, shares, repeat(ts))):
                    out[i::workers] = rows
                return out

    def _rows(self, pairs: Sequence[str], ts: pd.Timestamp) -> NDArray[np.float32]:
        with self._engine.connect() as connection:
            return np.stack([self._row(connection, pair, ts) for pair in pairs])

    def _row(self, connection: Connection, pair: str, ts: pd.Timestamp) -> NDArray[np.float32]:
        time = ts.tz_convert("UTC")
        name = f"bar_{pair}_{time:%Y%m}_{self._name}"
        cursor = connection.connection.cursor()
        # The connection's own notes, which last as long as what is prepared on it.
        if name not in connection.info:
            schema.require(connection, self.features)
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            order = sql.SQL("PREPARE {} (timestamptz) AS {}")
            cursor.execute(order.format(sql.Identifier(name), self._statement(pair, time)))
            # A rollback would undo the setting.
            connection.commit()
            connection.info[name] = True
        order = sql.SQL("EXECUTE {} ({})")
        cursor.execute(order.format(sql.Identifier(name), sql.Literal(time.isoformat())))
        arrays = dict(cursor.fetchall())
        out = np.empty(len(self.features), dtype=np.float32)
        for i, (table, columns) in enumerate(zip(self._tables, self._columns, strict=True)):
            if i not in arrays:
                raise DatabaseError(
                    f"{schema.relation(table, pair)}: no row, got none at {time}; expected one. "
                    "Load it with `bqx db load`, or ask for a bar of the grid."
                )
            out[columns] = np.frombuffer(arrays[i], _ELEMENT, len(columns), _HEAD)["value"]
        return out

    def _statement(self, pair: str, time: pd.Timestamp) -> sql.Composable:
        select = sql.SQL("SELECT {}, array_send(ARRAY[{}]) FROM {} WHERE ts_utc = $1")
        number = sql.SQL("coalesce({}, 'NaN')")
        selects = []
        for i, (table, members) in enumerate(self._tables.items()):
            columns = [number.format(sql.Identifier(feature.name)) for feature in members]
            month = sql.Identifier("bqx", f"{schema.relation(table, pair)}_y{time:%Ym%m}")
            selects.append(select.format(sql.Literal(i), sql.SQL(", ").join(columns), month))
        return sql.SQL(" UNION ALL ").join(selects)
