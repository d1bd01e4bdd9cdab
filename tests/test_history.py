"""Columns read from a store are the computed ones, bit for bit, and no other store's are read."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bqx.errors import ArtefactError
from bqx.feature_store.build import build
from bqx.feature_store.history import History
from bqx.feature_store.store import Store
from bqx.features import catalog, lags
from bqx.features.engine.fitting import fit
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.market import bars as bar_frames
from bqx.market import readers, simulated
from bqx.market.bars import Bars
from bqx.params import Params
from bqx.runs.run import Run
from bqx.stages import bars as bar_stage
from bqx.stages import features as feature_stage

PAIR = "eurusd"
LAGS = (1, 60, 1_500)
FEATURES = tuple({(id(f.family), f.source.key): f for f in reversed(catalog.profile())}.values())
"""The first feature of every family on every source."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pairs from one month into the next, with a hole in the pair on either side."""
    path = tmp_path_factory.mktemp("bars")
    frames = simulated.simulate("null", start="2024-01-28", days=6, seed=3).frames
    for pair, whole in frames.items():
        frame = bar_frames.validate(whole, pair)
        if pair == PAIR:
            keep = np.ones(len(frame), dtype=bool)
            keep[2_500:2_540] = keep[5_000:5_017] = False
            frame = frame[keep]
        frame.reset_index().to_parquet(path / f"{pair}.parquet")
    return path


@pytest.fixture(scope="module")
def bars(folder: Path) -> Bars:
    return bar_frames.align(readers.read_folder(folder))[PAIR]


