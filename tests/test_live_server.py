"""A server that is fed bars: its API, its feeds, and what it does when models change."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pandas as pd
import pytest
from live_market import NOW, PAIRS, bundles, frames

from bqx import cli
from bqx.errors import ParameterError
from bqx.serving import api, feeds, openapi
from bqx.serving.answers import LiveResponse, PredictResponse
from bqx.serving.app import app
from bqx.serving.feeds import FileFeed, parsed
from bqx.serving.live_feed import LiveFeed
from bqx.serving.live_panel import FedBar
from bqx.serving.models import Models
from bqx.serving.registry import Registry
from bqx.serving.registry_folder import Folder

ROOT = Path(__file__).parents[1]
CUT = 5_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    for pair, bundle in bundles().items():
        bundle.save(folder / pair)
    return folder


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Bars before the feed's."""
    place = tmp_path_factory.mktemp("history")
    for pair, frame in frames().items():
        frame.iloc[:CUT].to_parquet(place / f"{pair}.parquet")
    return place


def line(pair, ts, bar):
    return json.dumps({"pair": pair, "ts_utc": ts.isoformat(), **bar}).encode() + b"\n"


def coming(count):
    """Lines of each pair's next bars, in the order of time."""
    rows = [
        (ts, pair, bar)
        for pair, frame in frames().items()
        for ts, bar in zip(
            frame.index[CUT : CUT + count],
            frame.iloc[CUT : CUT + count].to_dict("records"),
            strict=True,
        )
    ]
    return [line(pair, ts, bar) for ts, pair, bar in sorted(rows, key=lambda row: row[:2])]


class Silent:
    """A feed without a line."""

    def lines(self, seconds):
        return []

    def close(self):
        pass


@pytest.fixture(scope="module")
def live(folder, history):
    """A feed whose panel is fed by hand."""
    feed = LiveFeed(Silent(), Models(folder, unapproved=True))
    feed.begin_with(history)
    feed.panel.refresh()
    return feed


@pytest.fixture
def client(live):
    return Client(app(live.models, live))


class Client:
    """Asks an application one request after the other."""

    def __init__(self, application):
        self.application = application

    def __call__(self, method, path, **content):
        async def ask():
            transport = httpx.ASGITransport(self.application)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await client.request(method, path, **content)

        return anyio.run(ask)

    def predict(self, **content):
        return self("POST", "/predict", json=content)


def refused(response, status, kind, text=""):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["type"] == kind
    assert text in error["message"]


def test_the_newest_forecast_is_answered_from_memory(client, live):
    for pair in PAIRS:
        answer = client.predict(pair=pair.upper()).json()
        forecast = live.panel.newest(pair)
        assert answer["pair"] == pair
        assert answer["timestamp"] == forecast.timestamp
        assert pd.Timestamp(answer["timestamp"]) == frames()[pair].index[CUT - 1]
        assert list(answer["predictions"]) == [f"horizon_{h}" for h in (15, 30, 45, 60, 75)]
        for horizon, prediction in forecast.predictions.items():
            told = answer["predictions"][f"horizon_{horizon}"]
            assert told["value"] == prediction.level
            assert told["confidence"] == [prediction.low, prediction.high]
            assert told["signal"] == forecast.signals[horizon].side
            assert told["skill"] == {"value": 1e-3, "confidence": [-1e-3, 2e-3]}
            assert told["approved"] is False
        assert answer["features_used"] == len(bundles()[pair].columns)
        assert (answer["model_version"], answer["status"]) == (None, "unregistered")
        assert 0 <= answer["latency_ms"] < 1_000
        PredictResponse.model_validate(answer)


def test_what_cannot_be_answered_yet_is_told(live):
    empty = LiveFeed(Silent(), live.models)
    client = Client(app(live.models, empty))
    refused(client.predict(pair="eurusd"), 409, "bars", "no bar yet")
    answer = client("GET", "/forecasts").json()
    assert (set(answer["faults"]), answer["forecasts"]) == (set(PAIRS), {})


