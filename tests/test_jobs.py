"""Training and processing jobs as real processes in the platform's folders."""

import json
import os
import re
import signal
import time

import numpy as np
import pandas as pd
import psutil
import pytest
from platforms import PAIRS, SMALL, bar_files, finish, start, write_json
from postgres import fresh

from bqx.database import loads, schema
from bqx.errors import ParameterError
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.files import read_json
from bqx.learning import bundle, dataset_files, fold_fit, samples, split
from bqx.market import bars
from bqx.params import from_settings
from bqx.serving import __main__ as dispatcher
from bqx.serving import live
from bqx.serving.jobs import metrics, processing, supervised, training
from bqx.serving.jobs.platform import LONGEST, Platform
from bqx.serving.models import bundles

PROCESSED = ("horizons=[15]", "lags=[]")


def laid_out(root, frames_from, hyperparameters):
    write_json(root / "input/config/hyperparameters.json", hyperparameters)
    channel = root / "input/data/bars"
    channel.parent.mkdir(parents=True, exist_ok=True)
    channel.symlink_to(frames_from)
    return root


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market") / "bars"
    return folder, bar_files(folder)


@pytest.fixture(scope="module")
def trained(market, tmp_path_factory):
    root = laid_out(tmp_path_factory.mktemp("train"), market[0], SMALL)
    return root, finish(start(root, "train", TRAINING_JOB_NAME="one"))


def test_a_training_job_leaves_a_bundle_that_answers(trained, market):
    root, (status, _, err) = trained
    assert status == 0, err
    assert not (root / "output/failure").exists()
    loaded = bundles(root / "model")["eurusd"].bundle
    assert (loaded.model.NAME, loaded.model.max_depth) == ("xgboost", 2)
    assert len(loaded.columns) == 8
    answer = live.forecast(loaded, market[1]["eurusd"])
    assert np.isfinite(answer["predictions"]["15"]["level"])
    # Nothing but the bundle is packed.
    assert [path.name for path in (root / "model").iterdir()] == ["eurusd"]


def test_the_platform_reads_the_metrics_by_their_expressions(trained):
    root, (_, out, _) = trained
    mean = read_json(root / "output/data/metrics.json")["mean"]
    assert set(mean) == set(metrics.MEANINGS)
    for definition in metrics.definitions():
        assert len(definition["Regex"]) <= 500
        (value,) = re.findall(definition["Regex"], out)
        assert float(value) == pytest.approx(mean[definition["Name"]], rel=1e-8)
    assert {"r2", "mae", "directional_accuracy", "skill"} <= set(mean)
    assert mean["skill"] < mean["r2"]


def test_a_training_job_reports_its_columns_and_forecasts(trained):
    root, _ = trained
    chosen = read_json(root / "output/data/selected_features.json")
    assert len(chosen["columns"]) == len(chosen["importance"]) == 8
    rows = pd.read_csv(root / "output/data/forecasts.csv")
    assert set(rows["horizon"]) == {15}
    assert rows["forecast"].notna().any()


def test_a_job_that_is_stopped_leaves_a_model_that_answers(market, tmp_path):
    many = SMALL | {"lags": "[60, 120, 180, 240]", "forest_trees": "10000"}
    root = laid_out(tmp_path, market[0], many)
    process = start(root, "train")
    try:
        deadline = time.monotonic() + 60
        while not psutil.Process(process.pid).children() and time.monotonic() < deadline:
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status, _, err = finish(process, 120)
    finally:
        process.kill()
    assert status == 0, err
    assert time.monotonic() - began < 120
    assert "stopped: the last whole model is kept" in err
    loaded = bundles(root / "model")["eurusd"].bundle
    assert loaded.model.NAME == "martingale"
    answer = live.forecast(loaded, market[1]["eurusd"])["predictions"]["15"]
    assert answer["level"] == answer["martingale"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"depht": "3"}, "unknown, got 'depht'"),
        ({"pair": "eurxxx"}, "unknown pair"),
        ({"pair": "usdjpy"}, "no bars of usdjpy"),
        ({"model": "pooled_ridge"}, "learns from all pairs"),
        ({"forest_trees": 8}, "forest_trees is no text"),
    ],
)
def test_what_cannot_be_trained_is_told_in_the_failure_file(market, tmp_path, change, text):
    platform = Platform(laid_out(tmp_path, market[0], SMALL | change))
    with pytest.raises(ParameterError, match=text):
        training.train(platform, tmp_path)


