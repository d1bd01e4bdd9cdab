"""``/metrics``: what a server counts of itself, as Prometheus reads it."""

import json
import time
from contextlib import suppress

import httpx
import pytest
from live_market import bundles, frames
from prometheus_client.parser import text_string_to_metric_families
from test_live_server import Client, Silent

from bqx.market import sessions
from bqx.monitoring import metrics
from bqx.serving import metered, timed
from bqx.serving.app import app
from bqx.serving.live_feed import LiveFeed
from bqx.serving.models import Models


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    for pair, bundle in bundles().items():
        bundle.save(folder / pair)
    return Models(folder, unapproved=True)


@pytest.fixture
def live(models):
    feed = LiveFeed(Silent(), models)
    feed.panel.start(
        {
            pair: (sessions.epoch_minutes(frame.index), frame.iloc[:, :6].to_numpy().T)
            for pair, frame in frames().items()
        }
    )
    feed.panel.refresh()
    return feed


def families(client):
    response = client("GET", "/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(response.text)}


def counted(client, name, **labels):
    samples = [sample for family in families(client).values() for sample in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_requests_are_counted_by_route_and_status(models, live):
    client = Client(app(models, live))
    for _ in range(3):
        assert client.predict(pair="eurusd").status_code == 200
    client.predict(pair="xxxyyy")
    client("GET", "/ping")
    client("GET", "/a-path-of-a-client")
    name = "bqx_requests_total"
    assert counted(client, name, route="/predict", code="200") == 3
    assert counted(client, name, route="/predict", code="404") == 1
    assert counted(client, name, route="/ping", code="200") == 1
    assert counted(client, name, route="other", code="404") == 1
    assert counted(client, "bqx_request_seconds_count", route="/predict") == 4
    assert 0 < counted(client, "bqx_request_seconds_sum", route="/predict") < 4


def test_an_error_of_the_server_is_counted_as_one(models, live, monkeypatch):
    application = app(models, live)
    client = Client(application)
    monkeypatch.setattr(live.panel, "newest", lambda pair: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        client.predict(pair="eurusd")
    assert counted(client, "bqx_requests_total", route="/predict", code="500") == 1


async def left(scope, receive, send):
    """Answers a client that has left by then, as the server does."""
    assert (await receive())["type"] == "http.disconnect"
    await send({"type": "http.response.start", "status": 400})


async def fails(scope, receive, send):
    raise ZeroDivisionError


async def leaves_after(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    assert (await receive())["type"] == "http.disconnect"


@pytest.mark.anyio
@pytest.mark.parametrize(("inner", "code"), [(left, timed.LEFT), (fails, 500), (leaves_after, 200)])
async def test_meter_and_capture_are_told_the_same_of_an_answer(inner, code, monkeypatch):
    written = []
    monkeypatch.setattr(timed.captured, "answer", lambda status, started: written.append(status))

    async def gone():
        return {"type": "http.disconnect"}

    async def sent(message):
        pass

    meter = metered.Meter()
    for path in ("/predict", "/metrics"):
        with suppress(ZeroDivisionError):
            await timed.Timed(inner, meter)({"type": "http", "path": path}, gone, sent)
    assert written == [code]
    for route in ("/predict", "/metrics"):
        assert meter.requests.labels(route, str(code))._value.get() == 1


def test_forecasts_from_memory_are_told_from_computed_ones(models, live):
    client = Client(app(models, live))
    newest = client.predict(pair="eurusd").json()["timestamp"]
    assert client.predict(pair="eurusd", timestamp=newest).status_code == 200
    assert counted(client, "bqx_forecasts_total", source="memory") == 1
    assert counted(client, "bqx_forecasts_total", source="computed") == 1


def test_every_family_is_declared_with_its_help_and_unit(models, live, tmp_path, monkeypatch):
    path = tmp_path / "measurements.json"
    numbers = {metric.name: 1.5 for metric in metrics.MEASURED}
    path.write_text(json.dumps({"at": "2026-01-05T10:00:00+00:00", "measurements": numbers}))
    monkeypatch.setenv(metered.MEASUREMENTS, str(path))
    client = Client(app(models, live))
    client.predict(pair="eurusd")
    declared = {metric.exposed.removesuffix("_total"): metric for metric in metrics.METRICS}
    shown = families(client)
    assert set(shown) == set(declared)
    for name, family in shown.items():
        assert family.documentation == declared[name].help
        assert family.type == declared[name].kind


def test_without_measurements_all_but_the_measured_is_told(models, live, monkeypatch):
    monkeypatch.delenv(metered.MEASUREMENTS, raising=False)
    exposed = {metrics.BY_NAME[name].exposed for name in metrics.of_writer("server")}
    client = Client(app(models, live))
    assert set(families(client)) == {name.removesuffix("_total") for name in exposed}


def test_several_files_of_measurements_are_told(models, tmp_path, monkeypatch):
    for name, numbers in (("a", {"skill": 0.1, "mae": 0.5}), ("b", {"online_skill_day": 0.2})):
        content = {"at": "2026-01-05T10:00:00+00:00", "measurements": numbers}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    places = ",".join(str(tmp_path / f"{name}.json") for name in "acb")
    monkeypatch.setenv(metered.MEASUREMENTS, places)
    client = Client(app(models))
    assert counted(client, "bqx_skill") == 0.1
    assert counted(client, "bqx_online_skill_day") == 0.2


def test_bars_are_counted_by_their_fate_and_age_in_market_minutes(models, live, monkeypatch):
    client = Client(app(models, live))
    assert counted(client, "bqx_bars_total", fate="taken") == live.panel.counts["taken"]
    newest = int(live.panel.window.minutes[-1])
    open_minutes = sessions.grid(newest + 1, newest + 5 * sessions.DAY)
    for age in (0, 5):
        monkeypatch.setattr(time, "time", lambda age=age: 60.0 * open_minutes[age] + 1)
        assert counted(client, "bqx_newest_bar_age_minutes") == age


def test_measurements_that_cannot_be_read_leave_the_rest(models, tmp_path, monkeypatch, capsys):
    path = tmp_path / "measurements.json"
    path.write_text("{")
    monkeypatch.setenv(metered.MEASUREMENTS, str(path))
    client = Client(app(models))
    assert "bqx_pairs_served" in families(client)
    assert "no measurements" in capsys.readouterr().err
    assert isinstance(client("GET", "/metrics"), httpx.Response)
