"""PostgreSQL: loading beside raw COPY of the same bytes, and reads of one bar beside the window."""

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from postgres import fresh
from psycopg2 import sql
from sqlalchemy import URL, Engine, text

from bqx.database import loads, schema, serving
from bqx.database.copying import encode, microseconds
from bqx.features import catalog
from bqx.features.engine.live_window import LiveWindow
from bqx.market import sessions, simulated
from bqx.market.bars import COLUMNS, align, validate
from bqx.market.pairs import LIQUIDITY, PAIRS

pytestmark = pytest.mark.benchmarks

YEAR = ("2024-01-01", "2025-01-01")
FAMILY = "reg_idx"
FAMILY_PAIRS = LIQUIDITY[:2]

READS, READS_OF_ALL = 400, 200
TARGET_MS = 100.0


@pytest.fixture(scope="module")
def engine(server: URL) -> Iterator[Engine]:
    with fresh(server) as made:
        schema.create(made, PAIRS)
        yield made


@pytest.fixture(scope="module")
def year() -> pd.DatetimeIndex:
    first, last = (int(pd.Timestamp(t, tz="UTC").timestamp()) // 60 for t in YEAR)
    return sessions.timestamps(sessions.grid(first, last - 1))


def bars_of(ts: pd.DatetimeIndex, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = np.round(1.1 + np.cumsum(rng.normal(0.0, 1e-5, len(ts))), 5)
    volume, spread = rng.integers(1, 300, len(ts)), rng.integers(5, 40, len(ts)) * 1e-5
    columns = (close, close + 1e-4, close - 1e-4, close, volume, spread)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)), index=ts)


def raw(engine: Engine, kind: str, key: str, content: bytes) -> float:
    """Seconds of COPY of bytes into a table without partitions but with the same key."""
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE bqx.raw OF bqx.{kind} (PRIMARY KEY ({key}))"))
    start = time.perf_counter()
    with engine.begin() as connection:
        order = sql.SQL("COPY bqx.raw FROM STDIN (FORMAT binary)")
        connection.connection.cursor().copy_expert(order, io.BytesIO(content), size=1 << 20)
    spent = time.perf_counter() - start
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE bqx.raw"))
    return spent


def report(results: dict[str, Any], what: str, rows: int, *, ours: float, theirs: float) -> float:
    results.setdefault("copies", []).append((what, rows, ours, theirs))
    print(
        f"\n{what}: {rows:,} rows, {rows / ours:,.0f} rows/s; raw COPY of the same bytes "
        f"{rows / theirs:,.0f} rows/s; {theirs / ours:.0%} of it"
    )
    return theirs / ours


def test_bars_of_all_pairs_for_a_year(
    engine: Engine, year: pd.DatetimeIndex, results: dict[str, Any]
) -> None:
    ours = theirs = 0.0
    stamps = np.column_stack([microseconds(year), microseconds(year + pd.Timedelta("1min"))])
    for number, pair in enumerate(PAIRS):
        frame = bars_of(year, number)
        content = b"".join(encode(stamps, frame.to_numpy()))
        # By turns, so that a busy minute of the machine falls on both.
        theirs += raw(engine, "m1", "ts_utc, known_at", content)
        start = time.perf_counter()
        loads.put_bars(engine, {pair: frame})
        ours += time.perf_counter() - start
    rows = len(year) * len(PAIRS)
    assert report(results, "bars", rows, ours=ours, theirs=theirs) > 0.7


def test_a_family_of_ninety_columns_for_a_year(
    engine: Engine, year: pd.DatetimeIndex, results: dict[str, Any]
) -> None:
    width = len(schema.tables()[FAMILY])
    ours = theirs = 0.0
    for number, pair in enumerate(FAMILY_PAIRS):
        values = np.random.default_rng(number).normal(size=(len(year), width)).astype(np.float32)
        values[:600] = np.nan
        content = b"".join(encode(microseconds(year)[:, None], values))
        theirs += raw(engine, FAMILY, "ts_utc", content)
        start = time.perf_counter()
        for first, rows in loads.months(year):
            name = schema.relation(FAMILY, pair)
            loads.put_month(engine, loads.Month(name, first, year[rows], values[rows], "1"))
        ours += time.perf_counter() - start
    rows_in = len(year) * len(FAMILY_PAIRS)
    assert report(results, f"{width} columns", rows_in, ours=ours, theirs=theirs) > 0.7


