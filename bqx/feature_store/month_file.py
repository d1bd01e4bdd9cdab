"""A month of a published table as a Parquet file, and the catalog that lies beside them.

Each file says what it was made from, and of every column its feature's identity, so that a file
that was copied elsewhere is still told from one of another build or of other code.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bqx.feature_store import checked_parquet
from bqx.features.spec import Feature

CATALOG = "catalog.json"

LISTED = ("name", "alias", "table", "unit", "lookback", "laggable")
"""What the catalog beside the files says of a feature, and its identity."""

KEY, PLACE, IDENTITY = b"bqx.key", b"bqx.place", b"bqx.identity"
"""In the metadata of a file: its build, and its path in the store; and of a column."""

TIME = pa.timestamp("ns", tz="UTC")


def listed(features: Sequence[Feature]) -> list[dict[str, Any]]:
    """Content of the catalog beside the files."""
    return [
        {name: row[name] for name in LISTED} | {"identity": feature.identity}
        for feature in features
        for row in [feature.row()]
    ]


def path_of(table: str, pair: str, month: str) -> str:
    """Path of the file of a month such as ``2024-03``."""
    return f"{table}/{pair}/{month}.parquet"


def encode(
    path: str,
    ts: pd.DatetimeIndex,
    features: Sequence[Feature],
    *,
    values: NDArray[np.float32],
    key: str,
) -> bytes:
    """A month of a table as Parquet, the same bytes for the same values.

    Parameters
    ----------
    path : of the file in the store.
    ts : (T,) bar opens in UTC.
    values : (T, F) of the features; Fortran order saves a copy.
    key : of what they were made from.
    """
    fields = [pa.field("ts_utc", TIME)]
    fields += [pa.field(f.name, pa.float32(), metadata={IDENTITY: f.identity}) for f in features]
    arrays = [pa.array(ts.as_unit("ns").asi8, TIME)]
    # A NaN has many bit patterns, and which of them depends on the processor's operation.
    values = np.where(np.isnan(values), np.float32(np.nan), values)
    arrays += [pa.array(values[:, i]) for i in range(len(features))]
    encodings = {feature.name: "BYTE_STREAM_SPLIT" for feature in features}
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, {KEY: key, PLACE: path}))
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=False,
        row_group_size=len(ts),
        column_encoding=encodings | {"ts_utc": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    )
    return checked_parquet.with_checksums(sink.getvalue().to_pybytes())


def is_at(schema: pa.Schema, path: str, key: str) -> bool:
    """Whether a file of this schema was written at a path of a store, by a build."""
    metadata = schema.metadata or {}
    return (metadata.get(KEY), metadata.get(PLACE)) == (key.encode(), path.encode())


def is_of(field: pa.Field, feature: Feature) -> bool:
    """Whether a column holds the values of a feature as its code computes them today."""
    return (field.metadata or {}).get(IDENTITY) == feature.identity.encode()


def rows_of(content: bytes, path: str, key: str, *, features: Sequence[Feature]) -> int | None:
    """Rows of a whole file that a build wrote at a path and that holds the features; else None."""
    try:
        table = pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None
    if not is_at(table.schema, path, key):
        return None
    fields = list(table.schema)[1:]
    if [field.name for field in fields] != [feature.name for feature in features]:
        return None
    same = all(map(is_of, fields, features))
    return int(table.num_rows) if same else None
