"""Bars of the newest minutes as columns, without the time that a frame of pandas takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.features.spec import Array
from bqx.market import sessions
from bqx.market.bar_arrays import CLOSE, COLUMNS, RATES, SPREAD, VOLUME
from bqx.market.bars import Bars, Panel
from bqx.market.pairs import PAIRS

if TYPE_CHECKING:
    import pandas as pd

    from bqx.features.engine.kept_panel import KeptPanel


@dataclass(frozen=True)
class Slice:
    """Rows of some pairs.

    ``minutes`` : (T,) epoch minutes; ``market_minute`` is that of the last one.
    ``columns`` : (pairs, 7, T) bars; ``closes`` : (T, 28) in the order of ``pairs.PAIRS``.
    """

    minutes: NDArray[np.int64]
    columns: Array
    closes: Array
    market_minute: int


@dataclass(frozen=True)
class MovingPanel(Panel):
    """A panel whose last row is the newest of all, so that series of it are kept in ``kept``."""

    kept: KeptPanel | None = field(default=None, repr=False, compare=False)

    def moving(self, key: str, reach: int, make: Callable[[Bars], Any], bars: Bars) -> Any:
        """As of any panel; of a series that is kept only rows that are new are made."""
        kept = self.kept
        if kept is None:
            return super().moving(key, reach, make, bars)
        return self.derived(key, lambda: kept.newest(key, reach, make, bars))

    def has(self, key: str) -> bool:
        """As of any panel; what was kept in the minute before is made in this one too."""
        return super().has(key) or bool(self.kept and self.kept.has(key))

    def _part(self, start: int, stop: int) -> Panel:
        kept = self.kept if stop == len(self.closes) else None
        return MovingPanel(self.closes[start:stop], self.baselines, self.wanted, kept=kept)


class NewestBars(Bars):
    """What ``Bars`` would make of a frame, from its columns (7, T); its last row is wanted alone.

    ``minutes`` : (T,) epoch minutes; ``market_minute`` is that of the last one.
    """

    def __init__(
        self,
        pair: str,
        columns: Array,
        baseline: float,
        *,
        panel: Panel | None,
        minutes: NDArray[np.int64],
        market_minute: int,
    ) -> None:
        values: dict[str, Any] = vars(self)  # a frozen class takes no attributes
        values.update(pair=pair, baseline=baseline, panel=panel, minutes=minutes)
        values.update(_columns=columns, _derived={})
        values.update(
            opened=columns[0], close=columns[CLOSE], volume=columns[VOLUME], spread=columns[SPREAD]
        )
        values["first_market_minute"] = market_minute + 1 - len(minutes)

    def __len__(self) -> int:
        return len(self.minutes)

    @cached_property
    def ohlc(self) -> NDArray[np.float64]:
        """(T, 4) open, high, low, close on the rate index, points."""
        columns: Array = vars(self)["_columns"]
        return 100.0 * columns[: len(RATES)].T / self.baseline

    @cached_property
    def index(self) -> NDArray[np.float64]:
        """(T,) rate index of the closes, points."""
        return 100.0 * self.close / self.baseline

    @cached_property
    def frame(self) -> pd.DataFrame:
        """(T,) rows, for sources that read it."""
        import pandas as pd

        columns: Array = vars(self)["_columns"]
        index = sessions.timestamps(self.minutes)
        names = pd.Index([*COLUMNS, "filled"], dtype=object)
        return pd.DataFrame(columns.T, index=index, columns=names, copy=False)

    def newest_columns(self, count: int) -> Array:
        """(7, n) newest bars, as `Slice.columns`: at most so many of them."""
        columns: Array = vars(self)["_columns"]
        return columns[:, max(len(self) - count, 0) :]

    def rows(self, start: int, stop: int) -> NewestBars:
        """Rows ``start`` to ``stop`` (excluded) with the same baseline."""
        return NewestBars(
            self.pair,
            vars(self)["_columns"][:, start:stop],
            self.baseline,
            panel=self.panel and self.panel.rows(start, stop),
            minutes=self.minutes[start:stop],
            market_minute=self.first_market_minute + stop - 1,
        )


class EndToEnd:
    """Bars of several pairs one after the other, as if they were of one.

    What a row is made of, by so many bars of its own pair alone, is here made for all pairs at
    once. There is no pair, minute, baseline or panel to be read.

    Parameters
    ----------
    columns : (pairs, 7, T), see `Slice`.
    baselines : (pairs,) quote units.
    """

    def __init__(self, columns: Array, baselines: Array) -> None:
        self._columns = columns.transpose(1, 0, 2).reshape(columns.shape[1], -1)
        self._baselines = np.repeat(baselines, columns.shape[2])
        self.opened, self.close = self._columns[0], self._columns[CLOSE]
        self.volume, self.spread = self._columns[VOLUME], self._columns[SPREAD]
        self._derived: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self.close)

    @cached_property
    def ohlc(self) -> Array:
        """(pairs T, 4) open, high, low, close on the rate index, points."""
        return 100.0 * self._columns[: len(RATES)].T / self._baselines[:, None]

    @cached_property
    def index(self) -> Array:
        """(pairs T,) rate index of the closes, points."""
        return 100.0 * self.close / self._baselines

    def derived(self, key: str, make: Callable[[], Array]) -> Array:
        """What ``make`` gives, made once."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]


