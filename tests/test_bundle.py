import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from learned import PARAMS, learn

from bqx.errors import ArtefactError, RequestError
from bqx.files import sealed, sha256, write_json
from bqx.learning import bundle, targets


@pytest.fixture(scope="module")
def learned():
    return learn("strong", 1)


@pytest.fixture(scope="module")
def made(learned):
    return bundle.bundle(learned.bars, learned.result.fits[-1], PARAMS, {"skill": {"15": 0.05}})


@pytest.fixture
def folder(made, tmp_path):
    made.save(tmp_path / "eurusd")
    return tmp_path / "eurusd"


def files(folder):
    return {p.relative_to(folder).as_posix(): sha256(p) for p in folder.rglob("*") if p.is_file()}


def test_saved_and_loaded_it_is_the_same(made, folder):
    loaded = bundle.load(folder)
    for name in ("pair", "horizons", "window", "columns", "betas", "baseline", "max_fill"):
        assert getattr(loaded, name) == getattr(made, name)
    assert loaded.metrics == {"skill": {"15": 0.05}}
    assert loaded.trained_until == made.trained_until
    assert files(folder).keys() == {
        "bundle.json", "model/model.json", "model/0.ubj", "model/1.ubj",
    }  # fmt: skip


def test_saving_again_writes_the_same_bytes_and_leaves_nothing_else(made, folder):
    before = files(folder)
    (folder / "stray").write_text("from an older run")
    made.save(folder)
    assert files(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["eurusd"]


def test_it_is_whole_whenever_something_is_removed(made, folder, monkeypatch):
    before, remove, whole = files(folder), shutil.rmtree, []

    def watched(path, **rest):
        remove(path, **rest)
        whole.append(files(folder) == before)

    monkeypatch.setattr(bundle.shutil, "rmtree", watched)
    made.save(folder)
    assert len(whole) > 1
    assert all(whole)


def test_its_forecasts_are_those_of_the_batch(learned, folder):
    loaded = bundle.load(folder)
    fold = learned.folds[-1]
    batch = learned.result.forecasts
    batch = batch[batch["fold"] == fold.number].set_index(["ts_utc", "horizon"])["forecast"]
    rows = np.random.default_rng(0).choice(fold.scored, 8, replace=False)
    moved = 0
    for row in rows.tolist():
        if np.isnan(learned.bars.close[row]):
            continue
        found = loaded.predict(learned.bars.rows(row + 1 - loaded.lookback, row + 1))
        for horizon, prediction in found.items():
            target = targets.make(learned.bars, 15, horizon)
            assert prediction.innovation == batch[learned.bars.ts[row], horizon]
            assert prediction.sigma == target.sigma[row]
            assert prediction.martingale == target.martingale[row]
            expected = target.martingale[row] + target.sigma[row] * prediction.innovation
            assert prediction.level == expected
            moved += prediction.innovation != 0.0
    assert moved > 0


def test_older_bars_do_not_count_and_fewer_are_refused(learned, made):
    stop = int(learned.folds[-1].scored[500])
    exact = made.predict(learned.bars.rows(stop - made.lookback, stop))
    assert made.predict(learned.bars.rows(stop - 9_000, stop)) == exact
    with pytest.raises(RequestError, match=f"expected at least {made.lookback:,} up"):
        made.predict(learned.bars.rows(stop - made.lookback + 1, stop))


def test_the_lookback_covers_columns_and_sigma(made):
    assert made.lookback >= max(column.lookback for column in made.columns)
    assert made.lookback >= targets.RUN_IN + 15 + 1


def test_without_evidence_it_answers_the_martingale(learned, made):
    silent = replace(made, betas={15: 0.0, 45: 0.0})
    for prediction in silent.predict(learned.bars.rows(20_000, 26_000)).values():
        assert prediction.innovation == 0.0
        assert prediction.level == prediction.martingale


def test_a_hole_just_before_is_refused(learned, made):
    part = learned.bars.rows(20_000, 26_000)
    frame = part.frame.copy()
    frame.iloc[-40:-20, :6] = np.nan
    with pytest.raises(RequestError, match="no volatility at"):
        made.predict(type(part)(part.pair, frame, part.baseline))


def test_a_damaged_model_is_never_parsed(folder):
    path = folder / "model" / "1.ubj"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtefactError, match=r"1\.ubj: damaged or exchanged"):
        bundle.load(folder)
    path.unlink()
    with pytest.raises(ArtefactError, match=r"other files, got 1\.ubj"):
        bundle.load(folder)