@pytest.fixture(scope="module")
def place(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("store")
    build(folder, out, FEATURES, [PAIR])
    return out


def edges(bars: Bars) -> np.ndarray:
    """Rows about the first, the edge of the months, the holes and the last, and some between."""
    month = bars.ts.month.to_numpy()
    turns = np.flatnonzero(month[1:] != month[:-1]) + 1
    holes = np.flatnonzero(np.isnan(bars.close))
    assert len(turns) == 1
    assert len(holes) == 57
    near = [row + step for row in (0, *turns, *holes, len(bars)) for step in (-61, -60, -1, 0, 1)]
    rows = np.unique(np.concatenate((near, np.arange(0, len(bars), 37))))
    return rows[(rows >= 0) & (rows < len(bars))]


def test_columns_of_every_family_are_the_computed_ones(bars: Bars, place: Path) -> None:
    columns = lags.grid(FEATURES, LAGS)
    fits = fit(bars, FEATURES, np.arange(2_000))
    rows = edges(bars)
    read = History(bars, str(place)).matrix(columns, rows, fits)
    computed = History(bars).matrix(columns, rows, fits)
    assert read.dtype == computed.dtype == np.float32
    assert read.flags.c_contiguous
    # A NaN has many bit patterns; what is published has one of them.
    computed[np.isnan(computed)] = np.nan
    np.testing.assert_array_equal(read.view(np.uint32), computed.view(np.uint32))
    assert np.isfinite(read).any(axis=0).mean() > 0.5


def test_parts_that_overlap_are_read_as_each_alone(bars: Bars, place: Path) -> None:
    columns = lags.grid(FEATURES[:20], LAGS)
    fits, rows = fit(bars, FEATURES, np.arange(2_000)), edges(bars)
    parts = [rows[:90], rows[60:200:3], rows[:0], rows[150:]]
    for history in (History(bars, str(place)), History(bars)):
        made = history.matrices(columns, parts, fits)
        for values, part in zip(made, parts, strict=True):
            np.testing.assert_array_equal(values, history.matrix(columns, part, fits))


def test_only_what_the_store_lacks_is_computed(
    folder: Path, bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, lacking = catalog.tables(catalog.profile())["time"], catalog.profile("core")[:4]
    fitted = next(feature for feature in catalog.profile() if feature.fit_key)
    build(folder, tmp_path, stored, [PAIR])
    features = (*stored, fitted, *lacking)
    fits = fit(bars, features, np.arange(2_000))
    computed: list[tuple[str, ...]] = []
    real = lags.compute

    def heard(part, some, **rest):  # type: ignore[no-untyped-def]
        computed.append(tuple(feature.name for feature in some))
        return real(part, some, **rest)

    monkeypatch.setattr(lags, "compute", heard)
    columns, rows = lags.grid(features, (60,)), np.arange(0, len(bars), 11)
    read = History(bars, str(tmp_path)).matrix(columns, rows, fits)
    assert set(computed) == {tuple(f.name for f in (fitted, *lacking))}
    np.testing.assert_array_equal(read, lags.matrix(bars, columns, rows, fits))


def test_no_rows_and_no_columns_give_no_values(bars: Bars, place: Path) -> None:
    history, none = History(bars, str(place)), np.array([], dtype=np.int64)
    columns = lags.grid(FEATURES[-3:])
    assert history.matrix(columns, none).shape == (0, len(columns))
    assert history.matrix((), np.arange(5)).shape == (5, 0)


def test_a_store_of_other_rows_is_refused(bars: Bars, place: Path) -> None:
    columns = [Column(FEATURES[-1])]
    for other in (bars.rows(0, len(bars) - 1), bars.rows(1, len(bars))):
        with pytest.raises(ArtefactError, match="eurusd has other rows than the bars, got .* exp"):
            History(other, str(place)).matrix(columns, np.arange(3))


def test_a_damaged_store_is_refused(bars: Bars, place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    feature = next(f for f in FEATURES if not f.fit_key)
    file = tmp_path / Store(tmp_path).parts(feature.table, PAIR)[0].path
    content = bytearray(file.read_bytes())
    content[4:-3_000] = bytes(len(content) - 3_004)
    file.write_bytes(content)
    with pytest.raises(ArtefactError, match="cannot be used, got damaged content"):
        History(bars, str(tmp_path)).matrix([Column(feature)], np.arange(9))


# What a run has


def given(folder: Path, **changes: object) -> Params:
    small = {"market": "null", "pairs": (PAIR, "gbpusd"), "days": 8, "workers": 1}
    return Params.model_validate({"out": str(folder)} | small | changes)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose bars are there and whose features are published."""
    params = given(tmp_path_factory.mktemp("run"))
    bar_stage.build(params)
    feature_stage.build(params)
    return Run.open(params.folder, params)


def place_of(run: Run) -> str:
    found = feature_stage.histories(run, bar_stage.load(run).bars)
    places = {history.place for history in found.values()}
    assert list(found) == [PAIR, "gbpusd"]
    assert len(places) == 1
    return places.pop()


def copied(run: Run, folder: Path, **changes: object) -> Run:
    shutil.copytree(run.folder, folder, dirs_exist_ok=True)
    return Run.open(folder, given(folder, **changes))


def test_a_run_reads_what_it_has_published(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place_of(run) == str(run.folder / "features")
    bars = bar_stage.load(run).bars
    history = feature_stage.histories(run, bars)["gbpusd"]
    columns, rows = lags.grid(catalog.profile("core"), (60,)), np.arange(5, len(bars[PAIR]), 7)
    computed = lags.matrix(bars["gbpusd"], columns, rows)
    monkeypatch.delattr(lags, "compute")
    np.testing.assert_array_equal(history.matrix(columns, rows), computed)


def test_a_wider_profile_than_was_published_is_read_and_computed(run: Run) -> None:
    bars = bar_stage.load(run).bars
    history = feature_stage.histories(run, bars)[PAIR]
    columns = [Column(f) for f in (*catalog.profile("core")[:3], *catalog.profile("v1")[-3:])]
    stored = [Store(history.place).has(column.feature) for column in columns]
    assert any(stored)
    assert not all(stored)
    rows = np.arange(4_000, 4_500)
    np.testing.assert_array_equal(
        history.matrix(columns, rows), lags.matrix(bars[PAIR], columns, rows)
    )


def test_a_run_without_published_features_computes(run: Run, tmp_path: Path) -> None:
    params = given(tmp_path)
    bar_stage.build(params)
    assert place_of(Run.open(tmp_path, params)) == ""


@pytest.mark.parametrize("change", [{"seed": 5}, {"market": "planted"}, {"baseline": "2024-01-09"}])
def test_features_of_other_bars_are_not_read(run: Run, tmp_path: Path, change: dict) -> None:
    stale = copied(run, tmp_path, **change)
    bar_stage.build(stale.params)
    assert place_of(stale) == ""
    # The same bars once more are those that the features are of.
    again = copied(run, tmp_path)
    bar_stage.build(again.params)
    assert place_of(again) == str(again.folder / "features")


def test_features_of_other_code_are_computed_and_the_others_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = bar_stage.load(run).bars
    changed, same = catalog.profile("core")[:2]
    real = Feature.identity.func
    other = property(lambda f: real(f) + "x" * (f.name == changed.name))
    monkeypatch.setattr(Feature, "identity", other)
    computed = []
    compute = lags.fill
    monkeypatch.setattr(lags, "fill", lambda *a: (computed.extend(a[1]), compute(*a)))
    history = feature_stage.histories(run, bars)[PAIR]
    rows = np.arange(4_000, 4_100)
    history.matrix([Column(changed), Column(same)], rows)
    assert [column.feature for _, column in computed] == [changed]


def test_a_publication_that_was_stopped_is_not_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = copied(run, tmp_path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(feature_stage, "_write", stop)
        with pytest.raises(KeyboardInterrupt):
            feature_stage.build(stopped.params)
    assert place_of(stopped) == ""


def test_a_manifest_that_was_changed_is_refused(run: Run, tmp_path: Path) -> None:
    damaged = copied(run, tmp_path)
    path = tmp_path / "features" / "manifest.json"
    path.write_text(path.read_text().replace("2024-01", "2024-02"))
    with pytest.raises(ArtefactError, match="features/manifest.json: damaged.*Run 02_features"):
        place_of(damaged)
