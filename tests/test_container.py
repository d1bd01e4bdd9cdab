"""The inference container as a real process on the loopback."""

import json
import shutil
import signal
import socket
import threading
import time
from types import SimpleNamespace

import anyio
import httpx
import pytest
import uvicorn
from platforms import PAIRS, bar_files, finish, free_port, serving, small_bundle, start

from bqx.errors import ArtefactError, ParameterError
from bqx.serving import container, container_models, live
from bqx.serving.container import Container
from bqx.serving.container_batch import LARGEST, execution_parameters, largest
from bqx.serving.container_models import FullError, LoadedError, LoadedModels, memory_limit


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    return bar_files(tmp_path_factory.mktemp("market") / "bars")


@pytest.fixture(scope="module")
def packed(market):
    return {pair: small_bundle(pair, market, seed=number) for number, pair in enumerate(PAIRS)}


@pytest.fixture(scope="module")
def requests(market, packed):
    return {
        pair: live.payload(pair, market[pair].iloc[-packed[pair].lookback - 30 :]) for pair in PAIRS
    }


def laid_out(root, packed):
    """Folders of a multi-model endpoint, under names as the platform gives them."""
    for pair, own in packed.items():
        own.save(root / "models" / f"0hash{pair}" / "model" / pair)
    return root


def url_of(root, pair):
    return str(root / "models" / f"0hash{pair}" / "model")


@pytest.fixture(scope="module")
def root(packed, tmp_path_factory):
    return laid_out(tmp_path_factory.mktemp("many"), packed)


@pytest.fixture(scope="module")
def many(root):
    with serving(root, SAGEMAKER_MULTI_MODEL="true") as (client, _):
        yield client


def added(client, root, pair, name=""):
    content = {"model_name": name or f"0hash{pair}", "url": url_of(root, pair)}
    return client.post("/models", json=content)


def emptied(client):
    for model in client.get("/models").json()["models"]:
        assert client.delete(f"/models/{model['modelName']}").status_code == 200


def error_of(response):
    return response.status_code, response.json()["error"]["type"]


def test_the_five_calls_of_a_multi_model_endpoint(many, root, packed, requests, market):
    emptied(many)
    for pair in PAIRS:
        assert added(many, root, pair).status_code == 200
        described = {"modelName": f"0hash{pair}", "modelUrl": url_of(root, pair)}
        assert many.get(f"/models/0hash{pair}").json() == described
    assert error_of(added(many, root, "eurusd")) == (409, "model")
    listed = many.get("/models").json()
    assert [model["modelName"] for model in listed["models"]] == ["0hasheurusd", "0hashgbpusd"]
    headers = {"X-Amzn-SageMaker-Target-Model": "eurusd/1.tar.gz", "X-Unknown": "?"}
    path = "/models/0hasheurusd/invoke"
    answered = many.post(path, json=requests["eurusd"], headers=headers).json()
    frame = market["eurusd"].iloc[-packed["eurusd"].lookback - 30 :]
    expected = live.forecast(packed["eurusd"], frame)
    assert answered["predictions"] == expected["predictions"]
    assert many.delete("/models/0hasheurusd").status_code == 200
    for call in (many.delete, many.get):
        assert error_of(call("/models/0hasheurusd")) == (404, "model")
    assert error_of(many.post(path, json=requests["eurusd"])) == (404, "model")
    emptied(many)
    assert many.get("/models").json() == {"models": []}