@pytest.mark.platform
def test_a_failed_job_says_so_and_packs_nothing(market, tmp_path):
    root = laid_out(tmp_path, market[0], SMALL | {"ü" * 2_000: "1"})
    status, _, err = finish(start(root, "train"))
    assert status == 1
    assert "Traceback" not in err
    failure = (root / "output/failure").read_text(encoding="utf-8")
    assert failure.startswith("hyperparameters: unknown, got")
    assert len(failure) == LONGEST
    assert not (root / "model").exists()


def test_a_child_that_is_killed_is_told_of(tmp_path, monkeypatch):
    killed = tmp_path / "killed.py"
    killed.write_text("import os; os.kill(os.getpid(), 9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert supervised.run("killed", Platform(tmp_path)) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (
        "SIGKILL; where nobody sent it, it lacked memory"
        in (tmp_path / "output/failure").read_text()
    )


def test_a_name_of_another_variable_wins_over_the_folders(tmp_path, monkeypatch):
    platform = Platform(tmp_path)
    monkeypatch.setenv("SM_HPS", '{"pair": "gbpusd", "_tuning_objective_metric": "x"}')
    monkeypatch.setenv("SM_MODEL_DIR", "/somewhere/else")
    write_json(tmp_path / "input/config/hyperparameters.json", {"pair": "eurusd", "depth": "3"})
    assert platform.hyperparameters() == {"pair": "gbpusd", "depth": "3"}
    assert str(platform.model) == "/somewhere/else"


def processed(root, market, host, hosts, *, distribution="FullyReplicated", pairs=PAIRS):
    config = root / "config"
    write_json(config / "resourceconfig.json", {"current_host": host, "hosts": hosts})
    source = {"InputName": "bars", "S3Input": {"S3DataDistributionType": distribution}}
    write_json(config / "processingjobconfig.json", {"ProcessingInputs": [source]})
    folder = root / "processing/input/bars"
    folder.mkdir(parents=True)
    for pair in pairs:
        os.link(market[0] / f"{pair}.parquet", folder / f"{pair}.parquet")
    return root


@pytest.fixture(scope="module")
def half(market, tmp_path_factory):
    hosts = ["algo-2", "algo-1"]
    root = processed(tmp_path_factory.mktemp("process"), market, "algo-2", hosts)
    return root, finish(start(root, "process", *PROCESSED))


def test_an_instance_writes_its_share_of_the_pairs(half):
    root, (status, _, err) = half
    assert status == 0, err
    out = root / "processing/output"
    assert sorted(path.name for path in out.iterdir()) == ["bars", "gbpusd"]
    # Nothing that another instance writes too: the platform puts all into one folder.
    assert {path.name for path in (out / "bars").iterdir()} == {
        "gbpusd.parquet", "gbpusd_baseline.json",
    }  # fmt: skip
    names = {path.name for path in (out / "gbpusd").iterdir()}
    assert names == {
        *("train.parquet", "val.parquet", "test.parquet", "features_298.parquet"),
        *("feature_metadata.json", "scaler.json", "dataset.json"),
    }
    message = (root / "output/message").read_text(encoding="utf-8")
    assert message.startswith("1 of 2 pairs, ")


def test_a_dataset_holds_what_training_reads(half, market):
    root, _ = half
    folder = root / "processing/output/gbpusd"
    params = from_settings({"horizons": (15,), "lags": (), "scheme": "chronological"})
    ordered = {pair: market[1][pair] for pair in PAIRS}
    own = bars.align(ordered)["gbpusd"]
    columns = lags.candidates_of(params)
    (fold,) = split.make(params, own.minutes, columns).folds
    labels = samples.labels_of(samples.targets_of(own, params))
    fits = samples.fits_of(own, columns, fold)
    learnt = fold_fit.lesson_rows(own, columns, fold, labels, params)
    x = [lags.matrix(own, columns, rows, fits) for rows in learnt]
    lesson = fold_fit.lesson(learnt, x, labels)
    sets = dataset_files.read_sets(str(folder))
    assert sets.columns == tuple(column.name for column in columns)
    assert sets.horizons == (15,)
    for got, rows, x, y in (
        (sets.train, lesson.train, lesson.x, lesson.y),
        (sets.val, lesson.later, lesson.later_x, lesson.later_y),
        (sets.test, fold.test, lags.matrix(own, columns, fold.test, fits), labels[15][fold.test]),
    ):
        assert list(got.ts_utc) == list(own.ts[rows])
        np.testing.assert_array_equal(got.x, x)
        np.testing.assert_array_equal(got.y, y.reshape(-1, 1))
    np.testing.assert_array_equal(sets.train.weight, lesson.weight)
    facts = read_json(folder / "dataset.json")
    assert (facts["pair"], facts["baseline"], facts["folds"]) == ("gbpusd", own.baseline, [0])
    assert read_json(folder / "scaler.json")["columns"] == list(sets.columns)


