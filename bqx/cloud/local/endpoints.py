"""Endpoints of the local platform: variants by weight, each some containers on the loopback."""

import hashlib
import http.client
import json
import math
import random
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bqx.cloud import archive
from bqx.cloud.local import processes
from bqx.cloud.local.state import Instance, State, Variant
from bqx.cloud.pointers import Pointers
from bqx.errors import ArtefactError, ParameterError, RequestError

STARTED = 240.0
"""Seconds that a container may take to its first healthy ping."""
TIMEOUT = 60.0
"""Seconds that the platform waits for an answer."""


@dataclass(frozen=True)
class Reply:
    """What a container answered, of which variant, and how long it took."""

    status: int
    body: bytes
    variant: str
    seconds: float


class Endpoints:
    """The endpoints of a folder.

    ``seed`` : of the draws between variants, None for another each time.
    """

    def __init__(self, place: Path, seed: int | None = None) -> None:
        self.state = State(place)
        self.pointers = Pointers(place / "pointers")
        self._draw = random.Random(seed)

    def create(self, name: str, variants: Sequence[Variant], instances: int = 1) -> None:
        """Start the containers of an endpoint's variants.

        Raises ParameterError for a name that is taken, variants of one name, or weights of which
        none is positive; ArtefactError for a model that does not start, in which case nothing stays
        behind.
        """
        if name in self.state.read():
            raise ParameterError(f"endpoint: there already, got {name}; expected another name.")
        names = [variant.name for variant in variants]
        if len(set(names)) < len(names):
            raise ParameterError(
                f"endpoint {name}: variants of one name, got {', '.join(names)}; expected each of "
                "its own."
            )
        weights = [variant.weight for variant in variants]
        if not 0.0 < sum(weights) < math.inf:
            raise ParameterError(
                f"endpoint {name}: no weights of variants, got {weights}; expected numbers of "
                "which one is above 0. VARIANT=model.tar.gz:WEIGHT says it."
            )
        try:
            for variant in variants:
                self.start(name, variant, instances)
            with self.state.changed() as endpoints:
                endpoints[name] = list(variants)
        except BaseException:
            for variant in variants:
                stop(variant)
            raise

    def start(self, endpoint: str, variant: Variant, instances: int) -> None:
        """Start containers of a variant until it has so many; all are healthy then.

        Raises ArtefactError for a model that does not start, in which case none stays behind.
        """
        fresh: list[Instance] = []
        try:
            while len(variant.instances) + len(fresh) < instances:
                fresh.append(self._started(endpoint, variant))
            for instance in fresh:
                _wait(instance)
        except BaseException:
            _end(fresh)
            raise
        variant.instances += fresh

    def _started(self, endpoint: str, variant: Variant) -> Instance:
        number = int(time.time_ns())
        root = self.state.place / "endpoints" / endpoint / f"{variant.name}-{number}"
        if variant.many:
            (root / "models").mkdir(parents=True)
        else:
            archive.unpack(Path(variant.model), root / "model")
        port = _free_port()
        variables = {"SAGEMAKER_BIND_TO_PORT": str(port), **variant.variables}
        if variant.many:
            variables["SAGEMAKER_MULTI_MODEL"] = "true"
        child = processes.start(root, ["serve"], variables, root / "log")
        return Instance(child.pid, port, str(root))

    def invoke(
        self,
        endpoint: str,
        body: bytes,
        *,
        variant: str = "",
        model: str = "",
        content_type: str = "application/json",
    ) -> Reply:
        """Answer of a container of a variant that is drawn by weight, or of the one that is named.

        A container that does not answer is passed over. ``model`` : archive of a multi-model
        endpoint, which is loaded where it is not.

        Raises ParameterError for a variant that is not there, RequestError where no container
        answers.
        """
        order = self._order(endpoint, variant)
        for candidate in order:
            for instance in self._draw.sample(candidate.instances, len(candidate.instances)):
                start = time.perf_counter()
                try:
                    headers = {"content-type": content_type}
                    path = "/invocations"
                    if candidate.many:
                        headers["X-Amzn-SageMaker-Target-Model"] = model
                        path = (
                            f"/models/{self._loaded(endpoint, candidate, instance, model)}/invoke"
                        )
                    status, answered = _call(instance, "POST", path, body, headers)
                except (OSError, http.client.HTTPException):
                    self.state.log(endpoint, candidate.name, "unreachable", 1.0)
                    continue
                seconds = time.perf_counter() - start
                for name in (candidate.name, model) if candidate.many else (candidate.name,):
                    self.state.log(endpoint, name, "seconds", seconds)
                    self.state.log(endpoint, name, "error", float(status >= 400))
                return Reply(status, answered, candidate.name, seconds)
        raise RequestError(
            f"endpoint {endpoint}: nobody answers, got {len(order)} variants without one; expected "
            "a healthy container. `bqx cloud local heal` starts them anew."
        )

    def _order(self, endpoint: str, variant: str) -> list[Variant]:
        """Variants as they are asked: the one that is named alone, or first the one drawn."""
        variants = self.state.variants(endpoint)
        if not variant:
            drawn = choose(variants, self._draw)
            return [drawn, *(candidate for candidate in variants if candidate is not drawn)]
        named = [candidate for candidate in variants if candidate.name == variant]
        if not named:
            names = ", ".join(candidate.name for candidate in variants)
            raise ParameterError(
                f"variant: not there, got {variant!r:.60}; expected one of {names}."
            )
        return named

    def invoke_pair(self, endpoint: str, body: bytes, pair: str, *, variant: str = "") -> Reply:
        """Answer of the artefact of a multi-model endpoint to which a pair's pointer leads.

        Raises ArtefactError where the pair has no pointer, and as `invoke` does.
        """
        model = self.pointers.read(pair).key(body)
        return self.invoke(endpoint, body, variant=variant, model=model)

    def heal(self, endpoint: str) -> int:
        """Start a container for each that is gone; how many were."""
        gone = 0
        for name in [variant.name for variant in self.state.variants(endpoint)]:
            # One by one: a variant that starts is kept where another one does not.
            with self.state.changed() as endpoints:
                gone += sum(
                    self._healed(endpoint, v) for v in endpoints[endpoint] if v.name == name
                )
        return gone

    def _healed(self, endpoint: str, variant: Variant) -> int:
        count = len(variant.instances)
        variant.instances = [i for i in variant.instances if processes.is_container(i.pid)]
        gone = count - len(variant.instances)
        self.start(endpoint, variant, count)
        return gone

    def scale(self, endpoint: str, variant: str, instances: int) -> None:
        """Start or end containers of a variant."""
        with self.state.changed() as endpoints:
            (variant_state,) = [v for v in endpoints[endpoint] if v.name == variant]
            self.start(endpoint, variant_state, instances)
            spare = variant_state.instances[instances:]
            variant_state.instances = variant_state.instances[:instances]
        _end(spare)

    def weigh(self, endpoint: str, weights: Mapping[str, float]) -> None:
        """Share the requests anew between the variants."""
        with self.state.changed() as endpoints:
            for variant in endpoints[endpoint]:
                variant.weight = weights.get(variant.name, variant.weight)

    def delete(self, endpoint: str) -> None:
        """End an endpoint's containers and forget it."""
        self.state.variants(endpoint)
        with self.state.changed() as endpoints:
            variants = endpoints.pop(endpoint)
        for variant in variants:
            stop(variant)

    def _loaded(self, endpoint: str, variant: Variant, instance: Instance, model: str) -> str:
        """Name under which a multi-model container has a model, loaded first where it is not."""
        source = (Path(variant.model) / model).resolve()
        if not model or not source.is_relative_to(Path(variant.model).resolve()):
            raise RequestError(f"model: none of the endpoint's, got {model!r:.60}.")
        name = hashlib.sha256(model.encode()).hexdigest()[:32]
        key = str(instance.port)
        order = variant.loaded.get(key, [])
        if name not in order:
            folder = Path(instance.root) / "models" / name / "model"
            if not folder.exists():
                archive.unpack(source, folder)
            content = json.dumps({"model_name": name, "url": str(folder)}).encode()
            while True:
                status, answered = _call(instance, "POST", "/models", content)
                if status != 507 or not order:
                    break
                # The one that was used longest ago makes room, as the platform has it.
                _call(instance, "DELETE", f"/models/{order.pop(0)}")
            if status not in (200, 409):
                shutil.rmtree(folder, ignore_errors=True)
                raise ArtefactError(f"{model}: not loaded, got {status} {answered[:200]!r}.")
        with self.state.changed() as endpoints:
            (variant_state,) = [v for v in endpoints[endpoint] if v.name == variant.name]
            variant_state.loaded[key] = [*(n for n in order if n != name), name]
        return name


def choose(variants: Sequence[Variant], draw: random.Random) -> Variant:
    """A variant, each as often as its weight says."""
    weights = [variant.weight for variant in variants]
    return draw.choices(variants, weights)[0]


def stop(variant: Variant) -> None:
    """End a variant's containers."""
    _end(variant.instances)


def _end(instances: Iterable[Instance]) -> None:
    for instance in instances:
        processes.end(instance.pid, processes.GRACE["server"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _call(
    instance: Instance,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _wait(instance: Instance) -> None:
    give_up = time.monotonic() + STARTED
    while time.monotonic() < give_up and processes.is_container(instance.pid):
        try:
            if _call(instance, "GET", "/ping")[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            # It does not listen yet; one that loads its model answers 503.
            pass
        time.sleep(0.1)
    log = Path(instance.root) / "log"
    printed = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise ArtefactError(
        f"endpoint: the container does not become healthy, got {printed[-1:] or 'no word'}; "
        f"expected an answer to /ping within {STARTED:.0f} seconds. See {log}."
    )
