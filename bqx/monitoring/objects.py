"""Objects of a capture by their minutes. Only the days that are asked for are looked at, so that a
check costs the same however long a capture has gone on."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.market import sessions
from bqx.monitoring.capture import MINUTES, SCHEMA


def first_minute(folder: Folder) -> int | None:
    """The oldest epoch minute that a capture has an object of, None for none."""
    for day in Folder(f"{folder.place}/{MINUTES}").folders():
        minutes = _of_day(folder, day).values()
        if minutes:
            return min(minutes)
    return None


def names(folder: Folder, first: int, stop: int) -> list[str]:
    """Objects of the epoch minutes from one to another, which is excluded, in their order."""
    earliest, latest = (f"{sessions.timestamp(minute):%Y-%m-%d}" for minute in (first, stop))
    days = Folder(f"{folder.place}/{MINUTES}").folders()
    return sorted(
        name
        for day in days
        if earliest <= day <= latest
        for name, minute in _of_day(folder, day).items()
        if first <= minute < stop
    )


def _of_day(folder: Folder, day: str) -> dict[str, int]:
    """Names of a day's objects, and their minutes."""
    start = pd.Timestamp(f"{day}T00:00Z").value // 60_000_000_000
    return {
        f"{MINUTES}/{day}/{name}": start + 60 * int(name[:2]) + int(name[2:4])
        for name in Folder(f"{folder.place}/{MINUTES}/{day}").listed()
        if name.endswith(".parquet")
    }


def tables(folder: Folder, named: Sequence[str], columns: Sequence[str] = ()) -> pa.Table:
    """Rows of some objects one after the other; ``columns`` : of them, default all.

    Raises ArtefactError where there is no object, or one is damaged.
    """
    return pa.concat_tables([_table(folder, name, columns) for name in named])


def _table(folder: Folder, name: str, columns: Sequence[str]) -> pa.Table:
    wanted = pa.schema([SCHEMA.field(name) for name in columns]) if columns else SCHEMA
    try:
        with pq.ParquetFile(pa.BufferReader(folder.read(name))) as file:
            # With threads so few rows take longer.
            return file.read(columns=wanted.names, use_threads=False).cast(wanted)
    except (pa.ArrowException, ValueError) as error:
        raise ArtefactError(
            f"{folder.place}/{name}: cannot be read, got {str(error)[:80]!r}; expected an object "
            "of a capture. Remove it."
        ) from None