@dataclass(frozen=True)
class NewestOfPairs:
    """Newest bars of some pairs, as series are made of them.

    ``wanted`` : rows at the end whose features are asked for. ``kept`` : series of the panel, where
    the last row is the newest of all.
    """

    rows: Slice
    pairs: Sequence[str]
    baselines: Mapping[str, float]
    wanted: int
    kept: KeptPanel | None = None

    @cached_property
    def there(self) -> tuple[str, ...]:
        """Pairs that have a baseline; others are absent."""
        return tuple(pair for pair in self.pairs if pair in self.baselines)

    @cached_property
    def each(self) -> list[NewestBars]:
        """Bars of every pair that is there."""
        return [self._of(pair) for pair in self.there]

    @cached_property
    def first(self) -> NewestBars:
        """Bars of the first of them, for what is made of the panel."""
        return self._of(self.there[0])

    @cached_property
    def end_to_end(self) -> EndToEnd:
        """Bars of all of them as one."""
        columns = self.rows.columns[[pair in self.baselines for pair in self.pairs]]
        return EndToEnd(columns, np.array([self.baselines[pair] for pair in self.there]))

    @cached_property
    def _panel(self) -> Panel:
        every = np.array([self.baselines.get(pair, np.nan) for pair in PAIRS])
        closes = self.rows.closes
        if len(self.there) < len(self.pairs):
            closes = np.where(np.isnan(every), np.nan, closes)
        return MovingPanel(closes, every, self.wanted, kept=self.kept)

    def _of(self, pair: str) -> NewestBars:
        return NewestBars(
            pair,
            self.rows.columns[self.pairs.index(pair)],
            self.baselines[pair],
            panel=self._panel,
            minutes=self.rows.minutes,
            market_minute=self.rows.market_minute,
        )


def newest(
    rows: Slice, pairs: Sequence[str], baselines: Mapping[str, float], *, wanted: int = 1
) -> list[NewestBars]:
    """Bars of the pairs of a slice and their panel; pairs without a baseline are absent.

    ``wanted`` : rows at the end whose features are asked for.
    """
    return NewestOfPairs(rows, pairs, baselines, wanted).each


def checked(pair: str, bar: Mapping[str, float]) -> Array:
    """(6,) of a bar; BarError for one that breaks the bar schema."""
    try:
        values = [float(bar[name]) for name in RATES]
        values += [float(bar.get(name, np.nan)) for name in ("volume", "spread")]
    except KeyError as error:
        raise BarError(
            f"live window: {pair}: {error} is missing, got {', '.join(bar)}; expected "
            f"{', '.join(RATES)}. Name the bar's keys so."
        ) from None
    opened, high, low, close, volume, spread = values
    good = 0.0 < low <= opened <= high < np.inf and low <= close <= high
    if not good or volume < 0.0 or spread < 0.0 or np.inf in (volume, spread):
        raise BarError(
            f"live window: {pair}: no bar, got {dict(bar)}; expected finite positive rates between "
            "low and high, volume and spread >= 0 or absent. Leave the bar out."
        )
    return np.array(values)
