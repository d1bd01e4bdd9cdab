"""``GET /metrics``: what a server counts of itself, in the format that Prometheus reads."""

import os
import sys
import time
from collections.abc import Iterable

from anyio import to_thread
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bqx.errors import ArtefactError
from bqx.market import sessions
from bqx.monitoring.metrics import BY_NAME
from bqx.serving.timed import Timed

MEASUREMENTS = "BQX_MEASUREMENTS"
"""Environment variable with files of measurements, a comma between them, whose newest numbers are
told as well."""

ROUTES = ("/ping", "/invocations", "/predict", "/forecasts", "/openapi.json", "/metrics")
"""Paths that are told apart; a client may name any other, and none of those is kept."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0)
"""Ends of the histogram's bins; the documents' 100, 150, 200, 300 and 500 ms are among them."""


class Meter:
    """Counters of one server."""

    def __init__(self) -> None:
        # A series for each that says when it began, which nobody asks for.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        requests, seconds = BY_NAME["requests"], BY_NAME["request_seconds"]
        forecasts = BY_NAME["forecasts"]
        self.requests = Counter(
            requests.exposed, requests.help, requests.labels, registry=self.registry
        )
        self.seconds = Histogram(
            seconds.exposed, seconds.help, seconds.labels, buckets=SECONDS, registry=self.registry
        )
        self.forecasts = Counter(
            forecasts.exposed, forecasts.help, forecasts.labels, registry=self.registry
        )

    def count(self, path: str, code: int, seconds: float) -> None:
        """Count an answer and its time."""
        route = path if path in ROUTES else "other"
        self.requests.labels(route, str(code)).inc()
        self.seconds.labels(route).observe(seconds)


class State(Collector):
    """What a server's state says when it is asked, and what was measured of it."""

    def __init__(self, application: Starlette) -> None:
        self.state = application.state

    def collect(self) -> Iterable[Metric]:
        """Its metrics."""
        live = self.state.live
        pairs = self.state.models.ready if live is None else live.panel.bundles
        gauges: dict[str, float] = _measured()
        gauges |= {"in_flight": self.state.in_flight, "pairs_served": len(pairs)}
        if live is not None and len(live.panel.window):
            gauges["newest_bar_age_minutes"] = sessions.market_age(
                live.panel.window.market_minute, time.time()
            )
        for name, value in gauges.items():
            yield GaugeMetricFamily(BY_NAME[name].exposed, BY_NAME[name].help, value)
        if live is not None:
            bars = BY_NAME["bars"]
            family = CounterMetricFamily(bars.exposed, bars.help, labels=bars.labels)
            for fate, count in live.panel.counts.items():
                family.add_metric([fate], count)
            yield family


def _measured() -> dict[str, float]:
    """The newest numbers of the files that `MEASUREMENTS` names."""
    places = [place for place in os.environ.get(MEASUREMENTS, "").split(",") if place]
    if not places:
        return {}
    # A bucket's library takes a while, which a server without measurements need not wait.
    from bqx.monitoring import measured

    numbers: dict[str, float] = {}
    for place in places:
        try:
            newest = measured.read([place])[-1:]
        except ArtefactError as error:
            print(error, file=sys.stderr)
            continue
        for measurements in newest:
            numbers |= {
                name: value for name, value in measurements.numbers.items() if value is not None
            }
    return numbers


def metered(application: Starlette) -> Meter:
    """Count and time the answers of an application, and tell of them under ``/metrics``."""
    meter = Meter()
    meter.registry.register(State(application))

    async def answer(request: Request) -> Response:
        # In a thread: a file may be read.
        content = await to_thread.run_sync(generate_latest, meter.registry)
        return Response(content, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    application.router.routes.append(Route("/metrics", answer, methods=["GET"]))
    application.add_middleware(Timed, meter=meter)
    return meter