def test_what_became_of_the_bars_is_told(live):
    own = LiveFeed(Silent(), live.models)
    client = Client(app(live.models, own))
    empty = client("GET", "/live").json()
    assert (empty["newest"], set(empty["pairs"].values())) == (None, {None})
    ts = frames()["eurusd"].index[CUT]
    bar = frames()["eurusd"].loc[ts].to_dict()
    lines = [line("eurusd", ts, bar), line("eurusd", ts, bar), b"{", line("usdjpy", ts, bar)]
    own._take([*lines, line("eurusd", ts + pd.Timedelta("1min"), bar | {"low": -1.0})])
    told = LiveResponse.model_validate(client("GET", "/live").json())
    assert pd.Timestamp(told.newest) == ts
    counts = {name: count for name, count in told.counts.items() if count}
    assert counts == {"taken": 1, "duplicate": 1, "no_bar": 1, "unknown": 1, "refused": 1}
    assert "no bar, got" in told.refusal
    whole = client("GET", "/openapi.json").json()["paths"]
    assert "/live" in whole


def test_other_methods_are_told_which_there_are(client):
    response = client("GET", "/predict")
    refused(response, 405, "http")
    assert response.headers["allow"] == "POST"


def test_all_pairs_are_answered_together(client):
    answer = client("GET", "/forecasts").json()
    assert answer["faults"] == {}
    assert set(answer["forecasts"]) == set(PAIRS)
    alone = client.predict(pair="gbpusd").json()
    assert answer["forecasts"]["gbpusd"] | NOW == alone | NOW


def test_an_earlier_bar_is_answered_on_request(client, live):
    ts = frames()["eurusd"].index[CUT - 30]
    answer = client.predict(pair="eurusd", timestamp=ts.isoformat()).json()
    assert pd.Timestamp(answer["timestamp"]) == ts
    expected = live.panel.at("eurusd", ts.value // 60_000_000_000)
    assert answer["predictions"]["horizon_60"]["value"] == expected.predictions[60].level
    assert answer["minutes_behind"] >= 29


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        ({"pair": "audusd"}, 404, "pair"),
        ({"pair": "\ud800"}, 400, "request"),
        ({"pair": "x" * 3_000}, 404, "pair"),
        ({"pair": 3}, 400, "request"),
        ({"pair": None}, 400, "request"),
        ({}, 400, "request"),
        ([], 400, "request"),
        ({"pair": "eurusd", "more": 1}, 400, "request"),
        ({"pair": "eurusd", "timestamp": "soon"}, 400, "request"),
        ({"pair": "eurusd", "timestamp": "2024-03-06T10:00:00"}, 400, "request"),
        ({"pair": "eurusd", "timestamp": "2024-03-06T10:00:30Z"}, 404, "bar"),
        ({"pair": "eurusd", "timestamp": 1e300}, 400, "request"),
        ({"pair": "eurusd", "timestamp": -1e15}, 400, "request"),
        ({"pair": "eurusd", "timestamp": "0001-01-01T00:00:00+14:00"}, 404, "bar"),
        ({"pair": "eurusd", "timestamp": "9999-12-31T23:59:00-14:00"}, 404, "bar"),
        ({"pair": "eurusd", "timestamp": "2024-03-09T12:00:00Z"}, 404, "bar"),
        ({"pair": "eurusd", "timestamp": "1999-03-09T12:00:00Z"}, 404, "bar"),
    ],
)
def test_what_is_no_good_request_has_its_own_refusal(client, content, status, kind):
    body = json.dumps(content).encode()
    refused(client("POST", "/predict", content=body), status, kind)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 3_000, b'{"pair": 1e999}', b"null"])
def test_what_is_no_json_is_refused(client, body):
    refused(client("POST", "/predict", content=body), 400, "request")


def test_a_pair_that_stands_twice_is_refused(client):
    body = b'{"pair": "eurusd", "pair": "gbpusd"}'
    refused(client("POST", "/predict", content=body), 400, "request", "a name twice, got 'pair'")


def test_bodies_and_types_are_limited(client):
    refused(client("POST", "/predict", content=b" " * 5_000), 413, "size")
    headers = {"content-type": "text/plain"}
    refused(client("POST", "/predict", content=b"{}", headers=headers), 415, "type")
    assert client.application.state.in_flight == 0


def test_without_a_feed_there_is_no_prediction(live):
    refused(Client(app(live.models)).predict(pair="eurusd"), 404, "live", "--live")


