"""Work in a process in which nothing was computed before."""

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

# What is pickled here goes from this process to its own and back, and is never stored.
import cloudpickle  # noqa: TID251
from joblib.externals import loky

from bqx.errors import BqxError, ParameterError
from bqx.features import catalog, own_modules
from bqx.features.spec import Feature

Answer = TypeVar("Answer")

Frozen = bytes
"""Features as they were before anything was computed."""

Places = tuple[list[str], Mapping[str, Path], tuple[str, ...]]
"""Where a process finds modules: its path, modules read from files, own files of the catalog."""


def freeze(features: Sequence[Feature]) -> Frozen:
    """Features for `start`; those of the catalog by their names.

    Raises ParameterError where a feature holds what no other process can be given.
    """
    listed = [
        feature.name if catalog.FEATURES.get(feature.name) is feature else feature
        for feature in features
    ]
    try:
        return bytes(cloudpickle.dumps(listed))
    except Exception as error:
        raise ParameterError(
            f"certify: a feature cannot be handed to a fresh process, got {type(error).__name__}: "
            f"{error}; expected functions and plain values. Keep open files and locks out of it."
        ) from error


def start(
    work: Callable[..., Answer], frozen: Frozen, arguments: tuple[Any, ...]
) -> "Future[bytes]":
    """Call ``work(features, *arguments)`` in a fresh process; `result` has what it gives."""
    places = (sys.path, own_modules.loaded(), catalog.adopted())
    return _workers().submit(_serve, places, frozen, work, arguments)


def result(future: "Future[bytes]") -> Any:
    """What the work gave.

    Raises ParameterError for what it raised.
    """
    answer, failure = cloudpickle.loads(future.result())
    if failure:
        raise ParameterError(
            f"certify: fails in a fresh process, got {failure}; expected values or NaN as in this "
            "one. Let the features' modules import all that they need."
        )
    return answer


def apart(work: Callable[[], Answer]) -> Answer:
    """Call a function in a copy of this process, which keeps nothing of it.

    Raises BqxError where the copy ends without an answer, or for what it raised.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        try:
            answer = cloudpickle.dumps((work(), ""))
        except BaseException as error:
            answer = cloudpickle.dumps((None, f"{type(error).__name__}: {error}"))
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
    os.close(write_end)
    try:
        with os.fdopen(read_end, "rb") as pipe:
            data = pipe.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.waitpid(child, 0)
    if not data:
        raise BqxError("a process ended early, got nothing from it; expected values. Run again.")
    answer, failure = cloudpickle.loads(data)
    if failure:
        raise BqxError(failure)
    return answer


def stop() -> None:
    """End the work that was started and whose result nobody awaits any more."""
    if _workers.cache_info().currsize:
        _workers().shutdown(kill_workers=True)
        _workers.cache_clear()


@cache
def _workers() -> Any:
    # It reads features and computes nothing itself: every order is worked on in a copy.
    context = loky.backend.context.get_context("loky")
    workers: loky.ProcessPoolExecutor = loky.ProcessPoolExecutor(max_workers=1, context=context)
    return workers


def _serve(
    places: Places, frozen: Frozen, work: Callable[..., Any], arguments: tuple[Any, ...]
) -> bytes:
    try:
        features = _read(places, frozen)
        return bytes(cloudpickle.dumps((apart(lambda: work(features, *arguments)), "")))
    except BqxError as error:
        return bytes(cloudpickle.dumps((None, str(error))))


def _read(places: Places, frozen: Frozen) -> list[Feature]:
    """Features that were frozen; raises BqxError for whatever their modules raise."""
    try:
        sys.path[:], files, own_features = places
        own_modules.load(files)
        catalog.adopt(own_features)
        return [
            catalog.FEATURES[feature] if isinstance(feature, str) else feature
            for feature in cloudpickle.loads(frozen)
        ]
    except BaseException as error:
        raise BqxError(f"{type(error).__name__}: {error}") from error
