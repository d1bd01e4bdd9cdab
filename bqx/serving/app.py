"""The HTTP server of a container: ``GET /ping`` and ``POST /invocations``, JSON only."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bqx.errors import ArtefactError, BarError, RequestError
from bqx.learning import bundle
from bqx.learning.bundle import Bundle
from bqx.market.pairs import check
from bqx.serving import live, registry_folder
from bqx.serving.registry import Registry, Version
from bqx.serving.registry_folder import Folder

LARGEST = 6_000_000
"""Bytes of a request, the limit of the endpoints this stands in for."""


def _refusal(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status)


def _constant(name: str) -> NoReturn:
    raise RequestError(
        f"request: {name} is not JSON, got it as a number; expected finite numbers. Send no bar "
        "for a minute without trades."
    )


@dataclass(frozen=True)
class Served:
    """A bundle, and its version where it comes from a registry."""

    bundle: Bundle
    version: Version | None = None

    @property
    def standing(self) -> dict[str, Any]:
        """What an answer says of the model behind it: version, status, and the horizons that
        the gate let pass."""
        if self.version is None:
            return {"version": None, "status": "unregistered", "approved_horizons": []}
        approved = self.version.status == "approved"
        return {
            "version": self.version.number,
            "status": self.version.status,
            "approved_horizons": self.version.facts.get("horizons", []) if approved else [],
        }


def served(folder: Path, pair: str = "") -> dict[str, Served]:
    """What a folder of bundles or a registry serves, by pair.

    A registry serves the latest approved version of each pair; of a pair that was asked for, the
    latest one whatever its status, where none is approved.

    Raises ArtefactError when there is none, or one cannot be loaded.
    """
    if Folder(folder).exists:
        return _registered(Folder(folder), check(pair) if pair else "")
    loaded = bundles(folder)
    if pair and pair not in loaded:
        raise ArtefactError(
            f"{folder}: no bundle of {pair}, got none; expected one. Name another pair or folder."
        )
    return {name: Served(loaded[name]) for name in ([pair] if pair else loaded)}


def _registered(store: Folder, pair: str) -> dict[str, Served]:
    registered = Registry(store, "server")
    ready = {}
    for name in [pair] if pair else store.pairs():
        versions = store.versions(name)
        version = registered.latest_approved(name) or (versions[-1] if pair and versions else None)
        if version is not None:
            ready[name] = Served(store.read(version), version)
    if not ready:
        states = ", ".join(f"{name} {store.versions(name)[-1].status}" for name in store.pairs())
        raise ArtefactError(
            f"{store.folder}: nothing to serve, got {states or 'no version'}; expected an approved "
            "version, or one of the pair asked for. Name a pair to try what is not approved."
        )
    return ready


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
    for path in folders:
        if (path.parent / registry_folder.FACTS).exists():
            raise ArtefactError(
                f"{folder}: a folder above a registry, got {path.parent.parent.parent}; expected "
                "the registry itself, which says what is approved."
            )
    return {loaded.pair: loaded for loaded in map(bundle.load, folders)}


def app(folder: Path, pair: str = "") -> Starlette:
    """Application that answers for what a folder serves, see `served`.

    An answer is that of `live.forecast` and the standing of the model behind it.

    Errors are JSON ``{"error": {"type", "message"}}``: 400 for what is no request, 404 for an
    unknown pair, 413 for more than 6 MB, 422 for bars that cannot be answered.

    Raises ArtefactError when there is no bundle, or one cannot be loaded.
    """
    application = Starlette(
        routes=[
            Route("/ping", _ping, methods=["GET"]),
            Route("/invocations", _invocations, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refused},
    )
    application.state.ready = served(folder, pair)
    return application


def _answer(ready: Mapping[str, Served], body: bytes) -> Response:
    try:
        pair, frame, panel = live.parse(json.loads(body, parse_constant=_constant))
    except RequestError as error:
        return _refusal(400, "request", str(error))
    except (ValueError, RecursionError):
        return _refusal(400, "json", "request: no JSON, got other text; expected one object.")
    if pair not in ready:
        pairs = ", ".join(ready)
        return _refusal(
            404, "pair", f"pair: not served, got {pair[:20]!r}; expected one of {pairs}."
        )
    try:
        forecast = live.forecast(ready[pair].bundle, frame, panel)
    except (BarError, RequestError) as error:
        return _refusal(422, "bars", str(error))
    return JSONResponse(forecast | ready[pair].standing)


async def _invocations(request: Request) -> Response:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            message = f"request: too large, got more than {LARGEST:,} bytes. Send less."
            return _refusal(413, "size", message)
    return await run_in_threadpool(_answer, request.app.state.ready, bytes(body))


async def _ping(request: Request) -> Response:
    return Response()


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _refusal(status, "http", f"{request.method} {request.url.path}: not answered.")


def serve(folder: Path, port: int, host: str = "127.0.0.1", *, pair: str = "") -> None:
    """Serve a folder of bundles or a registry until interrupted, see `app`.

    What is not approved is named on standard error.
    """
    application = app(folder, pair)
    for name, model in application.state.ready.items():
        version = model.version
        if version is not None and version.status != "approved":
            why = "; ".join(map(str, version.reasons)) or "not judged yet"
            notice = f"version {version.number} is {version.status}, NOT approved ({why})"
            print(f"{name}: {notice}", file=sys.stderr)
    uvicorn.run(application, host=host, port=port, log_level="warning")