def test_a_key_is_asked_for_where_there_is_one(client, monkeypatch):
    monkeypatch.setenv(api.KEY, "schlüssel")
    for key in ({}, {"x-api-key": "other"}, {"x-api-key": ""}):
        refused(client("POST", "/predict", json={"pair": "eurusd"}, headers=key), 403, "key")
        refused(client("POST", "/invocations", content=b"{", headers=key), 403, "key")
    refused(client("GET", "/forecasts"), 403, "key")
    refused(client("GET", "/live"), 403, "key")
    right = {"x-api-key": "schlüssel".encode()}
    answer = client("POST", "/predict", json={"pair": "eurusd"}, headers=right)
    assert answer.status_code == 200
    refused(client("POST", "/invocations", content=b"{", headers=right), 400, "json")
    for path in ("/ping", "/metrics", "/openapi.json"):
        assert client("GET", path).status_code == 200


def test_more_than_a_hundred_a_second_are_put_off(client):
    now = [0.0]
    client.application.state.throttle = api.Throttle(clock=lambda: now[0])
    codes = [client.predict(pair="eurusd").status_code for _ in range(103)]
    assert codes == [200] * 100 + [429] * 3
    late = client.predict(pair="eurusd")
    refused(late, 429, "busy")
    assert late.headers["retry-after"] == "1"
    now[0] = 0.05
    assert [client.predict(pair="eurusd").status_code for _ in range(6)] == [200] * 5 + [429]


def test_other_origins_may_ask(client):
    headers = {
        "origin": "https://example.org",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key",
    }
    response = client("OPTIONS", "/predict", headers=headers)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    answer = client("POST", "/predict", json={"pair": "eurusd"}, headers=headers)
    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_document_describes_the_answers(client):
    document = client("GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert document == json.loads(json.dumps(openapi.document()))
    jsonschema = pytest.importorskip("jsonschema")
    schema = {
        "$ref": "#/components/schemas/PredictResponse",
        "components": document["components"],
    }
    answer = client.predict(pair="eurusd").json()
    jsonschema.Draft202012Validator(schema).validate(answer)
    answer["predictions"]["horizon_15"]["signal"] = "PERHAPS"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(answer)
    routes = {route.path for route in client.application.routes}
    assert set(document["paths"]) <= routes


def test_a_line_is_a_bar_or_nothing():
    good = {"pair": "eurusd", "ts_utc": "2024-03-06T10:00:00Z", "open": 1, "high": 2.5}
    minute = pd.Timestamp("2024-03-06 10:00", tz="UTC").value // 60_000_000_000
    bar = FedBar("eurusd", minute, {"open": 1.0, "high": 2.5})
    assert parsed(json.dumps(good).encode()) == bar
    assert parsed(json.dumps(good | {"ts_utc": "2024-03-06T11:00:00+01:00"}).encode()) == bar
    assert parsed(json.dumps(good | {"volume": None}).encode()) == bar
    for change in (
        {"ts_utc": "2024-03-06T10:00:00"},
        {"ts_utc": "2024-03-06T10:00:01Z"},
        {"ts_utc": 5},
        {"ts_utc": "soon"},
        {"pair": 3},
        {"open": "1.1"},
        {"open": True},
        {"open": []},
        {"open": 10**400},
        {"volume": 1e308},
    ):
        assert parsed(json.dumps(good | change).encode()) is None
    line = json.dumps(good)
    ambiguous = (line[:-1] + ', "open": 1.2}').encode(), line.replace("2.5", "NaN").encode()
    for text in (b"", b"{", b"[]", b"3", b"null", b"\xff", b"[" * 4_000, b"{}", *ambiguous):
        assert parsed(text) is None


def test_a_folder_is_read_as_it_grows(tmp_path):
    feed = FileFeed(tmp_path)
    assert feed.lines(0) == []
    (tmp_path / "b.jsonl").write_bytes(b"1\n2\n3")
    (tmp_path / "ignored.txt").write_bytes(b"9\n")
    assert feed.lines(0) == [b"1", b"2"]
    with (tmp_path / "b.jsonl").open("ab") as file:
        file.write(b"4\n\n" + b"x" * 10_000)
    (tmp_path / "a.jsonl").write_bytes(b"0\n")
    assert feed.lines(0) == [b"0", b"34", b"x" * 4_096]
    with (tmp_path / "b.jsonl").open("ab") as file:
        file.write(b"x" * 10_000 + b"\n5\n")
    assert feed.lines(0) == [b"5"]
    (tmp_path / "b.jsonl").write_bytes(b"6\n")
    assert feed.lines(0) == [b"6"]


def test_files_larger_than_a_piece_are_read_one_after_the_other(tmp_path):
    size = feeds.AT_ONCE // 8
    days = {"1.jsonl": size + 5, "2.jsonl": size, "3.jsonl": 7}
    written = [b"%s%06d" % (name[:1].encode(), n) for name, c in days.items() for n in range(c)]
    for name in days:
        rows = [row + b"\n" for row in written if row[:1] == name[:1].encode()]
        (tmp_path / name).write_bytes(b"".join(rows))
    feed, read = FileFeed(tmp_path), []
    while lines := feed.lines(0):
        read += lines
    assert read == written


def test_writers_of_a_socket_come_and_go():
    feed = feeds.opened(f"tcp://127.0.0.1:{(at := port())}")

    def lines():
        for _ in range(100):
            if found := feed.lines(0.1):
                return found
        return []

    try:
        with socket.create_connection(("127.0.0.1", at), timeout=5) as writer:
            writer.sendall(b"1\n2")
            assert lines() == [b"1"]
        assert lines() == [b"2"]
        # One more than may write is sent away, and harms nobody.
        with ExitStack() as opened:
            for _ in range(feeds.WRITERS + 1):
                writer = socket.create_connection(("127.0.0.1", at), timeout=5)
                opened.enter_context(writer)
                feed.lines(0.1)
            assert writer.recv(1) == b""
        with socket.create_connection(("127.0.0.1", at), timeout=5) as writer:
            writer.sendall(b"3\n")
            assert lines() == [b"3"]
        with pytest.raises(ParameterError, match="port cannot be used"):
            feeds.opened(f"tcp://127.0.0.1:{at}")
    finally:
        feed.close()


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "tcp://0.0.0.0:5",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:x",
        "tcp://",
        "tcp://[::]:9",
    ],
)
def test_what_is_no_feed_is_one_line(name):
    with pytest.raises(ParameterError, match="--live: no"):
        feeds.opened(name)


