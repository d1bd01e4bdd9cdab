"""Pieces of work, several at a time: on this machine or on a cluster."""

import os
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pickle import PicklingError  # noqa: TID251
from typing import Any, Literal, TypeVar

import joblib
from tqdm import tqdm

from bqx.errors import BqxError

Backend = Literal["processes", "threads", "dask"]
"""Where pieces are worked on: on this machine, or on the cluster whose scheduler stands in
DASK_SCHEDULER_ADDRESS (where that is not set, processes of this machine for as long as it takes).
"""

LOOK = 1.0
"""Seconds after which a worker sees at the latest that its parent is gone."""

NAMED = 3
"""Pieces that failed for one reason, named in its message."""

Order = TypeVar("Order")
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

    def write_all(results: dict[str, Result]) -> None:
        for pair, result in results.items():
            write(pair, result)

    groups = [{pair: task} for pair, task in tasks.items()]
    over_groups(work, groups, workers, task=tuple, write=write_all, units="pairs", backend=backend)


def over_groups(
    work: Callable[..., Result],
    groups: Sequence[Mapping[str, Order]],
    workers: int,
    *,
    task: Callable[[Order], tuple[Any, ...]],
    write: Callable[[dict[str, Result]], None],
    units: str,
    backend: Backend = "processes",
) -> None:
    """Call ``work(*task(order))`` for each order, with a progress bar; a group is one worker's.

    What the tasks of a group share is one object where they are worked on, so that what the work
    makes of it is made once for all of them.

    Parameters
    ----------
    groups : orders by the labels that name them in errors.
    task : the arguments of an order, asked for shortly before they are needed.
    write : called in this process with the results of a group, by label, as soon as it is ready.
    units : what orders are, such as pairs.
    work, workers, backend : as of `over_pairs`.

    Raises
    ------
    BqxError : orders failed; named once the others are written. A process was ended, or cannot be
        given its task.
    """
    failed: dict[str, Exception] = {}
    count = sum(map(len, groups))
    with (
        _working(backend, max(min(workers, len(groups)), 1)),
        tqdm(total=count, unit=f" {units}") as progress,
    ):
        attempts = joblib.Parallel(return_as="generator_unordered")(
            joblib.delayed(_attempts)(work, {label: task(group[label]) for label in group})
            for group in groups
        )
        with _closed(attempts):
            for results in attempts:
                progress.update(len(results))
                errors = {k: value for k, value in results.items() if isinstance(value, Exception)}
                write({label: value for label, value in results.items() if label not in errors})
                failed |= errors
    if failed:
        raise BqxError(f"{len(failed)} of {count} {units} failed: {_reasons(failed)}") from failed[
            min(failed)
        ]


@contextmanager
def _closed(attempts: Generator[Any, None, None]) -> Iterator[None]:
    """End what is still worked on when results cannot be written, or at an interrupt.

    Raises BqxError where a process was ended by another, or cannot be given its task.
    """
    try:
        yield
    except BrokenProcessPool:
        raise BqxError(
            "workers: a process was ended from outside, as where memory runs out; expected each to "
            "end by itself. Set fewer workers: what was finished stays."
        ) from None
    except PicklingError as error:
        # The cause comes from another thread as a text, whose last line tells it.
        why = str(error.__cause__ or error).strip('"\n ').splitlines()[-1]
        raise BqxError(
            f"workers: a task cannot be handed to a process, got {why}; expected room for its "
            "arrays in the folder of temporary files. Make some, name another folder in "
            "JOBLIB_TEMP_FOLDER, or work with the backend threads."
        ) from None
    finally:
        with warnings.catch_warnings():
            # That is what was asked for: joblib would advise to give it fewer tasks.
            warnings.filterwarnings("ignore", r"\d+ tasks which were still being processed")
            attempts.close()


def _reasons(failed: Mapping[str, Exception]) -> str:
    labels: dict[str, list[str]] = {}
    for label in sorted(failed):
        error = failed[label]
        # What a user's own code raises may say nothing without its kind, such as a KeyError.
        kind = "" if isinstance(error, BqxError) else f"{type(error).__name__} "
        labels.setdefault(f"{kind}{error}", []).append(label)
    return "; ".join(
        f"{', '.join(names[:NAMED])}{f' and {more} more' if more > 0 else ''}: {reason}"
        for reason, names in labels.items()
        for more in [len(names) - NAMED]
    )


@contextmanager
def _working(backend: Backend, workers: int) -> Iterator[None]:
    if backend == "dask":
        with _cluster(workers) as client, joblib.parallel_config("dask", client=client):
            yield
    elif backend == "threads":
        with joblib.parallel_config("threading", n_jobs=workers):
            yield
    else:
        with joblib.parallel_config(
            "loky", n_jobs=workers, initializer=_end_with, initargs=(os.getpid(),)
        ):
            yield


def _end_with(parent: int) -> None:
    """End this process once its parent is gone: one that was killed cannot end it itself."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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


def _attempts(
    work: Callable[..., Result], tasks: dict[str, tuple[Any, ...]]
) -> dict[str, Result | Exception]:
    results: dict[str, Result | Exception] = {}
    while tasks:
        # A task that is done is let go, with all that the work has made of it.
        label = next(iter(tasks))
        try:
            results[label] = work(*tasks.pop(label))
        except Exception as error:
            # A traceback does not travel between processes, its text does.
            error.add_note(traceback.format_exc())
            results[label] = error
    return results
