"""The bar frame: schema, validation, the minute grid, the rate index and its baseline.

A bar frame has a UTC index ``ts_utc`` (the bar's open, whole minutes) and the float64 columns
``open high low close`` (bid, quote units), ``volume`` (tick count) and ``spread`` (quote units);
an absent volume or spread is NaN. On the grid a boolean column ``filled`` joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bqx.errors import BarError
from bqx.market import bar_arrays, sessions
from bqx.market.bar_arrays import COLUMNS as COLUMNS
from bqx.market.bar_arrays import RATES as RATES
from bqx.market.pairs import PAIRS

if TYPE_CHECKING:
    import pandas as pd


def validate(
    frame: pd.DataFrame, where: str, lines: NDArray[np.int64] | None = None
) -> pd.DataFrame:
    """Return the frame in the bar schema, without the stray bars of a closed market.

    Parameters
    ----------
    frame : index of bar opens with a time zone; columns open, high, low, close and optionally
        volume and spread.
    where : file or source named in errors.
    lines : (T,) line of each bar in its file, named in errors; default the rows are.

    Raises
    ------
    BarError : empty, a column or the time zone missing, times out of order, repeated or not on a
        whole minute, rates not finite or not positive, high or low beyond the others, negative
        volume or spread, or more than 1 % of bars while the market is closed.
    """
    import pandas as pd

    frame = in_schema(frame, where)
    stamps = pd.DatetimeIndex(frame.index).asi8
    return frame[bar_arrays.check(stamps, frame.to_numpy().T, where, lines)]


def in_schema(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The frame with all columns and a UTC index, unchecked otherwise, see `validate`."""
    import pandas as pd

    missing = [name for name in RATES if name not in frame.columns]
    if missing:
        raise BarError(
            f"{where}: column {missing[0]!r} is missing, got {list(map(str, frame.columns))}; "
            f"expected {', '.join(RATES)}. Name the columns so."
        )
    if len(frame) == 0:
        raise BarError(f"{where}: no bars, got 0 rows; expected at least 1. Check the file.")
    if not isinstance(frame.index, pd.DatetimeIndex) or frame.index.tz is None:
        raise BarError(
            f"{where}: the index has no time zone, got {frame.index.dtype}; expected UTC bar "
            "opens. Localize the times first."
        )
    frame = frame.reindex(columns=list(COLUMNS)).astype(np.float64)
    frame.index = pd.DatetimeIndex(frame.index).tz_convert("UTC").as_unit("ns").rename("ts_utc")
    return frame


def to_grid(
    frame: pd.DataFrame, first: int | None = None, last: int | None = None, *, max_fill: int = 15
) -> pd.DataFrame:
    """Put validated bars on the grid of open market minutes.

    Holes of up to ``max_fill`` minutes carry the last close (volume 0, the last spread, ``filled``
    true); every minute of a longer hole is NaN. ``first`` and ``last`` (epoch minutes) default to
    the frame's own; minutes before its first and after its last bar are NaN.
    """
    import pandas as pd

    minutes = sessions.epoch_minutes(pd.DatetimeIndex(frame.index))
    grid = sessions.grid(
        int(minutes[0]) if first is None else first, int(minutes[-1]) if last is None else last
    )
    columns = bar_arrays.on_grid(minutes, frame[list(COLUMNS)].to_numpy().T, grid, max_fill)
    out = pd.DataFrame(
        dict(zip(COLUMNS, columns, strict=False)), index=sessions.timestamps(grid), copy=False
    )
    out["filled"] = columns[bar_arrays.FILLED] == 1.0
    return out


def baseline(frame: pd.DataFrame, since: pd.Timestamp | None = None) -> float:
    """Close of the first bar at or after ``since`` (default: the first bar), in quote units.

    Raises BarError when there is no such bar.
    """
    closes = frame.loc[since:, "close"].dropna()
    if closes.empty:
        raise BarError(
            f"baseline: no bar at or after {since}, got bars until {frame.index[-1]}; expected "
            "at least one. Set an earlier baseline."
        )
    return float(closes.iloc[0])


