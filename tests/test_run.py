import json
import os
import signal
import stat
import subprocess
import sys
import time
from itertools import count

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bqx import files
from bqx.errors import ArtefactError
from bqx.params import Params
from bqx.runs import run as store
from bqx.runs.artefacts import MAKERS
from bqx.runs.run import Run


@pytest.fixture
def run(tmp_path):
    return Run.open(tmp_path / "run", Params(seed=1))


def frame(rows: int = 500, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ts = pd.date_range("2024-01-07 22:00", periods=rows, freq="min", tz="UTC", name="ts_utc")
    values = rng.normal(size=(rows, 2)).astype(np.float32)
    values[3, 0] = np.nan
    out = pd.DataFrame(values, index=ts.as_unit("ns"), columns=["a", "b"])
    return out.assign(close=rng.normal(size=rows), filled=rng.random(rows) < 0.5)


def test_json_is_canonical(tmp_path):
    path = tmp_path / "deep" / "x.json"
    value = {"b": np.float32(0.5), "a": [np.nan, np.int64(3), True, None], "c": np.arange(2)}
    store.write_json(path, value)
    assert store.read_json(path) == {"a": [None, 3, True, None], "b": 0.5, "c": [0, 1]}
    assert list(json.loads(path.read_text())) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write_json(path, {"x": float("inf")})
    assert store.read_json(path)["b"] == 0.5
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_parquet_keeps_values_types_and_index(tmp_path):
    path = tmp_path / "x.parquet"
    store.write_parquet(path, frame())
    pd.testing.assert_frame_equal(store.read_parquet(path), frame(), check_freq=False)
    pd.testing.assert_frame_equal(store.read_parquet(path, ["b"]), frame()[["b"]], check_freq=False)
    table = pa.table({"day": [1, 2], "name": ["x", "y"]})
    store.write_parquet(path, table)
    assert store.read_parquet(path).to_dict("list") == {"day": [1, 2], "name": ["x", "y"]}


def test_same_values_same_bytes_and_compact(tmp_path):
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    rates = frame(20_000)[["close"]].cumsum().mul(1e-5).add(1.1).round(5)
    smooth = rates.rolling(60).mean().astype(np.float32).rename(columns={"close": "mean"})
    walk = rates.join(smooth)
    store.write_parquet(one, walk)
    store.write_parquet(two, walk.copy())
    assert one.read_bytes() == two.read_bytes()
    assert store.sha256(one) == store.sha256(two)
    assert one.stat().st_size < walk.memory_usage().sum() * 0.7


def test_unreadable_files_are_artefact_errors(tmp_path):
    with pytest.raises(ArtefactError, match=r"x\.json: is absent"):
        store.read_json(tmp_path / "x.json")
    with pytest.raises(ArtefactError, match=r"x\.parquet: is absent"):
        store.read_parquet(tmp_path / "x.parquet")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(ArtefactError, match=r"bad\.json: cannot be read"):
        store.read_json(tmp_path / "bad.json")
    with pytest.raises(ArtefactError, match=r"bad\.parquet: cannot be read"):
        store.read_parquet(tmp_path / "bad.parquet")
    store.write_parquet(tmp_path / "good.parquet", frame())
    with pytest.raises(ArtefactError, match=r"column 'z' is missing"):
        store.read_parquet(tmp_path / "good.parquet", ["a", "z"])


def failing_write(path):
    with store.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")


def test_a_link_stays_one_and_a_pipe_is_not_replaced(tmp_path):
    file, link, pipe = tmp_path / "file.json", tmp_path / "elsewhere" / "link.json", tmp_path / "p"
    link.parent.mkdir()
    link.symlink_to(file)
    for content in (1, 2):
        files.write_json(link, content)
        assert link.is_symlink()
        assert files.read_json(file) == content
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a device or a pipe"):
        files.write_json(pipe, 1)
    assert pipe.is_fifo()
    assert sorted(p.name for p in tmp_path.rglob("*")) == [
        "elsewhere",
        "file.json",
        "link.json",
        "p",
    ]


def test_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError, match="stop"):
        failing_write(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def bars_stage(run, value=1.0, keys=("seed",)):
    with run.stage("01_bars", keys) as stage:
        stage.write_json("bars/dataset.json", {"value": value})
        stage.write_parquet("bars/eurusd.parquet", frame())
        stage.note(data_hash="d" * 64)


def features_stage(run, catalog="c" * 64):
    with run.stage("02_features", ["workers", "out"], ["bars"]) as stage:
        stage.write_json("features/x.json", 1)
        stage.note(catalog_hash=catalog)


def test_stage_records_outputs_inputs_params_and_cost(run, monkeypatch):
    monkeypatch.setattr(time, "perf_counter", count(10.0, 2.5).__next__)
    bars_stage(run)
    features_stage(run)
    entry = run.stages["02_features"]
    assert entry["inputs"] == run.stages["01_bars"]["outputs"]
    assert set(entry["inputs"]) == {"bars/dataset.json", "bars/eurusd.parquet"}
    assert entry["outputs"]["features/x.json"] == store.sha256(run.folder / "features/x.json")
    assert entry["params"] == {}
    assert run.stages["01_bars"]["params"] == {"seed": 1}
    assert entry["seconds"] == 2.5
    assert entry["peak_mb"] > 10
    manifest = run.manifest
    assert manifest["data_hash"] == "d" * 64
    assert manifest["catalog_hash"] == "c" * 64
    assert len(entry["code"]) == 64
    assert not list(run.folder.rglob("*.tmp"))
    assert not list((run.folder / ".stages").iterdir())


def test_same_run_same_hashes(tmp_path):
    runs = [Run.open(tmp_path / name, Params(seed=1, out=name)) for name in "ab"]
    for run in runs:
        bars_stage(run)
        features_stage(run)
    assert runs[0].outputs == runs[1].outputs
    keys = [[entry["key"] for entry in run.stages.values()] for run in runs]
    assert keys[0] == keys[1]


def test_need_checks_presence_hash_freshness_and_catalog(run):
    with pytest.raises(ArtefactError, match=r"run/bars: absent.*Run 01_bars again"):
        run.need("bars")
    bars_stage(run)
    features_stage(run)
    assert run.need("bars/eurusd.parquet").is_file()
    assert run.need("bars").is_dir()
    assert run.need("features", catalog_hash="c" * 64).is_dir()
    with pytest.raises(ArtefactError, match="made with another catalog, got cccc.*02_features"):
        run.need("features/x.json", catalog_hash="e" * 64)
    with pytest.raises(ArtefactError, match=r"bars/gbpusd.parquet: absent.*01_bars"):
        run.need("bars/gbpusd.parquet")
    with pytest.raises(ArtefactError, match="bar: absent"):
        run.need("bar")
    (run.folder / "features/x.json").write_text("2\n")
    with pytest.raises(ArtefactError, match=r"features/x.json: damaged.*Run 02_features again"):
        run.need("features")
    (run.folder / "features/x.json").unlink()
    with pytest.raises(ArtefactError, match=r"features/x.json: absent"):
        run.need("features")


def test_artefact_of_an_earlier_input_is_stale(run):
    bars_stage(run)
    features_stage(run)
    with run.stage("04_lagging", [], ["features"]) as stage:
        stage.write_json("columns.json", [60])
    bars_stage(run, value=1.0)
    assert run.need("columns.json")
    bars_stage(run, value=2.0)
    for name in ("features", "columns.json"):
        with pytest.raises(
            ArtefactError, match=rf"run/{name}: stale, .*bars/dataset.json.*02_feat"
        ):
            run.need(name)


def broken_stage(run):
    with run.stage("01_bars", ["seed"]) as stage:
        stage.write_json("bars/dataset.json", {"value": 3})
        raise RuntimeError("stop")


def test_failed_stage_leaves_no_entry(run):
    bars_stage(run)
    with pytest.raises(RuntimeError, match="stop"):
        broken_stage(run)
    assert "01_bars" not in run.stages
    with pytest.raises(ArtefactError, match="absent"):
        run.need("bars/dataset.json")


def test_next_attempt_keeps_finished_artefacts_of_the_same_inputs_only(run):
    with pytest.raises(RuntimeError, match="stop"):
        broken_stage(run)
    with run.stage("01_bars", ["seed"]) as stage:
        assert stage.done("bars/dataset.json")
        assert stage.done("bars")
        assert not stage.done("bars/eurusd.parquet")
    assert set(run.stages["01_bars"]["outputs"]) == {"bars/dataset.json"}
    with pytest.raises(RuntimeError, match="stop"):
        broken_stage(run)
    (run.folder / "bars/dataset.json").write_text("damaged")
    with run.stage("01_bars", ["seed"]) as stage:
        assert not stage.done("bars/dataset.json")
        stage.write_json("bars/dataset.json", 1)
    with pytest.raises(RuntimeError, match="stop"):
        broken_stage(run)
    other = Run.open(run.folder, Params(seed=2))
    with other.stage("01_bars", ["seed"]) as stage:
        assert not stage.done("bars/dataset.json")
        stage.write_json("bars/dataset.json", 1)


def test_artefacts_that_are_no_longer_made_go(run):
    bars_stage(run)
    with run.stage("01_bars", ["seed"]) as stage:
        stage.write_json("bars/dataset.json", 1)
    assert not (run.folder / "bars/eurusd.parquet").exists()
    with pytest.raises(RuntimeError, match="stop"):
        broken_stage(run)
    with run.stage("01_bars", ["seed"]) as stage:
        stage.write_json("bars/other.json", 1)
    assert [p.name for p in (run.folder / "bars").iterdir()] == ["other.json"]


def test_folders_and_files_from_elsewhere(run, tmp_path):
    outside = tmp_path / "feed"
    outside.mkdir()
    (outside / "eurusd.csv").write_text("1")
    with run.stage("01_bars", [], [outside]) as stage:
        (stage.path("bundles/eurusd/model.ubj")).write_bytes(b"1")
        (stage.path("bundles/eurusd/bundle.json")).write_bytes(b"2")
        stage.add("bundles/eurusd")
    entry = run.stages["01_bars"]
    assert list(entry["inputs"]) == [str(outside / "eurusd.csv")]
    assert set(entry["outputs"]) == {"bundles/eurusd/model.ubj", "bundles/eurusd/bundle.json"}
    assert run.need("bundles").is_dir()


def test_the_copy_of_a_folder_that_may_only_be_read_may_be_written(tmp_path):
    source, target = tmp_path / "source", tmp_path / "a" / "copy"
    (source / "below" / "empty").mkdir(parents=True)
    (source / "below" / "file").write_bytes(b"1")
    for path in (source / "below" / "file", source / "below" / "empty", source / "below", source):
        path.chmod(0o555 if path.is_dir() else 0o444)
    files.copy_folder(source, target)
    files.copy_folder(source, target)
    for path in (target, *target.rglob("*")):
        assert path.stat().st_mode & stat.S_IWUSR
    assert (target / "below" / "file").read_bytes() == b"1"
    assert (target / "below" / "empty").is_dir()
    (source / "below").chmod(0o755)
    source.chmod(0o755)


def test_notebook_is_complete_while_all_it_made_is_intact(run):
    bars_stage(run)
    store.write_json(run.folder / "notebooks/01_bars.ipynb", {})
    run.record("01_bars", "k", "notebooks/01_bars.ipynb", 1.234)
    assert run.manifest["notebooks"]["01_bars"]["seconds"] == 1.23
    assert run.complete("01_bars", "k")
    assert not run.complete("01_bars", "other")
    assert not run.complete("02_features", "k")
    (run.folder / "notebooks/01_bars.ipynb").unlink()
    assert not run.complete("01_bars", "k")
    store.write_json(run.folder / "notebooks/01_bars.ipynb", {})
    assert run.complete("01_bars", "k")
    bars_stage(run, value=2.0)
    assert not run.complete("01_bars", "k")


KILLED = """
import sys, time
from pathlib import Path
from bqx.params import Params
from bqx.runs.run import Run
run = Run.open(Path(sys.argv[1]), Params(seed=1))
with run.stage("01_bars", ["seed"]) as stage:
    stage.write_json("bars/one.json", 1)
    print("one", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_manifest_that_names_files_outside_is_refused(run, is_absolute):
    precious = run.folder.parent / "precious"
    precious.write_text("mine")
    path = str(precious) if is_absolute else "bars/../../precious"
    (run.folder / "bars").mkdir()
    run.update(stages={"01_bars": {"key": "", "outputs": {path: "0"}}})
    with (
        pytest.raises(ArtefactError, match="a file outside, got .* of 01_bars; expected"),
        run.stage("01_bars", ["seed"]),
    ):
        pass
    assert precious.read_text() == "mine"


def test_killed_stage_leaves_no_entry_and_its_finished_files_are_kept(run):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(run.folder)], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "one\n"
        os.kill(child.pid, signal.SIGKILL)
    assert run.stages == {}
    start = time.perf_counter()
    with run.stage("01_bars", ["seed"]) as stage:
        assert stage.done("bars/one.json")
    assert time.perf_counter() - start < 10
    assert run.need("bars/one.json")


def test_every_maker_is_a_notebook():
    from bqx.params import NOTEBOOK_KEYS

    assert {maker for maker in MAKERS.values() if maker[0].isdigit()} == set(NOTEBOOK_KEYS)
