"""The disaster drill of the database: an empty one is built anew from bars and published features.

Bars are the source of truth and features a function of them, so that nothing else needs a backup.
"""

import time
from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Engine, inspect

from bqx.database import loads, reads, schema
from bqx.errors import ParameterError
from bqx.feature_store.store import Store
from bqx.market import bars
from bqx.readiness.drill import Drill


def rebuild(
    engine: Engine,
    frames: Mapping[str, pd.DataFrame],
    store: Store | None = None,
    lost: pd.Timestamp | None = None,
) -> Drill:
    """Build an empty database from bars, and from a store where one is given; measure it.

    Parameters
    ----------
    engine : of a database without the schema ``bqx``, never of the one that is served from.
    frames : bars of each pair.
    lost : time at which the database was lost, by default the end of the newest bar.

    Returns
    -------
    Drill : ``files`` counts pairs and months of tables, ``mb`` is the size of the bars in memory;
        ``whole`` : whether every bar is back, bit for bit; ``rpo`` : seconds from the end of a
        pair's newest bar to the loss, the longest of all pairs; ``lost`` : pairs with such a gap.

    Raises ParameterError where the schema is there.
    """
    if "bqx" in inspect(engine).get_schema_names():
        raise ParameterError(
            "database: not empty, got a schema bqx; expected none, so that the drill touches no "
            "original. Name another one in BQX_DATABASE_URL."
        )
    start = time.perf_counter()
    schema.create(engine, tuple(frames))
    loads.put_bars(engine, dict(frames))
    months, _ = loads.publish(engine, store, tuple(frames)) if store is not None else (0, 0)
    spent = time.perf_counter() - start
    whole = all(
        reads.read_bars(engine, pair).equals(frame[list(bars.COLUMNS)])
        for pair, frame in frames.items()
    )
    ends = [frame.index[-1] + pd.Timedelta(minutes=1) for frame in frames.values()]
    gaps = [max(((lost or max(ends)) - end).total_seconds(), 0.0) for end in ends]
    size = sum(int(frame.memory_usage().sum()) for frame in frames.values()) / 1e6
    absent = sum(gap > 0.0 for gap in gaps)
    return Drill(len(frames) + months, size, spent, max(gaps), absent, whole)
