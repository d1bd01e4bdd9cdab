"""The HTTP server: ``GET /ping``, ``POST /invocations``, the live API and ``GET /metrics``."""

import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Literal

import anyio
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bqx.errors import ArtefactError, BarError, ParameterError, RequestError
from bqx.files import alone
from bqx.serving import api, bodies, captured, feeds, live
from bqx.serving.bodies import refusal
from bqx.serving.limits import DRAIN, SECONDS, LimitedProtocol
from bqx.serving.live_feed import LiveFeed
from bqx.serving.metered import metered
from bqx.serving.models import Models, Served
from bqx.serving.sent import read

WAIT = 10.0
"""Longest time that a request waits for those before it, seconds."""

BACKLOG = 128
"""Connections that are accepted at one time; a process may open a few hundred files only."""


def app(models: Models, live_feed: LiveFeed | None = None) -> Starlette:
    """Application that answers for what is served, and with a live feed for its newest bars.

    An answer to bars is that of `live.forecast` and the standing of the model behind it. Such
    forecasts are made one after the other, since two at a time only wait for each other's
    interpreter.

    Errors are JSON ``{"error": {"type", "message"}}``: 400 for what is no request, 403 for one
    without the key of `api.KEY`, 404 for a pair that is not served, 413 for more than 6 MB, 415 for
    a body that says it is no JSON, 422 for bars that cannot be answered, 429 while too much is
    asked, 503 where a version or its registry is damaged.
    """
    application = Starlette(
        routes=[
            Route("/ping", _ping, methods=["GET"]),
            Route("/invocations", _invocations, methods=["POST"]),
            *api.routes(),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["GET", "POST"],
                allow_headers=["content-type", "x-api-key"],
            )
        ],
        exception_handlers={HTTPException: _refused},
        lifespan=_following,
    )
    # A redirect would name whatever host the client says.
    application.router.redirect_slashes = False
    application.state.models = models
    application.state.live = live_feed
    application.state.throttle = api.Throttle()
    application.state.in_flight = 0
    application.state.turn = anyio.Lock()
    application.state.meter = metered(application)
    return application


@asynccontextmanager
async def _following(application: Starlette) -> AsyncIterator[None]:
    """Read the feed while the application runs; uvicorn does not come back from a signal."""
    live_feed: LiveFeed | None = application.state.live
    if live_feed is not None:
        live_feed.start()
    yield
    if live_feed is not None:
        await to_thread.run_sync(live_feed.stop)


def answer(ready: Mapping[str, Served], body: bytes) -> Response:
    """Answer to a request's body."""
    try:
        content = read(body)
        pair, frame, panel = live.parse(content)
    except RequestError as error:
        return refusal(400, "request", str(error))
    except (ValueError, RecursionError):
        return refusal(400, "json", "request: no JSON, got other text; expected one object.")
    if pair not in ready:
        pairs = ", ".join(ready) or "none at present"
        return refusal(
            404, "pair", f"pair: not served, got {pair[:20]!r}; expected one of {pairs}."
        )
    try:
        forecast = live.forecast(ready[pair].bundle, frame, panel)
    except (BarError, RequestError) as error:
        return refusal(422, "bars", str(error))
    return JSONResponse(forecast | ready[pair].standing)


def _current_answer(models: Models, body: bytes) -> Response:
    try:
        ready = models.current()
    except ArtefactError as error:
        return refusal(503, "registry", str(error))
    return answer(ready, body)


async def _invocations(request: Request) -> Response:
    refused = api.refused_key(request)
    if refused is not None:
        return refused
    body = bytearray()
    try:
        refused = await bodies.receive(request, body)
        return refused or await _in_turn(request, bytes(body))
    finally:
        bodies.release(request, body)


