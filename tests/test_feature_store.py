"""Published features read back: lags across months, nothing that was not asked for, and S3."""

import os
import random
import shutil
import subprocess
import sys
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import RLock

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import killed_fifty_times
from pyarrow import fs
from tqdm import tqdm

from bqx.errors import ArtefactError, BqxError
from bqx.feature_store import manifest
from bqx.feature_store.build import build
from bqx.feature_store.object_store import Folder
from bqx.feature_store.store import Store
from bqx.features import catalog, lags
from bqx.features.engine.compute import compute
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.market import bars as bar_frames
from bqx.market import readers, simulated
from bqx.market.bars import Bars

FEATURES = tuple(
    feature
    for table in ("statistics_return_idx", "backward_bqx", "time")
    for feature in catalog.tables(catalog.profile())[table]
)
MONTHS = ("2024-02", "2024-03", "2024-04")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs over three months; the first and last are days."""
    path = tmp_path_factory.mktemp("bars")
    made = simulated.simulate("null", ["eurusd", "gbpusd"], "2024-02-28", days=36, seed=2)
    for pair, frame in made.frames.items():
        bar_frames.validate(frame, pair).reset_index().to_parquet(path / f"{pair}.parquet")
    return path


@pytest.fixture(scope="module")
def bars(folder: Path) -> Bars:
    return bar_frames.align(readers.read_folder(folder))["eurusd"]


@pytest.fixture(scope="module")
def place(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("store")
    build(folder, out, FEATURES, ["eurusd"])
    return out


def files(place: Path | str) -> dict[str, bytes]:
    """Content of every file of a store that is not hidden, by its path."""
    system, base = fs.FileSystem.from_uri(str(place))
    found = system.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
    paths = [i.path.removeprefix(base + "/") for i in found if i.type == fs.FileType.File]
    return {p: Folder(place).read(p) for p in paths if not p.split("/")[-1].startswith(".")}


COLUMNS = st.lists(
    st.builds(Column, st.sampled_from(FEATURES), st.sampled_from((0, 1, 60, 240, 1_500, 40_000))),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=40)
@given(COLUMNS, st.integers(-2_000, 40_000), st.integers(1, 40_000))
def test_lagged_columns_equal_shifts_of_computed_ones(
    place: Path, bars: Bars, columns: list[Column], start: int, length: int
) -> None:
    first = bars.ts[0] + pd.Timedelta(minutes=start)
    until = first + pd.Timedelta(minutes=length)
    found = Store(place).read("eurusd", columns, first, until)
    rows = np.flatnonzero((bars.ts >= first) & (bars.ts < until))
    features = list(dict.fromkeys(column.feature for column in columns))
    expected = lags.read(compute(bars, features), features, columns, rows)
    assert found.index.equals(bars.ts[rows])
    np.testing.assert_array_equal(found.to_numpy(), expected)


def test_a_whole_table_needs_no_range(place: Path, bars: Bars) -> None:
    found = Store(place).read("eurusd", FEATURES[:3])
    assert found.index.equals(bars.ts)
    assert list(found) == [feature.name for feature in FEATURES[:3]]
    assert (found.dtypes == np.float32).all()
    np.testing.assert_array_equal(found.to_numpy(), compute(bars, FEATURES[:3]))


def spoil(path: Path, kept: set[str]) -> None:
    """Zero the bytes of all columns of a file but some."""
    content = bytearray(path.read_bytes())
    row_group = pq.read_metadata(path).row_group(0)
    for i in range(row_group.num_columns):
        column = row_group.column(i)
        if column.path_in_schema not in kept:
            start, size = column.data_page_offset, column.total_compressed_size
            content[start : start + size] = bytes(size)
    path.write_bytes(content)


def test_only_the_columns_and_months_asked_for_are_touched(
    place: Path, bars: Bars, tmp_path: Path
) -> None:
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    now, then = FEATURES[2], FEATURES[-1]
    columns = [Column(now), Column(then, 60, "_lag60")]
    since = pd.Timestamp("2024-04-01", tz="UTC")
    shutil.rmtree(tmp_path / "backward_bqx")
    (tmp_path / then.table / "eurusd" / "2024-02.parquet").unlink()
    for month in MONTHS[:2]:
        (tmp_path / now.table / "eurusd" / f"{month}.parquet").unlink()
    spoil(tmp_path / now.table / "eurusd" / "2024-04.parquet", {now.name, "ts_utc"})
    for month in MONTHS[1:]:
        spoil(tmp_path / then.table / "eurusd" / f"{month}.parquet", {then.name})
    found = Store(tmp_path).read("eurusd", columns, since)
    rows = np.flatnonzero(bars.ts >= since)
    expected = lags.read(compute(bars, [now, then]), [now, then], columns, rows)
    np.testing.assert_array_equal(found.to_numpy(), expected)
    with pytest.raises(ArtefactError, match=r"2024-04.parquet: cannot be used, got damaged"):
        Store(tmp_path).read("eurusd", [Column(FEATURES[3])], since)


def test_what_belongs_to_another_catalog_or_build_is_told(
    folder: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    store = Store(tmp_path)
    feature = FEATURES[0]
    with pytest.raises(ArtefactError, match="backward_idx/eurusd: cannot be used, got absent"):
        store.read("eurusd", catalog.tables(catalog.profile())["backward_idx"][:1])
    with pytest.raises(ArtefactError, match="got absent; expected a table that was built"):
        store.read("gbpusd", [feature])
    with monkeypatch.context() as patch:
        patch.setattr(Feature, "identity", property(lambda _: "changed"))
        assert not store.has(feature)
        with pytest.raises(ArtefactError, match=f"got {feature.name} computed by other code"):
            store.read("eurusd", [feature])
    other = tmp_path / "other"
    build(folder, other, FEATURES, ["eurusd"], since=pd.Timestamp("2024-03-02", tz="UTC"))
    (path,) = (p for p in store.parts(feature.table, "eurusd") if p.month == "2024-03")
    shutil.copy(other / path.path, tmp_path / path.path)
    with pytest.raises(ArtefactError, match=r"2024-03.parquet: .* got a file of another build"):
        store.read("eurusd", [feature])
    with pytest.raises(ArtefactError, match="no published features, got an empty manifest or none"):
        Store(tmp_path / "nowhere")


def test_origin_names_bars_grid_and_parameters(place: Path) -> None:
    store = Store(place)
    assert store.pairs == ("eurusd",)
    assert store.tables("eurusd") == ("backward_bqx", "statistics_return_idx", "time")
    assert store.origin("eurusd").keys() == {"bars", "grid", "parameters", "months"}


# S3


def test_a_store_in_s3_is_the_local_one(s3: str, folder: Path, place: Path, bars: Bars) -> None:
    made = build(folder, s3, FEATURES, ["eurusd"])
    assert made == 3 * len(MONTHS)
    assert build(folder, s3, FEATURES, ["eurusd"]) == 0
    assert files(s3) == files(place)
    columns = [Column(FEATURES[0], 240), Column(FEATURES[-1])]
    since = pd.Timestamp("2024-04-01", tz="UTC")
    pd.testing.assert_frame_equal(
        Store(s3).read("eurusd", columns, since), Store(place).read("eurusd", columns, since)
    )
    Folder(s3).remove("time/eurusd/2024-03.parquet")
    assert build(folder, s3, FEATURES, ["eurusd"]) == 1
    assert files(s3) == files(place)


def test_a_place_of_another_cloud_is_told_at_once() -> None:
    with pytest.raises(ArtefactError, match=r"gs://x/y: .* expected a local folder or s3://bucket"):
        Folder("gs://x/y")


def test_a_bucket_that_is_not_there_is_told(s3: str, folder: Path) -> None:
    with pytest.raises(ArtefactError, match="s3://no-such-bucket/x/catalog.json: cannot be writ"):
        build(folder, "s3://no-such-bucket/x", FEATURES[:1], ["eurusd"])
    with pytest.raises(ArtefactError, match="no published features"):
        Store("s3://bqx-ml-features/nowhere")


# What goes wrong


SOME = FEATURES[:5] + FEATURES[-2:]


def _build(folder: Path, out: Path) -> None:
    # The lock of progress bars is shared with the parent, and whoever is killed may hold it.
    tqdm.set_lock(RLock())
    build(folder, out, SOME, ["eurusd"])
    os._exit(0)


def test_a_build_killed_fifty_times_leaves_no_half_file(folder: Path, tmp_path: Path) -> None:
    forked, chance = get_context("fork"), random.Random(0)
    begun = time.perf_counter()
    build(folder, tmp_path / "whole", SOME, ["eurusd"])
    length = time.perf_counter() - begun
    whole = files(tmp_path / "whole")
    out = tmp_path / "out"

    def start() -> BaseProcess:
        process = forked.Process(target=_build, args=(folder, out))
        process.start()
        return process

    for _ in killed_fifty_times(start, length):
        here = files(out)
        for path, content in here.items():
            if path != manifest.MANIFEST:
                assert content == whole[path], path
        if chance.random() < 0.2 or len(here) == len(whole):
            shutil.rmtree(out, ignore_errors=True)
    build(folder, out, SOME, ["eurusd"])
    assert files(out) == whole
    assert not list(out.rglob("*.tmp"))


def test_a_leftover_of_no_process_is_swept(tmp_path: Path) -> None:
    (tmp_path / f".{'9' * 20}.{'9' * 20}.tmp").touch()
    (tmp_path / f".here.{os.getpid()}.tmp").touch()
    Folder(tmp_path).sweep()
    assert [path.name for path in tmp_path.iterdir()] == [f".here.{os.getpid()}.tmp"]


NARROW = """
import os, pathlib, sys
from bqx.feature_store.build import build
from bqx.errors import BqxError
from bqx.features import catalog
tables = catalog.tables(catalog.profile())
try:
    build(pathlib.Path(sys.argv[1]), sys.argv[2], tables["backward_bqx"], ["eurusd"])
