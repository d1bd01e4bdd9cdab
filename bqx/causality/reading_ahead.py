"""Whether values read later bars: the whole history against what ends or is altered at a row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bqx.causality import alterations
from bqx.causality.alterations import Disguise, Mask
from bqx.causality.checks import (
    BEFORE,
    Array,
    Features,
    Fits,
    Rows,
    alone,
    same,
    tiers,
    values,
)
from bqx.causality.first_read import Suspicion
from bqx.features.engine.compute import Plan, warm_up
from bqx.features.spec import Feature
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS

CHUNK = 25_000_000
"""Values that are computed at a time, so that they fit into memory."""


@dataclass(frozen=True)
class Round:
    """A way to alter bars: which rows (a function of `alterations`), how, and what of them.

    ``only`` : the column, or ``another pair``; empty for all.
    """

    pattern: str
    kind: str = alterations.NOISE
    only: str = ""


ROUNDS = (
    Round("single"),
    Round("stretches"),
    Round("single", alterations.NUDGE),
    Round("after a row"),
    Round("single", alterations.MISSING),
    Round("stretches", alterations.MISSING),
    Round("single"),
    Round("days", alterations.SCALED),
    Round("single", only="another pair"),
    Round("clock"),
    Round("single", only="volume"),
    Round("stretches", alterations.NUDGE),
    Round("single", only="spread"),
    Round("stretches", only="another pair"),
    Round("single", alterations.SCALED),
    Round("after a row", alterations.MISSING),
    Round("single", only="close"),
    Round("stretches", only="volume"),
    Round("single", only="high"),
    Round("stretches", only="spread"),
)
"""Alterations in the order in which they take turns."""


@dataclass
class Reading:
    """What was compared so far, and what differed.

    ``compared`` : values, each with another of its kind; ``ahead`` : market minutes from a
    compared value to the farthest later row that was changed. ``spoke`` : features with a finite
    value among the compared. ``kept`` : values of the first history at the rows that were asked
    for. ``met`` : see `alterations.single`.
    """

    cuts: int = 0
    compared: int = 0
    ahead: int = 0
    spoke: set[str] = field(default_factory=set)
    suspicions: dict[str, list[Suspicion]] = field(default_factory=dict)
    kept: dict[str, Array] = field(default_factory=dict)
    met: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def suspect(self, suspicion: Suspicion) -> None:
        """Remember a value that differed; three of a feature are enough."""
        several = self.suspicions.setdefault(suspicion.feature.name, [])
        if len(several) < 3:
            several.append(suspicion)


@dataclass(frozen=True)
class Task:
    """What is tried on the bars of a pair.

    ``cuts`` : rows at which a history ends. ``lone`` : rows whose value is computed from the last
    ``lookback`` bars alone. ``rounds`` : alterations. ``holed`` : holes are made first.
    ``keep`` : rows whose values are wanted.
    """

    bars: Bars
    fits: Fits
    cuts: Rows
    lone: Rows
    rounds: Sequence[Round]
    seed: int
    holed: bool = False
    keep: Rows | None = None


def read(features: Features, task: Task, reading: Reading) -> None:
    """Compare the values of the whole history with those from altered and shortened ones."""
    reading.cuts += len(task.cuts)
    if len(task.cuts):
        reading.ahead = max(reading.ahead, len(task.bars) - 1 - int(task.cuts[0]))
    kinds = {round_.kind for round_ in task.rounds}
    disguises = {kind: alterations.disguise(task.bars, kind, task.seed) for kind in kinds}
    for tier in tiers(features):
        _read_tier(tier, task, reading, disguises)


def _read_tier(
    tier: list[Feature], task: Task, reading: Reading, disguises: Mapping[str, Disguise]
) -> None:
    lookback = max(warm_up(tier), 1)
    rng = np.random.default_rng([task.seed, lookback])
    bars = task.bars
    gaps = np.zeros(len(bars), bool)
    if task.holed:
        gaps = alterations.holes(len(bars), lookback, rng)
        bars = alterations.disguise(bars, alterations.MISSING).on(gaps)
        disguises = {kind: replace(disguise, bars=bars) for kind, disguise in disguises.items()}
    met = reading.met.setdefault(lookback, np.zeros(sessions.DAY, np.int64))
    altered = [
        _Altered(
            disguises[round_.kind],
            round_.only,
            _rows(round_.pattern, bars, lookback, rng, met),
            seed=task.seed,
        )
        for round_ in task.rounds
    ]
    shortened = [*_shortened(tier, bars, task)]
    step = max(CHUNK // len(bars), 1)
    for start in range(0, len(tier), step):
        columns = slice(start, start + step)
        chunk = _Chunk(tier[columns], bars, task.fits, reading)
        chunk.against_shortened([(rows, end, few[columns]) for rows, end, few in shortened])
        for version in altered:
            chunk.against_altered(version)
        if task.keep is not None:
            chunk.keep(task.keep)


def _rows(
    pattern: str,
    bars: Bars,
    lookback: int,
    rng: np.random.Generator,
    met: NDArray[np.int64],
) -> Mask:
    if pattern == "single":
        return alterations.single(bars.minutes, lookback, rng, met)
    if pattern == "stretches":
        return alterations.stretches(len(bars), lookback, rng)
    if pattern == "days":
        return alterations.days(bars.minutes, rng)
    if pattern == "clock":
        return alterations.clock(bars.minutes, rng)
    return np.arange(len(bars)) > int(len(bars) * rng.uniform(0.2, 0.8))


def _shortened(tier: Features, bars: Bars, task: Task) -> Iterator[tuple[Rows, int, Array]]:
    """Rows, the last row of the bars they were computed from, and their values (F, rows)."""
    lookback = max(warm_up(tier), 1)
    for cut in map(int, task.cuts):
        start = max(0, cut + 1 - lookback - BEFORE)
        first = start and start + lookback - 1
        few = values(bars.rows(start, cut + 1), tier, task.fits, last=cut + 1 - first)
        yield np.arange(first, cut + 1), cut, few.T
    for row in map(int, task.lone):
        yield np.array([row]), row, alone(tier, bars, row, task.fits)[:, None]


class _Altered:
    """Bars of which some rows are altered."""

    def __init__(self, disguise: Disguise, only: str, rows: Mask, *, seed: int) -> None:
        names = disguise.names
        if only == "another pair":
            others = [name for name in names if name in PAIRS]
            names = [*np.random.default_rng(seed).permutation(others)[:1]]
        else:
            names = [name for name in names if name == only]
        if names:  # else all of them: what is asked for is not among these bars
            disguise = disguise.only(str(names[0]))
        self.kind = disguise.kind
        self.rows = rows
        self.bars = disguise.on(rows)
        self.since = alterations.since(rows)
        last = np.flatnonzero(rows)
        clean = np.flatnonzero(~rows)
        self.ahead = int(last[-1] - clean[0]) if len(last) and len(clean) else 0


class _Chunk:
    """Values of some features over the whole history."""

    def __init__(self, features: Features, bars: Bars, fits: Fits, reading: Reading) -> None:
        self.features, self.bars, self.fits, self.reading = features, bars, fits, reading
        self.plan = Plan(features)
        self.whole = self._values(bars, np.empty((len(features), len(bars))))
        # Of altered bars, one after the other: new memory takes as long as cheap features.
        self.altered = np.empty_like(self.whole)

    def _values(self, bars: Bars, out: Array) -> Array:
        """Fill (F, T) values over all rows of the bars."""
        for run in self.plan.works((bars,), out[None], (self.fits,)):
            run()
        return out

    def keep(self, rows: Rows) -> None:
        """Remember the values at some rows."""
        for feature, column in zip(self.features, self.whole, strict=True):
            self.reading.kept[feature.name] = column[rows]

    def against_shortened(self, shortened: list[tuple[Rows, int, Array]]) -> None:
        """Compare with values of histories that end earlier, or begin later."""
        for rows, _, few in shortened:
            whole = self.whole[:, rows]
            self.reading.compared += whole.size
            self._hear(np.asarray(np.isfinite(whole).any(axis=1)))
            unequal = ~same(whole, few)
            for i in map(int, np.flatnonzero(unequal.any(axis=1))):
                at = int(np.flatnonzero(unequal[i])[-1])
                self._suspect(i, int(rows[at]), float(few[i, at]))

    def against_altered(self, version: _Altered) -> None:
        """Compare where the lookback holds no altered row."""
        new = self._values(version.bars, self.altered)
        unequal = self.whole.view(np.int64) != new.view(np.int64)
        self.reading.ahead = max(self.reading.ahead, version.ahead)
        clean = {f.lookback: version.since >= f.lookback for f in self.features}
        counts = {lookback: int(rows.sum()) for lookback, rows in clean.items()}
        valued = np.zeros(len(self.features), bool)
        for i, feature in enumerate(self.features):
            rows = clean[feature.lookback]
            self.reading.compared += counts[feature.lookback]
            if feature.name not in self.reading.spoke:
                valued[i] = bool(np.isfinite(self.whole[i][rows]).any())
            changed = np.flatnonzero(unequal[i] & rows)
            if len(changed):
                changed = changed[~same(self.whole[i, changed], new[i, changed])]
            for row in {int(r) for r in (*changed[:1], *changed[-1:])}:
                self._suspect(i, row, float(new[i, row]), version)
        self._hear(valued)

    def _hear(self, heard: Mask) -> None:
        self.reading.spoke |= {self.features[int(i)].name for i in np.flatnonzero(heard)}

    def _suspect(self, i: int, row: int, other: float, version: _Altered | None = None) -> None:
        kind, rows = (version.kind, version.rows) if version else (None, None)
        whole = float(self.whole[i, row])
        self.reading.suspect(
            Suspicion(self.features[i], self.bars, row, whole, other, kind=kind, rows=rows)
        )