def test_a_model_of_another_pair_is_no_absent_model(many, root, requests):
    emptied(many)
    added(many, root, "eurusd")
    refused = many.post("/models/0hasheurusd/invoke", json=requests["gbpusd"])
    assert error_of(refused) == (400, "pair")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        {"model_name": "", "url": "/opt/ml/models/x/model"},
        {"model_name": "a/b", "url": "/opt/ml/models/x/model"},
        {"model_name": "a", "url": "/etc"},
        {"model_name": "a", "url": 3},
        {"model_name": "a" * 2_000, "url": "/opt/ml/models/x/model"},
        {"model_name": "a", "url": "/opt/ml/models/\0"},
    ],
)
def test_what_is_no_model_is_refused(many, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    assert error_of(many.post("/models", content=body)) == (400, "request")


def test_a_list_has_pages(root):
    models = SimpleNamespace(names={f"{number:03d}": "x" for number in range(250)})
    application = Container(models, root, many=True).app()

    async def lists():
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            token, names = "", []
            while token is not None:
                asked = {"next_page_token": token} if token else {}
                page = (await client.get("/models", params=asked)).json()
                names += [model["modelName"] for model in page["models"]]
                token = page.get("nextPageToken")
            bad = await client.get("/models", params={"next_page_token": "-1"})
            return names, bad.status_code

    assert anyio.run(lists) == (list(models.names), 400)


@pytest.mark.parametrize("harm", ["tampered", "pickled", "foreign", "empty"])
def test_a_harmed_artefact_is_refused_and_the_others_keep_serving(
    many, root, packed, requests, harm
):
    emptied(many)
    added(many, root, "eurusd")
    folder = root / "models" / harm / "model"
    shutil.rmtree(folder, ignore_errors=True)
    packed["gbpusd"].save(folder / "gbpusd")
    if harm == "tampered":
        path = folder / "gbpusd/bundle.json"
        path.write_text(path.read_text().replace('"max_fill": 15', '"max_fill": 16'))
    elif harm == "pickled":
        (folder / "gbpusd/model/model.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    elif harm == "foreign":
        (folder / "gbpusd/bundle.json").write_text('{"pair": "gbpusd"}')
    else:
        shutil.rmtree(folder / "gbpusd")
    response = many.post("/models", json={"model_name": harm, "url": str(folder)})
    assert error_of(response) == (422, "artefact")
    assert "Traceback" not in response.text
    assert many.post("/models/0hasheurusd/invoke", json=requests["eurusd"]).status_code == 200
    assert len(many.get("/models").json()["models"]) == 1


@pytest.mark.platform
def test_a_full_memory_is_507_and_frees_nothing(root, requests):
    with serving(root, SAGEMAKER_MULTI_MODEL="true", BQX_MEMORY_MB="10") as (client, _):
        assert error_of(added(client, root, "eurusd")) == (507, "memory")
        assert client.get("/models").json() == {"models": []}
        assert client.get("/ping").status_code == 200


def test_the_model_that_was_used_longest_ago_makes_room(root, monkeypatch):
    folder, held, models = root / "models/0hasheurusd/model", 0, LoadedModels(100, evicting=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    models.limit = 2 * size
    monkeypatch.setattr(container_models, "held_bytes", lambda: held + size * len(models.names))
    for name in ("a", "b"):
        models.load(name, folder)
    assert models.get("a") is not None
    models.load("c", folder)
    assert list(models.names) == ["a", "c"]
    held = 2 * size
    with pytest.raises(FullError, match="memory: full"):
        models.load("d", folder)


def test_a_model_is_loaded_once(root):
    models = LoadedModels(1 << 40)
    models.load("a", root / "models/0hasheurusd/model")
    with pytest.raises(LoadedError, match="loaded already"):
        models.load("a", root / "models/0hasheurusd/model")


@pytest.mark.platform
def test_memory_comes_back_when_a_model_goes(root):
    models, folder = LoadedModels(1 << 40), root / "models/0hasheurusd/model"

    def held_after(rounds):
        for _ in range(rounds):
            models.load("a", folder)
            assert models.unload("a")
        return container_models.held_bytes()

    before = held_after(3)
    assert held_after(12) - before < 20 << 20


@pytest.fixture(scope="module")
def single(packed, tmp_path_factory):
    root = tmp_path_factory.mktemp("single")
    for pair, own in packed.items():
        own.save(root / "model" / pair)
    with serving(root, SAGEMAKER_BATCH="true", SAGEMAKER_MAX_PAYLOAD_IN_MB="1") as (client, p):
        yield client, p, root


def test_one_container_answers_for_every_bundle_of_its_model(single, requests):
    client, *_ = single
    for pair in PAIRS:
        response = client.post("/invocations", json=requests[pair])
        assert response.json()["pair"] == pair
    other = requests["eurusd"] | {"pair": "usdjpy"}
    assert error_of(client.post("/invocations", json=other)) == (404, "pair")
    assert client.get("/models").status_code == 404
    assert client.get("/ping").content == b""


def test_a_batch_of_lines_has_an_answer_for_each(single, requests):
    client, *_ = single
    body = b"\n".join(
        [json.dumps(requests["eurusd"]).encode(), b"{", json.dumps(requests["gbpusd"]).encode()]
    )
    headers = {"content-type": "application/jsonlines"}
    response = client.post("/invocations", content=body, headers=headers)
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert (lines[0]["pair"], lines[2]["pair"]) == PAIRS
    assert lines[1]["error"]["type"] == "json"
    assert client.get("/execution-parameters").json()["MaxPayloadInMB"] == 1


def test_a_body_over_the_limit_is_413_and_another_type_415(single):
    client, *_ = single
    assert error_of(client.post("/invocations", content=b" " * (1 << 20) + b"{}")) == (413, "size")
    headers = {"content-type": "text/csv"}
    assert error_of(client.post("/invocations", content=b"1", headers=headers)) == (415, "type")
    assert error_of(client.post("/invocations", content=b"{")) == (400, "json")


@pytest.mark.platform
def test_a_container_ends_soon_after_the_signal(packed, tmp_path):
    packed["eurusd"].save(tmp_path / "model/eurusd")
    with serving(tmp_path) as (_, process):
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        # uvicorn ends by the signal once it has shut down.
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "none", "no port"),
        ("BQX_MEMORY_MB", "much", "no memory"),
        ("OTHER", "", "no model"),
    ],
)
def test_a_container_that_cannot_answer_never_pings(
    packed, tmp_path, variable, value, text, monkeypatch, capsys
):
    monkeypatch.setenv("BQX_ML_ROOT", str(tmp_path))
    monkeypatch.setenv(variable, value)
    if variable != "OTHER":
        packed["eurusd"].save(tmp_path / "model/eurusd")
    assert container.main([]) == 1
    printed = capsys.readouterr().err
    assert text in printed
    assert printed.count("\n") == 1