async def _in_turn(request: Request, body: bytes) -> Response:
    """Answer when those before it have theirs, unless the client is gone by then."""
    state = request.app.state
    response: Response = Response(status_code=400)

    async def leave_with_client() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave_with_client)
        with anyio.move_on_after(WAIT) as waiting:
            await state.turn.acquire()
        if waiting.cancelled_caught:
            message = f"requests: too many, waited {WAIT:.0f} seconds. Try later."
            response = refusal(429, "busy", message)
        else:
            try:
                response = await to_thread.run_sync(_current_answer, state.models, body)
            finally:
                state.turn.release()
        tasks.cancel_scope.cancel()
    return response


async def _ping(request: Request) -> Response:
    return Response()


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    # Its URL is made of what the client says, which may be none.
    asked = f"{request.method[:20]} {request.scope['path'][:80]}"
    headers = error.headers if isinstance(error, HTTPException) else None
    return refusal(status, "http", f"{asked}: not answered.", **dict(headers or {}))


def serve(
    folder: Path,
    port: int,
    host: str = "127.0.0.1",
    *,
    pair: str = "",
    unapproved: bool = False,
    feed: str = "",
    history: Path | None = None,
    state: Path | None = None,
) -> None:
    """Serve a folder of bundles or a registry until interrupted, see `app` and `Models`.

    ``feed`` : of bars, see `feeds.opened`, empty for none; ``history`` : bars before it;
    ``state`` : file that keeps the bars from one start to the next.

    What is served is named on standard error. After a signal to stop, requests that are being
    answered have `limits.DRAIN` seconds.

    Raises
    ------
    ParameterError : the port is none, or in use.
    ArtefactError : there is nothing to serve, or another server keeps the state.
    OSError : the state cannot be written at the end.
    """
    with listening(host, port) as bound, _kept(state):
        models = Models(folder, pair, unapproved=unapproved)
        for model in models.ready.values():
            print(model.notice, file=sys.stderr)
        live_feed = _live(models, feed, history, state) if feed else None
        print(f"http://{host}:{port} answers until Ctrl-C", file=sys.stderr)
        run(app(models, live_feed), bound, lifespan="on")
        if live_feed is not None:
            live_feed.save()


def _kept(state: Path | None) -> AbstractContextManager[None]:
    if state is None:
        return nullcontext()
    busy = (
        f"--state: kept by another server, got {state}; expected a file of this one. Name another."
    )
    return alone(state.with_name(f".{state.name}.lock"), busy)


def run(application: Starlette, bound: socket.socket, *, lifespan: Literal["on", "off"]) -> None:
    """Answer on a socket, within the limits of `limits`, until interrupted."""
    with captured.turning(), suppress(KeyboardInterrupt):
        _Server(_config(application, lifespan)).run([bound])


class _Server(uvicorn.Server):
    """A server that writes down what was captured before the signal that stops it ends all."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        captured.flush()


def _config(application: Starlette, lifespan: Literal["on", "off"]) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        # Refusals are the clients' affair: one line for each would fill a disk.
        log_level="error",
        http=LimitedProtocol,
        ws="none",
        lifespan=lifespan,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(SECONDS["idle"]),
        # Twice the time after which connections are cut, should one not end even so.
        timeout_graceful_shutdown=int(2 * DRAIN),
    )


def _live(models: Models, name: str, history: Path | None, state: Path | None) -> LiveFeed:
    live_feed = LiveFeed(feeds.opened(name), models, state)
    if history is not None and not len(live_feed.panel.window):
        live_feed.begin_with(history)
    return live_feed


def listening(host: str, port: int, key: str = "--port") -> socket.socket:
    """A socket with the port taken, on which nothing is accepted before a server runs.

    Raises ParameterError, which names the key, where the port is none, or in use.
    """
    if not 0 < port < 65_536:
        raise ParameterError(f"{key}: none, got {port}; expected 1 to 65535.")
    # Only of a socket that says it is TCP's does asyncio send small answers at once: else each
    # waits for the client's acknowledgement, some 40 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ParameterError(
            f"{key}: cannot be used, got {port} ({error.strerror}); expected a free one. "
            "Name another, or stop what listens there."
        ) from None
    return bound
