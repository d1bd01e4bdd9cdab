"""What a triangle's three rates lack to parity, of all pairs of the panel at once or of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.blocks import STRETCH
from bqx.features.rolling.multivariate import by_column
from bqx.features.rolling.row_sums import last_demeaned
from bqx.features.rolling.sums import F, extremes
from bqx.features.sources import BQX_WINDOW
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS, Triangle, pip, triangle
from bqx.market.sessions import DAY

_NEAR = 60
"""Rows whose errors most often differ by more than the last digits already."""


@kernel(nogil=True)
def _built(errors: F, digits: F) -> F:
    """Whether one of three rates was made from the others: (T, C), 0 or 1.

    Few windows are read whole: those in whose neighbourhood the errors of an hour are alike.
    """
    rows, columns = errors.shape
    out = np.zeros((rows, columns))
    for start in range(DAY - 1, rows, STRETCH):  # no window is whole before
        stop = min(start + STRETCH, rows)
        first = start - _NEAR + 1
        near, last = by_column(errors[first:stop]), by_column(digits[start:stop])
        for k in range(columns):
            if _alike(near[k], last[k], _NEAR).any():
                own = errors[start - DAY + 1 : stop, k].copy()
                out[start:stop, k] = _alike(own, last[k], DAY)
    return out


@kernel
def _alike(errors: F, digits: F, window: int) -> NDArray[np.bool_]:
    """Whether windows' errors differ by no more than the last digits: (n,) of the last rows."""
    top, bottom = extremes(errors, errors, window)
    return (top - bottom)[window - 1 :] <= digits


@kernel(nogil=True)
def _residuals(x: F, built: F, first_minute: int, since: int) -> F:
    """Less the mean of 1,440 rows: (T, C), NaN where a rate was made from the others, and before
    row ``since``.
    """
    out = np.full(x.shape, np.nan)
    out[since:] = last_demeaned(x, DAY, first_minute, since)
    for row in range(since, len(x)):
        for k in range(x.shape[1]):
            if built[row, k] == 1.0:
                out[row, k] = np.nan
    return out


@dataclass(frozen=True)
class _Parity:
    """Series of the triangles of some pairs, (T, C) of one pair each.

    What a triangle has is made once for its pairs. ``key`` names them in the panel.
    """

    key: str
    pairs: Sequence[str]

    @cached_property
    def _triangles(self) -> list[Triangle]:
        return list(dict.fromkeys(map(triangle, self.pairs)))

    @cached_property
    def _legs(self) -> tuple[NDArray[np.int64], ...]:
        """Places of the direct pair of each triangle, of its first leg and of its second."""
        return tuple(
            np.array([PAIRS.index(getattr(sides, leg)) for sides in self._triangles])
            for leg in ("direct", "first", "second")
        )

    def _of_legs(self, bars: Bars, series: panels.Series) -> tuple[F, ...]:
        return tuple(series.every(bars).take(places, axis=1) for places in self._legs)

    def _errors(self, bars: Bars) -> F:
        out, first, second = self._of_legs(bars, panels.closes)
        first *= second
        out /= first
        return np.log(out, out=out)

    def _digits(self, bars: Bars) -> F:
        tenths = np.array([pip(pair) / 10.0 for pair in PAIRS])
        out, *others = self._of_legs(bars, panels.closes)
        np.divide(tenths[self._legs[0]], out, out=out)
        for leg, rates in zip(self._legs[1:], others, strict=True):
            out += np.divide(tenths[leg], rates, out=rates)
        return out

    def _gaps(self, bars: Bars) -> F:
        out, first, second = self._of_legs(bars, panels.momentum)
        out -= first
        out -= second
        return out

    def _series(self, name: str, make: panels.Build, reach: int = 1) -> panels.Series:
        return panels.Series(f"parity {name}{self.key}", make, reach, len(self._legs[0]))

    @cached_property
    def _error(self) -> panels.Series:
        return self._series("error", self._errors)

    @cached_property
    def _last_digits(self) -> panels.Series:
        return self._series("digits", self._digits)

    @cached_property
    def _gap(self) -> panels.Series:
        return self._series("bqx", self._gaps, BQX_WINDOW + 1)

    @cached_property
    def _made(self) -> panels.Series:
        def make(bars: Bars) -> F:
            return np.asarray(_built(self._error.every(bars), self._last_digits.every(bars)))

        return self._series("made", make, DAY)

    def _residual(self, name: str, of: panels.Series, reach: int) -> panels.Series:
        places = [self._triangles.index(triangle(pair)) for pair in self.pairs]

        def make(bars: Bars) -> F:
            values = of.every(bars), self._made.every(bars)
            residuals: F = _residuals(*values, bars.first_market_minute, reach - 1)
            return residuals.take(places, axis=1)

        return panels.Series(f"{name}{self.key}", make, reach, len(places))

    def residual(self) -> panels.Series:
        """Log parity error less its mean over 1,440 rows.

        NaN where the window's errors differ by no more than the last digits of the three rates do:
        there one rate was made from the others.
        """
        return self._residual("triangle", self._error, DAY)

    def momentum_residual(self) -> panels.Series:
        """BQX of the direct pair less those of its legs, less its mean over 1,440 rows.

        NaN where the other residual is.
        """
        return self._residual("triangle bqx", self._gap, BQX_WINDOW + DAY)


_ALL, _EURUSD = _Parity("", PAIRS), _Parity(" of eurusd", ("eurusd",))

residual, momentum_residual = _ALL.residual(), _ALL.momentum_residual()
"""Residuals of every pair's triangle, of rates and of BQX."""

eurusd_residual, eurusd_momentum_residual = (
    replace(alone, whole=(every, (PAIRS.index("eurusd"),)))
    for alone, every in (
        (_EURUSD.residual(), residual),
        (_EURUSD.momentum_residual(), momentum_residual),
    )
)
"""Those of eurusd alone, where no other pair's are read."""