def test_another_model_is_refused(folder):
    path = folder / "model" / "model.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(ArtefactError, match=r"model\.json: damaged or exchanged"):
        bundle.load(folder)
    path.unlink()
    with pytest.raises(ArtefactError, match="got no file"):
        bundle.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"identities": {"none": "0" * 64}}, "a feature that the catalog lacks, got none; exp"),
        ({"identities": {}}, "made by other code, got another identity of "),
        ({"identities": 7}, "not a bundle"),
        ({"model": None}, "damaged or exchanged"),
        ({"columns": [{"feature": "none", "lag": 0, "suffix": ""}]}, "identity of none; expected"),
        ({"columns": [7]}, "not a bundle"),
        ({"horizons": ["../15"]}, "horizons that no training gives"),
        ({"trained_until": "never"}, "not a bundle"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(folder, change, message):
    path = folder / "bundle.json"
    write_json(path, sealed(json.loads(path.read_text()) | change))
    with pytest.raises(ArtefactError, match=message):
        bundle.load(folder)


def calibrated(**other):
    def altered(stored):
        return {horizon: of | other for horizon, of in stored["reach"].items()}

    return altered


NONSENSE = {
    "a pair that is none": {"pair": "xxxyyy"},
    "no horizons": {"horizons": [], "betas": {}, "reach": {}},
    "a horizon twice": {"horizons": [15, 15]},
    "a horizon in the past": {"horizons": [-15, 45]},
    "a horizon that is no number": {"horizons": ["15", "45"]},
    "a window of nothing": {"window": 0},
    "a window by another word": {"window": "widest"},
    "holes of less than nothing": {"max_fill": -1},
    "holes of a share": {"max_fill": 1.5},
    "later rows": {"columns": lambda stored: [c | {"lag": -1} for c in stored["columns"]]},
    "rows before all": {"columns": lambda stored: [c | {"lag": 10**9} for c in stored["columns"]]},
    "fewer columns": {"columns": lambda stored: stored["columns"][1:]},
    "more than the forecast": {"betas": {"15": 1.5, "45": 0.0}},
    "its opposite": {"betas": {"15": -0.5, "45": 0.0}},
    "a share that is no number": {"betas": {"15": None, "45": 0.0}},
    "a share of another horizon": {"betas": {"15": 0.5, "30": 0.5}},
    "a baseline of nothing": {"baseline": 0.0},
    "a baseline below nothing": {"baseline": -1.1},
    "a baseline that is text": {"baseline": "1.1"},
    "a panel of no pair": {"panel": {"xxxyyy": 1.0}},
    "a panel below nothing": {"panel": {"gbpusd": -1.0}},
    "no clock": {"trained_until": "2024-01-01T00:00:00"},
    "terciles that descend": {"reach": calibrated(cuts=[2.0, 1.0])},
    "widths of other groups": {"reach": calibrated(start=[1.0])},
    "widths below nothing": {"reach": calibrated(start=[-1.0] * 24)},
    "a coverage of all": {"reach": calibrated(coverage=1.0)},
}


@pytest.mark.parametrize("change", NONSENSE.values(), ids=NONSENSE)
def test_what_no_training_gives_is_refused_though_it_is_sealed(folder, change):
    path = folder / "bundle.json"
    stored = json.loads(path.read_text())
    altered = {name: of(stored) if callable(of) else of for name, of in change.items()}
    write_json(path, sealed(stored | altered))
    with pytest.raises(ArtefactError, match=r"no training gives|not a bundle|of something else"):
        bundle.load(folder)


def test_a_manifest_that_was_altered_is_refused(folder):
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_fill": 16}))
    with pytest.raises(ArtefactError, match="got ValueError a content that was altered"):
        bundle.load(folder)


def test_an_absent_bundle_is_refused(tmp_path):
    with pytest.raises(ArtefactError, match="is absent"):
        bundle.load(tmp_path)
