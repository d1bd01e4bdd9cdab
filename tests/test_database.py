"""PostgreSQL for real: schema, loads, reads, roles, the rename, and what goes wrong."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from killing import killed_fifty_times
from postgres import fresh
from sqlalchemy import URL, Engine, text

from bqx import cli
from bqx.database import copying, loads, migration, reads, schema, serving
from bqx.database.connect import URL_NAME, connect, url
from bqx.errors import BarError, BqxError, DatabaseError, ParameterError
from bqx.feature_store.build import build
from bqx.feature_store.store import Store
from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.spec import Output
from bqx.market import bars, revisions, simulated
from bqx.market.bars import Bars

HERE = ("eurusd", "gbpusd", "eurgbp")
TABLES = ("statistics_return_idx", "backward_bqx", "dual_domain", "time")


@pytest.fixture(scope="module")
def engine(server: URL) -> Iterator[Engine]:
    with fresh(server) as made:
        schema.create(made, HERE)
        yield made


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    """Raw bars over a change of month, with holes, volume and spread, one column partly absent."""
    rng = np.random.default_rng(4)
    out = {}
    for pair, frame in simulated.simulate(
        "null", HERE, "2024-02-26", days=8, seed=3
    ).frames.items():
        frame = frame[rng.random(len(frame)) > 0.02].copy()
        frame.loc[frame.index[::7], "spread"] = np.nan
        out[pair] = bars.validate(frame, pair)
    return out


@pytest.fixture(scope="module")
def grids(frames: dict[str, pd.DataFrame]) -> dict[str, Bars]:
    return bars.align(frames)


@pytest.fixture(scope="module")
def loaded(engine: Engine, frames: dict[str, pd.DataFrame], grids: dict[str, Bars]) -> Engine:
    assert loads.put_bars(engine, frames) == sum(map(len, frames.values()))
    assert all(loads.put_month(engine, month) for month in months_of(grids["eurusd"]))
    return engine


def months_of(each: Bars, tables: tuple[str, ...] = TABLES, content: str = "1"):
    for table in tables:
        values = compute(each, schema.tables()[table])
        for first, rows in loads.months(each.ts):
            name = schema.relation(table, each.pair)
            yield loads.Month(name, first, each.ts[rows], values[rows], content)


def scalar(engine: Engine, statement: str):
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


def rows(engine: Engine, relation: str) -> list[tuple]:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM bqx.{relation} ORDER BY 1, 2")).all()


# Schema


def test_checked_in_sql_is_the_catalogs() -> None:
    assert schema.script("families.sql") == schema.definition()


def test_a_table_a_family_and_pair_partitioned_by_month(loaded: Engine) -> None:
    names = {schema.relation(table, pair) for table in schema.tables() for pair in HERE}
    names |= {f"m1_{pair}" for pair in HERE}
    with loaded.connect() as connection:
        made = connection.execute(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'bqx'::regnamespace "
                 "AND relkind = 'p'")
        ).scalars()  # fmt: skip
        assert set(made) == names
        parts = connection.execute(
            text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = "
                 "'bqx.bqx_eurusd'::regclass ORDER BY 1")
        ).scalars()  # fmt: skip
        assert list(parts) == ["bqx.bqx_eurusd_y2024m02", "bqx.bqx_eurusd_y2024m03"]
        keys = connection.execute(
            text("SELECT indexdef FROM pg_indexes WHERE tablename = 'time_eurusd_y2024m02'")
        ).scalars()
        assert [key.split(" USING ")[1] for key in keys] == ["btree (ts_utc)"]


def test_a_feature_is_float4_and_a_bar_float8(loaded: Engine) -> None:
    with loaded.connect() as connection:
        kinds = connection.execute(
            text("SELECT table_name, column_name, udt_name FROM information_schema.columns "
                 "WHERE table_schema = 'bqx' AND table_name IN ('bqx_eurusd', 'm1_eurusd')")
        ).all()  # fmt: skip
    features = {column: kind for table, column, kind in kinds if table == "bqx_eurusd"}
    assert list(features) == ["ts_utc", *(f.name for f in schema.tables()["backward_bqx"])]
    assert set(features.values()) == {"timestamptz", "float4"}
    bar = {column: kind for table, column, kind in kinds if table == "m1_eurusd"}
    assert {bar[name] for name in bars.COLUMNS} == {"float8"}


def test_creating_again_changes_nothing_and_adds_pairs(engine: Engine) -> None:
    count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'bqx'::regnamespace"
    before = scalar(engine, count)
    schema.create(engine, HERE)
    assert scalar(engine, count) == before


def test_hostile_names_are_refused(engine: Engine) -> None:
    hostile = 'eurusd"; DROP SCHEMA bqx CASCADE; --'
    with pytest.raises(ParameterError, match="unknown pair"):
        schema.create(engine, [hostile])
    with pytest.raises(ParameterError, match="unknown pair"):
        reads.read_bars(engine, hostile)
    with pytest.raises(ParameterError, match="no such table"):
        schema.relation(hostile, "eurusd")
    with pytest.raises(DatabaseError, match="no pair"), loads.explained(engine, "test"):
        scalar(engine, f"SELECT bqx.add_pair('{hostile}')")
    with pytest.raises(DatabaseError, match="does not exist"), loads.explained(engine, "test"):
        scalar(engine, f"SELECT bqx.add_month('{hostile}', '2024-01-01')")
    assert scalar(engine, "SELECT count(*) FROM bqx.facts") == 1


def test_hostile_columns_are_refused(loaded: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    family = catalog.FAMILIES[0]
    hostile = replace(family, outputs={'a" float4); DROP SCHEMA bqx CASCADE; --': Output("1")})
    (feature, *_) = hostile.features()
    with pytest.raises(DatabaseError, match="a column is missing"):
        reads.read_features(loaded, "eurusd", [feature])
    monkeypatch.setattr(schema, "tables", lambda: {"some": (feature,)})
    with pytest.raises(ParameterError, match="no name of a column, got"):
        schema.definition()
    assert scalar(loaded, "SELECT count(*) FROM bqx.facts") == 1


def test_a_table_that_no_server_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = catalog.FAMILIES[0].features() * 20
    monkeypatch.setattr(schema, "tables", lambda: {"wide": wide[:1_600]})
    with pytest.raises(ParameterError, match="wide: too wide for a table, got 1600 features"):
        schema.definition()


# Round trips


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)),
    st.integers(1, 2),
)
def test_copy_format_is_undone_by_reading_it(values: np.ndarray, times: int) -> None:
    stamps = np.arange(len(values) * times).reshape(len(values), times) - 3
    content = b"".join(copying.encode(stamps, np.nan_to_num(values, nan=0.5)))
    read_stamps, read = copying.decode(content, times, values.shape[1], size=4)
    np.testing.assert_array_equal(read_stamps, stamps)
    np.testing.assert_array_equal(read, np.nan_to_num(values, nan=0.5))


def test_bars_come_back_bit_for_bit(loaded: Engine, frames: dict[str, pd.DataFrame]) -> None:
    for pair, frame in frames.items():
        found = reads.read_bars(loaded, pair)
        pd.testing.assert_frame_equal(found, frame, check_exact=True, check_freq=False)


def test_features_of_bars_from_the_server_equal_those_of_parquet(
    loaded: Engine, frames: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    stored = {}
    for pair, frame in frames.items():
        frame.to_parquet(tmp_path / f"{pair}.parquet")
        stored[pair] = bars.validate(pd.read_parquet(tmp_path / f"{pair}.parquet"), pair)
    ours, theirs = reads.read_grid(loaded, HERE), bars.align(stored)
    features = [feature for feature in schema.published()[::30] if feature.domain != "learned"]
    for pair in HERE:
        assert ours[pair].baseline == theirs[pair].baseline
        np.testing.assert_array_equal(
            compute(ours[pair], features), compute(theirs[pair], features)
        )


def test_a_slice_keeps_the_baseline(loaded: Engine, grids: dict[str, Bars]) -> None:
    since, until = (pd.Timestamp(t, tz="UTC") for t in ("2024-02-29 12:00", "2024-03-01 06:00"))
    found = reads.read_grid(loaded, ["gbpusd"], since=since, until=until)["gbpusd"]
    whole = grids["gbpusd"]
    assert found.baseline == whole.baseline
    assert found.ts[0] >= since
    assert found.ts[-1] < until
    some = np.isin(whole.ts, found.ts)
    np.testing.assert_array_equal(found.close, whole.close[some])


def test_published_features_come_back_bit_for_bit(loaded: Engine, grids: dict[str, Bars]) -> None:
    features = [f for table in reversed(TABLES) for f in schema.tables()[table][::3]]
    found = reads.read_features(loaded, "eurusd", features)
    assert list(found.columns) == [feature.name for feature in features]
    assert found.index.equals(grids["eurusd"].ts)
    np.testing.assert_array_equal(found.to_numpy(), compute(grids["eurusd"], features))
    since = pd.Timestamp("2024-02-29 23:58", tz="UTC")
    part = reads.read_features(
        loaded, "eurusd", features, since=since, until=since + pd.Timedelta("4min")
    )
    pd.testing.assert_frame_equal(part, found.loc[since:].iloc[:4], check_freq=False)


def test_absent_values_are_null(loaded: Engine, grids: dict[str, Bars]) -> None:
    feature = schema.tables()["backward_bqx"][0]
    missing = int(np.isnan(compute(grids["eurusd"], [feature])).sum())
    assert missing > 0
    column = f'SELECT count(*) - count("{feature.name}") FROM bqx.bqx_eurusd'
    assert scalar(loaded, column) == missing


def test_newest_bars_and_their_rate_index_are_a_view(
    loaded: Engine, grids: dict[str, Bars]
) -> None:
    whole = grids["eurusd"]
    known = ~whole.frame["filled"].to_numpy() & ~np.isnan(whole.close)
    with loaded.connect() as connection:
        found = connection.execute(
            text("SELECT rate_index FROM bqx.rates_eurusd ORDER BY ts_utc")
        ).scalars()
        np.testing.assert_allclose(list(found), whole.index[known], rtol=1e-15)


# Serving


def test_all_columns_of_a_bar_equal_what_was_published(
    loaded: Engine, grids: dict[str, Bars]
) -> None:
    for pair in ("gbpusd", "eurgbp"):
        for month in months_of(grids[pair], content="served"):
            loads.put_month(loaded, month)
    features = [f for table in reversed(TABLES) for f in schema.tables()[table]][::-2]
    reader = serving.Reader(loaded, features)
    whole = {pair: compute(grids[pair], features) for pair in HERE}
    for row in (3, 4_000, -1):
        ts = grids["eurusd"].ts[row]
        np.testing.assert_array_equal(reader.read(["gbpusd"], ts), whole["gbpusd"][[row]])
        every = np.stack([whole[pair][row] for pair in HERE])
        np.testing.assert_array_equal(reader.read(HERE, ts), every)


def test_a_bar_that_is_not_there_is_told(loaded: Engine, grids: dict[str, Bars]) -> None:
    members = schema.tables()["time"]
    reader = serving.Reader(loaded, members)
    with pytest.raises(DatabaseError, match="time_eurusd: no row, got none at 2024-03-02"):
        reader.read(["eurusd"], pd.Timestamp("2024-03-02", tz="UTC"))
    with pytest.raises(DatabaseError, match='"bqx.time_eurusd_y2024m09" does not exist'):
        reader.read(["eurusd"], pd.Timestamp("2024-09-02", tz="UTC"))
    with pytest.raises(ParameterError, match="unknown pair"):
        reader.read(["eurusd; --"], pd.Timestamp("2024-03-01", tz="UTC"))
    assert reader.read(["eurusd"], grids["eurusd"].ts[5]).shape == (1, len(members))


# Writing twice


def test_the_same_bars_and_months_again_write_nothing(
    loaded: Engine, frames: dict[str, pd.DataFrame], grids: dict[str, Bars]
) -> None:
    before = rows(loaded, "m1_eurusd"), rows(loaded, "time_eurusd")
    assert loads.put_bars(loaded, frames) == 0
    assert not any(loads.put_month(loaded, month) for month in months_of(grids["eurusd"]))
    assert (rows(loaded, "m1_eurusd"), rows(loaded, "time_eurusd")) == before


def test_a_month_of_other_content_replaces_it(loaded: Engine, grids: dict[str, Bars]) -> None:
    listed = "SELECT rows FROM bqx.loads WHERE relation = 'time_gbpusd' AND month = '2024-02-01'"
    (month, _) = months_of(grids["gbpusd"], ("time",))
    few = loads.Month(month.relation, month.first, month.ts[:10], month.values[:10] + 1, "2")
    assert loads.put_month(loaded, month)
    assert loads.put_month(loaded, few)
    assert scalar(loaded, "SELECT count(*) FROM bqx.time_gbpusd_y2024m02") == 10
    assert scalar(loaded, listed) == 10
    assert loads.put_month(loaded, month)
    assert scalar(loaded, "SELECT count(*) FROM bqx.time_gbpusd_y2024m02") == len(month.ts)


def test_loaders_at_the_same_time_write_once(
    server: URL, frames: dict[str, pd.DataFrame], grids: dict[str, Bars]
) -> None:
    months = list(months_of(grids["eurusd"], ("time", "statistics_return_idx")))
    with fresh(server) as engine:
        schema.create(engine, ["eurusd"])

        def load(_: int) -> tuple[int, int]:
            bars_written = loads.put_bars(engine, {"eurusd": frames["eurusd"]})
            return bars_written, sum(loads.put_month(engine, month) for month in months)

        with ThreadPoolExecutor(4) as threads:
            written = list(threads.map(load, range(4)))
        assert sum(count for count, _ in written) == len(frames["eurusd"])
        assert sum(count for _, count in written) == len(months)
        assert scalar(engine, "SELECT count(*) FROM bqx.m1_eurusd") == len(frames["eurusd"])
        assert scalar(engine, "SELECT count(*) FROM bqx.time_eurusd") == len(grids["eurusd"])


def test_bars_known_before_they_ended_are_refused(
    loaded: Engine, frames: dict[str, pd.DataFrame]
) -> None:
    frame = revisions.with_known(frames["eurusd"])
    frame["known_at"] -= pd.Timedelta("1s")
    with pytest.raises(BarError, match="known_at row 1: known before its end"):
        loads.put_bars(loaded, {"eurusd": frame})


# Kills


def _load(address: URL, months: list[loads.Month], frames: dict[str, pd.DataFrame]) -> None:
    engine = connect(address)
    loads.put_bars(engine, frames)
    for month in months:
        loads.put_month(engine, month)
    os._exit(0)


def _contents(engine: Engine, months: list[loads.Month]) -> dict[str, str]:
    """Hash of every partition that is there, by name."""
    names = {f"{m.relation}_y{m.first:%Ym%m}" for m in months} | {"m1_eurusd_y2024m02"}
    return {
        name: scalar(
            engine, f"SELECT md5(string_agg(t::text, '|' ORDER BY ts_utc)) FROM bqx.{name} t"
        )
        for name in sorted(names)
        if scalar(engine, f"SELECT to_regclass('bqx.{name}')") is not None
    }  # fmt: skip


def test_a_loader_killed_fifty_times_leaves_no_half_month(
    server: URL, frames: dict[str, pd.DataFrame], grids: dict[str, Bars]
) -> None:
    few = {"eurusd": frames["eurusd"].iloc[:1_500]}
    short = grids["eurusd"].rows(4_000, 6_500)
    months = list(months_of(short, ("statistics_return_idx", "time")))
    forked = multiprocessing.get_context("fork")
    with fresh(server) as engine:
        schema.create(engine, ["eurusd"])

        def start() -> multiprocessing.process.BaseProcess:
            engine.dispose()
            process = forked.Process(target=_load, args=(engine.url, months, few))
            process.start()
            return process

        def clear() -> None:
            with engine.begin() as connection:
                for month in months:
                    connection.execute(text(f"DELETE FROM bqx.{month.relation}"))
                connection.execute(text("DELETE FROM bqx.loads"))
                connection.execute(text("DELETE FROM bqx.m1_eurusd"))

        begun = time.perf_counter()
        start().join()
        whole = time.perf_counter() - begun
        expected = _contents(engine, months)
        assert len(expected) == len(months) + 1 == 5
        assert None not in expected.values()
        clear()
        for attempt, _ in enumerate(killed_fifty_times(start, whole / 2)):
            found = _contents(engine, months)
            for name, content in found.items():
                assert content in (None, expected[name]), name
            if attempt % 3 == 2 or found == expected:
                clear()
        start().join()
        assert _contents(engine, months) == expected


# Rights


def as_user(engine: Engine, role: str) -> Engine:
    """Connections of a new user that was granted the role."""
    name = f"somebody_{role}_{engine.url.database}"[:60]
    with engine.begin() as connection:
        connection.execute(text(f"CREATE USER {name} PASSWORD 'open sesame'"))
        connection.execute(text(f"GRANT {role} TO {name}"))
    return connect(engine.url.set(username=name, password="open sesame"))


def drop_user(engine: Engine, user: Engine) -> None:
    user.dispose()
    with engine.begin() as connection:
        connection.execute(text(f"DROP USER {user.url.username}"))


def test_a_reader_reads_and_does_no_more(loaded: Engine, frames: dict[str, pd.DataFrame]) -> None:
    reader = as_user(loaded, "bqx_reader")
    assert len(reads.read_bars(reader, "eurusd")) == len(frames["eurusd"])
    with pytest.raises(DatabaseError, match="permission is denied, got permission denied for"):
        loads.put_bars(reader, frames)
    for statement in ("DELETE FROM bqx.time_eurusd", "SELECT bqx.add_month('m1_eurusd', 'now')",
                      "CREATE TABLE bqx.mine (a int)"):  # fmt: skip
        with (
            pytest.raises(DatabaseError, match="permission is denied"),
            loads.explained(reader, "test"),
            reader.begin() as connection,
        ):
            connection.execute(text(statement))
    drop_user(loaded, reader)


def test_a_writer_loads_new_months_and_owns_nothing(loaded: Engine, grids: dict[str, Bars]) -> None:
    writer = as_user(loaded, "bqx_writer")
    later = {
        "eurgbp": bars.validate(
            simulated.simulate("null", ["eurgbp"], "2024-05-06", days=3, seed=1).frames["eurgbp"],
            "later",
        )
    }
    assert loads.put_bars(writer, later) == len(later["eurgbp"])
    for month in months_of(grids["eurgbp"], ("time",)):
        assert loads.put_month(writer, month)
    for statement in ("DROP TABLE bqx.time_eurusd", "UPDATE bqx.facts SET schema_version = 7",
                      "TRUNCATE bqx.m1_eurusd"):  # fmt: skip
        with (
            pytest.raises(DatabaseError, match="permission is denied"),
            loads.explained(writer, "test"),
            writer.begin() as connection,
        ):
            connection.execute(text(statement))
    reader = as_user(loaded, "bqx_reader")
    assert len(reads.read_bars(reader, "eurgbp", since=pd.Timestamp("2024-05-01", tz="UTC"))) > 0
    for user in (writer, reader):
        drop_user(loaded, user)


# What goes wrong


def one_line(error: BaseException, *words: str) -> None:
    message = str(error)
    assert "\n" not in message
    assert re.fullmatch(r"[^:]+(: | \().+, got .+; expected .+\. .+\.", message), message
    for word in words:
        assert word in message


def test_a_wrong_version_or_catalog_is_told(server: URL, frames: dict[str, pd.DataFrame]) -> None:
    with fresh(server) as engine:
        with pytest.raises(DatabaseError) as caught:
            reads.read_bars(engine, "eurusd")
        one_line(caught.value, "the schema bqx is missing", "bqx db create")
        schema.create(engine, [])
        with pytest.raises(DatabaseError) as caught:
            loads.put_bars(engine, {"eurusd": frames["eurusd"]})
        one_line(caught.value, 'relation "bqx.m1_eurusd" does not exist', "bqx db create")
        with pytest.raises(DatabaseError) as caught:
            reads.read_bars(engine, "eurusd")
        one_line(caught.value, 'relation "bqx.m1_eurusd" does not exist')
        with engine.begin() as connection:
            connection.execute(text("UPDATE bqx.facts SET schema_version = 7"))
        for act in (
            lambda: reads.read_bars(engine, "eurusd"),
            lambda: schema.create(engine, ["eurusd"]),
        ):
            with pytest.raises(DatabaseError) as caught:
                act()
            one_line(caught.value, "another version, got 7")


def test_columns_of_other_code_are_told_and_the_others_are_read(server: URL) -> None:
    changed, same = schema.tables()["time"][:2]
    with fresh(server) as engine:
        schema.create(engine, ["eurusd"])
        with engine.begin() as connection:
            order = text("UPDATE bqx.columns SET identity = 'old' WHERE name = :name")
            connection.execute(order, {"name": changed.name})
        assert reads.read_features(engine, "eurusd", [same]).empty
        schema.create(engine, ["gbpusd"])
        with pytest.raises(DatabaseError) as caught:
            reads.read_features(engine, "eurusd", [same, changed])
        one_line(caught.value, f"got another identity of {changed.name}; expected")


def test_a_family_that_is_new_gets_its_tables_from_create(
    server: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = schema.tables()
    earlier = {name: members for name, members in tables.items() if name != "time"}
    with fresh(server) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "script", lambda name, real=schema.script: (
                schema.definition() if name == "families.sql" else real(name)))  # fmt: skip
            patch.setattr(schema, "tables", lambda: earlier)
            patch.setattr(schema, "published", lambda: tuple(chain(*earlier.values())))
            schema.create(engine, ["eurusd"])
        assert reads.read_features(engine, "eurusd", tables["backward_bqx"][:1]).empty
        with pytest.raises(DatabaseError) as caught:
            reads.read_features(engine, "eurusd", tables["time"][:1])
        one_line(caught.value, 'relation "bqx.time_eurusd" does not exist')
        schema.create(engine, ["eurusd"])
        assert reads.read_features(engine, "eurusd", tables["time"][:1]).empty


def test_a_full_disk_is_told_and_the_month_stays(loaded: Engine, grids: dict[str, Bars]) -> None:
    (month, _) = months_of(grids["gbpusd"], ("dual_domain",))
    assert loads.put_month(loaded, month)
    part, before = "dual_domain_gbpusd_y2024m02", rows(loaded, "dual_domain_gbpusd")
    with loaded.begin() as connection:
        # The server's own words and state for it, in the middle of the rows.
        connection.execute(
            text("CREATE FUNCTION bqx.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                 "IF NEW.ts_utc > '2024-02-28Z' THEN RAISE 'could not extend file: No space left "
                 "on device' USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$")
        )  # fmt: skip
        connection.execute(
            text(f"CREATE TRIGGER full_disk BEFORE INSERT ON bqx.{part} "
                 "FOR EACH ROW EXECUTE FUNCTION bqx.full()")
        )  # fmt: skip
    other = loads.Month(month.relation, month.first, month.ts, month.values, "other")
    with pytest.raises(DatabaseError) as caught:
        loads.put_month(loaded, other)
    one_line(caught.value, "the disk is full", "No space left on device", "nothing was kept")
    assert rows(loaded, "dual_domain_gbpusd") == before
    with loaded.begin() as connection:
        connection.execute(text("DROP FUNCTION bqx.full() CASCADE"))
    assert loads.put_month(loaded, other)


def test_a_server_that_takes_no_writes_is_told(
    loaded: Engine, frames: dict[str, pd.DataFrame]
) -> None:
    replica = as_user(loaded, "bqx_writer")
    with loaded.begin() as connection:
        connection.execute(
            text(f"ALTER USER {replica.url.username} SET default_transaction_read_only = on")
        )
    assert len(reads.read_bars(replica, "eurusd")) > 0
    with pytest.raises(DatabaseError) as caught:
        loads.put_bars(replica, frames)
    one_line(caught.value, "takes no writes", "primary")
    drop_user(loaded, replica)


# The rename of older tables


SEVEN = ("reg", "statistics_features", "bollinger_features", "fibonacci_features",
         "volume_features", "spread_features", "correlation_features")  # fmt: skip


@pytest.fixture
def older(server: URL) -> Iterator[Engine]:
    """Tables of two pairs under their old names, partitions named in both ways, some NULL."""
    with fresh(server) as engine, engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA bqx"))
        for old in (*SEVEN, "time_features", "regXfeatures"):
            for pair in ("eurusd", "usdjpy"):
                name = f'bqx."{old}_{pair}'
                connection.execute(
                    text(f'CREATE TABLE {name}" (ts_utc timestamptz PRIMARY KEY, a float8, '
                         'b float8) PARTITION BY RANGE (ts_utc)')
                )  # fmt: skip
                for month, part in ((7, "_y2024m07"), (8, "_2024_08")):
                    connection.execute(
                        text(f'CREATE TABLE {name}{part}" PARTITION OF {name}" FOR VALUES FROM '
                             f"('2024-0{month}-01Z') TO ('2024-0{month + 1}-01Z')")
                    )  # fmt: skip
                if old != "correlation_features":
                    connection.execute(
                        text(f"INSERT INTO {name}\" SELECT t, 1, CASE WHEN extract(hour FROM t) = 3"
                             " THEN NULL ELSE 2 END FROM generate_series("
                             "'2024-07-30Z'::timestamptz, '2024-08-02Z', '1 hour') t")
                    )  # fmt: skip
        connection.commit()
        yield engine


def relations(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(
            connection.execute(
                text("SELECT relname FROM pg_class WHERE relnamespace = 'bqx'::regnamespace "
                     "AND relkind IN ('r', 'p')")
            ).scalars()
        )  # fmt: skip


def test_rename_is_verified_repeatable_and_reversible(older: Engine) -> None:
    before = relations(older)
    report = migration.rename(older)
    assert len(report) == 14
    assert set(report["old_name"]) == {f"{old}_{p}" for old in SEVEN for p in ("eurusd", "usdjpy")}
    empty = report["old_name"].str.startswith("correlation")
    assert (report["partitions"] == 2).all()
    assert (report.loc[~empty, "rows_before"] == 73).all()
    assert (report.loc[empty, "rows_before"] == 0).all()
    assert (report["rows_before"] == report["rows_after"]).all()
    np.testing.assert_allclose(report.loc[~empty, "null_share_before"], 3 / (3 * 73))
    assert report["null_share_before"].equals(report["null_share_after"])
    after = relations(older)
    assert len(after) == len(before)
    assert not [name for name in after if re.match(f"({'|'.join(SEVEN)})_(eurusd|usdjpy)", name)]
    assert {"reg_idx_eurusd", "reg_idx_eurusd_y2024m07", "statistics_idx_usdjpy_2024_08",
            "time_features_eurusd", "regXfeatures_eurusd_y2024m07"} <= after  # fmt: skip
    assert migration.rename(older).empty
    assert relations(older) == after
    back = migration.rename(older, back=True)
    assert len(back) == 14
    assert relations(older) == before
    assert migration.rename(older, back=True).empty


def test_rename_refuses_two_names_of_one_table_and_changes_nothing(older: Engine) -> None:
    with older.begin() as connection:
        connection.execute(text("CREATE TABLE bqx.volume_idx_usdjpy (a int)"))
    before = relations(older)
    with pytest.raises(DatabaseError) as caught:
        migration.rename(older)
    one_line(caught.value, "both the old and the new name of volume_idx_usdjpy exist")
    assert relations(older) == before


def test_rename_waits_for_a_lock_no_longer_than_its_limit(
    older: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PATIENCE", 1)
    before = relations(older)
    with older.begin() as reader:
        reader.execute(text("LOCK TABLE bqx.reg_eurusd IN ACCESS SHARE MODE"))
        with pytest.raises(DatabaseError) as caught:
            migration.rename(older)
    one_line(caught.value, "another user holds a lock")
    assert relations(older) == before


def test_creating_at_the_same_time_makes_one_schema(server: URL) -> None:
    with fresh(server) as engine, ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda pair: schema.create(engine, ["eurusd", pair]), HERE))
        assert {f"m1_{pair}" for pair in HERE} <= relations(engine)


def test_rename_is_undone_when_a_count_differs(older: Engine) -> None:
    before = relations(older)
    changed = schema.script("rename.sql").replace(
        "PERFORM bqx.count_families(true);",
        "DELETE FROM bqx.reg_idx_eurusd WHERE ts_utc = '2024-08-01Z';\n"
        "    PERFORM bqx.count_families(true);",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "script", lambda name: changed)
        with pytest.raises(BqxError, match="the content of reg_eurusd changed"):
            migration.rename(older)
    assert relations(older) == before
    assert scalar(older, "SELECT count(*) FROM bqx.reg_eurusd") == 73


# The command line


def command(engine: Engine, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL_NAME, engine.url.render_as_string(hide_password=False))
        return cli.main(["db", *arguments])


def test_commands_create_load_and_go_on(
    server: URL, frames: dict[str, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder, store = tmp_path / "bars", tmp_path / "store"
    folder.mkdir()
    for pair in ("eurusd", "gbpusd"):
        frames[pair].to_parquet(folder / f"{pair}.parquet")
    some = [*schema.tables()["time"], *schema.tables()["backward_bqx"][::2]]
    build(folder, store, some)
    with fresh(server) as engine:
        assert command(engine, "create", "--pairs", "EURUSD,gbpusd") == 0
        assert command(engine, "bars", "--bars", str(folder)) == 0
        assert command(engine, "load", "--store", str(store)) == 0
        bar_count = sum(len(frames[pair]) for pair in ("eurusd", "gbpusd"))
        row_count = 2 * sum(part.rows for part in Store(store).parts("time", "eurusd")) * 2
        assert capsys.readouterr().out.splitlines() == [
            "schema bqx with the tables of 2 pairs",
            f"{bar_count:,} bars new or changed of 2 pairs",
            f"8 months of tables loaded, {row_count:,} rows",
        ]
        for pair in ("eurusd", "gbpusd"):
            pd.testing.assert_frame_equal(
                reads.read_features(engine, pair, some),
                Store(store).read(pair, some),
                check_freq=False,
            )
        absent = schema.tables()["backward_bqx"][1]
        assert reads.read_features(engine, "eurusd", [absent]).isna().all(axis=None)
        assert command(engine, "load", "--store", str(store), "--pairs", "eurusd") == 0
        assert command(engine, "bars", "--bars", str(folder), "--late") == 0
        assert command(engine, "rename") == 0
        assert capsys.readouterr().out.splitlines() == [
            "0 months of tables loaded, 0 rows",
            f"{bar_count:,} bars new or changed of 2 pairs",
            "nothing to rename",
        ]
        for pair in ("eurusd", "gbpusd"):
            pd.testing.assert_frame_equal(
                reads.read_bars(engine, pair), frames[pair], check_freq=False
            )
        hour_ago = pd.Timestamp.now("UTC") - pd.Timedelta("1h")
        assert len(reads.read_bars(engine, "eurusd", as_of=hour_ago)) == len(frames["eurusd"])


def test_commands_say_what_is_wrong_in_one_line(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URL_NAME, raising=False)
    assert cli.main(["db", "create"]) == 2
    assert capsys.readouterr().err.startswith("bqx: database: no server is named, got neither")
    assert cli.main(["db", "ddl"]) == 0
    assert capsys.readouterr().out == schema.script("families.sql")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_local_server_serves_until_it_is_interrupted(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bqx", "db", "serve", str(tmp_path / "server")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        address = re.fullmatch(r"export BQX_DATABASE_URL='(.*)'\n", line)[1]
        engine = connect(url({URL_NAME: address}))
        schema.create(engine, [])
        engine.dispose()
        assert "*" not in address
        process.send_signal(number)
        assert process.wait(30) == 130
    with pytest.raises(DatabaseError, match="does not answer"), loads.explained(engine, "test"):
        engine.connect()
