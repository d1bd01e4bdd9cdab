"""The API of a live server: ``POST /predict``, ``GET /forecasts``, ``/live`` and
``/openapi.json``."""

import hmac
import os
import time
from collections.abc import Callable

from anyio import to_thread
from prometheus_client import Counter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bqx.errors import AbsentBarError, RequestError
from bqx.market import sessions
from bqx.serving import bodies, openapi
from bqx.serving.answers import (
    ForecastsResponse,
    LiveResponse,
    PredictRequest,
    PredictResponse,
    told,
)
from bqx.serving.bodies import refusal
from bqx.serving.forecast import Forecast
from bqx.serving.live_feed import LiveFeed
from bqx.serving.sent import BodyError, read

KEY = "BQX_API_KEY"
"""Environment variable with the key that requests must bring in ``x-api-key``; without it none is
asked for."""
RATE = 100
"""Requests of a second, and as many at once after a quiet one."""
LARGEST = 4_096
"""Bytes of a request to ``/predict``."""


class Throttle:
    """A bucket that a request takes from and that fills again, `RATE` a second."""

    def __init__(self, rate: float = RATE, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._at = rate, clock()

    def wait(self) -> float:
        """Seconds until one more is let through, 0 for now, which takes it."""
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / self._rate
        self._left -= 1.0
        return 0.0


def routes() -> list[Route]:
    """Routes of the API, for an application whose state has ``live`` and ``throttle``."""
    return [
        Route("/predict", _predict, methods=["POST"]),
        Route("/forecasts", _forecasts, methods=["GET"]),
        Route("/live", _live, methods=["GET"]),
        Route("/openapi.json", _openapi, methods=["GET"]),
    ]


def refused_key(request: Request) -> Response | None:
    """What keeps a request from being looked at that brings another key than the server's."""
    key = os.environ.get(KEY)
    brought = request.headers.get("x-api-key", "")
    if key and not hmac.compare_digest(brought.encode("latin-1"), os.fsencode(key)):
        return refusal(403, "key", "x-api-key: a wrong or no key; expected that of this server.")
    return None


def _unforecast(request: Request) -> Response | None:
    """What keeps a forecast from being given."""
    refused = _refused(request)
    if refused is not None:
        return refused
    live: LiveFeed = request.app.state.live
    if live.ended:
        return refusal(503, "feed", live.ended)
    return refusal(503, "registry", live.fault) if live.fault else None


def _refused(request: Request) -> Response | None:
    """What keeps a request from being looked at."""
    refused = refused_key(request)
    if refused is not None:
        return refused
    wait = request.app.state.throttle.wait()
    if wait > 0.0:
        message = f"requests: too many, got over {RATE} a second. Try later."
        return refusal(429, "busy", message, **{"Retry-After": "1"})
    if request.app.state.live is None:
        message = "live: no feed, got a server without one. Start it with --live."
        return refusal(404, "live", message)
    return None


async def _predict(request: Request) -> Response:
    refused = _unforecast(request)
    if refused is not None:
        return refused
    body = bytearray()
    try:
        refused = await bodies.receive(request, body, LARGEST)
        if refused is not None:
            return refused
        started = time.perf_counter()
        try:
            asked = PredictRequest.model_validate_json(bytes(body))
            read(bytes(body))
            state = request.app.state
            return await _answer(state.live, asked, started, counted=state.meter.forecasts)
        except ValidationError as error:
            return refusal(400, "request", told(error))
        except BodyError as error:
            return refusal(400, "request", str(error))
        except (AbsentBarError, OverflowError) as error:
            return refusal(404, "bar", str(error))
        except RequestError as error:
            return refusal(409, "bars", str(error))
    finally:
        bodies.release(request, body)


async def _answer(
    live: LiveFeed, asked: PredictRequest, started: float, *, counted: Counter
) -> Response:
    pair, minute = asked.pair, asked.minute
    if pair not in live.panel.bundles:
        pairs = ", ".join(live.panel.bundles) or "none at present"
        return refusal(
            404, "pair", f"pair: not served, got {pair[:20]!r}; expected one of {pairs}."
        )
    if minute is None:
        forecast = live.panel.newest(pair)
    else:
        forecast = await to_thread.run_sync(live.panel.at, pair, minute)
    counted.labels("memory" if minute is None else "computed").inc()
    answer = _of(live, forecast, started)
    return Response(answer.model_dump_json(), media_type="application/json")


async def _forecasts(request: Request) -> Response:
    refused = _unforecast(request)
    if refused is not None:
        return refused
    live: LiveFeed = request.app.state.live
    started = time.perf_counter()
    forecasts, faults = {}, {}
    for pair in live.panel.bundles:
        try:
            forecasts[pair] = _of(live, live.panel.newest(pair), started)
        except RequestError as error:
            faults[pair] = str(error)
    answer = ForecastsResponse(forecasts=forecasts, faults=faults)
    return Response(answer.model_dump_json(), media_type="application/json")


async def _live(request: Request) -> Response:
    refused = _refused(request)
    if refused is not None:
        return refused
    panel = request.app.state.live.panel
    newest = panel.newest_minute
    behind: dict[str, int | None] = {}
    for pair in panel.bundles:
        try:
            behind[pair] = panel.newest(pair).minutes_behind
        except RequestError:
            behind[pair] = None
    answer = LiveResponse(
        newest=None if newest is None else sessions.timestamp(newest).isoformat(),
        pairs=behind,
        counts=dict(panel.counts),
        refusal=panel.refusal,
    )
    return Response(answer.model_dump_json(), media_type="application/json")


def _of(live: LiveFeed, forecast: Forecast, started: float) -> PredictResponse:
    return PredictResponse.of(
        forecast,
        live.served(forecast.bundle),
        milliseconds=1e3 * (time.perf_counter() - started),
    )


async def _openapi(request: Request) -> Response:
    return JSONResponse(openapi.document())
