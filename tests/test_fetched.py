"""Bars of a bucket or a database are read as the same bars of a folder."""

import hashlib

import boto3
import pytest
from postgres import fresh

from bqx.database import loads, schema
from bqx.database.connect import ENVIRONMENT, URL_NAME
from bqx.errors import BqxError, ParameterError
from bqx.market import bars as bar_frames
from bqx.market import simulated
from bqx.params import Params, load
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.stages import bars, copied, fetched

PAIRS = ("eurusd", "gbpusd")


@pytest.fixture(scope="module")
def frames():
    made = simulated.simulate("null", PAIRS, "2024-03-03", days=5, seed=2).frames
    return {pair: bar_frames.validate(frame, pair) for pair, frame in made.items()}


@pytest.fixture(scope="module")
def folder(frames, tmp_path_factory):
    place = tmp_path_factory.mktemp("bars")
    for pair, frame in frames.items():
        frame.reset_index().to_parquet(place / f"{pair}.parquet")
    return place


def made(out, address):
    """What notebook 01 writes, by path, and the hash of the run's data."""
    params = Params(out=str(out), bars=str(address), pairs=())
    bars.build(params)
    run = Run.open(params.folder, params)
    kept = {path: value for path, value in run.outputs.items() if path.endswith(".parquet")}
    return kept, run.manifest["data_hash"], artefacts.DATASET.read(run)["pairs"]


@pytest.fixture(scope="module")
def from_files(folder, tmp_path_factory):
    return made(tmp_path_factory.mktemp("files"), folder)


def test_bars_of_a_bucket_are_those_of_the_folder(folder, from_files, s3, tmp_path):
    client = boto3.client("s3")
    for path in folder.glob("*.parquet"):
        client.put_object(
            Bucket="bqx-ml-features", Key=f"store/in/{path.name}", Body=path.read_bytes()
        )
    found = made(tmp_path, f"{s3}/in")
    assert found[0] == from_files[0]
    assert found[2] == from_files[2]
    client.delete_object(Bucket="bqx-ml-features", Key="store/in/gbpusd.parquet")
    assert set(made(tmp_path, f"{s3}/in")[2]) == {"eurusd"}
    with pytest.raises(BqxError, match=f"bars: none, got nothing in {s3}/none"):
        made(tmp_path, f"{s3}/none")


def test_bars_of_a_database_are_those_of_the_folder(
    frames, from_files, server, tmp_path, monkeypatch
):
    with fresh(server) as engine:
        schema.create(engine, PAIRS)
        loads.put_bars(engine, frames)
        address = engine.url
        found = made(
            tmp_path / "url",
            address.set(drivername="postgresql", password=None).render_as_string(
                hide_password=False
            ),
        )
        monkeypatch.setenv(URL_NAME, address.render_as_string(hide_password=False))
        alone = made(tmp_path / "environment", ENVIRONMENT)
    assert found[0] == alone[0] == from_files[0]
    assert found[2] == alone[2] == from_files[2]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("http://a/b", "an address that begins with"),
        ("postgresql://me:secret@localhost/bqx", "bars: an address with a password"),
        ("postgresql://localhost/bqx?password=secret", "bars: an address with a password"),
    ],
)
def test_other_addresses_are_refused_and_no_password_is_told(tmp_path, address, text):
    path = tmp_path / "run.yaml"
    path.write_text(f"bars: {address}\nout: {tmp_path / 'out'}\n")
    with pytest.raises(ParameterError, match=text) as refused:
        fetched.fetch(load(path))
    assert "secret" not in str(refused.value)


def test_artefacts_go_to_a_bucket_and_no_key_is_overwritten(folder, s3, tmp_path):
    params = Params(out=str(tmp_path / "run"), bars=str(folder), pairs=())
    bars.build(params)
    client = boto3.client("s3")

    def stored():
        answer = client.list_objects_v2(Bucket="bqx-ml-features", Prefix="store/runs/")
        return {entry["Key"]: entry["LastModified"] for entry in answer.get("Contents", ())}

    address = copied.copy(params, f"{s3}/runs")
    first, run = stored(), Run.open(params.folder, params)
    prefix = address.removeprefix("s3://bqx-ml-features/")
    assert set(first) == {f"{prefix}/{path}" for path in (*run.outputs, "manifest.json")}
    body = client.get_object(Bucket="bqx-ml-features", Key=f"{prefix}/bars/eurusd.parquet")["Body"]
    assert hashlib.sha256(body.read()).hexdigest() == run.outputs["bars/eurusd.parquet"]
    # The same again is the same key, and nothing is written.
    assert copied.copy(params, f"{s3}/runs") == address
    assert stored() == first
    # Other artefacts have another key.
    other = params.model_copy(update={"max_fill": 3})
    bars.build(other)
    assert copied.copy(other, f"{s3}/runs") != address
    assert {key: time for key, time in stored().items() if key in first} == first
    # A copy that stopped goes on, and what stands there already is not replaced.
    client.delete_object(Bucket="bqx-ml-features", Key=f"{prefix}/manifest.json")
    client.put_object(Bucket="bqx-ml-features", Key=f"{prefix}/bars/eurusd.parquet", Body=b"x")
    bars.build(params)
    with pytest.raises(BqxError, match="another file, got 2d711642b726; expected"):
        copied.copy(params, f"{s3}/runs")
