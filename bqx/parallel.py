"""One piece of work per pair, several at a time: on this machine or on a cluster."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import joblib
from tqdm import tqdm

from bqx.errors import BqxError

Backend = Literal["processes", "threads", "dask"]
"""Where pairs are worked on: on this machine, or on the cluster whose scheduler stands in
DASK_SCHEDULER_ADDRESS (where that is not set, processes of this machine for as long as it takes).
"""

Result = TypeVar("Result")


def over_pairs(
    work: Callable[..., Result],
    tasks: Mapping[str, tuple[Any, ...]],
    workers: int,
    *,
    write: Callable[[str, Result], None],
    backend: Backend = "processes",
) -> None:
    """Call ``work(*task)`` for the task of each pair, with a progress bar.

    Parameters
    ----------
    work : a function of a module, so that other processes find it.
    tasks : its arguments by pair.
    workers : pairs at a time; a cluster that is already there takes as many as it has cores.
    write : called in this process with pair and result as soon as the pair is ready.
    backend : processes (one works in this one), threads, or dask.

    Raises
    ------
    BqxError : pairs failed; named once the others are written.
    """
    failed: dict[str, Exception] = {}
    with _working(backend, max(min(workers, len(tasks)), 1)):
        attempts = joblib.Parallel(return_as="generator_unordered")(
            joblib.delayed(_attempt)(work, pair, task) for pair, task in tasks.items()
        )
        for pair, result in tqdm(attempts, total=len(tasks), unit="pair"):
            if isinstance(result, Exception):
                failed[pair] = result
            else:
                write(pair, result)
    if failed:
        reasons = "; ".join(f"{pair}: {failed[pair]}" for pair in sorted(failed))
        raise BqxError(f"{len(failed)} of {len(tasks)} pairs failed: {reasons}") from failed[
            min(failed)
        ]


@contextmanager
def _working(backend: Backend, workers: int) -> Iterator[None]:
    if backend == "dask":
        with _cluster(workers) as client, joblib.parallel_config("dask", client=client):
            yield
    else:
        name = {"processes": "loky", "threads": "threading"}[backend]
        with joblib.parallel_config(name, n_jobs=workers):
            yield


def _cluster(workers: int) -> Any:
    # Takes a second to import, which only a cluster is worth.
    import dask
    from distributed import Client

    address = dask.config.get("scheduler-address", None)
    if not address:
        return Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    try:
        return Client(address)
    except OSError as error:
        raise BqxError(
            f"dask: no scheduler answers, got {address}; expected one at DASK_SCHEDULER_ADDRESS. "
            "Start it."
        ) from error


def _attempt(
    work: Callable[..., Result], pair: str, task: tuple[Any, ...]
) -> tuple[str, Result | Exception]:
    try:
        return pair, work(*task)
    except Exception as error:
        # A traceback does not travel between processes, its text does.
        error.add_note(traceback.format_exc())
        return pair, error