def test_a_family_by_arrow_database_connectivity(
    engine: Engine, year: pd.DatetimeIndex, results: dict[str, Any]
) -> None:
    """The same rows into a table of the same key, from columns in Arrow's memory."""
    adbc = pytest.importorskip("adbc_driver_postgresql.dbapi")
    names = ["ts_utc", *(feature.name for feature in schema.tables()[FAMILY])]
    values = np.random.default_rng(0).normal(size=(len(year), len(names) - 1)).astype(np.float32)
    content = b"".join(encode(microseconds(year)[:, None], values))
    copied = raw(engine, FAMILY, "ts_utc", content)
    stamps = pa.array(year.as_unit("us").asi8, pa.timestamp("us", tz="UTC"))
    columns = pa.table([stamps, *map(pa.array, values.T.copy())], names=names)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE bqx.raw OF bqx.{FAMILY} (PRIMARY KEY (ts_utc))"))
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    start = time.perf_counter()
    with adbc.connect(address) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("raw", columns, mode="append", db_schema_name="bqx")
        connection.commit()
    spent = time.perf_counter() - start
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM bqx.raw")).scalar() == len(year)
        connection.execute(text("DROP TABLE bqx.raw"))
    what = f"{len(names) - 1} columns, by adbc-driver-postgresql"
    report(results, what, len(year), ours=spent, theirs=copied)


def milliseconds(work: Callable[[int], object], times: int, before: int) -> list[float]:
    """The first call, and P50 and P99 of calls after some, with 0, 1, and so on."""
    spent = []
    for i in range(before + times):
        start = time.perf_counter()
        work(i)
        spent.append(1e3 * (time.perf_counter() - start))
    return [spent[0], *map(float, np.percentile(spent[before:], [50, 99]))]


def test_serving_reads_beside_the_live_window(engine: Engine, results: dict[str, Any]) -> None:
    features = [f for f in catalog.profile("v3") if not f.fit_key]
    tables = catalog.tables(features)
    rows, first = 2_000, pd.Timestamp("2024-03-04", tz="UTC")
    ts = pd.date_range(first, periods=rows, freq="min")
    rng = np.random.default_rng(0)
    for pair in PAIRS:
        for table in tables:
            values = rng.normal(size=(rows, len(schema.tables()[table]))).astype(np.float32)
            name = schema.relation(table, pair)
            loads.put_month(engine, loads.Month(name, first.replace(day=1), ts, values, "2"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    reader = serving.Reader(engine, features)
    one = milliseconds(lambda i: reader.read(["eurusd"], ts[3 * i]), READS, 10)
    # Each connection of the pool prepares a pair's statement when it first meets it.
    every = milliseconds(lambda i: reader.read(PAIRS, ts[7 * i]), READS_OF_ALL, 50)
    frames = simulated.simulate("null", PAIRS, "2024-03-03", days=9, seed=1).frames
    window = LiveWindow.of(align({p: validate(f, p) for p, f in frames.items()}), features)
    live = milliseconds(lambda i: window.values(), 20, 2)
    print(f"\n{len(features):,} columns of {len(tables)} tables, milliseconds")
    named = {
        "PostgreSQL, one pair": one,
        "PostgreSQL, 28 pairs": every,
        "live window, 28 pairs": live,
    }
    reads = [(what, p50, p99, first_ms) for what, (first_ms, p50, p99) in named.items()]
    results |= {"features": len(features), "tables": len(tables), "reads": reads}
    for what, (first_ms, p50, p99) in named.items():
        print(f"{what}: P50 {p50:.1f}, P99 {p99:.1f}, the first {first_ms:.0f}")
    assert one[2] < TARGET_MS
