"""Months of pairs: the files of each made from no more rows than its features look back on.

All pairs of a month are made together, since what features say of the pairs as a whole, and of
other pairs than their own, is then made once for all of them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from bqx.feature_store import checked_parquet, month_file
from bqx.feature_store.object_store import Folder
from bqx.features import catalog
from bqx.features.engine.compute import Plan, warm_up
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.market.bars import Bars
from bqx.parallel import Backend, over_groups

Entry = dict[str, Any]
"""What the manifest says of a file."""

Months = dict[str, tuple[int, int]]
"""First row of each month and the row that follows its last."""

Tables = Mapping[str, Sequence[Feature | Column]]
"""Features of each table; those of the catalog as columns, which other processes find by name."""


@dataclass(frozen=True)
class PairMonth:
    """A month of a pair, of which some files are to be made.

    ``bars`` : its ``rows`` at the end, after those that its features look back on.
    ``until`` : the row that follows its last, None where there is none.
    ``paths`` : of the files.
    """

    month: str
    bars: Bars
    rows: int
    until: pd.Timestamp | None
    paths: Collection[str]

    @property
    def ts(self) -> pd.DatetimeIndex:
        """(rows,) bar opens of the month."""
        return self.bars.ts[len(self.bars) - self.rows :]


def make(
    grids: Mapping[str, Bars],
    months: Months,
    tables: Mapping[str, Sequence[Feature]],
    absent: Mapping[str, Collection[str]],
    workers: int,
    *,
    work: Callable[..., dict[str, Entry]],
    place: tuple[str, ...],
    write: Callable[[dict[str, Entry]], None],
    backend: Backend,
) -> None:
    """Make the files that are absent, with a progress bar.

    Parameters
    ----------
    absent : paths of each pair, in the months and tables.
    work : `write_files`, or what takes the same and gives as much.
    place : what it takes after the month and the tables.
    write : called with the entries of files that are finished, a group at a time, see `groups`.

    Raises BqxError : months of pairs failed; the others are made.
    """
    lookback = max(map(warm_up, tables.values()))
    sent = {table: _sent(members) for table, members in tables.items()}

    def task(order: tuple[str, str, Collection[str]]) -> tuple[Any, ...]:
        pair, month, paths = order
        (start, stop), bars = months[month], grids[pair]
        until = bars.ts[stop] if stop < len(bars) else None
        rows = bars.rows(max(0, start - lookback + 1), stop)
        return PairMonth(month, rows, stop - start, until, paths), sent, *place

    def write_all(results: dict[str, dict[str, Entry]]) -> None:
        write({path: entry for of_pair in results.values() for path, entry in of_pair.items()})

    # Arrow keeps the memory in which the bars were read, half as much again as they take.
    pa.default_memory_pool().release_unused()
    over_groups(
        work,
        groups(months, absent, workers),
        workers,
        task=task,
        write=write_all,
        units="months of pairs",
        backend=backend,
    )


def groups(
    months: Collection[str], absent: Mapping[str, Collection[str]], workers: int
) -> list[dict[str, tuple[str, str, list[str]]]]:
    """Pairs, months and paths that are made together, as many groups for each worker.

    A group is a month, or a part of its pairs where the months cannot be shared out evenly.
    """
    by_month: list[list[tuple[str, str, list[str]]]] = []
    for month in months:
        paths = {
            pair: [path for path in of_pair if path.endswith(f"/{month}.parquet")]
            for pair, of_pair in absent.items()
        }
        by_month.append(
            [(pair, month, month_paths) for pair, month_paths in paths.items() if month_paths]
        )
    orders = [of_month for of_month in by_month if of_month]
    parts = workers // gcd(workers, len(orders))
    return [
        {f"{pair} {month}": (pair, month, paths) for pair, month, paths in of_month[offset::parts]}
        for of_month in orders
        for offset in range(min(parts, len(of_month)))
    ]


def _sent(features: Sequence[Feature]) -> list[Feature | Column]:
    catalogued = catalog.FEATURES
    return [
        Column(f) if f.name in catalogued and catalogued[f.name].family is f.family else f
        for f in features
    ]


def write_files(month: PairMonth, tables: Tables, place: str, key: str) -> dict[str, Entry]:
    """Compute and write the files of a month; what the manifest is to say of each."""
    folder, files = Folder(place), {}
    # A file is written while the next one is computed.
    with ThreadPoolExecutor(1) as writer:
        for table, members in tables.items():
            path = month_file.path_of(table, month.bars.pair, month.month)
            if path in month.paths:
                plan = Plan([f.feature if isinstance(f, Column) else f for f in members])
                values = plan(month.bars, last=month.rows)
                files[path] = writer.submit(
                    write_file, folder, path, month, plan.features, values=values, key=key
                )
    return {path: written.result() for path, written in files.items()}


def write_file(
    folder: Folder,
    path: str,
    month: PairMonth,
    features: Sequence[Feature],
    *,
    values: NDArray[np.float32],
    key: str,
) -> Entry:
    """Write a month's file, see `month_file.encode`; what the manifest is to say of it."""
    content = month_file.encode(path, month.ts, features, values=values, key=key)
    sha256 = folder.write(path, content)
    facts = (month.bars.pair, month.month, month.rows)
    return entry_of(content, features, facts, key=key, sha256=sha256)


def entry_of(
    content: bytes,
    features: Sequence[Feature],
    facts: tuple[str, str, int],
    *,
    key: str,
    sha256: str,
) -> Entry:
    """What the manifest says of a file; ``facts`` are its pair, month and rows."""
    return {
        "table": features[0].table,
        **dict(zip(("pair", "month", "rows"), facts, strict=True)),
        "sha256": sha256,
        **checked_parquet.tail(content),
        "key": key,
        "columns": catalog.catalog_hash(features),
    }
