"""A certificate names every file of a store by its hash, or says why the store is not proven."""

import hashlib
import json
from pathlib import Path

import pytest

from bqx import cli
from bqx.errors import ArtefactError
from bqx.feature_store import proven
from bqx.feature_store.build import build
from bqx.feature_store.store import Store
from bqx.features import catalog
from bqx.market import bars as bar_frames
from bqx.market import simulated

FEATURES = tuple(catalog.tables(catalog.profile())["backward_bqx"][:3])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bars").mkdir()
    made = simulated.simulate("null", ["eurusd", "gbpusd"], "2024-02-28", days=4, seed=2)
    for pair, frame in made.frames.items():
        valid = bar_frames.validate(frame, pair).reset_index()
        valid.to_parquet(tmp_path / "bars" / f"{pair}.parquet")
    build(tmp_path / "bars", tmp_path / "store", FEATURES)
    return tmp_path


def hashes(folder: Path, features: tuple = FEATURES) -> dict:
    return proven.hashes(Store(folder / "store"), folder / "bars", features)


def test_the_certificate_holds_the_hash_of_every_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "profile", lambda name: FEATURES)
    report = folder / "report.json"
    arguments = ["certify", "--bars", str(folder / "bars"), "--cuts", "3"]
    asked = ["--store", str(folder / "store"), "--json", str(report)]
    assert cli.main([*arguments, *asked]) == 0
    assert capsys.readouterr().out.endswith("4 files as they were written, of these bars\n")
    written = json.loads(report.read_text())["store"]["files"]
    found = {
        path.relative_to(folder / "store").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (folder / "store").rglob("*.parquet")
    }
    assert written == found
    assert len(found) == 4


def test_any_altered_byte_of_a_store_is_no_certificate(folder: Path) -> None:
    path = folder / "store" / "backward_bqx" / "eurusd" / "2024-03.parquet"
    content = path.read_bytes()
    for at in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ArtefactError, match=r"2024-03\.parquet"):
            hashes(folder)
    path.write_bytes(content)
    assert len(hashes(folder)["files"]) == 4


def test_a_store_of_other_bars_is_not_proven(folder: Path) -> None:
    (folder / "bars" / "gbpusd.parquet").unlink()
    with pytest.raises(ArtefactError, match="of other bars, got eurusd, gbpusd built"):
        hashes(folder)


def test_a_store_of_other_features_is_not_proven(folder: Path) -> None:
    said = f"got 1 of 3 features of another profile or of other code, such as {FEATURES[2].name}"
    with pytest.raises(ArtefactError, match=said):
        hashes(folder, FEATURES[:2])
