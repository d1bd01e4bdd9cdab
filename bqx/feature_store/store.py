"""The published features: a Parquet file a table, pair and month, in a local folder or in S3.

``manifest.json`` holds of every file what it was made from, its hashes and its rows; each file says
so too, and where it lies. What is read is checked before it is parsed. Lags are not stored: a
lagged column is read as a shift of a stored one, across the edges of months, and of every file only
the columns asked for are read.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bqx.errors import ArtefactError
from bqx.feature_store import checked_parquet
from bqx.feature_store import manifest as manifests
from bqx.feature_store.manifest import Part
from bqx.feature_store.month_file import CATALOG, PLACE, is_at, is_of
from bqx.feature_store.object_store import Folder
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.files import digest


class Store:
    """Published features to read.

    ``place`` : local folder or ``s3://`` prefix.

    Raises ArtefactError when there is no manifest, or one of another format.
    """

    def __init__(self, place: str | Path) -> None:
        self.folder = Folder(place)
        self._manifest = manifests.read(self.folder)
        if not self._manifest["files"]:
            raise ArtefactError(
                f"{self.folder.place}: no published features, got an empty manifest or none; "
                "expected what `bqx build` writes. Run it with --out, or correct the place."
            )

    @property
    def pairs(self) -> tuple[str, ...]:
        """Pairs that have files."""
        return tuple(sorted({entry["pair"] for entry in self._manifest["files"].values()}))

    @property
    def all_tables(self) -> tuple[str, ...]:
        """Tables of any pair."""
        return tuple(sorted({table for table, _ in self._parts}))

    def tables(self, pair: str) -> tuple[str, ...]:
        """Tables of a pair."""
        files = self._manifest["files"].values()
        return tuple(sorted({entry["table"] for entry in files if entry["pair"] == pair}))

    def features(self, table: str) -> tuple[Feature, ...]:
        """Features of a table, in the order of its columns.

        Raises ArtefactError for one that the catalog does not have.
        """
        names = [name for name, its_table in self._listed.items() if its_table == table]
        for name in names:
            if name not in catalog.FEATURES:
                expected = f"those of the catalog, or of the files that {catalog.OWN} names"
                raise self._broken(CATALOG, f"the unknown feature {name}", expected)
        return tuple(catalog.FEATURES[name] for name in names)

    def has(self, feature: Feature) -> bool:
        """Whether the store has its values as the feature's code computes them today."""
        return self._identities.get(feature.name) == feature.identity

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
        if (table, pair) not in self._parts:
            raise self._broken(f"{table}/{pair}", "absent", "a table that was built")
        return tuple(self._parts[table, pair])

    def ts(self, pair: str) -> pd.DatetimeIndex:
        """(T,) bar opens of a pair's rows.

        Raises ArtefactError : absent or damaged files.
        """
        return self._times(self.parts(self.tables(pair)[0], pair), None, None)[0]

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
        ts, first = self._times(self.parts(wanted[0].feature.table, pair), since, until)
        out = np.full((len(ts), len(wanted)), np.nan, dtype=np.float32, order="F")
        self.fill(pair, list(enumerate(wanted)), np.arange(first, first + len(ts)), out)
        return pd.DataFrame(out, index=ts, columns=[column.name for column in wanted])

    def fill(
        self,
        pair: str,
        columns: Sequence[tuple[int, Column]],
        rows: NDArray[np.int64],
        out: NDArray[np.float32],
    ) -> None:
        """Read columns where they belong in a matrix, a month of a table at a time.

        Parameters
        ----------
        columns : where each stands in the matrix, and the column.
        rows : (n,) of the store, ascending; 0 is its first.
        out : (n, C); where a lag reaches out of the store, nothing is changed.

        Raises
        ------
        ArtefactError : as of `read`.
        """
        grouped: dict[str, list[tuple[int, Column]]] = {}
        for i, column in columns:
            grouped.setdefault(column.feature.table, []).append((i, column))
        parts = {table: self.parts(table, pair) for table in grouped}
        self._of_one_build(pair, parts)
        for table, members in grouped.items():
            for part in parts[table]:
                met = {lag: part.meets(rows, lag) for lag in {c.lag for _, c in members}}
                covered = [(i, column) for i, column in members if met[column.lag]]
                features = tuple(dict.fromkeys(column.feature for _, column in covered))
                if features:
                    month_values = self.values(part, features)
                    lags.place(month_values, part.start, features, covered, rows, out)

    def verify(self, part: Part) -> None:
        """Raise ArtefactError unless every byte of a month's file is what was written."""
        if self.folder.sha256(part.path) != part.sha256:
            raise self._unlike(part)

    def verify_all(self) -> dict[str, str]:
        """Verify every file, and the catalog against the features at hand; each file's hash.

        Raises ArtefactError as of `verify`.
        """
        parts = [part for months in self._parts.values() for part in months]
        for part in parts:
            self.features(part.table)
            self.verify(part)
        return {part.path: part.sha256 for part in parts}

    def times(self, part: Part) -> pd.DatetimeIndex:
        """Bar opens of a month; ArtefactError as of `values`."""
        stamps = self._columns(part, ["ts_utc"], ()).column(0).cast(pa.int64()).to_numpy()
        return pd.DatetimeIndex(stamps, tz="UTC", name="ts_utc")

    def values(self, part: Part, features: Sequence[Feature]) -> list[NDArray[np.float32]]:
        """Features of a month, (rows,) each.

        Raises ArtefactError when the file is absent or damaged, of another build than the manifest
        says, or a feature's code is not what it was when the file was made.
        """
        table = self._columns(part, [feature.name for feature in features], features)
        return [column.to_numpy() for column in table.columns]

    @cached_property
    def _listed(self) -> dict[str, str]:
        """Table of each feature, by name."""
        return {row["name"]: row["table"] for row in self._catalog}

    @cached_property
    def _identities(self) -> dict[str, str]:
        return {row["name"]: row.get("identity", "") for row in self._catalog}

    @cached_property
    def _catalog(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.folder.read_json(CATALOG)
        if digest(rows) != self._manifest["catalog"]:
            raise self._broken(CATALOG, "another content", "that of the manifest")
        return rows

    @cached_property
    def _parts(self) -> dict[tuple[str, str], list[Part]]:
        """Months in order, by table and pair."""
        parts: dict[tuple[str, str], list[Part]] = {}
        for entry in sorted(self._manifest["files"].values(), key=itemgetter("month")):
            months = parts.setdefault((entry["table"], entry["pair"]), [])
            months.append(Part(start=months[-1].stop if months else 0, **entry))
        return parts

    def _columns(self, part: Part, names: Sequence[str], features: Sequence[Feature]) -> pa.Table:
        with self.folder.open(part.path) as source:
            try:
                file = checked_parquet.open_checked(source, part.tail, part.tail_sha256)
                self._check(part, file.schema, features)
                table = file.read(names)
            except (OSError, ValueError, pa.ArrowException):
                raise self._unlike(part) from None
        if table.num_rows != part.rows:
            raise self._broken(part.path, f"{table.num_rows} rows", f"{part.rows}")
        return table

    def _check(self, part: Part, schema: pa.Schema, features: Sequence[Feature]) -> None:
        if not is_at(schema, part.path, part.key):
            raise self._unlike(part)
        for feature in features:
            place = schema.get_field_index(feature.name)
            if place < 0:
                raise self._broken(part.path, f"no column {feature.name}", "all of its table")
            if not is_of(schema.field(place), feature):
                raise self._broken(
                    part.path, f"{feature.name} computed by other code", "the catalog's identity"
                )

    def _unlike(self, part: Part) -> ArtefactError:
        """What is wrong with a file that is not what was written."""
        try:
            with self.folder.open(part.path) as source:
                schema = pq.read_schema(source)
        except Exception:  # what a parser of damaged bytes raises is anything
            return self._broken(part.path, "damaged content", "what was written")
        written_at = (schema.metadata or {}).get(PLACE, b"").decode(errors="replace")
        if written_at and written_at != part.path:
            return self._broken(part.path, f"the file of {written_at}", "its own")
        if not is_at(schema, part.path, part.key):
            return self._broken(part.path, "a file of another build", "the manifest's")
        return self._broken(part.path, "damaged content", "what was written")

    def _of_one_build(self, pair: str, parts: Mapping[str, tuple[Part, ...]]) -> None:
        if len({part.key for months in parts.values() for part in months}) > 1:
            raise self._broken(pair, "files of two builds", "one")
        if len({tuple((p.month, p.rows) for p in months) for months in parts.values()}) > 1:
            raise self._broken(pair, "tables of unlike months", "the same rows")

    def _times(
        self, parts: Sequence[Part], since: pd.Timestamp | None, until: pd.Timestamp | None
    ) -> tuple[pd.DatetimeIndex, int]:
        """Times of the rows asked for, and the number of the first."""
        first = "0000-00" if since is None else _month(since)
        last = "9999-99" if until is None else _month(until - pd.Timedelta(1))
        within = [part for part in parts if first <= part.month <= last]
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


def _month(time: pd.Timestamp) -> str:
    return time.tz_convert("UTC").strftime("%Y-%m")
