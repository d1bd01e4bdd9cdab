"""From a database in the documents' layout to bqx's schema by commands, and back again."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from postgres import fresh
from sqlalchemy import URL, Engine, event, text

from bqx import cli
from bqx.database import documents, documents_bars, migration, reads, schema
from bqx.database.connect import URL_NAME
from bqx.errors import BarError, DatabaseError
from bqx.feature_store.build import build
from bqx.feature_store.store import Store
from bqx.market import bars, simulated

PAIRS = ("eurusd", "usdjpy")
COLUMNS = {
    "reg": ("w60_a_coef", "w60_r2", "w60_quad_norm"),
    "statistics_features": ("skewness_60min", "entropy_60min", "rank_of_day"),
    "bollinger_features": ("bollinger_upper_20", "bollinger_width_20"),
    "fibonacci_features": ("fib_retracement_38_2", "fib_grid_strength"),
    "volume_features": ("volume_spike", "volume_trend_slope"),
    "spread_features": ("spread_spike", "tick_rule"),
    "correlation_features": ("corr_base_pairs_15min", "lead_lag_indicator"),
}
MONTHS = ((7, "_y2024m07"), (8, "_2024_08"))


def market() -> dict[str, pd.DataFrame]:
    frames = simulated.simulate("null", PAIRS, "2024-07-28", days=6, seed=5).frames
    return {pair: bars.validate(frame, pair) for pair, frame in frames.items()}


FRAMES = market()


@contextmanager
def of_documents(server: URL) -> Iterator[Engine]:
    """Bars, BQX and seven types of tables of two pairs, each with rows in two months."""
    with fresh(server) as engine:
        with engine.begin() as connection:
            for statement in statements():
                connection.execute(text(statement))
            for pair, frame in FRAMES.items():
                rows = frame.rename_axis("time").tz_localize(None).reset_index()
                rows["spread_close"] = rows.pop("spread")
                rows["bid_close"] = rows["close"]
                rows.to_sql(
                    f"m1_{pair}",
                    connection,
                    schema="bqx",
                    if_exists="append",
                    index=False,
                    method="multi",
                    chunksize=1_000,
                )
        yield engine


def statements() -> Iterator[str]:
    yield "CREATE SCHEMA bqx"
    yield "CREATE TABLE bqx.baseline_rates (pair text PRIMARY KEY, baseline_rate numeric(10, 5))"
    yield "INSERT INTO bqx.baseline_rates VALUES ('eurusd', 1.25)"
    for pair in PAIRS:
        columns = "open, high, low, close, volume, bid_close, spread_close"
        typed = ", ".join(f"{name} float8" for name in columns.split(", "))
        yield from table(f"m1_{pair}", f"time timestamp PRIMARY KEY, {typed}", "time")
        for kind, names in (COLUMNS | {"bqx": ("rate_index", "w60_bqx_return")}).items():
            typed = ", ".join(f"{name} float8" for name in names)
            name = f"{kind}_{pair}"
            yield from table(name, f"ts_utc timestamptz PRIMARY KEY, {typed}", "ts_utc")
            values = ", ".join(f"random() * {i + 1}" for i in range(len(names)))
            yield (
                f"INSERT INTO bqx.{name} SELECT t, {values} FROM "
                "generate_series('2024-07-30Z'::timestamptz, '2024-08-02Z', '1 hour') t"
            )


def table(name: str, columns: str, key: str) -> Iterator[str]:
    yield f"CREATE TABLE bqx.{name} ({columns}) PARTITION BY RANGE ({key})"
    for month, suffix in MONTHS:
        yield (
            f"CREATE TABLE bqx.{name}{suffix} PARTITION OF bqx.{name} FOR VALUES FROM "
            f"('2024-0{month}-01') TO ('2024-0{month + 1}-01')"
        )


@pytest.fixture
def older(server: URL) -> Iterator[Engine]:
    with of_documents(server) as engine:
        yield engine


def content(engine: Engine, schema_name: str) -> dict[str, tuple[int, str]]:
    """Rows of every table of a schema, and a hash of them all."""
    with engine.connect() as connection:
        names = connection.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(:name) AND "
                "relkind IN ('r', 'p') AND relname <> :listed ORDER BY 1"
            ),
            {"name": schema_name, "listed": documents.LIST},
        ).scalars()
        whole = (
            "SELECT count(*), coalesce(md5(string_agg(t::text, chr(10) ORDER BY t::text)), '') "
            'FROM {}."{}" t'
        )
        return {
            name: tuple(connection.execute(text(whole.format(schema_name, name))).one())
            for name in names
        }


def command(engine: Engine, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL_NAME, engine.url.render_as_string(hide_password=False))
        return cli.main(["db", *arguments])


def renamed(name: str) -> str:
    for old in COLUMNS:
        if name.startswith(old + "_") and name[len(old) + 1 :][:6] in PAIRS:
            return name.replace(old, old.removesuffix("_features") + "_idx", 1)
    return name


def test_commands_lead_to_bqx_s_schema_and_back(
    older: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(older, "bqx")
    assert command(older, "create", "--pairs", "eurusd,usdjpy") == 2
    assert "Run `bqx db create --adopt`" in capsys.readouterr().err
    assert command(older, "rename") == 0
    assert content(older, "bqx") == {renamed(name): held for name, held in before.items()}

    assert command(older, "create", "--adopt", "--pairs", "eurusd,usdjpy") == 0
    out = capsys.readouterr().out
    count = sum(map(len, FRAMES.values()))
    assert f"{count:,} bars new or changed of 2 pairs" in out
    assert "left aside: baseline_rate, bid_close, pair, rank_of_day, w60_quad_norm" in out
    aside = content(older, documents.ASIDE)
    assert aside == {renamed(name): held for name, held in before.items()}

    folder, store = tmp_path / "bars", tmp_path / "store"
    folder.mkdir()
    for pair, frame in FRAMES.items():
        frame.to_parquet(folder / f"{pair}.parquet")
    features = schema.tables()["backward_bqx"]
    build(folder, store, features)
    assert command(older, "load", "--store", str(store)) == 0
    for pair, frame in FRAMES.items():
        read = reads.read_bars(older, pair)
        np.testing.assert_array_equal(read["close"], frame["close"])
        assert read.index.equals(frame.index)
        pd.testing.assert_frame_equal(
            reads.read_features(older, pair, features), Store(store).read(pair, features)
        )
    grids = reads.read_grid(older, PAIRS)
    # The documents' own baseline counts where they have one.
    assert grids["eurusd"].baseline == 1.25
    assert grids["usdjpy"].baseline == FRAMES["usdjpy"]["close"].iloc[0]

    own = content(older, "bqx")
    assert command(older, "rename") == 2
    assert "Run `bqx db create --back` first" in capsys.readouterr().err
    assert command(older, "create", "--back") == 0
    assert command(older, "rename", "--back") == 0
    assert content(older, "bqx") == before
    assert content(older, documents.OWN) == own
    # And forth again, nothing loaded twice.
    assert command(older, "create", "--adopt", "--pairs", "eurusd,usdjpy") == 0
    assert "0 bars new or changed of 2 pairs" in capsys.readouterr().out
    assert content(older, "bqx") == own


def test_each_column_says_what_it_is_in_the_catalog(older: Engine) -> None:
    schema.create(older, PAIRS, adopt=True)
    with older.connect() as connection:
        rows = connection.execute(
            text(f"SELECT relation, name, feature FROM {documents.ASIDE}.{documents.LIST}")
        ).all()
    listed = {(row.relation, row.name): row.feature for row in rows}
    assert listed["bqx_eurusd", "w60_bqx_return"] == "bqx_backward_return_w60"
    assert listed["m1_usdjpy", "close"] == "bars"
    assert listed["m1_usdjpy", "bid_close"] is None
    assert listed["reg_eurusd", "ts_utc"] == "time"
    for kind, names in COLUMNS.items():
        for name in names:
            feature = listed[f"{kind}_usdjpy", name]
            if name in ("w60_quad_norm", "rank_of_day"):
                assert feature is None
            else:
                assert feature in {f.name for f in schema.published()}, (kind, name)


class Interrupted(Exception):
    pass


@contextmanager
def interrupting(engine: Engine, statement: int) -> Iterator[None]:
    """Fail at the so-manieth statement from here."""
    counter = itertools.count()

    def count(*_: Any) -> None:
        if next(counter) == statement:
            raise Interrupted

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)


def steps(engine: Engine) -> None:
    migration.rename(engine)
    schema.create(engine, PAIRS, adopt=True)
    documents_bars.copy(engine)


def whole(engine: Engine) -> int:
    """Statements of the whole way."""
    counter = itertools.count()
    event.listen(engine, "before_cursor_execute", lambda *_: next(counter))
    steps(engine)
    return next(counter)


@pytest.mark.parametrize("points", [5, pytest.param(20, marks=pytest.mark.fuzz)])
def test_interrupted_anywhere_it_goes_on_and_loses_nothing(server: URL, points: int) -> None:
    with of_documents(server) as engine:
        before = content(engine, "bqx")
        aside = {renamed(name): held for name, held in before.items()}
        total = whole(engine)
        final = content(engine, "bqx")
        assert schema.leave(engine)
        migration.rename(engine, back=True)
        drop = text(f"DROP SCHEMA {documents.OWN} CASCADE")
        with engine.begin() as connection:
            connection.execute(drop)
        for at in np.linspace(0, total - 1, points).astype(int).tolist():
            with interrupting(engine, at), pytest.raises(Interrupted):
                steps(engine)
            # The documents' tables are whole, wherever they stand.
            names = ("bqx", documents.ASIDE)
            held = [content(engine, name) for name in names]
            assert before in held or aside in held
            if before in held or held[0] == aside:
                steps(engine)
            else:
                schema.create(engine, PAIRS, adopt=True)
                documents_bars.copy(engine)
            assert content(engine, documents.ASIDE) == aside
            counts = {name: rows for name, (rows, _) in content(engine, "bqx").items()}
            assert counts == {name: rows for name, (rows, _) in final.items()}
            assert schema.leave(engine)
            migration.rename(engine, back=True)
            assert content(engine, "bqx") == before
            with engine.begin() as connection:
                connection.execute(drop)


def test_two_at_once_make_one_schema(older: Engine) -> None:
    before = content(older, "bqx")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: schema.create(older, PAIRS, adopt=True), range(2), timeout=120))
        counts = list(threads.map(lambda _: documents_bars.copy(older)[0], range(2), timeout=120))
    assert sum(counts) == sum(map(len, FRAMES.values()))
    assert content(older, documents.ASIDE) == before
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(lambda _: schema.leave(older), range(2), timeout=120)) == [
            False,
            True,
        ]
    assert content(older, "bqx") == before


def test_a_bar_of_the_future_is_refused(older: Engine) -> None:
    with older.begin() as connection:
        connection.execute(
            text("CREATE TABLE bqx.m1_usdjpy_later PARTITION OF bqx.m1_usdjpy DEFAULT")
        )
        connection.execute(
            text(
                "INSERT INTO bqx.m1_usdjpy (time, open, high, low, close) "
                "VALUES (now() + interval '25 hours', 150, 150, 150, 150)"
            )
        )
    with pytest.raises(BarError, match=r"m1_usdjpy: bars of the future, got one of 20\d\d-"):
        steps(older)


def test_a_schema_that_takes_the_name_is_told(older: Engine) -> None:
    with older.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {documents.ASIDE}"))
    before = content(older, "bqx")
    with pytest.raises(DatabaseError, match="two schemas want one name, got bqx_documents"):
        schema.create(older, PAIRS, adopt=True)
    assert content(older, "bqx") == before


def test_nothing_to_adopt_is_no_fault(server: URL, capsys: pytest.CaptureFixture[str]) -> None:
    with fresh(server) as engine:
        assert command(engine, "create", "--adopt", "--pairs", "eurusd") == 0
        assert "nothing is set aside" in capsys.readouterr().out
        assert command(engine, "create", "--back") == 0
        assert "nothing was set aside" in capsys.readouterr().out
