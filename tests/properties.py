"""What holds for every feature, as functions over lists of features.

Each returns the features that break the property, with the place: an empty result means that it
holds. A property that is wanted "at least once" returns those for which it never was.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from twins import FITS

from bqx.causality import checks, reading_ahead, tightness
from bqx.causality.checks import Broken, Features, same
from bqx.causality.first_read import again, explain
from bqx.features.spec import Feature
from bqx.market.bars import RATES, Bars

Array = NDArray[np.float64]


def values(bars: Bars, features: Features, fits: checks.Fits = FITS) -> Array:
    """(T, F) in float64; fitted families take the tests' parameters."""
    return checks.values(bars, features, fits)


def blind(features: Features, bars: Bars, count: int = 50, fits: checks.Fits = FITS) -> Broken:
    """Features that never feel the newest bar they read."""
    return tightness.blind(features, bars, count, fits)


def padded(features: Features, bars: Bars, count: int = 50, fits: checks.Fits = FITS) -> Broken:
    """Features whose oldest bar is not needed."""
    return tightness.padded(features, bars, count, fits)


def rates(bars: Bars) -> Array:
    """(T, 4) open, high, low, close in quote units, a copy."""
    return bars.frame[list(RATES)].to_numpy(np.float64, copy=True)


def with_rates(bars: Bars, new: Array) -> Bars:
    return replace(bars, frame=bars.frame.assign(**dict(zip(RATES, new.T, strict=True))))


def ahead(
    features: Features, bars: Bars, cuts: Sequence[int], seed: int = 0, fits: checks.Fits = FITS
) -> Broken:
    """Features with a value that changes when later bars do."""
    reading = reading_ahead.Reading()
    none = np.array([], np.int64)
    for holed, rounds in ((False, reading_ahead.ROUNDS[:4]), (True, reading_ahead.ROUNDS[4:6])):
        at = none if holed else np.asarray(cuts, np.int64)
        task = reading_ahead.Task(bars, fits, at, none, rounds, seed, holed=holed)
        reading_ahead.read(features, task, reading)
    return {
        name: str(explain(suspicion, fits) or again(suspicion))
        for name, (suspicion, *_) in reading.suspicions.items()
    }


def insufficient(
    features: Features, bars: Bars, count: int = 50, fits: checks.Fits = FITS
) -> Broken:
    """Features with a value that the last ``lookback`` bars alone do not reproduce.

    Tried at rows with and without values: a slice may not invent what history lacks.
    """
    known = (~np.isnan(values(bars, features, fits))).sum(axis=0)
    broken = {
        feature.name: f"only {rows} rows to try"
        for feature, rows in zip(features, known, strict=True)
        if rows < count
    }
    for row in np.random.default_rng(0).permutation(len(bars))[:count]:
        broken |= checks.insufficient_at(features, bars, int(row), fits)
    return broken


def out_of_range(features: Features, bars: Bars, fits: checks.Fits = FITS) -> Broken:
    """Features with a value outside the declared range, or an infinite one."""
    broken: Broken = {}
    for feature, column in zip(features, values(bars, features, fits).T, strict=True):
        known = column[~np.isnan(column)]
        bad = (known < feature.lo) | (known > feature.hi) | np.isinf(known)
        if bad.any():
            broken[feature.name] = f"{known[bad][0]!r} outside [{feature.lo}, {feature.hi}]"
    return broken


def ill_warmed(features: Features, clean: Bars, fits: checks.Fits = FITS) -> Broken:
    """Features whose first value on clean bars does not stand at row ``lookback - 1``."""
    broken: Broken = {}
    for feature, column in zip(features, values(clean, features, fits).T, strict=True):
        first = int(np.argmax(~np.isnan(column))) if not np.isnan(column).all() else -1
        expected = max(feature.lookback, 1) - 1
        if first != expected:
            broken[feature.name] = f"first value at row {first}, expected {expected}"
    return broken


def off_unit(features: Features, bars: Bars, fits: checks.Fits = FITS) -> Broken:
    """Features that do not answer a doubling of all rates and spreads as their unit says.

    What is measured in points of the index, or in quote units, doubles, squares quadruple, all
    else stays, in every bit. Rates of the other pairs stay: doubling them would break triangles.
    """
    broken: Broken = {}
    old = values(bars, features, fits)
    doubled = with_rates(bars, rates(bars) * 2.0)
    frame = doubled.frame.assign(spread=doubled.frame["spread"] * 2.0)
    new = values(replace(doubled, frame=frame), features, fits)
    powers = {"pt": 1, "pt tick": 1, "quote": 1, "pt^2": 2}
    for i, feature in enumerate(features):
        factor = 2.0 ** powers.get(feature.unit.split("/")[0], 0)
        if not same(new[:, i], old[:, i] * factor).all():
            broken[feature.name] = f"unit {feature.unit!r}, but not times {factor:g}"
    return broken


def standardised(columns: Array) -> Array:
    centred = columns - columns.mean(axis=0)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=0)))


def twins_of_others(features: Features, bars: Bars, fits: checks.Fits = FITS) -> Broken:
    """Features that are an affine copy of an earlier one (absolute correlation 1 to 1e-12)."""
    columns = values(bars, features, fits)
    columns = standardised(columns[~np.isnan(columns).any(axis=1)])
    close = np.abs(columns.T @ columns) / len(columns) > 1.0 - 1e-12
    return {
        features[j].name: f"copies {features[i].name}" for i, j in np.argwhere(np.triu(close, 1))
    }


def dependent(features: Features, bars: Bars, fits: checks.Fits = FITS) -> Broken:
    """Features that are an exact linear combination of earlier ones and a constant."""
    columns = values(bars, features, fits)
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
