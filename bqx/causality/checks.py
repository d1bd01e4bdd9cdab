"""What must hold for every feature, tried on bars: causality, sufficiency, tightness.

Causality: values up to a cut are computed again after the bars behind it were altered, those of
every pair at once, since features read other pairs through the panel. Sufficiency: the last
``lookback`` bars alone give the same value. Tightness: the newest and the oldest of them matter.
Equal means equal in every bit. Results are by feature name; an empty one means that all is well.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bqx.features.engine.compute import compute, warm_up
from bqx.features.spec import Feature
from bqx.market import sessions
from bqx.market.bars import COLUMNS, RATES, Bars, Panel
from bqx.market.pairs import PAIRS

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
Features = Sequence[Feature]
Fits = Mapping[str, Array] | None
Broken = dict[str, str]

BEFORE = 200
"""Rows before a cut whose values are compared, on top of those that the features look back."""

AFTER = 100
"""Rows after a cut that are altered."""

TIERS = (128, 512, 2_048)
"""Features of alike lookbacks are computed together, so that short windows read few rows."""

BUCKETS = (5, 15, 30, 60)
"""Minutes of the resampled bars at whose ends cuts are made."""


@dataclass(frozen=True)
class Leak:
    """A value that changed when later bars did.

    ``cut`` : open of the last bar that was left alone; ``at`` : of the row that changed most;
    ``change`` : its size, None where a value came or went; ``cuts`` : how many cuts changed the
    feature.
    """

    feature: str
    pair: str
    cut: str
    at: str
    alteration: str
    before: float
    after: float
    change: float | None
    cuts: int = 1

    def __str__(self) -> str:
        size = "a value came or went" if self.change is None else f"changed by {self.change:.3g}"
        return (
            f"{self.feature}: reads ahead: {size} ({self.before:.8g} to {self.after:.8g}) at "
            f"{self.at} of {self.pair} when the bars after {self.cut} were {self.alteration}; "
            f"changed at {self.cuts:,} cuts"
        )


def values(bars: Bars, features: Features, fits: Fits = None, last: int | None = None) -> Array:
    """Features in float64: (T or last, F)."""
    return compute(bars, features, np.float64, last, fits)


def same(a: Array, b: Array) -> NDArray[np.bool_]:
    """Equal in every bit, NaN with NaN."""
    return (a == b) | (np.isnan(a) & np.isnan(b))


def altered(bars: Bars, rows: slice, change: Callable[[Array], Array]) -> Bars:
    """Bars of which some rows are changed, the pair's own (rows, 6) and all closes (rows, 28)."""
    new = bars.frame[list(COLUMNS)].to_numpy(np.float64, copy=True)
    new[rows] = change(new[rows])
    frame = bars.frame.assign(**dict(zip(COLUMNS, new.T, strict=True)))
    if bars.panel is None:
        return replace(bars, frame=frame)
    closes = bars.panel.closes.copy()
    closes[rows] = change(closes[rows])
    closes[rows, PAIRS.index(bars.pair)] = new[rows, COLUMNS.index("close")]
    return replace(bars, frame=frame, panel=Panel(closes, bars.panel.baselines))


def futures(bars: Bars, cut: int, rng: np.random.Generator) -> Iterator[tuple[str, Bars]]:
    """The bars of all pairs with what comes after row ``cut`` taken away or altered."""

    def noise(old: Array) -> Array:
        new = np.exp(rng.normal(0.0, 1.0, old.shape))
        if old.shape[1] == len(COLUMNS):
            new[:, : len(RATES)] = np.sort(new[:, : len(RATES)], axis=1)[:, [1, 3, 0, 2]]
        # What is absent, such as a volume or a pair, stays absent.
        return np.where(np.isnan(old).all(axis=0), np.nan, new)

    yield "removed", bars.rows(0, cut + 1)
    after = slice(cut + 1, len(bars))
    yield "replaced by noise", altered(bars, after, noise)
    yield "set NaN", altered(bars, after, lambda old: old * np.nan)
    yield "scaled by 10", altered(bars, after, lambda old: old * 10.0)


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


