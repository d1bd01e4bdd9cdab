"""The HTTP server of a container: ``GET /ping`` and ``POST /invocations``, JSON only."""

import json
import sys
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
from bqx.serving import live, registry
from bqx.serving.registry import Folder, Registry, Version

LARGEST = 6_000_000
"""Bytes of a request, the limit of the endpoints this stands in for."""


def _no(status: int, kind: str, message: str) -> JSONResponse:
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
    if (folder / registry.LOG).exists():
        return _registered(Folder(folder), check(pair) if pair else "")
    found = {name: Served(one) for name, one in bundles(folder).items() if pair in ("", name)}
    if not found:
        raise ArtefactError(
            f"{folder}: no bundle of {pair}, got none; expected one. Name another pair or folder."
        )
    return found


def _registered(store: Folder, pair: str) -> dict[str, Served]:
    asked = Registry(store, "server")
    found = {}
    for name in [pair] if pair else store.pairs():
        every = store.versions(name)
        version = asked.latest_approved(name) or (every[-1] if pair and every else None)
        if version is not None:
            found[name] = Served(bundle.load(Path(version.bundle)), version)
    if not found:
        states = {name: store.versions(name)[-1].status for name in store.pairs()}
        said = ", ".join(f"{name} {status}" for name, status in states.items())
        raise ArtefactError(
            f"{store.folder}: nothing to serve, got {said or 'no version'}; expected an approved "
            "version, or one of the pair asked for. Name a pair to try what is not approved."
        )
    return found


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


def app(folder: Path, pair: str = "") -> Starlette:
    """Application that answers for what a folder serves, see `served`.

    An answer is that of `live.forecast` and the standing of the model behind it.

    Errors are JSON ``{"error": {"type", "message"}}``: 400 for what is no request, 404 for an
    unknown pair, 413 for more than 6 MB, 422 for bars that cannot be answered.

    Raises ArtefactError when there is no bundle, or one cannot be loaded.
    """
    ready = served(folder, pair)

    def answer(body: bytes) -> Response:
        try:
            pair, frame, panel = live.parse(json.loads(body, parse_constant=_constant))
        except RequestError as error:
            return _no(400, "request", str(error))
        except (ValueError, RecursionError):
            return _no(400, "json", "request: no JSON, got other text; expected one object.")
        if pair not in ready:
            return _no(
                404,
                "pair",
                f"pair: not served, got {pair[:20]!r}; expected one of {', '.join(ready)}.",
            )
        try:
            made = live.forecast(ready[pair].bundle, frame, panel)
            return JSONResponse(made | ready[pair].standing)
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

    made = Starlette(
        routes=[
            Route("/ping", ping, methods=["GET"]),
            Route("/invocations", invocations, methods=["POST"]),
        ],
        exception_handlers={HTTPException: refused},
    )
    made.state.ready = ready
    return made


def serve(folder: Path, port: int, host: str = "127.0.0.1", pair: str = "") -> None:
    """Serve a folder of bundles or a registry until interrupted, see `app`.

    What is not approved is named on standard error.
    """
    made = app(folder, pair)
    for name, each in made.state.ready.items():
        version = each.version
        if version is not None and version.status != "approved":
            why = "; ".join(map(str, version.reasons)) or "not judged yet"
            print(
                f"{name}: version {version.number} is {version.status}, NOT approved ({why})",
                file=sys.stderr,
            )
    uvicorn.run(made, host=host, port=port, log_level="warning")
