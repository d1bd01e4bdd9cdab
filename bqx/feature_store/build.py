"""Features of a folder of bars, published as a store: a file a table, pair and month.

A file that is there, intact and of the same bars, catalog, code and range is not made again.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.errors import ParameterError
from bqx.feature_store import manifest, month_file, pair_months
from bqx.feature_store.object_store import Folder
from bqx.feature_store.pair_months import Entry, Months
from bqx.features import catalog
from bqx.features.spec import Feature
from bqx.files import digest, sha256
from bqx.identity.reached import code_hash
from bqx.market import bars as bar_frames
from bqx.market import readers
from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY
from bqx.parallel import Backend


def build(
    bars: Path,
    out: Path | str,
    features: Sequence[Feature],
    pairs: Sequence[str] = (),
    since: pd.Timestamp | None = None,
    until: pd.Timestamp | None = None,
    workers: int = 1,
    backend: Backend = "processes",
    *,
    declared: Mapping[str, Any] | None = None,
) -> int:
    """Write ``{table}/{pair}/{month}.parquet`` of every table, pair and month, and the manifest.

    Parameters
    ----------
    bars : folder of bar files; the panel holds every pair in it, whatever ``pairs`` says.
    out : folder of the store, or ``s3://bucket/prefix``.
    features : fitted ones, which belong to a fold, are left out.
    pairs : default all that are in the folder.
    since, until : first row, and the row that is no longer written; default all. The values are
        those of the whole, bit for bit.
    workers, backend : months at a time, and where; see `parallel.over_groups`.
    declared : what only the user can know of the files, see `readers.read_folder`.

    Returns
    -------
    Number of files made; the others were there.

    Raises
    ------
    ArtefactError : the store cannot be read or written; what was finished stays.
    BarError, ParameterError : see `readers.read_folder`; no rows between ``since`` and ``until``.
    BqxError : months of pairs failed; the others are written.
    """
    features = tuple(feature for feature in features if not feature.fit_key)
    said = {key: value for key, value in (declared or {}).items() if value}
    origin = _origin(bars, since, until, said)
    work = _Work(Folder(out), features, _wanted(bars, pairs), digest(origin))
    work.folder.sweep()
    # The months of an earlier build with this key tell what is complete without reading bars.
    built_months = work.manifest["builds"].get(work.key, {}).get("months", ())
    if built_months and not any(work.absent(built_months).values()):
        work.write_manifest(built_months)
        return 0
    grids = bar_frames.align(readers.read_folder(bars, **said))
    months = months_of(next(iter(grids.values())), since, until)
    work.manifest["builds"][work.key] = origin | {"months": list(months)}
    return work.make(grids, months, workers, backend=backend)


def bars_hash(bars: Path) -> str:
    """One hash of all bar files of a folder, with their names."""
    files = [file for of_pair in readers.bar_files(bars)[0].values() for file in of_pair]
    return digest({file.name: sha256(file) for file in files})


def _origin(
    bars: Path, since: pd.Timestamp | None, until: pd.Timestamp | None, declared: Mapping[str, Any]
) -> dict[str, Any]:
    """What the files of a build are made from, but for their columns' own code."""
    return {
        "bars": bars_hash(bars),
        "grid": code_hash(readers.read_folder, bar_frames.align),
        "parameters": {"since": str(since), "until": str(until), **declared},
    }


