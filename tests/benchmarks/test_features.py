"""Kernels against peers that compute the same, one thread, in the same run: ratios, not seconds."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.typing import NDArray

from bqx.features.oscillators import rsi
from bqx.features.regression import fit
from bqx.features.statistics import moments

pytestmark = pytest.mark.benchmarks

ROWS, FIRST = 370_000, 11


@pytest.fixture(scope="module")
def x() -> NDArray[np.float64]:
    return 100.0 + np.cumsum(np.random.default_rng(0).normal(0.0, 0.01, ROWS))


def seconds(work: Callable[[], object], repeat: int = 5) -> float:
    """Least CPU time of some runs after a first that compiles and warms up."""
    work()
    spent = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def ratio(name: str, ours: Callable[[], object], peer: Callable[[], object], peers: int) -> float:
    """How many times as fast as the peer; ``peers`` is the share of the work that the peer does."""
    own, other = seconds(ours), seconds(peer, 1 if peers > 1 else 3) * peers
    print(f"\n{name}: {own / ROWS * 1e9:.1f} ns a row, {other / own:.1f} times as fast as its peer")
    return other / own


def test_moments_against_pandas(x: NDArray[np.float64]) -> None:
    rolling = pd.Series(x).rolling(120)

    def peer() -> None:
        for name in ("mean", "std", "skew", "kurt", "min", "max"):
            getattr(rolling, name)()

    assert ratio("moments", lambda: moments(x, FIRST, 120), peer, 1) > 2.0


def test_quadratic_fit_against_polyfit(x: NDArray[np.float64]) -> None:
    share = 1_000
    windows = np.lib.stride_tricks.sliding_window_view(x, 60)[: ROWS // share]
    at = np.arange(60.0)

    def peer() -> None:
        for window in windows:
            np.polyfit(at, window, 2)

    assert ratio("quadratic fit", lambda: fit(x, FIRST, 60), peer, share) > 100.0


def test_rsi_against_talib(x: NDArray[np.float64]) -> None:
    assert ratio("RSI", lambda: rsi(x, FIRST, 14), lambda: talib.RSI(x, 14), 1) > 0.05
