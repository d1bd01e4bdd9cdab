"""Logarithms and powers, eight at a time: those of two to 5e-16 of a unit and 1e-15 of their size.

Polynomials fitted in Chebyshev's points: of the logarithm in the square of (m - 1) / (m + 1), m
between the roots of 1/2 and of 2; of the power, less 1 and over its exponent, between -1/2 and
1/2.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.sums import F
from bqx.lanes import LANES, alike, exponent, load, mantissa, store, times_two, where

_NEAREST = 1.5 * 2.0**52
"""A number from which on no double has a fraction."""


@kernel
def log2(x: F) -> F:
    """Logarithms to base 2 of positive numbers."""
    m = mantissa(x)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    r = q * q
    low = (2.8853900817779286 + 0.9617966939240242 * q) + (
        0.5770780173966106 + 0.41219837759391803 * q
    ) * r
    high = (0.32061811828901154 + 0.2613888937393648 * q) + 0.24357372966551258 * r
    return exponent(x) + s * (low + high * (r * r))


@kernel
def exp2(x: F) -> F:
    """Powers of 2, 1 of 0; 0 below 2 ** -1022."""
    power = (x + _NEAREST) - _NEAREST
    f = x - power
    q = f * f
    r = q * q
    low = (0.6931471805599464 + 0.24022650695910205 * f) + (
        0.055504108664645335 + 0.009618129107567878 * f
    ) * q
    high = (0.0013333558202145732 + 0.00015403530488182425 * f) + (
        1.5252672006517912e-05 + 1.321542021257002e-06 * f
    ) * q
    highest = 1.0206102205200309e-07 + 7.07639515540728e-09 * f
    return times_two(1.0 + f * (low + (high + highest * r) * r), power)


@kernel
def _eights(x: F) -> tuple[F, int]:
    """Numbers and ones after them, to a multiple of eight."""
    rows = len(x)
    out = np.ones(-(-rows // LANES) * LANES)
    out[:rows] = x
    return out, rows


@kernel
def logarithms(x: F) -> F:
    """Natural logarithms of positive numbers: (T,), 0 of 0, NaN of NaN."""
    out, rows = _eights(x)
    for i in range(0, rows, LANES):
        value = load(out, i)
        store(out, i, where(value == 0.0, alike(0.0), log2(value) * np.log(2.0) + value * 0.0))
    return out[:rows]


@kernel
def raised(x: F, power: float) -> F:
    """Numbers that are not negative to a positive power: (T,)."""
    out, rows = _eights(x)
    for i in range(0, rows, LANES):
        value = load(out, i)
        store(out, i, where(value == 0.0, alike(0.0), exp2(log2(value) * power) + value * 0.0))
    return out[:rows]
