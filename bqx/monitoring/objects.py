"""Objects of a capture by their minutes. Only the days that are asked for are looked at, so that a
check costs the same however long a capture has gone on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.market import bar_arrays, sessions
from bqx.monitoring.capture import ANSWER, BAR, FORECAST, MINUTES, SCHEMA

EVER = 1 << 31
"""An epoch minute after all of a capture."""
LONGEST_PAUSE = 5 * sessions.DAY
"""Minutes that hold a trading day's worth of open ones, with a weekend and a holiday."""


def first_minute(folder: Folder, since: int = 0) -> int | None:
    """The oldest epoch minute that a capture has an object of, or a minute by which it had begun;
    None for no object."""
    for day in Folder(f"{folder.place}/{MINUTES}").folders():
        if _start(day) + sessions.DAY <= since:
            return since
        if named := _of_day(folder, day):
            return _minute(named[0])
    return None


def names(folder: Folder, first: int, stop: int) -> list[str]:
    """Objects of the epoch minutes from one to another, which is excluded, in their order."""
    # Names begin with the minute, so that they stand in the order of time.
    earliest, latest = (f"{sessions.timestamp(minute):%Y-%m-%d/%H%M}" for minute in (first, stop))
    days = Folder(f"{folder.place}/{MINUTES}").folders()
    return [
        name
        for day in days
        if earliest[:10] <= day <= latest[:10]
        for name in _of_day(folder, day)
        if f"{MINUTES}/{earliest}" <= name < f"{MINUTES}/{latest}"
    ]


def hourly(folder: Folder, stop: int) -> list[str]:
    """Objects of the full hours before the one of an epoch minute, as far as a trading day back."""
    last = stop // 60 * 60
    minutes = sessions.grid(last - LONGEST_PAUSE, last - 1)[-sessions.DAY :]
    hours = set(minutes[minutes % 60 == 0].tolist())
    named = names(folder, int(minutes[0]), last) if len(minutes) else []
    return [name for name in named if _minute(name) in hours]


def _of_day(folder: Folder, day: str) -> list[str]:
    """Names of a day's objects, in their order."""
    named = Folder(f"{folder.place}/{MINUTES}/{day}").names()
    return [f"{MINUTES}/{day}/{name}" for name in named if name.endswith(".parquet")]


def _minute(name: str) -> int:
    """Epoch minute of an object."""
    day, time = name.split("/")[-2:]
    return _start(day) + 60 * int(time[:2]) + int(time[2:4])


_COLUMNS = {
    BAR: ["pair", "minute", *bar_arrays.COLUMNS],
    FORECAST: ["pair", "minute", "id", "model", "x", "horizons", "innovation", "sigma", "level"],
    ANSWER: ["at", "status", "ms"],
}
"""Columns of `SCHEMA` that are read of each kind of row."""


def _start(day: str) -> int:
    """First epoch minute of a day such as 2024-05-02, UTC."""
    return int(np.datetime64(day, "m").astype(np.int64))


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of some objects: ``bars`` : the last that was written of each pair and minute."""

    bars: pa.Table
    forecasts: pa.Table
    answers: pa.Table


def read(folder: Folder, named: Sequence[str]) -> Rows:
    """Rows of some objects, at least one.

    Raises ArtefactError where one is damaged.
    """
    table = pa.concat_tables([_table(folder.place, name) for name in named])
    bars, forecasts, answers = (
        table.select(columns).filter(pc.equal(table["kind"], kind))
        for kind, columns in _COLUMNS.items()
    )
    return Rows(bars.take(_last(bars)), forecasts, answers)


def _last(bars: pa.Table) -> NDArray[np.int64]:
    """Places of the last row of each pair and minute, in the order of pairs and minutes."""
    pairs = bars["pair"].combine_chunks().dictionary_encode().indices.to_numpy()
    key = pairs.astype(np.int64) << 40 | bars["minute"].to_numpy()
    _, backwards = np.unique(key[::-1], return_index=True)
    return len(key) - 1 - backwards


@lru_cache(maxsize=64)
def _table(place: str, name: str) -> pa.Table:
    """An object, which nobody writes twice: who checks minute after minute reads each once."""
    try:
        with pq.ParquetFile(pa.BufferReader(Folder(place).read(name))) as file:
            # With threads so few rows take longer.
            table = file.read(use_threads=False)
        return table if table.schema.equals(SCHEMA) else table.select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise ArtefactError(
            f"{place}/{name}: cannot be read, got {str(error)[:80]!r}; expected an object of a "
            "capture. Remove it."
        ) from None