def test_a_state_that_is_lost_at_the_end_is_an_error(folder, tmp_path, monkeypatch, capsys):
    def full(_, path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("bqx.serving.app.run", lambda *_, **__: None)
    monkeypatch.setattr("bqx.serving.live_state.save", full)
    state = tmp_path / "live.npz"
    asked = [*("serve", str(folder), "--unapproved", "--port", str(port()))]
    asked += ["--live", str(tmp_path), "--state", str(state)]
    assert cli.main(asked) == 2
    said = capsys.readouterr().err
    assert f"bqx: {state}: cannot be used, got No space left on device" in said


def test_options_of_a_feed_need_one(folder, capsys):
    assert cli.main(["serve", str(folder), "--unapproved", "--state", "x"]) == 2
    printed = capsys.readouterr().err
    assert "expected --live FEED" in printed
    assert printed.count("\n") == 1


def test_a_feed_follows_the_registry(history, tmp_path):
    store = Folder(tmp_path / "registry")
    registry = Registry(store, "a quant")
    bundle = bundles()["eurgbp"]
    for number in (1, 2):
        betas = dict.fromkeys(bundle.horizons, 1.0 / number)
        metrics = bundle.metrics | {"number": number}
        replace(bundle, betas=betas, metrics=metrics).save(tmp_path / str(number))
        registry.register("eurgbp", str(tmp_path / str(number)), {"horizons": [15, 45]})
    first, second = store.versions("eurgbp")
    registry.approve(first)
    live = LiveFeed(Silent(), Models(store.folder))
    live.begin_with(history)
    live.panel.refresh()
    client = Client(app(live.models, live))

    def told():
        live.follow()
        answer = client.predict(pair="eurgbp").json()
        predictions = answer["predictions"]
        passed = [name for name, own in predictions.items() if own["approved"]]
        return answer["model_version"], answer["status"], passed, predictions["horizon_15"]["value"]

    before = told()
    assert before[:3] == (1, "approved", ["horizon_15", "horizon_45"])
    registry.approve(second)
    after = told()
    assert after[:3] == (2, "approved", ["horizon_15", "horizon_45"])
    assert after[3] != before[3]
    registry.reject(second, ["worse"])
    live.follow()
    refused(client.predict(pair="eurgbp"), 404, "pair", "none at present")
    registry.approve(first)
    assert told() == before


def test_while_the_registry_is_damaged_or_gone_nothing_is_forecast(history, tmp_path, capsys):
    store = Folder(tmp_path / "registry")
    registry = Registry(store, "a quant")
    bundles()["eurgbp"].save(tmp_path / "made")
    registry.approve(registry.register("eurgbp", str(tmp_path / "made"), {"horizons": [15]}))
    live = LiveFeed(Silent(), Models(store.folder))
    live.begin_with(history)
    live.panel.refresh()
    client = Client(app(live.models, live))
    live._look()
    assert client.predict(pair="eurgbp").status_code == 200
    log = store.folder / "audit.jsonl"
    good = log.read_bytes()
    log.write_bytes(good.replace(b"a quant", b"a quack"))
    for _ in range(3):
        live._look()
        refused(client.predict(pair="eurgbp"), 503, "registry", "altered")
        refused(client("GET", "/forecasts"), 503, "registry", "altered")
        assert client("GET", "/live").status_code == 200
    log.write_bytes(good)
    live._look()
    assert client.predict(pair="eurgbp").status_code == 200
    store.folder.rename(tmp_path / "elsewhere")
    live._look()
    refused(client.predict(pair="eurgbp"), 503, "registry", "the registry is gone")
    (tmp_path / "elsewhere").rename(store.folder)
    live._look()
    assert client.predict(pair="eurgbp").status_code == 200
    told = [line for line in capsys.readouterr().err.splitlines() if "live feed: " in line]
    assert [line.endswith("whole again") for line in told] == [False, True, False, True]


class Faulty(Silent):
    """A feed that fails as none should."""

    def lines(self, seconds):
        raise ZeroDivisionError("planted")


def test_a_feed_that_ended_is_told_instead_of_forecasts_that_grow_old(folder, history, capsys):
    live = LiveFeed(Faulty(), Models(folder, unapproved=True))
    live.begin_with(history)
    client = Client(app(live.models, live))
    live.panel.refresh()
    assert client.predict(pair="eurusd").status_code == 200
    live.start()
    live.stop()
    for answer in client.predict(pair="eurusd"), client("GET", "/forecasts"):
        refused(answer, 503, "feed", "got ZeroDivisionError planted; expected bars")
    assert client("GET", "/live").status_code == 200
    assert "live feed: ended" in capsys.readouterr().err


def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder, *arguments):
    """Client of a real server, ended by SIGTERM."""
    at = port()
    command = [sys.executable, "-m", "bqx", "serve", str(folder), "--unapproved"]
    command += ["--port", str(at), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{at}", timeout=30, trust_env=False) as client:
            wait_for(lambda: reached(client, process), 120)
            yield client
        process.send_signal(signal.SIGTERM)
        _, printed = process.communicate(timeout=30)
        assert b"Traceback" not in printed, printed.decode()
    finally:
        process.kill()
        process.communicate(timeout=30)


def reached(client, process):
    assert process.poll() is None, process.stderr.read().decode()
    try:
        return client.get("/ping").status_code == 200
    except httpx.TransportError:
        return False


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.05)


