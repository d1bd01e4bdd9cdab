"""No file of a store, a model or a run is read as another one: right values, or one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from damage import damage

from bqx import cli
from bqx.errors import ArtefactError
from bqx.feature_store.build import build
from bqx.feature_store.store import Store
from bqx.features import catalog
from bqx.features.lags import Column
from bqx.files import read_json, read_parquet
from bqx.learning.models import load, ubj
from bqx.learning.models.ridge import Ridge
from bqx.market import bars as bar_frames
from bqx.market import simulated
from bqx.params import Params
from bqx.runs.run import Run

FEATURES = tuple(catalog.tables(catalog.profile())["backward_bqx"][:4]) + tuple(
    catalog.tables(catalog.profile())["time"][:3]
)
FEW, MANY = 12, 1_500


@pytest.fixture
def store(tmp_path: Path) -> Path:
    bars = tmp_path / "bars"
    bars.mkdir()
    made = simulated.simulate("null", ["eurusd", "gbpusd"], "2024-02-28", days=4, seed=2)
    for pair, frame in made.frames.items():
        bar_frames.validate(frame, pair).reset_index().to_parquet(bars / f"{pair}.parquet")
    build(bars, tmp_path / "store", FEATURES)
    return tmp_path / "store"


def read_all(place: Path) -> list[pd.DataFrame]:
    store = Store(place)
    columns = [*map(Column, FEATURES), Column(FEATURES[0], 60, "_lag60")]
    return [store.read(pair, columns) for pair in ("eurusd", "gbpusd")]


def equal(found: list[pd.DataFrame], expected: list[pd.DataFrame]) -> bool:
    return all(
        a.index.equals(b.index)
        and list(a.columns) == list(b.columns)
        and np.array_equal(a.to_numpy(), b.to_numpy(), equal_nan=True)
        for a, b in zip(found, expected, strict=True)
    )


def attack_store(store: Path, flips: int) -> None:
    expected = read_all(store)
    cases, _ = damage(store, lambda: read_all(store), lambda v: equal(v, expected), flips=flips)
    assert cases > 10 * flips // 2
    assert equal(read_all(store), expected)


def test_a_damaged_or_exchanged_file_of_a_store_is_never_read(store: Path) -> None:
    attack_store(store, FEW)


@pytest.mark.fuzz
def test_thousands_of_damaged_files_of_a_store_are_never_read(store: Path) -> None:
    attack_store(store, MANY)


def test_verify_finds_every_altered_file(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(store)]) == 0
    assert capsys.readouterr().out == f"{store}: 8 files as they were written\n"
    # A file that hides nothing is no value either: each of these is refused.
    cases, refused = damage(
        store, lambda: cli_line(store, capsys), lambda value: value == "never", flips=3
    )
    assert cases == refused


def cli_line(store: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `bqx verify` prints; ArtefactError with its line where it fails."""
    status = cli.main(["verify", str(store)])
    printed = capsys.readouterr()
    if status == 2:
        raise ArtefactError(printed.err.rstrip("\n"))
    return printed.out


def test_a_file_copied_over_that_of_another_pair_is_named(store: Path) -> None:
    ours, theirs = (store / "time" / pair / "2024-03.parquet" for pair in ("eurusd", "gbpusd"))
    theirs.write_bytes(ours.read_bytes())
    with pytest.raises(ArtefactError) as caught:
        Store(store).read("gbpusd", FEATURES[-1:])
    assert "got the file of time/eurusd/2024-03.parquet; expected its own" in str(caught.value)
    Store(store).read("eurusd", FEATURES[-1:])


def model(folder: Path) -> np.ndarray:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(200, 4)).astype(np.float32), rng.normal(size=(200, 2))
    fitted = Ridge.from_params(Params()).fit(x, y)
    fitted.save(folder)
    return x


def attack_model(folder: Path, flips: int) -> None:
    x = model(folder)
    expected = np.asarray(load(folder).predict(x))
    damage(
        folder,
        lambda: np.asarray(load(folder).predict(x)),
        lambda found: np.array_equal(found, expected),
        flips=flips,
    )


def test_a_damaged_model_is_never_read(tmp_path: Path) -> None:
    attack_model(tmp_path / "model", 40)


@pytest.mark.fuzz
def test_thousands_of_damaged_models_are_never_read(tmp_path: Path) -> None:
    attack_model(tmp_path / "model", MANY)


def attack_run(folder: Path, flips: int) -> None:
    run = Run.open(folder, Params())
    with run.stage("01_bars", ["seed"]) as stage:
        stage.write_json("bars/one.json", {"a": [1.5, None]})
        stage.write_parquet("bars/x.parquet", pd.DataFrame({"a": np.arange(50.0)}))

    def read() -> tuple[object, list[float]]:
        now = Run.open(folder, Params())
        return (
            read_json(now.need("bars/one.json")),
            read_parquet(now.need("bars/x.parquet"))["a"].tolist(),
        )

    expected = read()
    damage(folder, read, lambda found: found == expected, flips=flips)


def test_a_damaged_run_folder_is_never_read(tmp_path: Path) -> None:
    attack_run(tmp_path / "run", 40)


@pytest.mark.fuzz
def test_thousands_of_damaged_run_folders_are_never_read(tmp_path: Path) -> None:
    attack_run(tmp_path / "run", MANY)


@pytest.mark.parametrize(
    "content",
    [
        b"[$Z#l\x7f\xff\xff\xff",
        b"[#l\x00\x00\x00\x09Z",
        b"[[" * 5_000,
        b"S{",
        b"[#SU\x00",
        b"",
        b"{",
    ],
)
def test_crafted_boosters_end_in_one_line(content: bytes) -> None:
    with pytest.raises(ArtefactError, match="no Universal Binary JSON"):
        ubj.loads(content)
