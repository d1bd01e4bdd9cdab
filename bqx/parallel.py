"""One piece of work a pair, several at a time."""

import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import joblib
from tqdm import tqdm

from bqx.errors import BqxError

Result = TypeVar("Result")


def over_pairs(
    work: Callable[..., Result],
    tasks: Mapping[str, tuple[Any, ...]],
    workers: int,
    write: Callable[[str, Result], None],
) -> None:
    """Call ``work(*task)`` for the task of each pair, with a progress bar.

    Parameters
    ----------
    work : a function of a module, so that other processes find it.
    tasks : its arguments by pair.
    workers : processes at a time; 1 works in this one.
    write : called in this process with pair and result as soon as the pair is ready.

    Raises
    ------
    BqxError : pairs failed; named once the others are written.
    """
    failed: dict[str, Exception] = {}
    attempts = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(
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


def _attempt(
    work: Callable[..., Result], pair: str, task: tuple[Any, ...]
) -> tuple[str, Result | Exception]:
    try:
        return pair, work(*task)
    except Exception as error:
        # A traceback does not travel between processes, its text does.
        error.add_note(traceback.format_exc())
        return pair, error