def test_a_stuck_forecast_makes_the_ping_say_so(root):
    own = Container(LoadedModels(1), root, many=True)
    own._since = time.monotonic() - container.STUCK - 1
    assert anyio.run(own._ping, None).status_code == 503


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, LARGEST),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "10"}, LARGEST),
        ({"SAGEMAKER_BATCH": "true"}, LARGEST),
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "10"}, 10 << 20),
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}, 100 << 20),
    ],
)
def test_a_batch_may_send_what_its_caller_set(environment, expected):
    assert largest(environment) == expected


def test_parameters_of_a_batch_are_the_callers_where_it_set_them():
    own = execution_parameters({})
    assert (own["BatchStrategy"], own["MaxPayloadInMB"]) == ("MULTI_RECORD", 6)
    said = {
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "3",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
    }
    expected = {"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 6}
    assert execution_parameters(said) == expected


def test_memory_is_the_variables_or_the_machines():
    assert memory_limit({"BQX_MEMORY_MB": "100"}) == 100 << 20
    assert memory_limit({}) > 100 << 20
    with pytest.raises(ParameterError, match="expected megabytes"):
        memory_limit({"BQX_MEMORY_MB": "-1"})


def test_a_bundle_that_gives_no_forecast_is_not_taken(packed, root, monkeypatch):
    def broken(*_):
        raise ValueError("no")

    monkeypatch.setattr("bqx.learning.bundle.Bundle.predict", broken)
    with pytest.raises(ArtefactError, match="eurusd: no forecast, got ValueError no"):
        LoadedModels(1 << 40).load("a", root / "models/0hasheurusd/model")


@pytest.mark.platform
def test_a_container_without_a_model_ends_with_one_line(tmp_path):
    status, _, err = finish(start(tmp_path, "serve"))
    assert status == 1
    assert err.startswith("serving: ")
    assert err.count("\n") == 1


def test_small_answers_leave_at_once(tmp_path, packed, monkeypatch):
    """Only a socket that says it is TCP's makes asyncio send without waiting for more."""
    packed["eurusd"].save(tmp_path / "model" / "eurusd")
    protocols = []
    monkeypatch.setenv("BQX_ML_ROOT", str(tmp_path))
    monkeypatch.setenv(container.PORT, str(free_port()))
    monkeypatch.setattr(
        uvicorn.Server, "run", lambda self, sockets: protocols.extend(s.proto for s in sockets)
    )
    assert container.main([]) == 0
    assert protocols == [socket.IPPROTO_TCP]


def test_a_port_in_use_is_told_in_one_line(tmp_path, packed, monkeypatch, capsys):
    packed["eurusd"].save(tmp_path / "model" / "eurusd")
    monkeypatch.setenv("BQX_ML_ROOT", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv(container.PORT, str(taken.getsockname()[1]))
        assert container.main([]) == 1
    printed = capsys.readouterr().err
    assert f"{container.PORT}: cannot be used" in printed
    assert printed.count("\n") == 1


def reloaded(client, root):
    for _ in range(10_000):
        client.delete("/models/0hasheurusd")
        added(client, root, "eurusd")


@pytest.mark.fuzz
def test_killed_while_it_loads_or_unloads_it_serves_the_same_after_the_next_start(root, requests):
    answers = set()
    for seconds in (0.0, 0.05, 0.3, None):
        with serving(root, SAGEMAKER_MULTI_MODEL="true") as (client, process):
            assert added(client, root, "eurusd").status_code == 200
            reply = client.post("/models/0hasheurusd/invoke", json=requests["eurusd"])
            assert reply.status_code == 200
            answers.add(reply.content)
            if seconds is None:
                break
            ended = threading.Timer(seconds, process.kill)
            ended.start()
            with pytest.raises(httpx.TransportError):
                reloaded(client, root)
            ended.join(timeout=30)
    assert len(answers) == 1
