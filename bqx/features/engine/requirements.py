"""What a feature cannot do without, found by leaving other pairs and columns out of random bars."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from bqx.features.engine.compute import compute, warm_up
from bqx.features.engine.fitting import fit
from bqx.features.spec import Array, Feature, unfolded
from bqx.market import sessions
from bqx.market.bars import Bars, Panel
from bqx.market.pairs import PAIRS

INPUTS = ("volume", "spread")
"""Columns of bars that a feed may lack."""

SPARE = 240
"""Rows beyond the longest lookback: what is defined at all has a value on some of them."""


def walk(rows: int) -> Array:
    """(rows, 28) closes about 1, a random walk a pair."""
    moves = np.random.default_rng(0).normal(0.0, 1e-4, (rows, len(PAIRS)))
    return np.exp(np.cumsum(moves, axis=0))


def bars_of(pair: str, closes: Array, absent: Collection[str] = ()) -> Bars:
    """Bars of a pair on (T, 28) closes of all pairs, without what is absent."""
    import pandas as pd

    close = closes[:, PAIRS.index(pair)]
    opened = np.concatenate((close[:1], close[:-1]))
    minutes = sessions.grid(0, 3 * len(closes) + 3 * sessions.DAY)[: len(closes)]
    frame = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * 1.00005,
            "low": np.minimum(opened, close) * 0.99995,
            "close": close,
            "volume": 10.0 + np.arange(len(closes)) % 7,
            "spread": 1e-4 + 1e-6 * (np.arange(len(closes)) % 11),
            "filled": False,
        },
        index=sessions.timestamps(minutes),
    )
    frame[[name for name in INPUTS if name in absent]] = np.nan
    there = np.isin(PAIRS, list(absent), invert=True)
    seen = np.where(there, closes, np.nan)
    return Bars(pair, frame, float(close[0]), Panel(seen, seen[0]))


def needs(
    features: Sequence[Feature], pair: str, absent: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Features of a pair that have no value without what is absent, and what they miss.

    Parameters
    ----------
    features : of the pair.
    pair : itself present.
    absent : pairs without bars, and ``volume`` or ``spread``.

    Returns
    -------
    By name of the feature, in the order given: what of the absent alone leaves it without a value;
    all of it where nothing alone does. A feature that is made of others misses what they miss.
    """
    if not features or not absent:
        return {}
    made = [feature for feature in features if feature.source.inputs]
    if made:
        plain = [feature for feature in unfolded(features) if not feature.source.inputs]
        missed = needs(plain, pair, absent)
        for feature in made:
            of = [missed.get(each.name, ()) for each in feature.source.inputs]
            missed[feature.name] = tuple(each for each in absent if any(each in m for m in of))
        return {f.name: missed[f.name] for f in features if missed.get(f.name)}
    closes = walk(warm_up(features) + SPARE)
    whole = bars_of(pair, closes)
    fits = fit(whole, features, np.arange(len(closes))).parameters

    def valued(some: Sequence[Feature], without: Collection[str]) -> list[bool]:
        bars = bars_of(pair, closes, without)
        return list(np.isfinite(compute(bars, some, last=SPARE, fits=fits)).any(axis=0))

    rest = [f for f, there in zip(features, valued(features, absent), strict=True) if not there]
    defined = valued(rest, ())
    lost = [f for f, there in zip(rest, defined, strict=True) if there]
    found: dict[str, tuple[str, ...]] = {f.name: () for f in lost}
    for other in absent:
        for feature, there in zip(lost, valued(lost, (other,)), strict=True):
            if not there:
                found[feature.name] += (other,)
    return {name: missed or tuple(absent) for name, missed in found.items()}
