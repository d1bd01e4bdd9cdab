"""Ways to alter bars: which rows, and what becomes of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bqx.market import sessions
from bqx.market.bars import COLUMNS, RATES, Bars, Panel
from bqx.market.pairs import PAIRS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FILLED = "filled"
"""Column of the grid that says whether a bar carries an earlier close."""


def altered(bars: Bars, rows: slice | Mask, change: Callable[[Array], Array]) -> Bars:
    """Bars of which some rows are changed, the pair's own (rows, 6) and all closes (rows, 28)."""
    bar_values = bars.frame[list(COLUMNS)].to_numpy(np.float64, copy=True)
    bar_values[rows] = change(bar_values[rows])
    if bars.panel is None:
        return _with(bars, bar_values, None)
    closes = bars.panel.closes.copy()
    closes[rows] = change(closes[rows])
    return _with(bars, bar_values, closes)


def _with(bars: Bars, own: Array, closes: Array | None, filled: Mask | None = None) -> Bars:
    columns = dict(zip(COLUMNS, own.T, strict=True))
    frame = bars.frame.assign(**columns)
    if filled is not None:
        frame[FILLED] = filled
    if closes is None or bars.panel is None:
        return replace(bars, frame=frame)
    closes[:, PAIRS.index(bars.pair)] = own[:, COLUMNS.index("close")]
    return replace(bars, frame=frame, panel=Panel(closes, bars.panel.baselines))


@dataclass(frozen=True, eq=False)
class Disguise:
    """What every row of some bars would become if it were altered.

    Rows become the same whichever others are altered with them.
    ``own`` : (T, 6) the pair's columns. ``closes`` : (T, 28). ``filled`` : (T,) or None where the
    bars do not say.
    """

    kind: str
    bars: Bars
    own: Array
    closes: Array | None
    filled: Mask | None

    def on(self, rows: Mask) -> Bars:
        """The bars with these rows altered."""
        bar_values, closes = self._plain
        bar_values = np.where(rows[:, None], self.own, bar_values)
        if closes is not None and self.closes is not None:
            closes = np.where(rows[:, None], self.closes, closes)
        filled = self.filled
        if filled is not None:
            filled = np.where(rows, filled, self.bars.frame[FILLED].to_numpy(bool))
        return _with(self.bars, bar_values, closes, filled)

    def only(self, name: str) -> "Disguise":
        """The disguise of one column, of ``filled``, or of one other pair alone."""
        bar_values, closes = (None if x is None else x.copy() for x in self._plain)
        filled = None if self.filled is None else self.bars.frame[FILLED].to_numpy(bool)
        assert bar_values is not None
        if name in COLUMNS:
            bar_values[:, COLUMNS.index(name)] = self.own[:, COLUMNS.index(name)]
        elif name == FILLED:
            filled = self.filled
        elif closes is not None and self.closes is not None:
            closes[:, PAIRS.index(name)] = self.closes[:, PAIRS.index(name)]
        return Disguise(self.kind, self.bars, bar_values, closes, filled)

    @property
    def names(self) -> list[str]:
        """What `only` takes."""
        others = () if self.closes is None else _present(self.closes)
        columns = [name for i, name in enumerate(COLUMNS) if not np.isnan(self.own[:, i]).all()]
        filled = [] if self.filled is None else [FILLED]
        return [*columns, *filled, *(PAIRS[i] for i in others if PAIRS[i] != self.bars.pair)]

    @cached_property
    def _plain(self) -> tuple[Array, Array | None]:
        bar_values = self.bars.frame[list(COLUMNS)].to_numpy(np.float64)
        return bar_values, None if self.bars.panel is None else self.bars.panel.closes


def _present(closes: Array) -> list[int]:
    return [int(i) for i in np.flatnonzero(~np.isnan(closes).all(axis=0))]


def _noise(old: Array, rng: np.random.Generator) -> Array:
    return np.exp(rng.normal(0.0, 1.0, old.shape))


def _nudged(old: Array, rng: np.random.Generator) -> Array:
    # All rates of a bar by one factor, so that it stays a bar, and close to what it was.
    return np.asarray(old * np.exp(rng.normal(0.0, 1e-3, (len(old), 1))))


