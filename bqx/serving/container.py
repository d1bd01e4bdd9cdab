"""The inference container's server: one model, several of a folder, or a multi-model endpoint.

``/ping`` and ``/invocations``, for batches ``/execution-parameters``, and where the platform says
that the endpoint has many models, its five calls of ``/models``.
"""

import os
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.serving.app import answer, listening, run
from bqx.serving.bodies import refusal
from bqx.serving.container_batch import execution_parameters, largest
from bqx.serving.container_models import FullError, LoadedError, LoadedModels, memory_limit
from bqx.serving.jobs.platform import ROOT, Platform
from bqx.serving.models import Served
from bqx.serving.sent import BodyError, read
from bqx.serving.standing import Standings
from bqx.serving.timed import Timed

PORT = "SAGEMAKER_BIND_TO_PORT"
MANY = "SAGEMAKER_MULTI_MODEL"

STUCK = 60.0
"""Seconds after which a request that is still being answered makes the container unhealthy; the
platform gives it up by then."""
PAGE = 100
"""Models of a list's page."""
NAME_LENGTH = 1_024
LINES = "application/jsonlines"


class Container:
    """The application's state and answers.

    ``models`` : what is loaded; ``folder`` : below which the platform puts models; ``many`` :
    whether they come and go by its calls.
    """

    def __init__(self, models: LoadedModels, folder: Path, many: bool) -> None:
        self.models = models
        self.folder = folder
        self.many = many
        self.largest = largest()
        self._standings = Standings()
        self._turn = anyio.Lock()
        self._since: float | None = None

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/ping", self._ping, methods=["GET"]),
            Route("/execution-parameters", self._parameters, methods=["GET"]),
        ]
        if self.many:
            routes += [
                Route("/models", self._list, methods=["GET"]),
                Route("/models", self._load, methods=["POST"]),
                Route("/models/{name}", self._describe, methods=["GET"]),
                Route("/models/{name}", self._unload, methods=["DELETE"]),
                Route("/models/{name}/invoke", self._invoke, methods=["POST"]),
            ]
        else:
            routes.append(Route("/invocations", self._invoke, methods=["POST"]))
        application = Starlette(
            routes=routes,
            middleware=[Middleware(Timed)],
            exception_handlers={HTTPException: _refused},
        )
        application.router.redirect_slashes = False
        return application

    async def _ping(self, request: Request) -> Response:
        stuck = self._since is not None and time.monotonic() - self._since > STUCK
        return Response(status_code=503 if stuck else 200)

    async def _parameters(self, request: Request) -> Response:
        return JSONResponse(execution_parameters())

    async def _list(self, request: Request) -> Response:
        token = request.query_params.get("next_page_token", "0")
        if not token.isdecimal() or len(token) > 9:
            return refusal(400, "request", f"next_page_token: none of ours, got {token!r:.40}.")
        names, first = list(self.models.names.items()), int(token)
        page = [_described(name, url) for name, url in names[first : first + PAGE]]
        more = {"nextPageToken": str(first + PAGE)} if first + PAGE < len(names) else {}
        return JSONResponse({"models": page} | more)

    async def _describe(self, request: Request) -> Response:
        name = request.path_params["name"]
        url = self.models.names.get(name)
        return JSONResponse(_described(name, url)) if url else _absent(name)

    async def _load(self, request: Request) -> Response:
        try:
            content = read(await self._body(request))
            name, url = content["model_name"], content["url"]
            folder = Path(url).resolve()
            if not (isinstance(name, str) and 0 < len(name) <= NAME_LENGTH and "/" not in name):
                raise ValueError("a name that is none")
            if not folder.is_relative_to(self.folder.resolve()):
                raise ValueError("a url elsewhere")
        except (BodyError, ValueError, TypeError, LookupError, OSError, RecursionError):
            rule = f"expected model_name, and url below {self.folder}"
            return refusal(400, "request", f"model: none that can be loaded; {rule}.")
        try:
            async with self._turn:
                await to_thread.run_sync(self.models.load, name, folder)
        except LoadedError as error:
            return refusal(409, "model", str(error))
        except FullError as error:
            return refusal(507, "memory", str(error))
        except ArtefactError as error:
            return refusal(422, "artefact", str(error))
        return JSONResponse(_described(name, url))

    async def _unload(self, request: Request) -> Response:
        name = request.path_params["name"]
        async with self._turn:
            known = await to_thread.run_sync(self.models.unload, name)
        return Response() if known else _absent(name)

    async def _invoke(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "application/json")
        kind = kind.partition(";")[0].strip().lower()
        if kind not in ("application/json", LINES):
            rule = f"expected application/json or {LINES}"
            return refusal(415, "type", f"request: no JSON, got {kind[:40]!r}; {rule}.")
        try:
            body = await self._body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        name = request.path_params.get("name", "")
        async with self._turn:
            self._since = time.monotonic()
            try:
                return await to_thread.run_sync(self._answer, name, body, kind)
            finally:
                self._since = None

    def _answer(self, name: str, body: bytes, kind: str) -> Response:
        ready = self.ready(name)
        if ready is None:
            return _absent(name)
        try:
            if kind == LINES:
                lines = [answer(ready, line).body for line in body.split(b"\n") if line.strip()]
                return Response(b"".join(bytes(line) + b"\n" for line in lines), media_type=LINES)
            response = answer(ready, body)
        except FullError as error:
            return refusal(507, "memory", str(error))
        except ArtefactError as error:
            return refusal(503, "artefact", str(error))
        if self.many and response.status_code == 404:
            # To the platform it would say that the model is not loaded.
            response.status_code = 400
        return response

    def ready(self, name: str = "") -> Mapping[str, Served] | None:
        """Bundles by pair of the folder, or of one model of many; None where it is not loaded."""
        if not self.many:
            own_folders = folders(self.folder)
            return _Ready(own_folders, partial(self._of_folder, own_folders), self._standings)
        loaded = self.models.get(name)
        if loaded is None:
            return None
        return _Ready(loaded.served, loaded.served.__getitem__, self._standings)

    def _of_folder(self, own_folders: Mapping[str, Path], pair: str) -> Served:
        """A pair's bundle, loaded where it was not kept."""
        folder = own_folders[pair]
        loaded = self.models.get(pair)
        if loaded is None:
            self.models.load(pair, folder)
            loaded = self.models.get(pair)
        assert loaded is not None
        return loaded.served[pair]

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self.largest:
                raise HTTPException(413)
        return bytes(body)


