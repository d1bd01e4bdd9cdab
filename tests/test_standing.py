"""What an answer says of approval is what the registry says, wherever the bundle came from."""

import json
import time
from dataclasses import replace

import boto3
import httpx
import pytest
from platforms import PAIRS, bar_files, small_bundle

from bqx import cli
from bqx.cloud import archive, artefacts
from bqx.errors import ArtefactError
from bqx.serving import lambda_function, lambda_handlers, lambda_places, live, standing
from bqx.serving.container import Container, started
from bqx.serving.container_models import LoadedModels
from bqx.serving.jobs.platform import Platform
from bqx.serving.models import bundles
from bqx.serving.registry import Registry
from bqx.serving.registry_folder import Folder

PAIR = PAIRS[0]


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return bar_files(tmp_path_factory.mktemp("market") / "bars", (PAIR,))


@pytest.fixture
def registry(market, tmp_path):
    """A registry with two versions, of which the first is approved."""
    own = Registry(Folder(tmp_path / "registry"), "a test")
    for seed in (0, 1):
        small_bundle(PAIR, market, seed=seed).save(tmp_path / str(seed) / PAIR)
        own.register(PAIR, str(tmp_path / str(seed) / PAIR), {"horizons": [15]})
    own.approve(own.store.versions(PAIR)[0])
    return own


@pytest.fixture
def body(market):
    return live.payload(PAIR, market[PAIR].iloc[-4_000:])


def unpacked(registry, number, folder):
    """A platform's model folder with the archive of a version."""
    key = artefacts.pack(registry.store.versions(PAIR)[number - 1], folder)
    archive.unpack(folder / key, folder / "model")
    return folder / "model"


async def asked(container, body, path="/invocations"):
    transport = httpx.ASGITransport(app=container.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return (await client.post(path, json=body)).json()


def said(answer):
    return answer["version"], answer["status"], answer["approved_horizons"]


@pytest.mark.anyio
async def test_an_archive_says_how_its_version_stood_when_it_was_packed(
    registry, body, tmp_path, monkeypatch
):
    monkeypatch.delenv(standing.REGISTRY, raising=False)
    monkeypatch.setenv("BQX_ML_ROOT", str(tmp_path / "one"))
    unpacked(registry, 1, tmp_path / "one")
    answer = await asked(started(Platform.here()), body)
    assert said(answer) == (1, "approved", [15])
    assert said(await many(registry, body, tmp_path, 2)) == (2, "pending", [])


async def many(registry, body, tmp_path, number):
    """Answer of a multi-model container for a version."""
    folder = unpacked(registry, number, tmp_path / f"many-{number}")
    models = LoadedModels(1 << 34)
    models.load("a", folder)
    return await asked(Container(models, tmp_path, many=True), body, "/models/a/invoke")


@pytest.mark.anyio
async def test_a_container_says_what_the_registry_says_at_the_moment(
    registry, body, tmp_path, monkeypatch
):
    monkeypatch.setenv(standing.REGISTRY, str(tmp_path / "registry"))
    models = LoadedModels(1 << 34)
    for number in (1, 2):
        models.load(str(number), unpacked(registry, number, tmp_path / f"many-{number}"))
    container = Container(models, tmp_path, many=True)

    async def both():
        return [said(await asked(container, body, f"/models/{n}/invoke")) for n in (1, 2)]

    assert await both() == [(1, "approved", [15]), (2, "pending", [])]
    registry.approve(registry.store.versions(PAIR)[1])
    assert await both() == [(1, "archived", []), (2, "approved", [15])]
    registry.reject(registry.store.versions(PAIR)[1], ("drift",))
    assert await both() == [(1, "archived", []), (2, "rejected", [])]


@pytest.mark.anyio
async def test_what_the_registry_does_not_know_is_unregistered_whatever_was_packed(
    registry, market, body, tmp_path, monkeypatch
):
    monkeypatch.setenv(standing.REGISTRY, str(tmp_path / "other"))
    with pytest.raises(ArtefactError, match="BQX_REGISTRY: no registry"):
        Container(LoadedModels(1), tmp_path, many=True)
    small_bundle(PAIR, market, seed=2).save(tmp_path / "third" / PAIR)
    other = Registry(Folder(tmp_path / "other"), "a test")
    other.register(PAIR, str(tmp_path / "third" / PAIR), {"horizons": [15]})
    assert said(await many(registry, body, tmp_path, 1)) == (None, "unregistered", [])


@pytest.mark.anyio
async def test_an_altered_registry_is_told_and_nothing_is_said_of_approval(
    registry, body, tmp_path, monkeypatch
):
    monkeypatch.setenv(standing.REGISTRY, str(tmp_path / "registry"))
    models = LoadedModels(1 << 34)
    models.load("a", unpacked(registry, 1, tmp_path / "many"))
    log = tmp_path / "registry/audit.jsonl"
    log.write_text(log.read_text().replace("pending", "approved"))
    answer = await asked(Container(models, tmp_path, many=True), body, "/models/a/invoke")
    assert answer["error"]["type"] == "artefact"
    assert "altered" in answer["error"]["message"]


@pytest.mark.parametrize("harm", ["status", "content", "text"])
def test_a_standing_that_was_altered_or_is_of_another_bundle_is_refused(registry, tmp_path, harm):
    folder = unpacked(registry, 1, tmp_path / "one") / PAIR
    path = folder / standing.FILE
    if harm == "content":
        version = registry.store.versions(PAIR)[0]
        standing.pack(replace(version, content="0" * 64), folder)
    elif harm == "status":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "pending"}))
    else:
        path.write_text("[]")
    with pytest.raises(ArtefactError, match=r"standing\.json"):
        bundles(folder)


