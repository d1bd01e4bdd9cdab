"""Every kernel compiled before it is needed: once after the sources have changed."""

import gc
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from bqx.compiled import GENERIC
from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.engine.fitting import fit, pool
from bqx.features.engine.live_window import LiveWindow
from bqx.features.engine.requirements import bars_of, walk
from bqx.features.spec import Feature

ROWS = 600
"""Rows of the bars that the kernels are run on; what is compiled does not depend on them."""

LOOK = 0.2
"""Seconds after which an interrupt is seen at the latest."""


def compile_all(features: Sequence[Feature], workers: int, generic: bool = False) -> int:
    """Run every kernel of the catalog's features on a few random bars, family by family.

    Parameters
    ----------
    workers : processes that compile side by side.
    generic : for every processor of this architecture instead of this machine's.

    Returns
    -------
    Number of families; a bar shows the progress.
    """
    families = by_family(features)
    # Numba reads its target when it is imported, so that children start anew with it set.
    before = dict(os.environ)
    os.environ.update(GENERIC if generic else {})
    processes = ProcessPoolExecutor(workers, get_context("spawn"), _prepare)
    try:
        with _interrupts() as interrupts:
            # An interrupt waits until a child can die of it: children inherit what is blocked.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                compiled = [processes.submit(compile_family, names) for names in families]
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            _await(compiled, interrupts)
    finally:
        processes.shutdown(cancel_futures=True)
        for name in GENERIC if generic else ():
            os.environ.pop(name)
        os.environ.update(before)
    return len(families)


def by_family(features: Sequence[Feature]) -> list[list[str]]:
    """Names of each family's features, in the order in which the families are best compiled.

    What takes long comes first, for begun last it would keep a single process busy: families that
    learn parameters, then those of many features.
    """
    families: dict[str, list[str]] = {}
    for feature in features:
        families.setdefault(feature.family.name, []).append(feature.name)
    learned = {feature.family.name for feature in features if feature.fit_key}
    return [
        families[name]
        for name in sorted(families, key=lambda name: (name not in learned, -len(families[name])))
    ]


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Interrupts as they come, instead of an exception at any place: one that is raised while the
    lock of a future is taken would leave it taken, and the pool would wait for it for ever."""
    signals: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: signals.append(number))
    try:
        yield signals
    finally:
        signal.signal(signal.SIGINT, before)


def _await(compiled: Sequence[Future[None]], interrupts: Sequence[int]) -> None:
    waiting = set(compiled)
    with tqdm(total=len(waiting), desc="kernels", unit="family") as bar:
        while waiting:
            done, waiting = wait(waiting, timeout=LOOK, return_when=FIRST_COMPLETED)
            # A terminal interrupts the children too, and the pool breaks.
            broken = any(isinstance(family.exception(), BrokenProcessPool) for family in done)
            time.sleep(LOOK if broken and not interrupts else 0)
            if interrupts:
                raise KeyboardInterrupt
            for family in done:
                family.result()
            bar.update(len(done))


def _prepare() -> None:
    # An interrupt ends each process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # What is imported stays. Compiling makes many objects and few that refer to each other in a
    # ring: looked for as often as Python does, those would take a twelfth of the time.
    gc.freeze()
    gc.set_threshold(100_000, 50)


def compile_family(names: Sequence[str]) -> None:
    """Run the kernels of some features, fits included."""
    features = [catalog.FEATURES[name] for name in names]
    bars, rows = bars_of("eurusd", walk(ROWS)), np.arange(ROWS)
    shared = pool({bars.pair: bars}, features, rows)
    fits = fit(bars, features, rows).beside(shared).parameters
    compute(bars, features, fits=fits)
    LiveWindow.of({bars.pair: bars}, features, fits={bars.pair: fits}).values()
