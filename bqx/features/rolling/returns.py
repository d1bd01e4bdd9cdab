"""Logarithms of many values at once, and one-minute log returns as a series."""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.ago import ago
from bqx.features.rolling.sums import F
from bqx.features.spec import Source
from bqx.market.bars import Bars

_FRACTION, _ONE = (1 << 52) - 1, 1023 << 52


@kernel
def logs(x: F) -> None:
    """Natural logarithm of each value, in place, to 3e-16; NaN where it is not finite and normal.

    Several at a time, which a call of ``log`` a value is not. With ``x = 2^e m`` and ``m`` within
    a root of two of 1 it is ``e log(2) + 2 artanh((m - 1) / (m + 1))``.
    """
    bits = x.view(np.int64)
    for i in range(len(x)):
        exponent = float((bits[i] >> 52) - 1023)
        good = -1023.0 < exponent < 1024.0
        bits[i] = (bits[i] & _FRACTION) | _ONE
        m = x[i]
        if m > 1.4142135623730951:
            m, exponent = 0.5 * m, exponent + 1.0
        s = (m - 1.0) / (m + 1.0)
        q = s * s
        rest = 1.0 / 21.0
        for c in (19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0):
            rest = rest * q + 1.0 / c
        value = exponent * 0.6931471805599453 + (2.0 * s + 2.0 * s * (q * rest))
        x[i] = value if good else np.nan


@kernel
def log_returns(x: F, rows: int = 1) -> F:
    """Log of each value over the one ``rows`` before: (T,), NaN where ``ago`` is."""
    out = ago(x, rows)
    for row in range(len(x)):
        out[row] = x[row] / out[row]
    logs(out)
    return out


@kernel
def returns_from(before: F, now: F) -> F:
    """Logs of values over those before them (P,), as `log_returns`."""
    out = now / before
    logs(out)
    return out


@kernel
def return_from(before: float, now: float) -> float:
    """Log of a value over the one before it, as `log_returns`."""
    out = np.array([now / before])
    logs(out)
    return float(out[0])


def _returns(bars: Bars) -> F:
    return log_returns(bars.index, 1)


RETURN = Source("return", "rate", "1", 2, _returns, series="log returns")
"""One-minute log returns of the closes."""