def test_the_command_packs_what_is_approved_or_what_is_named(registry, tmp_path, capsys):
    command = ["cloud", "pack", str(tmp_path / "registry"), PAIR, str(tmp_path / "models")]
    for words, number, status in (([], 1, "approved"), (["--version", "2"], 2, "pending")):
        assert cli.main([*command, *words]) == 0
        path = tmp_path / "models" / PAIR / f"{number:04d}.tar.gz"
        assert capsys.readouterr().out == f"{path}\n"
        archive.unpack(path, tmp_path / str(number) / "unpacked")
        (served,) = bundles(tmp_path / str(number) / "unpacked").values()
        assert (served.version.number, served.version.status) == (number, status)
    assert cli.main(command) == 2
    assert "there already" in capsys.readouterr().err
    assert cli.main([*command, "--version", "3"]) == 2
    assert f"no such version of {PAIR}, got 1 approved, 2 pending" in capsys.readouterr().err
    registry.archive(registry.store.versions(PAIR)[0], "drift")
    assert cli.main(command) == 2
    assert f"no approved version of {PAIR}" in capsys.readouterr().err


def test_lambda_says_it_too(registry, body, tmp_path, monkeypatch):
    monkeypatch.setattr(lambda_function, "_functions", {})
    for name in ("BQX_STATE", "BQX_FEED", "BQX_FORECASTS"):
        monkeypatch.delenv(name, raising=False)
    told = {}
    for name, folder in (
        ("registry", tmp_path / "registry"),
        ("archive", unpacked(registry, 1, tmp_path / "one")),
        ("bundles", tmp_path / "0"),
    ):
        monkeypatch.setenv("BQX_BUNDLES", str(folder))
        answer = lambda_handlers.predict(dict(body), None)
        horizon = answer["predictions"]["horizon_15"]
        told[name] = answer["model_version"], answer["status"], horizon["approved"]
    assert told == {
        "registry": (1, "approved", True),
        "archive": (1, "approved", True),
        "bundles": (None, "unregistered", False),
    }


def uploaded(client, folder, *names):
    """Put a registry's files below ``bundles/``, or some of them alone."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and (not names or name in names) and name != ".lock":
            client.put_object(
                Bucket="bqx-ml-features", Key=f"store/bundles/{name}", Body=path.read_bytes()
            )


def test_lambda_follows_a_registry_in_a_bucket(registry, body, tmp_path, monkeypatch, s3, capsys):
    monkeypatch.setattr(lambda_function, "_functions", {})
    monkeypatch.setattr(lambda_places, "RENEWED", -1.0)
    for name in ("BQX_STATE", "BQX_FEED", "BQX_FORECASTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BQX_BUNDLES", f"{s3}/bundles")
    client = boto3.client("s3")

    def standing_of():
        answer = lambda_handlers.predict(dict(body), None)
        return answer["model_version"], answer["status"]

    uploaded(client, tmp_path / "registry")
    assert standing_of() == (1, "approved")
    # What moto says of a time is whole seconds.
    time.sleep(1.1)
    registry.approve(registry.store.versions(PAIR)[1])
    uploaded(client, tmp_path / "registry", "audit.end.json")
    # A log that is not all there yet is left alone, and no request fails.
    assert standing_of() == (1, "approved")
    assert "lines are missing at its end" in capsys.readouterr().err
    uploaded(client, tmp_path / "registry", "audit.jsonl")
    assert standing_of() == (2, "approved")
    time.sleep(1.1)
    registry.archive(registry.store.versions(PAIR)[1], "drift")
    uploaded(client, tmp_path / "registry")
    assert lambda_handlers.predict(dict(body), None)["error"]["type"] == "pair"
