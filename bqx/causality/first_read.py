"""Why a value differed: the first later row that it read and the columns, found by bisection."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from bqx.causality import alterations
from bqx.causality.alterations import Disguise, Mask
from bqx.causality.checks import STATE, Fits, Leak, alone, differs, same, values
from bqx.features.spec import Feature
from bqx.market.bars import Bars

Reach = Callable[[int], Bars]
"""Bars whose later rows are changed up to a row."""

REMOVED = "removed"
AGAIN = "though all bars are the same"


@dataclass(frozen=True, eq=False)
class Suspicion:
    """A value that differed from the one of the whole history.

    ``row`` : where; ``whole`` and ``other`` : the two values. ``kind`` and ``rows`` : what was
    altered, None where bars were left out.
    """

    feature: Feature
    bars: Bars = field(repr=False)
    row: int
    whole: float
    other: float
    kind: str | None = None
    rows: Mask | None = field(default=None, repr=False)


def unlike(a: float, b: float) -> bool:
    """Whether two values differ in a bit."""
    return not same(np.array([a]), np.array([b]))[0]


def first(changed: Callable[[int], bool], low: int, high: int) -> int:
    """Smallest row above ``low`` up to which bars must reach for a change; at ``high`` it is there.

    >>> first(lambda row: row >= 7, 0, 100)
    7
    """
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if changed(middle) else (middle, high)
    return high


def explain(suspicion: Suspicion, fits: Fits) -> Leak | str | None:
    """The leak, the words for a lookback that does not suffice, or None where it is neither.

    It is neither where the same call gives another value than before.
    """
    feature, bars, row = suspicion.feature, suspicion.bars, suspicion.row

    def at(altered: Bars) -> float:
        return float(values(altered, [feature], fits)[row, 0])

    if unlike(at(bars), suspicion.whole):
        return None
    reads: list[tuple[int, str, float]] = []
    for name, reach in _reaches(suspicion):
        apart, through_all = at(reach(row)), at(reach(len(bars) - 1))
        if unlike(apart, through_all):

            def changed(stop: int, reach: Reach = reach, apart: float = apart) -> bool:
                return unlike(at(reach(stop)), apart)

            read = first(changed, row, len(bars) - 1)
            reads.append((read, name, apart if name == REMOVED else through_all))
            if len(reads) == 2 or read == row + 1:
                break
    if not reads:
        few = alone([feature], bars, row, fits)[0]
        other = few if unlike(few, suspicion.whole) else suspicion.other
        return differs(feature, bars, row, other, suspicion.whole)
    read, name, other = min(reads)
    through = _through(bars, row, read, at, suspicion.whole)
    return leak(suspicion, read, name, other, through)


def leak(
    suspicion: Suspicion, read: int | None, alteration: str, other: float, through: tuple[str, ...]
) -> Leak:
    """What was found, in the words of the calendar."""
    bars, row = suspicion.bars, suspicion.row
    return Leak(
        suspicion.feature.name,
        bars.pair,
        bars.ts[row].isoformat(),
        None if read is None else bars.ts[read].isoformat(),
        None if read is None else read - row,
        through,
        alteration,
        suspicion.whole,
        other,
    )


def again(suspicion: Suspicion) -> Leak:
    """A value that is another one when the same bars are computed again."""
    return leak(suspicion, None, AGAIN, suspicion.other, (STATE,))


def _reaches(suspicion: Suspicion) -> Iterator[tuple[str, Reach]]:
    """Ways to change what comes after the row, each up to any later one."""
    bars, row = suspicion.bars, suspicion.row
    position = np.arange(len(bars))
    yield REMOVED, lambda stop: bars.rows(0, stop + 1)
    kinds = dict.fromkeys((alterations.NOISE, suspicion.kind or alterations.SCALED))
    for disguise in (alterations.disguise(bars, kind) for kind in kinds):
        yield disguise.kind, _later(disguise, position > row)
        if suspicion.rows is not None and disguise.kind == suspicion.kind:
            yield disguise.kind, _later(disguise, suspicion.rows & (position > row))


def _later(disguise: Disguise, rows: Mask) -> Reach:
    position = np.arange(len(rows))
    return lambda stop: disguise.on(rows & (position <= stop))


def _through(
    bars: Bars, row: int, read: int, at: Callable[[Bars], float], whole: float
) -> tuple[str, ...]:
    """Columns and pairs whose alteration at the first row read, or from it on, is felt."""
    position = np.arange(len(bars))
    for rows in (position == read, position >= read):
        for kind in alterations.KINDS:
            disguise = alterations.disguise(bars, kind)
            felt = [n for n in disguise.names if unlike(at(disguise.only(n).on(rows)), whole)]
            if felt:
                return tuple(felt)
    return ("the number of bars",)
