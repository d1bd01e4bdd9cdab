"""Lambda handlers give what the live panel and the batch give, under their real runtime too."""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lambda_runtime import client, needs_client
from live_market import HORIZONS, NOW, PAIRS, bundles, frames, until

from bqx.features import lags
from bqx.market import sessions
from bqx.serving import __main__ as dispatcher
from bqx.serving import lambda_handlers, live, live_state
from bqx.serving.answers import PredictResponse
from bqx.serving.live_panel import LivePanel

HERE = Path(__file__).parents[1] / "containers" / "lambda"
CUT = 5_000


@pytest.fixture(scope="module")
def panel():
    panel = LivePanel(bundles())
    panel.start(
        {
            pair: (
                sessions.epoch_minutes(frame.index[:CUT]),
                frame.iloc[:CUT].to_numpy().T,
            )
            for pair, frame in frames().items()
        }
    )
    panel.refresh()
    return panel


@pytest.fixture(scope="module")
def place(panel, tmp_path_factory):
    """Where a function finds its bundles and bars."""
    folder = tmp_path_factory.mktemp("lambda")
    for pair, bundle in bundles().items():
        bundle.save(folder / "bundles" / pair)
    live_state.save(panel, folder / "live.npz")
    return {"BQX_BUNDLES": str(folder / "bundles"), "BQX_STATE": str(folder / "live.npz")}


@pytest.fixture
def here(place, monkeypatch):
    for name, value in place.items():
        monkeypatch.setenv(name, value)


def proxied(content, **more):
    return {"requestContext": {"stage": "prod"}, "body": json.dumps(content)} | more


def refused(answer, kind, text=""):
    assert answer["error"]["type"] == kind
    assert text in answer["error"]["message"]


def test_a_prediction_is_the_panels(panel, here):
    for pair in PAIRS:
        answer = lambda_handlers.predict({"pair": pair}, None)
        forecast = panel.newest(pair)
        PredictResponse.model_validate(answer)
        assert answer["timestamp"] == forecast.timestamp
        for horizon in HORIZONS:
            told = answer["predictions"][f"horizon_{horizon}"]
            assert told["value"] == forecast.predictions[horizon].level
            assert told["signal"] == forecast.signals[horizon].side


def test_api_gateway_is_answered_in_its_form(here):
    alone = lambda_handlers.predict({"pair": "eurusd"}, None)
    body = json.dumps({"pair": "eurusd"}).encode()
    coded = base64.b64encode(body).decode()
    for event in (
        proxied({"pair": "EURUSD"}),
        proxied({}, body=coded, isBase64Encoded=True),
    ):
        answer = lambda_handlers.predict(event, None)
        assert answer["statusCode"] == 200
        content = json.loads(answer["body"])
        assert content | NOW == json.loads(json.dumps(alone)) | NOW
    assert lambda_handlers.predict(proxied({"pair": "x"}), None)["statusCode"] == 404


def sent_of(bundle):
    """Bars of a bundle's pair, and closes of its panel up to the last of them."""
    sent = {pair: frame.iloc[:CUT] for pair, frame in frames().items()}
    last = min(frame.index[-1] for frame in sent.values())
    last = next(ts for ts in sent[bundle.pair].index[::-1] if ts <= last)
    closes = {pair: sent[pair].loc[:last, "close"] for pair in bundle.panel}
    return sent[bundle.pair].loc[:last], closes


def test_a_request_may_bring_its_bars(here):
    bundle = bundles()["gbpusd"]
    frame, closes = sent_of(bundle)
    answer = lambda_handlers.predict(live.payload("gbpusd", frame, closes), None)
    expected = live.forecast(bundle, frame, closes)["predictions"]
    for horizon in HORIZONS:
        value = answer["predictions"][f"horizon_{horizon}"]["value"]
        assert value == expected[str(horizon)]["level"]


@pytest.mark.parametrize("more", [{"timestamp": "2020-01-06T09:30:00Z"}, {"panle": {}}])
@pytest.mark.parametrize("handler", [lambda_handlers.predict, lambda_handlers.features])
def test_beside_bars_nothing_is_passed_over(here, handler, more):
    event = live.payload("gbpusd", *sent_of(bundles()["gbpusd"]))
    assert "error" not in handler(event, None)
    refused(handler(event | more, None), "bars", f"got keys {sorted(event | more)}")


def test_features_are_the_batchs(here):
    bundle = bundles()["eurusd"]
    ts = frames()["eurusd"].index[CUT - 20]
    bars = until(frames(), ts)["eurusd"]
    expected = lags.matrix(bars, bundle.columns, np.array([len(bars) - 1]), bundle.fits)[0]
    event = {"pair": "eurusd", "timestamp": ts.isoformat()}
    answer = lambda_handlers.features(event, None)
    assert pd.Timestamp(answer["timestamp"]) == ts
    assert list(answer["features"]) == [column.name for column in bundle.columns]
    values = [np.nan if v is None else v for v in answer["features"].values()]
    np.testing.assert_array_equal(np.array(values, np.float32), expected)
    some = [bundle.columns[3].name, "rate_moments_mean_w20"]
    answer = lambda_handlers.features(event | {"columns": some}, None)
    assert list(answer["features"]) == some
    assert answer["features"][some[0]] == expected[3]


