"""Features of a folder of bars as files: the same bits however, and how often, they are made."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bqx import cli
from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.feature_store import build as building
from bqx.feature_store import pair_months
from bqx.feature_store.build import build
from bqx.features import catalog
from bqx.features.engine.compute import Plan, compute
from bqx.features.spec import Family, Feature, Output, Source
from bqx.files import sealed, write_json
from bqx.market import bars as bar_frames
from bqx.market import readers, simulated
from bqx.market.bars import Bars
from bqx.parallel import Backend

PAIRS_HERE = ("eurusd", "gbpusd", "eurgbp")


def peers(bars: Bars) -> np.ndarray:
    assert bars.panel is not None
    return np.nanmean(bars.panel.index, axis=1)


PEERS = Source("peers", "cross", "1", 1, peers)


def mean(x: np.ndarray, first_minute: int, window: int) -> np.ndarray:
    out = np.full((len(x), 1), np.nan)
    out[window - 1 :, 0] = np.lib.stride_tricks.sliding_window_view(x, window).max(axis=1)
    return out


CROSS = Family(
    "planted", "crossed", mean, {"": Output("1")}, ((40,),), (PEERS,), "largest of the peers"
).features()
EVERY = catalog.profile()
FITTED = [feature for feature in EVERY if feature.fit_key]
FEATURES = tuple(f for f in EVERY[:: max(len(EVERY) // 60, 1)] if not f.fit_key) + CROSS
TABLES = catalog.tables(FEATURES)
MONTHS = ("2024-02", "2024-03")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pairs over a change of month, with holes."""
    path = tmp_path_factory.mktemp("bars")
    rng = np.random.default_rng(2)
    for pair, frame in simulated.simulate(
        "null", PAIRS_HERE, "2024-02-21", days=12, seed=2
    ).frames.items():
        kept = frame[rng.random(len(frame)) > 0.02]
        bar_frames.validate(kept, pair).reset_index().to_parquet(path / f"{pair}.parquet")
    return path


@pytest.fixture(scope="module")
def grids(folder: Path) -> dict[str, Bars]:
    return bar_frames.align(readers.read_folder(folder))


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    assert build(folder, out, FEATURES) == len(TABLES) * len(PAIRS_HERE) * len(MONTHS)
    return out


def files(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.glob("*/*/*"))}


def read(out: Path, table: str, pair: str) -> pd.DataFrame:
    paths = sorted((out / table / pair).iterdir())
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def stamps(out: Path) -> dict[str, int]:
    return {p.relative_to(out).as_posix(): p.stat().st_mtime_ns for p in out.glob("*/*/*")}


def test_one_file_a_table_pair_and_month(whole: Path) -> None:
    assert set(files(whole)) == {
        f"{t}/{p}/{month}.parquet" for t in TABLES for p in PAIRS_HERE for month in MONTHS
    }
    assert {p.name for p in whole.iterdir() if p.is_file()} == {"catalog.json", "manifest.json"}


@pytest.mark.parametrize("pair", PAIRS_HERE)
def test_values_are_those_of_compute(pair: str, whole: Path, grids: dict[str, Bars]) -> None:
    bars = grids[pair]
    for name, members in TABLES.items():
        frame = read(whole, name, pair)
        assert list(frame.columns) == ["ts_utc", *(feature.name for feature in members)]
        assert (frame.dtypes.iloc[1:] == np.float32).all()
        pd.testing.assert_index_equal(pd.DatetimeIndex(frame["ts_utc"]), bars.ts)
        np.testing.assert_array_equal(frame.iloc[:, 1:].to_numpy(), compute(bars, members))


def test_months_are_those_of_utc(whole: Path) -> None:
    for path in whole.glob("*/*/2024-03.parquet"):
        with pq.ParquetFile(path) as file:
            assert file.num_row_groups == 1
            first = file.read(columns=["ts_utc"]).column(0)[0].as_py()
            assert (first.month, first.day, first.hour) == (3, 1, 0)