KINDS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "replaced by noise": _noise,
    "moved by a thousandth": _nudged,
    "set NaN": lambda old, rng: old * np.nan,
    "scaled by 10": lambda old, rng: old * 10.0,
}
"""What becomes of altered rows: of a pair's columns and of all pairs' closes."""

NOISE, NUDGE, MISSING, SCALED = KINDS


def disguise(bars: Bars, kind: str, seed: int = 0) -> Disguise:
    """What the rows of the bars become by a kind of alteration."""
    rng = np.random.default_rng(seed)
    bar_values = _changed(bars.frame[list(COLUMNS)].to_numpy(np.float64), kind, rng)
    if kind == NOISE:
        bar_values[:, : len(RATES)] = np.sort(bar_values[:, : len(RATES)], axis=1)[:, [1, 3, 0, 2]]
    closes = None if bars.panel is None else _changed(bars.panel.closes, kind, rng)
    filled = None
    if FILLED in bars.frame:
        filled = bars.frame[FILLED].to_numpy(bool)
        filled = ~filled if kind == NOISE else filled & (kind != MISSING)
    return Disguise(kind, bars, bar_values, closes, filled)


def _changed(old: Array, kind: str, rng: np.random.Generator) -> Array:
    # What is absent, such as a volume or a pair, stays absent and costs nothing.
    present = _present(old)
    new = np.full(old.shape, np.nan)
    new[:, present] = KINDS[kind](old[:, present], rng)
    return new


def since(rows: Mask) -> NDArray[np.int64]:
    """Rows since the last one that is marked, 0 at it; the count of all rows where none was."""
    position = np.arange(len(rows))
    last = np.maximum.accumulate(np.where(rows, position, -1))
    return np.where(last < 0, len(rows), position - last)


# --- which rows -----------------------------------------------------------------------------


def single(
    minutes: NDArray[np.int64], lookback: int, rng: np.random.Generator, met: NDArray[np.int64]
) -> Mask:
    """Single rows as close as the lookback lets them, met by as many minutes of the day as can be.

    ``met`` : (1,440,) how often the row before a marked one stood at a minute of the day, counted
    on here, so that each call goes where the ones before it were not.
    """
    mask = np.zeros(len(minutes), bool)
    of_day = (minutes - 1) % sessions.DAY
    choice = max(lookback // 4, 2)
    row = int(rng.integers(1, min(lookback, 250) + choice + 1))
    while row < len(mask):
        ahead = of_day[row : row + choice]
        row += int(np.argmin(met[ahead] + rng.random(len(ahead)) / 2.0))
        mask[row] = True
        met[of_day[row]] += 1
        row += lookback + 1
    return mask


def stretches(length: int, lookback: int, rng: np.random.Generator) -> Mask:
    """Minutes, hours and days in a row, with gaps beyond the lookback between them."""
    mask = np.zeros(length, bool)
    longest = max(2 * lookback, sessions.DAY)
    row = int(rng.integers(1, lookback + 100))
    while row < length:
        size = int(np.exp(rng.uniform(0.0, np.log(longest))))
        mask[row : row + size] = True
        row += size + lookback + int(rng.integers(1, size + 60))
    return mask


def days(minutes: NDArray[np.int64], rng: np.random.Generator) -> Mask:
    """About a third of all days."""
    day = minutes // sessions.DAY
    return np.asarray(rng.random(int(day[-1] - day[0]) + 1)[day - day[0]] < 0.35)


def clock(minutes: NDArray[np.int64], rng: np.random.Generator) -> Mask:
    """The same minute, quarter or hour of most days."""
    start, size = rng.integers(sessions.DAY), rng.choice([1, 15, 60])
    day = minutes // sessions.DAY
    most = rng.random(int(day[-1] - day[0]) + 1)[day - day[0]] < 0.7
    return np.asarray(((minutes - start) % sessions.DAY < size) & most)


def holes(length: int, lookback: int, rng: np.random.Generator) -> Mask:
    """Holes of one to twenty rows, some four lookbacks apart."""
    mask = np.zeros(length, bool)
    row = int(rng.integers(lookback, 3 * lookback + 120))
    while row < length:
        size = int(rng.integers(1, 21))
        mask[row : row + size] = True
        row += size + int(rng.integers(2 * lookback, 5 * lookback + 60))
    return mask