class _Ready(Mapping[str, Served]):
    """Bundles by pair, each as its registry has it at the moment when it is asked for."""

    def __init__(
        self, pairs: Collection[str], of: Callable[[str], Served], standings: Standings
    ) -> None:
        self._pairs, self._of, self._standings = pairs, of, standings

    def __getitem__(self, pair: str) -> Served:
        served = self._of(pair)
        return replace(served, version=self._standings.of(served.bundle, served.version))

    def __contains__(self, pair: object) -> bool:
        return pair in self._pairs

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)


def folders(model: Path) -> dict[str, Path]:
    """Folder of each pair's bundle in an unpacked model."""
    return {path.name: path for path in sorted(model.glob("*")) if path.is_dir()}


def _described(name: str, url: str) -> dict[str, str]:
    return {"modelName": name, "modelUrl": url}


def _absent(name: str) -> JSONResponse:
    return refusal(404, "model", f"model: not loaded, got {name[:60]!r}; expected a loaded one.")


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 413:
        return refusal(413, "size", "request: too large, got more than may be sent. Send less.")
    asked = f"{request.method[:20]} {request.scope['path'][:80]}"
    return refusal(status, "http", f"{asked}: not answered.")


def main(arguments: Sequence[str]) -> int:
    """Serve as the platform asks for it until it says stop; exit status."""
    try:
        container = started(Platform.here())
        # A test's or the local platform's is for this machine alone.
        host = "127.0.0.1" if os.environ.get(ROOT) else "0.0.0.0"
        bound = listening(host, _port(), PORT)
    except BqxError as error:
        print(f"serving: {error}", file=sys.stderr)
        return 1
    with bound:
        run(container.app(), bound, lifespan="off")
    return 0


def started(platform: Platform) -> Container:
    """The container of a platform's folders, its models loaded as far as they find room.

    Raises
    ------
    ArtefactError : no model, or one that gives no forecast. ParameterError : a variable.
    """
    many = os.environ.get(MANY, "").lower() == "true"
    models = LoadedModels(memory_limit(), evicting=not many)
    container = Container(models, platform.models if many else platform.model, many)
    if not many:
        pair_folders = folders(platform.model)
        if not pair_folders:
            raise ArtefactError(
                f"{platform.model}: no model, got no folder of a pair; expected an unpacked "
                "model.tar.gz of a training job."
            )
        for pair, folder in pair_folders.items():
            models.load(pair, folder)
    return container


def _port() -> int:
    text = os.environ.get(PORT) or "8080"
    if not (text.isdecimal() and 0 < int(text) < 65_536):
        raise ParameterError(f"{PORT}: no port, got {text!r:.40}; expected 1 to 65535.")
    return int(text)
