"""What is forecast: BQX at a horizon, its martingale forecast, and the kinds of target."""

from dataclasses import dataclass
from math import asin, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.features.rolling.weighted import ewm_mean
from bqx.features.sources import bqx
from bqx.market import pairs, sessions
from bqx.market.bars import Bars

Series = NDArray[np.float64]

KINDS = ("level", "delta", "scaled", "direction", "innovation")
SPAN = 60
"""Span of the EWMA behind sigma, rows; no sigma before that many changes."""
RUN_IN = 600
"""Rows after which the EWMA forgets: sigma depends on the last ``RUN_IN`` changes only."""
FLOOR_PIPS = 0.1
"""Smallest sigma, in pips of every one of the window's minutes."""


def known_share(window: int, horizon: int, kind: str = "level") -> float:
    """R² that the martingale forecast of a kind of target has on a martingale, for whatever rate.

    The BQX of a martingale is a weighted sum of its returns with weights 1..window; those of the
    returns already seen are 1..window-horizon in the level, less 1..window in its change. Sigma is
    taken as constant. For the sign of the change see `known_direction`.

    Raises ParameterError for another kind, and for ``direction``, which has no R².

    >>> round(known_share(60, 15), 3), known_share(15, 15), known_share(15, 15, "delta")
    (0.425, 0.0, 0.5)
    """
    if kind not in KINDS or kind == "direction":
        raise ParameterError(
            f"target: no known share of its variance, got {kind!r}; expected one of "
            f"{', '.join(name for name in KINDS if name != 'direction')}."
        )
    ages = np.arange(window)
    seen = np.maximum(window - horizon - ages, 0)
    if kind in ("delta", "scaled"):
        seen = window - ages - seen
    known = int((seen**2).sum()) if kind != "innovation" else 0
    coming = int(((window - ages[:horizon]) ** 2).sum())
    return known / (known + coming)


def known_direction(window: int, horizon: int) -> float:
    """Share of the changes whose sign the martingale forecast has, on a martingale of normal steps.

    >>> round(known_direction(15, 15), 3), round(known_direction(60, 15), 3)
    (0.75, 0.652)
    """
    return 0.5 + asin(sqrt(known_share(window, horizon, "delta"))) / pi


@dataclass(frozen=True)
class Target:
    """BQX of one window at one horizon, row by row, and what was known of it.

    ``level`` : (T,) BQX_w(t+h); NaN where [t, t+h] meets a long hole, the end or the weekend, or
        the window a long hole.
    ``martingale`` : (T,) forecast of the level by one who knows nothing of the future.
    ``current`` : (T,) BQX_w(t).
    ``sigma`` : (T,) volatility of the one-minute changes of BQX_w known at t, in units of BQX.
    ``weekend``, ``holes`` : rows without a label because of the weekend, or only of a long hole.
    """

    window: int
    horizon: int
    level: Series
    martingale: Series
    current: Series
    sigma: Series
    weekend: int
    holes: int

    def label(self, kind: str) -> Series:
        """(T,) the target of a kind: ``level``, ``delta`` (level less current), ``scaled`` (delta
        in sigma), ``direction`` (sign of delta) or ``innovation`` (level less martingale in sigma).

        Raises ParameterError for another kind.
        """
        return self._turned(self.level, kind)

    def martingale_of(self, kind: str) -> Series:
        """(T,) martingale forecast of a kind of target; of the innovation it is 0."""
        return self._turned(self.martingale, kind)

    def from_innovation(self, forecast: Series, kind: str) -> Series:
        """(T,) forecast of a kind from a forecast of the innovation, (T,) in sigma.

        A forecast of 0 gives the martingale forecast to the last bit.
        """
        return self._turned(self.martingale + self.sigma * forecast, kind)

    def _turned(self, level: Series, kind: str) -> Series:
        if kind == "level":
            return level
        if kind == "delta":
            return level - self.current
        if kind == "scaled":
            return (level - self.current) / self.sigma
        if kind == "direction":
            return np.sign(level - self.current)
        if kind == "innovation":
            return (level - self.martingale) / self.sigma
        raise ParameterError(
            f"target: unknown kind, got {kind!r}; expected one of {', '.join(KINDS)}."
        )


def lookback(window: int) -> int:
    """Rows before t that the labels of a window read: those that sigma remembers."""
    return window + RUN_IN


def mean_square(changes: Series, first_market_minute: int) -> Series:
    """(T,) EWMA of squared one-minute changes: span 60, zero mean, run-in ``RUN_IN`` rows.

    NaN before 60 changes and anew after one that is NaN.
    """
    return ewm_mean(changes * changes, 2.0 / (SPAN + 1.0), RUN_IN, SPAN, first_market_minute)


def volatility(bars: Bars, current: Series, window: int) -> Series:
    """(T,) sigma: EWMA volatility (span 60, zero mean) of one-minute changes of BQX_window.

    Known at t and reproduced by the last ``RUN_IN`` changes; floored at a tenth of a pip times
    the window; NaN before 60 changes and anew after a long hole.
    """
    variance = mean_square(np.diff(current, prepend=np.nan), bars.first_market_minute)
    floor = window * FLOOR_PIPS * pairs.pip(bars.pair) / bars.close
    return np.sqrt(np.maximum(variance, floor * floor))


def newest(bars: Bars, window: int, horizon: int) -> tuple[float, float]:
    """Martingale forecast and sigma of the last row, the same bits as `make` gives of more."""
    recent = bars.rows(max(len(bars) - lookback(window) - 1, 0), len(bars))
    if window > horizon:
        martingale = bqx(recent.index[horizon - window - 1 :], window - horizon)[-1]
    else:
        martingale = np.where(np.isnan(recent.index[-1]), np.nan, 0.0)

    def sigma() -> Series:
        return volatility(recent, bqx(recent.index, window), window)[-1:]

    return float(martingale), float(bars.derived(f"newest sigma {window}", sigma)[0])


def make(bars: Bars, window: int, horizon: int) -> Target:
    """The target of a window (rows) at a horizon (rows) on every row of the bars.

    Raises ParameterError when either is below 1.
    """
    for name, value in (("target_window", window), ("horizons", horizon)):
        if value < 1:
            raise ParameterError(f"{name}: too short, got {value}; expected at least 1 minute.")
    index = bars.index
    rows = len(index)
    current = bqx(index, window)
    martingale = np.where(np.isnan(index), np.nan, 0.0)
    if window > horizon:
        martingale = bqx(index, window - horizon)
    start = np.arange(max(rows - horizon, 0))
    end = start + horizon
    week = (bars.first_market_minute + np.arange(rows)) // sessions.WEEK
    crosses = week[start] != week[end]
    missing = np.concatenate(([0], np.cumsum(np.isnan(index))))
    oldest = np.maximum(start + min(horizon - window, 0), 0)
    holed = missing[end + 1] > missing[oldest]
    level = np.full(rows, np.nan)
    level[start] = np.where(crosses | holed, np.nan, current[end])
    return Target(
        window=window,
        horizon=horizon,
        level=level,
        martingale=martingale,
        current=current,
        sigma=volatility(bars, current, window),
        weekend=int(crosses.sum()),
        holes=int((holed & ~crosses).sum()),
    )