def test_all_features_are_given_on_request(here):
    answer = lambda_handlers.features({"pair": "eurusd", "columns": "all"}, None)
    values = list(answer["features"].values())
    assert len(values) > 1_800
    assert sum(value is not None for value in values) > 800


def test_a_schedule_forecasts_all_pairs(here):
    answer = lambda_handlers.precompute({"source": "aws.scheduler"}, None)
    assert set(answer["forecasts"]) == set(PAIRS)
    assert answer["faults"] == {}


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (None, "request"),
        ([], "request"),
        ("eurusd", "request"),
        ({}, "request"),
        ({"pair": 3}, "request"),
        ({"pair": "audusd"}, "pair"),
        ({"pair": "eurusd", "bars": {}}, "bars"),
        ({"pair": "eurusd", "bars": None}, "bars"),
        ({"pair": "eurusd", "timestamp": "1999-03-09T12:00:00Z"}, "bar"),
        ({"pair": "eurusd", "more": 1}, "request"),
        (proxied({}, body="{"), "request"),
        (proxied({}, body=None), "request"),
        (proxied({}, body='{"pair": "eurusd", "pair": "gbpusd"}'), "request"),
        (proxied({}, body="&&&", isBase64Encoded=True), "request"),
        (proxied({}, body="[" * 100_000), "request"),
        (proxied(3), "request"),
    ],
)
@pytest.mark.parametrize("handler", [lambda_handlers.predict, lambda_handlers.features])
def test_what_is_no_good_event_is_answered_too(here, handler, event, kind):
    answer = handler(event, None)
    if isinstance(event, dict) and "requestContext" in event:
        assert 400 <= answer["statusCode"] < 500
        answer = json.loads(answer["body"])
    refused(answer, kind)


@pytest.mark.parametrize("columns", [["nothing"], [], 3, {"x": 1}, [None], [[]]])
def test_unknown_columns_are_refused(here, columns):
    answer = lambda_handlers.features({"pair": "eurusd", "columns": columns}, None)
    refused(answer, "bars", "columns: unknown")


def test_a_damaged_state_is_told(here, tmp_path, monkeypatch):
    for path in (tmp_path / "absent", tmp_path):
        monkeypatch.setenv("BQX_STATE", str(path))
        refused(lambda_handlers.predict({"pair": "eurusd"}, None), "state")


def test_the_stored_events_are_answered_as_the_sample_says(here):
    sample = json.loads((HERE / "sample_response.json").read_text())
    for case in json.loads((HERE / "test_events.json").read_text()):
        answer = getattr(lambda_handlers, case["handler"])(case["event"], None)
        if "statusCode" in answer:
            assert answer["statusCode"] == case["statusCode"], answer
            answer = json.loads(answer["body"])
        assert ("error" in answer) == (case.get("error") is not None), answer
        if "error" in answer:
            assert answer["error"]["type"] == case["error"]
        elif case["handler"] == "predict":
            assert shape_of(json.loads(json.dumps(answer))) == shape_of(sample)


def shape_of(content):
    """Names and kinds of an answer, numbers of both kinds alike."""
    if isinstance(content, dict):
        return {name: shape_of(value) for name, value in content.items()}
    if isinstance(content, list):
        return [shape_of(value) for value in content]
    return {int: float, type(None): float}.get(type(content), type(content))


@pytest.mark.parametrize("arguments", [["nothing"], ["predict", "more"]])
def test_there_is_no_other_handler(arguments, capsys):
    assert lambda_handlers.main(arguments) == 2
    assert "expected one of features, predict, precompute" in capsys.readouterr().err


def test_the_verb_of_the_image_runs_a_handler(monkeypatch):
    ran = []
    monkeypatch.setattr(lambda_handlers.os, "execv", lambda *arguments: ran.append(arguments))
    dispatcher.main(["lambda", "precompute"])
    ((program, command),) = ran
    assert [program, *command[1:]] == [
        sys.executable,
        *("-m", "awslambdaric", "bqx.serving.lambda_handlers.precompute"),
    ]


@needs_client
def test_the_real_runtime_runs_the_handlers(panel, place, tmp_path):
    rng = np.random.default_rng(0)
    stamps = frames()["eurusd"].index[CUT - 1_000 : CUT]
    with client("predict", tmp_path / "printed", **place) as ask:
        for ts in [None, *rng.choice(stamps, 50)]:
            event = {"pair": "eurusd"} | ({"timestamp": ts.isoformat()} if ts else {})
            answer = ask(event)
            minute = None if ts is None else ts.value // 60_000_000_000
            expected = panel.newest("eurusd") if ts is None else panel.at("eurusd", minute)
            for horizon in HORIZONS:
                told = answer["predictions"][f"horizon_{horizon}"]
                assert told["value"] == expected.predictions[horizon].level
        refused(ask({"pair": "nothing"}), "pair")
        assert ask(proxied({"pair": "eurusd"}))["statusCode"] == 200
    assert "Traceback" not in (tmp_path / "printed").read_text()
    with client("features", tmp_path / "printed", **place) as ask:
        assert len(ask({"pair": "eurusd"})["features"]) == len(bundles()["eurusd"].columns)