def cuts(bars: Bars, count: int, first: int = 0, seed: int = 0) -> Rows:
    """Rows to cut at, from ``first`` on, in ascending order.

    Up to a third where a week, a session or a hole begins or ends, a sixth at the ends of buckets
    and one row before, the rest anywhere.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(min(first, max(len(bars) - 2, 0)), len(bars) - 1)
    minutes = bars.minutes
    state = np.column_stack(
        [
            sessions.market_minutes(minutes) // sessions.WEEK,
            *(sessions.in_session(minutes, name) for name in sessions.SESSIONS),
            np.isnan(bars.close),
            bars.frame["filled"],
        ]
    )
    turns = np.flatnonzero((np.diff(state, axis=0) != 0).any(axis=1))
    ends = np.concatenate([np.flatnonzero(minutes % size == size - 1) for size in BUCKETS])
    forced = []
    for edges, share in ((np.append(turns, turns + 1), 3), (np.append(ends, ends - 1), 6)):
        forced.append(rng.permutation(np.intersect1d(edges, rows))[: count // share])
    chosen = np.unique(np.concatenate(forced))
    free = rng.permutation(np.setdiff1d(rows, chosen))
    return np.sort(np.append(chosen, free[: max(count - len(chosen), 0)])).astype(np.int64)


@dataclass(frozen=True)
class Trial:
    """What a cut showed: the features that changed, and those that had a value at all."""

    leaks: dict[str, Leak]
    spoke: set[str]


def at_cut(
    features: Features, bars: Bars, cut: int, fits: Fits = None, missing: int = 0, seed: int = 0
) -> Trial:
    """Features with a value at or before a cut that changes when later bars do.

    ``missing`` rows up to the cut are made NaN first: what fills holes from behind shows there.
    """
    rng = np.random.default_rng([seed, cut])
    leaks: dict[str, Leak] = {}
    spoke: set[str] = set()
    for group in tiers(features):
        start = max(0, cut - warm_up(group) - BEFORE)
        part = bars.rows(start, min(len(bars), cut + 1 + AFTER))
        if missing:
            rows = slice(max(cut + 1 - start - missing, 0), cut + 1 - start)
            part = altered(part, rows, lambda old: old * np.nan)
        before = values(part, group, fits)[: cut + 1 - start]
        spoke |= {group[i].name for i in np.flatnonzero(~np.isnan(before).all(axis=0))}
        for name, future in futures(part, cut - start, rng):
            after = values(future, group, fits)[: cut + 1 - start]
            for column in np.flatnonzero(~same(before, after).all(axis=0)):
                old, new = before[:, column], after[:, column]
                leak = _leak(group[column], part, cut - start, name, old, new)
                leaks[leak.feature] = _larger(leaks.get(leak.feature), leak)
    return Trial(leaks, spoke)


def _leak(feature: Feature, bars: Bars, cut: int, name: str, old: Array, new: Array) -> Leak:
    size = np.abs(new - old)
    gone = np.isnan(size).all() or np.nanmax(size) == 0.0
    row = int(np.argmin(same(old, new)) if gone else np.nanargmax(size))
    cut_at, at = bars.ts[cut].isoformat(), bars.ts[row].isoformat()
    change = None if gone else float(size[row])
    return Leak(feature.name, bars.pair, cut_at, at, name, float(old[row]), float(new[row]), change)


def _larger(one: Leak | None, other: Leak) -> Leak:
    return other if one is None or (one.change or 0.0) < (other.change or 0.0) else one


def reading_ahead(
    features: Features, bars: Bars, at: Sequence[int] | Rows, fits: Fits = None, seed: int = 0
) -> dict[str, Leak]:
    """Features that read later bars at one of the cuts; at every fourth a hole ends."""
    leaks: dict[str, Leak] = {}
    for i, cut in enumerate(at):
        leaks = merged(leaks, at_cut(features, bars, int(cut), fits, hole(i), seed).leaks)
    return leaks


def hole(i: int) -> int:
    """Rows of the hole that ends at the i-th cut: one to five at every fourth, else none."""
    return 1 + i // 4 % 5 if i % 4 == 3 else 0


def merged(leaks: dict[str, Leak], found: dict[str, Leak]) -> dict[str, Leak]:
    """The larger change of each feature, with the cuts of both counted."""
    out = dict(leaks)
    for name, leak in found.items():
        count = leak.cuts + (leaks[name].cuts if name in leaks else 0)
        out[name] = replace(_larger(leaks.get(name), leak), cuts=count)
    return out


def insufficient_at(features: Features, bars: Bars, row: int, fits: Fits = None) -> Broken:
    """Features whose value at a row the last ``lookback`` bars alone do not reproduce."""
    broken: Broken = {}
    for tier in tiers(features):
        long = bars.rows(max(0, row + 1 - warm_up(tier) - BEFORE), row + 1)
        whole = values(long, tier, fits)[-1]
        short = values(long, tier, fits, last=1)[-1]
        told = dict(zip((feature.name for feature in tier), whole, strict=True))
        for column in np.flatnonzero(~same(short, whole)):
            broken[tier[column].name] = _differs(
                tier[column], bars, row, short[column], whole[column]
            )
        for lookback, group in by_lookback(tier).items():
            if max(lookback, 1) > row + 1:
                continue
            alone = values(bars.rows(row + 1 - max(lookback, 1), row + 1), group, fits)[-1]
            expected = np.array([told[feature.name] for feature in group])
            for i in np.flatnonzero(~same(alone, expected)):
                broken[group[i].name] = _differs(group[i], bars, row, alone[i], expected[i])
    return broken


def _differs(feature: Feature, bars: Bars, row: int, alone: float, whole: float) -> str:
    return (
        f"not reproduced by its last {feature.lookback:,} bars: {alone:.8g} instead of "
        f"{whole:.8g} at {bars.ts[row].isoformat()} of {bars.pair}"
    )
