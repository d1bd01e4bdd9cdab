"""The HTTP server of a container: ``GET /ping`` and ``POST /invocations``, JSON only."""

import json
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import anyio
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bqx.errors import ArtefactError, BarError, ParameterError, RequestError
from bqx.serving import live
from bqx.serving.limits import DRAIN, SECONDS, LimitedProtocol, error_of
from bqx.serving.models import Models, Served

LARGEST = 6_000_000
"""Bytes of a request, the limit of the endpoints this stands in for."""

IN_FLIGHT = 48_000_000
"""Most bytes of all requests that are being received or wait for their answer."""

WAIT = 10.0
"""Longest time that a request waits for those before it, seconds."""

BACKLOG = 128
"""Connections that are accepted at one time; a process may open a few hundred files only."""


def _refusal(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse(error_of(kind, message), status)


def _constant(name: str) -> NoReturn:
    raise RequestError(
        f"request: {name} is not JSON, got it as a number; expected finite numbers. Send no bar "
        "for a minute without trades."
    )


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(members)
    if len(content) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in content if names.count(name) > 1)
        raise RequestError(f"request: a name twice, got {twice[:20]!r}; expected each once.")
    return content


def app(models: Models) -> Starlette:
    """Application that answers for what is served.

    An answer is that of `live.forecast` and the standing of the model behind it. Forecasts are
    made one after the other, since two at a time only wait for each other's interpreter.

    Errors are JSON ``{"error": {"type", "message"}}``: 400 for what is no request, 404 for a pair
    that is not served, 413 for more than 6 MB, 415 for a body that says it is no JSON, 422 for bars
    that cannot be answered, 429 while too much is asked, 503 where a version or its registry is
    damaged.
    """
    application = Starlette(
        routes=[
            Route("/ping", _ping, methods=["GET"]),
            Route("/invocations", _invocations, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refused},
    )
    # A redirect would name whatever host the client says.
    application.router.redirect_slashes = False
    application.state.models = models
    application.state.in_flight = 0
    application.state.turn = anyio.Lock()
    return application


def answer(ready: Mapping[str, Served], body: bytes) -> Response:
    """Answer to a request's body."""
    try:
        content = json.loads(body, parse_constant=_constant, object_pairs_hook=_once)
        pair, frame, panel = live.parse(content)
    except RequestError as error:
        return _refusal(400, "request", str(error))
    except (ValueError, RecursionError):
        return _refusal(400, "json", "request: no JSON, got other text; expected one object.")
    if pair not in ready:
        pairs = ", ".join(ready) or "none at present"
        return _refusal(
            404, "pair", f"pair: not served, got {pair[:20]!r}; expected one of {pairs}."
        )
    try:
        forecast = live.forecast(ready[pair].bundle, frame, panel)
    except (BarError, RequestError) as error:
        return _refusal(422, "bars", str(error))
    return JSONResponse(forecast | ready[pair].standing)


def _current_answer(models: Models, body: bytes) -> Response:
    try:
        ready = models.current()
    except ArtefactError as error:
        return _refusal(503, "registry", str(error))
    return answer(ready, body)


async def _invocations(request: Request) -> Response:
    kind = request.headers.get("content-type", "application/json")
    if kind.partition(";")[0].strip().lower() != "application/json":
        return _refusal(415, "type", f"request: no JSON, got {kind[:40]!r}; expected such a type.")
    state = request.app.state
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            state.in_flight += len(chunk)
            if len(body) > LARGEST:
                message = f"request: too large, got more than {LARGEST:,} bytes. Send less."
                return _refusal(413, "size", message)
            if state.in_flight > IN_FLIGHT:
                return _refusal(429, "busy", "requests: too many bytes at a time. Try later.")
        return await _in_turn(request, bytes(body))
    except ClientDisconnect:
        # Nobody reads it.
        return Response(status_code=400)
    finally:
        state.in_flight -= len(body)


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
            response = _refusal(429, "busy", message)
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
    return _refusal(status, "http", f"{asked}: not answered.")


def serve(
    folder: Path,
    port: int,
    host: str = "127.0.0.1",
    *,
    pair: str = "",
    unapproved: bool = False,
) -> None:
    """Serve a folder of bundles or a registry until interrupted, see `app` and `Models`.

    What is served is named on standard error. After a signal to stop, requests that are being
    answered have `limits.DRAIN` seconds.

    Raises
    ------
    ParameterError : the port is none, or in use.
    ArtefactError : there is nothing to serve.
    """
    with _listening(host, port) as listening:
        models = Models(folder, pair, unapproved=unapproved)
        for model in models.ready.values():
            print(model.notice, file=sys.stderr)
        config = uvicorn.Config(
            app(models),
            # Refusals are the clients' affair: one line for each would fill a disk.
            log_level="error",
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=int(SECONDS["idle"]),
            # Twice the time after which connections are cut, should one not end even so.
            timeout_graceful_shutdown=int(2 * DRAIN),
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run([listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket with the port taken, on which nothing is accepted before the models are there."""
    if not 0 < port < 65_536:
        raise ParameterError(f"--port: none, got {port}; expected 1 to 65535.")
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ParameterError(
            f"--port: cannot be used, got {port} ({error.strerror}); expected a free one. "
            "Name another, or stop what listens there."
        ) from None
    return bound
