"""The server against its own OpenAPI document: whatever that allows, and what it does not."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from live_market import bundles, frames
from schemathesis import GenerationMode
from test_live_server import CUT, Client, Silent

from bqx.serving.app import app
from bqx.serving.live_feed import LiveFeed
from bqx.serving.models import Models


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    place = tmp_path_factory.mktemp("openapi")
    for pair, bundle in bundles().items():
        bundle.save(place / "bundles" / pair)
    (place / "history").mkdir()
    for pair, frame in frames().items():
        frame.iloc[:CUT].to_parquet(place / "history" / f"{pair}.parquet")
    live = LiveFeed(Silent(), Models(place / "bundles", unapproved=True))
    live.begin_with(place / "history")
    live.panel.refresh()
    application = app(live.models, live)
    # What a client may ask in a second is another test's.
    application.state.throttle.wait = lambda: 0.0
    client = Client(application)
    return client, schemathesis.openapi.from_dict(client("GET", "/openapi.json").json())


ASKED = [
    ("/ping", "GET", GenerationMode.POSITIVE),
    ("/forecasts", "GET", GenerationMode.POSITIVE),
    ("/live", "GET", GenerationMode.POSITIVE),
    ("/predict", "POST", GenerationMode.POSITIVE),
    ("/predict", "POST", GenerationMode.NEGATIVE),
]


@pytest.mark.parametrize(("path", "method", "mode"), ASKED)
def test_every_answer_is_what_the_document_says(schema, path, method, mode):
    client, document = schema
    operation = document[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    def answer(case):
        asked = case.as_transport_kwargs(base_url="http://x")
        names = {"data": "content"}
        kept = ("headers", "params", "json", "data")
        content = {names.get(key, key): asked[key] for key in kept if asked.get(key) is not None}
        case.validate_response(client(asked["method"], path, **content))

    answer()


def test_no_path_is_left_out(schema):
    told = {result.ok().path for result in schema[1].get_all_operations()}
    assert told == {path for path, _, _ in ASKED}
