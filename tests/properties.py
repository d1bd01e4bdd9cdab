"""What holds for every feature, as functions over lists of features.

Each returns the features that break the property, with the place: an empty result means that it
holds. A property that is wanted "at least once" returns those for which it never was.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bqx.bars import RATES, Bars
from bqx.features.compute import compute
from bqx.features.spec import Feature

Array = NDArray[np.float64]
Features = Sequence[Feature]
Broken = dict[str, str]

HISTORY = 1_600
"""Rows before a cut that are computed."""

FUTURE = 100
"""Rows after a cut that are altered."""


def values(bars: Bars, features: Features) -> Array:
    return compute(bars, features, np.float64)


def rates(bars: Bars) -> Array:
    """(T, 4) open, high, low, close in quote units, a copy."""
    return bars.frame[list(RATES)].to_numpy(np.float64, copy=True)


def with_rates(bars: Bars, new: Array) -> Bars:
    return replace(bars, frame=bars.frame.assign(**dict(zip(RATES, new.T, strict=True))))


def moved(bars: Bars, row: int, factor: float) -> Bars:
    """Bars of which one has its rates multiplied."""
    new = rates(bars)
    new[row] *= factor
    return with_rates(bars, new)


def same(a: Array, b: Array) -> NDArray[np.bool_]:
    """Equal in every bit, NaN with NaN."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


def by_lookback(features: Features) -> dict[int, list[Feature]]:
    groups = defaultdict(list)
    for feature in features:
        groups[feature.lookback].append(feature)
    return dict(groups)


def futures(bars: Bars, cut: int, rng: np.random.Generator) -> Iterator[tuple[str, Bars]]:
    """The bars with what comes after row ``cut`` taken away or altered."""
    yield "cut off", bars.rows(0, cut + 1)
    old = rates(bars)
    noise = np.sort(np.exp(rng.normal(0.0, 1.0, old.shape)), axis=1)[:, [1, 3, 0, 2]]
    for name, rest in (("noise", noise), ("NaN", old * np.nan), ("times 10", old * 10.0)):
        new = old.copy()
        new[cut + 1 :] = rest[cut + 1 :]
        yield name, with_rates(bars, new)


def reading_ahead(features: Features, bars: Bars, cuts: Sequence[int], seed: int = 0) -> Broken:
    """Features with a value at or before a cut that changes when later bars do."""
    rng = np.random.default_rng(seed)
    broken: Broken = {}
    for cut in cuts:
        start = max(0, cut - HISTORY)
        part = bars.rows(start, min(len(bars), cut + 1 + FUTURE))
        keep = cut + 1 - start
        before = values(part, features)[:keep]
        for name, altered in futures(part, cut - start, rng):
            equal = same(before, values(altered, features)[:keep])
            for column in map(int, np.flatnonzero(~equal.all(axis=0))):
                row = int(np.argmin(equal[:, column])) + start
                broken.setdefault(features[column].name, f"row {row}, {name} after {cut}")
    return broken


def anchors(
    features: Features, bars: Bars, count: int, seed: int = 0
) -> dict[str, NDArray[np.int64]]:
    """Up to ``count`` rows of each feature where it has a value."""
    rng = np.random.default_rng(seed)
    known = ~np.isnan(values(bars, features))
    out = {}
    for column, feature in enumerate(features):
        rows = np.flatnonzero(known[:, column])
        out[feature.name] = rng.permutation(rows)[:count]
    return out


def blind(features: Features, bars: Bars, count: int = 50) -> Broken:
    """Features that claim to read bars and never feel the newest one; or feel one unclaimed."""
    never = {feature.name for feature in features if feature.lookback}
    broken: Broken = {}
    for lookback, group in by_lookback(features).items():
        at = anchors(group[:1], bars, count)[group[0].name]
        for i, row in enumerate(at):
            part = bars.rows(max(0, row + 1 - max(lookback, 1)), row + 1)
            old = values(part, group)[-1]
            new = values(moved(part, -1, (1.02, 0.98)[i % 2]), group)[-1]
            for column in np.flatnonzero(~same(old, new)):
                name = group[column].name
                never.discard(name)
                if not lookback:
                    broken[name] = f"reads the bar at row {row}"
    return broken | dict.fromkeys(never, "never feels the newest bar")


def insufficient(features: Features, bars: Bars, count: int = 50) -> Broken:
    """Features with a value that the last ``lookback`` bars alone do not reproduce."""
    broken: Broken = {}
    whole = values(bars, features)
    column_of = {feature.name: i for i, feature in enumerate(features)}
    rng = np.random.default_rng(0)
    for lookback, group in by_lookback(features).items():
        columns = [column_of[feature.name] for feature in group]
        need = max(lookback, 1)
        known = np.flatnonzero(~np.isnan(whole[:, columns]).any(axis=1))
        unknown = np.flatnonzero(np.isnan(whole[:, columns]).any(axis=1))
        if len(known) < count:
            broken |= {feature.name: f"only {len(known)} rows to try" for feature in group}
        # Rows without a value must stay without one: a slice may not invent what history lacks.
        rows = [*rng.permutation(known)[:count], *rng.permutation(unknown[unknown >= need])[:10]]
        for row in rows:
            alone = values(bars.rows(row + 1 - need, row + 1), group)[-1]
            for i in np.flatnonzero(~same(alone, whole[row, columns])):
                broken.setdefault(
                    group[i].name, f"row {row}: {alone[i]!r} alone, {whole[row, columns[i]]!r}"
                )
    return broken