def test_the_wide_file_holds_every_feature_on_every_row(half, market):
    frame = pd.read_parquet(half[0] / "processing/output/gbpusd/features_298.parquet")
    own = bars.align({pair: market[1][pair] for pair in PAIRS})["gbpusd"]
    assert list(frame["ts_utc"]) == list(own.ts)
    features = [catalog.FEATURES[name] for name in frame.columns[1:]]
    assert len(features) == 298
    rows = np.arange(0, len(own), 101)
    expected = lags.matrix(own, [Column(feature) for feature in features], rows)
    np.testing.assert_array_equal(frame.iloc[rows, 1:].to_numpy(), expected)


def test_bars_that_a_job_hands_on_are_read_back_alike(half, market, tmp_path):
    root, _ = half
    params = from_settings({"pairs": (), "max_fill": 15})
    again = processing.grids_of(root / "processing/output/bars", params)["gbpusd"]
    own = bars.align({pair: market[1][pair] for pair in PAIRS})["gbpusd"]
    start, stop = own.ts.get_indexer([again.ts[0], again.ts[-1]])
    pd.testing.assert_frame_equal(again.frame, own.frame.iloc[start : stop + 1], check_freq=False)
    assert again.baseline == own.baseline


@pytest.mark.platform
def test_rolling_folds_have_a_folder_each(market, tmp_path):
    root = processed(tmp_path, market, "algo-1", ["algo-1"], pairs=("eurusd",))
    rolling = ("scheme=rolling", "train_days=10", "validation_days=3", "test_days=2")
    arguments = (*rolling, "step_days=2", "horizons=[15]", "lags=[]", "target_window=15")
    processing.process(Platform(root), arguments)
    folders = sorted((root / "processing/output/eurusd").glob("fold_*"))
    assert [folder.name for folder in folders] == ["fold_0", "fold_1", "fold_2"]
    for folder in folders:
        sets = dataset_files.read_sets(str(folder.parent), folder.name)
        assert sets.train.ts_utc.max() < sets.val.ts_utc.min() < sets.test.ts_utc.min()


def test_an_instance_to_which_the_platform_gave_no_object_does_nothing(market, tmp_path):
    sharded = "ShardedByS3Key"
    root = processed(tmp_path, market, "a", ["a", "b"], distribution=sharded, pairs=())
    assert processing.process(Platform(root), PROCESSED) == "0 of 0 pairs, 0 rows: none here"


@pytest.mark.platform
def test_bars_come_from_the_database_where_there_is_no_channel(
    market, server, tmp_path, monkeypatch
):
    with fresh(server) as engine:
        schema.create(engine, PAIRS[:1])
        loads.put_bars(engine, {"eurusd": market[1]["eurusd"]})
        address = engine.url.render_as_string(hide_password=False)
        monkeypatch.setenv("BQX_DATABASE_URL", address)
        message = processing.process(Platform(tmp_path), ("pairs=[eurusd]", *PROCESSED))
    assert message.startswith("1 of 1 pairs")
    assert (tmp_path / "processing/output/eurusd/train.parquet").exists()


def test_no_bars_at_all_are_an_error_that_names_the_mend(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BQX_ML_ROOT", str(tmp_path))
    monkeypatch.delenv("BQX_DATABASE_URL", raising=False)
    assert dispatcher.main(["process"]) == 1
    assert "BQX_DATABASE_SECRET" in (tmp_path / "output/message").read_text()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_message_is_utf_8_and_short_whatever_it_says(tmp_path):
    Platform(tmp_path).tell("ü" * 1_000 + "\ud800")
    message = (tmp_path / "output/message").read_bytes()
    assert len(message) <= LONGEST
    assert message.decode() == "ü" * 512


@pytest.mark.parametrize("arguments", [[], ["tune"]])
def test_the_dispatcher_names_its_verbs(arguments, capsys):
    assert dispatcher.main(arguments) == 2
    assert "expected one of train, process, serve, lambda" in capsys.readouterr().err


def test_a_bundle_of_a_job_carries_its_scores(trained):
    told = json.loads((trained[0] / "model/eurusd" / bundle.MANIFEST).read_text())["metrics"]
    assert told["horizons"]["15"]["skill"] is not None
