"""The HTTP server of a container: ``GET /ping`` and ``POST /invocations``, JSON only."""

import json
from pathlib import Path
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bqx import bundle
from bqx.bundle import Bundle
from bqx.errors import ArtefactError, BarError, RequestError
from bqx.serving import live

LARGEST = 6_000_000
"""Bytes of a request, the limit of the endpoints this stands in for."""


def _no(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status)


def _constant(name: str) -> NoReturn:
    raise RequestError(
        f"request: {name} is not JSON, got it as a number; expected finite numbers. Send no bar "
        "for a minute without trades."
    )


def bundles(folder: Path) -> dict[str, Bundle]:
    """Bundles of a folder by pair; a bundle's own folder gives that one.

    Raises ArtefactError when there is none, or one cannot be loaded.
    """
    folders = sorted(path.parent for path in folder.glob(f"**/{bundle.MANIFEST}"))
    if not folders:
        raise ArtefactError(
            f"{folder}: no bundle, got no {bundle.MANIFEST}; expected at least one. Run notebook "
            "07_deployment, or name its bundles folder."
        )
    loaded = [bundle.load(path) for path in folders]
    return {one.pair: one for one in loaded}


def app(folder: Path) -> Starlette:
    """Application that answers for every bundle of a folder.

    Errors are JSON ``{"error": {"type", "message"}}``: 400 for what is no request, 404 for an
    unknown pair, 413 for more than 6 MB, 422 for bars that cannot be answered.

    Raises ArtefactError when there is no bundle, or one cannot be loaded.
    """
    served = bundles(folder)

    def answer(body: bytes) -> Response:
        try:
            pair, frame, panel = live.parse(json.loads(body, parse_constant=_constant))
        except RequestError as error:
            return _no(400, "request", str(error))
        except (ValueError, RecursionError):
            return _no(400, "json", "request: no JSON, got other text; expected one object.")
        if pair not in served:
            return _no(
                404,
                "pair",
                f"pair: not served, got {pair[:20]!r}; expected one of {', '.join(served)}.",
            )
        try:
            return JSONResponse(live.forecast(served[pair], frame, panel))
        except (BarError, RequestError) as error:
            return _no(422, "bars", str(error))

    async def invocations(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return _no(
                    413, "size", f"request: too large, got more than {LARGEST:,} bytes. Send less."
                )
        return await run_in_threadpool(answer, bytes(body))

    async def ping(request: Request) -> Response:
        return Response()

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return _no(status, "http", f"{request.method} {request.url.path}: not answered.")

    return Starlette(
        routes=[
            Route("/ping", ping, methods=["GET"]),
            Route("/invocations", invocations, methods=["POST"]),
        ],
        exception_handlers={HTTPException: refused},
    )


def serve(folder: Path, port: int, host: str = "127.0.0.1") -> None:
    """Serve the bundles of a folder until interrupted."""
    uvicorn.run(app(folder), host=host, port=port, log_level="warning")