def test_the_manifest_says_what_the_files_were_made_from(whole: Path, folder: Path) -> None:
    manifest = json.loads((whole / "manifest.json").read_text())
    (key,) = manifest["builds"]
    origin = manifest["builds"][key]
    assert origin["months"] == list(MONTHS)
    assert origin["parameters"] == {"since": "None", "until": "None"}
    assert {len(origin["bars"]), len(origin["grid"])} == {64}
    assert manifest["files"].keys() == files(whole).keys()
    for path, content in files(whole).items():
        entry = manifest["files"][path]
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["key"] == key
        assert entry["columns"] == catalog.catalog_hash(catalog.tables(FEATURES)[entry["table"]])
        assert pq.read_metadata(whole / path).num_rows == entry["rows"]


def test_the_catalog_lies_beside_the_files(whole: Path) -> None:
    rows = json.loads((whole / "catalog.json").read_text())
    assert [row["name"] for row in rows] == [feature.name for feature in FEATURES]
    listed = {"name", "alias", "table", "unit", "lookback", "laggable", "identity"}
    assert set(rows[0]) == listed


def test_what_is_complete_is_not_made_again(folder: Path, whole: Path) -> None:
    before = stamps(whole)
    assert build(folder, whole, FEATURES) == 0
    assert stamps(whole) == before


def test_a_damaged_or_missing_file_is_made_again(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path, FEATURES, ["eurusd"])
    good, before = files(tmp_path), stamps(tmp_path)
    first, second = list(good)[:2]
    (tmp_path / first).write_bytes(b"PAR1" + good[first][4:-1] + b"!")
    (tmp_path / second).unlink()
    assert build(folder, tmp_path, FEATURES, ["eurusd"]) == 2
    assert files(tmp_path) == good
    assert {name for name, at in stamps(tmp_path).items() if at != before[name]} == {first, second}


