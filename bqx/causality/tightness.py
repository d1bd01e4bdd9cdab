"""Whether features read the bars that they say they read: neither blind to the newest nor padded.

A bar is felt when a nudge to it changes the value at least once among many rows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from bqx.causality.alterations import altered
from bqx.causality.checks import (
    Array,
    Broken,
    Features,
    Fits,
    by_lookback,
    same,
    tiers,
    values,
)
from bqx.features.engine.compute import warm_up
from bqx.features.spec import Feature
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS

NUDGES = (1.02, 0.98)
"""Factors on one bar that a feature must feel."""

SHOCKS = (1e12, 1e-12)
"""Factors for the oldest bar of nested recursions, in which its weight has all but faded."""

FEW = 12
"""A feature of fewer distinct values may never change when a single bar does."""

SAMPLE = 3_000
"""Rows on which distinct values are counted."""

_UNLIKE = np.where(np.arange(len(PAIRS)) % 2, 1.0, -1.0) * (1.0 + np.arange(len(PAIRS)) / 40.0)
# Pairs move apart, so that what ranks or averages them feels it.


def moved(bars: Bars, row: int, factor: float) -> Bars:
    """Bars of which one is nudged: its rates times a factor, other pairs' by unlike ones."""

    def nudge(old: Array) -> Array:
        if old.shape[1] == len(PAIRS):
            return np.asarray(old * factor**_UNLIKE)
        return np.column_stack([old[:, :4] * factor, old[:, 4] * 1.5 + 3.0, old[:, 5] * 1.5])

    row %= len(bars)
    return altered(bars, slice(row, row + 1), nudge)


def _tried(
    features: Features, bars: Bars, length: int, count: int, seed: int, fits: Fits
) -> Iterator[tuple[int, Bars, Array]]:
    # Slices that end at random rows at which some feature has a value, and their last values.
    rng = np.random.default_rng(seed)
    ends = rng.permutation(np.arange(length - 1, len(bars)))
    # Every other row at an hour's last two minutes: only there do hourly buckets feel the bars at
    # their edges.
    minute = bars.minutes[ends] % 60
    at_edge, others = ends[minute >= 58], ends[minute < 58]
    pairs = min(len(at_edge), len(others))
    mixed = np.column_stack([at_edge[:pairs], others[:pairs]]).ravel()
    ends = np.concatenate([mixed, at_edge[pairs:], others[pairs:]])
    yielded = 0
    for row in map(int, ends[: 4 * count]):
        window = bars.rows(row + 1 - length, row + 1)
        old = values(window, features, fits, last=1)[-1]
        if not np.isnan(old).all():
            yield row, window, old
            yielded += 1
        if yielded == count:
            return


def blind(
    features: Features, bars: Bars, count: int = 50, fits: Fits = None, seed: int = 0
) -> Broken:
    """Features that never feel the newest bar they read, or feel one that they do not claim.

    For a feature of few distinct values it is enough that it has no value without that bar.
    """
    groups: dict[tuple[int, int], list[Feature]] = defaultdict(list)
    for tier, group in enumerate(tiers([feature for feature in features if feature.lookback])):
        for feature in group:
            groups[tier, feature.skips].append(feature)
    broken: Broken = {}
    for (_, skips), group in groups.items():

        def newest(part: Bars, factor: float, back: int = skips) -> Bars:
            return moved(part, -1 - back, factor)

        left = _unfelt(group, bars, warm_up(group), newest, count, fits, seed)
        few = _few([feature for feature in group if feature.name in left], bars, fits)

        def gone(part: Bars, factor: float, back: int = skips) -> Bars:
            return _blank(part, len(part) - 1 - back)

        stubborn = [feature for feature in group if feature.name in few]
        read = few - set(_unfelt(stubborn, bars, warm_up(group), gone, count, fits, seed))
        broken |= dict.fromkeys(
            [name for name in left if name not in read], "never feels the newest bar that it reads"
        )
    timeless = [feature for feature in features if not feature.lookback]
    for i, (_, window, old) in enumerate(_tried(timeless, bars, 1, count, seed, fits)):
        new = values(moved(window, -1, NUDGES[i % 2]), timeless, fits, last=1)[-1]
        for column in np.flatnonzero(~same(old, new)):
            broken[timeless[column].name] = f"reads the bar at {window.ts[-1].isoformat()}"
    return broken


def _blank(part: Bars, row: int) -> Bars:
    return altered(part, slice(row, row + 1), lambda old: old * np.nan)


def _unfelt(
    group: Features,
    bars: Bars,
    length: int,
    nudged: Callable[[Bars, float], Bars],
    count: int,
    fits: Fits,
    seed: int,
) -> list[str]:
    left = list(group)
    for i, (_, window, _) in enumerate(_tried(group, bars, length, count, seed, fits)):
        old = values(window, left, fits, last=1)[-1]
        new = values(nudged(window, NUDGES[i % 2]), left, fits, last=1)[-1]
        left = [left[j] for j in np.flatnonzero(same(old, new))]
        if not left:
            break
    return [feature.name for feature in left]


def padded(
    features: Features, bars: Bars, count: int = 50, fits: Fits = None, seed: int = 0
) -> Broken:
    """Features whose oldest bar is not needed.

    It is needed when altering it changes a value at least once; for a feature of few distinct
    values, or a capped one, when there is no value where it is blank: a count of rows that holds
    values back is no need.
    """
    few = _few(features, bars, fits) | {f.name for f in features if f.spec.capped}
    broken: Broken = {}
    for lookback, group in by_lookback([f for f in features if f.lookback]).items():
        left = _unfelt(
            group, bars, lookback, lambda part, by: moved(part, 0, by), count, fits, seed
        )
        faded = [feature for feature in group if feature.name in left and feature.name not in few]
        felt = {feature.name for feature in faded} - set(
            _unfelt(faded, bars, lookback, _shocked, count, fits, seed)
        )
        open_ = [f for f in group if f.name in left and f.name not in felt]
        needed = _needed([f for f in open_ if f.name in few], bars, lookback, count, fits, seed)
        for feature in open_:
            if feature.name not in needed:
                broken[feature.name] = f"the oldest of its {lookback:,} bars never matters"
    return broken


def _shocked(part: Bars, factor: float) -> Bars:
    return moved(part, 0, SHOCKS[0] if factor > 1.0 else SHOCKS[1])


def _few(features: Features, bars: Bars, fits: Fits) -> set[str]:
    few_valued: set[str] = set()
    for group in tiers(features):
        window = bars.rows(max(0, len(bars) - SAMPLE - warm_up(group)), len(bars))
        columns = values(window, group, fits).T
        few_valued |= {
            feature.name
            for feature, column in zip(group, columns, strict=True)
            if len(np.unique(column[~np.isnan(column)])) < FEW
        }
    return few_valued


def _needed(
    group: Features, bars: Bars, lookback: int, count: int, fits: Fits, seed: int
) -> set[str]:
    needed: set[str] = set()
    if not group or lookback < 2:
        return needed
    for _, window, old in _tried(group, bars, lookback, count, seed, fits):
        new = values(_blank(window, 0), group, fits, last=1)[-1]
        needed |= {group[int(i)].name for i in np.flatnonzero(np.isnan(new) & ~np.isnan(old))}
    return needed