class _Work:
    """A build at work: a store's folder, and the tables, pairs and origin that it is to hold."""

    def __init__(
        self,
        folder: Folder,
        features: tuple[Feature, ...],
        pairs: Sequence[str],
        key: str,
    ) -> None:
        self.folder = folder
        self.features = features
        self.tables = catalog.tables(features)
        self.pairs = pairs
        self.key = key
        self.manifest = manifest.read(folder)

    def absent(self, months: Collection[str]) -> dict[str, list[str]]:
        """Files of each pair that have to be made."""
        return {
            pair: missing(self.folder, self.manifest, self.tables, pair, list(months), self.key)
            for pair in self.pairs
        }

    def write_manifest(self, months: Collection[str]) -> None:
        """Write catalog and manifest without the pairs' tables and months that are no more.

        Their files are removed. Builds that no file is of are left out, but for the present one.
        """
        files, builds = self.manifest["files"], self.manifest["builds"]
        for path, entry in list(files.items()):
            gone = entry["table"] not in self.tables or entry["month"] not in months
            if entry["pair"] in self.pairs and gone:
                del files[path]
                self.folder.remove(path)
        used = {entry["key"] for entry in files.values()} | {self.key}
        self.manifest["builds"] = {key: origin for key, origin in builds.items() if key in used}
        self.folder.write_json(month_file.CATALOG, month_file.listed(self.features))
        sealed = manifest.content(self.manifest["builds"], files, self.features)
        self.folder.write_json(manifest.MANIFEST, sealed)

    def make(
        self, grids: Mapping[str, Bars], months: Months, workers: int, *, backend: Backend
    ) -> int:
        """Make what is absent; the number of files."""
        absent = self.absent(months)
        self.write_manifest(months)

        def write(made: dict[str, Entry]) -> None:
            self.manifest["files"].update(made)
            self.write_manifest(months)

        pair_months.make(
            grids,
            months,
            self.tables,
            absent,
            workers,
            work=pair_months.write_files,
            place=(self.folder.place, self.key),
            write=write,
            backend=backend,
        )
        return sum(map(len, absent.values()))


def missing(
    folder: Folder,
    manifest: dict[str, Any],
    tables: Mapping[str, Sequence[Feature]],
    pair: str,
    months: Sequence[str],
    key: str,
) -> list[str]:
    """Files of a pair that are not there intact, with the columns as their code computes them.

    The manifest gets those that a killed build left.
    """
    absent = []
    columns = {table: catalog.catalog_hash(features) for table, features in tables.items()}
    for path, (table, month) in paths_of(tables, pair, months).items():
        recorded = manifest["files"].get(path, {})
        listed = (recorded.get("key"), recorded.get("columns")) == (key, columns[table])
        content = folder.read(path) if folder.has(path) else b""
        sha256 = hashlib.sha256(content).hexdigest()
        if listed and recorded["sha256"] == sha256:
            continue
        features = tables[table]
        rows = None if listed else month_file.rows_of(content, path, key, features=features)
        if rows is None:
            absent.append(path)
        else:
            facts = (pair, month, rows)
            entry = pair_months.entry_of(content, features, facts, key=key, sha256=sha256)
            manifest["files"][path] = entry
    return absent


def paths_of(tables: Iterable[str], pair: str, months: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Table and month of each file of a pair, by its path."""
    of = product(tables, months)
    return {month_file.path_of(table, pair, month): (table, month) for table, month in of}


def months_of(
    bars: Bars, since: pd.Timestamp | None = None, until: pd.Timestamp | None = None
) -> Months:
    """Months of the rows of bars; ParameterError when there are none in the range."""
    start, stop = _rows(bars, since, until)
    months = bars.ts[start:stop].tz_localize(None).to_numpy().astype("datetime64[M]")
    turns = start + 1 + np.flatnonzero(months[1:] != months[:-1])
    edges = pairwise([start, *map(int, turns), stop])
    return {str(months[first - start]): (first, last) for first, last in edges}


def _rows(bars: Bars, since: pd.Timestamp | None, until: pd.Timestamp | None) -> tuple[int, int]:
    start = 0 if since is None else int(bars.ts.searchsorted(since))
    stop = len(bars) if until is None else int(bars.ts.searchsorted(until))
    if start >= stop:
        raise ParameterError(
            f"build: no rows, got from {since} to {until}; expected a time between {bars.ts[0]} "
            f"and {bars.ts[-1]}, to after from. Correct --from or --to."
        )
    return start, stop


def _wanted(folder: Path, pairs: Sequence[str]) -> list[str]:
    present = readers.bar_files(folder)[0]
    for pair in pairs:
        if pair not in present:
            raise ParameterError(
                f"--pairs: no bars, got {pair!r}; expected some of {', '.join(sorted(present))} in "
                f"{folder}. Correct the name or add its bars."
            )
    return [pair for pair in LIQUIDITY if pair in (pairs or present)]
