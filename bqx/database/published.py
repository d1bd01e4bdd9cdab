"""Features that a database holds as the files of a store: the bytes that computing them gives."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from bqx.database import reads, schema
from bqx.database.connect import connect, named
from bqx.errors import DatabaseError
from bqx.feature_store import month_file, pair_months
from bqx.feature_store.object_store import Folder
from bqx.feature_store.pair_months import PairMonth
from bqx.features.engine.compute import Plan
from bqx.features.lags import Column
from bqx.features.spec import Feature

KEY = "published"
"""The parameter that names the database."""


def write_files(
    month: PairMonth, tables: pair_months.Tables, place: str, key: str, address: str
) -> dict[str, pair_months.Entry]:
    """Write the files of a month as `pair_months.write_files` does, of values in a database.

    Tables that no database has, of a user's own features, are computed.

    Parameters
    ----------
    address : of the database, see `connect.named`.

    Raises DatabaseError where it cannot be read, or holds features of other bars or code.
    """
    stored = [name for name in tables if name in schema.tables()]
    rest = {name: members for name, members in tables.items() if name not in stored}
    entries = pair_months.write_files(month, rest, place, key) if rest else {}
    engine, folder = connect(named(address, KEY)), Folder(place)
    try:
        for name in stored:
            path = month_file.path_of(name, month.bars.pair, month.month)
            if path in month.paths:
                features = [f.feature for f in tables[name] if isinstance(f, Column)]
                values = _read(engine, month, features)
                entries[path] = pair_months.write_file(
                    folder, path, month, features, values=values, key=key
                )
    finally:
        engine.dispose()
    return entries


def _read(engine: Engine, month: PairMonth, features: Sequence[Feature]) -> NDArray[np.float32]:
    """Values of a month, the last of which are those of its bars."""
    bars, ts = month.bars, month.ts
    frame = reads.read_features(engine, bars.pair, features, since=ts[0], until=month.until)
    values = frame.to_numpy(np.float32)
    same = frame.index.equals(ts)
    if same:
        plan = Plan(features)
        last = plan(bars.rows(max(0, len(bars) - plan.lookback), len(bars)), last=1)
        same = np.array_equal(values[-1:], last, equal_nan=True)
    if not same:
        relation = schema.relation(features[0].table, bars.pair)
        raise DatabaseError(
            f"{relation}: features of other bars, got {len(frame):,} rows from {ts[0]} "
            f"to {ts[-1]} with other times or values; expected those of the run's "
            f"{month.rows:,}. Publish them again by `bqx db load`, or leave {KEY} out."
        )
    return values
