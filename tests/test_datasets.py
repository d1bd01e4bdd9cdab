"""Datasets read back are the matrices that training used, for every fold, here and in S3."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import sisters
import yaml

from bqx import cli
from bqx.errors import ArtefactError, ParameterError
from bqx.feature_store.history import History
from bqx.feature_store.object_store import Folder
from bqx.features import catalog
from bqx.features.lags import Column
from bqx.files import read_json
from bqx.learning import dataset_files, fold_fit, samples
from bqx.learning.folds import Fold
from bqx.market import simulated
from bqx.market.bars import align, validate
from bqx.market.pairs import SISTERS
from bqx.params import Params, from_settings
from bqx.runs.run import Run
from bqx.stages import datasets, training

PAIRS = ("eurusd", "gbpusd")
SMALL: dict[str, Any] = {
    **{"days": 35, "train_days": 10, "validation_days": 5, "test_days": 5, "step_days": 5},
    **{"profile": "v1", "lags": [60], "selected": 12, "forest_trees": 10, "rounds": 10},
    **{"pairs": list(PAIRS), "models": ["xgboost"], "workers": 1, "backend": "threads"},
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Params:
    return from_settings(SMALL | {"out": str(tmp_path_factory.mktemp("run"))})


@pytest.fixture(scope="module")
def place(given: Params, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Sets of a run that had nothing yet."""
    folder = str(tmp_path_factory.mktemp("sets"))
    assert datasets.write(given, folder) == 2 * 2
    return folder


@pytest.fixture(scope="module")
def taught(given: Params, place: str) -> dict[tuple[str, int], dict[str, Any]]:
    """What training reads, by pair and fold, as it reads it."""
    read: dict[tuple[str, int], dict[str, Any]] = {}
    learn, fit, forecast = fold_fit.learn_fold, fold_fit.fit_models, fold_fit.forecast_fold
    with pytest.MonkeyPatch.context() as patch:
        current: dict[str, Any] = {}

        def learnt(history: Any, columns: Any, fold: Any, **rest: Any) -> Any:
            current.update(key=(history.bars.pair, fold.number))
            return learn(history, columns, fold, **rest)

        def fitted(model: Any, rows: Any) -> Any:
            read[current["key"]] = {"rows": rows}
            return fit(model, rows)

        def forecasts(bars: Any, columns: Any, fold: Any, x: Any, **rest: Any) -> Any:
            own = read[current["key"]]
            own["columns"] = tuple(column.name for column in columns)
            own["ahead"] = x[1]
            own["labels"] = np.column_stack([v[fold.test] for v in rest["labels"].values()])
            own["ts"] = bars.ts
            own["test"] = fold.test
            return forecast(bars, columns, fold, x, **rest)

        patch.setattr("bqx.learning.training.learn_fold", learnt)
        patch.setattr(fold_fit, "fit_models", fitted)
        patch.setattr(fold_fit, "forecast_fold", forecasts)
        training.build(given)
    return read


def same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> None:
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)


def test_sets_of_every_fold_are_the_matrices_that_training_used(
    place: str, taught: dict[tuple[str, int], dict[str, Any]]
) -> None:
    assert set(taught) == {(pair, fold) for pair in PAIRS for fold in range(2)}
    for (pair, fold), own in taught.items():
        sets, rows = dataset_files.read(place, pair, fold), own["rows"]
        assert sets.columns == own["columns"]
        for part, x, y, numbers in (
            (sets.train, rows.x, rows.y, rows.train),
            (sets.val, rows.later_x, rows.later_y, rows.later),
            (sets.test, own["ahead"], own["labels"], own["test"]),
        ):
            same(part.x, x)
            same(part.y, y)
            assert part.ts_utc.equals(own["ts"][numbers].rename("ts_utc"))
        same(sets.train.weight, rows.weight)
        assert sets.train.ts_utc.max() < sets.val.ts_utc.min() < sets.test.ts_utc.min()


def test_the_scaler_is_that_of_the_training_rows_alone(place: str) -> None:
    sets = dataset_files.read(place, "eurusd", 1)
    z = sets.scaler.apply(sets.train.x)
    inside = np.abs(z).max(axis=0) < 4
    weight = sets.train.weight / sets.train.weight.sum()
    np.testing.assert_allclose((weight @ z)[inside], 0, atol=1e-6)
    stored = read_json(Path(place) / "fold_1/eurusd/scaler.json")
    same(np.array(stored["mean"]), sets.scaler.mean)
    assert stored["columns"] == list(sets.columns)


