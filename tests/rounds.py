"""A market whose signal turns, and a loop that retrains on it, for tests of retraining."""

import random
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from bqx.market import planted, simulated
from bqx.market.bars import RATES, validate
from bqx.params import Params
from bqx.retraining.loop import Loop
from bqx.serving.registry_folder import Folder

PAIRS = ("eurusd", "gbpusd")
START, DAYS = "2024-01-07", 84
PARAMS = Params(
    bars="elsewhere",
    pairs=PAIRS,
    horizons=(15, 30),
    lags=(),
    models=("ridge",),
    forest_trees=10,
    forest_depth=3,
    selected=20,
    stride=10,
    workers=1,
    backend="threads",
)
OPPOSITE = -3.0
"""Share of the past return that is expected to be undone: an oracle gains as much by it."""
FIRST = datetime(2024, 3, 18, 2, tzinfo=UTC)
SHADOWED = datetime(2024, 3, 23, 2, tzinfo=UTC)
WATCHED = datetime(2024, 3, 30, 2, tzinfo=UTC)


@cache
def market(mode: str = "strong", days: int = DAYS, seed: int = 3) -> dict[str, pd.DataFrame]:
    """Raw bars of a simulated market."""
    return _simulated(mode, days, seed)


def _simulated(mode: str, days: int, seed: int) -> dict[str, pd.DataFrame]:
    frames = simulated.simulate(mode, PAIRS, START, days=days, seed=seed).frames
    return {pair: validate(frame, pair) for pair, frame in frames.items()}


@cache
def turned(at: tuple[str, ...], days: int, seed: int = 3) -> dict[str, pd.DataFrame]:
    """A market whose momentum becomes its opposite at some times, and itself again at the next."""
    return spliced((market("strong", days, seed), opposite(days, seed + 1)), at)


@cache
def opposite(days: int, seed: int) -> dict[str, pd.DataFrame]:
    """A market in which past returns are undone."""
    strong = planted.STRONG
    try:
        planted.STRONG = OPPOSITE
        return _simulated("strong", days, seed)
    finally:
        planted.STRONG = strong


def spliced(
    regimes: Sequence[dict[str, pd.DataFrame]], at: tuple[str, ...]
) -> dict[str, pd.DataFrame]:
    """Two markets in turn, each from the next of some times on."""
    stamps = [pd.Timestamp(text, tz="UTC") for text in at]
    return {pair: _spliced([own[pair] for own in regimes], stamps) for pair in PAIRS}


def _spliced(regimes: list[pd.DataFrame], at: list[pd.Timestamp]) -> pd.DataFrame:
    """Bars of two markets in turn, each going on at the rate where the other ended."""
    parts, rates, last = [], list(RATES), 0.0
    for number, (first, end) in enumerate(zip([None, *at], [*at, None], strict=True)):
        part = regimes[number % 2].loc[first:end].copy()
        part = part if end is None else part[part.index < end]
        if last:
            part[rates] = np.round(part[rates] * last / part["open"].iloc[0], 5)
        last = part["close"].iloc[-1]
        parts.append(part)
    return validate(pd.concat(parts), "spliced")


def louder(frame: pd.DataFrame, first: str, end: str, factor: float) -> pd.DataFrame:
    """The same bars, with moves that are larger from one time to another."""
    rates, out = list(RATES), frame.copy()
    logs = np.log(frame[rates].to_numpy())
    start, stop = frame.index.searchsorted([pd.Timestamp(t, tz="UTC") for t in (first, end)])
    anchor = logs[start - 1, 3]
    logs[start:stop] = anchor + factor * (logs[start:stop] - anchor)
    logs[stop:] += logs[stop - 1, 3] - np.log(frame["close"].iloc[stop - 1])
    out[rates] = np.round(np.exp(logs), 5)
    return validate(out, "louder")


def loop(folder: Path, params: Params = PARAMS) -> Loop:
    """A loop in a folder of its own."""
    return Loop(folder / "place", Folder(folder / "registry"), params)


def copied(source: Path, target: Path) -> Path:
    """A folder that starts from where another one is."""
    shutil.copytree(source, target)
    return target


def altered(frames: dict[str, pd.DataFrame], since: datetime, seed: int) -> dict[str, pd.DataFrame]:
    """The same bars before a time, and others from then on."""
    rng = random.Random(seed)
    out = {}
    for pair, frame in frames.items():
        later = frame.index >= since
        frame = frame.copy()
        rates = list(RATES)
        frame.loc[later, rates] *= rng.choice([0.5, 0.9, 1.1, 2.0])
        # Some minutes are missing besides, so that holes end elsewhere.
        gone = later & (np.random.default_rng(seed).random(len(frame)) < 0.3)
        out[pair] = frame[~gone]
    return out


def state(folder: Path) -> dict[str, str]:
    """Content of all that a loop has written, but for times of the clock."""
    from bqx.files import sha256

    left_out = (".lock", "audit", "version.json", "facts.json", "registered", "taken_back")
    return {
        str(path.relative_to(folder)): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(name in path.name for name in left_out)
    }
