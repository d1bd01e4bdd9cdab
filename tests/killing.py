"""Kills a process at any of its moments, as often as a test asks."""

import random
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from signal import SIGKILL


def killed_fifty_times(start: Callable[[], BaseProcess], seconds: float) -> Iterator[None]:
    """Yields after each start, until fifty processes were killed within `seconds` of theirs.

    Where one ends by itself, the span shrinks: none is too short to be killed.
    """
    chance, killed = random.Random(0), 0
    while killed < 50:
        process = start()
        process.join(chance.uniform(0.0, seconds))
        process.kill()
        process.join()
        if process.exitcode == -SIGKILL:
            killed += 1
        else:
            assert process.exitcode == 0
            seconds *= 0.9
        yield
