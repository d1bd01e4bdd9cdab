"""Every kernel compiled before it is needed: once after the sources have changed."""

import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import numpy as np
from tqdm import tqdm

from bqx.compiled import GENERIC
from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.engine.fitting import fit, pool
from bqx.features.engine.requirements import bars_of, walk
from bqx.features.spec import Feature

ROWS = 600
"""Rows of the bars that the kernels are run on; what is compiled does not depend on them."""


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
    families: dict[str, list[str]] = {}
    for feature in features:
        families.setdefault(feature.family.name, []).append(feature.name)
    # Numba reads its target when it is imported, so that children start anew with it set.
    before = dict(os.environ)
    os.environ.update(GENERIC if generic else {})
    processes = ProcessPoolExecutor(workers, get_context("spawn"), _prepare)
    try:
        # An interrupt waits until a child can die of it: children inherit what is blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            compiled = [processes.submit(compile_family, names) for names in families.values()]
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for family in tqdm(as_completed(compiled), "kernels", len(compiled), unit="family"):
            family.result()
    finally:
        processes.shutdown(cancel_futures=True)
        for name in GENERIC if generic else ():
            os.environ.pop(name)
        os.environ.update(before)
    return len(families)


def _prepare() -> None:
    # An interrupt ends each process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def compile_family(names: Sequence[str]) -> None:
    """Run the kernels of some features, fits included."""
    features = [catalog.FEATURES[name] for name in names]
    bars, rows = bars_of("eurusd", walk(ROWS)), np.arange(ROWS)
    shared = pool({bars.pair: bars}, features, rows)
    compute(bars, features, fits=fit(bars, features, rows).beside(shared).parameters)
