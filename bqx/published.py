"""The published features: a Parquet file a table, pair and month, in a local folder or in S3.

``manifest.json`` holds of every file what it was made from, its hash and its rows; each file says
so too. Lags are not stored: a lagged column is read as a shift of a stored one, across the edges of
months, and of every file only the columns asked for are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.features import catalog
from bqx.features.spec import Feature
from bqx.folders import Folder
from bqx.lags import Column
from bqx.publishing import CATALOG, DECLARED, KEY, declared, path_of

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Part:
    """A month of a table of a pair.

    ``start`` : its first row, counted from the first of the store.
    ``key`` : of what it was made from.
    """

    table: str
    pair: str
    month: str
    start: int
    rows: int
    sha256: str
    key: str

    @property
    def path(self) -> str:
        """Of its file, in the store."""
        return path_of(self.table, self.pair, self.month)

    @property
    def stop(self) -> int:
        """The row that follows its last one."""
        return self.start + self.rows


class Store:
    """Published features to read.

    ``place`` : local folder or ``s3://`` prefix.

    Raises ArtefactError when there is no manifest, or one of another format.
    """

    def __init__(self, place: str | Path) -> None:
        self.folder = Folder(place)
        self._manifest = manifest_of(self.folder)
        if not self._manifest["files"]:
            raise ArtefactError(
                f"{self.folder.place}: no published features, got an empty manifest or none; "
                "expected what `bqx build` writes. Run it with --out, or correct the place."
            )

    @property
    def pairs(self) -> tuple[str, ...]:
        """Pairs that have files."""
        return tuple(sorted({entry["pair"] for entry in self._manifest["files"].values()}))

    def tables(self, pair: str) -> tuple[str, ...]:
        """Tables of a pair."""
        files = self._manifest["files"].values()
        return tuple(sorted({entry["table"] for entry in files if entry["pair"] == pair}))

    def features(self, table: str) -> tuple[Feature, ...]:
        """Features of a table, in the order of its columns.

        Raises ArtefactError for one that the catalog does not have.
        """
        names = [row["name"] for row in self.folder.read_json(CATALOG) if row["table"] == table]
        for name in names:
            if name not in catalog.FEATURES:
                raise self._broken(CATALOG, f"the unknown feature {name}", "those of the catalog")
        return tuple(catalog.FEATURES[name] for name in names)

    def origin(self, pair: str) -> dict[str, Any]:
        """What a pair's files were made from: hash of the bars, catalog, code, parameters.

        Raises ArtefactError when they are of more than one build.
        """
        keys = {part.key for table in self.tables(pair) for part in self.parts(table, pair)}
        if len(keys) != 1:
            raise self._broken(pair, f"of {len(keys)} builds", "one")
        origin: dict[str, Any] = self._manifest["builds"][keys.pop()]
        return origin

    def parts(self, table: str, pair: str) -> tuple[Part, ...]:
        """Months of a table of a pair, in order.

        Raises ArtefactError when there are none.
        """
        found = [
            entry for entry in self._manifest["files"].values()
            if entry["table"] == table and entry["pair"] == pair
        ]  # fmt: skip
        if not found:
            raise self._broken(f"{table}/{pair}", "absent", "a table that was built")
        found.sort(key=lambda entry: entry["month"])
        starts = accumulate((entry["rows"] for entry in found), initial=0)
        return tuple(
            Part(start=start, **entry) for start, entry in zip(starts, found, strict=False)
        )

    def read(
        self,
        pair: str,
        columns: Sequence[Column | Feature],
        since: pd.Timestamp | None = None,
        until: pd.Timestamp | None = None,
    ) -> pd.DataFrame:
        """Columns of a pair, lagged ones too: index ``ts_utc``, float32.

        Only the files of the months and lags asked for are opened, and of these only the columns
        read.

        Parameters
        ----------
        columns : features, or columns of the lag grid.
        since, until : first row, and the row that is no longer read; default all.

        Returns
        -------
        (n, C); NaN where a lag reaches behind the store's first row.

        Raises
        ------
        ArtefactError : absent or damaged files, or such of another catalog or of two builds.
        """
        wanted = [c if isinstance(c, Column) else Column(c) for c in columns]
        grouped: dict[str, list[int]] = {}
        for i, column in enumerate(wanted):
            grouped.setdefault(column.feature.table, []).append(i)
        parts = {table: self.parts(table, pair) for table in grouped}
        self._of_one_build(pair, parts)
        ts, first = self._times(next(iter(parts.values())), since, until)
        out = np.full((len(ts), len(wanted)), np.nan, dtype=np.float32, order="F")
        for table, members in grouped.items():
            for part in parts[table]:
                _fill(self, part, [(i, wanted[i]) for i in members], out, first)
        return pd.DataFrame(out, index=ts, columns=[column.name for column in wanted])

    def times(self, part: Part) -> pd.DatetimeIndex:
        """Bar opens of a month; ArtefactError as of `values`."""
        stamps = self._columns(part, ["ts_utc"], ()).column(0).cast(pa.int64()).to_numpy()
        return pd.DatetimeIndex(stamps, tz="UTC", name="ts_utc")

    def values(self, part: Part, features: Sequence[Feature]) -> list[NDArray[np.float32]]:
        """Features of a month, (rows,) each.

        Raises ArtefactError when the file is absent or damaged, of another build than the manifest
        says, or a feature is not declared as when it was made.
        """
        table = self._columns(part, [feature.name for feature in features], features)
        return [column.to_numpy() for column in table.columns]

    def _columns(self, part: Part, names: Sequence[str], features: Sequence[Feature]) -> pa.Table:
        with self.folder.open(part.path) as source:
            try:
                file = pq.ParquetFile(source, page_checksum_verification=True)
                self._check(part, file.schema_arrow, features)
                table = file.read(columns=list(names))
            except (OSError, pa.ArrowException):
                raise self._broken(part.path, "damaged content", "what was written") from None
        if table.num_rows != part.rows:
            raise self._broken(part.path, f"{table.num_rows} rows", f"{part.rows}")
        return table

    def _check(self, part: Part, schema: pa.Schema, features: Sequence[Feature]) -> None:
        if (schema.metadata or {}).get(KEY) != part.key.encode():
            raise self._broken(part.path, "a file of another build", "the manifest's")
        for feature in features:
            place = schema.get_field_index(feature.name)
            if place < 0:
                raise self._broken(part.path, f"no column {feature.name}", "all of its table")
            if schema.field(place).metadata.get(DECLARED) != declared(feature):
                raise self._broken(part.path, f"{feature.name} of another catalog", "the present")

    def _of_one_build(self, pair: str, parts: Mapping[str, tuple[Part, ...]]) -> None:
        if len({part.key for each in parts.values() for part in each}) > 1:
            raise self._broken(pair, "files of two builds", "one")
        if len({tuple((p.month, p.rows) for p in each) for each in parts.values()}) > 1:
            raise self._broken(pair, "tables of unlike months", "the same rows")

    def _times(
        self, parts: Sequence[Part], since: pd.Timestamp | None, until: pd.Timestamp | None
    ) -> tuple[pd.DatetimeIndex, int]:
        """Times of the rows asked for, and the number of the first."""
        ends = ("0000-00" if since is None else _month(since), "9999-99" if until is None else
                _month(until - pd.Timedelta(1)))  # fmt: skip
        within = [part for part in parts if ends[0] <= part.month <= ends[1]]
        if not within:
            return pd.DatetimeIndex([], dtype="datetime64[ns, UTC]", name="ts_utc"), 0
        index = self.times(within[0]).append([self.times(part) for part in within[1:]])
        start = 0 if since is None else int(index.searchsorted(since))
        stop = len(index) if until is None else int(index.searchsorted(until))
        return index[start:stop], within[0].start + start

    def _broken(self, path: str, got: str, rule: str) -> ArtefactError:
        return ArtefactError(
            f"{self.folder.place}/{path}: cannot be used, got {got}; expected {rule}. "
            "Run `bqx build` again."
        )


def _fill(
    store: Store,
    part: Part,
    columns: Sequence[tuple[int, Column]],
    out: NDArray[np.float32],
    first: int,
) -> None:
    """Put what a month holds of some columns where it belongs in the rows from ``first`` on."""
    spans = {}
    for i, column in columns:
        # A row's value stands ``lag`` rows further down in a lagged column.
        start = max(part.start + column.lag - first, 0)
        stop = min(part.stop + column.lag - first, len(out))
        if start < stop:
            spans[i] = (column, start, stop)
    features = list(dict.fromkeys(column.feature for column, _, _ in spans.values()))
    if not features:
        return
    held = dict(zip(features, store.values(part, features), strict=True))
    for i, (column, start, stop) in spans.items():
        offset = first - part.start - column.lag
        out[start:stop, i] = held[column.feature][start + offset : stop + offset]


def _month(time: pd.Timestamp) -> str:
    return time.tz_convert("UTC").strftime("%Y-%m")


def manifest_of(folder: Folder) -> dict[str, Any]:
    """Manifest of a store, empty where there is none yet."""
    if not folder.has(MANIFEST):
        return {"builds": {}, "files": {}}
    manifest: dict[str, Any] = folder.read_json(MANIFEST)
    return manifest
