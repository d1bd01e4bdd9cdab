"""What must hold for every feature: causality, sufficiency, tightness; and what is compared.

Causality: values stay what they are when later bars are removed or altered, those of every pair at
once, since features read other pairs through the panel. Bars are those of the grid, where a hole is
carried or empty as is known at its end. Sufficiency: the last ``lookback`` bars
alone give the same value. Tightness: the newest and the oldest of them matter. Equal means equal
in every bit.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.compute import compute, warm_up
from bqx.features.spec import Feature
from bqx.market.bars import Bars

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Features = Sequence[Feature]
Fits = Mapping[str, Array] | None
Broken = dict[str, str]

BEFORE = 200
"""Rows before a cut whose values are compared, on top of those that the features look back."""

TIERS = (16, 128, 512, 2_048)
"""Features of alike lookbacks are computed together, so that short windows read few rows."""

ROUNDING = 1e-9
"""Share of a value up to which a difference is taken for that of rounding in a message."""

STATE = "state kept between calls"
"""What a value is read through that differs when it is computed again."""


@dataclass(frozen=True)
class Leak:
    """A value that changed when later bars did.

    ``cut`` : open of its bar, the last one that was left alone; ``first_read`` : of the first
    later bar that it was read from, ``minutes_ahead`` market minutes later; None where there is
    none to name. ``through`` : the columns and pairs that are read there.
    """

    feature: str
    pair: str
    cut: str
    first_read: str | None
    minutes_ahead: int | None
    through: tuple[str, ...]
    alteration: str
    before: float
    after: float

    @property
    def change(self) -> float | None:
        """Size of the change, None where a value came or went."""
        size = abs(self.after - self.before)
        return size if np.isfinite(size) else None

    def __str__(self) -> str:
        size = " to ".join(apart(self.before, self.after))
        if self.first_read is None:
            return (
                f"{self.feature}: not the same when computed again: {size} at {self.cut} of "
                f"{self.pair}, {self.alteration}"
            )
        return (
            f"{self.feature}: reads ahead: {size} at {self.cut} of {self.pair} when the bar of "
            f"{self.first_read}, {self.minutes_ahead:,} minutes ahead, was {self.alteration} (read "
            f"through {', '.join(self.through)})"
        )


def values(bars: Bars, features: Features, fits: Fits = None, last: int | None = None) -> Array:
    """Features in float64: (T or last, F)."""
    return compute(bars, features, np.float64, last, fits)


def same(a: Array, b: Array) -> NDArray[np.bool_]:
    """Equal in every bit, NaN with NaN."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


def tiers(features: Features) -> list[list[Feature]]:
    """Features in groups of alike lookbacks."""
    groups = defaultdict(list)
    for feature in features:
        groups[int(np.searchsorted(TIERS, feature.lookback))].append(feature)
    return [groups[tier] for tier in sorted(groups)]


def by_lookback(features: Features) -> dict[int, list[Feature]]:
    """Features by lookback."""
    groups = defaultdict(list)
    for feature in features:
        groups[feature.lookback].append(feature)
    return dict(groups)


def alone(features: Features, bars: Bars, row: int, fits: Fits = None) -> Array:
    """Values at a row from each feature's last ``lookback`` bars and no others: (F,).

    Where the bars begin later than that, from those that there are.
    """
    column = {feature.name: i for i, feature in enumerate(features)}
    out = np.empty(len(features))
    for lookback, group in by_lookback(features).items():
        start = max(row + 1 - max(lookback, 1), 0)
        last_values = values(bars.rows(start, row + 1), group, fits)[-1]
        out[[column[feature.name] for feature in group]] = last_values
    return out


def insufficient_at(features: Features, bars: Bars, row: int, fits: Fits = None) -> Broken:
    """Features whose value at a row the last ``lookback`` bars alone do not reproduce."""
    broken: Broken = {}
    for tier in tiers(features):
        long = bars.rows(max(0, row + 1 - warm_up(tier) - BEFORE), row + 1)
        whole = values(long, tier, fits)[-1]
        newest = values(long, tier, fits, last=1)[-1]
        for few in (newest, alone(tier, bars, row, fits)):
            for i in np.flatnonzero(~same(few, whole)):
                broken[tier[i].name] = differs(tier[i], bars, row, few[i], whole[i])
    return broken


def differs(feature: Feature, bars: Bars, row: int, few: float, whole: float) -> str:
    """How a value from the last bars alone differs from that of the whole history."""
    place = f"{bars.ts[row].isoformat()} of {bars.pair}"
    rounded = abs(few - whole) <= ROUNDING * abs(whole)
    why = (
        "; so small a difference is the rounding of a sum that runs on from row to row, such as "
        "that of pandas' rolling: compute each window from its own values"
    )
    return (
        f"not reproduced by its last {feature.lookback:,} bars: "
        f"{' instead of '.join(apart(few, whole))} at {place}{why if rounded else ''}"
    )


def apart(first: float, second: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart.

    >>> apart(0.1, 0.2), apart(0.1 + 0.2, 0.3)
    (('0.1', '0.2'), ('0.30000000000000004', '0.29999999999999999'))
    """
    shown = [(f"{first:.{digits}g}", f"{second:.{digits}g}") for digits in range(8, 18)]
    return next((pair for pair in shown if pair[0] != pair[1]), shown[-1])
