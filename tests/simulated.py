"""Bars that tests make: random ticks, bars of ticks, and where real ones lie."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bqx.market import sessions
from bqx.market.bars import RATES, Bars, baseline, to_grid, validate

DATA = Path(__file__).parents[2] / "shared" / "data"
TICK = 1e-5

FINGERPRINTS = {"walk": "c9ad", "clean": "9109"}
"""First digits of the SHA-256 of the ticks of simulated bars."""


def same_bars(name: str, ticks: NDArray[np.int64]) -> None:
    """Fail when simulated bars are not the ones that the tests were written on."""
    found = hashlib.sha256(np.ascontiguousarray(ticks, dtype="<i8").tobytes()).hexdigest()[:4]
    if found != FINGERPRINTS[name]:
        pytest.fail(
            f"bars {name!r}: the random numbers changed, got fingerprint {found}; expected "
            f"{FINGERPRINTS[name]}. Check seed, recipe and NumPy's streams, look at every test "
            "that names rows, then write the new fingerprint to FINGERPRINTS."
        )


def random_ticks(rows: int, seed: int) -> NDArray[np.int64]:
    """(rows, 4) open, high, low, close in ticks: a random walk with ties and uneven volatility."""
    rng = np.random.default_rng(seed)
    calm = 1.0 + 0.7 * np.sin(np.arange(rows) / 170.0)
    steps = np.rint(rng.normal(0.0, 6.0, rows) * calm).astype(np.int64)
    close = 108_000 + np.cumsum(steps)
    opens = np.concatenate([[108_000], close[:-1]]) + rng.integers(-1, 2, rows)
    high = np.maximum(opens, close) + rng.integers(0, 7, rows)
    low = np.minimum(opens, close) - rng.integers(0, 7, rows)
    return np.column_stack([opens, high, low, close])


def bars_of(ticks: NDArray[np.int64], minutes: NDArray[np.int64]) -> Bars:
    """Bars on the grid of ticks at epoch minutes; minutes left out are holes."""
    frame = pd.DataFrame(ticks * TICK, index=sessions.timestamps(minutes), columns=list(RATES))
    frame = validate(frame, "simulated bars")
    return Bars("eurusd", to_grid(frame), baseline(frame))


MARKET_PAIR = "cadchf"
"""The pair of the simulated market on which no cross-pair feature copies another."""
