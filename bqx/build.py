"""Features of a folder of bars as Parquet: one file a pair and table, written month by month.

``build.json`` in the folder holds, for every file, the key of what it was made from and its hash.
A file that is there, intact and of the same bars, catalog, code and range is not made again.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bqx import bars as bar_frames
from bqx import readers
from bqx.bars import Bars
from bqx.errors import ParameterError
from bqx.features import catalog
from bqx.features.compute import Plan
from bqx.features.spec import Feature
from bqx.files import atomic, code_version, digest, read_json, sha256, write_json
from bqx.pairs import LIQUIDITY
from bqx.parallel import over_pairs
from bqx.rules import Backend

MANIFEST = "build.json"

LISTED = ("name", "alias", "table", "unit", "lookback", "laggable")
"""What the catalog beside the files says of a feature."""

_TEMPORARY = re.compile(r"\..+\.parquet\.(\d+)\.tmp")


def build(
    bars: Path,
    out: Path,
    features: Sequence[Feature],
    pairs: Sequence[str] = (),
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    workers: int = 1,
    backend: Backend = "processes",
) -> int:
    """Write ``{table}/{pair}.parquet`` for every table and pair, and ``catalog.json``.

    Parameters
    ----------
    bars : folder of bar files; the panel holds every pair in it, whatever ``pairs`` says.
    out : folder of the tables.
    features : fitted ones, which belong to a fold, are left out.
    pairs : default all that are in the folder.
    since, until : first row, and the row that is no longer written; default all. The values are
        those of the whole, bit for bit.
    workers, backend : pairs at a time, and where; see `parallel.over_pairs`.

    Returns
    -------
    Number of files made; the others were there.

    Raises
    ------
    BarError, ParameterError : see `readers.read_folder`; no rows between ``since`` and ``until``.
    BqxError : pairs failed; the others are written.
    """
    features = tuple(feature for feature in features if not feature.fit_key)
    tables = catalog.tables(features)
    files = _files(bars)
    if not files:
        readers.read_folder(bars)  # which says what is missing
    origin = {
        "bars": {file.name: sha256(file) for file in files},
        "catalog": catalog.catalog_hash(features), "code": code_version(),
        "since": str(since), "until": str(until),
    }  # fmt: skip
    key = digest(origin)
    wanted = _wanted(bars, {readers.pair_of(file) for file in files}, pairs)
    _sweep(out)
    done = read_json(out / MANIFEST) if (out / MANIFEST).exists() else {}
    done = _without_old_tables(out, done, wanted, tables)
    missing = {pair: [t for t in tables if not _intact(out, t, pair, key, done)] for pair in wanted}
    listed = [{name: feature.row()[name] for name in LISTED} for feature in features]
    write_json(out / "catalog.json", listed)
    if wanted and not any(missing.values()):
        return 0
    grids = bar_frames.align(readers.read_folder(bars))
    rows = _rows(next(iter(grids.values())), since, until)

    def write(pair: str, made: dict[str, str]) -> None:
        done.update({path: {"key": key, "sha256": h} for path, h in made.items()})
        write_json(out / MANIFEST, done)

    tasks = {
        pair: (grids[pair], {name: _by_name(tables[name]) for name in names}, rows, out)
        for pair, names in missing.items()
        if names
    }
    over_pairs(write_pair, tasks, workers, write, backend)
    return sum(map(len, missing.values()))


def _by_name(features: Sequence[Feature]) -> list[Feature | str]:
    # A compiled kernel that travels to another process is compiled there again, a name is not.
    known = catalog.FEATURES
    return [f.name if f.name in known and known[f.name].family is f.family else f for f in features]


def write_pair(
    bars: Bars, tables: Mapping[str, Sequence[Feature | str]], rows: tuple[int, int], out: Path
) -> dict[str, str]:
    """Write the tables of a pair month by month; the hash of each file by its path in ``out``."""
    plans = {
        name: Plan([catalog.FEATURES[f] if isinstance(f, str) else f for f in members])
        for name, members in tables.items()
    }
    paths = {name: out / name / f"{bars.pair}.parquet" for name in tables}
    with ExitStack() as files:
        writers = {}
        for name, plan in plans.items():
            temporary = files.enter_context(atomic(paths[name]))
            writers[name] = files.enter_context(_writer(temporary, plan.features))
        lookback = max(plan.lookback for plan in plans.values())
        for start, stop in _months(bars, *rows):
            # One slice for all tables, so that they share what their sources make of the panel.
            part = bars.rows(max(0, start - lookback + 1), stop)
            for name, plan in plans.items():
                values = plan(part, last=stop - start)
                writers[name].write_table(_table(bars.ts[start:stop], plan.features, values))
    return {path.relative_to(out).as_posix(): sha256(path) for path in paths.values()}


def _schema(features: Sequence[Feature]) -> pa.Schema:
    return pa.schema(
        [
            ("ts_utc", pa.timestamp("ns", tz="UTC")),
            *((feature.name, pa.float32()) for feature in features),
        ]
    )


def _writer(path: Path, features: Sequence[Feature]) -> pq.ParquetWriter:
    encodings = {feature.name: "BYTE_STREAM_SPLIT" for feature in features}
    return pq.ParquetWriter(
        path, _schema(features), compression="zstd", use_dictionary=False,
        column_encoding=encodings | {"ts_utc": "DELTA_BINARY_PACKED"},
    )  # fmt: skip


def _table(ts: pd.DatetimeIndex, features: Sequence[Feature], values: Any) -> pa.Table:
    columns = [pa.array(ts.asi8, pa.timestamp("ns", tz="UTC"))]
    columns += [pa.array(values[:, i]) for i in range(len(features))]
    return pa.Table.from_arrays(columns, schema=_schema(features))


def _months(bars: Bars, start: int, stop: int) -> Iterator[tuple[int, int]]:
    months = bars.ts[start:stop].tz_localize(None).to_numpy().astype("datetime64[M]")
    turns = start + 1 + np.flatnonzero(months[1:] != months[:-1])
    edges = [start, *map(int, turns), stop]
    yield from pairwise(edges)


def _rows(bars: Bars, since: pd.Timestamp | None, until: pd.Timestamp | None) -> tuple[int, int]:
    start = 0 if since is None else int(bars.ts.searchsorted(since))
    stop = len(bars) if until is None else int(bars.ts.searchsorted(until))
    if start >= stop:
        raise ParameterError(
            f"build: no rows, got from {since} to {until}; expected a time between {bars.ts[0]} "
            f"and {bars.ts[-1]}, to after from. Correct --from or --to."
        )
    return start, stop


def _files(bars: Path) -> list[Path]:
    found = sorted(bars.iterdir()) if bars.is_dir() else [bars]
    return [file for file in found if file.is_file() and not file.name.startswith(".")]


def _wanted(folder: Path, there: set[str], pairs: Sequence[str]) -> list[str]:
    for pair in pairs:
        if pair not in there:
            raise ParameterError(
                f"--pairs: no bars, got {pair!r}; expected some of {', '.join(sorted(there))} in "
                f"{folder}. Correct the name or add its bars."
            )
    return [pair for pair in LIQUIDITY if pair in (pairs or there)]


def _intact(out: Path, table: str, pair: str, key: str, done: Mapping[str, Any]) -> bool:
    entry = done.get(f"{table}/{pair}.parquet", {})
    path = out / table / f"{pair}.parquet"
    return entry.get("key") == key and path.is_file() and sha256(path) == entry["sha256"]


def _without_old_tables(
    out: Path, done: dict[str, Any], pairs: Sequence[str], tables: Mapping[str, Any]
) -> dict[str, Any]:
    """Remove the pairs' files of tables that the catalog no longer has."""
    old = {path for path in done if Path(path).stem in pairs and Path(path).parts[0] not in tables}
    for path in old:
        (out / path).unlink(missing_ok=True)
    return {path: entry for path, entry in done.items() if path not in old}


def _sweep(out: Path) -> None:
    """Remove what killed builds left half written."""
    for path in out.glob("*/.*.tmp"):
        found = _TEMPORARY.fullmatch(path.name)
        if found and not _alive(int(found[1])):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