except BqxError as error:
    print(error)
print(sorted(p.name for p in pathlib.Path(sys.argv[2]).rglob("*.tmp")))
"""


def on_a_disk(options: str, folder: Path, out: Path) -> list[str]:
    """What a build prints whose store lies on a small disk of its own."""
    mount = f'mount -t tmpfs -o {options} small "$1" && shift && exec "$@"'
    command = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(out)]
    if (
        not shutil.which("unshare")
        or subprocess.run([*command, "true"], capture_output=True).returncode
    ):
        pytest.skip("this system lets no user mount a disk of their own")
    environment = {**os.environ, "PYTHONPATH": str(Path(manifest.__file__).parents[1])}
    done = subprocess.run(
        [*command, sys.executable, "-c", NARROW, str(folder), str(out)],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("options", "reason"), [("size=1m", "No space left on device"), ("ro", "Read-only file system")]
)
def test_a_full_disk_and_a_read_only_folder_are_told(
    options: str, reason: str, folder: Path, tmp_path: Path
) -> None:
    message, left = on_a_disk(options, folder, tmp_path)
    assert f"cannot be written, got {reason}; expected a place with room" in message
    assert left == "[]"


def test_a_folder_that_cannot_be_made_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BqxError, match="catalog.json: cannot be written, got "):
        build(folder, tmp_path / "file" / "store", FEATURES[:1], ["eurusd"])