def test_other_bars_code_catalog_or_range_make_it_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, bars = FEATURES[:4], tmp_path / "bars"
    bars.mkdir()
    for path in folder.iterdir():
        (bars / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    everything = 3 * len(MONTHS) * len(catalog.tables(some))
    assert build(bars, out, some) == everything
    assert build(bars, out, some, since=pd.Timestamp("2024-03-01", tz="UTC")) == everything // 2
    assert {path.split("/")[2] for path in files(out)} == {"2024-03.parquet"}
    assert build(bars, out, some) == everything
    # Other columns, or a column that is computed otherwise, make the files of their table again.
    assert 0 < build(bars, out, FEATURES[:5]) < everything
    build(bars, out, some)
    real = Feature.identity.func
    with monkeypatch.context() as patch:
        changed = property(lambda f: real(f) + "x" * (f is some[0]))
        patch.setattr(Feature, "identity", changed)
        assert build(bars, out, some) == 3 * len(MONTHS)
    assert build(bars, out, some) == 3 * len(MONTHS)
    with monkeypatch.context() as patch:
        patch.setattr(building, "code_hash", lambda *_: "other readers")
        assert build(bars, out, some) == everything
    assert build(bars, out, some) == everything
    frame = pd.read_parquet(bars / "gbpusd.parquet")
    frame.iloc[:-1].to_parquet(bars / "gbpusd.parquet")
    assert build(bars, out, some) == everything  # the panel holds gbpusd
    assert build(bars, out, some) == 0


def test_tables_that_the_catalog_lost_are_removed(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path, FEATURES, ["eurusd", "gbpusd"])
    mine = tmp_path / "crossed" / "eurusd" / "notes.txt"
    mine.write_text("not of the build")
    assert build(folder, tmp_path, FEATURES[:-1], ["eurusd"]) == 0
    assert {p.name for p in mine.parent.iterdir()} == {"notes.txt"}
    assert len(list((tmp_path / "crossed" / "gbpusd").iterdir())) == len(MONTHS)


@pytest.mark.parametrize(
    ("since", "until"),
    [("2024-02-29 13:37", None), (None, "2024-02-26 00:00"), ("2024-02-28", "2024-03-01 00:01")],
)
def test_a_range_holds_the_rows_of_the_whole(
    since: str | None, until: str | None, folder: Path, whole: Path, tmp_path: Path
) -> None:
    times = [None if t is None else pd.Timestamp(t, tz="UTC") for t in (since, until)]
    build(folder, tmp_path, FEATURES, ["eurgbp"], *times)
    for name in TABLES:
        frame, full = read(tmp_path, name, "eurgbp"), read(whole, name, "eurgbp")
        if times[0] is not None:
            full = full[full["ts_utc"] >= times[0]]
        if times[1] is not None:
            full = full[full["ts_utc"] < times[1]]
        pd.testing.assert_frame_equal(frame, full.reset_index(drop=True), check_exact=True)


@pytest.mark.parametrize("backend", get_args(Backend))
def test_two_workers_write_the_same_bytes(backend: Backend, folder: Path, tmp_path: Path) -> None:
    some = FEATURES[:-1:8]
    made = 6 * len(catalog.tables(some))
    assert build(folder, tmp_path / "one", some) == made
    assert build(folder, tmp_path / "two", some, workers=2, backend=backend) == made
    assert files(tmp_path / "two") == files(tmp_path / "one")


def test_workers_share_a_month_only_where_months_do_not_go_round(
    grids: dict[str, Bars],
) -> None:
    months = building.months_of(grids["eurusd"])
    absent = {pair: [f"reg/{pair}/{month}.parquet" for month in months] for pair in grids}
    absent["gbpusd"].pop()
    pairs = [pair for pair in grids if pair != "gbpusd"]
    by_month = [[f"{p} 2024-02" for p in grids], [f"{p} 2024-03" for p in pairs]]
    for workers in (1, 2):
        assert [list(group) for group in pair_months.groups(months, absent, workers)] == by_month
    parts = [list(group) for group in pair_months.groups(months, absent, 4)]
    assert parts == [by_month[0][::2], by_month[0][1::2], by_month[1][:1], by_month[1][1:]]
    assert all(len(group) == 1 for group in pair_months.groups(months, absent, 16))


def test_what_fails_leaves_no_half_file(
    folder: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = Plan.__call__
    calls = []

    def fail(self: Plan, bars: Bars, *given, **more):
        calls.append(bars.pair)
        if bars.pair == "gbpusd" and calls.count("gbpusd") > len(TABLES) + 1:
            raise ValueError("planted")
        return computed(self, bars, *given, **more)

    monkeypatch.setattr(Plan, "__call__", fail)
    told = "1 of 6 months of pairs failed: gbpusd 2024-03: ValueError planted"
    with pytest.raises(BqxError, match=told):
        build(folder, tmp_path, FEATURES)
    listed = set(json.loads((tmp_path / "manifest.json").read_text())["files"])
    finished = set(files(tmp_path))
    assert listed < finished
    assert {path.split("/", 1)[1] for path in finished - listed} == {"gbpusd/2024-03.parquet"}
    monkeypatch.undo()
    # What the month had finished counts.
    assert build(folder, tmp_path, FEATURES) == len(TABLES) - 1
    assert files(tmp_path) == files(whole)


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_what_pairs_share_is_made_once_a_month(
    backend: Backend, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def shared(bars: Bars) -> np.ndarray:
        def make() -> np.ndarray:
            made.append(len(bars))
            return peers(bars)

        assert bars.panel is not None
        return np.asarray(bars.panel.derived("peers of the test", make))

    source = Source("sharers", "cross", "1", 1, shared)
    family = Family("planted", "crossed", mean, {"": Output("1")}, ((40,),), (source,), "of peers")
    (feature,) = family.features()
    assert build(folder, tmp_path, [feature], backend=backend) == 6
    months = bar_frames.align(readers.read_folder(folder))["eurusd"].ts.strftime("%Y-%m")
    first, second = (int((months == month).sum()) for month in MONTHS)
    # Of the month before, the rows that a value looks back on.
    assert made == [first, second + feature.lookback - 1]


def test_leavings_of_a_killed_build_are_swept(folder: Path, tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    name = next(iter(TABLES))
    (tmp_path / name / "eurusd").mkdir(parents=True)
    dead = tmp_path / name / "eurusd" / f".2024-02.parquet.{done.pid}.tmp"
    alive = tmp_path / name / "eurusd" / f".2024-02.parquet.{os.getppid()}.tmp"
    dead.touch()
    alive.touch()
    build(folder, tmp_path, FEATURES[:2], ["eurusd"])
    assert not dead.exists()
    assert alive.exists()


def test_fitted_features_belong_to_a_fold_and_are_left_out(folder: Path, tmp_path: Path) -> None:
    assert build(folder, tmp_path, [*FEATURES[:2], *FITTED], ["eurusd"]) == len(MONTHS)
    rows = json.loads((tmp_path / "catalog.json").read_text())
    assert [row["name"] for row in rows] == [feature.name for feature in FEATURES[:2]]


def test_what_cannot_be_built_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="--pairs: no bars, got 'audusd'; expected some of"):
        build(folder, tmp_path, FEATURES, ["audusd"])
    late = pd.Timestamp("2025-01-01", tz="UTC")
    with pytest.raises(ParameterError, match="build: no rows, got from 2025"):
        build(folder, tmp_path, FEATURES, since=late)
    with pytest.raises(BqxError, match="no bar files, got no such path"):
        build(folder / "none", tmp_path, FEATURES)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ArtefactError, match="cannot be read"):
        build(folder, tmp_path, FEATURES)


@pytest.mark.parametrize(
    ("path", "table", "month"),
    [
        ("../precious.parquet", FEATURES[0].table, "2024-01"),
        ("../store/eurusd/../../precious.parquet", "../store", "../../precious"),
        ("no entry", None, None),
    ],
)
def test_a_manifest_that_names_files_outside_is_refused(
    path: str, table: str | None, month: str | None, folder: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "precious.parquet"
    precious.write_text("mine")
    entry = {"table": table, "pair": "eurusd", "month": month, "key": ""}
    (tmp_path / "store/eurusd").mkdir(parents=True)
    write_json(tmp_path / "store/manifest.json", sealed({"builds": {}, "files": {path: entry}}))
    with pytest.raises(ArtefactError, match=f"not a manifest, got a file '{path}'; expected"):
        build(folder, tmp_path / "store", FEATURES[:1], ["eurusd"])
    assert precious.read_text() == "mine"


def test_command_builds_and_goes_on(folder: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    some = catalog.FAMILIES[0].features()
    monkeypatch.setattr(catalog, "profile", lambda name: some)
    tables = {feature.table for feature in some}
    arguments = ["build", "--bars", str(folder), "--out", str(tmp_path / "out"), "--pairs",
                 "EURUSD,eurgbp", "--from", "2024-02-27", "--to", "2024-02-28T12:00",
                 "--workers", "1", "--backend", "threads"]  # fmt: skip
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.endswith(f"out: {2 * len(tables)} files made\n")
    frame = read(tmp_path / "out", min(tables), "eurgbp")
    ends = [str(frame["ts_utc"].iloc[i]) for i in (0, -1)]
    assert ends == ["2024-02-27 00:00:00+00:00", "2024-02-28 11:59:00+00:00"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.endswith("out: complete\n")
    assert cli.main([*arguments, "--from", "soon"]) == 2
    assert "--from: no time, got 'soon'" in capsys.readouterr().err
