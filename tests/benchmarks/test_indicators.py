"""The same indicator by bqx, by TA-Lib and by wickra, which keeps its streaming bits in a batch."""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import pytest
import talib
from measure import PAIR, Goal, panel
from numpy.typing import NDArray
from peers import Series

from bqx.features.families.technical import (
    average_range,
    bollinger,
    oscillators,
    rate_of_change,
    stochastic,
)
from bqx.features.rolling import exponential, products
from bqx.features.spec import CLOSE, HIGH, LOW

pytestmark = pytest.mark.benchmarks

ROWS, SETTLED, REPEATS = 60_000, 2_000, 60
"""Bars, those of a start after which recursions that began elsewhere agree, and runs."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Indicator:
    """One indicator by each; all return lines (k, T) or (T,), ``places`` those of bqx alike."""

    name: str
    bqx: Callable[[], Any]
    talib: Callable[[], Any]
    wickra: Callable[[], Any]
    places: tuple[int, ...] = (0,)


def indicators(s: Series) -> list[Indicator]:
    """Every one that all three compute."""
    import wickra  # installed for benchmarks alone, which every run of tests collects

    ohlc = np.full((len(s.close), 4), np.nan, order="F")
    ohlc[:, HIGH], ohlc[:, LOW], ohlc[:, CLOSE] = s.high, s.low, s.close
    x, bars = s.close, (s.high, s.low, s.close)
    return [
        Indicator(
            "SMA 50",
            partial(products.mean, x, 50, 0),
            partial(talib.SMA, x, 50),
            lambda: wickra.SMA(50).batch(x),
        ),
        Indicator(
            "EMA 50",
            partial(exponential.ema, x, 50, 0),
            partial(talib.EMA, x, 50),
            lambda: wickra.EMA(50).batch(x),
        ),
        Indicator(
            "RSI 14",
            partial(exponential.strength, x, 14, 0),
            partial(talib.RSI, x, 14),
            lambda: wickra.RSI(14).batch(x),
        ),
        Indicator(
            "MACD 12 26 9",
            partial(oscillators.convergence, x, 0, 12, 26, 9),
            partial(talib.MACD, x, 12, 26, 9),
            lambda: wickra.MACD(12, 26, 9).batch(x),
            (0, 1, 2),
        ),
        Indicator(
            "ATR 14",
            lambda: average_range.atr(ohlc, 0, 14)[:, 0],
            partial(talib.ATR, *bars, 14),
            lambda: wickra.ATR(14).batch(*bars),
        ),
        Indicator(
            "Bollinger 20",
            lambda: bollinger.bands(x, 0, 20).T,
            partial(talib.BBANDS, x, 20),
            lambda: wickra.BollingerBands(20, 2.0).batch(x),
            (0, 1, 2),
        ),
        Indicator(
            "stochastic 14 3",
            lambda: stochastic.stochastic(ohlc, 0, 14, 3).T,
            partial(talib.STOCHF, *bars, 14, 3),
            lambda: wickra.Stochastic(14, 3).batch(*bars),
            (0, 1),
        ),
        Indicator(
            "ROC 12",
            lambda: rate_of_change.roc(x, 0, 12)[:, 0],
            partial(talib.ROC, x, 12),
            lambda: wickra.ROC(12).batch(x),
        ),
    ]


def keep_freed_memory() -> None:
    """Keep what is freed in the process: pages that are mapped anew for each array would be part
    of the time, more of them the more arrays there are. By glibc; elsewhere nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        trim_threshold, mmap_threshold = -1, -3
        mallopt(trim_threshold, 1 << 30)
        mallopt(mmap_threshold, 1 << 30)


def nanoseconds(*works: Callable[[], object]) -> list[float]:
    """Median CPU time of each for a row, run by turns."""
    spent: list[list[int]] = [[] for _ in works]
    for _ in range(REPEATS):
        for work, own in zip(works, spent, strict=True):
            start = time.process_time_ns()
            work()
            own.append(time.process_time_ns() - start)
    return [median(own) / ROWS for own in spent]


@pytest.fixture(scope="module")
def timed(results: dict[str, Any]) -> list[dict[str, Any]]:
    keep_freed_memory()
    found = []
    for own in indicators(Series.of(panel(ROWS)[PAIR])):
        lines, theirs = np.atleast_2d(own.bqx()), np.atleast_2d(own.talib())
        np.testing.assert_allclose(
            lines[list(own.places), SETTLED:], theirs[:, SETTLED:], rtol=1e-6, atol=1e-9
        )
        spent = nanoseconds(own.bqx, own.talib, own.wickra)
        found.append({"name": own.name} | dict(zip(("bqx", "talib", "wickra"), spent, strict=True)))
        print(found[-1])
    results["indicators"] = found
    return found


@pytest.mark.parametrize(
    ("peer", "what", "goal", "limit"),
    [
        ("talib", "TA-Lib", 0.7, "windows restart at blocks, which costs a second sum of each row"),
        ("wickra", "wickra's exact batch", 1.0, "as above"),
    ],
)
def test_the_same_indicator_beside_a_peer(
    peer: str,
    what: str,
    goal: float,
    limit: str,
    timed: list[dict[str, Any]],
    results: dict[str, Any],
) -> None:
    share = geometric_mean(row["bqx"] / row[peer] for row in timed)
    Goal(
        f"the same indicators, of the time of {what}", share, goal, 4.0, "times", limit, more=False
    ).check(results)


def test_no_indicator_takes_longer_than_ta_lib(
    timed: list[dict[str, Any]], results: dict[str, Any]
) -> None:
    slowest = max(timed, key=lambda row: row["bqx"] / row["talib"])
    Goal(
        "the slowest of the same indicators, of the time of TA-Lib",
        slowest["bqx"] / slowest["talib"],
        1.0,
        4.0,
        "times",
        f"{slowest['name']}: windows restart at blocks, which costs a second sum of each row",
        more=False,
    ).check(results)
