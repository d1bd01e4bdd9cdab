"""Features that a database holds as the files of a store: the bytes that computing them gives."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from bqx.database import reads, schema
from bqx.database.connect import connect, named
from bqx.errors import DatabaseError
from bqx.feature_store import build, month_file
from bqx.feature_store.object_store import Folder
from bqx.features import catalog
from bqx.features.engine.compute import Plan
from bqx.features.spec import Feature
from bqx.market.bars import Bars

KEY = "published"
"""The parameter that names the database."""


def write_pair(
    bars: Bars,
    tables: Mapping[str, Sequence[str]],
    months: build.Months,
    paths: Collection[str],
    place: str,
    key: str,
    address: str,
) -> dict[str, build.Entry]:
    """Write some files of a pair as `build.write_pair` does, of values that a database holds.

    Tables that no database has, of a user's own features, are computed.

    Parameters
    ----------
    address : of the database, see `connect.named`.

    Raises DatabaseError where it cannot be read, or holds features of other bars or code.
    """
    stored = {name: members for name, members in tables.items() if name in schema.tables()}
    rest = {name: members for name, members in tables.items() if name not in stored}
    entries = build.write_pair(bars, rest, months, paths, place, key) if rest else {}
    engine, folder = connect(named(address, KEY)), Folder(place)
    try:
        for name, members in stored.items():
            features = [catalog.FEATURES[member] for member in members]
            for month, span in months.items():
                path = month_file.path_of(name, bars.pair, month)
                if path in paths:
                    values = _read(engine, bars, features, span)
                    rows = bars.ts[slice(*span)]
                    entries[path] = build.write_month(
                        folder, path, rows, features, values=values, key=key
                    )
    finally:
        engine.dispose()
    return entries


def _read(
    engine: Engine, bars: Bars, features: Sequence[Feature], span: tuple[int, int]
) -> NDArray[np.float32]:
    """Values of a month, the last of which are those of these bars."""
    start, stop = span
    end = bars.ts[stop] if stop < len(bars) else None
    frame = reads.read_features(engine, bars.pair, features, since=bars.ts[start], until=end)
    values = frame.to_numpy(np.float32)
    same = frame.index.equals(bars.ts[start:stop])
    if same:
        plan = Plan(features)
        last = plan(bars.rows(max(0, stop - plan.lookback), stop), last=1)
        same = np.array_equal(values[-1:], last, equal_nan=True)
    if not same:
        relation = schema.relation(features[0].table, bars.pair)
        raise DatabaseError(
            f"{relation}: features of other bars, got {len(frame):,} rows from {bars.ts[start]} "
            f"to {bars.ts[stop - 1]} with other times or values; expected those of the run's "
            f"{stop - start:,}. Publish them again by `bqx db load`, or leave {KEY} out."
        )
    return values