def newest(client, pair):
    return pd.Timestamp(client.post("/predict", json={"pair": pair}).json()["timestamp"])


def test_a_server_follows_a_folder_then_a_socket_and_keeps_its_state(
    folder, history, tmp_path, capsys
):
    grown, state = tmp_path / "feed", tmp_path / "live.npz"
    grown.mkdir()
    lines = coming(6)
    last = {pair: frame.index[CUT + 5] for pair, frame in frames().items()}
    with serving(folder, "--live", grown, "--history", history, "--state", state) as client:
        assert newest(client, "eurusd") == frames()["eurusd"].index[CUT - 1]
        # A server that is killed now knows its history again.
        assert state.stat().st_size > 100_000
        state.unlink()
        (grown / "1.jsonl").write_bytes(b"".join(lines) + b"{no bar}\n")
        wait_for(lambda: newest(client, "gbpusd") == last["gbpusd"], 30)
        answers = {p: client.post("/predict", json={"pair": p}).json() for p in PAIRS}
        live = ["--live", str(grown), "--state", str(state)]
        second = [*("serve", str(folder), "--unapproved", "--port", str(port())), *live]
        assert cli.main(second) == 2
        assert "--state: kept by another server" in capsys.readouterr().err
    assert state.stat().st_size > 100_000
    at = port()
    with serving(folder, "--live", f"tcp://127.0.0.1:{at}", "--state", state) as client:
        for pair, before in answers.items():
            again = client.post("/predict", json={"pair": pair}).json()
            assert again | NOW == before | NOW
        with socket.create_connection(("127.0.0.1", at), timeout=10) as writer:
            writer.sendall(b"".join(coming(9)))
            wait_for(lambda: newest(client, "eurusd") == frames()["eurusd"].index[CUT + 8], 30)