def test_metadata_says_what_each_column_is(place: str) -> None:
    stored = read_json(Path(place) / "fold_0/gbpusd/feature_metadata.json")
    names = pq.read_schema(Path(place) / "fold_0/gbpusd/train.parquet").names
    assert [column["name"] for column in stored["columns"]] == names[1 : 1 + 12]
    assert all(len(column["identity"]) == 64 for column in stored["columns"])
    assert {"table", "unit", "title", "formula", "lag", "lookback"} <= set(stored["columns"][0])


def test_sets_in_s3_are_the_local_ones(s3: str, given: Params, place: str) -> None:
    target = f"{s3}/sets"
    assert datasets.write(given, target) == 4
    files = Folder(place).read_json("dataset.json")["files"]
    assert Folder(target).read_json("dataset.json")["files"] == files
    for pair in PAIRS:
        same(dataset_files.read(target, pair, 1).test.x, dataset_files.read(place, pair, 1).test.x)


def test_the_command_writes_some_pairs(
    given: Params, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "small.yaml"
    settings.write_text(yaml.safe_dump(SMALL | {"out": given.out}))
    to = tmp_path / "sets"
    assert cli.main(["dataset", str(settings), "--to", str(to), "--only", "gbpusd"]) == 0
    assert "2 pairs and folds written" in capsys.readouterr().out
    same(
        dataset_files.read(str(to), "gbpusd", 0).train.x,
        dataset_files.read(place, "gbpusd", 0).train.x,
    )
    with pytest.raises(ArtefactError, match="eurusd/feature_metadata.json: not in dataset.json"):
        dataset_files.read(str(to), "eurusd", 0)
    with pytest.raises(ParameterError, match="pairs: not in the run, got 'audusd'"):
        datasets.write(given, str(to), ["audusd"])


def test_a_damaged_file_is_refused(given: Params, tmp_path: Path) -> None:
    datasets.write(given, str(tmp_path), ["eurusd"])
    path = tmp_path / "fold_0/eurusd/val.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="val.parquet: damaged"):
        dataset_files.read(str(tmp_path), "eurusd", 0)
    assert Run.open(given.folder, given).stages


def test_fitted_features_are_published_with_their_fold(tmp_path: Path) -> None:
    """Hidden states and the lead-lag table, which no store can have."""
    features = [
        feature
        for feature in catalog.profile()
        if feature.fit_key and feature.table.startswith(("hmm_regime", "cross_pair_lead_lag"))
    ]
    assert len(features) >= 19 + 20
    frames = simulated.simulate("planted", PAIRS, "2024-01-07", days=14, seed=1).frames
    bars = align({pair: validate(frame, pair) for pair, frame in frames.items()})
    history, folder = History(bars["eurusd"]), Folder(tmp_path)
    hashes: dict[str, str] = {}
    led: list[dict[str, Any]] = []
    folds = [
        Fold(n, np.arange(0, end - 2_000), rows, rows + 900, rows + 900, end)
        for n, end in enumerate((6_000, 9_000))
        for rows in [np.arange(end - 1_900, end - 1_000)]
    ]
    for fold in folds:
        where = dataset_files.where(fold.number, "eurusd")
        files, leading = dataset_files.write_fitted(folder, history, features, fold, where)
        hashes |= files
        assert leading is not None
        led.append(leading)
    dataset_files.finish(folder, hashes, {}, led)
    assert read_json(tmp_path / "leaders.json") == led
    for row in led:
        assert {row["first"], row["second"]} <= {*SISTERS["eurusd"], None}
    read = [dataset_files.read_fitted(str(tmp_path), "eurusd", n) for n in (0, 1)]
    for fold, (frame, fits) in zip(folds, read, strict=True):
        assert list(frame.columns) == [feature.name for feature in features]
        rows = np.arange(fold.train[0], fold.test[-1] + 1)
        assert frame.index.equals(history.bars.ts[rows].rename("ts_utc"))
        again = samples.fits_of(history.bars, [Column(feature) for feature in features], fold)
        assert fits.to_json() == again.to_json()
        columns = [Column(feature) for feature in features]
        same(frame.to_numpy(), history.matrix(columns, rows, again))
    # What a fold has learnt differs from what the next one has, and so do its values.
    shared = read[0][0].index
    assert not np.array_equal(
        read[0][0].to_numpy(), read[1][0].loc[shared].to_numpy(), equal_nan=True
    )


def test_the_page_of_sisters_is_the_code_s() -> None:
    assert sisters.PAGE.read_text(encoding="utf-8") == sisters.render()
