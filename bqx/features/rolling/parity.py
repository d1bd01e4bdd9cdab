"""What a triangle's three rates lack to parity, of all pairs of the panel at once."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.multivariate import demeaned
from bqx.features.rolling.sums import F, extremes
from bqx.features.sources import BQX_WINDOW
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS, pip, triangle
from bqx.market.sessions import DAY

_LEGS = tuple(
    np.array([PAIRS.index(getattr(triangle(pair), leg)) for pair in PAIRS])
    for leg in ("direct", "first", "second")
)


def _of_legs(bars: Bars, series: panels.Series) -> tuple[F, ...]:
    """(T, 28) of the direct pair of each pair's triangle, of its first leg and of its second."""
    return tuple(series.every(bars).take(places, axis=1) for places in _LEGS)


def _errors(bars: Bars) -> F:
    out, first, second = _of_legs(bars, panels.closes)
    first *= second
    out /= first
    return np.log(out, out=out)


def _digits(bars: Bars) -> F:
    tenths = np.array([pip(pair) / 10.0 for pair in PAIRS])
    out, *others = _of_legs(bars, panels.closes)
    np.divide(tenths[_LEGS[0]], out, out=out)
    for leg, rates in zip(_LEGS[1:], others, strict=True):
        out += np.divide(tenths[leg], rates, out=rates)
    return out


def _gaps(bars: Bars) -> F:
    out, first, second = _of_legs(bars, panels.momentum)
    out -= first
    out -= second
    return out


@kernel(nogil=True)
def _built(errors: F, digits: F) -> F:
    """Whether one of three rates was made from the others: (T, 28), 0 or 1."""
    out = np.empty(errors.shape)
    for k in range(errors.shape[1]):
        own = errors[:, k].copy()
        top, bottom = extremes(own, own, DAY)
        for row in range(len(own)):
            out[row, k] = top[row] - bottom[row] <= digits[row, k]
    return out


@kernel(nogil=True)
def _residuals(x: F, built: F, first_minute: int) -> F:
    """Less the mean of 1,440 rows: (T, 28), NaN where a rate was made from the others."""
    out = np.empty(x.shape)
    for k in range(x.shape[1]):
        own = demeaned(x[:, k].copy(), DAY, first_minute)
        for row in range(len(own)):
            out[row, k] = np.nan if built[row, k] == 1.0 else own[row]
    return out


def _residuals_of(series: panels.Series, bars: Bars) -> F:
    return np.asarray(_residuals(series.every(bars), _made.every(bars), bars.first_market_minute))


_error = panels.Series("parity error", _errors)
_last_digits = panels.Series("parity digits", _digits)
_gap = panels.Series("parity bqx", _gaps, BQX_WINDOW + 1)
_made = panels.Series(
    "parity made", lambda bars: _built(_error.every(bars), _last_digits.every(bars)), DAY
)

residual = panels.Series("triangle", lambda bars: _residuals_of(_error, bars), DAY)
"""Log parity error of a pair's triangle less its mean over 1,440 rows.

NaN where the window's errors differ by no more than the last digits of the three rates do: there
one rate was made from the others.
"""

momentum_residual = panels.Series(
    "triangle bqx", lambda bars: _residuals_of(_gap, bars), BQX_WINDOW + DAY
)
"""BQX of a triangle's direct pair less those of its legs, less its mean over 1,440 rows.

NaN where ``residual`` is.
"""