@dataclass(frozen=True)
class Panel:
    """Closes of all pairs on one grid, for features that look across pairs.

    ``closes`` : (T, 28) quote units in the order of ``pairs.PAIRS``; absent pairs are NaN.
    ``baselines`` : (28,) quote units.
    ``wanted`` : rows at the end whose features are asked for, default all; a series of the panel
    may be NaN above them where nothing later depends on it.
    """

    closes: NDArray[np.float64]
    baselines: NDArray[np.float64]
    wanted: int | None = None
    _derived: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _slice: dict[tuple[int, int], Panel] = field(default_factory=dict, repr=False, compare=False)

    @property
    def index(self) -> NDArray[np.float64]:
        """(T, 28) rate index, points."""
        return np.asarray(self.derived("index", lambda: 100.0 * self.closes / self.baselines))

    @property
    def since(self) -> int:
        """First row that is wanted."""
        return 0 if self.wanted is None else max(len(self.closes) - self.wanted, 0)

    def derived(self, key: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gives, made once for all pairs that share the panel."""
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def moving(self, key: str, reach: int, make: Callable[[Bars], Any], bars: Bars) -> Any:
        """A series (T, C) that ``make`` gives of bars on the panel's rows, made once.

        ``reach`` : bars behind one of its rows, that row's own included.
        """
        return self.derived(key, lambda: make(bars))

    def has(self, key: str) -> bool:
        """Whether what ``derived`` or ``moving`` names so is there, or is made anyway."""
        return key in self._derived

    def rows(self, start: int, stop: int) -> Panel:
        """Rows ``start`` to ``stop`` (excluded); the last slice is kept, since pairs share it."""
        part = self._slice.get((start, stop))
        if part is None:
            part = self._part(start, stop)
            # Another thread may put its own slice in place of this one.
            self._slice.clear()
            self._slice[start, stop] = part
        return part

    def _part(self, start: int, stop: int) -> Panel:
        return Panel(self.closes[start:stop], self.baselines, self.wanted)

    def __getstate__(self) -> dict[str, Any]:
        return {"closes": self.closes, "baselines": self.baselines, "_derived": {}, "_slice": {}}


@dataclass(frozen=True)
class Bars:
    """Bars of one pair on the grid with the baseline of their rate index.

    ``frame`` : (T,) rows, one per open market minute, gap-free in market minutes.
    ``baseline`` : quote units; belongs to the pair's history and stays with every slice.
    ``panel`` : the closes of all pairs on the same rows, None for a pair alone.
    """

    pair: str
    frame: pd.DataFrame
    baseline: float
    panel: Panel | None = field(default=None, repr=False, compare=False)
    _derived: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.frame)

    def __getstate__(self) -> dict[str, Any]:
        # What was made of the bars is made anew elsewhere, sooner than it is sent there.
        return {own.name: getattr(self, own.name) for own in fields(self)} | {"_derived": {}}

    @property
    def ts(self) -> pd.DatetimeIndex:
        """(T,) bar opens in UTC."""
        import pandas as pd

        return pd.DatetimeIndex(self.frame.index)

    @cached_property
    def minutes(self) -> NDArray[np.int64]:
        """(T,) epoch minutes of the bar opens."""
        return sessions.epoch_minutes(self.ts)

    @cached_property
    def first_market_minute(self) -> int:
        """Market minute of row 0; row i is this plus i."""
        return int(sessions.market_minutes(self.minutes[:1])[0])

    @cached_property
    def ohlc(self) -> NDArray[np.float64]:
        """(T, 4) open, high, low, close on the rate index, points (baseline close = 100)."""
        return 100.0 * self.frame[list(RATES)].to_numpy(np.float64) / self.baseline

    @property
    def index(self) -> NDArray[np.float64]:
        """(T,) rate index of the closes, points."""
        return self.ohlc[:, 3]

    @cached_property
    def opened(self) -> NDArray[np.float64]:
        """(T,) opens, quote units."""
        return self.frame["open"].to_numpy(np.float64)

    @cached_property
    def close(self) -> NDArray[np.float64]:
        """(T,) closes, quote units."""
        return self.frame["close"].to_numpy(np.float64)

    @cached_property
    def volume(self) -> NDArray[np.float64]:
        """(T,) ticks, NaN where absent."""
        return self.frame["volume"].to_numpy(np.float64)

    @cached_property
    def spread(self) -> NDArray[np.float64]:
        """(T,) spreads, quote units, NaN where absent."""
        return self.frame["spread"].to_numpy(np.float64)

    def derived(self, key: str, make: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        """What ``make`` gives, made once."""
        if key not in self._derived:
            self._derived[key] = make()
        return np.asarray(self._derived[key])

    def rows(self, start: int, stop: int) -> Bars:
        """Rows ``start`` to ``stop`` (excluded) with the same baseline."""
        if (start, stop) == (0, len(self)):
            return self
        panel = self.panel and self.panel.rows(start, stop)
        return Bars(self.pair, self.frame.iloc[start:stop], self.baseline, panel)


def align(
    frames: Mapping[str, pd.DataFrame],
    max_fill: int = 15,
    since: pd.Timestamp | None = None,
    *,
    baselines: Mapping[str, float] | None = None,
) -> dict[str, Bars]:
    """Put validated frames of several pairs on one grid, from the first bar of any to the last.

    ``since`` is the dataset's baseline time, default its first minute; ``baselines`` stand for it
    where they are stored.
    """
    import pandas as pd

    ends = [sessions.epoch_minutes(pd.DatetimeIndex(f.index[[0, -1]])) for f in frames.values()]
    first, last = int(np.min(ends)), int(np.max(ends))
    return join(
        {
            pair: Bars(
                pair,
                to_grid(frame, first, last, max_fill=max_fill),
                baselines[pair] if baselines else baseline(frame, since),
            )
            for pair, frame in frames.items()
        }
    )


def join(bars: dict[str, Bars]) -> dict[str, Bars]:
    """Give bars of several pairs on one grid the panel of all their closes."""
    rows = len(next(iter(bars.values())))
    closes, baselines = np.full((rows, len(PAIRS)), np.nan), np.full(len(PAIRS), np.nan)
    for pair, pair_bars in bars.items():
        closes[:, PAIRS.index(pair)] = pair_bars.close
        baselines[PAIRS.index(pair)] = pair_bars.baseline
    panel = Panel(closes, baselines)
    return {pair: replace(pair_bars, panel=panel) for pair, pair_bars in bars.items()}
