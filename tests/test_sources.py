"""What alerts measure themselves: a server, trainings, approvals and charges."""

import asyncio
import json
import os
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import boto3
import numpy as np
import pytest
import uvicorn
from moto import mock_aws
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bqx import cli
from bqx.cloud import calls
from bqx.errors import ParameterError
from bqx.monitoring import metrics
from bqx.operations import sources
from bqx.runs.chained_log import ChainedLog
from bqx.serving.metered import Meter, metered


@contextmanager
def answering(application):
    """Address of an application that answers while the block runs."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    try:
        give_up = time.monotonic() + 20
        while not server.started and time.monotonic() < give_up:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        bound.close()


class Models:
    ready: ClassVar[dict] = {}


def application():
    async def ping(_):
        return JSONResponse({})

    own = Starlette(routes=[Route("/ping", ping)])
    own.state.models, own.state.live, own.state.in_flight = Models(), None, 0
    own.state.meter = metered(own)
    return own


def count(meter: Meter, seconds, code="200", source="memory"):
    for value in seconds:
        meter.requests.labels("/predict", code).inc()
        meter.seconds.labels("/predict").observe(value)
        meter.forecasts.labels(source).inc()


def test_a_server_is_measured_since_the_last_time():
    own = application()
    rng = np.random.default_rng(1)
    slow = rng.uniform(0.0, 0.28, 1_000)
    with answering(own) as url:
        numbers, before = sources.server(url, {})
        assert numbers["endpoint_up"] == 1.0
        assert numbers["cache_hit_rate"] is numbers["latency_p99_ms"] is None
        assert numbers["error_rate"] is None
        count(own.state.meter, slow)
        count(own.state.meter, [9.0] * 4, code="500", source="computed")
        numbers, after = sources.server(url, before)
        assert numbers["cache_hit_rate"] == pytest.approx(1_000 / 1_004)
        assert numbers["error_rate"] == pytest.approx(4 / 1_004)
        assert numbers["latency_p99_ms"] == pytest.approx(1e3 * np.quantile(slow, 0.994), rel=0.1)
        count(own.state.meter, [0.002] * 50)
        numbers, _ = sources.server(url, after)
        assert numbers["latency_p99_ms"] < 2.5
        assert numbers["error_rate"] == 0.0
    numbers, kept = sources.server(url, after)
    assert numbers == dict.fromkeys(numbers) | {"endpoint_up": 0.0}
    assert kept == after
    started_anew = application()
    count(started_anew.state.meter, [0.002] * 3, code="500", source="computed")
    with answering(started_anew) as url:
        numbers, _ = sources.server(url, after)
        assert numbers["endpoint_up"] == numbers["error_rate"] == 1.0
        assert numbers["cache_hit_rate"] == 0.0
        assert numbers["latency_p99_ms"] < 2.5


@pytest.mark.parametrize(
    "url",
    ["nota", "", "http://", "http://127.0.0.1:99999", "http://127.0.0.1:9/\u00e4", "http://[::1",
     "http://a b", "file:///etc/passwd", "http://127.0.0.1:9\n"],
)  # fmt: skip
def test_an_address_that_is_none_is_told(url, tmp_path, capsys):
    command = ["alert", f"--server={url}", "--state", str(tmp_path / "s.json")]
    assert cli.main(command) == 2
    printed = capsys.readouterr().err
    assert "got" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    "answer",
    [b"<html>welcome</html>", b"\xff\xfe", b"{", b"", b"a{", b'bqx_requests_total{code="200"} x',
     b"bqx_requests_total 3\n"],
)  # fmt: skip
def test_another_server_behind_the_address_is_not_up(answer):
    async def any_page(_):
        return Response(answer)

    with answering(Starlette(routes=[Route("/{page}", any_page)])) as url:
        numbers, counters = sources.server(url, {"known": 1.0})
    assert numbers == dict.fromkeys(numbers) | {"endpoint_up": 0.0}
    assert counters == {"known": 1.0}


def test_an_answer_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr(sources, "TIMEOUT", 0.3)

    async def drips():
        for _ in range(200):
            yield b"#"
            await asyncio.sleep(0.05)

    async def page(_):
        return StreamingResponse(drips())

    with answering(Starlette(routes=[Route("/{page}", page)])) as url:
        start = time.monotonic()
        assert sources.server(url, {})[0]["endpoint_up"] == 0.0
        assert time.monotonic() - start < 5.0


def test_a_server_that_is_down_over_five_minutes_alerts(tmp_path, monkeypatch, capsys):
    now = 1_767_600_000
    command = ["alert", "--server", "http://127.0.0.1:9", "--state", str(tmp_path / "s.json")]
    for minute in range(7):
        monkeypatch.setattr(time, "time", lambda minute=minute: now + 60.0 * minute + 0.4)
        assert cli.main(command) == int(minute >= 5)
    assert capsys.readouterr().err.count("critical: the endpoint does not answer") == 1


def test_approvals_are_told_once_at_whole_seconds(tmp_path, monkeypatch, capsys):
    log = ChainedLog(tmp_path / "registry" / "audit.jsonl")
    log.add()
    now = datetime(2026, 1, 5, 10, tzinfo=UTC)

    def approve(seconds, status="approved"):
        stamp = (now + timedelta(seconds=seconds)).isoformat(timespec="seconds")
        log.add({"time": stamp, "status": status, "pair": "eurusd", "version": 1})

    def told(seconds):
        monkeypatch.setattr(time, "time", lambda: now.timestamp() + seconds)
        registry = str(log.path.parent)
        assert cli.main(["alert", "--registry", registry, "--state", str(tmp_path / "s")]) == 0
        return capsys.readouterr().err.count("info: a model was deployed")

    approve(-100)
    assert told(0.0) == 0  # what was before is not told
    approve(60)
    assert told(60.3) == 0  # its second is not over
    approve(60)
    approve(70, "rejected")
    assert told(120.0) == 1
    assert told(180.0) == 0
    with pytest.raises(ParameterError, match="--registry: none"):
        sources.approvals(tmp_path / "absent", 0.0, 1.0)


def test_trainings_that_began_and_failed_are_counted(tmp_path):
    for name, began, failed in (("a", 100, 0), ("b", 200, 250), ("c", 200, 0)):
        root = tmp_path / "training" / name
        for file, at in (("input/config/hyperparameters.json", began), ("output/failure", failed)):
            if at:
                (root / file).parent.mkdir(parents=True)
                (root / file).write_text("x")
                os.utime(root / file, (at, at))
    counted = [sources.trainings(tmp_path, since, since + 100) for since in (100, 200, 300)]
    assert [own["retraining_started"] for own in counted] == [1, 2, 0]
    assert [own["training_failed"] for own in counted] == [0, 1, 0]
    with pytest.raises(ParameterError, match=r"--platform: no folder, got .*absent; expected one"):
        sources.trainings(tmp_path / "absent", 0, 1)


def test_charges_are_those_of_this_month(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    now = datetime.now(UTC).replace(day=15, hour=12)
    with mock_aws():
        client = boto3.client("cloudwatch", "us-east-1")
        dimensions = [{"Name": "Currency", "Value": "USD"}]
        for hours, value in ((30, 380.0), (6, 441.5), (24 * 16, 900.0)):
            own = {"MetricName": "EstimatedCharges", "Dimensions": dimensions, "Value": value}
            own |= {"Timestamp": now - timedelta(hours=hours)}
            client.put_metric_data(Namespace="AWS/Billing", MetricData=[own])
        numbers = sources.charges(calls.clients("us-east-1"), 500.0, now)
        assert numbers == {"cost_to_date": 441.5, "cost_share_of_budget": 0.883}
        none = sources.charges(calls.clients("us-east-1"), 500.0, now + timedelta(days=10))
        assert none == {"cost_to_date": None, "cost_share_of_budget": None}
    assert json.dumps(numbers)


def test_alerts_measure_what_the_list_of_metrics_says(tmp_path, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    ChainedLog(tmp_path / "registry" / "audit.jsonl").add()
    with mock_aws():
        of = calls.clients("us-east-1")
        written = {
            **sources.server("http://127.0.0.1:9", {})[0],
            **sources.approvals(tmp_path / "registry", 0.0, 1.0),
            **sources.trainings(tmp_path, 0.0, 1.0),
            **sources.charges(of, 500.0),
            **sources.endpoint(of),
        }
    assert set(written) == metrics.of_writer("alert")
    # Without an endpoint nothing else is lost.
    assert written["instances"] is None
    assert "sagemaker.describe_endpoint: refused" in capsys.readouterr().err


def test_containers_are_those_of_all_variants(monkeypatch):
    variants = [{"CurrentInstanceCount": 2}, {"CurrentInstanceCount": 1}, {}]
    monkeypatch.setattr(sources, "make", lambda call, of: {"ProductionVariants": variants})
    assert sources.endpoint(lambda name: None) == {"instances": 3.0}