def padded(features: Features, bars: Bars, count: int = 50) -> Broken:
    """Features whose oldest bar is not needed.

    The oldest bar is needed when altering it changes a value at least once; for a feature of few
    distinct values, which rarely changes, when there is no value without it.
    """
    loose: Broken = {}
    whole = values(bars, features)
    few = {
        feature.name
        for feature, column in zip(features, whole.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 10
    }
    for lookback, group in by_lookback(features).items():
        felt, needed = set(), set()
        for i, row in enumerate(anchors(group[:1], bars, count)[group[0].name] if lookback else ()):
            part = bars.rows(row + 1 - lookback, row + 1)
            old = values(part, group)[-1]
            new = values(moved(part, 0, (1.02, 0.98)[i % 2]), group)[-1]
            fewer = values(bars.rows(row + 2 - lookback, row + 1), group)[-1]
            felt |= {group[i].name for i in np.flatnonzero(~same(old, new))}
            needed |= {group[i].name for i in np.flatnonzero(np.isnan(fewer) & ~np.isnan(old))}
        for feature in group:
            if lookback and feature.name not in (felt | (needed if feature.name in few else set())):
                loose[feature.name] = f"the oldest of {lookback} bars never matters"
    return loose


def out_of_range(features: Features, bars: Bars) -> Broken:
    """Features with a value outside the declared range, or an infinite one."""
    broken: Broken = {}
    for feature, column in zip(features, values(bars, features).T, strict=True):
        known = column[~np.isnan(column)]
        bad = (known < feature.lo) | (known > feature.hi) | np.isinf(known)
        if bad.any():
            broken[feature.name] = f"{known[bad][0]!r} outside [{feature.lo}, {feature.hi}]"
    return broken


def ill_warmed(features: Features, clean: Bars) -> Broken:
    """Features whose first value on clean bars does not stand at row ``lookback - 1``."""
    broken: Broken = {}
    for feature, column in zip(features, values(clean, features).T, strict=True):
        first = int(np.argmax(~np.isnan(column))) if not np.isnan(column).all() else -1
        expected = max(feature.lookback, 1) - 1
        if first != expected:
            broken[feature.name] = f"first value at row {first}, expected {expected}"
    return broken


def off_unit(features: Features, bars: Bars) -> Broken:
    """Features that do not answer a doubling of all rates as their unit says.

    What is measured in points of the index doubles, all else stays, in every bit.
    """
    broken: Broken = {}
    old = values(bars, features)
    new = values(with_rates(bars, rates(bars) * 2.0), features)
    for i, feature in enumerate(features):
        factor = 2.0 if feature.unit.split("/")[0] == "pt" else 1.0
        if not same(new[:, i], old[:, i] * factor).all():
            broken[feature.name] = f"unit {feature.unit!r}, but not times {factor:g}"
    return broken


def standardised(columns: Array) -> Array:
    centred = columns - columns.mean(axis=0)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=0)))


def twins_of_others(features: Features, bars: Bars) -> Broken:
    """Features that are an affine copy of an earlier one (absolute correlation 1 to 1e-12)."""
    columns = values(bars, features)
    columns = standardised(columns[~np.isnan(columns).any(axis=1)])
    close = np.abs(columns.T @ columns) / len(columns) > 1.0 - 1e-12
    return {
        features[j].name: f"copies {features[i].name}" for i, j in np.argwhere(np.triu(close, 1))
    }


def dependent(features: Features, bars: Bars) -> Broken:
    """Features that are an exact linear combination of earlier ones and a constant."""
    columns = values(bars, features)
    columns = standardised(columns[~np.isnan(columns).any(axis=1)])
    basis = np.zeros((len(columns), 0))
    broken: Broken = {}
    for feature, column in zip(features, columns.T, strict=True):
        rest = column.copy()
        for _ in range(2):  # the second pass restores orthogonality
            rest -= basis @ (basis.T @ rest)
        if np.sqrt((rest**2).mean()) < 1e-8:
            broken[feature.name] = "is a combination of earlier features"
        else:
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return broken


def not_spanned(feature: Feature, of: Features, bars: Bars) -> Broken:
    """The feature, unless it is the linear combination of others that it claims to be."""
    columns = values(bars, (feature, *of))
    columns = standardised(columns[~np.isnan(columns).any(axis=1)])
    rest = columns[:, 0] - columns[:, 1:] @ np.linalg.lstsq(columns[:, 1:], columns[:, 0])[0]
    worst = float(np.abs(rest).max())
    return {feature.name: f"off by {worst:.1e} of its deviation"} if worst > 1e-9 else {}
